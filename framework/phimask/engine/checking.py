"""Validators at work: what they find is counted by path and told to observers, never with a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pymongo.errors import PyMongoError

from phimask.path_counts import MOST_FIELDS, with_few_paths
from phimask.plugins.interfaces import Validator
from phimask.plugins.values import CollectionFacts, DocumentPair, Finding, Phase, Totals


@dataclass(frozen=True, slots=True)
class Checked:
    """A validator's result in one phase: how many documents it saw, and what it found, added up.

    `affected` of them had a finding of their own. `unjudged`: what could not be judged, and why. `of`: the documents
    are a random sample of so many; None: they are all there were to check. `judged`: it could judge anything at all.
    """

    validator: str
    phase: Phase
    checked: int
    findings: tuple[Finding, ...]
    unjudged: tuple[Finding, ...] = ()
    affected: int = 0
    of: int | None = None
    judged: bool = True

    @property
    def ok(self) -> bool:
        """It could judge, and found nothing."""
        return self.judged and not self.findings


class Checks:
    """The validators of one phase over any number of documents and totals."""

    def __init__(self, phase: Phase, validators: Sequence[Validator]) -> None:
        self.phase: Phase = phase
        self._validators = [one for one in validators if phase in one.phases]
        self._showing = list(self._validators)
        self._seen: Counter[str] = Counter({one.name: 0 for one in self._validators})
        self._affected: Counter[str] = Counter()
        self._found: dict[str, Counter[tuple[str, str | None]]] = {
            one.name: Counter() for one in self._validators
        }
        self._rounds = 1

    @property
    def wanted(self) -> bool:
        """Whether any validator takes part in this phase."""
        return bool(self._validators)

    def documents(self, pairs: Iterable[DocumentPair]) -> None:
        """Show documents to every validator that wants them in this round."""
        looking = [one for one in self._showing if type(one).document is not Validator.document]
        shown = 0
        for pair in pairs:
            shown += 1
            for one in looking:
                if self._note(one, one.document, pair):
                    self._affected[one.name] += 1
        if self._rounds == 1:
            for one in self._showing:
                self._seen[one.name] += shown

    def totals(self, totals: Totals) -> None:
        """Show counts to every validator."""
        for one in self._validators:
            self._note(one, one.totals, totals)

    def collection(self, before: CollectionFacts | None, after: CollectionFacts) -> None:
        """Show every validator the collection as it was and as it is."""
        for one in self._validators:
            self._note(one, one.collection, before, after)

    def gathered(self) -> dict[str, bytes]:
        """What the validators of this round have gathered."""
        found: dict[str, bytes] = {}
        for one in self._showing:
            try:
                found[one.name] = one.gathered()
            except Exception as error:  # noqa: BLE001  (as in _note)
                self._failed(one, error)
        return found

    def join(self, gathered: Sequence[Mapping[str, bytes]]) -> dict[str, bytes]:
        """The leading validators make one of what the others have gathered."""
        joined: dict[str, bytes] = {}
        for one in self._validators:
            parts = [each[one.name] for each in gathered if one.name in each]
            if parts:
                try:
                    joined[one.name] = one.join(parts)
                except Exception as error:  # noqa: BLE001
                    self._failed(one, error)
        return joined

    def next_round(self, joined: Mapping[str, bytes]) -> set[str]:
        """Which validators want to see the documents once more."""
        wanting: set[str] = set()
        for one in self._validators:
            if one.name in joined:
                try:
                    if one.next_round(joined[one.name]):
                        wanting.add(one.name)
                except Exception as error:  # noqa: BLE001
                    self._failed(one, error)
        return wanting

    def recall(self, name: str, learnt: Iterable[bytes], documents: int) -> None:
        """Tell the validator of that name what it learnt while about so many documents were masked."""
        for one in self._validators:
            if one.name == name:
                try:
                    one.recall(learnt, documents)
                except PyMongoError:
                    raise
                except Exception as error:  # noqa: BLE001  (as in _note)
                    self._failed(one, error)

    def show(self, wanting: Iterable[str]) -> None:
        """A further round, for these."""
        names = set(wanting)
        self._rounds += 1
        self._showing = [one for one in self._validators if one.name in names]

    def conclude(self, earlier: Mapping[str, Sequence[Validator]]) -> None:
        """The leading validators' last word; `earlier` are those of collections before, by name."""
        for one in self._validators:
            self._note(one, one.conclude, earlier.get(one.name, ()))

    @property
    def validators(self) -> tuple[Validator, ...]:
        """Those that take part."""
        return tuple(self._validators)

    def _note(self, one: Validator, ask: Callable[..., Iterable[Finding]], *shown: object) -> bool:
        """Ask, and count what is found; whether anything is."""
        found = False
        try:
            for finding in ask(*shown):
                self._found[one.name][finding.what, finding.path] += finding.count
                found = True
            if len(self._found[one.name]) > MOST_FIELDS:
                self._found[one.name] = with_few_paths(self._found[one.name])
        except Exception as error:  # noqa: BLE001  (a validator that breaks has not validated: that is a finding)
            self._failed(one, error)
            return True
        return found

    def _failed(self, one: Validator, error: Exception) -> None:
        self._found[one.name][_failure(error), None] += 1

    def take(self) -> tuple[Counter[str], Counter[tuple[str, str, str | None]]]:
        """What was checked and found since this was last asked: documents by validator, and findings."""
        seen = Counter(self._seen)
        found = Counter(
            {
                (name, what, path): count
                for name, kinds in self._found.items()
                for (what, path), count in with_few_paths(kinds).items()
            }
        )
        for one in self._validators:
            self._seen[one.name] = 0
            self._found[one.name].clear()
        return seen, found

    def results(self) -> list[Checked]:
        """What there is so far."""
        return [
            Checked(
                one.name,
                self.phase,
                self._seen[one.name] if _sees_documents(one) else 0,
                _findings(self._found[one.name]),
                self._unjudged(one),
                self._affected[one.name],
                judged=bool(self._seen[one.name]) or _judges_without(one),
            )
            for one in self._validators
            if self._seen[one.name] or self._found[one.name] or _judges_without(one)
        ]

    def _unjudged(self, one: Validator) -> tuple[Finding, ...]:
        try:
            return tuple(one.unjudged())
        except Exception as error:  # noqa: BLE001  (as in _note)
            return (Finding(_failure(error)),)


