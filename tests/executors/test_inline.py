from __future__ import annotations

from collections.abc import Callable

import pytest

from phimask import Control, Lane, MaskingError, StopSignal, events
from phimask.testing import check_executor
from phimask_plugins.executors.inline import InlineExecutor


class Job:
    """Remembers how it was called, and tells one event."""

    partitions = 3

    def __init__(self, error: Exception | None = None) -> None:
        self.called: list[tuple[str, Control]] = []
        self.error = error

    def set_aside(self) -> int:
        raise AssertionError("nobody does the lanes one by one here")

    def work(
        self,
        worker: str,
        control: Control,
        tell: Callable[[events.Event], None],
        lane: Lane | None = None,
    ) -> None:
        assert lane is None
        self.called.append((worker, control))
        tell(events.Paused("memory", 1.0, worker))
        if self.error is not None:
            raise self.error

    def abandon(self, worker: str) -> None:
        raise AssertionError("nobody died")


def test_it_conforms() -> None:
    check_executor(InlineExecutor)


def test_one_worker_with_the_run_s_own_control_and_observers() -> None:
    job, control, told = Job(), StopSignal(), list[events.Event]()
    InlineExecutor({}).run(job, control, told.append)
    assert job.called == [("inline", control)]
    assert told == [events.Paused("memory", 1.0, "inline")]


def test_a_stop_that_came_before_keeps_the_job_from_beginning() -> None:
    job, control = Job(), StopSignal()
    control.stop()
    InlineExecutor({}).run(job, control, lambda event: None)
    assert job.called == []


def test_what_the_work_raises_comes_out_as_it_is() -> None:
    error = MaskingError("Patient.SSN", "int")
    with pytest.raises(MaskingError) as raised:
        InlineExecutor({}).run(Job(error), StopSignal(), lambda event: None)
    assert raised.value is error
