"""keep_null: what stands for no value stays, the rest is masked as without it."""

from __future__ import annotations

from typing import Any

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from masker_cases import KEY, mask

from phimask import FAILED, Column, Masker
from phimask_plugins import maskers
from phimask_plugins.maskers import KeepNull

BY_NAME = {cls.name: cls for cls in maskers.ALL}


def make(name: str, options: Any) -> Masker:
    cls = BY_NAME[name]
    return cls(options, KEY if cls.needs_key else None)


def keep_null(masker: Any, **options: Any) -> KeepNull:
    return KeepNull({"masker": masker, **options}, make=make)


@pytest.mark.parametrize("value", ["N/A", " n/a\t", "unknown", "UNKNOWN", "-", "?", ""])
def test_what_stands_for_no_value_stays(value):
    assert mask(keep_null("hash"), value) == [value]


@pytest.mark.parametrize(
    "value", ["Ada", "Null", "Nan", "Unk", "n/a.", "unknown soldier", "\ufeffn/a", "\ud800"]
)
def test_all_else_is_masked_as_without_it(value):
    assert mask(keep_null("hash"), value) == mask(make("hash", {}), value)
    assert mask(keep_null("hash"), value) != [value]


def test_what_is_listed_takes_the_place_of_the_default():
    masker = keep_null("hash", nulls=["UNK", -9])
    masked = mask(masker, "unk", -9, Int64(-9), -9.0, Decimal128("-9.0"), "n/a", 9, True)
    assert masked[:5] == ["unk", -9, -9, -9.0, Decimal128("-9.0")]
    assert masked[5] not in ("n/a", FAILED)
    assert masked[6] not in (9, FAILED)
    assert masked[7] is FAILED


@pytest.mark.parametrize("value", [Decimal128("sNaN"), Decimal128("NaN"), float("nan"), float("inf"), True])
def test_what_is_no_number_is_none_of_the_numbers(value):
    assert mask(keep_null("redact", nulls=[0, 1]), value) == mask(make("redact", {}), value)


def test_the_masker_is_given_its_own_part_of_the_column():
    seen: list[Column] = []

    class Looks(Masker):
        name = "looks"
        types = frozenset({"string"})
        needs_subject = needs_siblings = True

        def mask(self, column: Column) -> list[Any]:
            seen.append(column)
            return ["x"] * len(column.values)

    masker = KeepNull({"masker": "looks"}, make=lambda name, options: Looks(options))
    column = Column("P", ["a", "N/A", "b"], [b"1", b"2", b"3"], [[], [], []], ["P.0", "P.1", "P.2"])
    assert masker.needs_subject
    assert masker.needs_siblings
    assert masker.mask(column) == ["x", "N/A", "x"]
    assert (seen[0].values, seen[0].subjects, seen[0].places) == (["a", "b"], [b"1", b"3"], ["P.0", "P.2"])


def test_a_masker_that_lets_through_what_it_promised_to_change_fails():
    class Lazy(Masker):
        name = "lazy"
        types = frozenset({"string"})

        def mask(self, column: Column) -> list[Any]:
            return [7 if value == "b" else value for value in column.values]

    masker = KeepNull({"masker": "lazy"}, make=lambda name, options: Lazy(options))
    assert mask(masker, "a", "b", "N/A") == [FAILED, FAILED, "N/A"]


def test_it_promises_what_its_masker_does():
    assert keep_null("date_shift").needs_subject
    assert keep_null("hash").uniqueness == "probable"
    assert keep_null("fpe").uniqueness == "probable"
    assert keep_null("redact").idempotent
    assert keep_null("keep").changes == "never"
    assert keep_null("date_truncate").types == BY_NAME["date_truncate"].types
    assert keep_null("nullify").produces == {"null", "string", "int", "long", "double", "decimal"}


def test_a_masker_that_takes_fields_out_is_refused():
    with pytest.raises(ValueError, match="remove takes fields out"):
        keep_null("remove")


def test_the_inner_masker_s_hazards_are_its_own():
    class Hindered(Masker):
        name = "hindered"
        types = frozenset({"string"})

        def before(self) -> list[str]:
            return ["it is Sunday; wait"]

        def mask(self, column: Column) -> list[Any]:
            return list(column.values)

    def make_hindered(name: str, options: Any) -> Masker:
        return Hindered(options)

    assert list(KeepNull({"masker": "hindered"}, make=make_hindered).before()) == ["it is Sunday; wait"]
    chain = maskers.Chain({"maskers": ["hindered", "hindered"]}, make=make_hindered)
    assert list(chain.before()) == ["it is Sunday; wait"] * 2
