"""The built-in executors."""

from phimask_plugins.executors.dask import DaskExecutor
from phimask_plugins.executors.inline import InlineExecutor
from phimask_plugins.executors.local import LocalExecutor

ALL = (DaskExecutor, InlineExecutor, LocalExecutor)
