"""Runs in the ledger: who has which collection, under which rules, what state it is in, and what it is told to do."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Final, Literal

import psutil
from bson import json_util
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from phimask.config.model import ChosenPath
from phimask.errors import PreflightError, UsageError
from phimask.ledger.opening import Ledger
from phimask.plugins.values import ComplexityClass

State = Literal[
    "running", "paused", "stopped", "failed", "completed", "rolling_back", "rolled_back", "finalized"
]
Command = Literal["run", "pause", "stop"]

ENDED: Final = ("completed", "rolled_back", "finalized")
"""States from which there is nothing to go on with."""

SILENCE_SECONDS: Final = 15.0
"""A coordinator that was not heard of for so long is dead, or cannot do any harm any more."""


class Superseded(Exception):
    """Another coordinator has this run now."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What a run is bound to, for one collection.

    `claim` names the collection by its UUID, wherever the ledger is; `file` is the collection file's name as given;
    `rules` the digest of everything in it that decides the outcome; `projection` what is read of documents; `classes`
    how many documents of the sample were simple, medium and complex; `classifier` what tells others apart; `path` how
    documents are changed in place; `top` the greatest `_id` when the run began. `shadow`: the target is to take the
    collection's place, and once it has done so, `uuid` is its own. `indexes`: the specifications of those that it had.
    `documents`: about how many there were to mask; None: the run is of a version that did not say.
    """

    namespace: str
    uuid: str | None
    target: str | None
    file: str
    rules: str
    projection: str | None
    classes: Mapping[ComplexityClass, int] = field(default_factory=dict)
    classifier: Mapping[str, Any] | None = field(default=None, repr=False)
    path: ChosenPath = "set"
    top: bytes | None = field(default=None, repr=False)
    shadow: bool = False
    indexes: tuple[bytes, ...] = field(default=(), repr=False)
    documents: int | None = None

    @property
    def claim(self) -> str:
        """What no two runs have at a time."""
        copies = self.target is not None and not self.shadow
        return f"{self.uuid or self.namespace}{f' > {self.target}' if copies else ''}"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the ledger knows it. `live`: its coordinator was heard of lately and is not known to be dead.
    `accepted`: hazards that a person decided on, each with its `id`, `namespace` and `what`."""

    id: str
    state: State
    command: Command
    profile: str
    version: str
    key_fingerprint: str | None
    pins: tuple[Pin, ...]
    query: str | None
    limit: int | None
    guard: bool
    journal: bool
    vault: str | None
    salt: bytes | None = field(default=None, repr=False)
    accepted: tuple[Mapping[str, Any], ...] = ()
    created: datetime | None = None
    live: bool = False
    coordinator: Mapping[str, Any] = field(default_factory=dict)
    cut: frozenset[str] = frozenset()
    reasons: tuple[str, ...] = ()

    @property
    def standing(self) -> str:
        """Its state, or `dead` where nobody is at work on it and nobody said that it ended."""
        return self.state if self.live or self.state not in ("running", "paused") else "dead"

    @property
    def host(self) -> str:
        """The machine that asks, whose own processes it knows to be dead or alive."""
        return socket.gethostname()


