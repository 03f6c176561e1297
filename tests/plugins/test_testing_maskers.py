"""The conformance kit's check of maskers: good ones pass, and each promise, once broken, is found out."""

from __future__ import annotations

import hmac
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from bson.int64 import Int64
from guests import INITIALS, file_with

from phimask import FAILED, REMOVE, Column, Masker, MaskingError
from phimask.masking.bson_types import PYTHON_ALIASES
from phimask.plugins.loading import load_registry
from phimask.testing import check, check_masker, samples
from phimask.testing.samples import fingerprint

OPEN = {"type": "object"}


def digest(key: bytes, value: Any, length: int = 16) -> str:
    return hmac.new(key, fingerprint(value), "sha256").hexdigest()[:length]


class Sealed(Masker):
    """A masker that keeps everything it promises."""

    name = "sealed"
    types = frozenset({"string", "int", "long"})
    uniqueness = "probable"
    needs_key = True

    def mask(self, column: Column) -> list[Any]:
        """Keyed digests."""
        return [self.one(value) for value in column.values]

    def one(self, value: Any) -> Any:
        """A keyed digest."""
        text = digest(self.key, value)
        return text if isinstance(value, str) else type(value)(int(text, 16) % 2**31)


class Constant(Masker):
    """One constant for all: it promises to change every value, and to leave its own constant alone."""

    name = "constant"
    types = frozenset({"string"})
    idempotent = True

    def mask(self, column: Column) -> list[Any]:
        """The constant."""
        return ["null" if value else "" for value in column.values]


class Gone(Masker):
    """Removes."""

    name = "gone"
    types = frozenset({"string", "object", "array"})
    removes = True
    containers = True

    def mask(self, column: Column) -> list[Any]:
        """REMOVE."""
        return [REMOVE for _ in column.values]


class Picky(Masker):
    """Takes texts of one shape only."""

    name = "picky"
    types = frozenset({"string"})
    changes = "maybe"

    def mask(self, column: Column) -> list[Any]:
        """Half of a code."""
        return [value[:3] + "??" if value.startswith("ward:") else FAILED for value in column.values]


def test_good_maskers_pass() -> None:
    for cls in (Sealed, Constant, Gone):
        check(cls)
    check_masker(Picky, examples=["ward:7"])


def test_the_twenty_line_masker_passes(tmp_path: Path) -> None:
    registry = load_registry([file_with(tmp_path, INITIALS, "initials.py")], tmp_path)
    check_masker(registry.classes("masker")["initials"].cls, examples=["Ada Lovelace"])


def broken(**attributes: Any) -> type[Masker]:
    """A masker that is `Sealed` but for these."""
    return type("Broken", (Sealed,), {"__doc__": "Breaks a promise.", "__module__": __name__, **attributes})


def one(function: Callable[[Masker, Any], Any], **attributes: Any) -> type[Masker]:
    """A masker that masks value by value with `function`, and promises nothing but determinism."""
    promises: dict[str, Any] = {
        "types": frozenset({"string"}),
        "changes": "maybe",
        "uniqueness": "lossy",
        "needs_key": False,
        **attributes,
    }
    return broken(one=function, **promises)


def column(function: Callable[[Masker, Column], Any], **attributes: Any) -> type[Masker]:
    return one(lambda self, value: value, mask=function, **attributes)


counter = itertools.count()


def by_place(self: Masker, given: Column) -> list[str]:
    return [f"{place}" for place, _ in enumerate(given.values)]


def first_in_the_dictionary(self: Masker, given: Column) -> list[str]:
    seen = self.__dict__.setdefault("seen", {})
    return [seen.setdefault(value, f"person {len(seen)}") for value in given.values]


def hashed(self: Masker, value: str) -> str:
    return f"{hash(value)}"


def sorts_in_place(self: Masker, given: Column) -> list[str]:
    given.values.sort()
    return ["x"] * len(given.values)


def fills_in_place(self: Masker, given: Column) -> list[Any]:
    for value in given.values:
        value["name"] = "x"
    return [dict(value) for value in given.values]


