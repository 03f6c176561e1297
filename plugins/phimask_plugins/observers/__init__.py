"""The built-in observers: what a person watching sees, and what the log keeps."""

from phimask_plugins.observers.log import LogObserver
from phimask_plugins.observers.progress import Progress

ALL = (Progress, LogObserver)

__all__ = ["ALL", "LogObserver", "Progress"]
