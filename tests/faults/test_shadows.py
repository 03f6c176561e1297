"""Masking through a shadow, killed at any step, again and again: taken up again, or given up; nobody writes to the
original meanwhile, or it is followed."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from anywhere import ANY, GIVING_UP, Messages, brought_to_its_end, killed, latest
from bson.timestamp import Timestamp
from people import Frozen, Outcome, compare, frozen, masked, person
from pymongo import MongoClient
from pymongo.errors import WriteError
from trials import Trial

from phimask.store.definition import Definition, differences, read_definition

DOCUMENTS = 300
KINDS = (
    Messages("create|createIndexes|drop|collMod|renameCollection", r"(.*\.)?people.*", 12),
    Messages("update|delete", ".*swaps|.*runs|.*changes", 12),
    Messages("insert|delete", "people.*", 16),
    ANY,
)
REFUSED = 121
HOWS = pytest.mark.parametrize("how", ["nobody writes", "followed"])


class Writing:
    """Updates, replaces, deletes and inserts by a thread, and when the server did each: what came before the swap is
    masked, what came after it is not."""

    def __init__(self, trial: Trial, chance: random.Random) -> None:
        self._people = trial.people
        self._chance = chance
        self._over = threading.Event()
        self.current: dict[Any, tuple[dict[str, Any], Timestamp | None]] = {
            one["_id"]: (one, None) for one in map(bson.decode, trial.before.values())
        }
        self.refused = 0
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> Writing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        assert self.error is None, self.error

    def _go_on(self) -> None:
        try:
            with self._people.database.client.start_session() as session:
                while not self._over.wait(0.005):
                    try:
                        kind = self._chance.choice(["update", "update", "replace", "delete", "insert"])
                        self._act(kind, session)
                    except WriteError as error:
                        if error.code != REFUSED:
                            raise
                        self.refused += 1
        except BaseException as error:  # noqa: BLE001  (told in the test's thread)
            self.error = error

    def _act(self, kind: str, session: Any) -> None:
        one = self._chance.choice(sorted(self.current))
        if kind == "update":
            seen = self._chance.getrandbits(30)
            self._people.update_one({"_id": one}, {"$set": {"Seen": seen}}, session=session)
            document, since = self.current[one]
            self.current[one] = {**document, "Seen": seen}, since
        elif kind == "replace":
            new = person(self._chance, one)
            self._people.replace_one({"_id": one}, new, session=session)
            self.current[one] = new, session.operation_time
        elif kind == "delete":
            self._people.delete_one({"_id": one}, session=session)
            del self.current[one]
        else:
            one = self._chance.random() * DOCUMENTS
            new = person(self._chance, one)
            self._people.insert_one(new, session=session)
            self.current[one] = new, session.operation_time

    def judged(self, now: Frozen, swapped: Timestamp | None) -> Outcome:
        """What became of what was acknowledged; without a swap nothing is masked."""
        known = {bson.encode({"": one}): kept for one, kept in self.current.items()}
        outcome = Outcome(documents=len(known), strange=len(now.keys() - known.keys()))
        for one, (document, since) in known.items():
            raw = bson.encode(document)
            plain = swapped is None or (since is not None and since > swapped)
            found = now.get(one)
            if found is None:
                outcome.lost += 1
            elif found != (raw if plain else masked(raw)):
                outcome.unmasked += found == raw
                outcome.double += found == masked(masked(raw))
                outcome.wrong += found not in (raw, masked(masked(raw)))
        return outcome


def prepare(trial: Trial, chance: random.Random, how: str) -> Definition:
    """Indexes and a validator, which the shadow is to have in the end."""
    shadow = "true" if how == "nobody writes" else "{catch_up: true, keep_original: false}"
    file = trial.project.folder / "phimask.yaml"
    trial.project.write("phimask.yaml", f"{file.read_text('utf-8')}target: {{shadow: {shadow}}}\n")
    trial.project.settings["undo__vault"] = "null"
    if chance.random() < 0.8:  # most of what is to be killed is the coordinator's
        trial.project.settings["executor"] = "inline"
    validator = {"$jsonSchema": {"required": ["Count"]}}
    trial.people.database.create_collection("people", validator=validator, validationLevel="moderate")
    trial.people.create_index([("Ward", 1), ("_id", -1)], name="ward", unique=True)
    trial.people.create_index("Gone", expireAfterSeconds=3600)
    trial.fill(chance, DOCUMENTS)
    return definition(trial)


def definition(trial: Trial) -> Definition:
    database = trial.people.database
    found = read_definition(database.client, database.name, "people")
    assert found is not None
    return found


@contextlib.contextmanager
def others(trial: Trial, chance: random.Random, how: str) -> Iterator[Writing | None]:
    """Who writes meanwhile, if anybody does."""
    if how == "nobody writes":
        yield None
    else:
        with Writing(trial, random.Random(chance.random())) as writing:
            yield writing


def swapped_at(client: MongoClient[dict[str, Any]], name: str) -> Timestamp | None:
    """When a shadow got this name, by the deployment's own log."""
    found = client["local"]["oplog.rs"].find_one({"o.to": name, "o.dropTarget": {"$exists": True}})
    return None if found is None else found["ts"]


