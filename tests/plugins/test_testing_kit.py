"""The conformance kit's checks of the other seven kinds: each promise, once broken, is found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import psutil
import pytest

from phimask import (
    BatchBudget,
    BatchSizer,
    ComplexityClass,
    Component,
    Detection,
    Detector,
    DocumentId,
    Executor,
    Finding,
    MaskingError,
    MemoryGovernor,
    MemoryReading,
    Meter,
    Observer,
    Partition,
    Partitioner,
    StopSignal,
    Validator,
    events,
)
from phimask.errors import StoreError
from phimask.testing import (
    check,
    check_batch_sizer,
    check_detector,
    check_executor,
    check_memory_governor,
    check_observer,
    check_partitioner,
    check_validator,
    partitioning,
    steering,
    watching,
)
from phimask.testing.partitioning import FakeSource, order

MB = 10**6


def variant(base: type[Any], **attributes: Any) -> type[Any]:
    return type("Broken", (base,), {"__doc__": "Breaks a promise.", "__module__": __name__, **attributes})


def refused(checked: Callable[[type[Any]], None], cls: type[Any], expected: str) -> None:
    with pytest.raises(AssertionError) as caught:
        checked(cls)
    assert expected in str(caught.value)
    assert str(caught.value).startswith("Broken: ")


# Partitioners


class Walk(Partitioner):
    """Ranges of four documents each."""

    name = "walk"

    def partitions(self, source: Any) -> Iterator[Partition]:
        """See Partitioner."""
        last = source.last_id()
        if last is None:
            return
        number, after = 0, source.after
        while after != last:
            upto = source.id_after(after, 4) or last
            yield Partition(number, after, upto, 4)
            number, after = number + 1, upto


class Sampled(Partitioner):
    """Ranges between sampled documents, or one range where there is no sample."""

    name = "sampled"

    def partitions(self, source: Any) -> Iterator[Partition]:
        """See Partitioner."""
        last = source.last_id()
        if last is None:
            return
        try:
            sample = [one for one in source.sample_ids(5) if one != last]
        except StoreError:
            sample = []
        bounds = [source.after, *sample, last]
        for number in range(len(bounds) - 1):
            yield Partition(number, bounds[number], bounds[number + 1])


def change(alter: Callable[[list[Partition]], list[Partition]]) -> type[Partitioner]:
    """`Walk`, with its ranges altered where there are three or more."""

    def partitions(self: Walk, source: Any) -> Iterator[Partition]:
        given = list(Walk.partitions(self, source))
        yield from (alter(given) if len(given) > 2 else given)

    return variant(Walk, partitions=partitions)


def endless(self: Walk, source: Any) -> Iterator[Partition]:
    number = 0
    while source.last_id() is not None:
        yield Partition(number, None, source.last_id())
        number += 1


def eager(self: Walk, source: Any) -> Iterator[Partition]:
    return iter(list(Walk.partitions(self, source)))


def one_even_for_none(self: Walk, source: Any) -> Iterator[Partition]:
    yield Partition(0, None, source.last_id())


def trusting(self: Walk, source: Any) -> Iterator[Partition]:
    """Believes in its sample."""
    given = list(Sampled.partitions(self, source))
    yield from given if len(given) > 1 or source.documents < 10 else ()


def by_estimate(self: Walk, source: Any) -> Iterator[Partition]:
    after = None
    for number in range(-(-source.documents // 4) if source.last_id() else 0):
        upto = source.id_after(after, 4) or source.last_id()
        yield Partition(number, after, upto)
        after = upto


MIDDLE = DocumentId(0x07, b"\xff" * 12)

BAD_PARTITIONERS: dict[str, tuple[type[Any], str]] = {
    "a list": (
        variant(Walk, partitions=lambda self, source: list(Walk.partitions(self, source))),
        "works before",
    ),
    "an iterator over a list": (variant(Walk, partitions=eager), "works before the first is asked for"),
    "no end": (variant(Walk, partitions=endless), "more partitions than documents, or no end"),
    "one for nothing": (variant(Walk, partitions=one_even_for_none), "an empty collection has no partitions"),
    "none at all": (
        variant(Walk, partitions=lambda self, source: iter(())),
        "there are no partitions, so nothing",
    ),
    "no partitions": (
        variant(Walk, partitions=lambda self, source: ((None, one) for one in source.ids[-1:])),
        "gives what is no phimask.Partition",
    ),
    "numbers from 1": (
        change(lambda given: [replace(one, number=one.number + 1) for one in given]),
        "are not numbered 0, 1, 2",
    ),
    "a lower bound at the first": (
        change(lambda given: [replace(given[0], after=DocumentId(0x10, bytes(4))), *given[1:]]),
        "the first partition does not begin at the source's `after`",
    ),
    "open at the end": (
        change(lambda given: [*given[:-1], replace(given[-1], upto=None)]),
        "the last partition does not end with last_id()",
    ),
    "short of the end": (
        change(lambda given: given[:-1]),
        "the last partition does not end with last_id()",
    ),
    "beyond the end": (
        change(lambda given: [*given[:-1], replace(given[-1], upto=MIDDLE)]),
        "the last partition does not end with last_id()",
    ),
    "a gap": (
        change(lambda given: [given[0], *(replace(one, number=one.number - 1) for one in given[2:])]),
        "partition 1 does not begin where 0 ends: a gap or an overlap",
    ),
    "an overlap": (
        change(lambda given: [given[0], replace(given[1], after=None), *given[2:]]),
        "partition 1 does not begin where 0 ends: a gap or an overlap",
    ),
    "open in the middle": (
        change(
            lambda given: [given[0], replace(given[1], upto=None), replace(given[2], after=None), *given[3:]]
        ),
        "partition 2 does not begin where 1 ends",
    ),
    "an empty range": (
        change(
            lambda given: [
                given[0],
                Partition(1, given[0].upto, given[0].upto),
                *(replace(one, number=one.number + 1) for one in given[1:]),
            ]
        ),
        "partition 1 is empty or upside down",
    ),
    "upside down": (
        change(
            lambda given: [
                replace(given[0], upto=given[1].upto),
                Partition(1, given[1].upto, given[0].upto),
                replace(given[2], after=given[0].upto),
                *given[3:],
            ]
        ),
        "partition 1 is empty or upside down",
    ),
    "all of it": (
        change(lambda given: [replace(given[0], after=None), *given[1:]]),
        "of which the latter half is asked for: the first partition does not begin at the source's `after`",
    ),
    "a negative estimate": (
        change(lambda given: [replace(one, documents=-1) for one in given]),
        "estimates -1 documents",
    ),
    "half a document": (
        change(lambda given: [replace(one, documents=2.5) for one in given]),
        "estimates 2.5 documents",
    ),
    "trusts the estimate": (
        variant(Walk, partitions=by_estimate),
        "estimated to be none: there are no partitions",
    ),
    "trusts the sample": (variant(Walk, partitions=trusting), "sampling: error: there are no partitions"),
}


def test_good_partitioners_pass() -> None:
    check(Walk)
    check(Sampled)


@pytest.mark.parametrize(("cls", "expected"), BAD_PARTITIONERS.values(), ids=BAD_PARTITIONERS)
def test_a_bad_partitioner_is_found_out(cls: type[Partitioner], expected: str) -> None:
    refused(check_partitioner, cls, expected)


def test_a_partitioner_that_does_not_survive_a_failed_sample_shows_the_error() -> None:
    def partitions(self: Walk, source: Any) -> Iterator[Partition]:
        source.sample_ids(3)
        yield from Walk.partitions(self, source)

    with pytest.raises(StoreError):
        check_partitioner(variant(Walk, partitions=partitions))


@pytest.mark.parametrize(
    "ask", [lambda source: source.sample_ids(0), lambda source: source.id_after(None, 0)]
)
def test_a_question_that_makes_no_sense_is_told(ask: Callable[[FakeSource], Any]) -> None:
    with pytest.raises(AssertionError, match="at least 1"):
        ask(FakeSource(5))


def test_the_fake_source_answers_as_a_collection_would() -> None:
    source = FakeSource(10)
    assert [order(one) for one in source.ids] == sorted(order(one) for one in source.ids)
    assert len({one.bson_type for one in source.ids}) == 3
    assert source.last_id() == source.ids[-1]
    assert source.id_after(None, 1) == source.ids[0]
    assert source.id_after(source.ids[2], 3) == source.ids[5]
    assert source.id_after(source.ids[2], 6) == source.ids[8]
    assert source.id_after(source.ids[2], 7) is None
    assert source.id_after(source.ids[9], 1) is None
    assert source.first_id() == source.ids[0]
    assert source.split_points(source.ids[1], 800_000) == [source.ids[4], source.ids[6], source.ids[8]]
    assert source.chunk_bound("config", source.ids[0], source.ids[8]) == source.ids[7]
    assert source.chunk_bound("config", source.ids[0], source.ids[6]) is None
    latter = FakeSource(10, skipped=4)
    assert (latter.after, latter.ids, latter.documents) == (source.ids[3], source.ids[4:], 6)
    assert latter.id_after(None, 2) == source.ids[5]
    sample = source.sample_ids(4)
    assert [order(one) for one in sample] == sorted({order(one) for one in sample})
    assert len(sample) == 4
    assert len(source.sample_ids(99)) == 10
    assert FakeSource(0).last_id() is None
    assert partitioning.FakeSource(6, estimate=0).bytes == 0


# Batch sizers


class Halving(BatchSizer):
    """100 documents, fewer under pressure."""

    name = "halving"
    options_schema = {  # noqa: RUF012
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "documents": {"type": "integer", "default": 100},
            "bytes": {"format": "size", "default": "1MB"},
        },
    }

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.share = 1.0

    def budget(self) -> BatchBudget:
        """See BatchSizer."""
        return BatchBudget(max(1, int(100 * self.share)), max(1, int(MB * self.share)))

    def record(self, cost: Any) -> None:
        """Recovers."""
        self.share = min(1.0, max(self.share, 0.001) * 1.05)

    def shrink(self, factor: float) -> None:
        """See BatchSizer."""
        self.share *= factor


def budget(documents: Any, size: Any) -> Callable[[Any], Any]:
    return lambda self: BatchBudget(documents, size)


def creeping(self: Any) -> BatchBudget:
    self.asked = getattr(self, "asked", 0) + 1
    return BatchBudget(1 + self.asked % 2, 1000)


class Tenth(Meter):
    """Ends a batch with its tenth document."""

    def __init__(self) -> None:
        self.taken = 0

    def admits(self, kind: ComplexityClass, size: int) -> bool:
        """See Meter."""
        self.taken += 1
        return self.taken <= 10


class Silent(Tenth):
    """Forgets to answer."""

    def admits(self, kind: ComplexityClass, size: int) -> Any:
        """See Meter."""


THE_SAME = Tenth()

BAD_SIZERS: dict[str, tuple[type[Any], str]] = {
    "no budget": (variant(Halving, budget=lambda self: (100, 100)), "budget() gives a tuple"),
    "no documents": (variant(Halving, budget=budget(0, 100)), "the budget of documents is 0"),
    "no bytes": (variant(Halving, budget=budget(1, 0)), "the budget of bytes is 0"),
    "below nothing": (variant(Halving, budget=budget(-5, 100)), "the budget of documents is -5"),
    "a fraction": (variant(Halving, budget=budget(10, 99.5)), "the budget of bytes is 99.5"),
    "above its documents": (
        variant(Halving, budget=budget(101, 100)),
        "of documents is 101, above the ceiling of 100",
    ),
    "above its bytes": (
        variant(Halving, budget=budget(1, MB + 1)),
        "of bytes is 1000001, above the ceiling of 1000000",
    ),
    "moves by itself": (variant(Halving, budget=creeping), "budget() differs when asked twice"),
    "shrinks later": (
        variant(Halving, shrink=lambda self, factor: None),
        "shrink(0.25) leaves the next budget at",
    ),
    "grows under pressure": (
        variant(
            Halving,
            budget=lambda self: BatchBudget(50 if self.share == 1 else 60, max(1, int(MB * self.share))),
        ),
        "shrink(0.25) leaves the next budget at",
    ),
    "no meter": (variant(Halving, meter=lambda self: 5), "meter() gives a int"),
    "a meter without an answer": (variant(Halving, meter=lambda self: Silent()), "answers with None"),
    "one meter for all batches": (
        variant(Halving, meter=lambda self: THE_SAME),
        "let meter() give a fresh one",
    ),
    "never recovers": (variant(Halving, record=lambda self, cost: None), "let it recover"),
    "shrinks to nothing": (
        variant(
            Halving, budget=lambda self: BatchBudget(max(1, int(100 * self.share)), int(MB * self.share))
        ),
        "the budget of bytes is 0",
    ),
}


def test_good_batch_sizers_pass() -> None:
    check(Halving)
    check(variant(Halving, shrink=BatchSizer.shrink, record=lambda self, cost: None))
    check(variant(Halving, meter=lambda self: Tenth()))


@pytest.mark.parametrize(("cls", "expected"), BAD_SIZERS.values(), ids=BAD_SIZERS)
def test_a_bad_batch_sizer_is_found_out(cls: type[BatchSizer], expected: str) -> None:
    refused(check_batch_sizer, cls, expected)


def test_a_batch_sizer_that_divides_by_no_time_shows_the_error() -> None:
    def record(self: Any, cost: Any) -> None:
        self.share = min(1.0, 1 / cost.seconds)

    with pytest.raises(ZeroDivisionError):
        check_batch_sizer(variant(Halving, record=record))


# Memory governors


class Still(MemoryGovernor):
    """Always the same."""

    name = "still"
    reading = MemoryReading("ok", 50 * MB, 2000 * MB)

    def read(self) -> MemoryReading:
        """See MemoryGovernor."""
        return self.reading


def reading(**attributes: Any) -> type[Any]:
    return variant(Still, reading=replace(Still.reading, **attributes))


BAD_GOVERNORS: dict[str, tuple[type[Any], str]] = {
    "nothing": (variant(Still, reading=None), "read() gives a NoneType"),
    "another pressure": (reading(pressure="low"), "its pressure is 'low'; use ok, high, critical"),
    "megabytes": (reading(rss_bytes=50), "its rss_bytes is 50; give whole bytes"),
    "no ceiling": (reading(ceiling_bytes=0), "its ceiling_bytes is 0; give whole bytes"),
    "a fraction": (reading(rss_bytes=5e7), "its rss_bytes is 50000000.0; give whole bytes"),
    "more than there is": (
        reading(rss_bytes=psutil.virtual_memory().total + 1),
        "more than the machine's memory",
    ),
    "shrinks to nothing": (reading(shrink=0.0), "its shrink is 0.0; give a factor above 0"),
    "grows": (reading(shrink=1.5), "its shrink is 1.5; give a factor above 0"),
}


def test_a_good_governor_passes() -> None:
    check(Still)


@pytest.mark.parametrize(("cls", "expected"), BAD_GOVERNORS.values(), ids=BAD_GOVERNORS)
def test_a_bad_governor_is_found_out(cls: type[MemoryGovernor], expected: str) -> None:
    refused(check_memory_governor, cls, expected)


# Executors


class InTurn(Executor):
    """One worker."""

    name = "in_turn"

    def run(self, job: Any, control: Any, tell: Any) -> None:
        """See Executor."""
        job.work("one", control, tell)


class Threads(Executor):
    """Three at a time."""

    name = "threads"

    def run(self, job: Any, control: Any, tell: Any) -> None:
        """See Executor."""
        ours = StopSignal()
        ours.hold(control.holding)

        def watched(worker: str) -> None:
            try:
                job.work(worker, ours, tell)
            except BaseException:
                ours.stop()
                raise

        with ThreadPoolExecutor(3) as pool:
            workers = [pool.submit(watched, name) for name in "abc" if not control.stopping]
            while not all(worker.done() for worker in workers):
                ours.hold(control.holding)
                if control.wait(0.01):
                    ours.stop()
        for worker in workers:
            worker.result()


class Processes(Executor):
    """In another process, spawned; the kit's control can be pickled."""

    name = "processes"

    def run(self, job: Any, control: Any, tell: Any) -> None:
        """See Executor."""
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            for event in pool.submit(worked, job, control).result():
                tell(event)


