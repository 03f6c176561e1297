"""Runs in the ledger: entered, coordinated by one process at a time, told what to do, ended, found again."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import psutil
from pymongo import ReturnDocument

from phimask.errors import PreflightError, UsageError
from phimask.ledger.claims import Claims
from phimask.ledger.opening import Ledger
from phimask.ledger.run_record import ENDED, Command, RunRecord, State, lives, record_of

_MOST: Final = 1000
"""Runs that are looked through for what became of one."""


class Superseded(Exception):
    """Another coordinator has this run now."""


class Runs:
    """All runs of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.claims = Claims(ledger, self.find)
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
        hazards = self.claims.take_all(record)
        if hazards:
            self.withdraw(record.id)
            raise PreflightError(hazards)
        return self.claim(record.id)

    def withdraw(self, run: str) -> None:
        """The run that was just entered does not begin."""
        self.claims.give_back(run)
        self._kept.delete_one({"_id": run})

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

    def claim(self, run: str) -> int:
        """Become the run's coordinator; the number comes back that tells this one from those before.

        Raises UsageError where one is live, and PreflightError where another run has a collection of it by now.
        """
        found = self._found(run)
        if found is not None and lives(found):
            raise UsageError(f"run {run} is live on {record_of(found).place}; see `phimask status {run}`")
        taken = [] if found is None else self.claims.take_all(record_of(found))
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
            self.claims.give_back(run)

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
        hazards = self.claims.take_all(record)
        if hazards:
            self._kept.update_one({"_id": record.id}, {"$set": {"state": record.state}})
            if record.state in ENDED:
                self.claims.give_back(record.id)
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

    def mark(self, run: str, state: State, *, masked: bool | None = None) -> None:
        """Put a run that nobody coordinates into a state. `masked`: whether documents of it are masked and stay so;
        None: that is as it was."""
        fields: dict[str, Any] = {"state": state, **({} if masked is None else {"done": masked})}
        self._kept.update_one({"_id": run}, {"$set": fields, "$inc": {"epoch": 1}})
        if state in ENDED:
            self._withdraw_partitions(run)
            self.claims.give_back(run)

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
        return [(record_of(one), one["report"]) for one in found]

    def find(self, run: str) -> RunRecord | None:
        """A run by its id."""
        found = self._found(run)
        return None if found is None else record_of(found)

    def latest(self, limit: int = 1) -> list[RunRecord]:
        """The last runs, the newest first."""
        return [record_of(one) for one in self._aged({}, limit)]

    def later(self, record: RunRecord, claims: Collection[str]) -> list[RunRecord]:
        """Runs on any of these collections that were begun after this one and are not rolled back, the newest first."""
        which = {
            "pins.claim": {"$in": list(claims)},
            "$or": [{"state": {"$nin": ["rolled_back", "finalized"]}}, {"state": "finalized", "done": True}],
            "created": {"$gt": record.created},
        }
        return [record_of(one) for one in self._aged(which, _MOST)]

    def completed(self, claim: str) -> RunRecord | None:
        """The last run that is completed on this very collection, and was not rolled back since."""
        for one in self._aged(
            {"pins.claim": claim, "state": {"$in": ["completed", "rolled_back", "finalized"]}}, 1
        ):
            record = record_of(one)
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
