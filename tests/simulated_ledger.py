"""A ledger that looks as if a run were going on: as many partitions and workers as asked for, and nobody at work."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import datetime, timezone
from typing import Any

import bson
from bson import ObjectId
from pymongo.collection import Collection

from phimask.ledger.opening import Ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.run_record import Pin, RunRecord
from phimask.ledger.runs import Runs
from phimask.ledger.series import RunSeries
from phimask.observing.series import Note, Point
from phimask.observing.tally import Tally
from phimask.plugins.values import DocumentId, Partition
from phimask.store.raw import identity

NAMESPACE = "ehr.container"
_DOCUMENTS = 10_000
"""Of a partition."""
_STEPS = 12
"""In which a worker is done with one."""


def record(run: str, *namespaces: str) -> RunRecord:
    """A run of these collections as it begins."""
    return RunRecord(
        id=run,
        state="running",
        command="run",
        profile="production",
        version="0.1.0",
        key_fingerprint=None,
        pins=tuple(Pin(one, f"uuid of {one}", None, "container", "0", None) for one in namespaces),
        query=None,
        limit=None,
        guard=False,
        journal=True,
        vault=None,
    )


class SimulatedRun:
    """`step` is what `workers` workers do in a few seconds; the run's process is this one, and so it is live."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        partitions: int = 3200,
        workers: int = 64,
        run: str = "20261126-220000-51e0d2",
    ) -> None:
        self.run = run
        self.ledger = ledger
        self._runs = Runs(ledger)
        self._kept: Collection[dict[str, Any]] = ledger.partitions
        self._random = random.Random(7)
        self._partitions = partitions
        self._workers = [f"w{number}" for number in range(1, workers + 1)]
        self.epoch = self._runs.begin(record(run, NAMESPACE))
        cut = Partitions(ledger, run, NAMESPACE)
        for _ in cut.add(
            Partition(number, _at(number), _at(number + 1), _DOCUMENTS) for number in range(partitions)
        ):
            pass
        self._runs.all_cut(run, NAMESPACE)
        self._next = 0
        self._holds: dict[str, tuple[int, int]] = {}
        self._read = 0

    def _id(self, number: int) -> dict[str, Any]:
        return {"run": self.run, "namespace": NAMESPACE, "number": number}

    def done(self, partitions: int) -> None:
        """The first so many are done."""
        tally = _tally(_DOCUMENTS)
        self._kept.update_many(
            {"_id.run": self.run, "_id.number": {"$lt": partitions}},
            {
                "$set": {"state": "done", "tally": tally.document(), "batch": 20, "worker": None},
                "$currentDate": {"renewed": True},
            },
        )
        self._next, self._read = partitions, partitions * _DOCUMENTS

    def step(self) -> None:
        """Every worker closes a batch, and takes the next partition where it is done with one."""
        for worker in self._workers:
            if worker not in self._holds and self._next < self._partitions:
                self._holds[worker] = (self._next, self._random.randrange(_STEPS // 2))
                self._next += 1
            if worker not in self._holds:
                continue
            number, batches = self._holds[worker]
            batches += 1
            over = batches >= _STEPS
            tally = _tally(_DOCUMENTS if over else _DOCUMENTS * batches // _STEPS)
            fields = {"state": "done" if over else "leased", "worker": None if over else worker}
            self._kept.update_one(
                {"_id": self._id(number)},
                {"$set": {**fields, "tally": tally.document()}, "$currentDate": {"renewed": True}},
            )
            self._read += _DOCUMENTS // _STEPS
            if over:
                del self._holds[worker]
            else:
                self._holds[worker] = (number, batches)
        self.beat()

    def beat(self) -> None:
        """The coordinator and the workers live."""
        held = self._runs.find(self.run)
        command = "run" if held is None else held.command
        reasons = ["asked to pause"] if command == "pause" else []
        self._runs.beat(self.run, self.epoch, "paused" if reasons else "running", reasons)
        for place, worker in enumerate(self._workers):
            self.ledger.workers.update_one(
                {"_id": {"run": self.run, "worker": worker}},
                {
                    "$set": {
                        "host": f"mask-{place // 16 + 1}",
                        "pid": 4000 + place,
                        "started": 0.0,
                        "rss_bytes": self._random.randrange(400, 900) * 1_000_000,
                    },
                    "$currentDate": {"seen": True},
                },
                upsert=True,
            )

    def point(self, *, holding: tuple[str, ...] = ()) -> None:
        """What the last seconds brought."""
        RunSeries(self.ledger, self.run).add(self.epoch, self._point(holding), [])

    def note(self, level: Any, what: str, text: str) -> None:
        """Something that a person should know."""
        RunSeries(self.ledger, self.run).add(self.epoch, None, [Note(level, what, text, NAMESPACE)])

    def past(self, points: int, seconds: float = 5.0) -> None:
        """So many points, up to now."""
        now = time.time()
        self.ledger.named("series").insert_many(
            {
                "_id": ObjectId(),
                "run": self.run,
                "kind": "point",
                "epoch": self.epoch,
                "at": datetime.fromtimestamp(now - (points - place) * seconds, timezone.utc),
                **self._point(("replica lag 3.1 s",) if 0.60 < place / points < 0.63 else ()).entry(),
            }
            for place in range(points)
        )

    def _point(self, holding: tuple[str, ...]) -> Point:
        documents = 0 if holding else self._random.randrange(30_000, 42_000)
        return Point(
            namespace=NAMESPACE,
            phase="masking",
            seconds=5.0,
            done=self._read,
            total=self._partitions * _DOCUMENTS,
            documents=documents,
            bytes=documents * 7_400,
            batches=0 if holding else 40,
            batch_p50=None if holding else self._random.uniform(6.5, 8),
            batch_max=None if holding else self._random.uniform(8, 11),
            rss_max=self._random.randrange(780, 900) * 1_000_000,
            rss_total=64 * 640_000_000,
            ceiling=2_000_000_000,
            workers=len(self._workers),
            holding=holding,
        )


def _at(number: int) -> DocumentId:
    return identity(bson.encode({"_id": number}))


def _tally(read: int) -> Tally:
    return Tally(
        read=read,
        masked=read,
        batches=1,
        bytes=read * 7_400,
        rules=[[read, 0, 0] for _ in range(20)],
        checked=_CHECKED,
    )


_CHECKED = Counter({"count": 300, "structure": 300, "no_original": 300, "untouched": 300})