def worked(job: Any, control: Any) -> list[Any]:
    told: list[Any] = []
    job.work("apart", control, told.append)
    return told


def executes(run: Callable[[Any, Any, Any, Any], None]) -> type[Any]:
    return variant(InTurn, run=run)


def never(self: Any, job: Any, control: Any, tell: Any) -> None:
    """Comes back without having done anything."""


def deaf(self: Any, job: Any, control: Any, tell: Any) -> None:
    ours = StopSignal()
    ours.hold(control.holding)
    job.work("one", ours, tell)


def deaf_once_begun(self: Any, job: Any, control: Any, tell: Any) -> None:
    if not control.stopping:
        deaf(self, job, control, tell)


def restless(self: Any, job: Any, control: Any, tell: Any) -> None:
    class Restless:
        holding = ()
        stopping = property(lambda self: control.stopping)
        wait = control.wait

    job.work("one", Restless(), tell)


def silent(self: Any, job: Any, control: Any, tell: Any) -> None:
    job.work("one", control, lambda event: None)


def nameless(self: Any, job: Any, control: Any, tell: Any) -> None:
    job.work("", control, tell)


def backwards(self: Any, job: Any, control: Any, tell: Any) -> None:
    told: list[Any] = []
    job.work("one", control, told.append)
    for event in reversed(told):
        tell(event)


