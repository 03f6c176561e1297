"""Bad input, for every masker, by the engine's own way: masked or blanked, counted, and never told of."""

# ruff: noqa: DTZ001  (BSON dates decode to naive UTC)

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from masker_cases import mask
from test_every_masker import CASES, every_case, make

from phimask import FAILED, REMOVE, Masker
from phimask.masking.bson_types import LOSSLESS, redaction
from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.outcomes import Masked, Unchanged
from phimask.testing.samples import CANARIES

BAD: dict[str, Any] = {
    "empty string": "",
    "white space": " \t\n",
    "NUL": "a\0b",
    "malformed date": "2023-02-30",
    "date of year 0": "0000-00-00",
    "date of year 10000": "10000-01-01",
    "date with a stray end": "2023-02-03T99:99:99Z",
    "date in words": "the third of May",
    "emoji": "👩‍⚕️🩺",
    "right-to-left": "عبد الله بن محمد",
    "direction override": "\u202eecalevoL adA\u202c",
    "combining": "e\u0301" * 3,
    "full-width digits": "\uff19\uff10\uff10\uff0d\uff11\uff12",
    "control characters": "\x01\x1b[31m\x7f",
    "number as text": "1e999",
    "zero": 0,
    "least int": -(2**31),
    "least long": Int64(-(2**63)),
    "NaN": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "minus zero": -0.0,
    "decimal NaN": Decimal128("NaN"),
    "decimal sNaN": Decimal128("sNaN"),
    "decimal infinity": Decimal128("-Infinity"),
    "decimal minus zero": Decimal128("-0E+3"),
    "date before 1900": datetime.datetime(1899, 12, 31, 23, 59, 59),
    "first date": datetime.datetime(1, 1, 1),
    "last date": datetime.datetime(9999, 12, 31, 23, 59, 59, 999000),
    "date after 9999": DatetimeMS(253_402_300_800_000),
    "date before 1": DatetimeMS(-62_135_596_800_001),
    "least date": DatetimeMS(-(2**63)),
    "bool": True,
    "ObjectId": ObjectId(b"\xff" * 12),
    "binary": b"\0\xff",
    "binary of no known kind": Binary(b"abc", 0x99),
    "timestamp": Timestamp(1, 1),
    "regex": Regex("(", "i"),
    "code": Code("return 'Ada'"),
    "sub-document": {"Name": "Ada", "Deep": [{"Name": None}]},
    "empty array": [],
    "array of all": ["Ada", 7, None, 1.5],
}


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for child in value.values():
            yield from leaves(child)
    elif isinstance(value, list):
        for child in value:
            yield from leaves(child)
    else:
        yield value


def masked(masker: Masker, raw: list[bytes]) -> tuple[list[dict[str, Any]], int]:
    """The documents as a run would have them, and how many values were counted."""
    core = MaskingCore([BoundRule(0, "Field", ("Field",), masker)], None, "redact")
    batch = core.mask(raw, "whole")
    found = []
    for before, outcome in zip(raw, batch.outcomes, strict=True):
        assert isinstance(outcome, Masked | Unchanged), outcome
        found.append(bson.decode(outcome.bson if isinstance(outcome, Masked) else before, LOSSLESS))
    return found, batch.masked[0] + batch.redacted_on_error[0] + batch.kept[0]


@every_case
def test_bad_input_is_masked_or_blanked_and_counted(cls, options):
    documents = [{"_id": number, "Field": value} for number, value in enumerate(BAD.values())]
    raw = [bson.encode(document, codec_options=LOSSLESS) for document in documents]
    masker = make(cls, options)
    found, counted = masked(masker, raw)
    whole = masker.containers or masker.removes
    total = 0
    for before, after, name in zip(documents, found, BAD, strict=True):
        if masker.removes or (masker.containers and isinstance(before["Field"], dict)):
            total += 1
            continue
        originals, results = list(leaves(before["Field"])), list(leaves(after["Field"]))
        assert len(originals) == len(results), name
        for original, result in zip(originals, results, strict=True):
            if original is None:
                assert result is None, name
                continue
            total += 1
            stays = masker.changes != "always" or original in ("", b"")
            blank = type(redaction(original)) is type(result) and repr(redaction(original)) == repr(result)
            assert stays or blank or type(result) is not type(original) or repr(result) != repr(original), (
                name
            )
    assert counted == total, f"whole: {whole}"


@every_case
def test_null_and_what_is_missing_stay_and_are_not_counted(cls, options):
    raw = [bson.encode(one) for one in ({"_id": 1, "Field": None}, {"_id": 2}, {"_id": 3, "Field": {}})]
    masker = make(cls, options)
    found, counted = masked(masker, raw)
    assert [bson.encode(one) for one in found[:2]] == raw[:2]
    assert counted == int(masker.containers or masker.removes)


@every_case
def test_a_lone_surrogate_in_stored_bytes_never_stays(cls, options):
    raw = bson.encode({"_id": 1, "Field": "Ada Lovelace ???"}).replace(b"???", b"\xed\xa0\x80")
    masker = make(cls, options)
    outcome = (
        MaskingCore([BoundRule(0, "Field", ("Field",), masker)], None, "redact")
        .mask([raw], "whole")
        .outcomes[0]
    )
    if masker.changes == "never":
        assert isinstance(outcome, Unchanged)
    else:
        assert isinstance(outcome, Masked)
        assert b"Lovelace" not in outcome.bson


ONE_OF_EACH = list({cls: (cls, options) for cls, options in reversed(CASES)}.values())


@pytest.mark.parametrize(("cls", "options"), ONE_OF_EACH, ids=lambda value: getattr(value, "name", ""))
@pytest.mark.parametrize(
    "text", ["👩‍⚕️ Zoë ", "عبد الله بن محمد ", "\u202eada\u202c\0"], ids=["emoji", "rtl", "override"]
)
def test_megabytes_of_what_is_not_latin_are_taken_or_failed(cls, options, text):
    masker = make(cls, options)
    if "string" not in masker.types:
        pytest.skip("it takes no strings")
    long = text * (2_000_000 // len(text.encode()))
    (result,) = mask(masker, long)
    masked = result is FAILED or result is REMOVE or result != long
    assert masked or masker.changes != "always"


def told(error: BaseException | None) -> str:
    """All that an exception holds, what `from None` hides as well."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error), repr(error.args), *getattr(error, "__notes__", ())]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def raised(masker: Masker, value: Any) -> str:
    """What masking a value raises, or nothing."""
    try:
        mask(masker, value)
    except Exception as error:  # noqa: BLE001  (whatever it is, its texts are looked at)
        return told(error)
    return ""


@every_case
def test_no_exception_holds_the_value(cls, options):
    masker = make(cls, options)
    for canaries in CANARIES.values():
        for canary in canaries:
            text = raised(masker, canary.value)
            assert not [trace for trace in canary.traces if trace in text]


def test_what_an_exception_hides_is_looked_at_too():
    class Careless(Masker):
        name = "careless"
        types = frozenset({"string"})

        def mask(self, column):
            try:
                return [int(value) for value in column.values]
            except ValueError:
                raise RuntimeError("a value is no number") from None

    assert "Zxqulon" in raised(Careless({}), "Zxqulon")