class Runs:
    """All runs of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._kept = ledger.runs

    def begin(self, record: RunRecord) -> int:
        """Enter a new run and take its collections; its coordinator's number comes back.

        Raises PreflightError where another run has one of them.
        """
        self._kept.insert_one(
            {
                "_id": record.id,
                "state": record.state,
                "command": "run",
                "profile": record.profile,
                "version": record.version,
                "key_fingerprint": record.key_fingerprint,
                "pins": [{**asdict(pin), "claim": pin.claim} for pin in record.pins],
                "query": record.query,
                "limit": record.limit,
                "guard": record.guard,
                "journal": record.journal,
                "vault": record.vault,
                "salt": record.salt,
                "accepted": list(record.accepted),
                "cut": [],
                "splits": 0,
                "reasons": [],
                "epoch": 0,
                "coordinator": {},
            }
        )
        self._kept.update_one({"_id": record.id}, {"$currentDate": {"created": True}})
        hazards = [hazard for pin in record.pins if (hazard := self._take(pin, record.id)) is not None]
        if hazards:
            self.withdraw(record.id)
            raise PreflightError(hazards)
        return self.claim(record.id)

    def withdraw(self, run: str) -> None:
        """The run that was just entered does not begin."""
        self.give_back(run)
        self._kept.delete_one({"_id": run})

    def _take(self, pin: Pin, run: str) -> str | None:
        """None where the collection is the run's now, else what stands in the way."""
        for _ in range(3):
            try:
                self.ledger.claims.update_one(
                    {"_id": pin.claim, "run": {"$in": [run, None]}}, {"$set": {"run": run}}, upsert=True
                )
            except DuplicateKeyError:
                held = self.ledger.claims.find_one({"_id": pin.claim})
                if held is None or held["run"] is None:
                    continue
                other = self.find(held["run"])
                if other is not None and other.state not in ENDED:
                    return _taken(pin, other)
                # It ended, and was killed before it could say so here.
                self.ledger.claims.update_one({"_id": pin.claim, "run": held["run"]}, {"$set": {"run": None}})
            else:
                return None
        return f"{pin.namespace}: another run is beginning on it just now; try again"

    def take_also(self, run: str, claim: str) -> None:
        """A collection that the run has made is nobody else's."""
        self.ledger.claims.update_one({"_id": claim}, {"$set": {"run": run}}, upsert=True)

    def accept(self, run: str, accepted: Sequence[Mapping[str, Any]]) -> None:
        """All that a person has decided on by now."""
        self._kept.update_one({"_id": run}, {"$set": {"accepted": list(accepted)}})

    def adopt(self, run: str, namespace: str, uuid: str) -> None:
        """What the run has masked has this UUID from now on: it took another collection's place."""
        self._kept.update_one(
            {"_id": run, "pins.namespace": namespace}, {"$set": {"pins.$.uuid": uuid, "pins.$.claim": uuid}}
        )

    def end_at(self, run: str, namespace: str, top: bytes | None) -> None:
        """The run's part of a collection ends at another `_id` than when it was planned."""
        self._kept.update_one({"_id": run, "pins.namespace": namespace}, {"$set": {"pins.$.top": top}})

    def disown(self, run: str, namespace: str) -> None:
        """What the run made of this collection is given up: as far as that goes, it is not masked."""
        self._kept.update_one({"_id": run, "pins.namespace": namespace}, {"$set": {"pins.$.claim": None}})

    def holder(self, pin: Pin) -> str | None:
        """What another run that has the collection means for a new one; None: nobody has it."""
        held = self.ledger.claims.find_one({"_id": pin.claim})
        other = None if held is None or held["run"] is None else self.find(held["run"])
        return None if other is None or other.state in ENDED else _taken(pin, other)

    def give_back(self, run: str) -> None:
        """The run ended for good: its collections are free."""
        self.ledger.claims.update_many({"run": run}, {"$set": {"run": None}})

    def claim(self, run: str) -> int:
        """Become the run's coordinator; the number comes back that tells this one from those before.

        Raises UsageError where one is live, and PreflightError where another run has a collection of it by now.
        """
        found = self._found(run)
        if found is not None and _live(found):
            raise UsageError(f"run {run} is live on {_where(found)}; see `phimask status {run}`")
        pins = () if found is None else _record(found).pins
        taken = [hazard for pin in pins if (hazard := self._take(pin, run)) is not None]
        if taken:
            raise PreflightError(taken)
        process = psutil.Process()
        claimed = self._kept.find_one_and_update(
            {
                "_id": run,
                "epoch": found["epoch"] if found else 0,
                "state": {"$nin": [*ENDED, "rolling_back"]},  # as it may be since it was planned
            },
            [
                {
                    "$set": {
                        "epoch": {"$add": ["$epoch", 1]},
                        "state": "running",
                        "command": "run",
                        "reasons": [],
                        "coordinator": {
                            "host": {"$literal": socket.gethostname()},
                            "pid": process.pid,
                            "started": process.create_time(),
                            "seen": "$$NOW",
                        },
                    }
                }
            ],
            return_document=ReturnDocument.AFTER,
        )
        if claimed is None:
            raise UsageError(f"run {run} was taken up by somebody else just now; see `phimask status {run}`")
        return int(claimed["epoch"])

    def beat(self, run: str, epoch: int, state: State, reasons: Sequence[str] = ()) -> Command:
        """The coordinator lives; what it is told to do comes back. Raises Superseded."""
        found = self._kept.find_one_and_update(
            {"_id": run, "epoch": epoch},
            {"$currentDate": {"coordinator.seen": True}, "$set": {"state": state, "reasons": list(reasons)}},
            projection={"command": 1},
        )
        if found is None:
            raise Superseded
        command: Command = found["command"]
        return command

    def end(
        self,
        run: str,
        epoch: int,
        state: State,
        report: Mapping[str, Any] | None = None,
        *,
        touched: bool = True,
    ) -> None:
        """The coordinator ends, with its report. A run that ended for good, or of which nothing was `touched`, gives
        its collections back. Of one that another coordinator took up meanwhile nothing is changed."""
        fields: dict[str, Any] = {"state": state, "coordinator.seen": None, "reasons": []}
        if report is not None:
            fields["report"] = dict(report)
        if state == "completed":
            fields["done"] = True
        ended = self._kept.update_one({"_id": run, "epoch": epoch}, {"$set": fields})
        if ended.matched_count and (state in ENDED or not touched):
            self.give_back(run)

    def begin_rollback(self, record: RunRecord) -> None:
        """The run is being undone: nobody goes on with it from now on, or masks its collections meanwhile.

        Raises PreflightError where another run has one of them, and UsageError where somebody took the run up since
        `record` was read.
        """
        was = {f"coordinator.{name}": record.coordinator.get(name) for name in ("host", "pid", "started")}
        # First of all, since the collections of a run that ended are anybody's.
        begun = self._kept.update_one(
            {"_id": record.id, **was}, {"$set": {"state": "rolling_back"}, "$inc": {"epoch": 1}}
        )
        if not begun.matched_count:
            raise UsageError(
                f"run {record.id} was taken up by somebody else just now; see `phimask status {record.id}`"
            )
        hazards = [hazard for pin in record.pins if (hazard := self._take(pin, record.id)) is not None]
        if hazards:
            self._kept.update_one({"_id": record.id}, {"$set": {"state": record.state}})
            if record.state in ENDED:
                self.give_back(record.id)
            raise PreflightError(hazards)
        self._withdraw_partitions(record.id)

    def _withdraw_partitions(self, run: str) -> None:
        """A worker that was taken for dead, and is not, has lost what it holds, and gets nothing more."""
        self.ledger.partitions.update_many(
            {"_id.run": run, "state": {"$in": ["open", "leased"]}},
            {"$set": {"state": "withdrawn", "worker": None}, "$inc": {"fence": 1}},
        )

    def order(self, run: str, command: Command) -> None:
        """Tell a run's coordinator what to do."""
        self._kept.update_one({"_id": run}, {"$set": {"command": command}})

    def mark(self, run: str, state: State, *, masked: bool = False) -> None:
        """Put a run that nobody coordinates into a state. `masked`: documents of it are masked and stay so."""
        fields: dict[str, Any] = {"state": state, **({"done": True} if masked else {})}
        self._kept.update_one({"_id": run}, {"$set": fields, "$inc": {"epoch": 1}})
        if state in ENDED:
            self._withdraw_partitions(run)
            self.give_back(run)

    def all_cut(self, run: str, namespace: str) -> None:
        """All partitions of a collection are entered."""
        self._kept.update_one({"_id": run}, {"$addToSet": {"cut": namespace}})

    def is_cut(self, run: str, namespace: str) -> bool:
        """Whether `all_cut` was said of it."""
        return self._kept.find_one({"_id": run, "cut": namespace}, {"_id": 1}) is not None

    def keep_report(self, run: str, report: Mapping[str, Any]) -> None:
        """The report of what was done last, for `phimask report RUN`."""
        self._kept.update_one({"_id": run}, {"$set": {"report": dict(report)}})

    def keep_warnings(self, run: str, epoch: int, warnings: Sequence[str]) -> None:
        """The kept report has these warnings now, unless somebody else has taken the run up since it ended."""
        self._kept.update_one(
            {"_id": run, "epoch": epoch, "report": {"$type": "object"}},
            {"$set": {"report.warnings": list(warnings)}},
        )

    def report(self, run: str) -> Mapping[str, Any] | None:
        """What `keep_report` kept."""
        found = self._kept.find_one({"_id": run}, {"report": 1})
        report: Mapping[str, Any] | None = None if found is None else found.get("report")
        return report

    def reports(self, limit: int) -> list[tuple[RunRecord, Mapping[str, Any]]]:
        """The last runs that ended and were kept a report of, the newest first, without their long lists."""
        long = [f"report.collections.{name}" for name in ("quarantined_ids", "rules", "unmapped", "scaling")]
        found = self._aged({"report": {"$ne": None}}, limit, unset=long)
        return [(_record(one), one["report"]) for one in found]

    def find(self, run: str) -> RunRecord | None:
        """A run by its id."""
        found = self._found(run)
        return None if found is None else _record(found)

    def latest(self, limit: int = 1) -> list[RunRecord]:
        """The last runs, the newest first."""
        return [_record(one) for one in self._aged({}, limit)]

    def completed(self, claim: str) -> RunRecord | None:
        """The last run that is completed on this very collection, and was not rolled back since."""
        for one in self._aged(
            {"pins.claim": claim, "state": {"$in": ["completed", "rolled_back", "finalized"]}}, 1
        ):
            record = _record(one)
            return record if record.state in ("completed", "finalized") and one.get("done") else None
        return None

    def _found(self, run: str) -> dict[str, Any] | None:
        found = self._aged({"_id": run}, 1)
        return found[0] if found else None

    def _aged(
        self, which: Mapping[str, Any], limit: int, unset: Sequence[str] = ("report",)
    ) -> list[dict[str, Any]]:
        """Runs, each with the seconds since its coordinator was heard of, by the server's clock."""
        silence = {"$divide": [{"$subtract": ["$$NOW", "$coordinator.seen"]}, 1000]}
        pipeline: list[Mapping[str, Any]] = [
            {"$match": which},
            {"$sort": {"created": -1}},
            {"$limit": limit},
            {"$unset": list(unset)},
            {"$set": {"silence": silence}},
        ]
        return list(self._kept.aggregate(pipeline))


