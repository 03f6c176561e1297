"""Each step of the memory ladder is taken, with all before it, and none beyond."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from phimask.config.model import AfterBatch, Collector
from phimask.engine import relief
from phimask.engine.control import StopSignal
from phimask.engine.relief import MemoryRelief, after_batch, collecting, frozen
from phimask.errors import SafeStop
from phimask.plugins.events import Event, MemorySpent, Paused
from phimask.plugins.values import MemoryReading, Relief

MB = 1_000_000


class Scene:
    """A governor that says what it is told to, and everyone it has to do with."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *readings: MemoryReading, cache: int | None = None
    ) -> None:
        self.did: list[str] = []
        self.events: list[Event] = []
        self.cached = 0
        self._readings: Iterator[MemoryReading] = iter(readings)
        self._last = readings[-1]
        self.control = StopSignal()
        monkeypatch.setattr(self.control, "wait", lambda seconds: self.did.append("wait"))
        monkeypatch.setattr(relief, "_collect", lambda: self.did.append("collect"))
        self.ladder = MemoryRelief(self, self, self, cache, self.control, self.events.append, "w1")  # type: ignore[arg-type]

    def read(self) -> MemoryReading:
        return next(self._readings, self._last)

    def shrink(self, factor: float) -> None:
        self.did.append(f"shrink {factor}")

    def drop_caches(self) -> None:
        self.did.append("drop")

    def cached_bytes(self) -> int:
        return self.cached

    def mind(self) -> list[str]:
        self.did.clear()
        self.ladder.mind(lambda: self.did.append("settle"))
        return self.did


def reading(pressure: Any, step: Relief | None = None, rss: int = 900 * MB) -> MemoryReading:
    return MemoryReading(pressure, rss, 1000 * MB, 0.5, step)


OK = reading("ok")


@pytest.mark.parametrize(
    ("seen", "did"),
    [
        (OK, []),
        (reading("high", "shrink"), ["shrink 0.5"]),
        (reading("high", "drop"), ["shrink 0.5", "drop"]),
        (reading("high", "collect"), ["shrink 0.5", "drop", "collect"]),
        (reading("critical", "pause"), ["shrink 0.5", "drop", "collect", "settle", "collect"]),
        (reading("high"), ["shrink 0.5", "collect"]),
        (reading("critical"), ["shrink 0.5", "drop", "collect", "settle", "collect"]),
    ],
)
def test_how_far_up_the_ladder(seen: MemoryReading, did: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert Scene(monkeypatch, seen, OK).mind() == did


def test_batches_are_cut_once_for_the_same_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    high = reading("high", "shrink")
    scene = Scene(monkeypatch, high, high, reading("high", "shrink", 950 * MB), OK, high)
    assert [scene.mind()[:] for _ in range(5)] == [["shrink 0.5"], [], ["shrink 0.5"], [], ["shrink 0.5"]]


def test_who_can_replace_the_process_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, *[reading("critical", "recycle")] * 4, OK)
    scene.mind()
    assert [event for event in scene.events if isinstance(event, MemorySpent)] == [
        MemorySpent(900 * MB, "w1")
    ]
    assert scene.did.index("settle") < scene.did.index("wait")


def test_a_stop_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, reading("critical", "recycle"))
    monkeypatch.setattr(scene.control, "wait", lambda seconds: True)
    scene.mind()
    assert not any(isinstance(event, Paused) for event in scene.events)


def test_what_stays_critical_ends_the_run_safely(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, reading("critical", "recycle"))
    with pytest.raises(SafeStop, match="memory stays critical"):
        scene.mind()
    assert scene.did.count("wait") == 20


def test_caches_past_their_pool_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, OK, cache=10)
    scene.cached = 10
    assert scene.mind() == []
    scene.cached = 11
    assert scene.mind() == ["drop"]


@pytest.mark.parametrize("after", get_args(AfterBatch))
def test_what_is_collected_after_a_batch(after: Any) -> None:
    class Ring:
        pass

    def ring() -> weakref.ref[Ring]:
        one = Ring()
        one.itself = one  # type: ignore[attr-defined]
        return weakref.ref(one)

    settings = Collector(freeze=False, thresholds=None, after_batch=after)
    gc.collect()
    with collecting(settings):
        assert not gc.isenabled()
        left = ring()
        after_batch(settings)
        assert (left() is not None) is (after == "none")
    assert gc.isenabled()
    gc.collect()


@pytest.mark.parametrize("by_the_host", [False, True])
def test_thresholds_and_freezing_are_undone(by_the_host: bool) -> None:
    """What the process that phimask is called in had frozen stays so."""
    gc.unfreeze()
    if by_the_host:
        gc.freeze()
    before = gc.get_threshold()
    settings = Collector(freeze=True, thresholds=(50_000, 21, 20), after_batch="none")
    with frozen(settings), collecting(settings):
        assert gc.get_threshold() == (50_000, 21, 20)
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
    assert (gc.get_freeze_count() > 0) is by_the_host
    gc.freeze()  # as all tests begin
