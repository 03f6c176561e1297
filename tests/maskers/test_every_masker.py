"""What holds for all built-in maskers, whatever the values."""

from __future__ import annotations

import copy
import re
from typing import Any

import bson
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from masker_cases import KEY, ODD_VALUES, OTHER_KEY, TYPES, mask, same, scalars, taken

from effort import examples
from phimask import FAILED, REMOVE, Masker
from phimask_plugins import maskers
from phimask_plugins.detectors import registered
from phimask_plugins.maskers.fake import KINDS, Fake

CASES: list[tuple[type[Masker], dict[str, Any]]] = [
    (maskers.Keep, {}),
    (maskers.Redact, {}),
    (maskers.Redact, {"text": "gone"}),
    (maskers.Redact, {"keep_length": True}),
    (maskers.Nullify, {}),
    (maskers.Remove, {}),
    (maskers.Replace, {"value": "masked"}),
    (maskers.Replace, {"value": 7}),
    (maskers.Replace, {"value": 2**40}),
    (maskers.Replace, {"value": 1.5}),
    (maskers.Replace, {"value": True}),
    (maskers.Replace, {"value": None}),
    (maskers.Partial, {}),
    (maskers.Partial, {"first": 2, "last": 0, "character": "•"}),
    (maskers.Partial, {"first": 1, "last": 1, "keep_separators": False}),
    (maskers.Hash, {}),
    (maskers.Hash, {"length": 8}),
    (maskers.Hash, {"encoding": "base32"}),
    (maskers.Hash, {"encoding": "integer"}),
    (maskers.DateShift, {}),
    (maskers.DateShift, {"min_days": 3, "max_days": 3}),
    (maskers.DateTruncate, {}),
    (maskers.DateTruncate, {"to": "month"}),
    (maskers.DateTruncate, {"to": "day"}),
    (maskers.DateTruncate, {"to": "quarter"}),
    (maskers.DateTruncate, {"to": "decade"}),
    (maskers.AgeCap, {}),
    (maskers.AgeCap, {"over": 0, "cap": 1}),
    (maskers.AgeCap, {"as_of": "2024-06-30"}),
    (maskers.RegexReplace, {"pattern": "[0-9]+", "replacement": "#"}),
    (maskers.RegexReplace, {"pattern": r"(\w)(\W*)", "replacement": r"\2_", "count": 3, "unmatched": "keep"}),
    (maskers.Pseudonym, {}),
    (maskers.Pseudonym, {"prefix": "P-", "style": "syllables", "length": 15}),
    (maskers.Generalize, {"width": 10}),
    (maskers.Generalize, {"width": 0.5, "top": 90, "show": "range"}),
    (maskers.Generalize, {"edges": [0, 18.5, 65], "bottom": 0}),
    (maskers.Generalize, {"edges": [0, 18], "labels": ["none", "child", "adult"]}),
    (maskers.Generalize, {"bottom": 10, "top": 90}),
    (maskers.Generalize, {"map": {"a": "b", "7": "seven"}, "default": "other"}),
    (maskers.Generalize, {"map": {"a": 1, "1": 2}}),
    (maskers.Generalize, {"prefix": 3}),
    (maskers.Generalize, {"period": "quarter"}),
    (maskers.Round, {}),
    (maskers.Round, {"digits": -2}),
    (maskers.Round, {"multiple": 0.25}),
    (maskers.Round, {"multiple": 7}),
    (maskers.Perturb, {}),
    (maskers.Perturb, {"absolute": 3, "min": 0, "max": 99.5}),
    (maskers.Scramble, {}),
    (maskers.Choice, {"values": [f"choice {number}" for number in range(500)]}),
    (maskers.Choice, {"values": list(range(500)), "by": "subject"}),
    (maskers.Derive, {"from": "LastName"}),
    (maskers.Derive, {"template": "{LastName}, Dr.", "as": "upper"}),
    (maskers.RefreshUid, {}),
    (maskers.RefreshUid, {"keep_time": True}),
    (maskers.Chain, {"maskers": ["keep"]}),
    (maskers.Chain, {"maskers": ["date_shift", {"name": "date_truncate", "options": {"to": "month"}}]}),
    (maskers.Chain, {"maskers": [{"name": "partial", "options": {"first": 1}}, "hash"]}),
    (maskers.Chain, {"maskers": ["partial", "nullify"]}),
    (maskers.Chain, {"maskers": [{"name": "derive", "options": {"from": "LastName"}}, "hash"]}),
    (maskers.KeepNull, {"masker": "hash"}),
    (maskers.KeepNull, {"masker": {"name": "fake", "options": {"kind": "first_name"}}, "nulls": ["UNK", -9]}),
    (maskers.KeepNull, {"masker": "date_shift"}),
    (maskers.Zip3, {}),
    (maskers.Zip3, {"style": "short"}),
    (maskers.Encrypt, {}),
    (maskers.Encrypt, {"output": "binData"}),
    (maskers.Fpe, {"alphabet": "alphanumeric"}),
    (maskers.Fpe, {"alphabet": "alphanumeric", "keep_others": True, "allow_small": True}),
    (maskers.FpeDecrypt, {"alphabet": "alphanumeric"}),
    (maskers.FhirId, {}),
    (maskers.FreeText, {}),
    (maskers.FreeText, {"style": "tag", "min_confidence": 0, "html": True}),
    *((Fake, {"kind": kind}) for kind in KINDS),
    (Fake, {"kind": "mrn", "unique": True}),
    (Fake, {"kind": "full_name", "keep": ["length", "gender"]}),
    (maskers.DateShift, {"keep": []}),
    (maskers.DateShift, {"keep": ["time_of_day", "season"]}),
    (maskers.DateShift, {"scope": "collection"}),
]
every_case = pytest.mark.parametrize(
    ("cls", "options"),
    CASES,
    ids=[f"{cls.name}-{'-'.join(map(str, options.values()))[:60] or 'default'}" for cls, options in CASES],
)


