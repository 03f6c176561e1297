"""Applications that write to the collection while it is masked: their changes stay, and what they delete stays away."""

from __future__ import annotations

import random
import threading
from typing import Any

import bson
from people import Outcome, frozen, masked, person
from trials import Trial

DOCUMENTS = 300
PACE = 0.002


class Application:
    """Updates, replaces, deletes and inserts, one after the other, and remembers what it left.

    `current` is each document as it would be without the masking; `own` are those it wrote whole, which may be masked
    or, where the run had been there before, not.
    """

    def __init__(self, trial: Trial, chance: random.Random) -> None:
        self.current: dict[Any, dict[str, Any]] = {
            one["_id"]: one for one in map(bson.decode, trial.before.values())
        }
        self.own: set[Any] = set()
        self.deleted: set[Any] = set()
        self.error: BaseException | None = None
        self._people = trial.people
        self._chance = chance
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> Application:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        try:
            while not self._over.wait(0.002):
                self._act(self._chance.choice(["update", "update", "replace", "delete", "insert"]))
        except BaseException as error:  # noqa: BLE001  (told in the test's thread)
            self.error = error

    def _act(self, kind: str) -> None:
        chosen = self._chance.choice(sorted(self.current))
        if kind == "update":
            seen = self._chance.getrandbits(30)
            self._people.update_one({"_id": chosen}, {"$set": {"Seen": seen}})
            self.current[chosen]["Seen"] = seen
        elif kind == "replace":
            new = person(self._chance, chosen)
            self._people.replace_one({"_id": chosen}, new)
            self.current[chosen] = new
            self.own.add(chosen)
        elif kind == "delete":
            self._people.delete_one({"_id": chosen})
            del self.current[chosen]
            self.deleted.add(chosen)
        else:
            number = self._chance.random() * DOCUMENTS
            self.current[number] = person(self._chance, number)
            self._people.insert_one(dict(self.current[number]))
            self.own.add(number)


def test_others_write_meanwhile(inside: Trial, chance: random.Random) -> None:
    inside.project.settings.update(write__guard="changed")
    inside.fill(chance, DOCUMENTS)
    run = inside.project.run(pace=PACE)
    with Application(inside, chance) as application:
        run.wait()
    assert application.error is None
    # Inserts behind the run are found by the count afterwards: 3 says so.
    assert run.code in (0, 3), run.err
    now = {bson.decode(raw)["_id"]: raw for raw in frozen(inside.people).values()}
    outcome = Outcome(documents=len(inside.before), strange=len(now.keys() & application.deleted))
    for one, document in application.current.items():
        raw = bson.encode(document)
        if one not in now:
            outcome.lost += 1
        elif now[one] not in ([masked(raw), raw] if one in application.own else [masked(raw)]):
            outcome.unmasked += now[one] == raw
            outcome.double += now[one] == masked(masked(raw))
            outcome.wrong += now[one] not in (raw, masked(masked(raw)))
    inside.conclude(outcome)
    assert application.deleted
    assert application.own
