"""The built-in memory governors."""

from phimask_plugins.memory_governors.rss import RssMemoryGovernor

ALL = (RssMemoryGovernor,)
