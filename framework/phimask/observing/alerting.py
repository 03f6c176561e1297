"""Alerts: when what happens breaks one of a profile's rules, and when it keeps it again.

Judged from the events of a run and a clock, in one place, so that all observers are told the same. A rule speaks up
when it is broken and when that is over, not a batch each: what comes now and then is over after a quiet minute.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from phimask.config.model import Alerts
from phimask.observing.wording import counted, sized, times
from phimask.plugins.events import (
    AlertRaised,
    BatchFinished,
    BreakerTripped,
    CollectionFinished,
    CollectionStarted,
    Event,
    FindingMade,
    Holding,
    PartitionFinished,
    PartitionStarted,
    RunFinished,
    SetAside,
    VerificationProgress,
    WorkerEnded,
)

QUIET: Final = 60.0
"""Seconds without another one after which it is over: a batch too long or too large, an opening, a lost worker."""
_RELIEF: Final = 1.1
"""A run that was slow is not any more at so many times the rate: about it, it would be told again and again."""
_MEANT: Final = frozenset({"time window", "asked to pause"})
"""Reasons to stand still that somebody wants, for as long as they want."""

Recurring = Literal["memory", "batch", "breaker", "worker"]


@dataclass(slots=True)
class _Spell:
    """A time in which something came again and again."""

    last: float
    times: int = 1


class Alerting:
    """Follows the events of one run. Not safe for several threads at once.

    `clock`: seconds, never going back; `now`: seconds since the epoch.
    """

    def __init__(
        self,
        rules: Alerts,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._now = now
        self._namespace: str | None = None
        self._spells: dict[Recurring, _Spell] = {}
        self._counts: Counter[tuple[str, str | None]] = Counter()
        self._told: set[tuple[str, str | None]] = set()
        self._at_work: set[str] = set()
        self._looked = clock()
        self._slow = False
        self._rate = None if rules.slow is None else _Rate(rules.slow.over)
        self._meant_to_hold = False
        self._holding: tuple[str, ...] = ()
        self._held_since = 0.0
        self._held_long = False

    def notify(self, event: Event) -> list[AlertRaised]:
        """Take in an event; what is to be told because of it."""
        self._let_time_pass()
        return list(self._judge(event))

    def look(self) -> list[AlertRaised]:
        """To be called every second or so: what is to be told because of the time that went by."""
        self._let_time_pass()
        return [*self._look_at_rate(), *self._look_at_holding(), *self._look_at_spells()]

    def end(self) -> list[AlertRaised]:
        """The run is about to end: what is open is over with it, so that nobody waits to hear that it is."""
        self._let_time_pass()
        return list(self._end())

    def _end(self) -> Iterator[AlertRaised]:
        if self._slow:
            yield self._cleared("slow", "it was slow until the run ended")
        if self._held_long:
            seconds = self._looked - self._held_since
            yield self._cleared(
                "holding", f"{', '.join(self._holding)} held for {seconds:.0f} s, until the run ended"
            )
        for rule, spell in self._spells.items():
            yield self._cleared(rule, f"the run ended; it was {times(spell.times)}")
        self._slow = self._held_long = False
        self._spells.clear()

    def _judge(self, event: Event) -> Iterator[AlertRaised]:
        if isinstance(event, BatchFinished):
            yield from self._batch(event)
        elif isinstance(event, Holding):
            yield from self._held(event.reasons)
        elif isinstance(event, BreakerTripped):
            yield from self._counted(
                "breaker", f"the circuit breaker opened ({event.reason}): {event.detail}"
            )
        elif isinstance(event, WorkerEnded) and event.reason in ("died", "hung"):
            again = " and is replaced" if event.replaced else ""
            yield from self._counted("worker", f"worker {event.worker} {event.reason}{again}", event.worker)
        elif isinstance(event, FindingMade):
            yield from self._found(event)
        elif isinstance(event, RunFinished) and self._rules.finished:
            yield self._raised("finished", _ending(event))
        self._mind_work(event)

    def _batch(self, event: BatchFinished) -> Iterator[AlertRaised]:
        if self._rate is not None:
            self._rate.documents += event.documents
        rules, most = self._rules, max(event.rss_bytes, event.peak_bytes)
        if rules.batch is not None and event.seconds > rules.batch:
            yield from self._again(
                "batch",
                f"a batch of {event.documents:,} documents took {event.seconds:.1f} s, more than {rules.batch:g} s",
                event.worker,
            )
        if rules.memory is not None and most > rules.memory:
            yield from self._again(
                "memory", f"a batch came to {sized(most)}, more than {sized(rules.memory)}", event.worker
            )
        yield from self._kept_count("quarantine", event.namespace, event.quarantined)

    def _found(self, event: FindingMade) -> Iterator[AlertRaised]:
        if event.validator == "quarantine":  # what batches did not tell: those of before a resume
            missing = event.count - self._counts["quarantine", event.namespace]
            yield from self._kept_count("quarantine", event.namespace, missing)
        else:
            yield from self._kept_count("finding", event.namespace, 1)

    def _counted(
        self, rule: Literal["breaker", "worker"], message: str, worker: str = ""
    ) -> Iterator[AlertRaised]:
        """Something that comes again, which is told from so many times on."""
        least = getattr(self._rules, rule)
        self._counts[rule, None] += 1
        if least is not None and self._counts[rule, None] >= least:
            yield from self._again(rule, message, worker)

    def _again(self, rule: Recurring, message: str, worker: str) -> Iterator[AlertRaised]:
        spell = self._spells.get(rule)
        if spell is not None:
            spell.last = self._looked
            spell.times += 1
            return
        self._spells[rule] = _Spell(self._looked)
        yield self._raised(rule, message, self._namespace, worker)

    def _kept_count(
        self, rule: Literal["quarantine", "finding"], namespace: str, more: int
    ) -> Iterator[AlertRaised]:
        """Something of a collection that stays as it is: told once."""
        if more <= 0:
            return
        least, key = getattr(self._rules, rule), (rule, namespace)
        self._counts[key] += more
        if least is not None and self._counts[key] >= least and key not in self._told:
            self._told.add(key)
            what, where = (
                ("document", "in quarantine") if rule == "quarantine" else ("finding", "of the verification")
            )
            said = f"{counted(self._counts[key], what)} {where} so far; see the report"
            yield self._raised(rule, said, namespace)

    def _held(self, reasons: tuple[str, ...]) -> Iterator[AlertRaised]:
        self._meant_to_hold = bool(reasons)
        unmeant = tuple(reason for reason in reasons if reason not in _MEANT)
        if unmeant and not self._holding:
            self._held_since = self._looked
        elif not unmeant and self._held_long:
            self._held_long = False
            seconds = self._looked - self._held_since
            why = "" if reasons else ", work goes on"
            yield self._cleared("holding", f"{', '.join(self._holding)} held for {seconds:.0f} s{why}")
        self._holding = unmeant

    def _look_at_holding(self) -> Iterator[AlertRaised]:
        limit, seconds = self._rules.holding, self._looked - self._held_since
        if limit is not None and self._holding and not self._held_long and seconds > limit:
            self._held_long = True
            yield self._raised(
                "holding",
                f"work has stood still for {seconds:.0f} s: {', '.join(self._holding)}",
                self._namespace,
            )

    def _look_at_rate(self) -> Iterator[AlertRaised]:
        rule, rate = self._rules.slow, None if self._rate is None else self._rate.look()
        if rule is None or rate is None:
            return
        told = f"{rate:,.0f} documents a second over {rule.over:g} s"
        if not self._slow and rate < rule.documents_per_second:
            self._slow = True
            yield self._raised(
                "slow", f"{told}, fewer than {rule.documents_per_second:,.10g}", self._namespace
            )
        elif self._slow and rate >= rule.documents_per_second * _RELIEF:
            self._slow = False
            yield self._cleared("slow", told)

    def _look_at_spells(self) -> Iterator[AlertRaised]:
        for rule, spell in tuple(self._spells.items()):
            if self._looked - spell.last >= QUIET:
                del self._spells[rule]
                yield self._cleared(rule, f"not again for {QUIET:g} s; it was {times(spell.times)}")

    def _mind_work(self, event: Event) -> None:
        """Who has a partition in hand: while nobody has, nobody is slow."""
        if isinstance(event, PartitionStarted):
            self._at_work.add(event.worker)
        elif isinstance(event, PartitionFinished | SetAside | WorkerEnded):
            self._at_work.discard(event.worker)
        elif isinstance(event, CollectionStarted | CollectionFinished | VerificationProgress):
            self._at_work.clear()
            self._namespace = event.namespace
            if isinstance(event, CollectionStarted) and self._rate is not None:
                self._rate.begin()

    def _let_time_pass(self) -> None:
        now = self._clock()
        if self._rate is not None and self._at_work and not self._meant_to_hold:
            self._rate.seconds += now - self._looked
        self._looked = now

    def _raised(self, rule: str, message: str, namespace: str | None = None, worker: str = "") -> AlertRaised:
        return AlertRaised(rule, message, self._now(), namespace, worker)

    def _cleared(self, rule: str, message: str) -> AlertRaised:
        return AlertRaised(rule, message, self._now(), self._namespace, cleared=True)


class _Rate:
    """Documents a second, over the last `over` of the seconds that were worked."""

    def __init__(self, over: float) -> None:
        self._over = over
        self.begin()

    def begin(self) -> None:
        """Anew."""
        self.seconds = 0.0
        self.documents = 0
        self._points = deque([(0.0, 0)])

    def look(self) -> float | None:
        """The rate now; None before it can be known."""
        self._points.append((self.seconds, self.documents))
        while len(self._points) > 2 and self._points[1][0] <= self.seconds - self._over:
            self._points.popleft()
        then, documents = self._points[0]
        if self.seconds - then < self._over:
            return None
        return (self.documents - documents) / (self.seconds - then)


def _ending(event: RunFinished) -> str:
    """What became of the run, from a report that may be empty."""
    collections: list[Any] = event.report.get("collections", [])
    masked = sum(one["documents"]["masked"] for one in collections)
    quarantined = sum(one["documents"]["quarantined"] for one in collections)
    findings = sum(len(check["findings"]) for one in collections for check in one["verification"])
    seconds = event.report.get("throughput", {}).get("seconds", 0.0)
    return (
        f"run {event.status}: {counted(masked, 'document')} masked in {seconds:,.0f} s, "
        f"{quarantined:,} in quarantine, {counted(findings, 'finding')}"
    )
