"""Workers on a real dask cluster of two workers, with whatever befalls them and it."""

from __future__ import annotations

import datetime
import importlib
import ipaddress
import os
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import executor_jobs
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed import LocalCluster, Security
from executor_jobs import CANARY, FolderJob
from told import Told

from dask_clusters import DaskCluster
from phimask import MaskingError, PhimaskError, SafeStop, StopSignal, events
from phimask.testing import check_executor
from phimask.testing.making import make
from phimask_plugins.executors import DaskExecutor, dask, dask_place, dask_remote
from phimask_plugins.executors.dask_cluster import connected, stays_here
from phimask_plugins.executors.dask_place import Orders, Software, Task

SECRET = "kept-out-of-dask"


@pytest.fixture
def run(dask_cluster: DaskCluster) -> Callable[..., Told]:
    def run(job: Any, told: Told | None = None, control: Any = None, **options: Any) -> Told:
        told = Told() if told is None else told
        job.secret = SECRET
        given = {"scheduler": dask_cluster.scheduler, "stagger": "0s", "backoff": "0s", **options}
        make(DaskExecutor, given).run(job, control or StopSignal(), told)
        return told

    return run


def places() -> int:
    """In a dask worker: how many are held there."""
    return len(dask_place._PLACES)


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not what():
        assert time.monotonic() < until, "nothing happened for two minutes"
        time.sleep(0.05)


@pytest.mark.soak
def test_it_conforms(dask_cluster: DaskCluster) -> None:
    check_executor(DaskExecutor, {"scheduler": dask_cluster.scheduler})


def test_workers_share_the_partitions_and_leave_nothing_behind(
    tmp_path: Path, run: Callable[..., Told], dask_cluster: DaskCluster
) -> None:
    job = FolderJob(tmp_path, 40, seconds=0.05)
    told = Told()
    held: list[int] = []

    class Control:
        wait = StopSignal().wait
        stopping = False

        @property
        def holding(self) -> tuple[str, ...]:
            if len(told.of(events.WorkerStarted)) < 2:
                return ("the other",)
            held.extend([] if held else dask_cluster.ask(places).values())
            return ()

    run(job, told, Control())
    assert job.done == list(range(40))
    assert told.ends == {"done": 2}
    assert held == [1, 1]
    started = told.of(events.WorkerStarted)
    assert {event.worker for event in started} == {"w1", "w2"}
    assert job.pids <= {event.pid for event in started}
    assert job.pids.isdisjoint({os.getpid(), *dask_cluster.ask(os.getpid).values()})
    assert job.abandoned == []
    assert all(event.cpu_seconds > 0 for event in told.of(events.WorkerEnded))
    wait_for(lambda: set(dask_cluster.ask(places).values()) == {0})
    assert tasks_of(dask_cluster) == 0
    assert SECRET not in dask_cluster.logged
    assert "exchange" not in dask_cluster.logged


def tasks_of(cluster: DaskCluster) -> int:
    with connected({"scheduler": cluster.scheduler}, 60.0) as connection:
        tasks: int = connection._client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
    return tasks


def test_a_plan_is_told_how_many_there_are(dask_cluster: DaskCluster) -> None:
    scheduler = dask_cluster.scheduler
    assert make(DaskExecutor, {"scheduler": scheduler}).workers() == (2, 2, "the dask cluster has 2")
    assert make(DaskExecutor, {"scheduler": scheduler, "workers": 5}).workers()[:2] == (5, 5)


def test_a_plan_does_without_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_GLANCE", 0.2)
    least, most, why = make(DaskExecutor, {"scheduler": "tcp://127.0.0.1:9"}).workers()
    assert (least, most) == (1, 1)
    assert "cannot be asked" in why


# Deaths


def test_a_worker_whose_process_dies_is_replaced(tmp_path: Path, run: Callable[..., Told]) -> None:
    job = FolderJob(tmp_path, 8, {3: executor_jobs.exits})
    told = run(job, workers=1)
    assert job.done == list(range(8))
    assert told.ends == {"died": 1, "done": 1}
    assert "worker w1 died (exit code 3, at tcp://127.0.0.1:" in told.warnings
    assert job.abandoned == ["w1"]


