"""One pass over a text for all detectors: where the rules' triggers are, and then what the rules make of it.

A native scanner (Hyperscan) looks for the triggers of all rules at once; only where one begins is its expression
tried. Without that library each expression is searched by itself, which finds the same and takes longer.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any, Final, NamedTuple

from phimask_plugins.detectors.form import form_of

Found = tuple[int, int, float]
"""Start and end in the form of the text, confidence."""
Judge = Callable[[re.Match[str]], Found | None]
Glance = Callable[[re.Pattern[str], str, int, int], "re.Match[str] | None"]
_Place = tuple[int, int, int]
"""Where a trigger matches: number of the text, start, and the end as a negative number: the longest comes first."""
_Hits = dict["Rule", list[_Place]]


class Rule:
    """How one shape of an identifier is found.

    `expression` must match bounded lengths, so that the time is linear in the text's length. Each of its matches
    begins where a match of one of `triggers` begins, and for one end of a trigger's match there is but one
    beginning; triggers are expressions without look-around, all the shorter the better, since every end counts.
    `judge` says what was found, or None where the match is none.

    `glance`, where there is one, is given `expression`, the text, and where a trigger's match begins and ends, and
    answers with what the expression matches there, or with as much of it as `judge` asks for, or with None also where
    `judge` would not believe it. It spares most tries, and long alternations, whose parts are known from the trigger's
    match.
    """

    __slots__ = ("_compiled", "_flags", "_written", "glance", "judge", "triggers")

    def __init__(
        self,
        expression: str,
        triggers: Sequence[str],
        judge: Judge | float,
        flags: int = 0,
        *,
        glance: Glance | None = None,
    ) -> None:
        self._written, self._flags = expression, flags
        self._compiled: re.Pattern[str] | None = None
        prefix = "(?i)" if flags & re.IGNORECASE else ""
        self.triggers = tuple(prefix + trigger for trigger in triggers)
        self.judge: Judge = judge if callable(judge) else sure(judge)
        self.glance = glance

    @property
    def expression(self) -> re.Pattern[str]:
        """Compiled when the first text is looked at: most processes that import rules never look at one."""
        if self._compiled is None:
            self._compiled = re.compile(self._written, self._flags)
        return self._compiled


def sure(confidence: float, group: int | str = 0) -> Judge:
    """A judge who believes every match, or its `group`."""

    def judge(match: re.Match[str]) -> Found:
        return match.start(group), match.end(group), confidence

    return judge


class Seen:
    """One text of those that a scanner saw."""

    __slots__ = ("form", "known", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.form = form_of(text)
        self.known: Sequence[tuple[int, int]] | None = None
        """Where known names and places are, once a detector has looked."""


class Scan:
    """What a scanner saw in some texts."""

    __slots__ = ("_hits", "seen", "touched")

    def __init__(self, seen: Sequence[Seen], rules: Set[Rule], hits: _Hits | None) -> None:
        self.seen = seen
        self.touched: Set[Rule] = rules if hits is None else frozenset(hits)
        """The rules that are worth a try: no other one matches in any of the texts."""
        self._hits = hits

    @property
    def native(self) -> bool:
        """Whether the library did the work."""
        return self._hits is not None

    def has(self, rule: Rule, number: int) -> bool:
        """Whether a rule that is like its triggers matches in one of the texts, whatever its judge thinks."""
        if self._hits is None:
            return rule.expression.search(self.seen[number].form.text) is not None
        return any(place[0] == number for place in self._hits.get(rule, ()))

    def find(self, rules: Iterable[Rule]) -> dict[int, list[Found]]:
        """By number of a text, every match of the rules that their judges believe. For each rule the next one is looked
        for after the last one's end."""
        found: defaultdict[int, list[Found]] = defaultdict(list)
        for rule in rules:
            if self._hits is None:
                for number, one in enumerate(self.seen):
                    if searched := _searched(rule, one.form.text):
                        found[number] += searched
            elif rule in self._hits:
                self._try(rule, self._hits[rule], found)
        return found

    def _try(self, rule: Rule, places: list[_Place], found: dict[int, list[Found]]) -> None:
        seen, expression, glance, judge = self.seen, rule.expression, rule.glance, rule.judge
        if len(places) > 1:
            places.sort()
        current = last = at = -1
        text = ""
        for number, start, negative in places:
            if number != current:
                current, last, at, text = number, -1, 0, seen[number].form.text
            # Of what begins at one place the longest trigger that matches counts, as in an expression.
            if start < at or start == last:
                continue
            if glance is None:
                match, last = expression.match(text, start), start
            elif (match := glance(expression, text, start, -negative)) is not None:
                last = start
            if match is not None and (one := judge(match)) is not None:
                found[number].append(one)
                at = match.end()


