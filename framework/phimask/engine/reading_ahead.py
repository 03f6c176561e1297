"""Documents on their way from the server: read for the batch in hand, or, while that is masked, for the one after."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from phimask.engine.commit import Reading
from phimask.engine.resident import ResidentMemory, Span
from phimask.plugins.interfaces import Meter
from phimask.plugins.values import BatchBudget, ComplexityClass, DocumentId
from phimask.store.raw import identity
from phimask.store.reading import BatchReader


@dataclass(slots=True, repr=False)
class Read:
    """Documents as they were read, by whom, what was expected of them, and from where on; none: nothing is left.

    `session` holds the transaction that they were read in.
    """

    documents: list[bytes]
    before: DocumentId | None
    session: ClientSession | None
    meter: Meter | None
    classes: Mapping[ComplexityClass, tuple[int, int]]
    kinds: Sequence[ComplexityClass]
    span: Span
    seconds: float
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.bytes = sum(map(len, self.documents))

    def drop(self, memory: ResidentMemory) -> None:
        """They will not be masked."""
        memory.end(self.span)
        if self.session is not None:
            with suppress(PyMongoError):
                self.session.end_session()


def read(
    reader: BatchReader,
    budget: BatchBudget,
    begin: Callable[[], Reading],
    meter: Meter | None,
    memory: ResidentMemory,
) -> Read:
    """Read the next documents in a session of their own. Does not move the reader."""
    start = time.perf_counter()
    span = memory.begin()
    try:
        with begin() as reading:
            documents = reader.read(budget, reading.session, meter)
            seconds = time.perf_counter() - start
            return reading.kept_by(
                Read(
                    documents,
                    reader.position,
                    reading.session,
                    meter,
                    reader.classes,
                    reader.kinds,
                    span,
                    seconds,
                )
            )
    except BaseException:
        memory.end(span)
        raise


class ReadingAhead:
    """One reading at a time, in a thread of its own. Its reader is used by nobody else meanwhile."""

    def __init__(self, memory: ResidentMemory) -> None:
        self._memory = memory
        self._thread = ThreadPoolExecutor(1, "phimask-read")
        self._begun: Future[Read] | None = None

    def __enter__(self) -> ReadingAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.drop()
        finally:
            self._thread.shutdown()

    def begin(self, ask: Callable[[], Read]) -> None:
        """Read while something else is done."""
        self._begun = self._thread.submit(ask)

    def take(self, reader: BatchReader) -> Read | None:
        """What was read, and the reader behind it; None: nothing was begun, or it is to be asked for anew."""
        begun, self._begun = self._begun, None
        if begun is None:
            return None
        try:
            found = begun.result()
        except PyMongoError:
            return None  # asked for again, it is a matter for the retries
        if not found.documents:
            found.drop(self._memory)
            return None
        reader.position = identity(found.documents[-1])
        return found

    def drop(self) -> None:
        """What was read ahead will not be masked: its transaction ends, and it is read again if need be."""
        begun, self._begun = self._begun, None
        if begun is not None:
            with suppress(PyMongoError):
                begun.result().drop(self._memory)
