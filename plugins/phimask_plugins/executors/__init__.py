"""The built-in executors."""

from phimask_plugins.executors.inline import InlineExecutor

ALL = (InlineExecutor,)
