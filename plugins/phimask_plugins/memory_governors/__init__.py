"""The built-in memory governors."""

from phimask_plugins.memory_governors.predictive import PredictiveMemoryGovernor
from phimask_plugins.memory_governors.rss import RssMemoryGovernor

ALL = (PredictiveMemoryGovernor, RssMemoryGovernor)
