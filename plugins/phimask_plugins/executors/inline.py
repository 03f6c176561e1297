"""One worker, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from phimask import Control, Executor, Job, events


class InlineExecutor(Executor):
    """Works in the calling thread: the least memory, the least load, the simplest to watch."""

    name: ClassVar[str] = "inline"

    def run(self, job: Job, control: Control, tell: Callable[[events.Event], None]) -> None:
        """Let the job work until nothing is left or the end is asked for."""
        if not control.stopping:
            job.work("inline", control, tell)
