"""Where people live and are treated: cities, hospitals, and what stands for them."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors.alternatives import any_case, any_of, cases, each_with
from phimask_plugins.detectors.gazetteer import (
    CITIES,
    HOSPITALS,
    NATIONS,
    NOT_ALONE,
    STATE_CODES,
    STATES,
)
from phimask_plugins.detectors.known import known
from phimask_plugins.detectors.lists import words
from phimask_plugins.detectors.pattern import PatternDetector, united
from phimask_plugins.detectors.scanning import Found, Rule, Scan
from phimask_plugins.detectors.words import FACILITY, NO_NAME, TERMS, is_word, names

_STATE: Final = any_of((*STATE_CODES, *STATES))
_FULL_STATE: Final = any_of(STATES)
_HEAD: Final = (
    r"Hospitals?|Hosp|Clinics?|Medical (?:Center|Centre|Group|Associates|Campus|School|College)|"
    r"Med\.? (?:Center|Ctr)|"
    r"(?:Health|Cancer|Heart|Trauma|Surgery|Surgical|Rehabilitation|Rehab|Care|Wellness|Children's|"
    r"Women's|Eye|Spine|Treatment|Imaging|"
    r"Community|Dialysis|Counseling|Veterans|Outpatient|Research|University|Neurology|Birth|Nursing|"
    r"Senior|Living) (?:Center|Centre|System|"
    r"Network|Services|Care|Partners|Facility|Home|Clinic)|Medical|Med|Health(?:care)?|Institute|"
    r"Infirmary|Hospice|Sanatorium|Memorial|"
    r"General|Presbyterian|University|Pharmacy|Rehab|Dialysis|Manor|Nursing Home|VA|Physicians|Pediatrics|"
    r"Orthopedics|Cardiology|"
    r"Oncology|Dermatology|Healthcare System|Health Sciences|Center|Centre|"
    r"(?:Elementary|Middle|High|Primary|Secondary|Preparatory|Day) School|Academy|Preschool|Daycare|Assisted Living|"
    r"Urgent Care|Family (?:Practice|Medicine|Health)|Shelter|Church|Jail|Prison|Correctional (?:Facility|Center)|"
    r"County|Township|Parish|Borough|Inc|LLC|Corp|Apartments|Estates"
)
_SURE_HEADS: Final = (
    "Hosp",
    "Clinic",
    "Medical",
    "Med",
    "Institute",
    "Infirmary",
    "Hospice",
    "Sanatorium",
    "Memorial",
    "General",
)
_WHERE: Final = (
    *words("where"),
    *each_with(words("visits"), ("in", "at", "to", "from", "by", "through", "with", "into")),
)
_LOWER_PLACE: Final = re.compile(r"\b(?:at|to|from|in|@) (?P<place>(?:[a-z.']{2,14} ){1,3})\Z")
_LOWER_HEADS: Final = (
    r"hospital|clinic|medical center|med center|nursing home|urgent care|health center|hospice"
)
_WHERE_CASES: Final = cases(_WHERE)
_BEFORE_CAPS: Final = r"(?:(?:the|our|my|a|an) )?(?:downtown |nearby |local )?"
_CAPS: Final = r"[A-Z][A-Za-z'&-]*\.?(?:[ /](?:(?:of|and|the|for|&) )?[A-Z][A-Za-z'&-]*\.?){0,5}"
_PLACE: Final = re.compile(rf"(?P<place>{_CAPS})")
_BETWEEN: Final = re.compile(r"(?: (?:the|our|my|a|an))?(?: (?:downtown|nearby|local))?\Z")
_NO_PLACE: Final = words("no_place")
_PLACE_WORDS: Final = words("place_words")
_NO_FRONT: Final = frozenset(
    {"New", "The", "Our", "Good", "Mental", "Public", "Women's", "Children's", "Behavioral", "Primary"}
)
"""What makes no place of a word such as Clinic by itself."""
_WORD_STATES: Final = frozenset({"OR", "IN", "ME", "OK", "HI"})
_DEGREE_STATES: Final = frozenset({"MD", "PA", "MA", "DE", "MS"})
_BEFORE_OF: Final = frozenset(
    {"Church", "City", "College", "County", "Hospital", "House", "Institute", "School", "Sisters", "State",
     "University"}
)  # fmt: skip
_FORM: Final = re.compile(
    r" (?:form|style|style|units?|stage|class|category|group|scale|mode|position)\b|[-/]"
)
_NO_LOWER: Final = frozenset(
    {"the", "a", "an", "our", "my", "your", "this", "that", "her", "his", "their", "another", "any", "outside", "local",
     "nearby", "or", "and", "same", "tertiary", "rural"}
)  # fmt: skip
_PATRONS: Final = frozenset(
    {"mercy", "grace", "providence", "trinity", "good samaritan", "sacred heart", "holy cross", "general", "memorial",
     "county", "city", "unity", "hope", "community", "university", "methodist", "baptist", "lutheran", "presbyterian"}
)  # fmt: skip
_FOLLOWS: Final = re.compile(
    rf"(?:,| in) [A-Z][A-Za-z.'-]+(?: [A-Z][A-Za-z.'-]+){{0,2}}, (?:{_STATE})\b|, (?:{_FULL_STATE})\b"
)
_CARE: Final = re.compile(
    r" (?:downtown )?(?:clinic|hospital|office|campus|medical center|emergency (?:room|department))\b"
)
_IN_CITY: Final = re.compile(r"(?:,| in| of| at)(?: downtown)? (?=[A-Z])")
_TERM: Final = re.compile(r"(?:'s)?[ -]([A-Za-z]+)")
_TERM_STARTS: Final = (" ", "-", "'s")
_GOES_ON: Final = re.compile(r"[ -][a-z]")
_PREPOSED: Final = re.compile(
    r"(?:\b(?:in|at|from|near|to|via|of|outside|around|visited|our|the)|[,(:;/])\s{0,2}(?:the |our |"
    r"downtown )?\Z",
    re.IGNORECASE,
)
_NEARBY: Final = 40
_LEADING: Final = frozenset({"of", "and", "the", "for", "&", "de", "la", "at", "in"})
_ABBREVIATED: Final = (
    "St.", "Mt.", "Ft.", "Dr.", "Med.", "Univ.", "Gen.", "Reg.", "N.", "S.", "E.", "W.", "Sts.", "Ste.",
)  # fmt: skip


def _word_start(text: str, end: int) -> int:
    """Behind the last space, line end or parenthesis before `end`."""
    # There mostly is one nearby; to look for each of them in all of a long text would take as long as the text is.
    for first in (max(0, end - _NEARBY), 0) if end > 0 else (0,):
        before = max(text.rfind(" ", first, end), text.rfind("\n", first, end), text.rfind("(", first, end))
        if before >= 0:
            return before + 1
    return 0


def _front(text: str, end: int) -> int:
    """Where the capitalized words before `end` begin; `end` where there are none."""
    start = first = end
    linked = ""
    for _ in range(7):
        if first < 2 or text[first - 1] != " ":
            break
        begin = _word_start(text, first - 1)
        word = text[begin : first - 1].lstrip("\"'[")
        if not word or (word[-1] in ".,;:!?)" and word not in _ABBREVIATED):
            break
        first -= len(word) + 1
        if word[0].isupper():
            if word in NO_NAME and word not in _PLACE_WORDS:
                break
            if word in _NO_PLACE or (linked and linked not in ("and", "&") and word not in _BEFORE_OF):
                break
            start = first
            linked = ""
        elif word in _LEADING:
            linked = linked or word
        else:
            break
    return start


def _facility(match: re.Match[str]) -> Found | None:
    text = match.string
    start = _front(text, match.start())
    if (
        start == match.start()
        or text[start : match.start()].strip() in NO_NAME
        or _is_term(text, match.end())
    ):
        return None
    front = text[start : match.start() - 1]
    if front in _NO_FRONT:
        return None
    end = match.end()
    if text[end : end + 1] == "." and match[0] in ("Hosp", "Med"):
        end += 1
    return start, _with_city(text, end), 0.8 if match[0].startswith(_SURE_HEADS) else 0.65


def _lower(match: re.Match[str]) -> Found | None:
    """A hospital in lower case, by a word before it that is no usual one."""
    text = match.string
    front = _LOWER_PLACE.search(text, max(0, match.start() - 48), match.start())
    if front is None:
        return None
    words = front["place"].split()
    if any(word.strip(".") in _NO_LOWER for word in words):
        return None
    if all(is_word(word.strip(".")) for word in words) and front["place"].strip() not in _PATRONS:
        return None
    return front.start("place"), match.end(), 0.6


def _in(match: re.Match[str]) -> Found | None:
    """A place that no list knows, after the word `in`."""
    text, place, end = match.string, match["place"], match.end("place")
    first, _, second = place.partition(" ")
    if second and (is_word(second) or second in _NO_PLACE):
        end -= len(second) + 1
        place = first
    if first in _NO_PLACE or first in NATIONS or place in STATES or is_word(first) or first in NO_NAME:
        return None
    if _is_term(text, end) or _FORM.match(text, end):
        return None
    return match.start("place"), _with_city(text, end), 0.5


def _with_city(text: str, end: int) -> int:
    """The end of what follows a place's name to say where it is."""
    if text.startswith(" ", end) and (clinic := _CARE.match(text, end)) is not None:
        end = clinic.end()
    if text.startswith((", ", " in "), end) and (follows := _FOLLOWS.match(text, end)) is not None:
        end = follows.end()
    return end


