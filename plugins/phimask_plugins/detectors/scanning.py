"""One pass over a text for all detectors: where the rules' triggers are, and then what the rules make of it.

A native scanner (Hyperscan) looks for the triggers of all rules at once; only where one begins is its expression
tried. Without that library each expression is searched by itself, which finds the same and takes longer.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from phimask_plugins.detectors.form import Form, form_of

Found = tuple[int, int, float]
"""Start and end in the form of the text, confidence."""
Judge = Callable[[re.Match[str]], Found | None]


class Rule:
    """How one shape of an identifier is found.

    `expression` must match bounded lengths, so that the time is linear in the text's length. Each of its matches
    begins where a match of one of `triggers` begins, and for one end of a trigger's match there is but one
    beginning; triggers are expressions without look-around, all the shorter the better, since every end counts.
    `judge` says what was found, or None where the match is none.
    """

    __slots__ = ("_compiled", "_flags", "_written", "judge", "triggers")

    def __init__(
        self, expression: str, triggers: Sequence[str], judge: Judge | float, flags: int = 0
    ) -> None:
        self._written, self._flags = expression, flags
        self._compiled: re.Pattern[str] | None = None
        prefix = "(?i)" if flags & re.IGNORECASE else ""
        self.triggers = tuple(prefix + trigger for trigger in triggers)
        self.judge: Judge = judge if callable(judge) else sure(judge)

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


class Scan:
    """What a scanner saw in one text."""

    __slots__ = ("_starts", "form", "known", "text")

    def __init__(self, text: str, form: Form, starts: dict[Rule, list[int]] | None) -> None:
        self.text = text
        self.form = form
        self.known: Sequence[tuple[int, int]] | None = None
        """Where known names and places are, once a detector has looked."""
        self._starts = starts

    @property
    def native(self) -> bool:
        """Whether the library did the work."""
        return self._starts is not None

    def has(self, rule: Rule) -> bool:
        """Whether its expression matches anywhere, whatever its judge thinks."""
        text, match_at = self.form.text, rule.expression.match
        if self._starts is None:
            return rule.expression.search(text) is not None
        return any(match_at(text, start) for start in self._starts.get(rule, ()))

    def find_all(self, rules: Sequence[Rule]) -> list[Found]:
        """What `find` finds of each rule."""
        if self._starts is None:
            return [one for rule in rules for one in self._search(rule)]
        found: list[Found] = []
        for rule in rules:
            starts = self._starts.get(rule)
            if starts is not None:  # for few detectors in most texts
                self._try(rule, starts, found)
        return found

    def find(self, rule: Rule) -> list[Found]:
        """Every match of the rule that its judge believes, the next one looked for after the last one's end."""
        return self.find_all((rule,))

    def _try(self, rule: Rule, starts: list[int], found: list[Found]) -> None:
        text, match_at, at = self.form.text, rule.expression.match, 0
        for start in starts if len(starts) == 1 else sorted(set(starts)):
            if start >= at and (match := match_at(text, start)) and (one := rule.judge(match)):
                found.append(one)
                at = match.end()

    def _search(self, rule: Rule) -> list[Found]:
        found: list[Found] = []
        text, search, at = self.form.text, rule.expression.search, 0
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
        self._rules = tuple(rules)
        self._native = _native(self._rules) if native else None

    def scan(self, text: str) -> Scan:
        """The text's form, and where each rule is worth a try."""
        form = form_of(text)
        if self._native is None:
            return Scan(text, form, None)
        by_trigger = self._native.rules
        starts: dict[Rule, list[int]] = {}

        def noted(number: int, start: int, _end: int, _flags: int, _context: object) -> None:
            for rule in by_trigger[number]:
                if rule in starts:
                    starts[rule].append(start)
                else:
                    starts[rule] = [start]

        with self._native.lock:
            self._native.database.scan(form.text.encode("ascii"), match_event_handler=noted)
        return Scan(text, form, starts)


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


def scan(text: str) -> Scan:
    """The shared scanner's scan. The last one is kept, since detectors are asked about a text one by one."""
    last = _last.scan
    if last is not None and (last.text is text or last.text == text):
        return last
    with _making:
        if not _scanners:
            _scanners.append(Scanner(_rules))
        scanner = _scanners[0]
    _last.scan = result = scanner.scan(text)
    return result
