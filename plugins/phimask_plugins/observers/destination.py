"""One of those whom `notify` tells: a bounded queue, a thread that sends from it, and how much may be sent.

Whatever the other side does (refuses, answers with an error, never answers), nobody but this thread waits for it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

_HOUR: Final = 3600.0
_MOST: Final = 100
"""Messages that wait to be sent; of more, the oldest are held back."""
_ATTEMPTS: Final = 2
_AGAIN_SECONDS: Final = 2.0

Kind = Literal["info", "success", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent. `rule` is the alert's; an `urgent` one is sent however many were sent before."""

    rule: str
    kind: Kind
    title: str
    body: str
    urgent: bool = False


class Destination:
    """`send` delivers a message and says whether it could; it may take its time, and raise anything.

    `warn` is told once that messages do not arrive. Messages beyond `per_hour` are held back, and the next one that
    goes out, at the latest when the hour allows for one, says how many.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[Message], bool],
        per_hour: int,
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._send = send
        self._per_hour = per_hour
        self._warn = warn
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[Message] = deque()
        self._sent: deque[float] = deque()
        self._held: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._busy = False
        self._closing = False
        self._warned = False
        self._thread = threading.Thread(target=self._go_on, name=f"phimask-notify-{name}", daemon=True)

    def take(self, message: Message) -> None:
        """Send it, now or as soon as may be. Never waits."""
        with self._changed:
            if not message.urgent and not self._may_send():
                self._held[message.rule] += 1
            else:
                self._sent.append(self._clock())
                self._waiting.append(message)
                if len(self._waiting) > _MOST:
                    self._held[self._waiting.popleft().rule] += 1
            if not self._thread.is_alive() and not self._closing:
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more comes; what was held back goes out as a last message."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """After `close`: until all is sent, but no longer than this. What is not sent by then is lost."""
        if not self._thread.is_alive():
            return
        self._thread.join(max(0.0, seconds))
        with self._changed:
            left = len(self._waiting) + self._busy
            self._waiting.clear()
        if left and self._thread.is_alive():
            self._complain("no answer before the run's end")

    def _may_send(self) -> bool:
        while self._sent and self._sent[0] <= self._clock() - _HOUR:
            self._sent.popleft()
        return len(self._sent) < self._per_hour

    def _go_on(self) -> None:
        while True:
            message = self._next()
            if message is None:
                return
            arrived, why = False, ""
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    arrived = self._send(message)
                except Exception as error:  # noqa: BLE001  (a sender may raise anything, and its text may hold the address)
                    arrived, why = False, type(error).__name__
                else:
                    why = "refused, or no answer"
                if arrived:
                    break
                if attempt < _ATTEMPTS:
                    time.sleep(_AGAIN_SECONDS)
            with self._changed:
                self._busy = False
                if arrived:
                    self._lost.clear()
                else:
                    self._lost[message.rule] += 1
            if not arrived:
                self._complain(why)

    def _next(self) -> Message | None:
        """Waits for the next message; None: there will be none."""
        with self._changed:
            while not self._waiting:
                if self._held and (self._closing or self._may_send()):
                    self._sent.append(self._clock())
                    self._waiting.append(Message("", "info", "phimask: alerts held back", ""))
                    break
                if self._closing:
                    return None
                self._changed.wait(self._seconds_to_summary())
            self._busy = True
            message = self._waiting.popleft()
            said = [message.body, self._told("Held back before this", self._held)]
            said.append(self._told("Not delivered before this", self._lost))
            self._held.clear()
            return Message(message.rule, message.kind, message.title, "\n".join(filter(None, said)))

    def _seconds_to_summary(self) -> float | None:
        if not self._held or not self._sent:
            return None
        return max(0.0, self._sent[0] + _HOUR - self._clock())

    def _told(self, what: str, counts: Counter[str]) -> str:
        if not counts:
            return ""
        listed = ", ".join(f"{rule or 'summary'} {count}" for rule, count in sorted(counts.items()))
        return f"{what}: {listed}."

    def _complain(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(f"alerts do not reach {self._name} (observer notify): {why}")
