"""The eight kinds of component, each an abstract class that a plugin subclasses.

A component is chosen by `name`; its options are checked against `options_schema` (JSON Schema, draft
2020-12) before it is made, with the defaults filled in, and with the formats `size` ("2GB" to int, bytes) and
`duration` ("8s" to float, seconds) converted. `secret: true` beside a property keeps its value out of every
message. A constructor may raise ValueError for options that a schema cannot judge: its message becomes a
configuration error at the component's place.

A method may raise anything. Of what a plugin raises, type and place are told (`StoreError at my_package.masks:12`), and
no text, not even of phimask's own classes: these decide what becomes of the run, and its exit code. What people should
know goes to a logger below `phimask.plugins`, without a value.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from phimask.plugins.events import Event
from phimask.plugins.given import Control, Job, Source
from phimask.plugins.values import (
    BatchBudget,
    BatchCost,
    Changes,
    CollectionFacts,
    Column,
    ComplexityClass,
    Detection,
    DocumentPair,
    Expected,
    Finding,
    MemoryReading,
    OriginalValues,
    Partition,
    Phase,
    RuleFacts,
    Totals,
    Uniqueness,
)

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({"type": "object", "additionalProperties": False})


class Component(abc.ABC):
    """What all kinds share: a name, a schema for the options, the options."""

    name: ClassVar[str]
    """What configuration files call it: lower case, digits and underscores."""
    options_schema: ClassVar[Mapping[str, Any]] = NO_OPTIONS

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options


class Masker(Component):
    """Masks one rule's values, a column at a time.

    The engine never passes a null or a BSON type outside of `types`; it redacts those. A masker that
    raises is called again value by value, and the values that raise are handled as `on_error` says.
    """

    types: frozenset[str] = frozenset()
    """The BSON types it takes, by MongoDB's `$type` aliases: string, int, long, double, decimal, date, bool,
    objectId, binData, timestamp, regex, javascript, and object where `containers` is true."""
    produces: frozenset[str] | None = None
    """The BSON types it gives back; None: each value keeps its type."""
    uniqueness: Uniqueness = "lossy"
    changes: Changes = "always"
    """`always`: apart from an empty string, a masked value never equals its original."""
    idempotent: bool = False
    """Masking a masked value gives it back unchanged."""
    consistent: bool = True
    """Equal values, of one subject where it needs subjects, become equal masks."""
    needs_key: bool = False
    """It derives from the masking key. The framework then adds the options `domain` and `engine`."""
    default_domain: str | None = None
    """The domain of its key unless the option names another: what reverses a masker has that masker's name here. None:
    its own name."""
    takes_older_keys: bool = False
    """It can read what older masking keys made: its constructor is given `older_keys` beside `key`."""
    needs_subject: bool = False
    per_document: bool = False
    """Its subjects are the documents themselves, by their `_id`, even where the collection file names a subject."""
    needs_siblings: bool = False
    """It is called after the maskers of all other rules, with what they masked in each value's document."""
    needs_detectors: bool = False
    """Its constructor is given `detectors`: one of each that is registered."""
    writes: bool = False
    """Masking leaves something behind elsewhere, such as a token in a vault: it is not asked while planning."""
    needs_make: bool = False
    """Its constructor is given `make`: called with a masker's name and options as a rule has them, it answers with
    that masker, or raises ValueError."""
    long_columns: bool = False
    """A call costs much however few values it is given, as a round trip does: its columns are made long. Others are
    given as many values as stay in the processor's caches."""
    containers: bool = False
    """It is given a sub-document as one value (a dict); else the engine masks each value inside it."""
    removes: bool = False
    """It answers REMOVE: it is then given arrays and sub-documents whole."""

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """`key`: 32 bytes derived from the masking key for this masker's name alone, if `needs_key`."""
        super().__init__(options)
        self.key = key or b""

    def before(self) -> Iterable[str]:
        """Preflight: what stands in the way of masking, each as `what is wrong; what would be right`, without a
        value; anything refuses the run. Nothing may be written."""
        return ()

    def server_expression(self, bson_type: str) -> Any:  # noqa: ARG002
        """An aggregation expression that makes of `"$$value"`, a value of this BSON type, exactly what `mask` makes of
        it, in value and type; None: MongoDB has none. For a masker that removes, any expression will do.

        Where every rule has one, `write.path: server` lets MongoDB mask by itself. Constants are to stand in
        `$literal`. Asked only where `idempotent` is true and neither a key nor a subject is needed.
        """
        return None

    def cached_bytes(self) -> int:
        """About how many bytes it has put aside so as not to compute results again."""
        return 0

    def drop_cache(self) -> None:
        """Let go of those: memory is needed elsewhere. Its masks stay the same."""

    @abc.abstractmethod
    def mask(self, column: Column) -> Sequence[Any]:
        """As many masked values as `column.values`, in order; REMOVE or FAILED may stand in for any.

        Two errors end the run instead of failing values: StoreError, where what the masker keeps elsewhere is out of
        reach, and KeyMaterialError, where values were masked under another key.
        """


