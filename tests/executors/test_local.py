"""Worker processes under their supervisor, with whatever befalls them; every process here is a real one."""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import executor_jobs
import psutil
import pytest
from executor_jobs import CANARY, MB, FolderJob
from told import Told

from own_errors import own
from phimask import Interrupted, MaskingError, PhimaskError, SafeStop, StopSignal, StoreError, events
from phimask.testing import check_executor
from phimask.testing.making import make
from phimask_plugins.executors import LocalExecutor, process
from ready import LINUX, is_the_loaded_one

SUPERVISOR = Path(__file__).with_name("a_supervisor.py")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")


def run(job: Any, told: Told | None = None, control: StopSignal | None = None, **options: Any) -> Told:
    told = Told() if told is None else told
    given = {"workers": 1, "stagger": "0s", "backoff": "0s", **options}
    make(LocalExecutor, given).run(job, control or StopSignal(), told)
    return told


@pytest.fixture(autouse=True)
def started_as(request: pytest.FixtureRequest) -> None:
    """Spawned are those of these tests and of each supervisor that is a process of its own."""
    spawned = (test_it_conforms, test_what_a_worker_gets_it_gets_from_the_environment_and_the_pipe)
    if request.function not in spawned:
        request.getfixturevalue("ready_workers")


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    left = {
        child
        for child in set(psutil.Process().children(recursive=True)) - before
        if child.is_running() and not _is_resource_tracker(child) and not (LINUX and is_the_loaded_one(child))
    }
    assert not left


def _is_resource_tracker(child: psutil.Process) -> bool:
    """The process that Python itself starts beside the first spawned one; it ends with this process."""
    try:
        return "resource_tracker" in " ".join(child.cmdline())
    except psutil.Error:
        return False


@pytest.mark.soak  # with its defaults, it is checked among all built-in components
def test_it_conforms() -> None:
    check_executor(LocalExecutor, {"workers": 2})


# All goes well


def test_workers_share_the_partitions_and_end(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 60, seconds=0.05)
    told = run(job, workers=3)
    assert job.done == list(range(60))
    assert told.ends == {"done": 3}
    assert job.abandoned == []
    started = told.of(events.WorkerStarted)
    assert {event.worker for event in started} == {"w1", "w2", "w3"}
    assert job.pids <= {event.pid for event in started}
    assert os.getpid() not in job.pids
    for event in told.of(events.WorkerEnded):
        assert (event.restarts, event.replaced) == (0, False)
        assert event.cpu_seconds > 0


def test_each_worker_s_events_come_in_their_order(tmp_path: Path) -> None:
    told = run(FolderJob(tmp_path, 90), workers=3)
    by_worker: dict[str, list[tuple[type[events.Event], int]]] = {}
    for event in told:
        if isinstance(event, events.PartitionStarted | events.BatchFinished | events.PartitionFinished):
            by_worker.setdefault(event.worker, []).append((type(event), event.partition))
        if isinstance(event, events.WorkerStarted):
            assert event.worker not in by_worker
    seen = 0
    for said in by_worker.values():
        numbers = [number for kind, number in said[::3]]
        assert numbers == sorted(numbers)
        kinds = (events.PartitionStarted, events.BatchFinished, events.PartitionFinished)
        assert said == [(kind, number) for number in numbers for kind in kinds]
        seen += len(numbers)
    assert seen == 90


