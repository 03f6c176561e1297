"""What the page can write: a command to a run that is live."""

from __future__ import annotations

from pymongo import timeout

from phimask.errors import UsageError
from phimask.ledger.opening import ANSWER_SECONDS, Ledger
from phimask.ledger.run_record import Command
from phimask.ledger.runs import Runs


def order(ledger: Ledger, run: str, command: Command) -> None:
    """Give it. Raises UsageError where the run is not live, and PyMongo's errors."""
    runs = Runs(ledger)
    with timeout(ANSWER_SECONDS):
        record = runs.find(run)
        if record is None:
            raise UsageError("the ledger knows no such run")
        if not record.live:
            raise UsageError(f"run {record.id} is not live: it is {record.standing}")
        runs.order(record.id, command)
