"""What a run will take, as ranges: workers, seconds, memory, what is written. Each range says what it rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from phimask.config.model import Profile
from phimask.planning.write_path import Cost

if TYPE_CHECKING:
    from phimask.planning.plan import CollectionPlan

_DECODED: Final = 8
"""Python objects take about eight times the BSON bytes they were decoded from."""
_IN_FLIGHT: Final = 2
"""A batch is read and masked while the one before is written."""
_INTERPRETER_BYTES: Final = 90_000_000
"""Resident bytes of a worker before its first batch."""
_AROUND: Final = 60e-6
"""Seconds a document for reading, checking and journalling. Measured by tests/benchmarks/throughput.py."""
_SERVER: Final = 100e-6
"""Seconds that the server takes to change a document, when two ask at a time. Measured by the same."""
_INSERT: Final = 35e-6
"""The same to insert one."""
_BUSY: Final = 3.0
"""How much longer all may take where the server is far away, or busy with others."""
_ENTRY: Final = 150
"""Bytes of an oplog entry beside what was changed."""


@dataclass(frozen=True, slots=True)
class Range:
    """An estimate: from `low` to `high`, most likely `likely`, and what that rests on. None: nobody can tell."""

    low: float | None
    likely: float | None
    high: float | None
    rests_on: str

    def as_data(self, digits: int | None = None) -> dict[str, Any]:
        """For `plan --json`; without `digits`, whole numbers."""

        def told(value: float | None) -> float | int | None:
            return None if value is None else round(value, digits)

        return {
            "low": told(self.low),
            "likely": told(self.likely),
            "high": told(self.high),
            "rests_on": self.rests_on,
        }


@dataclass(frozen=True, slots=True)
class Prediction:
    """All of a collection's. Bytes written are those sent to the server; oplog bytes what its log grows by there;
    memory is that of all workers together."""

    workers: Range
    seconds: Range
    memory: Range
    documents: Range
    written: Range
    oplog: Range

    def as_data(self) -> dict[str, Any]:
        """For `plan --json`."""
        return {
            "workers": self.workers.as_data(),
            "seconds": self.seconds.as_data(3),
            "memory_bytes": self.memory.as_data(),
            "documents_written": self.documents.as_data(),
            "bytes_written": self.written.as_data(),
            "oplog_bytes": self.oplog.as_data(),
        }


def predict(plan: CollectionPlan, profile: Profile, partitions: int | None = None) -> Prediction:
    """What the plan's run will take. No more workers than `partitions`, where their number is known, are
    begun, and one with a limit."""
    begin, most, why = plan.workers
    of_use = most if partitions is None else max(partitions, 1)
    if plan.scope.limit is not None and most > 1:
        begin, most, why = 1, 1, f"{why}; with a limit, one does it all"
    elif of_use < most:
        begin, most, why = min(begin, of_use), of_use, f"{why}; no more than partitions"
    working = Range(begin, begin, most, why)
    memory = _memory(plan, profile, begin, most)
    measured = plan.write_path.measured
    if not measured.documents:
        nothing = Range(None, None, None, "nothing could be measured on a sample")
        return Prediction(working, nothing, memory, nothing, nothing, nothing)
    documents = _documents(plan)
    written = _written(plan, documents)
    return Prediction(
        working,
        _seconds(plan, profile, working, documents),
        memory,
        documents,
        written,
        _oplog(documents, written),
    )


def _cost(plan: CollectionPlan) -> Cost:
    """Of the way that was chosen; by the server's own, nobody knows, and `set` stands for it."""
    whole = plan.target is not None or plan.write_path.path == "replace"
    return plan.write_path.measured.replace if whole else plan.write_path.measured.set


def _documents(plan: CollectionPlan) -> Range:
    """How many are written. A copy writes all; in place those that change.

    Source of the bounds: E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927.
    """
    measured = plan.write_path.measured
    if plan.target is not None:
        return Range(plan.documents, plan.documents, plan.documents, "a copy has all documents")
    count, share, z = measured.documents, measured.changed, 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    around = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return Range(
        max(0.0, middle - around) * plan.documents,
        share * plan.documents,
        min(1.0, middle + around) * plan.documents,
        f"{count:,} documents masked on trial, of which {100 * share:.0f} % changed (95 % confidence)",
    )


def _written(plan: CollectionPlan, documents: Range) -> Range:
    cost = _cost(plan)
    share = plan.write_path.measured.changed if plan.target is None else 1.0
    each = cost.bytes / share if share else 0.0
    around = 2 * cost.bytes_error / share if share else 0.0
    return Range(
        (documents.low or 0) * max(0.0, each - around),
        (documents.likely or 0) * each,
        (documents.high or 0) * (each + around),
        f"{plan.write_path.measured.documents:,} documents masked on trial, {each / 1e3:,.2f} kB each",
    )


def _oplog(documents: Range, written: Range) -> Range:
    return Range(
        written.low,
        (written.likely or 0) + (documents.likely or 0) * _ENTRY,
        ((written.high or 0) + (documents.high or 0) * _ENTRY) * 1.2,
        f"what is written, and {_ENTRY} bytes an entry",
    )


def _seconds(plan: CollectionPlan, profile: Profile, workers: Range, documents: Range) -> Range:
    """Masking alone, shared evenly, at best; likely with reading, checks and the server's part, which is the limit."""
    cost = _cost(plan)
    copies = plan.target is not None
    index = 0.0
    if plan.index_cost is not None:
        away = profile.write.indexes == "rebuild"
        cost_of = plan.index_cost.microseconds_without if away else plan.index_cost.microseconds
        index = cost_of / 1e6
    server = (documents.likely or 0) * (_INSERT if copies else _SERVER + index)
    served = plan.write_path.path == "server"
    client = plan.documents * (0.0 if served else cost.seconds + _AROUND)
    likely = max((client + server) / (workers.likely or 1), server)
    return Range(
        likely if served else plan.documents * cost.seconds / (workers.high or 1),
        likely,
        likely * _BUSY,
        f"{1e6 * cost.seconds:,.0f} µs of masking a document as timed on the sample, {1e6 * _AROUND:.0f} µs around it, "
        f"{1e6 * (_INSERT if copies else _SERVER + index):,.0f} µs of the server's, which is the limit; up to "
        f"{_BUSY:g} times that where others use it",
    )


def batch_bytes(plan: CollectionPlan, profile: Profile) -> int:
    """What a batch comes to at most: what the profile allows it, or as many average documents as it may hold."""
    options = profile.batch_sizer.options
    most, documents = int(options.get("bytes", 16_000_000)), options.get("documents")
    return min(most, int(plan.scan.mean_bytes * documents) or most) if isinstance(documents, int) else most


def _memory(plan: CollectionPlan, profile: Profile, workers: int, most: int) -> Range:
    expected = batch_bytes(plan, profile)
    each = _INTERPRETER_BYTES + _IN_FLIGHT * _DECODED * expected
    ceiling = plan.ceiling_bytes or each
    return Range(
        _INTERPRETER_BYTES * workers,
        min(each, ceiling) * workers,
        ceiling * most,
        f"batches of {expected / 1e6:,.1f} MB; no worker comes over the {ceiling / 1e6:,.0f} MB that the profile "
        "allows it",
    )
