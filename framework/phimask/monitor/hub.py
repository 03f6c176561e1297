"""One look for all viewers: what changed since the last is put together once, and each viewer is sent it.

A viewer that is slow misses looks, and is then sent everything anew; nothing is kept for it. While nobody watches,
nobody looks.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

from loguru import logger
from pymongo import timeout
from pymongo.errors import PyMongoError

from phimask.log import describe_error
from phimask.monitor import curve, strip
from phimask.monitor.looking import Sections
from phimask.store.retry import error_name

MOST_VIEWERS: Final = 64
LOOK_SECONDS: Final = 1.0
"""Between two looks."""
_SOON_SECONDS: Final = 0.25
"""Between two looks after a command, until the run will have obeyed."""
_HURRY_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 5.0
"""How long a look may take before the ledger counts as out of reach."""
_STILL_HERE_SECONDS: Final = 10.0
"""How long a viewer is sent nothing at most: longer means that the connection is gone."""

Look = Callable[[Iterable[str]], tuple[list[dict[str, Any]], dict[str, Sections]]]


class Channel:
    """What all viewers of one run see. `version` counts what was published."""

    def __init__(self) -> None:
        self.viewers = 0
        self.version = 0
        self._sections: Sections = {}
        self._change = b""
        self._whole: bytes | None = None

    def publish(self, sections: Sections) -> None:
        """The next version; none where nothing changed."""
        change = difference(self._sections, sections)
        if not change:
            return
        self.version += 1
        self._change = _event("change", change)
        self._sections = sections
        self._whole = None

    def publish_besides(self, **sections: Any) -> None:
        """The next version, of which only these sections are new."""
        self.publish({**self._sections, **sections})

    def message(self, seen: int) -> bytes:
        """What takes a viewer from the version that it has seen to this one."""
        if seen and seen == self.version - 1:
            return self._change
        if self._whole is None:
            self._whole = _event("whole", self._sections)
        return self._whole


class Hub:
    """Looks while somebody watches, and streams what it sees. `always`: sections that stay as they are."""

    def __init__(self, look: Look, always: Sections, *, seconds: float = LOOK_SECONDS) -> None:
        self._look = look
        self._always = always
        self._seconds = seconds
        self._channels: dict[str, Channel] = {}
        self._pulse = asyncio.Event()
        self._wake = asyncio.Event()
        self._hurry_until = 0.0
        self._lost_since: float | None = None
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether there are as many viewers as there may be."""
        return sum(one.viewers for one in self._channels.values()) >= MOST_VIEWERS

    def hurry(self) -> None:
        """A command was given: look now, and more often for some seconds."""
        self._hurry_until = time.monotonic() + _HURRY_SECONDS
        self._wake.set()

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._pulse.set()
        self._wake.set()

    async def stream(self, run: str) -> AsyncIterator[bytes]:
        """Server-sent events for one viewer of the run, or of the live or latest one."""
        channel = self._channels.setdefault(run, Channel())
        channel.viewers += 1
        seen = 0
        self._wake.set()
        try:
            yield b"retry: 2000\n\n"
            while not self._closed:
                if channel.version > seen:
                    message, seen = channel.message(seen), channel.version
                    yield message
                    continue
                try:
                    await asyncio.wait_for(self._pulse.wait(), _STILL_HERE_SECONDS)
                except asyncio.TimeoutError:
                    yield b"event: here\ndata: {}\n\n"
        finally:
            channel.viewers -= 1
            if not channel.viewers and self._channels.get(run) is channel:
                del self._channels[run]

    async def watch(self) -> None:
        """Look, as long as anybody watches and until `close`."""
        while not self._closed:
            self._wake.clear()
            began = time.monotonic()
            if self._channels:
                await self._look_once()
                self._beat()
            pause = _SOON_SECONDS if time.monotonic() < self._hurry_until else self._seconds
            left = pause - (time.monotonic() - began)
            try:
                await asyncio.wait_for(self._wake.wait(), max(left, 0.05) if self._channels else None)
            except asyncio.TimeoutError:
                continue

    async def _look_once(self) -> None:
        wanted = tuple(self._channels)
        try:
            runs, shown = await asyncio.to_thread(self._looked, wanted)
        except Exception as error:  # noqa: BLE001  (whatever it is, the page says so, and looks again)
            if not isinstance(error, PyMongoError):
                logger.warning("the live page could not read the ledger: {}", describe_error(error))
            self._lost_since = self._lost_since or time.time()
            ledger = {"lost": int(self._lost_since * 1000), "because": error_name(error)}
            for channel in self._channels.values():
                channel.publish_besides(**self._always, ledger=ledger)
            return
        self._lost_since = None
        for name, sections in shown.items():
            if name in self._channels:
                self._channels[name].publish(
                    {**self._always, "ledger": {"lost": None}, "runs": runs, **sections}
                )

    def _looked(self, wanted: Iterable[str]) -> tuple[list[dict[str, Any]], dict[str, Sections]]:
        with timeout(_ANSWER_SECONDS):
            return self._look(wanted)

    def _beat(self) -> None:
        """Wake all streams."""
        pulse, self._pulse = self._pulse, asyncio.Event()
        if self._closed:
            self._pulse.set()
        pulse.set()


def difference(before: Sections, after: Sections) -> Sections:
    """The sections that changed; of strips and curves no more than what changed in them. `gone` names sections that
    are no more."""
    change: Sections = {}
    for name, value in after.items():
        old = before.get(name)
        if old == value and name in before:
            continue
        if name == "strips":
            old = old or {}
            change[name] = {
                one: strip.changed(old.get(one), marks)
                for one, marks in value.items()
                if old.get(one) != marks
            }
        elif name == "curves" and old:
            change[name] = {one: curve.changed(old[one], value[one]) for one in value}
        else:
            change[name] = value
    gone = [name for name in before if name not in after]
    return {**change, "gone": gone} if gone else change


def _event(name: str, sections: Sections) -> bytes:
    data = json.dumps({"sent": int(time.time() * 1000), **sections}, separators=(",", ":"))
    return f"event: {name}\ndata: {data}\n\n".encode()