def eats_subjects(self: Masker, given: Column) -> list[str]:
    given.subjects.clear()
    return ["x"] * len(given.values)


def raises_late(self: Masker, value: str) -> str:
    if "74193" in value:
        raise LookupError(f"no patient {value[1:9]} in the table")
    return "x"


def raises_with_a_cause(self: Masker, value: str) -> str:
    try:
        return str(int(value))
    except ValueError as error:
        raise MaskingError("Field", "string") from error


def raises_in_a_handler(self: Masker, value: str) -> str:
    try:
        return str(int(value))
    except ValueError:
        raise MaskingError("Field", "string")  # noqa: B904


def raises_with_all(self: Masker, given: Column) -> list[str]:
    if any("74193" in value for value in given.values):
        raise RuntimeError(len(given.values), given.values)
    return ["x"] * len(given.values)


def tells_the_subject(self: Masker, given: Column) -> list[str]:
    if any("74193" in value for value in given.values):
        raise KeyError(given.subjects[0])
    return ["x"] * len(given.values)


BAD: dict[str, tuple[type[Masker], str]] = {
    "no docstring": (broken(__doc__=None), "it has no docstring"),
    "an open schema": (broken(options_schema=OPEN), "its options_schema takes any option"),
    "a default that is not valid": (
        broken(
            options_schema={
                "type": "object",
                "additionalProperties": False,
                "properties": {"n": {"type": "integer", "default": "many"}},
            }
        ),
        r"its options_schema refuses the default of its option n: options: \$: 'many' is not",
    ),
    "abstract": (broken(mask=Masker.mask), "it is abstract; define mask"),
    "no types": (broken(types=frozenset()), "it takes no BSON type; set `types`"),
    "fewer": (column(lambda self, given: ["x"] * (len(given.values) - 1)), r"values for \d+; one for each"),
    "more": (column(lambda self, given: ["x"] * (len(given.values) + 1)), r"values for \d+; one for each"),
    "a generator": (
        column(lambda self, given: (value for value in given.values)),
        r"mask\(\) gives a generator",
    ),
    "one text": (column(lambda self, given: "x" * len(given.values)), r"mask\(\) gives a str; return a list"),
    "nothing for nothing": (
        column(lambda self, given: ["x"] * len(given.values) if given.values else ["x"]),
        r"mask\(\) gives 1 values for 0",
    ),
    "raises on nothing": (
        column(
            lambda self, given: ["x" for _ in given.values if given.values[0] is not None] or given.values[0]
        ),
        r"an empty column makes mask\(\) raise",
    ),
    "another type": (one(lambda self, value: 7), "it turns .* into a int; keep to string, or name the type"),
    "a type beyond produces": (
        one(lambda self, value: value + "!", produces=frozenset({"int"})),
        "into a string; keep to int",
    ),
    "an int that has become a long": (
        one(lambda self, value: value * 2, types=frozenset({"int"})),
        "into a long; keep to int",
    ),
    "a bool for an int": (
        one(lambda self, value: value > 40, types=frozenset({"int"})),
        "into a bool; keep to int",
    ),
    "None": (one(lambda self, value: None), "into a null; keep to string"),
    "what BSON cannot hold": (
        one(lambda self, value: 2**70, types=frozenset({"long"})),
        "cannot be stored in BSON: 1180591620717411303424",
    ),
    "an object of its own": (one(lambda self, value: object()), "cannot be stored in BSON: <object"),
    "removal by surprise": (one(lambda self, value: REMOVE), "it removes .*; set removes = True"),
    "lets one through": (
        one(lambda self, value: value if value == "90210-1234" else "x" * len(value), changes="always"),
        "it promises to change every value, and lets '90210-1234' through",
    ),
    "lets all through, and says it is idempotent": (
        one(lambda self, value: value, changes="always", idempotent=True),
        "it promises to change every value, and lets ",
    ),
    "lets a zero through": (
        one(lambda self, value: Int64(abs(value)), types=frozenset({"long"}), changes="always"),
        "it promises to change every value",
    ),
    "lets NaN through": (
        one(
            lambda self, value: value * 2 + 1 if abs(value) < 1e300 else FAILED if value == value else value,  # noqa: PLR0124
            types=frozenset({"double"}),
            changes="always",
        ),
        "it promises to change every value, and lets nan through",
    ),
    "takes a negative zero for a change": (
        one(
            lambda self, value: -value if value == 0 else FAILED if value != value else value + 1e308,  # noqa: PLR0124
            types=frozenset({"double"}),
            changes="always",
        ),
        "it promises to change every value, and lets -?0.0 through",
    ),
    "lets what no BSON holds through": (
        one(lambda self, value: value if "\ud800" in value else f"x{value}", changes="always"),
        r"lets '\\ud800 alone' through",
    ),
    "changes after all": (
        one(lambda self, value: value.strip(), changes="never"),
        "it promises to change nothing, and changes ",
    ),
    "changes a type only": (
        one(
            lambda self, value: int(value),
            changes="never",
            types=frozenset({"long"}),
            produces=frozenset({"int"}),
        ),
        "into a long; keep to int",
    ),
    "fails after all": (
        one(lambda self, value: value if len(value) < 1000 else FAILED, changes="never"),
        "it promises to change nothing, and fails on ",
    ),
    "counts": (one(lambda self, value: f"{next(counter)}"), "it masks a value differently when asked again"),
    "seeded by its instance": (
        one(lambda self, value: digest(self.__dict__.setdefault("seed", f"{next(counter)}".encode()), value)),
        "a new instance with the same key masks a value differently",
    ),
    "masks by place": (column(by_place), "the mask of a value depends on the column's order"),
    "numbers as they come": (
        column(first_in_the_dictionary),
        "the mask of a value depends on what was masked with it or before it",
    ),
    "looks at the whole column": (
        column(lambda self, given: [f"{len(given.values)}" for _ in given.values]),
        "the mask of a value depends on what was masked with it or before it",
    ),
    "hash()": (one(hashed), r"depends on hash\(\), which differs in every process"),
    "a key for nothing": (
        one(lambda self, value: digest(b"", value), needs_key=True),
        "another key gives the same masks",
    ),
    "a key for a few": (
        one(lambda self, value: digest(self.key if value.startswith("W") else b"", value), needs_key=True),
        "another key gives the same masks",
    ),
    "not idempotent": (
        one(lambda self, value: value[1:], idempotent=True),
        "it promises to be idempotent, and masks the mask ",
    ),
    "idempotent for one person only": (
        one(
            lambda self, value: value,
            mask=lambda self, given: [f"{subject!r}" for subject in given.subjects],
            idempotent=True,
            needs_subject=True,
        ),
        "it promises to be idempotent, and masks the mask ",
    ),
    "blind to case": (
        one(lambda self, value: digest(self.key, value.lower()), uniqueness="injective"),
        "it promises to be injective, and 'oakes' and 'Oakes' share the mask ",
    ),
    "short digests": (
        one(lambda self, value: digest(self.key, value, 5), uniqueness="injective"),
        "it promises to be injective, and .* and .* share the mask ",
    ),
    "very short digests": (
        one(lambda self, value: digest(self.key, value, 3), uniqueness="probable"),
        "it promises that masks are hardly ever shared, and ",
    ),
    "masks nothing": (one(lambda self, value: FAILED), "it masked none of the values tried; give `examples`"),
    "looks at subjects it did not ask for": (
        column(lambda self, given: [given.subjects[0].hex() for _ in given.values]),
        "it masked none of the values tried",
    ),
    "tells the value": (
        one(lambda self, value: str(int(value))),
        "the message of its ValueError tells the value",
    ),
    "tells a part of the value, now and then": (
        one(raises_late),
        "the message of its LookupError tells the value",
    ),
    "tells the value by the cause": (
        one(raises_with_a_cause),
        "the message of its MaskingError tells the value",
    ),
    "tells the value by the context": (
        one(raises_in_a_handler),
        "the message of its MaskingError tells the value",
    ),
    "tells the value as an argument": (
        column(raises_with_all),
        "the message of its RuntimeError tells the value",
    ),
    "tells the subject": (
        column(tells_the_subject, needs_subject=True),
        "the message of its KeyError tells the value",
    ),
    "sorts the column": (column(sorts_in_place), r"mask\(\) changes the column it is given"),
    "changes the values' insides": (
        column(fills_in_place, types=frozenset({"object"}), containers=True),
        r"mask\(\) changes the column it is given",
    ),
    "empties the subjects": (
        column(eats_subjects, needs_subject=True),
        r"mask\(\) changes the column it is given",
    ),
    "fails on what nobody can decode": (
        one(lambda self, value: REMOVE if value else FAILED, removes=True),
        "it is given None for what nobody can decode, and fails",
    ),
}


