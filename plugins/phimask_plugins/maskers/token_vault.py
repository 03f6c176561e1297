"""The collection that knows which token stands for which value, and holds none that is readable without the key."""

from __future__ import annotations

import re
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from bson.binary import Binary
from pymongo import MongoClient, ReadPreference, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.uri_parser import split_options
from pymongo.write_concern import WriteConcern

from phimask import StoreError
from phimask_plugins.maskers.sealing import subkey

T = TypeVar("T")
_Documents: TypeAlias = Collection[dict[str, Any]]

OPTIONS: Final[Mapping[str, Any]] = {
    "uri": {
        "type": "string",
        "minLength": 1,
        "secret": True,
        "description": "The connection string of the deployment that the vault is on: ${NAME}, from the environment.",
    },
    "database": {
        "type": "string",
        "minLength": 1,
        "default": "phimask",
        "description": "The vault's database.",
    },
    "collection": {
        "type": "string",
        "minLength": 1,
        "default": "tokens",
        "description": "The vault's collection.",
    },
}
"""Where the vault is: what both maskers are asked for."""

MAX_SEALED_BYTES: Final = 15 * 1024 * 1024
"""What fits into a document of the vault."""

_SELECTION_SECONDS: Final = 10
_MAJORITY_SECONDS: Final = 60
_PAUSE_SECONDS: Final = 30
_AT_ONCE: Final = 10_000
"""Digests in one question: half a megabyte, far from a message's limit."""
_DUPLICATE_KEY: Final = 11000
_MARKS: Final = "keys"


class Entry(NamedTuple):
    """One value's: its keyed digest, its token's keyed digest, the token, the sealed value."""

    digest: bytes
    finder: bytes
    token: str
    sealed: bytes

    def __repr__(self) -> str:  # tokens are what documents hold in place of originals
        return "Entry(***)"


