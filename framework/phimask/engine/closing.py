"""An original is closed: for the moment before a swap it refuses writes, by a validator that no document passes.

How it judged documents before stands in the ledger before it is closed, so that whoever comes after a crash opens it
again. Deletes pass a validator, and so does who asks to bypass it; both are looked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import bson
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo.errors import PyMongoError

from phimask.errors import StoreError
from phimask.ledger.runs import Superseded
from phimask.ledger.swaps import Swap, Swaps
from phimask.store.connect import Client
from phimask.store.definition import Definition, uuids
from phimask.store.indexes import RAW
from phimask.store.retry import classify, terminal_error

_NOTHING: Final = {"$expr": False}
_DEFAULT: Final = {"validator": {}, "validationLevel": "strict", "validationAction": "error"}
_ATTEMPTS: Final = 10
_PATIENCE_SECONDS: Final = 0.2
_LOCK_MILLISECONDS: Final = 3000
"""How long it waits for transactions that are open on the collection; others wait behind it meanwhile."""


def judged_before(definition: Definition) -> bytes:
    """What `reopen` will need of a collection that is defined so. Raises StoreError where it is closed already."""
    if definition.validation.get("validator") == RawBSONDocument(bson.encode(_NOTHING), RAW):
        raise StoreError(
            "the collection is closed to writes (its validator is {$expr: false}), and not by this run; give it back "
            "the validator that it had (collMod), and go on"
        )
    return bson.encode(definition.validation, codec_options=RAW)


def close(client: Client, swaps: Swaps, swap: Swap) -> Timestamp:
    """Close the original: nothing is written to it after the moment that comes back but as said above.

    Raises StoreError, and Superseded where another coordinator has the run; then it is as before.
    """
    closed = {"validator": _NOTHING, "validationLevel": "strict", "validationAction": "error"}
    reply = _patiently(lambda: _judge_by(client, swap, closed), f"closing {swap.namespace} to writes")
    try:
        swaps.note(swap.namespace, swap.shadow, step="closing")
    except Superseded:
        _open(client, swap)
        raise
    moment: Timestamp = reply["operationTime"]
    return moment


def reopen(client: Client, swaps: Swaps, swap: Swap) -> Swap:
    """It takes writes again, judged as before. Where something else has the name by now, nothing is done to that.

    Raises StoreError, and Superseded where another coordinator has the run, who has opened it or will.
    """
    found = swaps.of(swap.namespace)
    if found is None or found.shadow != swap.shadow:
        raise Superseded
    _open(client, swap)
    return swaps.note(swap.namespace, swap.shadow, step="filling", closed=None)


def _open(client: Client, swap: Swap) -> None:
    before: Mapping[str, Any] = RawBSONDocument(bytes(swap.closed), RAW) if swap.closed else {}

    def open_it() -> None:
        if uuids(client, swap.database, [swap.name]).get(swap.name) == swap.original_uuid:
            _judge_by(client, swap, {**_DEFAULT, **before})

    _patiently(open_it, f"opening {swap.namespace} to writes again")


def _judge_by(client: Client, swap: Swap, validation: Mapping[str, Any]) -> Mapping[str, Any]:
    reply: Mapping[str, Any] = client[swap.database].command(
        {
            "collMod": swap.name,
            **validation,
            "writeConcern": {"w": "majority"},
            "maxTimeMS": _LOCK_MILLISECONDS,
        }
    )
    return reply


def _patiently(do: Callable[[], Any], doing: str) -> Any:
    for attempt in range(_ATTEMPTS):
        try:
            return do()
        except PyMongoError as error:
            if classify(error) != "transient" or attempt + 1 == _ATTEMPTS:
                raise terminal_error(error, doing) from None
            time.sleep(_PATIENCE_SECONDS)
    raise AssertionError