def test_too_many_deaths_end_the_run(tmp_path: Path, run: Callable[..., Told]) -> None:
    told = Told()
    with pytest.raises(SafeStop, match=r"worker w1 died \(exit code 3, at tcp://127"):
        run(FolderJob(tmp_path, 8, {3: executor_jobs.exits}), told, workers=1, restarts=0)
    assert told.ends == {"died": 1}


@pytest.mark.soak  # tests/cli/test_dask_runs.py has one killed in a run
def test_a_dask_worker_that_is_killed_is_done_without(
    tmp_path: Path, run: Callable[..., Told], dask_cluster: DaskCluster
) -> None:
    job = FolderJob(tmp_path, 60, seconds=0.1)
    processes = [psutil.Process(pid) for pid in dask_cluster.ask(os.getpid).values()]
    killed: list[psutil.Process] = []

    def act(event: events.Event) -> None:
        if isinstance(event, events.BatchFinished) and not killed:
            busy = [number > 0 for number in dask_cluster.ask(places).values()]
            killed.append(processes[busy.index(True)])
            killed[0].kill()

    told = run(job, Told(act), workers=1)
    assert job.done == list(range(60))
    assert told.ends == {"died": 1, "done": 1}
    assert "worker w1 died (the dask worker tcp://127.0.0.1:" in told.warnings
    assert "another takes its place" in told.warnings
    assert job.abandoned == ["w1"]
    first, second = told.of(events.WorkerStarted)
    assert first.worker == second.worker == "w1"
    assert not psutil.pid_exists(first.pid) or psutil.Process(first.pid).status() == psutil.STATUS_ZOMBIE
    wait_for(lambda: len(dask_cluster.workers) == 2)


def test_nobody_works_on_for_a_run_that_is_gone(tmp_path: Path, dask_cluster: DaskCluster) -> None:
    """As after a kill -9 of it: no more questions come, and no order."""
    dask_cluster.ask(set_silence, 1.5)
    job: Any = FolderJob(tmp_path, 3000, seconds=0.05)
    job.secret = SECRET
    with connected({"scheduler": dask_cluster.scheduler}, 60.0) as cluster:
        address = cluster.addresses()[0]
        task = cluster.submit(address, dask_place.occupy, "lonely")
        wait_for(lambda: cluster.ask(address, dask_place.exchange, "lonely", 0, Orders()) is not None)
        work = Task("w1", pickle.dumps(job), (), "ordinary", str(tmp_path))
        assert SECRET not in repr(work)
        cluster.ask(address, dask_place.deliver, "lonely", work)
        while not job.done:
            answer = cluster.ask(address, dask_place.exchange, "lonely", 0, Orders())
            time.sleep(0.1)
        assert answer.pid
        del task
    wait_for(lambda: dask_cluster.ask(places)[address] == 0)
    assert not psutil.pid_exists(answer.pid) or psutil.Process(answer.pid).status() == psutil.STATUS_ZOMBIE
    assert job.marks("mine") == []
    assert len(job.done) < 3000
    dask_cluster.ask(set_silence, 30.0)


def set_silence(seconds: float) -> None:
    dask_place.SILENCE = seconds


# Steering


def test_a_stop_ends_all_at_their_batch_s_end(tmp_path: Path, run: Callable[..., Told]) -> None:
    job = FolderJob(tmp_path, 2000, seconds=0.05)
    control = StopSignal()
    told = Told(lambda event: control.stop() if isinstance(event, events.BatchFinished) else None)
    run(job, told, control)
    assert set(told.ends) == {"stopped"}
    assert 0 < len(job.done) < 2000
    assert job.marks("mine") == []
    assert job.abandoned == []
    assert len(told.of(events.BatchFinished)) == len(job.done)


def test_a_stop_reaches_one_that_waits_for_a_busy_dask_worker(
    tmp_path: Path, run: Callable[..., Told], dask_cluster: DaskCluster
) -> None:
    job = FolderJob(tmp_path, 5)
    control = StopSignal()
    dask_cluster.ask(set_silence, 600.0)
    with connected({"scheduler": dask_cluster.scheduler}, 60.0) as cluster:
        held = [cluster.submit(address, dask_place.occupy, address) for address in cluster.addresses()]
        wait_for(lambda: set(dask_cluster.ask(places).values()) == {1})

        class Control:
            wait = control.wait
            holding = ()
            begun = time.monotonic()

            @property
            def stopping(self) -> bool:
                return time.monotonic() > self.begun + 3.0

        told = run(job, control=Control())
        for address in cluster.addresses():
            cluster.ask(address, dask_place.exchange, address, 0, Orders(over=True))
        del held
    dask_cluster.ask(set_silence, 30.0)
    assert told == []
    assert job.done == []
    wait_for(lambda: set(dask_cluster.ask(places).values()) == {0})


