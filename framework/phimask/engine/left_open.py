"""Transactions that a run's killed processes left open on the server.

Nobody goes on with them, and yet each keeps what it wrote, and its collection from being indexed or renamed, until the
server has had enough of it (`transactionLifetimeLimitSeconds`, a minute, looked at every half). Whose they are is told
by the name under which each process of a run connects. A process that is alive after all loses no more than an attempt:
its batch is read again, or is another's by then.
"""

from __future__ import annotations

import re
import time
from typing import Any, Final

from loguru import logger
from pymongo import ReadPreference
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from phimask.ledger.rollbacks import Rollbacks
from phimask.ledger.runs import Runs
from phimask.store.connect import Client, application
from phimask.store.retry import error_name

_LOOKS: Final = 20
_PATIENCE_SECONDS: Final = 0.1
"""What a process had sent when it was killed is done first: a moment, after which its transaction stands still."""


def end_left_open(client: Client, runs: Runs, run: str) -> None:
    """End those of a run on which nobody is at work, neither masking it nor undoing it; else do nothing. Raises what
    the ledger answers."""
    found = runs.find(run)
    if found is not None and not found.live and not Rollbacks(runs.ledger, run).at_work():
        end_transactions(client, run)


def end_transactions(client: Client, run: str, worker: str = "") -> None:
    """End those of all processes of a run, or of one worker, as far as they are dead for certain.

    Nobody needs a privilege for sessions of the same user. Where the server does not let one look, or end them, they
    are left to it.
    """
    try:
        ended = _end(client, application(run, worker))
    except PyMongoError as error:
        logger.warning(
            "transactions that killed processes may have left open are left to the server to end: {}",
            error_name(error),
        )
    else:
        if ended:
            logger.info("ended transactions that killed processes had left open: {}", ended)


def _end(client: Client, name: str) -> int:
    ended = 0
    for look in range(_LOOKS):
        if look:
            time.sleep(_PATIENCE_SECONDS)
        left = _open(client, name)
        idle = [one["lsid"]["id"] for one in left if not one["active"]]
        if idle:
            client.admin.command("killSessions", [{"id": one} for one in idle])
        ended += len(idle)
        if len(idle) == len(left):
            break
    return ended


def _open(client: Client, name: str) -> list[dict[str, Any]]:
    """Only what is needed of them: the rest holds what was asked for, with values."""
    admin = client.get_database(
        "admin", read_preference=ReadPreference.PRIMARY, read_concern=ReadConcern("local")
    )
    return list(
        admin.aggregate(
            [
                {"$currentOp": {"idleSessions": True}},
                {
                    "$match": {
                        "appName": {"$regex": f"^{re.escape(name)}( |$)"},
                        "transaction.parameters.autocommit": False,
                    }
                },
                {"$project": {"lsid.id": 1, "active": 1}},
            ]
        )
    )