def judged(trial: Trial, writing: Writing | None, *, is_masked: bool) -> Outcome:
    now = frozen(trial.people)
    if writing is not None:
        swapped = swapped_at(trial.people.database.client, trial.people.full_name)
        assert (swapped is not None) == is_masked
        return writing.judged(now, swapped)
    return compare(trial.before, now, () if is_masked else [bson.decode(one)[""] for one in trial.before])


@pytest.mark.strikes(3)
@HOWS
def test_shadow_killed_and_taken_up_again(how: str, trial: Trial, chance: random.Random) -> None:
    before = prepare(trial, chance, how)
    with others(trial, chance, how) as writing:
        arguments: tuple[str, ...] = ("run", "--yes")
        for _ in range(3):
            if not killed(trial, chance, KINDS, *arguments, *trial.project.set)[0]:
                break
            arguments = ("resume", "--or-begin")
        last = brought_to_its_end(trial)
    trial.conclude(judged(trial, writing, is_masked=True), last)
    assert last.code == 0, last.err
    (entry,) = last.report["collections"]
    assert entry["shadow"]["state"] == "swapped"
    assert differences(before, definition(trial)) == []
    names = set(trial.people.database.list_collection_names()) - {"people"}
    if how == "nobody writes":
        assert entry["documents"]["masked"] == len(trial.before)
        (kept,) = names
        assert frozen(trial.people.database[kept]) == trial.before
    else:
        assert names == set()


@pytest.mark.strikes(2)
@pytest.mark.parametrize("command", ["finalize", "rollback"])
@HOWS
def test_shadow_killed_and_given_up(how: str, command: str, trial: Trial, chance: random.Random) -> None:
    """The command that gives it up is killed, too, and given again."""
    before = prepare(trial, chance, how)
    with others(trial, chance, how) as writing:
        killed(trial, chance, KINDS, "run", "--yes", *trial.project.set)
        run = latest(trial)
        last = None
        if run is not None:
            killed(trial, chance, GIVING_UP, command, run["_id"], "--yes")
            last = trial.project.start(command, run["_id"], "--yes")
            last.wait()
    now = definition(trial)
    swapped = now.uuid != before.uuid
    trial.conclude(judged(trial, writing, is_masked=swapped), last)
    if last is not None:
        assert last.code == (2 if swapped and command == "rollback" else 0), last.err
    if command == "rollback":
        assert how == "followed" or not swapped
    assert differences(before, now) == []
    if last is not None and last.code == 0:
        assert trial.people.database.list_collection_names() == ["people"]