def swallows(self: Any, job: Any, control: Any, tell: Any) -> None:
    with suppress(Exception):
        job.work("one", control, tell)


def wraps(self: Any, job: Any, control: Any, tell: Any) -> None:
    try:
        job.work("one", control, tell)
    except Exception as error:
        raise RuntimeError("a worker failed") from error


def rewords(self: Any, job: Any, control: Any, tell: Any) -> None:
    try:
        job.work("one", control, tell)
    except MaskingError as error:
        error.args = ("a worker failed",)
        raise


def raises_at_the_end(self: Any, job: Any, control: Any, tell: Any) -> None:
    try:
        job.work("one", control, tell)
    except MaskingError:
        job.abandon("one")
        job.fails_at = None
        (job.folder / "todo-002").unlink()
        job.work("two", control, tell)
        raise


BAD_EXECUTORS: dict[str, tuple[type[Any], str]] = {
    "does nothing": (executes(never), "of 1 partitions 0 are done"),
    "deaf": (executes(deaf), "told to stop before it began, it ran 12 partitions"),
    "deaf once begun": (executes(deaf_once_begun), "told to stop after 3 of 40 partitions, it ran all"),
    "restless": (executes(restless), "told to hold for 'replica lag', the work heard of []"),
    "silent": (executes(silent), "of 1 finished partitions it tells 0"),
    "nameless": (executes(nameless), "gives two workers one name, or none"),
    "backwards": (executes(backwards), "it tells a worker's events out of order"),
    "swallows": (executes(swallows), "the work raised, and run() came back as if all were well"),
    "wraps": (executes(wraps), "the work's MaskingError came out as a RuntimeError"),
    "rewords": (executes(rewords), "the work's error came out with another message"),
    "goes on": (executes(raises_at_the_end), "the work raised at partition 2, and all the other 39 ran"),
}


