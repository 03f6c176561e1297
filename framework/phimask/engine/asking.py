"""Asking a deployment until it answers: retries first, then the circuit breaker, as long as nobody asks for the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pymongo.errors import PyMongoError

from phimask.config.model import Retry
from phimask.engine.breaker import CircuitBreaker
from phimask.errors import Interrupted
from phimask.plugins.events import Event, Paused
from phimask.plugins.given import Control
from phimask.store.retry import classify, error_name, retrying, terminal_error

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Asking:
    """For one worker; each wait is told."""

    worker: str
    namespace: str
    breaker: CircuitBreaker
    retry: Retry
    control: Control
    emit: Callable[[Event], None]

    def persist(self, ask: Callable[[], _Answer]) -> _Answer:
        """Ask until it is answered. Terminal errors and stops come out."""
        while True:
            self.mind_breaker()
            try:
                return self.a_few_times(ask)
            except PyMongoError as error:
                self.give_up_or_note(error)
                if self.control.stopping:
                    raise Interrupted(
                        f"stopped while MongoDB did not answer ({error_name(error)}); a resume finds out what became "
                        "of the batch in hand"
                    ) from None

    def a_few_times(self, ask: Callable[[], _Answer]) -> _Answer:
        """Ask as often as the profile says. Raises the last error."""
        answer: _Answer = retrying(
            self.retry,
            lambda reason, seconds: self.emit(Paused(reason, seconds, worker=self.worker)),
            lambda: self.control.stopping,
        )(ask)
        return answer

    def mind_breaker(self) -> None:
        """Stand still while the breaker is open."""
        waited = self.breaker.wait(self.control)
        if waited:
            self.emit(Paused("circuit breaker", waited, worker=self.worker))
        if self.control.stopping and self.breaker.open:
            raise Interrupted("stopped while the circuit breaker was open")

    def give_up_or_note(self, error: PyMongoError) -> None:
        """Raise a terminal error as one of ours; note any other."""
        self.give_up(error)
        self.breaker.failed()

    def give_up(self, error: PyMongoError) -> None:
        """Raise a terminal error as one of ours."""
        if classify(error) != "transient":
            raise terminal_error(error, f"masking {self.namespace}") from None