class TokenVault:
    """Tokens by the keyed digest of their values, and sealed values by the keyed digest of their tokens.

    A document is `{_id: digest, finder: digest of the token, token: string, value: sealed}`. Both digests are unique.
    One more, `{_id: "keys", keys: [marks]}`, has a mark of each key that entries were made under.
    No question holds anything but digests: a server logs questions, and what is looked up as a token may turn out
    to be an original. Reads and writes are of the majority, so that no token is used that a failover could take back.
    Nothing is connected before the first question. StoreError comes from all methods where the deployment does
    not answer or refuses; for 30 seconds after, it comes at once.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Those of `OPTIONS`. Raises ValueError for what cannot be a connection string."""
        uri: str = options["uri"]
        if not uri.startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError(
                "the vault's `uri` is malformed; it looks like mongodb://USER:PASSWORD@HOST:PORT/"
            )
        if not all(map(_is_understood, re.split("[&;]", uri.partition("?")[2]))):
            raise ValueError(
                "the vault's `uri` has an option that is unknown, or has a value that it cannot have, and would be "
                "ignored; write it as MongoDB's manual does under Connection String Options, such as tls=true"
            )
        self._uri = uri
        self._names: tuple[str, str] = (
            options.get("database", "phimask"),
            options.get("collection", "tokens"),
        )
        self._opened: _Documents | None = None
        self._has_index = False
        self._silent_until = float("-inf")

    def __repr__(self) -> str:  # the URI may hold a password
        return "TokenVault(***)"

    def hazards(self, keys: Sequence[bytes], *, reads: bool) -> Iterable[str]:
        """What stands in the way of using the vault under one of these keys. `reads`: nothing is to be added."""
        named = f"the token vault {'.'.join(self._names)}"
        try:
            marks = self.marks()
        except StoreError as error:
            yield f"{error}; see that it runs and that `uri` leads there"
            return
        if not marks and reads:
            yield f"{named} holds no tokens; name the `database` and `collection` that tokenize was given"
        elif marks and marks.isdisjoint(map(mark_of, keys)):
            yield (
                f"{named} was written under another key or domain; set the key it was written under, or list it after "
                "the new one (`key: [NEW, OLD]`), and name the `domain` of that time, or another `collection`"
            )

    def tokens(self, digests: Iterable[bytes]) -> dict[bytes, str]:
        """The tokens of those values that have one."""
        return self._found(digests, "_id", "token")

    def values(self, finders: Iterable[bytes]) -> dict[bytes, bytes]:
        """The sealed values of those tokens that there are."""
        return self._found(finders, "finder", "value")

    def marks(self) -> frozenset[bytes]:
        """The marks of the keys that entries were made under; none where nothing was kept so far."""
        kept = self._asked(lambda collection: collection.find_one({"_id": _MARKS}))
        return frozenset() if kept is None else frozenset(bytes(mark) for mark in kept["keys"])

    def add(self, entries: Iterable[Entry], mark: bytes) -> None:
        """Keeps the entries, but for those whose value has a token or whose token is taken.

        Which of them were kept, `tokens` tells. `mark` is that of the key they were made under.
        """
        writes = [
            UpdateOne(
                {"_id": Binary(entry.digest)},
                {
                    "$setOnInsert": {
                        "finder": Binary(entry.finder),
                        "token": entry.token,
                        "value": Binary(entry.sealed),
                    }
                },
                upsert=True,
            )
            for entry in entries
        ]
        writes.append(UpdateOne({"_id": _MARKS}, {"$addToSet": {"keys": Binary(mark)}}, upsert=True))
        self._asked(lambda collection: self._write(collection, writes))

    def _write(self, collection: _Documents, writes: list[UpdateOne]) -> None:
        if not self._has_index:
            collection.create_index("finder", unique=True)
            self._has_index = True
        try:
            collection.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            # Somebody else was faster, or a token is taken: whoever asks for the tokens next sees which.
            details: Mapping[str, Any] = error.details or {}
            if details.get("writeConcernErrors") or any(
                one.get("code") != _DUPLICATE_KEY for one in details.get("writeErrors", ())
            ):
                raise

    def _found(self, wanted: Iterable[bytes], by: str, field: str) -> dict[bytes, Any]:
        digests = [Binary(digest) for digest in wanted]
        found: dict[bytes, Any] = {}
        for start in range(0, len(digests), _AT_ONCE):
            found.update(self._asked(partial(_answers, digests[start : start + _AT_ONCE], by, field)))
        return found

    def _asked(self, question: Callable[[_Documents], T]) -> T:
        if time.monotonic() < self._silent_until:
            raise StoreError("the token vault does not answer")
        try:
            return question(self._collection())
        except PyMongoError as error:
            # Told by its class alone: a message may hold the operation, a malformed URI's the password.
            self._silent_until = time.monotonic() + _PAUSE_SECONDS
            failure = StoreError(f"the token vault does not answer ({type(error).__name__})")
        raise failure from None

    def _collection(self) -> _Documents:
        if self._opened is None:
            client: MongoClient[dict[str, Any]] = MongoClient(
                self._uri,
                appname="phimask",
                tz_aware=False,
                serverSelectionTimeoutMS=_SELECTION_SECONDS * 1000,
            )
            weakref.finalize(self, client.close)
            database, name = self._names
            self._opened = client[database].get_collection(
                name,
                read_concern=ReadConcern("majority"),
                write_concern=WriteConcern("majority", wtimeout=_MAJORITY_SECONDS * 1000),
                read_preference=ReadPreference.PRIMARY,
            )
        return self._opened


def mark_of(key: bytes) -> bytes:
    """16 bytes that tell keys apart and say nothing about them."""
    return subkey(key, "tokenize/mark", 16)


def _is_understood(option: str) -> bool:
    """Whether PyMongo does as the option says: `tls=True` would be no TLS."""
    try:
        split_options(option, validate=True, warn=False)
    except OSError:  # a file that is not there is told where it is opened
        return True
    except (PyMongoError, ValueError, TypeError):
        return not option
    return True


def _answers(digests: list[Binary], by: str, field: str, collection: _Documents) -> dict[bytes, Any]:
    found = collection.find({by: {"$in": digests}}, {by: 1, field: 1})
    return {bytes(document[by]): document[field] for document in found}
