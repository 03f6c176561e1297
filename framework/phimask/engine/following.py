"""Who else writes to an original, followed: a change stream, in a thread of its own, which enters the `_id`s of changed
documents in the ledger. How far it has come is told by the deployment's own time.

It is opened before the collection is read, and a mark in the ledger never lies beyond what is entered there: so
whoever follows on after a crash misses no change.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from bson.timestamp import Timestamp
from pymongo import ReadPreference
from pymongo.errors import PyMongoError

from phimask.engine.writers import settle
from phimask.errors import Interrupted, StoreError
from phimask.ledger.changes import Changes
from phimask.ledger.runs import Superseded
from phimask.log import describe_error
from phimask.planning.namespace import Namespace
from phimask.plugins.values import DocumentId
from phimask.store.indexes import RAW
from phimask.store.raw import identity
from phimask.store.retry import classify, error_name

_WRITES: Final = ("insert", "update", "replace", "delete")
_FIELDS: Final = {"operationType": 1, "clusterTime": 1, "documentKey": 1, "ns": 1, "to": 1}
_WAIT_MILLISECONDS: Final = 20
"""How long the server waits for something to come before it says that there is nothing."""
_MOST_AT_ONCE: Final = 1000
_READ_SECONDS: Final = 0.02
"""So long changes are gathered before they are entered: whoever waits for one waits so long."""
_NOTE_SECONDS: Final = 1.0
_BRISK_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 0.2
_TOKEN_TIME: Final = (2, 18)
"""A resume token begins with the type of a timestamp, then has the timestamp itself, in hexadecimal digits."""
_TIMESTAMP: Final = "82"

Note = Callable[[Mapping[str, Any]], object]


class Following:
    """One original's. `number` is that of the last change that is entered; the first one gets `number` + 1. While it is
    `brisk`, others learn from the ledger at once how far it has come.

    `mark` is what `note` was told by another that followed before; None: from now on. After a rename that was expected,
    writes to the collection that has the name since are remembered, and not entered. Safe to ask from several threads.
    """

    def __init__(
        self, source: Namespace, changes: Changes, number: int, mark: Mapping[str, Any] | None, note: Note
    ) -> None:
        """Raises PyMongo's errors."""
        self._name = source.database, source.collection
        self._collection = source.client[source.database].get_collection(
            source.collection, codec_options=RAW, read_preference=ReadPreference.PRIMARY
        )
        self._changes = changes
        self._note = note
        self.number = self._given = number
        self._waiting: dict[DocumentId, tuple[int, str]] = {}
        self._seen = self._passed = Timestamp(0, 0)
        self._expected: Timestamp | None = None if not mark else mark.get("rename_after")
        self._renamed = False
        self.brisk = False
        self._said: str | None = None
        self._token: Any = None if not mark else mark["token"]
        self._noted_at = time.monotonic()
        self._since_renamed: set[DocumentId] = set()
        self._turn = threading.Condition()
        self._over = threading.Event()
        self._stream: Any = None
        if self._token is None:
            self._stream = self._opened()
            settle(self._collection)
        self._entered: Any = self._where()
        self._thread = threading.Thread(target=self._go_on, name="phimask-following", daemon=True)

    @property
    def mark(self) -> dict[str, Any]:
        """From where another goes on: all before is entered."""
        return {"token": self._entered, "rename_after": self._expected, "passed": self._passed}

    @property
    def said(self) -> str | None:
        """Why it cannot go on; None: it does."""
        return self._said

    def begin(self) -> None:
        """Follow from now on, until `close`."""
        self._thread.start()

    def close(self) -> None:
        """Follow no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._leave()

    def wait_for(self, moment: Timestamp, stopping: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait until all that was written up to this moment is entered.

        Raises Interrupted at a stop, and StoreError where it cannot go on, or does not come so far in time.
        """
        self._wait(lambda: self._passed >= moment, stopping, seconds)

    def expect_rename(self, moment: Timestamp) -> None:
        """A shadow takes the name, after this moment."""
        with self._turn:
            self._expected = moment

    def wait_for_rename(self, seconds: float) -> None:
        """Wait until all that was written to the original is entered. Raises StoreError where that cannot be told."""
        self._wait(lambda: self._renamed, lambda: False, seconds)

    def written_since_renamed(self, found: DocumentId) -> bool:
        """Whether somebody wrote this document of the collection that has the name since."""
        return found in self._since_renamed

    def _wait(self, so: Callable[[], bool], stopping: Callable[[], bool], seconds: float | None) -> None:
        until = None if seconds is None else time.monotonic() + seconds
        with self._turn:
            while not so():
                if self._said is not None:
                    raise StoreError(self._said)
                if stopping():
                    raise Interrupted("stopped while its shadow was caught up")
                if until is not None and time.monotonic() > until:
                    raise StoreError("the change stream lags too far behind")
                self._turn.wait(_WAIT_MILLISECONDS / 1000)

    def _go_on(self) -> None:
        while not self._over.is_set() and self._said is None:
            try:
                self._enter()  # what an error kept from it
                self._read()
                self._enter()
                self._note_now_and_then()
            except Superseded:
                self._said = "another coordinator has taken up the run; this one has let go of it"
            except PyMongoError as error:
                self._leave()
                if classify(error) == "transient":
                    self._over.wait(_PATIENCE_SECONDS)
                    continue
                self._said = (
                    "what others wrote to it cannot be told any more: the change stream ended with "
                    f"{error_name(error)}; the oplog has to reach back to when the run began"
                )
            except Exception as error:  # noqa: BLE001  (nobody waits for this thread)
                self._said = f"what others wrote to it cannot be followed: {describe_error(error)}"

    def _enter(self) -> None:
        """Enter what was read; only then it counts."""
        self._changes.record(self._waiting)
        with self._turn:
            self._waiting = {}
            self.number = self._given
            self._entered = self._where()
            self._passed = max(self._passed, self._seen)
            self._turn.notify_all()

    def _read(self) -> None:
        if self._stream is None:
            self._stream = self._opened()
        until = time.monotonic() + _READ_SECONDS
        while len(self._waiting) < _MOST_AT_ONCE and self._said is None and time.monotonic() < until:
            event = self._stream.try_next()
            if event is None:
                # An answer with nothing in it says how far the server has looked.
                self._seen = _moment(self._stream.resume_token)
                if not self._stream.alive:
                    self._leave()
                return
            self._take(event)
            if self._stream is None:
                return

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, moment = event["operationType"], event.get("clusterTime")
        if kind in _WRITES:
            found = identity(bytes(event["documentKey"].raw))
            if self._renamed:
                self._since_renamed.add(found)
            else:
                self._given += 1
                self._waiting[found] = self._given, kind
        elif kind == "invalidate":
            self._leave(event["_id"])  # what follows is of the collection that has the name then
            return
        elif kind == "rename" and self._is_expected(event):
            self._enter()
            with self._turn:
                self._renamed = True
                self._turn.notify_all()
        else:
            self._said = f"somebody did more than write to it ({kind})"
        if moment is not None:
            self._seen = _just_before(moment)

    def _is_expected(self, event: Mapping[str, Any]) -> bool:
        to = event["to"]["db"], event["to"]["coll"]
        return to == self._name and self._expected is not None and event["clusterTime"] > self._expected

    def _note_now_and_then(self) -> None:
        """Nothing is noted once it was renamed: what was entered before then is looked for again after a crash."""
        wait = _BRISK_SECONDS if self.brisk else _NOTE_SECONDS
        if self._renamed or time.monotonic() - self._noted_at < wait:
            return
        self._note(self.mark)
        self._noted_at = time.monotonic()

    def _where(self) -> Any:
        return self._token if self._stream is None else self._stream.resume_token or self._token

    def _opened(self) -> Any:
        return self._collection.watch(
            [{"$project": _FIELDS}], start_after=self._token, max_await_time_ms=_WAIT_MILLISECONDS
        )

    def _leave(self, token: Mapping[str, Any] | None = None) -> None:
        """Begin a stream anew next time, at `token`, or else where this one is."""
        if self._stream is not None:
            self._token = token or self._where()
            with contextlib.suppress(PyMongoError):
                self._stream.close()
        self._stream = None


def _moment(token: Mapping[str, Any]) -> Timestamp:
    """The moment that a resume token stands for. Raises StoreError where it is written in another way."""
    text = str(token["_data"])
    if not text.startswith(_TIMESTAMP) or len(text) < _TOKEN_TIME[1]:
        raise StoreError("the server's resume tokens are of a kind that phimask does not know")
    digits = text[slice(*_TOKEN_TIME)]
    return Timestamp(int(digits[:8], 16), int(digits[8:], 16))


def _just_before(moment: Timestamp) -> Timestamp:
    """Others that were written in the same moment may follow."""
    if moment.inc:
        return Timestamp(moment.time, moment.inc - 1)
    return Timestamp(max(moment.time - 1, 0), 0)


def now(client: Any) -> Timestamp:
    """The deployment's time: what was written before is not later. Raises PyMongo's errors."""
    moment: Timestamp = client.admin.command("ping")["operationTime"]
    return moment