class Partitioner(Component):
    """Cuts a collection into disjoint ranges (after, upto] that cover all of it, up to the last `_id`."""

    @abc.abstractmethod
    def partitions(self, source: Source) -> Iterator[Partition]:
        """The ranges in order, numbered from 0; the first begins at `source.after`, the last ends with `last_id()`."""


class Meter(abc.ABC):
    """Ends one batch where counts and bytes alone would not."""

    @abc.abstractmethod
    def admits(self, kind: ComplexityClass, size: int) -> bool:
        """Whether the next document, of that class and so many BSON bytes, still belongs to the batch.

        Asked once a document, in order; false ends the batch before it. A batch's first document is taken whatever
        the answer, and counts.
        """

    def expected(self) -> Expected | None:
        """What is expected of the batch as it is now; None: nothing is known, or the sizer does not predict."""
        return None


class BatchSizer(Component):
    """Decides how much the next batch may hold. One instance serves one partition after the other."""

    @abc.abstractmethod
    def budget(self) -> BatchBudget:
        """For the next batch."""

    @abc.abstractmethod
    def record(self, cost: BatchCost) -> None:
        """What the last batch took."""

    def meter(self) -> Meter | None:
        """A fresh one for the next batch; None: the budget alone ends it, and no document's class is told."""
        return None

    def longest(self) -> float | None:
        """Seconds that the next batch may take: what would go beyond is not written, but read again. None: any time."""
        return None

    def shrink(self, factor: float) -> None:
        """Memory is under pressure: cut what comes next by `factor` (0 to 1), at once."""


class MemoryGovernor(Component):
    """Watches this process's memory and the machine's."""

    @abc.abstractmethod
    def read(self) -> MemoryReading:
        """The state now; called before each batch, so it must be cheap."""

    def note(self, cost: BatchCost) -> None:
        """What the last batch took."""