def test_workers_stand_still_while_held_and_go_on_afterwards(
    tmp_path: Path, run: Callable[..., Told]
) -> None:
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

    run(job, control=Control())
    assert done == [0]
    assert sorted(path.name for path in job.marks("held")) == ["held-w1-replica lag", "held-w2-replica lag"]
    assert job.done == list(range(40))


# Errors


def test_an_error_of_phimask_s_own_comes_out_as_its_class(tmp_path: Path, run: Callable[..., Told]) -> None:
    job = FolderJob(tmp_path, 2000, {5: executor_jobs.cannot_mask}, seconds=0.02)
    told = Told()
    with pytest.raises(MaskingError) as raised:
        run(job, told)
    assert str(raised.value) == "a int at Patient.SSN could not be masked"
    assert (raised.value.path, raised.value.bson_type) == ("Patient.SSN", "int")
    assert raised.value.__cause__ is None
    assert "failed" in told.ends
    assert set(told.ends) <= {"failed", "stopped"}
    assert len(job.done) < 1999


def test_of_any_other_error_only_type_and_place_come_out(
    tmp_path: Path, run: Callable[..., Told], dask_cluster: DaskCluster
) -> None:
    told = Told()
    with pytest.raises(PhimaskError) as raised:
        run(FolderJob(tmp_path, 4, {1: executor_jobs.has_a_fault}), told, workers=1)
    assert str(raised.value).startswith("worker w1 failed: KeyError at executor_jobs:")
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert CANARY not in f"{raised.value!r} {told} {dask_cluster.logged}"
    assert SECRET not in dask_cluster.logged


def test_what_a_worker_logs_is_told_and_dask_s_log_has_none_of_it(
    tmp_path: Path, run: Callable[..., Told], dask_cluster: DaskCluster
) -> None:
    told = run(FolderJob(tmp_path, 1, {0: executor_jobs.logs}))
    logged = {event.source: event for event in told.of(events.Logged)}
    assert logged["phimask.plugins.seen"].message == "mongodb://***@host says {no}"
    assert CANARY not in f"{told} {dask_cluster.logged}"


def test_other_software_in_a_dask_worker_ends_the_run_before_it_gets_a_job(
    tmp_path: Path, run: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = dask_place.software()
    monkeypatch.setattr(dask_remote, "software", Here(Software("3.9", here.phimask, {"guest": "1.0"})))
    monkeypatch.setattr(dask_remote, "deliver", None)
    job = FolderJob(tmp_path, 4)
    with pytest.raises(SafeStop) as raised:
        run(job)
    assert f"has Python {here.python}, phimask {here.phimask}" in str(raised.value)
    assert f"here is Python 3.9, phimask {here.phimask}, guest 1.0; install the same there" in str(
        raised.value
    )
    assert job.done == []


def test_a_dask_worker_without_phimask_is_told_of(
    tmp_path: Path, run: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_remote, "software", Here(dask_place.software(), missing=True))
    with pytest.raises(
        SafeStop,
        match=r"has no phimask, or not this one \(ModuleNotFoundError\); install there what is here: Python",
    ):
        run(FolderJob(tmp_path, 4))


class Here:
    """In place of the function `software`: here it answers so, there it is the real one, or cannot be found."""

    def __init__(self, here: Software, *, missing: bool = False) -> None:
        self.here, self.missing = here, missing

    def __call__(self) -> Software:
        return self.here

    def __reduce__(self) -> tuple[Any, ...]:
        return (importlib.import_module, ("phimask_of_another",)) if self.missing else (_there, ())


def _there() -> Callable[[], Software]:
    return dask_place.software


# Where keys may be sent


@pytest.mark.parametrize(
    "address",
    ["tcp://10.1.2.3:8786", "tcp://dask.example:8786", "tcp://localhost.example:8786", "tcp://[2001:db8::1]:8786",
     "tcp://0.0.0.0:8786", "tcp://127.0.0.1.example:8786", "tcp://127.0.0.1@10.1.2.3:8786"],
)  # fmt: skip
def test_a_scheduler_elsewhere_without_tls_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="masking keys would go unencrypted; start the cluster with TLS"):
        make(DaskExecutor, {"scheduler": address})


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://localhost:1", "inproc://a"])
def test_one_on_this_machine_is_not(address: str) -> None:
    assert stays_here(address)
    make(DaskExecutor, {"scheduler": address})