def make(cls: type[Masker], options: dict[str, Any], key: bytes = KEY) -> Masker:
    def inner(name: str, inner_options: dict[str, Any]) -> Masker:
        return make({one.name: one for one in maskers.ALL}[name], inner_options, key)

    given: dict[str, Any] = {"make": inner} if cls.needs_make else {}
    if cls.needs_detectors:
        given["detectors"] = tuple(detector({}) for detector in registered.ALL)
    return cls(options, key if cls.needs_key else None, **given)


def check(masker: Masker, values: list[Any]) -> list[Any]:
    """Masks a column and checks what every column's result must be."""
    before = copy.copy(values)
    results = mask(masker, *values)
    assert len(results) == len(values)
    assert all(one is other for one, other in zip(values, before, strict=True))
    for value, result in zip(values, results, strict=True):
        if result is FAILED:
            continue
        if masker.removes:
            assert result is REMOVE
            continue
        if masker.changes != "never":
            bson.encode({"": result})
        assert TYPES[type(result)] in (masker.produces or {TYPES[type(value)]})
        if masker.changes == "always" and value != "":
            assert not (type(result) is type(value) and result == value)
        if masker.changes == "never":
            assert result is value
    return results


NEEDS_MORE = {maskers.Command, maskers.Decrypt, maskers.Tokenize, maskers.Detokenize}
"""A program, what another masker made, or a vault: their own tests bring it."""


def test_all_built_in_maskers_are_in_the_cases():
    assert {cls for cls, _ in CASES} == set(maskers.ALL) - NEEDS_MORE
    assert len({cls.name for cls in maskers.ALL}) == len(maskers.ALL)