class Validator(Component):
    """Looks for what must not be. Never writes, and shares no code with what wrote.

    In the phase `after`, processes look at a share of the documents each, every one with a validator of its own; one
    more, the leading one, sees no document and has the last word. What one knows and others need goes through
    `gathered`, `join` and `next_round`.
    """

    phases: ClassVar[frozenset[Phase]] = frozenset()
    """When it is asked: `before` (preflight), `during` (each batch's totals and its sample of documents),
    `after` (the whole collection)."""
    needs_key: ClassVar[bool] = False
    """Its constructor is given `key`: 32 bytes derived from the masking key, for fingerprints."""
    needs_detectors: ClassVar[bool] = False
    """Its constructor is given `detectors`: one of each that looks without being named."""
    needs_originals: ClassVar[bool] = True
    """Of documents whose originals nobody has, it can say nothing. Otherwise it is shown these without a `before`."""
    remembers: ClassVar[bool] = False
    """Where nobody will have the originals, it is shown them while they are masked, and what it learns of them is kept
    for it: see `remember`, `learnt` and `recall`."""
    most_kept: int = 0
    """So many bytes of what it learns of a collection are kept; of what is masked after that, nothing."""

    def __init__(self, options: Mapping[str, Any], rules: Sequence[RuleFacts] = ()) -> None:
        super().__init__(options)
        self.rules = tuple(rules)

    def before(self, collection: CollectionFacts) -> Iterable[Finding]:  # noqa: ARG002
        """Preflight: a finding here refuses the run."""
        return ()

    def document(self, pair: DocumentPair) -> Iterable[Finding]:  # noqa: ARG002
        """One document, before and after."""
        return ()

    def totals(self, totals: Totals) -> Iterable[Finding]:  # noqa: ARG002
        """The counts of a batch or of the collection."""
        return ()

    def collection(self, before: CollectionFacts | None, after: CollectionFacts) -> Iterable[Finding]:  # noqa: ARG002
        """The collection as it was, None where nobody knows, and as it is. Asked in the phase `after`."""
        return ()

    def gathered(self) -> bytes:
        """What it has learnt of its documents in this round that others of its kind, or the leading one, need."""
        return b""

    def join(self, gathered: Sequence[bytes]) -> bytes:
        """What all of them have gathered as one. Asked of the leading one."""
        return b"".join(gathered)

    def next_round(self, joined: bytes) -> bool:  # noqa: ARG002
        """Take in what all have gathered. True: show the documents once more, to all of this kind."""
        return False

    def conclude(self, earlier: Sequence[Validator]) -> Iterable[Finding]:  # noqa: ARG002
        """The last word, of the leading one, after the last round. `earlier`: the leading ones of its kind for the
        collections that were verified before this one."""
        return ()

    def remember(self, originals: Sequence[OriginalValues]) -> None:  # noqa: ARG002
        """Values that are about to be masked; they may be shown again, and may not be masked after all."""
        return

    def learnt(self) -> Iterable[bytes]:
        """What it has to keep of all that it was shown, and gave nothing for yet, in parts of 8 MB at the most. It is
        written to the ledger before any of these is masked: nothing that tells a value to whoever has no key.

        May be called by another thread than `remember`, while that goes on.
        """
        return ()

    def recall(self, learnt: Iterable[bytes], documents: int) -> None:  # noqa: ARG002
        """Asked of the leading one, in place of a round in which documents are shown with what they were: all that was
        kept, from about so many documents. Then `next_round` comes, all see documents without a `before`, `next_round`
        comes again, and this is asked once more before the last one."""
        return

    def unjudged(self) -> Iterable[Finding]:
        """What it cannot judge, and why: said beside its findings, so that nobody takes its silence for an all-clear.

        Asked of the leading one, after `conclude`.
        """
        return ()


class Executor(Component):
    """Lets a job work: in this process, in many, on many machines."""

    @abc.abstractmethod
    def run(self, job: Job, control: Control, tell: Callable[[Event], None]) -> None:
        """Calls `job.work` in as many workers as it sees fit, and comes back when all have ended.

        `control.stopping` and `control.holding` reach every worker within a second or so. `tell` is called in this
        process, by one thread at a time, with all that workers tell, each worker's events in their order. What
        `work` raises ends the run: the other workers stop at their batch's end, then it is raised here, as the same
        class of phimask.PhimaskError. For a worker that died, `job.abandon` is called.
        """

    def workers(self) -> tuple[int, int, str]:
        """For a plan: how many workers it would begin with here and now, the most that it may come to, and in words
        what sets their number."""
        return 1, 1, "one worker"


class Detector(Component):
    """Finds PHI in text."""

    labels: ClassVar[frozenset[str]] = frozenset()
    by_default: ClassVar[bool] = True
    """It looks wherever detectors look; otherwise only where it is named."""

    @abc.abstractmethod
    def detect(self, text: str) -> Iterable[Detection]:
        """Every stretch that looks like PHI, in order of start."""


def _to_nobody(message: str) -> None:
    """Where an observer is at work outside of a run."""


class Observer(Component):
    """Is told what happens. May not fail the run: what it raises is logged once, and it is left out.

    Its constructor opens nothing and starts nothing: one is made on trial before a run is begun.
    """

    warn: Callable[[str], None] = staticmethod(_to_nobody)
    """For what a person should know about the observer itself and what does not end its work: a sentence, without a
    value or a secret, that goes to all observers, the report and the log. May be called from any thread, in `close`
    as well."""

    @abc.abstractmethod
    def notify(self, event: Event) -> None:
        """Called in the order of events, one at a time. The run waits for it, so it should be quick."""

    def close(self) -> None:
        """The run is over, whatever its end."""
