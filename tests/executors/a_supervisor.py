"""A process that supervises workers until it ends: `python a_supervisor.py FOLDER PARTITIONS WORKERS TROUBLE [stop]`.

Prints what workers' processes are called, one a line, and at the end how it ended. With `stop` it takes signals as the
command line does.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import executor_jobs

from phimask import PhimaskError, StopSignal, events
from phimask.engine.control import stop_on_signals
from phimask.testing.making import make
from phimask_plugins.executors import LocalExecutor


def tell(event: events.Event) -> None:
    if isinstance(event, events.WorkerStarted):
        print(event.pid, flush=True)
    if isinstance(event, events.PartitionStarted):
        print("at work", flush=True)


def main(folder: str, partitions: str, workers: str, trouble: str, *rest: str) -> None:
    stop = StopSignal()
    befalls = dict.fromkeys(range(int(partitions)), getattr(executor_jobs, trouble))
    job = executor_jobs.FolderJob(Path(folder), int(partitions), befalls, seconds=0.05)
    with stop_on_signals(stop) if rest else nullcontext():
        try:
            make(LocalExecutor, {"workers": int(workers), "stagger": "0s"}).run(job, stop, tell)
        except PhimaskError as error:
            print(f"{type(error).__name__}: {error}", flush=True)
        else:
            print("came back", "interrupted" if stop.interrupted else "done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
