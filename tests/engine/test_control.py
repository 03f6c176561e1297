"""The stop and the hold of one process."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from phimask import StopSignal
from phimask.engine.control import stop_on_signals


def test_a_stop_stays() -> None:
    control = StopSignal()
    assert not control.stopping
    control.stop()
    control.stop()
    assert control.stopping
    assert not control.interrupted


def test_a_hold_comes_and_goes() -> None:
    control = StopSignal()
    assert control.holding == ()
    control.hold(["replica lag", "flag file"])
    assert control.holding == ("replica lag", "flag file")
    control.hold(("flag file",))
    assert control.holding == ("flag file",)
    control.release()
    assert control.holding == ()
    assert not control.stopping


def test_who_waits_goes_on_when_the_time_is_over_or_the_end_is_asked_for() -> None:
    control = StopSignal()
    assert not control.wait(0.0)
    assert not control.wait(0.05)
    threading.Timer(0.1, control.stop).start()
    assert control.wait(600)
    assert control.wait(0.0)


def test_a_signal_is_a_stop_and_the_handlers_before_come_back() -> None:
    control = StopSignal()
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signals(control):
        signal.raise_signal(signal.SIGINT)
    assert control.stopping
    assert control.interrupted
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such timer")
def test_a_signal_may_come_at_any_moment_of_a_wait() -> None:
    """A handler that had to take a lock of the waiting thread's would never come back."""
    for _ in range(200):
        control = StopSignal()
        before = signal.signal(signal.SIGALRM, lambda number, frame, stop=control: stop.stop())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0005)
            assert control.wait(600)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def test_another_thread_than_the_main_one_installs_nothing() -> None:
    control = StopSignal()
    seen: list[object] = []

    def work() -> None:
        with stop_on_signals(control):
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