def _searched(rule: Rule, text: str) -> list[Found]:
    found: list[Found] = []
    search, at = rule.expression.search, 0
    while (match := search(text, at)) is not None:
        one = rule.judge(match)
        if one is None:
            # A true one may begin within what looked like one.
            at = match.start() + 1
        else:
            found.append(one)
            at = max(match.end(), match.start() + 1)
    return found


class _Native(NamedTuple):
    database: Any
    rules: Sequence[Sequence[Rule]]
    """By the number of a trigger, those that have it."""
    lock: threading.Lock
    """A database's scratch space serves one scan at a time."""


def _native(rules: Sequence[Rule]) -> _Native | None:
    try:
        import hyperscan  # noqa: PLC0415  (optional, and of no use before the first text)
    except ImportError:
        return None
    by_trigger: dict[str, list[Rule]] = {}
    for rule in rules:
        for trigger in rule.triggers:
            by_trigger.setdefault(trigger, []).append(rule)
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(
            expressions=[trigger.encode() for trigger in by_trigger],
            ids=list(range(len(by_trigger))),
            elements=len(by_trigger),
            flags=[hyperscan.HS_FLAG_SOM_LEFTMOST] * len(by_trigger),
        )
    except hyperscan.ArchitectureError:  # a processor without the instructions it takes
        return None
    return _Native(database, tuple(by_trigger.values()), threading.Lock())


class Scanner:
    """Scans texts for a set of rules. `native`: use the library where there is one."""

    def __init__(self, rules: Iterable[Rule], *, native: bool = True) -> None:
        ordered = tuple(rules)
        self._rules = frozenset(ordered)
        self._native = _native(ordered) if native else None

    def scan(self, texts: Iterable[str]) -> Scan:
        """The texts' forms, and where in them each rule is worth a try."""
        seen = [Seen(text) for text in texts]
        if self._native is None:
            return Scan(seen, self._rules, None)
        database, by_trigger, lock = self._native
        places: defaultdict[int, list[_Place]] = defaultdict(list)

        def noted(trigger: int, start: int, end: int, _flags: int, number: int) -> None:
            places[trigger].append((number, start, -end))

        for number, one in enumerate(seen):
            with lock:
                database.scan(one.form.text.encode("ascii"), noted, 0, number)
        hits: _Hits = {}
        for trigger, of_trigger in places.items():
            for rule in by_trigger[trigger]:
                hits[rule] = hits[rule] + of_trigger if rule in hits else of_trigger
        return Scan(seen, self._rules, hits)


class _Last(threading.local):
    scan: Scan | None = None


_last: Final = _Last()
_rules: Final[list[Rule]] = []
_scanners: Final[list[Scanner]] = []
_making: Final = threading.Lock()


def enlist(rules: Iterable[Rule]) -> None:
    """Let the shared scanner look for these rules too."""
    with _making:
        _rules.extend(rules)
        _scanners.clear()


def scan_all(texts: Iterable[str]) -> Scan:
    """The shared scanner's scan of several texts."""
    with _making:
        if not _scanners:
            _scanners.append(Scanner(_rules))
        scanner = _scanners[0]
    return scanner.scan(texts)


def scan(text: str) -> Scan:
    """The shared scanner's scan of one text. The last one is kept, since detectors are asked one by one."""
    last = _last.scan
    if last is not None and (last.seen[0].text is text or last.seen[0].text == text):
        return last
    _last.scan = result = scan_all((text,))
    return result
