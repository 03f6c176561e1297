"""The real command line, with its workers on a dask cluster, at work on a real MongoDB."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from counters import Counters, wait_for

from dask_clusters import DaskCluster
from phimask_plugins.executors import dask_place


def executor(cluster: DaskCluster, more: str = "") -> str:
    return f"--set=executor={{name: dask, options: {{scheduler: '{cluster.scheduler}'{more}}}}}"


def test_a_run_whose_dask_worker_is_killed_masks_each_document_once(
    counters: Counters, dask_cluster: DaskCluster
) -> None:
    workers = [psutil.Process(pid) for pid in dask_cluster.ask(os.getpid).values()]
    process = counters.begun(
        "--yes", "--json", executor(dask_cluster, ", backoff: 0s"), "--report=report.json"
    )
    workers[0].kill()
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert counters.masked() == 600
    said = out + err + dask_cluster.logged + (counters.folder / "report.json").read_text(encoding="utf-8")
    assert os.environ["PHIMASK_KEY"] not in said
    wait_for_two(dask_cluster)


def set_silence(seconds: float) -> None:
    dask_place.SILENCE = seconds


def wait_for_two(cluster: DaskCluster) -> None:
    class Always:
        poll = staticmethod(lambda: None)

    wait_for(lambda: len(cluster.workers) == 2, Always())  # type: ignore[arg-type]


@pytest.mark.soak
def test_a_run_is_resumed_on_a_dask_cluster(
    counters: Counters, dask_cluster: DaskCluster, phimask: Callable[..., Any]
) -> None:
    dask_cluster.ask(set_silence, 2.0)
    counters.killed("--yes", executor(dask_cluster))
    answer = phimask("resume", "--json", executor(dask_cluster))
    dask_cluster.ask(set_silence, 30.0)
    assert answer.code == 0, answer.err
    assert counters.masked() == 600
    assert answer.json["throughput"]["workers"] >= 1


def test_where_keys_would_go_unencrypted_nothing_is_written(
    counters: Counters, phimask: Callable[..., Any]
) -> None:
    answer = phimask(
        "run", "--yes", "--set=executor={name: dask, options: {scheduler: 'tcp://10.1.2.3:8786'}}"
    )
    assert answer.code == 2
    assert "scheduler is tcp://10.1.2.3:8786, to which masking keys would go unencrypted" in answer.err
    assert counters.masked() == 0
    assert counters.ledger.list_collection_names() == []


def test_without_the_extra_nothing_is_written(
    counters: Counters, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phimask_plugins.executors.dask.find_spec", lambda name: None)
    answer = phimask("run", "--yes", "--set=executor={name: dask, options: {scheduler: 'tcp://127.0.0.1:1'}}")
    assert answer.code == 2
    assert "run `pip install 'phimask[dask]'`" in answer.err
    assert counters.ledger.list_collection_names() == []
