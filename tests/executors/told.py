"""What an executor told while it worked, for its tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from phimask import events


class Told(list[events.Event]):
    """What was told, and what to do when it is."""

    def __init__(self, act: Callable[[events.Event], None] = lambda event: None) -> None:
        super().__init__()
        self.act = act

    def __call__(self, event: events.Event) -> None:
        self.append(event)
        self.act(event)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self if isinstance(event, kind)]

    @property
    def ends(self) -> Counter[str]:
        return Counter(event.reason for event in self.of(events.WorkerEnded))

    @property
    def warnings(self) -> str:
        return "\n".join(event.message for event in self.of(events.Warned))
