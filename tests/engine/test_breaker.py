from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from effort import examples
from phimask.config.model import Breaker
from phimask.engine.breaker import CircuitBreaker
from phimask.errors import SafeStop

MB = 1_000_000
SETTINGS = Breaker(failures=3, slow_batch=15.0, memory=2_000 * MB, cool_down=30.0, trips=2)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.1
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


class Stop:
    """Asks for a stop at a time of the clock."""

    def __init__(self, clock: Clock, at: float = float("inf")) -> None:
        self._clock = clock
        self._at = at

    @property
    def stopping(self) -> bool:
        return self._clock.now >= self._at


def made(**changes: Any) -> tuple[CircuitBreaker, Clock, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    clock = Clock()
    chosen = Breaker(**{name: getattr(SETTINGS, name) for name in SETTINGS.__dataclass_fields__} | changes)
    return CircuitBreaker(chosen, lambda *what: told.append(what), clock, clock.sleep), clock, told


def test_it_begins_closed_and_costs_no_wait() -> None:
    breaker, clock, told = made()
    assert breaker.state == "closed"
    assert breaker.wait(Stop(clock)) == 0.0
    assert not told


def test_failures_in_a_row_open_it() -> None:
    breaker, _, told = made()
    breaker.failed()
    breaker.failed()
    assert breaker.state == "closed"
    breaker.failed()
    assert breaker.open
    assert told == [("failures", "3 failed in a row")]


def test_a_success_between_begins_the_row_anew() -> None:
    breaker, _, _ = made()
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded(1.0, MB)
    assert breaker.state == "closed"


@pytest.mark.parametrize(
    ("seconds", "rss", "reason", "detail"),
    [
        (15.04, MB, "slow_batch", "a batch took 15.0 s, more than 15 s"),
        (1.0, 2_500 * MB, "memory", "2,500 MB resident, more than 2,000 MB"),
    ],
)
def test_a_slow_batch_or_much_memory_opens_it(seconds: float, rss: int, reason: str, detail: str) -> None:
    breaker, _, told = made()
    breaker.succeeded(seconds, rss)
    assert breaker.open
    assert told == [(reason, detail)]


def test_the_limits_themselves_are_allowed() -> None:
    breaker, _, _ = made()
    breaker.succeeded(15.0, 2_000 * MB)
    assert breaker.state == "closed"


def test_memory_is_not_watched_without_a_limit() -> None:
    breaker, _, _ = made(memory=None)
    breaker.succeeded(1.0, 10**12)
    assert breaker.state == "closed"


def test_it_cools_down_then_a_good_trial_closes_it() -> None:
    breaker, clock, _ = made()
    breaker.succeeded(20.0, MB)
    assert breaker.wait(Stop(clock)) == pytest.approx(30.0, abs=0.2)
    assert breaker.half_open
    assert breaker.wait(Stop(clock)) == 0.0
    breaker.succeeded(1.0, MB)
    assert breaker.state == "closed"


@pytest.mark.parametrize("bad", ["fails", "slow", "memory"])
def test_a_bad_trial_opens_it_again(bad: str) -> None:
    breaker, clock, told = made()
    breaker.succeeded(20.0, MB)
    breaker.wait(Stop(clock))
    if bad == "fails":
        breaker.failed()
    else:
        breaker.succeeded(16.0 if bad == "slow" else 1.0, MB if bad == "slow" else 3_000 * MB)
    assert breaker.open
    assert len(told) == 2
    assert breaker.wait(Stop(clock)) == pytest.approx(30.0, abs=0.2)


def test_what_was_under_way_does_not_move_an_open_breaker() -> None:
    breaker, _, told = made()
    breaker.succeeded(20.0, MB)
    breaker.succeeded(1.0, MB)
    breaker.succeeded(99.0, MB)
    breaker.failed()
    assert breaker.open
    assert len(told) == 1


def test_a_stop_ends_the_wait_and_leaves_it_open() -> None:
    breaker, clock, _ = made()
    breaker.succeeded(20.0, MB)
    assert breaker.wait(Stop(clock, at=clock.now + 5.0)) == pytest.approx(5.0, abs=0.2)
    assert breaker.open
    assert max(clock.naps) <= 0.2
    # The cool-down goes on where it was, it does not begin anew.
    assert breaker.wait(Stop(clock)) == pytest.approx(25.0, abs=0.4)


def test_too_many_openings_stop_the_run_with_their_reasons() -> None:
    breaker, clock, _ = made()
    for _ in range(2):
        breaker.succeeded(20.0, MB)
        breaker.wait(Stop(clock))
    breaker.failed()
    with pytest.raises(SafeStop) as caught:
        breaker.wait(Stop(clock))
    assert str(caught.value) == (
        "the circuit breaker opened 3 times (slow_batch 2, failures 1), and the profile allows 2 (breaker.trips); "
        "the last time because the trial batch failed"
    )
    assert breaker.trips == {"slow_batch": 2, "failures": 1}


def test_no_opening_allowed_stops_at_the_first() -> None:
    breaker, clock, _ = made(trips=0)
    breaker.succeeded(20.0, MB)
    with pytest.raises(SafeStop):
        breaker.wait(Stop(clock))


class BreakerMachine(RuleBasedStateMachine):
    """The breaker beside a model of it that keeps nothing but the history of the last state."""

    @initialize(
        failures=st.integers(1, 4),
        trips=st.integers(0, 4),
        memory=st.none() | st.integers(1, 100),
        cool_down=st.floats(0.0, 120.0),
    )
    def make(self, failures: int, trips: int, memory: int | None, cool_down: float) -> None:
        self.rules = Breaker(failures, 10.0, memory, cool_down, trips)
        self.clock = Clock()
        self.told: list[str] = []
        self.breaker = CircuitBreaker(
            self.rules, lambda reason, _: self.told.append(reason), self.clock, self.clock.sleep
        )
        self.state = "closed"
        self.row = 0
        self.opened_at = 0.0
        self.openings: list[str] = []

    def model_opens(self, reason: str) -> None:
        self.state, self.row, self.opened_at = "open", 0, self.clock.now
        self.openings.append(reason)

    @rule()
    def failed(self) -> None:
        if self.state != "open":
            self.row += 1
            if self.state == "half_open" or self.row == self.rules.failures:
                self.model_opens("failures")
        self.breaker.failed()

    @rule(seconds=st.floats(0.0, 20.0), rss=st.integers(0, 200))
    def succeeded(self, seconds: float, rss: int) -> None:
        if self.state != "open":
            if seconds > 10.0:
                self.model_opens("slow_batch")
            elif self.rules.memory is not None and rss > self.rules.memory:
                self.model_opens("memory")
            else:
                self.state, self.row = "closed", 0
        self.breaker.succeeded(seconds, rss)

    @rule(seconds=st.floats(0.0, 200.0))
    def time_goes_by(self, seconds: float) -> None:
        self.clock.now += seconds

    @precondition(lambda self: len(self.openings) <= self.rules.trips)
    @rule(stop_after=st.none() | st.floats(0.0, 200.0))
    def wait(self, stop_after: float | None) -> None:
        begin = self.clock.now
        stop_at = float("inf") if stop_after is None else begin + stop_after
        left = max(0.0, self.opened_at + self.rules.cool_down - begin) if self.state == "open" else 0.0
        waited = self.breaker.wait(Stop(self.clock, stop_at))
        assert waited == pytest.approx(self.clock.now - begin)
        assert waited <= left + 1e-6
        assert waited <= (stop_after if stop_after is not None else left) + 0.2
        if self.state == "open" and self.clock.now < stop_at:
            assert waited == pytest.approx(left)
            self.state = "half_open"
        elif self.state == "open" and self.breaker.half_open:
            # A stop at the very end of the cool-down may be seen before or after it.
            assert waited == pytest.approx(left)
            self.state = "half_open"

    @precondition(lambda self: len(self.openings) > self.rules.trips)
    @rule()
    def no_more(self) -> None:
        with pytest.raises(SafeStop):
            self.breaker.wait(Stop(self.clock))

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "breaker"):
            assert self.breaker.state == self.state
            assert self.told == self.openings
            assert sum(self.breaker.trips.values()) == len(self.openings)


BreakerMachine.TestCase.settings = settings(max_examples=examples(60), deadline=None)
TestBreakerMachine = BreakerMachine.TestCase