def _live(found: Mapping[str, Any]) -> bool:
    silence = found.get("silence")
    if silence is None or silence > SILENCE_SECONDS:
        return False
    coordinator = found["coordinator"]
    if coordinator.get("host") != socket.gethostname():
        return True
    return process_lives(coordinator["pid"], coordinator["started"])


def process_lives(pid: int, started: float) -> bool:
    """Whether the process that began then still runs on this machine."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _where(found: Mapping[str, Any]) -> str:
    return f"{found['coordinator'].get('host', '?')} (process {found['coordinator'].get('pid', '?')})"


def _taken(pin: Pin, other: RunRecord) -> str:
    if other.live:
        where = f"{other.coordinator.get('host', '?')} (process {other.coordinator.get('pid', '?')})"
        return (
            f"{pin.namespace}: run {other.id} is masking it, on {where}; wait for it, or steer it with `phimask "
            f"status`, `pause` and `stop`"
        )
    if other.state == "rolling_back":
        return f"{pin.namespace}: the rollback of run {other.id} was cut off; go on with `phimask rollback {other.id}`"
    return (
        f"{pin.namespace}: run {other.id} is not finished ({other.standing}); go on with `phimask resume "
        f"{other.id}`, or give it up for good with `phimask finalize {other.id}`"
    )


def _record(found: Mapping[str, Any]) -> RunRecord:
    names = [one.name for one in fields(Pin)]
    return RunRecord(
        id=found["_id"],
        state=found["state"],
        command=found["command"],
        profile=found["profile"],
        version=found["version"],
        key_fingerprint=found["key_fingerprint"],
        pins=tuple(Pin(**{name: pin[name] for name in names if name in pin}) for pin in found["pins"]),
        query=found["query"],
        limit=found["limit"],
        guard=found["guard"],
        journal=found["journal"],
        vault=found["vault"],
        salt=found["salt"],
        accepted=tuple(found.get("accepted", ())),
        created=found.get("created"),
        live=_live(found),
        coordinator=found["coordinator"],
        cut=frozenset(found["cut"]),
        reasons=tuple(found["reasons"]),
    )


def as_text(value: Any) -> str | None:
    """A query or projection as canonical Extended JSON: field names of it may begin with `$`."""
    return None if value is None else json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS)


def from_text(text: str | None) -> Any:
    """From what `as_text` wrote."""
    return None if text is None else json_util.loads(text, json_options=json_util.CANONICAL_JSON_OPTIONS)
