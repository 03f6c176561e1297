"""When a run stands still out of regard for others: one module a reason, and `Throttle`, which asks them all."""

from phimask.engine.throttle.throttle import Throttle

__all__ = ["Throttle"]