def _is_term(text: str, end: int) -> bool:
    after = _TERM.match(text, end) if text.startswith(_TERM_STARTS, end) else None
    return after is not None and after[1].lower() in TERMS


def _is_placed(text: str, start: int, end: int) -> bool:
    """Whether a word before it, or punctuation on both sides, makes a place of what may be something else."""
    before = _PREPOSED.search(text, max(0, start - 20), start)
    return before is not None and (before[0][0].isalpha() or _GOES_ON.match(text, end) is None)


def _after_where(_: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    """The place alone, behind words that are known by where they begin and end."""
    head = text[start : end - 2]
    if head not in _WHERE_CASES and _BETWEEN.sub("", head, 1) not in _WHERE_CASES:
        return None
    match = _PLACE.match(text, end - 1)
    return None if match is None or (head[:2].isupper() and match[0].isupper()) else match


def _where(match: re.Match[str]) -> Found | None:
    text, start, end = match.string, match.start("place"), match.end("place")
    words = match["place"].split(" ")
    first = words[0].rstrip(".'")
    if first in _NO_PLACE or first in NATIONS or (first in NO_NAME and first not in _PLACE_WORDS):
        return None
    while (
        words and words[-1] not in FACILITY and (words[-1] in NO_NAME or words[-1].rstrip(".") in _NO_PLACE)
    ):
        end -= len(words.pop()) + 1
    if not words:
        return None
    alone = len(words) == 1
    if alone and (first in NO_NAME or first in names().alone or len(first) < (4 if first.isupper() else 3)):
        return None
    # Where all is in capitals they tell nothing.
    if match.start() < start and match[0][:2].isupper() and match["place"].isupper():
        return None
    while text[end - 1] in "./&'-":
        end -= 1
    return None if _is_term(text, end) else (start, _with_city(text, end), 0.6)


def _city_state(match: re.Match[str]) -> Found | None:
    text, comma = match.string, match.start()
    start = begin = comma
    for _ in range(3):
        before = _word_start(text, begin - 1)
        word = text[before:begin]
        if (
            not word
            or not word[0].isupper()
            or word[-1] in ",;:"
            or (word in NO_NAME and word not in _PLACE_WORDS)
        ):
            break
        start, begin = before, before - 1
        if before == 0 or text[before - 1] != " ":
            break
    city = text[start:comma]
    if not city:
        return None
    if match["zip"] is None and city not in CITIES:
        # `Jones, MD` and `Improved, OR` are no places.
        last = city.rpartition(" ")[2]
        if match["state"] in _WORD_STATES:
            return None
        if match["state"] in _DEGREE_STATES and (last in names().last or last in names().first):
            return None
    return start, match.end(), 0.85


class PlaceDetector(PatternDetector):
    """Cities, and hospitals and other places of care: known ones; what ends in `Hospital`, `Clinic`, `Medical Center`
    and the like; `City, ST`; capitalized words after `at`, `seen at`, `lives in`. A state alone is none.

    Source: 45 CFR 164.514(b)(2)(i)(B), geographic subdivisions smaller than a state.
    """

    name: ClassVar[str] = "place"
    label: ClassVar[str] = "LOCATION"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    uses_known: ClassVar[bool] = True
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(rf"(?<= )(?:{_HEAD})\b", (rf"\b(?:{_HEAD})\b",), _facility),
        Rule(
            r"\b(?:St\.?|Saint|Mt\.?|Mount|Our Lady of) [A-Z][A-Za-z]+(?:'s)?(?: [A-Z][A-Za-z'-]+){0,3}",
            (r"\b(?:St\.?|Saint|Mt\.?|Mount|Our Lady of) [A-Z]",),
            lambda match: None if _is_term(match.string, match.end()) else (*match.span(), 0.7),
        ),
        Rule(
            rf"\b{any_case(_WHERE)} {_BEFORE_CAPS}(?P<place>{_CAPS})",
            (rf"\b(?i:{any_of(_WHERE)}) {_BEFORE_CAPS}[A-Z]",),
            _where,
            glance=_after_where,
        ),
        Rule(
            r"\bin (?P<place>(?:St\.? )?[A-Z][a-z]{3,}(?: [A-Z][a-z]{2,})?)\b",
            (r"\bin [A-Z][a-z]",),
            _in,
        ),
        Rule(rf"(?<= )(?:{_LOWER_HEADS})\b", (rf"\b(?:{_LOWER_HEADS})\b",), _lower),
        Rule(
            rf"(?<=[a-z.]), {{1,2}}(?P<state>{_STATE})\b(?! \()(?:,? {{1,2}}(?P<zip>\d{{5}}(?:-\d{{4}})?)\b)?",
            (rf", {{1,2}}(?:{_STATE})\b",),
            _city_state,
        ),
    )

    def found(self, scan: Scan, number: int, by_rules: list[Found]) -> list[Found]:
        """By the rules, and those that are known by name, with the word clinic or office that follows."""
        seen, result = scan.seen[number], by_rules
        text = seen.form.text
        for start, end in known(seen):
            place = text[start:end]
            if place not in CITIES and place not in HOSPITALS:
                continue
            if _is_term(text, end) or text[start - 1 : start] in ("@", "."):
                continue
            if place in NOT_ALONE and not _is_placed(text, start, end):
                continue
            result.append((start, _with_city(text, end), 0.65))
        return _joined(text, united(result))


def _joined(text: str, places: list[Found]) -> list[Found]:
    """A hospital, and the city that it is in, as one place."""
    result: list[Found] = []
    for one in places:
        between = _IN_CITY.match(text, result[-1][1]) if result else None
        if between is not None and between.end() == one[0]:
            start, _, confidence = result[-1]
            result[-1] = (start, one[1], max(confidence, one[2]))
        else:
            result.append(one)
    return result
