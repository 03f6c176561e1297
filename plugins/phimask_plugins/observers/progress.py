"""The observer `progress`: on a terminal a live display, elsewhere a plain line every few seconds, on stderr."""

from __future__ import annotations

import atexit
import io
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any, ClassVar, Final, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from phimask import Observer, events
from phimask_plugins.observers.at_work import lines, states
from phimask_plugins.observers.tally import Standing, Tally

_FRAMES_PER_SECOND: Final = 4
_OTHER_LINES: Final = 5
"""Lines of a terminal that the totals take, and where the cursor stands."""
_SHORT: Final = 1.0
"""Seconds: a shorter pause is not worth a line."""
_TOLD: Final = frozenset({"breaker", "finding", "finished"})
"""Alerts that say again what another event has said already."""


class Progress(Observer):
    """Shows how far a run is: documents, bar, rate, the last batch, memory, time left, and warnings above.

    Below that stands a line for each worker process, or for the busiest where the terminal has no room for all.

    Whatever happens to the terminal (closed, gone, unable to encode a name), the run does not hear of it.
    """

    name: ClassVar[str] = "progress"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "every": {
                "format": "duration",
                "default": "5s",
                "description": "how often a plain line is written where stderr is no terminal",
            }
        },
    }

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`console` and `clock` (seconds) stand in for stderr and the time in tests.

        Raises ValueError if `every` is no positive time.
        """
        super().__init__(options)
        self._every: float = options["every"]
        if self._every <= 0:
            raise ValueError("every is no time; give it a positive duration such as 5s")
        self._console = console or Console(file=cast("IO[str]", _Unfailing(sys.stderr)))
        self._clock = clock
        self._tally = Tally(clock)
        self._live: Live | None = None
        self._wrote: float | None = None
        self._drew = float("-inf")
        self._told: dict[str, float] = {}
        self._held: set[str] = set()

    def notify(self, event: events.Event) -> None:
        """Show what the event changes. Never raises."""
        try:
            self._tally.notify(event)
            self._show(event)
        except Exception:  # noqa: BLE001  (whatever a terminal does to its writer, masking goes on)
            self.close()

    def close(self) -> None:
        """Take the live display away and give the terminal back."""
        live, self._live = self._live, None
        if live is not None:
            atexit.unregister(self.close)
            with suppress(Exception):  # as above; there is nobody left to tell
                live.stop()

    def _show(self, event: events.Event) -> None:
        if isinstance(event, events.CollectionStarted):
            self._begin(event)
        elif isinstance(event, events.BatchFinished | events.VerificationProgress):
            self._move()
        elif isinstance(event, events.CollectionFinished):
            self._end(event)
        elif isinstance(event, events.RunFinished):
            self.close()
        else:
            self._note(event)

    def _note(self, event: events.Event) -> None:
        """A line of its own for what a person should know, unless the live display shows it, or it was just said."""
        told = _notice(event)
        if told is None:
            return
        if isinstance(event, events.Holding | events.Paused):
            if isinstance(event, events.Holding):
                self._held.update(event.reasons)
            elif event.reason in self._held:
                return  # a worker's part of what was said when it began and when it was over
            workers = self._tally.standing.workers if self._tally.standing is not None else ()
            if self._live is not None and (workers or isinstance(event, events.Holding)):
                return
            # Each of many workers stands still for the same reason.
            key, now = told[0] if isinstance(event, events.Holding) else event.reason, self._clock()
            if now - self._told.get(key, float("-inf")) < self._every:
                return
            self._told[key] = now
        self._write(*told)

    def _begin(self, event: events.CollectionStarted) -> None:
        self._wrote = None
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            target = "in place" if event.target is None else f"into {event.target}"
            done = f", {event.done:,} of them done before" if event.done else ""
            self._write(f"{event.namespace}: masking {event.documents:,} documents {target}{done}")
            self._wrote = self._clock()
            return
        if self._live is None:
            # stdout is left alone: it may be a file or a pipe that a machine reads.
            self._live = live = Live(
                get_renderable=self._view,
                console=self._console,
                refresh_per_second=_FRAMES_PER_SECOND,
                transient=True,
                redirect_stdout=False,
            )
            # A hidden cursor would outlive a process that ends without closing its observers.
            atexit.register(self.close)
            live.start()

    def _move(self) -> None:
        if self._live is not None:
            # It draws itself, too; many workers' batches are more than a terminal need hear of.
            if self._clock() - self._drew >= 1 / _FRAMES_PER_SECOND:
                self._drew = self._clock()
                self._live.refresh()
            return
        standing, now = self._tally.standing, self._clock()
        if standing is None:
            return
        if self._wrote is None or now - self._wrote >= self._every:
            self._write(plain_line(standing))
            self._wrote = now

    def _end(self, event: events.CollectionFinished) -> None:
        documents, size, seconds = self._tally.masked
        told = f"{event.namespace}: {documents:,} documents"
        if seconds > 0:
            told += f" in {duration(seconds)}, {documents / seconds:,.0f} documents/s, {size / seconds / 1e6:,.1f} MB/s"
        self._write(told, "bold")

    def _write(self, text: str, style: str = "") -> None:
        self._console.print(self._safe(text, style), highlight=False, soft_wrap=True)

    def _view(self) -> Group | Text:
        """What the live display shows; called from its own thread, so it reads one frozen standing."""
        standing = self._tally.standing
        if standing is None:
            return Text()
        arrow = "->" if self._console.options.ascii_only else "→"
        place = " in place" if standing.target is None else f" {arrow} {standing.target}"
        paused = f", paused: {standing.detail or ', '.join(standing.holding)}" if standing.holding else ""
        title = Text.assemble(
            self._safe(standing.namespace, "bold cyan"),
            self._safe(place),
            self._safe(f"  {standing.phase}{paused}"),
            overflow="crop",
        )
        bar = Table.grid(padding=(0, 2))
        bar.add_column(width=30)
        bar.add_column(no_wrap=True, overflow="crop")
        share = standing.share
        bar.add_row(
            ProgressBar(total=1.0, completed=share or 0.0, pulse=share is None, animation_time=self._clock()),
            "  ".join(_amount(standing, self._clock())),
        )
        rest = Text("   ".join(_facts(standing)), "dim", overflow="crop", no_wrap=True)
        workers = Table.grid(padding=(0, 3))
        for column in range(5):
            workers.add_column(no_wrap=True, overflow="crop", justify="right" if column > 1 else "left")
        room = self._console.size.height - _OTHER_LINES
        for line in lines(standing.workers, standing.holding, room, self._clock()):
            workers.add_row(*(self._safe(cell) for cell in line))
        return Group(title, bar, rest, workers) if workers.row_count else Group(title, bar, rest)

    def _safe(self, text: str, style: str = "") -> Text:
        """No markup, no control character that steers the terminal, nothing that it cannot encode."""
        shown = "".join(
            sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text
        )
        encoding = self._console.encoding
        return Text(shown.encode(encoding, "backslashreplace").decode(encoding), style)


def plain_line(standing: Standing) -> str:
    """A standing in one line, for where there is no terminal."""
    facts = ", ".join([*_amount(standing, standing.moment), *_facts(standing)])
    return f"{standing.namespace}: {standing.phase}, {facts}"


def duration(seconds: float) -> str:
    """A time as people say it: `4.2 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _amount(standing: Standing, now: float) -> list[str]:
    if standing.share is None:
        return [f"{standing.done:,} documents"]
    told = [f"{standing.share:.0%}", f"{standing.done:,} of {standing.total:,} documents"]
    if standing.seconds_left is not None:
        # The clock goes on between events, and so does the count-down.
        told.append(f"{duration(max(0.0, standing.seconds_left - (now - standing.moment)))} left")
    return told


def _facts(standing: Standing) -> list[str]:
    facts = []
    if standing.documents_per_second is not None:
        facts.append(f"{standing.documents_per_second:,.0f} documents/s")
    if standing.mb_per_second is not None:
        facts.append(f"{standing.mb_per_second:,.1f} MB/s")
    if standing.batch and standing.phase == "masking":
        facts.append(
            f"batch {standing.batch:,}: {standing.batch_documents:,} in {standing.batch_seconds:.2f} s"
        )
    if standing.rss_bytes:
        allowed = "" if standing.ceiling_bytes is None else f" of {_size(standing.ceiling_bytes)}"
        facts.append(f"memory {_size(standing.rss_bytes)}{allowed}")
    if standing.workers:
        facts.append(states(standing.workers, standing.holding))
    return facts


def _notice(event: events.Event) -> tuple[str, str] | None:
    """A line of its own, and its style, for what a person should know at once."""
    if isinstance(event, events.Warned):
        return f"warning: {event.message}", "yellow"
    if isinstance(event, events.BreakerTripped):
        return f"the circuit breaker opened ({event.reason}): {event.detail}", "yellow"
    if isinstance(event, events.AlertRaised) and event.rule not in _TOLD:
        over = " is over" if event.cleared else ""
        return f"alert {event.rule}{over}: {event.message}", "" if event.cleared else "bold yellow"
    if isinstance(event, events.FindingMade):
        where = "" if event.path is None else f"{event.path}: "
        return (
            f"{event.validator} found in {event.namespace}: {where}{event.what} ({event.count:,})",
            "bold red",
        )
    if isinstance(event, events.Paused) and event.seconds >= _SHORT:
        return f"stood still for {duration(event.seconds)}: {event.reason}", "yellow"
    if isinstance(event, events.Holding):
        return (
            f"standing still: {event.detail or ', '.join(event.reasons)}" if event.reasons else "going on",
            "yellow",
        )
    return None


def _size(size: int) -> str:
    return f"{size / 1e9:,.2f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"


class _Unfailing:
    """stderr, or nothing where there is none, that swallows what goes wrong in writing.

    The display writes from a thread of its own as well, where an error would end in a traceback.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "ascii"

    def write(self, text: str) -> int:
        if self._stream is not None:
            try:
                self._stream.write(text)
            except (OSError, ValueError):
                self._stream = None
        return len(text)

    def flush(self) -> None:
        if self._stream is not None:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._stream = None

    def isatty(self) -> bool:
        try:
            return self._stream is not None and self._stream.isatty()
        except (OSError, ValueError):
            return False

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("there is no stderr")
        return self._stream.fileno()
