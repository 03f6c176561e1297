"""A process that writes to a collection all the while, and notes what was acknowledged; what is then to be there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from bson.timestamp import Timestamp
from counters import BORN, Counters, wait_for
from pymongo import MongoClient

WRITER = """
import datetime, json, os, random, sys, time
from pymongo import MongoClient
from pymongo.errors import OperationFailure

database, collection, count, pause, file = sys.argv[1:]
born = datetime.datetime(1951, 2, 3)
choose = random.Random(file)
known, fresh = list(range(int(count))), int(count)
with MongoClient(os.environ["PHIMASK_URI"]) as client, open(file, "a") as noted, client.start_session() as session:
    written = client[database][collection]
    number = 0
    while not os.path.exists(file + ".over"):
        number += 1
        kind = choose.choice(["insert", "update", "replace", "delete", "update", "insert"])
        one = fresh if kind == "insert" else choose.choice(known)
        whole = {"Count": 2 * number, "Born": born, "Ward": number % 3}
        try:
            if kind == "insert":
                written.insert_one({"_id": one, **whole}, session=session)
                known.append(one)
                fresh += 1
            elif kind == "update":
                written.update_one({"_id": one}, {"$set": {"Count": 2 * number}}, session=session)
            elif kind == "replace":
                written.replace_one({"_id": one}, whole, session=session)
            else:
                written.delete_one({"_id": one}, session=session)
                known.remove(one)
            code = 0
        except OperationFailure as error:
            code = error.code
        at = session.operation_time
        noted.write(json.dumps([kind, one, number, code, at.time, at.inc]) + "\\n")
        noted.flush()
        time.sleep(float(pause))
"""
REFUSED = 121


class Writer:
    """Writes to the counters from the beginning of the `with` block to its end. Each write has a number, and puts twice
    that into `Count`: an odd one was masked once."""

    def __init__(self, counters: Counters, count: int, pause: float = 0.003) -> None:
        self._counters = counters
        self._count = count
        self._file = counters.folder / "written"
        arguments = [counters.database.name, "counters", str(count), str(pause), str(self._file)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, *arguments], stderr=subprocess.PIPE, text=True, env={**os.environ}
        )

    def __enter__(self) -> Writer:
        wait_for(lambda: self._file.exists() and len(self.noted()) > 5, self._process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Write no more."""
        Path(f"{self._file}.over").touch()
        _, err = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, err

    def noted(self) -> list[Any]:
        """Kind, document, number, error code (0: acknowledged), and when."""
        lines = self._file.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines[:-1]]

    def went_on(self) -> None:
        """Wait until a write goes through again."""
        before = len(self.noted())
        wait_for(lambda: any(not one[3] for one in self.noted()[before:]), self._process)

    def judge(self, swapped: Timestamp | None) -> int:
        """Hold the collection against what was acknowledged; up to the swap it is masked. How many were refused.

        Without a swap nothing is masked.
        """
        expected = dict.fromkeys(range(self._count), (0, False, False))
        refused = 0
        for kind, one, number, code, seconds, increment in self.noted():
            refused += code == REFUSED
            assert code in (0, REFUSED), (kind, one, code)
            if code:
                continue
            after = swapped is None or Timestamp(seconds, increment) > swapped
            if kind == "delete":
                expected.pop(one, None)
            elif kind == "insert" or one in expected:
                born = after if kind != "update" else expected[one][2]
                expected[one] = 2 * number, after, born
        if swapped is None:
            expected = {one: (count, True, True) for one, (count, _, _) in expected.items()}
        found = {one["_id"]: one for one in self._counters.collection.find()}
        assert found.keys() == expected.keys(), (len(found), found.keys() ^ expected.keys())
        for one, (count, after, born) in expected.items():
            assert found[one]["Count"] == count + (not after), (one, found[one], count, after)
            assert abs((found[one]["Born"] - BORN).days) == (not born), found[one]
        return refused


def swapped_at(client: MongoClient[dict[str, Any]], name: str) -> Timestamp:
    """When a shadow got this name, by the deployment's own log."""
    found = client["local"]["oplog.rs"].find_one({"o.to": name, "o.dropTarget": {"$exists": True}})
    assert found is not None
    moment: Timestamp = found["ts"]
    return moment