@pytest.mark.parametrize(("cls", "expected"), BAD.values(), ids=BAD)
def test_a_broken_promise_is_found_out(cls: type[Masker], expected: str) -> None:
    with pytest.raises(AssertionError, match=expected) as caught:
        check_masker(cls)
    assert str(caught.value).startswith("Broken: ")


def test_an_example_that_fails_is_told() -> None:
    with pytest.raises(AssertionError, match="it cannot mask the example 'room:7'"):
        check_masker(Picky, examples=["ward:7", "room:7"])


def test_an_example_of_another_type_is_told() -> None:
    with pytest.raises(AssertionError, match="the example 7 is no value of its types: int"):
        check_masker(Picky, examples=[7])


def test_a_value_that_raises_only_in_company_is_masked_alone() -> None:
    def mask(self: Masker, given: Column) -> list[Any]:
        return ["x" if value.isascii() else str(1 / 0) for value in given.values]

    check_masker(column(mask))


def test_a_message_without_a_value_is_no_leak() -> None:
    def raises(self: Masker, value: str) -> str:
        if not value.isascii():
            raise MaskingError("Field", "string") from None
        return "x"

    check_masker(one(raises))


def test_the_module_keeps_no_trace_of_the_check() -> None:
    check_masker(Sealed)
    assert "hash" not in globals()


