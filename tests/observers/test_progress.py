from __future__ import annotations

import atexit
import io
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from phimask import events
from phimask.testing import check_observer
from phimask_plugins.observers import Progress
from phimask_plugins.observers.progress import duration

NAMESPACE = "ehr.container"


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Screen:
    """A progress display on a console of its own, and what it wrote."""

    def __init__(
        self,
        *,
        terminal: bool = False,
        file: Any = None,
        width: int = 100,
        height: int | None = None,
        every: float = 5.0,
    ) -> None:
        self.file = file if file is not None else io.StringIO()
        self.clock = Clock()
        console = Console(
            file=self.file,
            force_terminal=terminal,
            width=width,
            height=height,
            legacy_windows=False,
            color_system="standard" if terminal else None,
            _environ={"TERM": "xterm"},
        )
        self.progress = Progress({"every": every}, console=console, clock=self.clock)

    def start(self, documents: int = 20_000, target: str | None = None, namespace: str = NAMESPACE) -> None:
        self.progress.notify(events.RunStarted("r1", "emergency", (namespace,)))
        self.progress.notify(events.CollectionStarted(namespace, target, documents, 1))

    def batch(
        self,
        after: float,
        documents: int = 1000,
        namespace: str = NAMESPACE,
        worker: str = "",
        rss: int = 120_000_000,
    ) -> None:
        self.clock.seconds += after
        self.progress.notify(
            events.BatchFinished(
                namespace=namespace,
                partition=0,
                documents=documents,
                bytes=7_000_000,
                seconds=0.25,
                written=documents,
                unchanged=0,
                quarantined=0,
                missing=0,
                rss_bytes=rss,
                ceiling_bytes=2_000_000_000,
                worker=worker,
            )
        )

    def verify(self, after: float, checked: int) -> None:
        self.clock.seconds += after
        self.progress.notify(events.VerificationProgress(NAMESPACE, checked, 20_000))

    def workers(self, count: int) -> None:
        for number in range(1, count + 1):
            self.progress.notify(events.WorkerStarted(f"w{number}", 4000 + number))
            self.progress.notify(events.PartitionStarted(NAMESPACE, 10 * number, None, f"w{number}"))

    def frame(self) -> list[str]:
        """The lines of the display as it would be drawn now."""
        console = self.progress._console
        drawn = console.render_lines(self.progress._view(), pad=False)
        return [" ".join("".join(part.text for part in line).split()) for line in drawn]

    def finish(self) -> None:
        self.progress.notify(events.CollectionFinished(NAMESPACE, {}))
        self.progress.notify(events.RunFinished("completed", {}))
        self.progress.close()

    @property
    def text(self) -> str:
        return str(self.file.getvalue())

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def await_words(self, said: str) -> None:
        """The display draws itself from time to time."""
        patience = threading.Event()
        for _ in range(600):
            if said in self.words:
                return
            patience.wait(0.05)
        raise AssertionError(f"not shown: {said}")

    @property
    def words(self) -> str:
        """What a terminal was told, without its control sequences."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text)


def drawing_threads() -> set[threading.Thread]:
    """Those that draw a live display; others may begin and end at any time."""
    return {one for one in threading.enumerate() if type(one).__module__ == "rich.live"}


@pytest.fixture
def live() -> Iterator[Screen]:
    screen = Screen(terminal=True)
    yield screen
    screen.progress.close()


def test_without_a_terminal_lines_come_first_last_and_every_few_seconds() -> None:
    screen = Screen()
    screen.start(target="masked.container")
    for _ in range(12):
        screen.batch(after=1.0)
    screen.finish()
    assert screen.lines == [
        "ehr.container: masking 20,000 documents into masked.container",
        "ehr.container: masking, 25%, 5,000 of 20,000 documents, 15.0 s left, 1,000 documents/s, 7.0 MB/s, "
        "batch 5: 1,000 in 0.25 s, memory 120 MB of 2.00 GB",
        "ehr.container: masking, 50%, 10,000 of 20,000 documents, 10.0 s left, 1,000 documents/s, 7.0 MB/s, "
        "batch 10: 1,000 in 0.25 s, memory 120 MB of 2.00 GB",
        "ehr.container: 12,000 documents in 12.0 s, 1,000 documents/s, 7.0 MB/s",
    ]


def test_how_often_is_an_option() -> None:
    screen = Screen(every=2.0)
    screen.start()
    for _ in range(8):
        screen.batch(after=1.0)
    assert len(screen.lines) == 1 + 4


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    screen = Screen()
    screen.start(documents=100_000)
    for _ in range(10):
        screen.batch(after=1.0)
    for _ in range(4):
        screen.batch(after=10.0)
    assert "100 documents/s" in screen.lines[-1]
    assert "860 s" not in screen.lines[-1]
    assert "14 min 20 s left" in screen.lines[-1]


def test_verification_is_a_phase_with_a_rate_of_its_own() -> None:
    screen = Screen(every=1.0)
    screen.start()
    screen.batch(after=1.0, documents=20_000)
    screen.verify(after=50.0, checked=5_000)
    screen.verify(after=1.0, checked=10_000)
    assert screen.lines[-2] == (
        "ehr.container: verifying, 25%, 5,000 of 20,000 documents, memory 120 MB of 2.00 GB"
    )
    assert screen.lines[-1] == (
        "ehr.container: verifying, 50%, 10,000 of 20,000 documents, 2.0 s left, 5,000 documents/s, "
        "memory 120 MB of 2.00 GB"
    )
    screen.finish()
    assert screen.lines[-1] == "ehr.container: 20,000 documents in 1.0 s, 20,000 documents/s, 7.0 MB/s"


def test_a_second_collection_begins_anew() -> None:
    screen = Screen()
    screen.start(documents=1000)
    screen.batch(after=6.0)
    screen.progress.notify(events.CollectionStarted("ehr.other", None, 10, 1))
    screen.batch(after=7.0, documents=5, namespace="ehr.other")
    screen.batch(after=7.0, documents=5)
    assert screen.lines[2] == "ehr.other: masking 10 documents in place"
    assert screen.lines[3].startswith("ehr.other: masking, 50%, 5 of 10 documents")
    assert "batch 1:" in screen.lines[3]


def test_what_was_done_before_a_resume_counts_as_done_and_not_as_fast() -> None:
    screen = Screen()
    screen.progress.notify(events.CollectionStarted(NAMESPACE, None, 10_000, 1, done=6_000))
    screen.batch(after=10.0)
    assert screen.lines[0] == f"{NAMESPACE}: masking 10,000 documents in place, 6,000 of them done before"
    assert "masking, 70%, 7,000 of 10,000 documents, 30.0 s left, 100 documents/s" in screen.lines[1]


def test_unknown_and_wrong_totals_do_no_harm() -> None:
    screen = Screen()
    screen.start(documents=0)
    screen.batch(after=6.0)
    assert "masking, 1,000 documents," in screen.lines[-1]
    assert "left" not in screen.lines[-1]
    screen.start(documents=10)
    screen.batch(after=6.0)
    assert "100%, 1,000 of 10 documents, 0.0 s left" in screen.lines[-1]


def test_a_clock_that_stands_still_shows_no_rate() -> None:
    screen = Screen(every=1e-9)
    screen.start()
    screen.progress.notify(events.Warned("x"))
    screen.batch(after=0.0)
    screen.finish()
    assert "documents/s" not in screen.text


def test_what_a_person_should_know_comes_at_once() -> None:
    screen = Screen()
    screen.start()
    for event in (
        events.Warned("rule [red]X[/red] matches nothing\x1b[2J"),
        events.Paused("retry", 0.2),
        events.Paused("memory", 2.0),
        events.BreakerTripped("failures", "3 in a row"),
        events.FindingMade(NAMESPACE, "structure", "during", "a type changed", "Patient.SSN", 2),
        events.FindingMade(NAMESPACE, "count", "after", "one is lost", None, 1),
    ):
        screen.progress.notify(event)
    assert screen.lines[1:] == [
        "warning: rule [red]X[/red] matches nothing\\x1b[2J",
        "stood still for 2.0 s: memory",
        "the circuit breaker opened (failures): 3 in a row",
        "structure found in ehr.container: Patient.SSN: a type changed (2)",
        "count found in ehr.container: one is lost (1)",
    ]


def test_on_a_terminal_the_display_lives(live: Screen) -> None:
    live.start(target="masked.container")
    live.batch(after=1.0)
    live.batch(after=1.0)
    live.progress.notify(events.Warned("look here"))
    for said in (
        "ehr.container → masked.container",
        "masking",
        "10%  2,000 of 20,000 documents  18.0 s left",
        "1,000 documents/s",
        "7.0 MB/s",
        "batch 2: 1,000 in 0.25 s",
        "memory 120 MB of 2.00 GB",
        "warning: look here",
        "━",
    ):
        assert said in live.words, said
    live.finish()
    assert "ehr.container: 2,000 documents in 2.0 s" in live.words


def test_the_time_left_counts_down_between_batches(live: Screen) -> None:
    live.start()
    live.batch(after=1.0)
    live.clock.seconds += 4.0
    live.await_words("15.0 s left")
    live.clock.seconds += 100.0
    live.await_words("  0.0 s left")


def test_the_display_ends_with_the_run_and_gives_the_terminal_back(live: Screen) -> None:
    before = drawing_threads()
    live.start()
    (drawing,) = drawing_threads() - before
    live.progress.notify(events.RunFinished("stopped", {}))
    drawing.join(timeout=30)
    assert not drawing.is_alive()
    assert live.text.rindex("\x1b[?25h") > live.text.rindex("\x1b[?25l")
    assert live.text.endswith("\x1b[2K")
    live.progress.close()


def test_stdout_stays_the_programs_own(live: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    live.start()
    print("machine output")
    live.progress.close()
    assert capsys.readouterr().out == "machine output\n"
    assert "machine output" not in live.text


def test_closing_leaves_nothing_for_the_end_of_the_process(
    live: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks: list[object] = []
    monkeypatch.setattr(atexit, "register", hooks.append)
    monkeypatch.setattr(atexit, "unregister", hooks.remove)
    live.start()
    assert hooks == [live.progress.close]
    live.progress.close()
    assert hooks == []


def test_a_dumb_terminal_gets_plain_lines() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, _environ={"TERM": "dumb"})
    progress = Progress({"every": 5.0}, console=console, clock=Clock())
    before = drawing_threads()
    progress.notify(events.CollectionStarted(NAMESPACE, None, 10, 1))
    assert drawing_threads() <= before
    assert "masking 10 documents in place" in out.getvalue()


class Broken(io.StringIO):
    """A stream whose other end is gone, after some characters."""

    def __init__(self, room: int, terminal: bool) -> None:
        super().__init__()
        self.room = room
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.room -= len(text)
        if self.room < 0:
            raise BrokenPipeError(32, "broken pipe")
        return super().write(text)


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("room", [0, 200])
def test_a_terminal_that_goes_away_does_not_stop_the_run(
    room: int, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Broken(room, terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    screen.progress = Progress({"every": 1.0}, clock=screen.clock)
    screen.start()
    for _ in range(10):
        screen.batch(after=3.0)
    screen.finish()
    assert stream.room < 0
    assert ("\x1b" in stream.getvalue()) == (terminal and room > 0)


def test_without_stderr_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    screen = Screen()
    screen.progress = Progress({"every": 1.0}, clock=screen.clock)
    screen.start()
    screen.batch(after=3.0)
    screen.finish()
    assert screen.text == ""


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_console_that_knows_no_unicode_gets_signs_it_knows(terminal: bool, encoding: str) -> None:
    raw = io.BytesIO()
    screen = Screen(terminal=terminal, file=io.TextIOWrapper(raw, encoding=encoding, write_through=True))
    screen.start(namespace="ehr.Пациенты", target="m.Пациенты")
    screen.batch(after=6.0, namespace="ehr.Пациенты")
    screen.finish()
    text = raw.getvalue().decode("ascii")
    assert "ehr.\\u041f" in text
    assert "5%" in text


@pytest.mark.parametrize("width", [10, 40, 300])
def test_any_width_will_do(width: int) -> None:
    screen = Screen(terminal=True, width=width)
    screen.start()
    screen.batch(after=1.0)
    screen.finish()
    assert "━" in screen.words


def test_each_worker_has_a_line_and_totals_add_up(live: Screen) -> None:
    live.start()
    live.workers(3)
    live.batch(after=2.0, documents=1000, worker="w1", rss=100_000_000)
    live.batch(after=0.0, documents=500, worker="w2", rss=150_000_000)
    title, bar, totals, *workers = live.frame()
    assert title == "ehr.container in place masking"
    assert bar.endswith("8% 1,500 of 20,000 documents 24.7 s left")
    assert totals == "750 documents/s 7.0 MB/s batch 2: 500 in 0.25 s memory 250 MB 3 workers"
    assert workers == [
        "w1 partition 10 500 documents/s 1,000 documents 100 MB",
        "w2 partition 20 250 documents/s 500 documents 150 MB",
        "w3 partition 30 0 documents",
    ]
    live.progress.notify(events.WorkerEnded("w1", "done", 0))
    assert [line.split()[0] for line in live.frame()[3:]] == ["w2", "w3"]


def test_a_worker_s_line_says_how_it_is(live: Screen) -> None:
    live.start()
    live.workers(2)
    live.progress.notify(events.WorkerStarted("w3", 4003))
    live.batch(after=1.0, worker="w1")
    live.progress.notify(events.WorkerEnded("w1", "died", 1, replaced=True))
    live.progress.notify(events.Paused("memory", 2.0, "w2"))
    assert live.frame()[2].endswith("3 workers, 1 restarting, 1 starting")
    assert live.frame()[3:] == [
        "w1 restarting (died) 1,000 documents/s 1,000 documents",
        "w2 partition 20, paused: memory 0 documents",
        "w3 starting 0 documents",
    ]
    live.progress.notify(events.WorkerStarted("w1", 4004))
    live.batch(after=1.0, worker="w2")
    live.clock.seconds += 31.0
    assert live.frame()[3:5] == [
        "w1 starting 1,000 documents",
        "w2 partition 20, quiet for 31 s 500 documents/s 1,000 documents 120 MB",
    ]


def test_while_all_stand_still_every_line_says_why(live: Screen) -> None:
    live.start()
    live.workers(2)
    live.progress.notify(events.Holding(("replica lag", "flag file")))
    title, _, totals, *workers = live.frame()
    assert title == "ehr.container in place masking, paused: replica lag, flag file"
    assert totals == "2 workers, 2 paused"
    assert workers == [f"w{number} paused: replica lag, flag file 0 documents" for number in (1, 2)]
    live.progress.notify(events.Holding(("replica lag",), "replica lag: b:1 is 2.4 s behind"))
    title, _, _, first, _ = live.frame()
    assert title == "ehr.container in place masking, paused: replica lag: b:1 is 2.4 s behind"
    assert first == "w1 paused: replica lag 0 documents"
    live.progress.notify(events.Holding(()))
    assert "paused" not in "".join(live.frame())
    assert "standing still" not in live.words


@pytest.mark.parametrize(("height", "shown"), [(24, 19), (12, 7), (7, 2), (6, 1), (5, 0), (3, 0)])
def test_of_many_workers_the_busiest_are_shown_as_far_as_there_is_room(height: int, shown: int) -> None:
    screen = Screen(terminal=True, height=height)
    screen.start(documents=10**6)
    screen.workers(64)
    screen.clock.seconds += 1.0
    for number in range(1, 65):
        screen.batch(after=0.0, documents=number, worker=f"w{number}")
    screen.progress.notify(events.WorkerEnded("w3", "hung", 1, replaced=True))
    lines = screen.frame()[3:]
    screen.progress.close()
    assert len(lines) == shown
    if shown > 0:
        # In the order of their names, so that lines do not jump about, and the last line for all others.
        busiest = [f"w{number}" for number in range(66 - shown, 65)]
        assert [line.split()[0] for line in lines[:-1]] == busiest
        assert lines[-1] == f"and {65 - shown} more workers, 1 restarting"


def test_without_a_terminal_workers_are_a_part_of_the_line() -> None:
    screen = Screen()
    screen.start()
    screen.workers(2)
    screen.batch(after=3.0, worker="w1")
    screen.progress.notify(events.WorkerEnded("w1", "died", 1, replaced=True))
    screen.batch(after=3.0, worker="w2")
    assert screen.lines[1:] == [
        "ehr.container: masking, 10%, 2,000 of 20,000 documents, 54.0 s left, 333 documents/s, 2.3 MB/s, "
        "batch 2: 1,000 in 0.25 s, memory 120 MB, 2 workers, 1 restarting"
    ]


def test_the_same_standstill_of_many_workers_is_said_once() -> None:
    screen = Screen()
    screen.start()
    screen.workers(16)
    screen.progress.notify(events.Holding(("replica lag",), "replica lag: b:1 is 2.4 s behind"))
    for number in range(1, 17):
        screen.progress.notify(events.Paused("replica lag", 10.0, f"w{number}"))
    screen.progress.notify(events.Holding(()))
    for number in range(1, 17):
        screen.progress.notify(events.Paused("replica lag", 2.0, f"w{number}"))
        screen.progress.notify(events.Paused("memory", 2.0, f"w{number}"))
    screen.clock.seconds += 5.0
    screen.progress.notify(events.Paused("memory", 3.0, "w1"))
    assert screen.lines[1:] == [
        "standing still: replica lag: b:1 is 2.4 s behind",
        "going on",
        "stood still for 2.0 s: memory",
        "stood still for 3.0 s: memory",
    ]


def test_a_later_collection_begins_without_the_workers_of_the_one_before(live: Screen) -> None:
    live.start()
    live.workers(2)
    live.progress.notify(events.CollectionStarted("ehr.other", None, 10, 1))
    assert len(live.frame()) == 3


def test_many_small_batches_do_not_make_it_draw_each(live: Screen) -> None:
    live.start()
    live.workers(1)
    live.batch(after=1.0, worker="w1")
    drawn = live.text.count("batch ")
    for _ in range(50):
        live.batch(after=0.001, documents=1, worker="w1")
    assert live.text.count("batch ") - drawn < 25
    live.await_words("batch 51:")


def test_every_must_be_a_time() -> None:
    with pytest.raises(ValueError, match="positive"):
        Progress({"every": 0.0})


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 0 s"), (3725, "1 h 2 min")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_it_keeps_its_interface() -> None:
    check_observer(Progress)
