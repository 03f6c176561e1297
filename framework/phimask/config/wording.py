"""How faults speak: places, lists of names, guesses at what was meant.

A message is read by somebody who did not write phimask, at a bad hour: it says what is wrong and then what
would be right, and guesses the word that was meant where a guess is good.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from phimask.config.model import Origin
from phimask.errors import Fault

_LONGEST_SHOWN = 60
_MOST_NAMES = 12


def fault_at(origin: Origin, wrong: str, right: str) -> Fault:
    """A fault at the place that `origin` names."""
    return Fault(origin.file, origin.line, origin.path, wrong, right)


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Each fault once, by file, line and path."""
    return sorted(set(faults), key=lambda fault: (fault.file, fault.line or 0, fault.path, fault.wrong))


def closest(word: str, names: Iterable[str]) -> str | None:
    """The name that `word` was probably meant to be, or None where no guess is good."""
    by_lower = {name.lower().replace("-", "_"): name for name in names}
    wanted = word.lower().replace("-", "_")
    close = difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def listed(names: Sequence[str], joint: str) -> str:
    """`a, b or c`; of many, the first dozen and how many more there are."""
    shown = list(names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        return f"{', '.join(shown)} {joint} {len(names) - _MOST_NAMES} more"
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} {joint} {shown[-1]}"


def guess_or_list(word: str, names: Sequence[str], of_all: str) -> str:
    """`did you mean 'x'?`, or all the names behind `of_all`, such as `the maskers are`."""
    guess = closest(word, names)
    if guess is not None:
        return f"did you mean '{guess}'?"
    if len(names) < 2:
        return f"there is only {names[0]}" if names else "there are none"
    return f"{of_all} {listed(names, 'and')}"


def plain(text: str) -> str:
    """The text without signs that nobody sees or that turn the direction of what follows: those are spelt out."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text
    )


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can spell it: an escape in a file, or an argument, may stand for half a character (a surrogate)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def quoted(text: str) -> str:
    """The text in quotes, on one line, cut where it is long."""
    flat = plain(" ".join(text.split()))
    return f"'{flat}'" if len(flat) <= _LONGEST_SHOWN else f"'{flat[:_LONGEST_SHOWN]}…'"
