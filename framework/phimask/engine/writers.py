"""Who else writes to a collection: looked for from before it is read until it has another name.

On a replica set a change stream tells, exactly, and across restarts and elections. A standalone server only counts
writes, per collection, as long as it runs.
"""

from __future__ import annotations

import abc
import contextlib
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from bson.timestamp import Timestamp
from pymongo import ReadPreference
from pymongo.errors import PyMongoError
from pymongo.write_concern import WriteConcern

from phimask.planning.namespace import Namespace
from phimask.store.connect import has_transactions
from phimask.store.retry import classify, error_name

_WRITES: Final = ("insert", "update", "replace", "delete")
_LOOK_MILLISECONDS: Final = 20
"""How long the server waits for something to come before it says that there is nothing."""
_RENAME_SECONDS: Final = 5.0
"""So long after a rename it may take until the change stream has it."""
_SETTLE_SECONDS: Final = 60
_MOST_AT_A_LOOK: Final = 1000


class Watch(abc.ABC):
    """`mark()` is what another watch of the same collection goes on from. Safe to ask from several threads."""

    @abc.abstractmethod
    def mark(self) -> dict[str, Any]:
        """What the ledger keeps."""

    @abc.abstractmethod
    def look(self) -> str | None:
        """What somebody did since, or why nobody can tell; None: nothing. Raises PyMongo's errors that pass."""

    @abc.abstractmethod
    def expect_rename(self) -> None:
        """The collection is about to be renamed; a `mark` taken from now on knows it. Raises PyMongo's errors."""

    @abc.abstractmethod
    def quiet_until_renamed(self) -> bool:
        """Whether nobody wrote before the collection was renamed, which it was just now. Raises PyMongo's errors."""

    @abc.abstractmethod
    def close(self) -> None:
        """No more is asked."""


def watch_writes(source: Namespace, mark: Mapping[str, Any] | None = None) -> Watch:
    """From now on, or from where `mark` says. Raises PyMongo's errors."""
    if has_transactions(source.client):
        return _Stream(source, mark)
    return _Count(source, mark)


def settle(collection: Any) -> None:
    """Wait until a majority has all that was written to the deployment so far, since that is what is read: a write
    that changes nothing waits for all before it. Raises PyMongo's errors."""
    majority = WriteConcern("majority", wtimeout=_SETTLE_SECONDS * 1000)
    collection.with_options(write_concern=majority).update_one({"_id": {"$in": []}}, {"$unset": {"_": ""}})


class _Stream(Watch):
    """A change stream. What it tells of documents stays on the server."""

    def __init__(self, source: Namespace, mark: Mapping[str, Any] | None) -> None:
        self._client = source.client
        self._collection = source.client[source.database].get_collection(
            source.collection, read_preference=ReadPreference.PRIMARY
        )
        self._lock = threading.Lock()
        self._said: str | None = None
        self._token = None if mark is None else mark["token"]
        self._rename_after: Timestamp | None = None if mark is None else mark["rename_after"]
        self._renamed = False
        self._stream: Any = None
        if self._token is None:
            self._stream = self._opened()
            settle(self._collection)

    def _opened(self) -> Any:
        return self._collection.watch(
            [{"$project": {"operationType": 1, "clusterTime": 1}}],
            start_after=self._token,
            max_await_time_ms=_LOOK_MILLISECONDS,
        )

    def mark(self) -> dict[str, Any]:
        """Never beyond what somebody did."""
        with self._lock:
            if self._said is None and self._stream is not None:
                self._token = self._stream.resume_token or self._token
            return {"token": self._token, "rename_after": self._rename_after}

    def look(self) -> str | None:
        with self._lock:
            for _ in range(_MOST_AT_A_LOOK):
                if not self._next():
                    break
            return self._said

    def expect_rename(self) -> None:
        after = self._client.admin.command("ping")["operationTime"]
        with self._lock:
            self._rename_after = after
            self._renamed = False

    def quiet_until_renamed(self) -> bool:
        deadline = time.monotonic() + _RENAME_SECONDS
        with self._lock:
            while self._said is None and not self._renamed and time.monotonic() < deadline:
                self._next()
            return self._said is None and self._renamed

    def close(self) -> None:
        with self._lock, contextlib.suppress(PyMongoError):
            if self._stream is not None:
                self._stream.close()

    def _next(self) -> bool:
        """Whether there was something more. After an error that passes, the stream is opened again where it was."""
        if self._said is not None:
            return False
        try:
            if self._stream is None:
                self._stream = self._opened()
            found = self._stream.try_next()
            if found is None:
                if not self._stream.alive:
                    self._leave()
                return False
        except PyMongoError as error:
            self._leave()
            if classify(error) == "transient":
                raise
            self._said = (
                "whether somebody wrote to it cannot be told any more: the change stream ended with "
                f"{error_name(error)}; the oplog has to reach back to when the run began"
            )
            return False
        kind = found["operationType"]
        if kind in _WRITES:
            self._said = f"somebody wrote to it ({kind})"
        elif kind == "rename":
            after = self._rename_after
            self._renamed = self._renamed or (after is not None and found["clusterTime"] > after)
        elif kind == "invalidate":
            # As after each rename: what follows is of the collection that has the name then.
            self._leave(found["_id"])
        return True

    def _leave(self, token: Mapping[str, Any] | None = None) -> None:
        """Begin a stream anew next time, at `token`, or else where this one is."""
        if self._stream is not None:
            self._token = token or self._stream.resume_token or self._token
            with contextlib.suppress(PyMongoError):
                self._stream.close()
        self._stream = None


class _Count(Watch):
    """The server's own count of write operations on the collection, which begins anew when the server does."""

    def __init__(self, source: Namespace, mark: Mapping[str, Any] | None) -> None:
        self._source = source
        self._began = self._ask() if mark is None else dict(mark)

    def _ask(self) -> dict[str, Any]:
        client = self._source.client
        server = str(client.admin.command("hello")["topologyVersion"]["processId"])
        collection = client[self._source.database][self._source.collection]
        found = next(iter(collection.aggregate([{"$collStats": {"latencyStats": {}}}])))
        return {"server": server, "writes": int(found["latencyStats"]["writes"]["ops"])}

    def mark(self) -> dict[str, Any]:
        return dict(self._began)

    def look(self) -> str | None:
        now = self._ask()
        if now["server"] != self._began["server"]:
            return "whether somebody wrote to it cannot be told any more: the standalone server was restarted"
        return None if now == self._began else "somebody wrote to it"

    def expect_rename(self) -> None:
        pass

    def quiet_until_renamed(self) -> bool:
        return True  # the count begins anew with the name, and was looked at just before

    def close(self) -> None:
        pass