def _findings(found: Counter[tuple[str, str | None]]) -> tuple[Finding, ...]:
    return tuple(Finding(what, path, count) for (what, path), count in with_few_paths(found).items())


def _failure(error: Exception) -> str:
    return f"the validator failed ({type(error).__name__})"


def added_up(results: Iterable[Sequence[Checked]]) -> list[Checked]:
    """The same validators' results over different documents, as one each, in the order in which they come."""
    by_name: dict[str, list[Checked]] = {}
    for some in results:
        for one in some:
            by_name.setdefault(one.validator, []).append(one)
    return [_sum(found) for found in by_name.values()]


def _sum(found: Sequence[Checked]) -> Checked:
    first = found[0]
    findings: Counter[tuple[str, str | None]] = Counter()
    unjudged: Counter[tuple[str, str | None]] = Counter()
    for one in found:
        for finding in one.findings:
            findings[finding.what, finding.path] += finding.count
        for finding in one.unjudged:
            unjudged[finding.what, finding.path] += finding.count
    return Checked(
        first.validator,
        first.phase,
        sum(one.checked for one in found),
        _findings(findings),
        tuple(Finding(what, path, count) for (what, path), count in unjudged.items()),
        sum(one.affected for one in found),
        first.of,
        any(one.judged for one in found),
    )


def _sees_documents(validator: Validator) -> bool:
    """Whether documents or their counts are anything to the validator."""
    cls = type(validator)
    return cls.document is not Validator.document or cls.totals is not Validator.totals


def _judges_without(validator: Validator) -> bool:
    """Whether the validator looks at anything but documents; one that does not has checked nothing without them."""
    cls = type(validator)
    return cls.totals is not Validator.totals or cls.collection is not Validator.collection
