"""What the throttle asks of each reason to stand still, and how those that ask a server do so without a wait.

A source that cannot find out is no reason to stand still: it says so once in the log, and the run goes on.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Final

from phimask.store.retry import error_name

ANSWER_SECONDS: Final = 2.0
"""How long a server may take to answer the throttle."""
FRESH_SECONDS: Final = 10.0
"""How long an answer counts when no further one comes."""

_JOIN_SECONDS: Final = 0.5
_log = logging.getLogger(__name__)


class Source(ABC):
    """One reason to stand still. `reason` is its standing text: a key in the report, with no number in it."""

    reason: ClassVar[str]

    @abstractmethod
    def holds(self) -> bool:
        """Whether work should stand still for this now. Answers at once."""

    @abstractmethod
    def detail(self) -> str:
        """For people, while it holds: who, how far, until when."""

    def unseen(self) -> str:
        """For people: what it cannot find out at present; empty where it sees all."""
        return ""

    def close(self) -> None:
        """Give back what it holds."""
        return


class Troubles:
    """Tells what a source raises, once for each class of error."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._told: set[str] = set()

    def tell(self, error: BaseException) -> None:
        """A warning with the error's class or code, unless it has been given already."""
        self.warn(f"cannot be found out for now: {error_name(error)}")

    def warn(self, text: str) -> None:
        """A warning, unless it has been given already."""
        if text not in self._told:
            self._told.add(text)
            _log.warning("throttle: %s: %s", self._reason, text)


class Ticker:
    """A thread that does something every so many seconds, until closed or answered false."""

    def __init__(self, seconds: float, act: Callable[[], bool], troubles: Troubles) -> None:
        self._seconds = seconds
        self._act = act
        self._troubles = troubles
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="phimask-throttle", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                if not self._act():
                    return
            except Exception as error:  # noqa: BLE001  (whatever it is: it must not end the run, nor the watching)
                if not self._end.is_set():
                    self._troubles.tell(error)
            self._end.wait(self._seconds)

    def close(self) -> None:
        """End it; one that waits for a server is left to end by itself."""
        self._end.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_SECONDS)
