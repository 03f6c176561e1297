"""Workers on the machines of a dask cluster."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Final

from phimask import Control, Executor, Job, SafeStop, events
from phimask_plugins.executors.dask_cluster import Cluster, NoAnswer, connected, is_safe
from phimask_plugins.executors.dask_remote import RemoteWorker
from phimask_plugins.executors.limits import LIMIT_OPTIONS, limits, refuse_nothing
from phimask_plugins.executors.supervisor import Supervisor

_LOGGER: Final = logging.getLogger("phimask.workers")

_TLS: Final = ("ca_file", "cert_file", "key_file")
_CONNECT: Final = 30.0
"""Seconds that the scheduler has to answer at the beginning."""
_GLANCE: Final = 3.0
"""The same, for a plan."""
_NOBODY: Final = 60.0
"""Seconds until the first dask worker has to be there."""


class DaskExecutor(Executor):
    """Works on the machines of a dask cluster: in a process beside each dask worker's, which takes one of its threads
    with a task that no other may do.

    No more work than there are partitions. Where a dask worker is gone, another that is free takes its place, or the
    same when it is back. Masking keys and addresses with passwords go to them: scheduler and dask workers have to be
    reached by TLS, unless they listen on this machine alone. Python, phimask and plugins have to be of the same
    versions everywhere.

    Needs the extra `dask`.
    """

    name: ClassVar[str] = "dask"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["scheduler"],
        "properties": {
            "scheduler": {
                "type": "string",
                "pattern": "^(tls|tcp|inproc)://.",
                "description": "where the dask scheduler listens: `tls://host:8786`, or, on this machine alone, "
                "`tcp://127.0.0.1:8786`",
            },
            "workers": {
                "anyOf": [{"enum": ["auto"]}, {"type": "integer", "minimum": 1}],
                "default": "auto",
                "description": "how many; `auto`: one for each worker process that the cluster has when the run "
                "begins. No more than it has work at a time",
            },
            **{
                name: {
                    "type": ["string", "null"],
                    "default": None,
                    "description": f"for `tls://`: the PEM file with {what}",
                }
                for name, what in zip(
                    _TLS,
                    (
                        "the certificate of the authority that signed those of scheduler and workers",
                        "this machine's certificate, signed by the same",
                        "its private key, unencrypted",
                    ),
                    strict=True,
                )
            },
            "memory": {
                "format": "size",
                "default": "1GB",
                "description": "what one worker is to have: one whose resident memory stays above it after ten batches "
                "or more is replaced by a new one",
            },
            **LIMIT_OPTIONS,
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError where the extra is not installed, where keys would go unencrypted to another machine, and
        for a certificate that cannot be read, a memory or a patience of nothing."""
        super().__init__(options)
        if find_spec("distributed") is None:
            raise ValueError("the executor dask needs an extra; run `pip install 'phimask[dask]'`")
        refuse_nothing(options)
        address = options["scheduler"]
        if not is_safe(address):
            raise ValueError(
                f"scheduler is {address}, to which masking keys would go unencrypted; start the cluster with TLS and "
                "write tls://, with ca_file, cert_file and key_file; only 127.0.0.1, ::1 and localhost may do without"
            )
        for name in _TLS:
            _check_file(name, options[name], wanted=address.startswith("tls://"))

    def run(self, job: Job, control: Control, tell: Callable[[events.Event], None]) -> None:
        """Let workers work until nothing is left or the end is asked for."""
        if control.stopping:
            return
        with connected(self.options, _CONNECT) as cluster:
            there = _wait_for_workers(cluster, control)
            if control.stopping:
                return
            wanted = self.options["workers"]
            workers = there if wanted == "auto" else min(wanted, there)
            _LOGGER.info("workers: up to %d (the dask cluster has %d)", workers, there)
            start = partial(RemoteWorker, cluster)
            Supervisor(job, control, tell, limits(self.options, workers), start=start).run()

    def workers(self) -> tuple[int, int, str]:
        """With `auto`, as many as the cluster has now; one, where it cannot be asked."""
        wanted = self.options["workers"]
        if wanted != "auto":
            return wanted, wanted, "as the profile says"
        try:
            with connected(self.options, _GLANCE) as cluster:
                number = len(cluster.addresses())
        except (SafeStop, NoAnswer):
            return 1, 1, "the dask cluster cannot be asked now; at least one"
        return max(1, number), max(1, number), f"the dask cluster has {number}"


def _check_file(name: str, path: str | None, *, wanted: bool) -> None:
    """Raises ValueError."""
    if not wanted:
        if path is not None:
            raise ValueError(f"{name} is for a scheduler at tls://; write that, or leave it out")
        return
    if path is None:
        raise ValueError(f"scheduler is at tls://, which needs {name}; name a PEM file")
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise ValueError(f"{name} is {path}, which cannot be read ({error.strerror})") from None


def _wait_for_workers(cluster: Cluster, control: Control) -> int:
    """How many there are, as soon as there is one. Raises SafeStop."""
    until = time.monotonic() + _NOBODY
    while not control.stopping:
        try:
            if number := len(cluster.addresses()):
                return number
            why = "the dask cluster has no worker"
        except NoAnswer as no:
            why = f"the dask scheduler does not answer ({no})"
        if time.monotonic() > until:
            raise SafeStop(f"{why}, for {_NOBODY:g} s now; start some, then `phimask resume`")
        control.wait(0.5)
    return 0
