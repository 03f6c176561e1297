"""A dask cluster of two workers on this machine, until its stdin ends: `python a_dask_cluster.py FOLDER`.

Prints the scheduler's address as soon as it is there. All that scheduler and workers log goes to stderr.
"""

from __future__ import annotations

import sys

from distributed import LocalCluster, WorkerPlugin

from phimask_plugins.executors import process
from ready import LINUX, Forks


class Quick(WorkerPlugin):
    """Processes that dask workers start are forks of one that has loaded what they need; of those, too, that come in
    place of others."""

    name = "quick"

    def setup(self, worker: object) -> None:
        process.get_context = lambda method: Forks()


def main(folder: str) -> None:
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        local_directory=folder,
    ) as cluster:
        if LINUX:
            with cluster.get_client() as client:
                client.register_plugin(a_dask_cluster.Quick())
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    import a_dask_cluster  # its class is to be found there by others

    main(*sys.argv[1:])