def test_dask_workers_elsewhere_without_tls_are_refused(
    tmp_path: Path, run: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phimask_plugins.executors.dask_cluster.stays_here", lambda address: False)
    monkeypatch.setattr(dask, "is_safe", lambda address: True)
    job = FolderJob(tmp_path, 4)
    with pytest.raises(
        SafeStop, match="listens without TLS, and not on this machine alone: jobs hold masking keys"
    ):
        run(job)
    assert job.done == []


def test_tls_needs_its_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs ca_file"):
        make(DaskExecutor, {"scheduler": "tls://dask.example:8786"})
    with pytest.raises(ValueError, match=r"ca_file is .*none\.pem, which cannot be read"):
        make(DaskExecutor, {"scheduler": "tls://dask.example:8786", "ca_file": str(tmp_path / "none.pem")})
    with pytest.raises(ValueError, match="key_file is for a scheduler at tls://"):
        make(DaskExecutor, {"scheduler": "tcp://127.0.0.1:8786", "key_file": "key.pem"})


@pytest.mark.parametrize("scheduler", ["dask.example:8786", "", "http://127.0.0.1"])
def test_an_address_says_how(scheduler: str) -> None:
    with pytest.raises(AssertionError):
        make(DaskExecutor, {"scheduler": scheduler})


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"run `pip install 'phimask\[dask\]'`"):
        make(DaskExecutor, {"scheduler": "tcp://127.0.0.1:8786"})


def test_a_scheduler_that_is_not_there_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_CONNECT", 0.2)
    with pytest.raises(SafeStop, match=r"the dask scheduler tcp://127\.0\.0\.1:9 cannot be reached"):
        make(DaskExecutor, {"scheduler": "tcp://127.0.0.1:9"}).run(
            FolderJob(tmp_path, 1), StopSignal(), Told()
        )


def test_over_tls_with_certificates_of_one_authority_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, others = (certificates(tmp_path / name) for name in ("ours", "others"))
    with tls_cluster(ours) as scheduler:
        assert scheduler.startswith("tls://")
        job = FolderJob(tmp_path, 3)
        make(DaskExecutor, {"scheduler": scheduler, **ours}).run(job, StopSignal(), Told())
        assert job.done == [0, 1, 2]
        monkeypatch.setattr(dask, "_CONNECT", 1.0)
        with pytest.raises(SafeStop, match="cannot be reached"):
            make(DaskExecutor, {"scheduler": scheduler, **others}).run(job, StopSignal(), Told())


@contextmanager
def tls_cluster(files: dict[str, str]) -> Iterator[str]:
    """One dask worker, in this process: it starts its worker as any other does."""
    roles = {
        f"tls_{role}_{kind}": files[f"{kind}_file"]
        for role in ("client", "scheduler", "worker")
        for kind in ("cert", "key")
    }
    security = Security(tls_ca_file=files["ca_file"], require_encryption=True, **roles)
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tls://", host="tls://127.0.0.1",
        dashboard_address="127.0.0.1:0", security=security,
    ) as cluster:  # fmt: skip
        yield cluster.scheduler_address


def certificates(folder: Path) -> dict[str, str]:
    """An authority of its own, and a certificate that it signed, as PEM files."""
    folder.mkdir()
    now = datetime.datetime.now(datetime.timezone.utc)

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def signed(name: str, key: Any, by: Any, *, authority: bool) -> Any:
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
            )
        )
        return builder.sign(by, hashes.SHA256())

    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    pem = serialization.Encoding.PEM
    contents = {
        "ca_file": signed("authority", authority, authority, authority=True).public_bytes(pem),
        "cert_file": signed("phimask", own, authority, authority=False).public_bytes(pem),
        "key_file": own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    }
    for name, content in contents.items():
        (folder / f"{name}.pem").write_bytes(content)
    return {name: str(folder / f"{name}.pem") for name in contents}
