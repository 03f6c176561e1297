"""Documents that were left out are found again among others, and by nobody else's run."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from phimask import DocumentId
from phimask.ledger.opening import Ledger
from phimask.ledger.quarantine import Quarantine

ODD = [DocumentId(16, b"\1\0\0\0"), DocumentId(1, b"\0\0\0\0\0\0\xf8\x7f"), DocumentId(10, b"")]


def test_those_among_others_are_told(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    ledger = Ledger(client, database.name, "ledger")
    quarantine = Quarantine(ledger, "one", "a.b")
    quarantine.add(0, 0, dict.fromkeys(ODD, "bad"))
    others = [DocumentId(16, bytes((number, 0, 0, 0))) for number in range(2, 9)]
    Quarantine(ledger, "two", "a.b").add(0, 0, dict.fromkeys(others, "bad"))
    assert quarantine.among([*others, *ODD]) == set(ODD)
    assert quarantine.among([]) == quarantine.among(others) == set()
    assert len(list(quarantine.listed(2))) == 2
