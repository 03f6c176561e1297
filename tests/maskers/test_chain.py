"""chain: one masker after the other, and what is known of them all together."""

# ruff: noqa: DTZ001  (BSON dates decode to naive UTC)

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import pytest
from bson.int64 import Int64
from masker_cases import KEY, SIBLINGS, mask

from phimask import FAILED, REMOVE, Column, Masker
from phimask_plugins import maskers
from phimask_plugins.maskers import Chain, Derive, Hash, Partial

BY_NAME = {cls.name: cls for cls in maskers.ALL}


class Trial(Masker):
    """Answers as its options say, value by value; others stay."""

    name = "trial"
    types = frozenset({"string", "int", "long"})
    changes = "maybe"

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        super().__init__(options, key)
        for name, value in options.get("attributes", {}).items():
            setattr(self, name, value)
        self.seen: list[Column] = []

    def mask(self, column: Column) -> list[Any]:
        self.seen.append(column)
        if self.options.get("raises"):
            raise RuntimeError("a fault")
        return [self.options.get("answers", {}).get(value, value) for value in column.values]


def chain(*choices: Any) -> tuple[Chain, list[Masker]]:
    made: list[Masker] = []

    def make(name: str, options: Mapping[str, Any]) -> Masker:
        if name == "no_such":
            raise ValueError("there is no masker no_such")
        cls = Trial if name == "trial" else BY_NAME[name]
        made.append(cls(options, KEY if cls.needs_key else None))
        return made[-1]

    return Chain({"maskers": list(choices)}, make=make), made


