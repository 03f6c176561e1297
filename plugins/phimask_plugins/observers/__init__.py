"""The built-in observers: what a person watching sees, what the log keeps, what machines that watch are told."""

from phimask_plugins.observers.json_log import JsonLog
from phimask_plugins.observers.log import LogObserver
from phimask_plugins.observers.notify import Notify
from phimask_plugins.observers.opentelemetry import OpenTelemetry
from phimask_plugins.observers.progress import Progress
from phimask_plugins.observers.prometheus import Prometheus

ALL = (Progress, LogObserver, JsonLog, Prometheus, OpenTelemetry, Notify)

__all__ = ["ALL", "JsonLog", "LogObserver", "Notify", "OpenTelemetry", "Progress", "Prometheus"]