@pytest.mark.parametrize("cls", maskers.ALL)
def test_options_schema_describes_each_option_and_its_default_is_the_constructors(cls):
    schema = dict(cls.options_schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    for option in schema.get("properties", {}).values():
        assert option["description"].endswith((".", ")"))
        if "default" in option:
            jsonschema.Draft202012Validator(option).validate(option["default"])


@every_case
def test_default_options_are_those_of_the_schema(cls, options):
    properties = cls.options_schema.get("properties", {})
    filled = {
        name: option["default"]
        for name, option in properties.items()
        if "default" in option and option.get("format") not in ("size", "duration")
    } | options
    jsonschema.Draft202012Validator(cls.options_schema).validate(filled)
    bare, explicit = make(cls, options), make(cls, filled)
    for one, other in zip(mask(bare, *taken(bare)), mask(explicit, *taken(explicit)), strict=True):
        assert one is other or same(one, other)


@every_case
def test_odd_values_are_masked_or_failed_and_never_raise(cls, options):
    check(make(cls, options), taken(make(cls, options)))


@every_case
def test_a_type_it_does_not_take_fails_and_is_never_passed_on(cls, options):
    masker = make(cls, options)
    for value in ODD_VALUES:
        if TYPES[type(value)] not in masker.types:
            outcome = _outcome(masker, value)
            assert outcome is FAILED or not same(outcome, value)
            assert not isinstance(outcome, Exception) or "Ada" not in str(outcome)


def _outcome(masker: Masker, value: Any) -> Any:
    try:
        (result,) = mask(masker, value)
    except Exception as error:  # noqa: BLE001  (the engine takes any as a failure)
        return error
    return result


@every_case
def test_an_empty_column_stays_empty(cls, options):
    assert mask(make(cls, options)) == []


@every_case
def test_an_empty_string_stays_empty_where_the_masker_makes_a_string_of_it(cls, options):
    masker = make(cls, options)
    if "string" in masker.types and masker.produces is None:
        assert mask(masker, "") == [""]


@every_case
@settings(max_examples=examples(15), deadline=None)
@given(data=st.data())
def test_same_key_same_result_in_any_order_and_column(cls, options, data):
    masker = make(cls, options)
    values = taken(masker, data.draw(st.lists(scalars, max_size=8)))
    results = check(masker, values)
    for again in (check(masker, values), check(make(cls, options), values[::-1])[::-1]):
        assert all(one is other or same(one, other) for one, other in zip(results, again, strict=True))
    for value, result in zip(values, results, strict=True):
        (alone,) = mask(make(cls, options), value)
        assert alone is result or same(alone, result)


@every_case
@settings(max_examples=examples(25), deadline=None)
@given(value=scalars)
def test_masking_twice_is_masking_once_where_it_says_so(cls, options, value):
    masker = make(cls, options)
    if not masker.idempotent or TYPES[type(value)] not in masker.types or masker.removes:
        return
    (once,) = mask(masker, value)
    if once is FAILED or once is None:
        return
    (twice,) = mask(masker, once)
    assert same(twice, once)


def _samples(cls: type[Masker], options: dict[str, Any]) -> list[Any]:
    """Forty values that the masker can mask."""
    if "date_shift" in (cls.name, options.get("masker")) or options.get("kind") == "date_of_birth":
        return [f"19{number + 20}-05-17" for number in range(40)]
    if cls is maskers.Perturb:
        return [20.25 + number for number in range(40)]
    if cls is maskers.RefreshUid:
        return [f"0a1b2c3d-0000-1000-8000-0000000000{number + 20:x}" for number in range(40)]
    return [f"Some Value {number}" for number in range(40)]


@every_case
def test_another_key_gives_other_results(cls, options):
    if not cls.needs_key:
        assert make(cls, options).key == b""
        return
    values = _samples(cls, options)
    subjects = [b"subject %d" % number for number in range(40)]
    mine = mask(make(cls, options), *values, subjects=subjects)
    theirs = mask(make(cls, options, OTHER_KEY), *values, subjects=subjects)
    differing = sum(one != other for one, other in zip(mine, theirs, strict=True))
    assert FAILED not in mine
    assert differing >= (10 if "max_days" in options else 30)


@every_case
def test_without_its_key_a_masker_gives_nothing(cls, options):
    if cls.needs_key:
        with pytest.raises(ValueError, match="needs a masking key") as raised:
            mask(cls(options), _samples(cls, options)[0])
        assert "Some" not in str(raised.value)


def check_long_texts(masker: Masker, size: int) -> None:
    if "string" not in masker.types:
        return
    for text in ("Ada Lovelace 1815-12-10 " * (size // 24), "7" * size):
        (result,) = mask(masker, text)
        masked = result is FAILED or masker.removes or result != text or masker.changes == "never"
        # Millions of digits in a row identify nobody that a detector would know.
        assert masked or (masker.name == "free_text" and text.isdecimal())


@every_case
def test_long_texts_are_taken_or_failed(cls, options):
    check_long_texts(make(cls, options), 100_000 if cls is maskers.FreeText else 500_000)


@pytest.mark.soak
@every_case
def test_ten_megabytes_of_text_are_taken_or_failed(cls, options):
    check_long_texts(make(cls, options), 10_000_000)


@every_case
def test_repr_shows_no_key_and_no_value(cls, options):
    masker = make(cls, options)
    mask(masker, *taken(masker, ["Ada Lovelace", "1815-12-10"]))
    shown = repr(masker) + repr(list(vars(masker).values()) if cls is Fake else "")
    shown = re.sub("0x[0-9a-f]+", "", shown)  # addresses in memory
    assert "Ada" not in shown
    assert "1815" not in shown