@pytest.mark.parametrize("cls", [InTurn, Threads, pytest.param(Processes, marks=pytest.mark.soak)])
def test_good_executors_pass(cls: type[Executor]) -> None:
    check(cls)


@pytest.mark.parametrize(("cls", "expected"), BAD_EXECUTORS.values(), ids=BAD_EXECUTORS)
def test_a_bad_executor_is_found_out(
    cls: type[Executor], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four hundred leave a good one the time to stop on a busy machine; a bad one does not stop at all.
    monkeypatch.setattr(steering, "_MANY", 40)
    refused(check_executor, cls, expected)


# Validators


class Sober(Validator):
    """Finds that a document was lost, or that counts do not add up."""

    name = "sober"
    phases = frozenset({"before", "during", "after"})

    def before(self, collection: Any) -> list[Finding]:
        """See Validator."""
        return [Finding("the collection is capped")] if collection.options.get("capped") else []

    def document(self, pair: Any) -> Iterator[Finding]:
        """See Validator."""
        if pair.after is None:
            yield Finding("a document is lost", "Visits.Note", 1)

    def totals(self, totals: Any) -> tuple[Finding, ...]:
        """See Validator."""
        return (Finding("the counts differ"),) if totals.stored == 0 else ()


def found(*findings: Any) -> type[Any]:
    return variant(Sober, document=lambda self, pair: findings)


def looks_inside(self: Any, pair: Any) -> list[Finding]:
    size = int.from_bytes((pair.after or b"\5\0\0\0\0")[:4], "little")
    return [Finding("cut short")] if pair.after[size - 1] != 0 else []


BAD_VALIDATORS: dict[str, tuple[type[Any], str]] = {
    "looks at nothing": (
        variant(Validator, name="blind", phases=frozenset({"during"})),
        "it looks at nothing; define before, document, totals",
    ),
    "never called before": (
        variant(Sober, phases=frozenset({"during"})),
        "its before() is never called; add 'before' to `phases`",
    ),
    "never called after": (
        variant(Sober, phases=frozenset({"before"})),
        "its document() is never called; add 'after' or 'during' to `phases`",
    ),
    "idle": (
        variant(Sober, before=Validator.before),
        "it has nothing to do in phase 'before'; leave it out",
    ),
    "None": (variant(Sober, document=lambda self, pair: None), "document() raises TypeError"),
    "a text": (found("a document is lost"), "document() gives a str; give phimask.Finding"),
    "no count": (found(Finding("lost", None, 0)), "with a count of 0; count from 1"),
    "silent": (found(Finding(" ")), "a finding that says nothing"),
    "tells a value": (found(Finding("'Zxqulon' is still there")), "a finding that tells a value or an _id"),
    "tells an _id in the path": (
        found(Finding("lost", "zxqulon-74193026")),
        "a finding that tells a value or an _id",
    ),
    "tells the index's filter": (
        variant(Sober, before=lambda self, facts: [Finding(f"indexes: {facts.indexes}")]),
        "before() gives a finding that tells a value or an _id",
    ),
    "breaks on what is broken": (variant(Sober, document=looks_inside), "document() raises "),
    "breaks on totals": (
        variant(Sober, totals=lambda self, totals: [Finding("x", None, totals.stored // 0)]),
        "totals() raises ",
    ),
    "breaks on facts": (
        variant(Sober, before=lambda self, facts: [Finding(facts.options["collation"])]),
        "before() raises KeyError",
    ),
}


def test_a_good_validator_passes() -> None:
    check(Sober)


@pytest.mark.parametrize(("cls", "expected"), BAD_VALIDATORS.values(), ids=BAD_VALIDATORS)
def test_a_bad_validator_is_found_out(cls: type[Validator], expected: str) -> None:
    refused(check_validator, cls, expected)


def test_what_a_validator_raised_is_not_told() -> None:
    def document(self: Any, pair: Any) -> Any:
        raise ValueError(pair.before)

    with pytest.raises(AssertionError) as caught:
        check_validator(variant(Sober, document=document))
    assert "Zxqulon" not in str(caught.value)
    assert caught.value.__suppress_context__


# Detectors


class Dashes(Detector):
    """Finds 123-45-6789."""

    name = "dashes"
    labels = frozenset({"US_SSN"})

    def detect(self, text: str) -> Iterator[Detection]:
        """See Detector."""
        start = text.find("123-45-6789")
        if start >= 0:
            yield Detection(start, start + 11, "US_SSN", 0.9)


def detects(*found: Any) -> type[Any]:
    return variant(Dashes, detect=lambda self, text: found if len(text) > 100 else ())


def in_bytes(self: Any, text: str) -> list[Detection]:
    start = text.encode("utf-8", "surrogatepass").find(b"123-45-6789")
    return [Detection(start, start + 11, "US_SSN")] if start >= 0 else []


def strict(self: Any, text: str) -> list[Detection]:
    return [Detection(0, 1, "US_SSN") for _ in text.encode()[:1]]


def restless(self: Any, text: str) -> list[Detection]:
    Dashes.turn = getattr(Dashes, "turn", 0) + 1
    return [Detection(0, 1, "US_SSN", 0.5 + Dashes.turn % 2 / 4)] if text else []


BAD_DETECTORS: dict[str, tuple[type[Any], str]] = {
    "no labels": (variant(Dashes, labels=frozenset()), "it declares no labels"),
    "labels as a text": (variant(Dashes, labels="US_SSN"), "it declares no labels"),
    "no detection": (detects((0, 1)), "detect() gives a tuple; give phimask.Detection"),
    "before the text": (detects(Detection(-1, 5, "US_SSN")), "[-1, 5) is no stretch"),
    "behind the text": (detects(Detection(5, 10**6, "US_SSN")), "[5, 1000000) is no stretch"),
    "empty": (detects(Detection(5, 5, "US_SSN")), "[5, 5) is no stretch"),
    "bytes": (variant(Dashes, detect=in_bytes), "count code points, not bytes"),
    "another label": (detects(Detection(0, 5, "SSN")), "the label 'SSN' is not among its `labels`"),
    "more than certain": (detects(Detection(0, 5, "US_SSN", 1.1)), "a confidence of 1.1"),
    "out of order": (
        detects(Detection(5, 9, "US_SSN"), Detection(0, 4, "US_SSN")),
        "its stretches are not in order of start",
    ),
    "breaks on a surrogate": (variant(Dashes, detect=strict), "detect() raises UnicodeEncodeError"),
    "restless": (variant(Dashes, detect=restless), "it finds something else when asked again"),
}


def test_a_good_detector_passes() -> None:
    check(Dashes)


@pytest.mark.parametrize(("cls", "expected"), BAD_DETECTORS.values(), ids=BAD_DETECTORS)
def test_a_bad_detector_is_found_out(cls: type[Detector], expected: str) -> None:
    refused(check_detector, cls, expected)


# Observers


class Counter(Observer):
    """Counts what it is told."""

    name = "counter"

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.told: list[events.Event] = []

    def notify(self, event: events.Event) -> None:
        """See Observer."""
        self.told.append(event)


def close_once(self: Any) -> None:
    self.told.clear()
    del self.told


def rate(self: Any, event: events.Event) -> None:
    if isinstance(event, events.BatchFinished):
        self.rate = event.documents / event.seconds


def begun(self: Any, event: events.Event) -> None:
    if isinstance(event, events.RunStarted):
        self.run_id = event.run_id
    self.run_id.upper()


BAD_OBSERVERS: dict[str, tuple[type[Any], str]] = {
    "no time": (variant(Counter, notify=rate), "notify(BatchFinished) raises ZeroDivisionError"),
    "waits for the beginning": (
        variant(Counter, notify=begun),
        "notify(WorkerStarted) raises AttributeError",
    ),
    "closes once": (
        variant(Counter, close=close_once),
        "close(), called a second time, raises AttributeError",
    ),
    "cannot close": (variant(Counter, close=lambda self: self.file.close()), "close() raises AttributeError"),
}


def test_a_good_observer_passes() -> None:
    check(Counter)


@pytest.mark.parametrize(("cls", "expected"), BAD_OBSERVERS.values(), ids=BAD_OBSERVERS)
def test_a_bad_observer_is_found_out(cls: type[Observer], expected: str) -> None:
    refused(check_observer, cls, expected)


def test_every_event_is_told_to_observers() -> None:
    every = {getattr(events, name) for name in events.__all__} - {events.Event}
    assert {type(event) for event in watching.EVENTS} == every


@pytest.mark.parametrize("cls", [Walk, Halving, Still, InTurn, Sober, Dashes, Counter])
def test_every_kind_is_checked_as_a_class_first(cls: type[Component]) -> None:
    refused(check, variant(cls, __doc__=None), "it has no docstring")
    refused(check, variant(cls, name="Upper"), "its name is 'Upper'")