def test_options_are_completed_as_a_run_would() -> None:
    seen: list[Mapping[str, Any]] = []

    class Cached(Sealed):
        """Remembers."""

        options_schema: ClassVar[Mapping[str, Any]] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "cache": {"format": "size", "default": "16MB"},
                "wait": {"format": "duration", "default": "250ms"},
            },
        }

        def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
            seen.append(options)
            super().__init__(options, key)

    check_masker(Cached, {"wait": "2m"})
    assert seen[0] == {"cache": 16_000_000, "wait": 120.0}
    with pytest.raises(
        AssertionError, match=r"Cached: its options_schema refuses the options of this check: options: \$"
    ):
        check_masker(Cached, {"cash": "1MB"})


def test_a_class_of_no_kind_has_no_check() -> None:
    with pytest.raises(
        AssertionError, match="dict is of no kind; subclass one of Partitioner, BatchSizer, Masker"
    ):
        check(dict)


@pytest.mark.parametrize("bson_type", samples.USUAL)
def test_every_sample_is_what_a_server_would_send(bson_type: str) -> None:
    for value in (*samples.USUAL[bson_type], *samples.ODD.get(bson_type, ()), *samples.many(bson_type, 5)):
        assert PYTHON_ALIASES[type(value)] == bson_type


def test_the_many_are_many_and_distinct_and_the_same_in_every_run() -> None:
    for bson_type in ("string", "int", "long", "double", "decimal", "date", "objectId", "binData"):
        values = samples.many(bson_type, 4000)
        assert len({fingerprint(value) for value in values}) == len(values) >= 3999
        assert samples.many(bson_type, 4000) == values
    assert samples.many("bool", 4000) == []


def test_no_trace_of_a_canary_is_a_word_that_messages_use() -> None:
    ordinary = "invalid literal for int() with base 10: could not convert string to float unhashable example datetime"
    for canaries in samples.CANARIES.values():
        for canary in canaries:
            assert not [trace for trace in canary.traces if trace in ordinary]