@pytest.mark.parametrize(("partitions", "known", "expected"), [(0, 0, 1), (2, None, 3)])
def test_no_more_workers_than_there_are_partitions(
    partitions: int, known: int | None, expected: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = FolderJob(tmp_path, partitions)
    job.partitions = known
    caplog.set_level(logging.INFO, "phimask.workers")
    told = run(job, workers=3)
    assert len(told.of(events.WorkerStarted)) == expected
    assert len(job.done) == partitions
    why = f"workers: {expected} to begin with, since there is work for no more at a time"
    assert any(one.startswith(why) for one in caplog.messages) == (expected < 3)


def test_partitions_that_are_found_later_get_workers_too(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 200, seconds=0.05)
    job.partitions = 1
    found = {"partitions": 0}

    def act(event: events.Event) -> None:
        found["partitions"] += isinstance(event, events.PartitionFinished)
        job.partitions = 2 if found["partitions"] > 3 else 1

    told = run(job, Told(act), workers=3)
    assert len(told.of(events.WorkerStarted)) == 2
    assert job.done == list(range(200))


def test_sixteen_workers_on_whatever_there_is(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 64, seconds=0.05)
    told = run(job, workers=16)
    assert job.done == list(range(64))
    assert told.ends == {"done": 16}
    assert len({event.pid for event in told.of(events.WorkerStarted)}) == 16


def test_what_a_worker_gets_it_gets_from_the_environment_and_the_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHIMASK_TEST_KEY", CANARY)
    job: Any = FolderJob(tmp_path, 1, {0: executor_jobs.tells_its_surroundings})
    job.secret = "kept-off-the-command-line"
    run(job)
    assert (tmp_path / "seen-0").read_text() == CANARY
    cmdline = (tmp_path / "seen-1").read_text()
    assert CANARY not in cmdline
    assert job.secret not in cmdline


def test_a_job_may_be_larger_than_a_pipe_holds(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 1, {0: executor_jobs.weighs_its_ballast})
    job.ballast = os.urandom(5 * MB)
    assert run(job).ends == {"done": 1}
    assert (tmp_path / "weight-0").read_text() == f"{5 * MB} {zlib.crc32(job.ballast)}"


def test_starting_a_worker_does_not_wait_until_it_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor hears the others meanwhile, and a stop."""
    monkeypatch.setattr(process, "serve", executor_jobs.never_takes_its_job)
    heard: queue.SimpleQueue[process.Heard] = queue.SimpleQueue()
    worker = process.WorkerProcess("w1", os.urandom(5 * MB), (), heard)
    assert worker.pid
    worker.kill()
    assert heard.get(timeout=60).parcel is None
    worker.close()


# Deaths


@pytest.mark.parametrize(
    ("trouble", "how"),
    [
        (executor_jobs.exits, "exit code 3"),
        (executor_jobs.is_killed, "exit code" if sys.platform == "win32" else "killed by SIGKILL"),
        (executor_jobs.is_refused_memory, "it was refused memory"),
    ],
)
def test_the_dead_are_replaced_and_their_partitions_handed_on(trouble: Any, how: str, tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 8, {3: trouble})
    told = run(job, workers=1)
    assert job.done == list(range(8))
    assert told.ends == {"died": 1, "done": 1}
    assert job.abandoned == ["w1"]
    assert how in told.warnings
    assert "worker w1 died" in told.warnings
    assert "another takes its place" in told.warnings
    (died, done) = told.of(events.WorkerEnded)
    assert (died.worker, died.restarts, died.replaced) == ("w1", 1, True)
    assert (done.worker, done.restarts, done.replaced) == ("w1", 1, False)
    assert len({event.pid for event in told.of(events.WorkerStarted)}) == 2


def test_the_others_work_on_meanwhile(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 120, {0: executor_jobs.exits}, seconds=0.05)
    told = run(job, workers=2, backoff="2s")
    assert job.done == list(range(120))
    death = told.index(next(event for event in told.of(events.WorkerEnded) if event.reason == "died"))
    again = told.index(told.of(events.WorkerStarted)[2])
    assert any(isinstance(event, events.BatchFinished) for event in told[death:again])


def test_a_worker_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 6, {2: executor_jobs.hangs})
    told = run(job, workers=1, patience="3s")
    assert job.done == list(range(6))
    assert told.ends == {"hung": 1, "done": 1}
    assert job.abandoned == ["w1"]
    (child,) = job.marks("child")
    pid = executor_jobs.number_of(child)
    _, alive = psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=60)
    for left in alive:
        left.kill()
    assert not alive


def test_work_that_looks_at_its_control_is_not_hung_however_long_it_takes(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 2, {0: executor_jobs.takes_long_but_looks})
    told = run(job, patience="3s")
    assert told.ends == {"done": 1}
    assert job.done == [0, 1]


def test_silence_while_held_is_no_hanging(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 2, {0: executor_jobs.stops_looking_while_held})
    control = StopSignal()

    class Control:
        """Holds from the first partition on, until the job has been silent for long."""

        wait = control.wait
        stopping = False

        @property
        def holding(self) -> tuple[str, ...]:
            waits = job.marks("trouble") and not (tmp_path / "quiet-1").exists() and not told.ends
            return ("lag",) if waits else ()

    told = Told()
    make(LocalExecutor, {"workers": 1, "patience": "2s"}).run(job, Control(), told)
    assert told.ends == {"done": 1}
    assert job.done == [0, 1]


def test_too_many_deaths_end_the_run_safely(tmp_path: Path) -> None:
    restarts = 2
    job = FolderJob(tmp_path, 9, dict.fromkeys(range(9), executor_jobs.exits))
    told = Told()
    with pytest.raises(SafeStop) as raised:
        run(job, told, restarts=restarts)
    assert raised.value.exit_code == 4
    assert f"{restarts + 1} workers died or hung" in str(raised.value)
    assert "exit code 3" in str(raised.value)
    assert told.ends == {"died": restarts + 1}
    assert [event.replaced for event in told.of(events.WorkerEnded)] == [True] * restarts + [False]
    assert job.abandoned == ["w1"] * (restarts + 1)


def test_deaths_that_are_long_past_do_not_count(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 3, dict.fromkeys(range(3), executor_jobs.exits))
    told = run(job, restarts=1, period="1ms")
    assert told.ends == {"died": 3, "done": 1}


@POSIX
def test_a_worker_that_somebody_else_asked_to_end_is_replaced(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 6, {2: executor_jobs.is_asked_to_end})
    told = run(job)
    assert job.done == list(range(6))
    assert told.ends == {"died": 1, "done": 1}
    assert "somebody else told it to end" in told.warnings


# Memory


def test_a_worker_past_its_memory_is_recycled_at_a_batch_s_end(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 60, seconds=0.05)
    job.rss = 300 * MB
    told = run(job, memory="200MB")
    assert job.done == list(range(60))
    assert job.abandoned == []
    ends = told.of(events.WorkerEnded)
    assert told.ends["memory"] >= 1
    assert told.ends["done"] == 1
    assert all(event.replaced for event in ends[:-1])
    assert ends[-1].restarts == told.ends["memory"]
    assert len(job.pids) >= 2
    # Every process was over from the beginning: no new one can help, and somebody has to hear of that.
    assert told.warnings.count("take more than the 200 MB") == 1
    batches = Counter(int(path.name.split("-")[2]) for path in job.marks("done"))
    assert min(sorted(batches.values(), reverse=True)[:-1]) >= 10


def test_a_worker_that_has_spent_its_memory_is_recycled(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 12)
    job.spent_after = 5
    told = run(job)
    assert job.done == list(range(12))
    assert job.abandoned == []
    assert told.ends == {"memory": 1, "done": 1}
    assert [event.replaced for event in told.of(events.WorkerEnded)] == [True, False]
    assert len(job.pids) == 2


def test_a_worker_within_its_memory_stays(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 30)
    told = run(job, memory="200MB")
    assert told.ends == {"done": 1}
    assert told.warnings == ""


# Documents that were set aside


def test_what_is_set_aside_has_a_process_of_its_own_after_all_others(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 6, seconds=0.02)
    for number in (100, 101):
        job.mark(f"large-{number}")
    told = run(job, workers=2)
    assert job.done == [0, 1, 2, 3, 4, 5, 100, 101]
    apart = {path.name.split("-")[2] for path in job.marks("done") if executor_jobs.number_of(path) >= 100}
    ordinary = {path.name.split("-")[2] for path in job.marks("done") if executor_jobs.number_of(path) < 100}
    assert len(apart) == 1
    assert not apart & ordinary
    last = [event.partition for event in told.of(events.PartitionFinished)][-2:]
    assert last == [100, 101]
    assert told.ends == {"done": 3}


def test_it_may_die_of_each_of_them_as_long_as_it_gets_further(tmp_path: Path) -> None:
    """Together they are more deaths than there may be."""
    job = FolderJob(tmp_path, 2)
    job.deaths_of_large = 2
    for number in (100, 101, 102):
        job.mark(f"large-{number}")
    told = run(job, workers=2, restarts=2)
    assert job.done == [0, 1, 100, 101, 102]
    assert told.ends["died"] == 6
    assert job.abandoned == ["w1"] * 6


def test_one_that_gets_no_further_ends_the_run_safely(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 2)
    job.deaths_of_large = 9
    job.mark("large-100")
    with pytest.raises(SafeStop, match="3 workers died or hung"):
        run(job, workers=2, restarts=2)
    assert job.done == [0, 1]


def test_after_a_stop_they_are_left_for_a_resume(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 3)
    job.mark("large-100")
    control = StopSignal()
    told = Told(lambda event: control.stop() if isinstance(event, events.WorkerEnded) else None)
    run(job, told, control)
    assert job.done == [0, 1, 2]
    assert told.ends == {"done": 1}


# Their number


@pytest.fixture
def at_a_quick_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("_WARM", 0.2), ("_WINDOW", 0.5), ("_WORTHWHILE", 1.0)):
        monkeypatch.setattr(f"phimask_plugins.executors.autoscale.{name}", seconds)
    monkeypatch.setattr("phimask_plugins.executors.supervisor._LOOK", 0.1)


@pytest.mark.usefixtures("at_a_quick_pace")
def test_workers_are_started_and_let_go_while_they_work_and_nothing_is_lost(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 1500, seconds=0.03)
    told = run(job, workers=3, autoscale={"min": 1, "max": 3}, memory="100MB")
    assert job.done == list(range(1500))
    assert job.abandoned == []
    scaled = told.of(events.Scaled)
    assert (scaled[0].before, scaled[0].workers) == (0, 3)
    assert "it begins with 3" in scaled[0].because
    assert {event.workers for event in scaled} >= {2, 3}
    assert all(0 < event.workers <= 3 for event in scaled)
    # Whoever is let go is told to end, and not replaced under its name at once.
    assert told.ends["stopped"] >= 1
    assert set(told.ends) <= {"done", "stopped"}
    assert all(not event.replaced for event in told.of(events.WorkerEnded))
    assert told.of(events.WorkerEnded)[-1].restarts == 0
    for before, after in pairwise(scaled[1:]):
        assert after.before == before.workers


@pytest.mark.usefixtures("at_a_quick_pace")
def test_one_that_is_let_go_and_dies_is_not_replaced(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 600, seconds=0.03)

    def act(event: events.Event) -> None:
        if isinstance(event, events.Scaled) and 0 < event.workers < event.before and not job.marks("killed"):
            job.mark("killed-0")
            # The newest is let go; it is told so after this.
            psutil.Process(pids["w2"]).kill()

    pids: dict[str, int] = {}
    told = Told()

    def both(event: events.Event) -> None:
        if isinstance(event, events.WorkerStarted):
            pids[event.worker] = event.pid
        act(event)

    told.act = both
    run(job, told, workers=2, autoscale={"min": 1}, memory="100MB", backoff="1h")
    assert job.done == list(range(600))
    assert told.ends["died"] == 1
    assert "w2 died" in told.warnings
    assert "it was to go" in told.warnings
    assert job.abandoned == ["w2"]


@pytest.mark.usefixtures("at_a_quick_pace")
def test_no_more_workers_than_there_are_partitions_whatever_masks_most(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 2, seconds=3.0)
    told = run(job, workers="auto", autoscale={"min": 1}, memory="100MB")
    assert job.done == [0, 1]
    assert len(told.of(events.WorkerStarted)) <= 2
    begin = told.of(events.Scaled)[0]
    assert f"it begins with {begin.workers} (" in begin.because


def test_a_search_that_begins_with_as_many_as_there_are_partitions_says_so(tmp_path: Path) -> None:
    told = run(FolderJob(tmp_path, 1), workers=3, autoscale={"min": 1}, memory="100MB")
    begin = told.of(events.Scaled)[0]
    assert begin.workers == 1
    assert begin.because.startswith("it begins with 1 (there is work for no more at a time")


# Steering


def test_a_stop_ends_all_at_their_batch_s_end(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 2000, seconds=0.05)
    control = StopSignal()
    told = Told(lambda event: control.stop() if isinstance(event, events.BatchFinished) else None)
    run(job, told, control, workers=2)
    assert set(told.ends) == {"stopped"}
    assert 0 < len(job.done) < 2000
    assert job.marks("mine") == []
    assert job.abandoned == []
    assert len(told.of(events.BatchFinished)) == len(job.done)


def test_a_stop_that_came_before_starts_nothing(tmp_path: Path) -> None:
    control = StopSignal()
    control.stop()
    assert run(FolderJob(tmp_path, 5), control=control) == []


def test_a_worker_that_does_not_stop_in_time_is_killed_and_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phimask_plugins.executors.supervisor._AT_END", 2.0)
    job = FolderJob(tmp_path, 5, {1: executor_jobs.hangs})
    control = StopSignal()
    told = Told(lambda event: control.stop() if job.marks("child") else None)

    class Control:
        wait = control.wait
        holding = ()

        @property
        def stopping(self) -> bool:
            return bool(job.marks("child"))

    make(LocalExecutor, {"workers": 1}).run(job, Control(), told)
    assert told.ends == {"hung": 1}
    assert job.abandoned == ["w1"]
    assert job.done == [0]


def test_workers_stand_still_while_held_and_go_on_afterwards(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 40, seconds=0.05)
    control = StopSignal()
    done: list[int] = []

    class Control:
        wait = control.wait
        stopping = False

        @property
        def holding(self) -> tuple[str, ...]:
            if not job.marks("held-w1") or not job.marks("held-w2"):
                return ("replica lag",)
            if not done:
                done.append(len(job.done))
            return ()

    told = Told()
    make(LocalExecutor, {"workers": 2}).run(job, Control(), told)
    assert done == [0]
    assert sorted(path.name for path in job.marks("held")) == ["held-w1-replica lag", "held-w2-replica lag"]
    assert job.done == list(range(40))


# Errors


@pytest.mark.parametrize(
    ("trouble", "kind", "said"),
    [
        (executor_jobs.cannot_mask, MaskingError, "a int at Patient.SSN could not be masked"),
        (executor_jobs.stops_safely, SafeStop, "memory stays critical"),
        (executor_jobs.loses_the_server, StoreError, "MongoDB answered with NotYet (4711)"),
    ],
)
def test_an_error_of_phimask_s_own_comes_out_as_its_class(
    trouble: Any, kind: type[PhimaskError], said: str, tmp_path: Path
) -> None:
    job = FolderJob(tmp_path, 2000, {5: trouble}, seconds=0.02)
    told = Told()
    with pytest.raises(kind) as raised:
        run(job, told, workers=2)
    assert type(raised.value) is kind
    assert str(raised.value) == said
    assert raised.value.__cause__ is None
    assert told.ends["failed"] == 1
    assert set(told.ends) <= {"failed", "stopped"}
    assert len(job.done) < 1999
    assert len(job.abandoned) == 1


def test_an_error_keeps_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(MaskingError) as raised:
        run(FolderJob(tmp_path, 1, {0: executor_jobs.cannot_mask}))
    assert (raised.value.path, raised.value.bson_type) == ("Patient.SSN", "int")


@pytest.mark.parametrize(
    ("trouble", "kind"), [(executor_jobs.has_a_fault, "KeyError"), (executor_jobs.leaves, "SystemExit")]
)
def test_of_any_other_error_only_type_and_place_come_out(trouble: Any, kind: str, tmp_path: Path) -> None:
    told = Told()
    with pytest.raises(PhimaskError) as raised:
        run(FolderJob(tmp_path, 4, {1: trouble}), told)
    assert str(raised.value).startswith(f"worker w1 failed: {kind} at executor_jobs:")
    assert CANARY not in f"{raised.value!r} {told}"
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_an_interruption_of_the_work_is_the_run_s(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 4, {1: executor_jobs.is_interrupted})
    control = StopSignal()
    told = Told(lambda event: control.stop() if isinstance(event, events.BatchFinished) else None)
    with pytest.raises(Interrupted, match="circuit breaker"):
        run(job, told, control)
    assert told.ends == {"stopped": 1}


def test_a_ledger_that_does_not_take_a_death_ends_the_run(tmp_path: Path) -> None:
    job: Any = FolderJob(tmp_path, 4, {1: executor_jobs.exits})

    def abandon(worker: str) -> None:
        raise own(StoreError, "the ledger cannot be reached")

    told = Told(lambda event: vars(job).update(abandon=abandon) and None)
    with pytest.raises(StoreError, match="ledger"):
        run(job, told)
    assert told.ends == {"died": 1}
    assert not told.of(events.WorkerEnded)[0].replaced


def test_a_job_that_cannot_be_pickled_is_refused_without_its_contents(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 1, {0: lambda job, control: None})
    with pytest.raises(PhimaskError, match="use the executor inline"):
        run(job)


def test_a_job_that_cannot_be_unpickled_is_told_by_type_and_place(tmp_path: Path) -> None:
    job: Any = FolderJob(tmp_path, 1)
    job.refuses = RefusesToArrive()
    with pytest.raises(PhimaskError, match=r"^worker w1 failed: ValueError at test_local:"):
        run(job)


class RefusesToArrive:
    def __reduce__(self) -> tuple[Any, ...]:
        return refuse, (CANARY,)


def refuse(text: str) -> None:
    raise ValueError(text)


def test_a_failure_of_the_one_who_is_told_leaves_no_process_behind(tmp_path: Path) -> None:
    job = FolderJob(tmp_path, 2000, seconds=0.05)

    def act(event: events.Event) -> None:
        if isinstance(event, events.PartitionFinished):
            raise RuntimeError("told too much")

    with pytest.raises(RuntimeError, match="told too much"):
        run(job, Told(act), workers=2)
    assert len(job.done) < 2000


# What workers say


def test_a_worker_s_log_is_told_without_values(tmp_path: Path) -> None:
    told = run(FolderJob(tmp_path, 1, {0: executor_jobs.logs}))
    logged = {event.source: event for event in told.of(events.Logged)}
    assert {event.worker for event in logged.values()} == {"w1"}
    assert logged["phimask.plugins.seen"].message == "mongodb://***@host says {no}"
    assert logged["phimask.plugins.seen"].level == "WARNING"
    assert logged["third.party"].message == "(text withheld: it may hold values)"
    assert logged["third.party"].level == "ERROR"
    assert logged["phimask.plugins.failed"].message.startswith("it failed: ValueError at executor_jobs:")
    assert "phimask.plugins.unseen" not in logged
    assert CANARY not in repr(told)


def supervised(
    folder: Path, trouble: str, *rest: str, partitions: int = 1000, workers: int = 2, **given: Any
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SUPERVISOR), str(folder), str(partitions), str(workers), trouble, *rest],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        **given,
    )


def at_work(supervisor: subprocess.Popen[str], workers: int) -> list[psutil.Process]:
    """The workers' processes, as soon as each is at work."""
    assert supervisor.stdout is not None
    pids, working = [], 0
    while len(pids) < workers or working < workers:
        line = supervisor.stdout.readline().strip()
        assert line, "it ended before its workers began"
        if line.isdigit():
            pids.append(psutil.Process(int(line)))
        else:
            working += 1
    return pids


def test_nothing_that_a_worker_prints_or_drops_reaches_a_person(tmp_path: Path) -> None:
    with supervised(tmp_path, "makes_noise", partitions=3, workers=1) as supervisor:
        out, err = supervisor.communicate(timeout=300)
    assert out.splitlines()[-1] == "came back done"
    assert "printed" not in out
    assert CANARY not in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize("trouble", [pytest.param("logs", marks=pytest.mark.soak), "hangs"])
def test_no_worker_outlives_its_supervisor(trouble: str, tmp_path: Path) -> None:
    """Not even one that does not look at its control."""
    with supervised(tmp_path, trouble) as supervisor:
        workers = at_work(supervisor, 2)
        supervisor.kill()
        _, alive = psutil.wait_procs(workers, timeout=120)
        for path in tmp_path.glob("child-*"):  # what a masker's own process does then is its own affair
            for child in [pid for pid in [executor_jobs.number_of(path)] if psutil.pid_exists(pid)]:
                psutil.Process(child).kill()
        supervisor.communicate()
    assert not alive


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_processes_of_a_terminal_stops_them_in_order(
    number: signal.Signals, tmp_path: Path
) -> None:
    with supervised(tmp_path, "logs", "stop", start_new_session=True) as supervisor:
        workers = at_work(supervisor, 2)
        os.killpg(supervisor.pid, number)
        out, err = supervisor.communicate(timeout=300)
    assert out.splitlines()[-1] == "came back interrupted"
    assert err == ""
    assert not [one for one in workers if one.is_running()]
    assert list(tmp_path.glob("mine-*")) == []
    assert list(tmp_path.glob("todo-*"))


@pytest.mark.parametrize(("option", "value"), [("memory", "0B"), ("patience", "0s"), ("period", "0s")])
def test_amounts_of_nothing_are_refused(option: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{option} is nothing"):
        make(LocalExecutor, {option: value})


@pytest.mark.parametrize("workers", [0, "many", 1.5, None])
def test_workers_are_a_number_or_auto(workers: Any) -> None:
    with pytest.raises(AssertionError):
        make(LocalExecutor, {"workers": workers})