def trial(answers: dict[Any, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    return {"name": "trial", "options": {"answers": answers or {}, "attributes": attributes}}


def test_each_masks_what_the_one_before_it_made():
    together, _ = chain({"name": "partial", "options": {"last": 4}}, "hash")
    values = ["900-12-3456", "900-99-3456", "900-12-0000", ""]
    partial = mask(Partial({"last": 4}), *values)
    assert mask(together, *values) == mask(Hash({}, KEY), *partial)
    assert len(set(mask(together, *values))) == 3


def test_a_birth_date_by_safe_harbor():
    together, _ = chain({"name": "age_cap", "options": {"as_of": "2024-06-30"}}, "date_truncate")
    assert mask(together, "1987-05-17", "1920-05-17", "05/17/1934", datetime.datetime(1900, 1, 5, 9)) == [
        "1987-01-01",
        "1934-01-01",
        "01/01/1934",
        datetime.datetime(1934, 1, 1),
    ]


def test_a_failure_ends_the_way_of_its_value_alone():
    together, made = chain(trial({"b": FAILED, "c": None, "d": REMOVE}), trial({"a": "A"}))
    assert mask(together, "a", "b", "c", "d", "e") == ["A", FAILED, FAILED, FAILED, "e"]
    assert made[1].seen[0].values == ["a", "e"]


def test_null_and_removal_end_it_where_they_are_promised():
    together, made = chain(
        trial({"c": None, "d": REMOVE}, produces=frozenset({"string", "null"}), removes=True),
        trial({"a": "A"}),
    )
    assert mask(together, "a", "c", "d") == ["A", None, REMOVE]
    assert made[1].seen[0].values == ["a"]
    assert together.removes


def test_what_the_next_does_not_take_fails():
    strings = frozenset({"string"})
    together, made = chain(trial({"b": 5}, produces=frozenset({"string", "int"})), trial(types=strings))
    assert mask(together, "a", "b") == ["a", FAILED]
    assert made[1].seen[0].values == ["a"]
    together, made = chain(trial(types=strings), trial())
    assert mask(together, "a", 5) == ["a", FAILED]


def test_a_type_that_was_not_promised_fails():
    together, _ = chain(trial({"a": 5, "b": b"x", "c": object()}), trial())
    assert mask(together, "a", "b", "c", "d") == [FAILED, FAILED, FAILED, "d"]


def test_integers_keep_their_width_between_two():
    together, made = chain(trial({Int64(5): 6, 7: 2**40}, produces=frozenset({"int", "long"})), trial())
    results = mask(together, Int64(5), 7, 8)
    assert results == [6, 2**40, 8]
    assert [type(one) for one in made[1].seen[0].values] == [Int64, Int64, int]


def test_its_columns_are_long_where_one_of_its_maskers_wants_them_so():
    assert chain(trial(), trial(long_columns=True))[0].long_columns
    assert not chain(trial(), trial())[0].long_columns


def test_siblings_and_subjects_go_along_with_their_values():
    first = trial({"b": FAILED}, needs_subject=True)
    second = trial(needs_siblings=True, needs_subject=True)
    together, made = chain(first, second, trial())
    assert together.needs_subject
    assert together.needs_siblings
    siblings = [SIBLINGS, (), SIBLINGS * 2]
    together.mask(Column("p", ["a", "b", "c"], [b"1", b"2", b"3"], siblings, ["p.0", "p.1", "p.2"]))
    plain, one, none = made[0].seen[0], made[1].seen[0], made[2].seen[0]
    assert (plain.subjects, plain.siblings, plain.places) == ([b"1", b"2", b"3"], (), ())
    assert (one.path, one.subjects, one.siblings, one.places) == (
        "p",
        [b"1", b"3"],
        [SIBLINGS, SIBLINGS * 2],
        ["p.0", "p.2"],
    )
    assert (none.subjects, none.siblings, none.places) == ([], (), ())
    derived, _ = chain({"name": "derive", "options": {"from": "LastName"}}, "hash")
    assert mask(derived, "x") == mask(Hash({}, KEY), *mask(Derive({"from": "LastName"}), "x"))


def test_what_comes_out_as_it_went_in_fails_where_one_promises_change():
    together, _ = chain(trial({"a": "b"}, changes="always"), trial({"b": "a", "": ""}))
    assert together.changes == "always"
    assert mask(together, "a", "c", "") == [FAILED, FAILED, ""]
    together, _ = chain(trial({"a": "b"}), trial({"b": "a"}))
    assert together.changes == "maybe"
    assert mask(together, "a", "c") == ["a", "c"]


def test_it_goes_by_documents_and_leaves_traces_where_one_does():
    together, _ = chain(trial(), trial(needs_subject=True, per_document=True), trial(writes=True))
    assert (together.needs_subject, together.per_document, together.writes) == (True, True, True)
    together, _ = chain(trial(needs_subject=True), trial())
    assert (together.needs_subject, together.per_document, together.writes) == (True, False, False)


def test_a_fault_of_one_is_the_chains():
    together, _ = chain(trial(), {"name": "trial", "options": {"raises": True}})
    with pytest.raises(RuntimeError, match="a fault"):
        mask(together, "a")


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        (["keep"], {"uniqueness": "injective", "changes": "never", "idempotent": True, "produces": None}),
        (
            ["keep", "hash"],
            {"uniqueness": "probable", "changes": "always", "idempotent": False, "produces": None},
        ),
        (["hash", "partial"], {"uniqueness": "lossy", "changes": "always", "produces": None}),
        (["partial", "pseudonym"], {"types": {"string"}, "produces": {"string"}, "needs_subject": False}),
        (["pseudonym"], {"types": {"string", "int", "long", "objectId"}, "produces": {"string"}}),
        (["date_shift"], {"types": {"date", "string"}, "needs_subject": True, "needs_siblings": False}),
        (["partial", "nullify"], {"types": {"string"}, "produces": {"null"}, "containers": False}),
        (["nullify"], {"containers": True, "removes": False}),
        (["remove"], {"containers": True, "removes": True, "produces": {"null"}}),
    ],
)
def test_its_properties_follow_from_those_of_its_maskers(choices, expected):
    together, _ = chain(*choices)
    assert {name: getattr(together, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            ["age_cap", "refresh_uid", "date_truncate", "round"],
            "round takes no string, which is what date_truncate",
        ),
        (["nullify", "hash"], "hash takes no null, which is what nullify gives"),
        (["partial", "remove"], "remove undoes what stands before it"),
        (["hash", "no_such"], "there is no masker no_such"),
        ([{"name": "age_cap", "options": {"cap": 1}}], "cap is below over"),
        (
            [trial(needs_subject=True), trial(needs_subject=True, per_document=True)],
            "per document and another per",
        ),
    ],
)
def test_chains_that_cannot_work(choices, message):
    with pytest.raises(ValueError, match=message):
        chain(*choices)
