"""Values in fields that hold JSON or base64 are masked where they stand, and nothing else of the text changes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from typing import Any

import bson
import pytest
from bson.binary import Binary
from hypothesis import given, settings
from hypothesis import strategies as st

from encoded_trials import batch, bound, masked
from masking_trials import AsText, Keep, NextDay, Nullify, Remove, Stub, Successor, Tilde
from phimask import Column, Masker, MaskingError
from phimask.masking.automaton import automaton_of
from phimask.masking.columns import OnError
from phimask.masking.core import MaskingCore
from phimask.masking.encoded_walk import EncodedWalk
from phimask.masking.outcomes import Masked, NeedsWhole, Quarantined, Unchanged
from phimask.masking.unmapped import Unmapped

pytestmark = pytest.mark.usefixtures("walk")

stable = settings(derandomize=True, deadline=None, database=None)

JSON = ("P", None, "json")
TILDE = Tilde({})
A = ("P.a", TILDE, "")

REDACTED = "[REDACTED]"


class Recorder(Masker):
    """Masks all there is, and remembers what it was given."""

    name = "recorder"
    types = frozenset({"string", "int", "long", "double", "decimal", "bool", "object"})
    produces = frozenset({"string"})
    containers = True

    def __init__(self) -> None:
        super().__init__({})
        self.columns: list[list[Any]] = []

    def mask(self, column: Column) -> list[Any]:
        self.columns.append(list(column.values))
        return ["masked"] * len(column.values)


class Answers(Masker):
    """Puts one answer in place of all strings."""

    name = "answers"
    types = frozenset({"string"})
    produces = frozenset({"string", "double", "date", "decimal", "null", "object", "bool"})

    def __init__(self, answer: Any) -> None:
        super().__init__({})
        self._answer = answer

    def mask(self, column: Column) -> list[Any]:
        return [self._answer] * len(column.values)


class Neighbours(Masker):
    """Spells out the siblings it is given, and where it stands."""

    name = "neighbours"
    types = frozenset({"string"})
    changes = "maybe"
    needs_siblings = True

    def mask(self, column: Column) -> list[str]:
        return [
            f"{place}: " + "; ".join(f"{one.place}={one.original}>{one.masked}" for one in siblings)
            for place, siblings in zip(column.places, column.siblings, strict=True)
        ]


class AsDouble(Masker):
    """Makes doubles of whole numbers."""

    name = "as_double"
    types = frozenset({"int"})
    produces = frozenset({"double"})
    changes = "maybe"

    def mask(self, column: Column) -> list[float]:
        return [float(value) for value in column.values]


class Subjects(Masker):
    """Spells out the subject."""

    name = "subjects"
    types = frozenset({"string"})
    needs_subject = True

    def mask(self, column: Column) -> list[str]:
        return [f"of {subject.decode()}" for subject in column.subjects]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a":"x"}', '{"a":"x~"}'),
        (' {\t"b" : 1.0,\r\n "a" : "x" , "c":1e5 } \n', ' {\t"b" : 1.0,\r\n "a" : "x~" , "c":1e5 } \n'),
        ('{"a":"x","b":{"a":"in b"},"a":"twice"}', '{"a":"x~","b":{"a":"in b"},"a":"twice~"}'),
        ('{"b":123456789012345678901234567890,"a":"x"}', '{"b":123456789012345678901234567890,"a":"x~"}'),
        ('{"b":"\\u00e9\\/","a":"\\u00e9\\/"}', '{"b":"\\u00e9\\/","a":"\\u00e9/~"}'),
        ('{"a":"\u00e9\\n"}', '{"a":"\u00e9\\n~"}'),
        ('{"\\u0061":"x"}', '{"\\u0061":"x~"}'),
        ('{"a":["x",["y",null,{"z":"w"}]]}', '{"a":["x~",["y~",null,{"z":"w~"}]]}'),
        ('[{"a":"x"},{"a":"y"}]', '[{"a":"x~"},{"a":"y~"}]'),
        ('\ufeff{"a":"x"}', '\ufeff{"a":"x~"}'),
        ('{"a":"\\ud83d\\ude00"}', '{"a":"\\ud83d\\ude00~"}'),
        ('{"a":"\U0001f600"}', '{"a":"\U0001f600~"}'),
        ('{"a":"\u05d0\u05d1"}', '{"a":"\u05d0\u05d1~"}'),
        ('{"b":NaN,"c":-Infinity,"a":"x"}', '{"b":NaN,"c":-Infinity,"a":"x~"}'),
        ('{"b":"\\ud800","a":"x"}', '{"b":"\\ud800","a":"x~"}'),
        ('{"\\ud800":"y","a":"x"}', '{"\\ud800":"y","a":"x~"}'),
        ('{"a":null}', '{"a":null}'),
        ('{"A":"x"}', '{"A":"x"}'),
        ("{}", "{}"),
        ("[ ]", "[ ]"),
        ('"a text"', '"a text"'),
        ("17", "17"),
        ("null", "null"),
        ("", ""),
        # What the masker cannot take, or nobody can spell, is redacted where it stands.
        ('{"a":17,"b":17}', '{"a":0,"b":17}'),
        ('{"a":true}', '{"a":false}'),
        ('{"a":1.5}', '{"a":0.0}'),
        ('{"a":12345678901234567890}', '{"a":0}'),
        ('{"a":1e999}', '{"a":null}'),
        ('{"a":"\\udc00"}', '{"a":null}'),
    ],
)
def test_what_stands_around_a_masked_value_stays_as_it_is_written(before: str, after: str) -> None:
    assert masked(bound(JSON, A), before) == after


@pytest.mark.parametrize(
    "text",
    [
        "private",
        "{",
        '{"a":"x"',
        '{"a":"x"}}',
        '{"a":"x"} {"a":"y"}',
        '{"a":"x",}',
        "{'a':'x'}",
        "{a:1}",
        '{"a" "x"}',
        '["a" "b"]',
        '["a",]',
        '{"a":"x\ny"}',
        '{"a":"\\x"}',
        '{"b":tru,"a":"x"}',
        '{"b":01,"a":"x"}',
        '{"b":{"c":[}},"a":"x"}',
        "  ",
        "\ufeff",
        '\u00a0{"a":"x"}',
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 50_000 + '"x"' + "}" * 50_000,
    ],
)
def test_what_is_no_json_is_redacted_whole_and_counted(text: str) -> None:
    rules = bound(JSON, A)
    assert masked(rules, text) == REDACTED
    result = batch(rules, {"P": text})
    assert (result.masked, result.redacted_on_error) == ([0, 0], [1, 0])


@pytest.mark.parametrize(
    ("value", "blank"),
    [(17, 0), (1.5, 0.0), (True, False), (bson.ObjectId("f" * 24), bson.ObjectId("0" * 24))],
)
def test_a_field_of_another_type_does_not_hold_what_its_rule_says(value: Any, blank: Any) -> None:
    assert masked(bound(JSON, A), value) == blank


def test_null_holds_nothing_and_documents_are_walked_as_ever() -> None:
    rules = bound(JSON, A)
    assert masked(rules, None) is None
    assert masked(rules, [{"a": "x"}, '{"a":"y"}'], "Q") == [{"a": "x"}, '{"a":"y"}']
    result = batch(rules, {"P": [{"a": "x"}, '{"a":"y"}', None]}, whole=True)
    assert isinstance(result.outcomes[0], Masked)
    assert bson.decode(result.outcomes[0].bson) == {"P": [{"a": "x~"}, '{"a":"y~"}', None]}


@pytest.mark.parametrize("on_error", ["quarantine", "halt"])
@pytest.mark.parametrize("text", ["private", '{"a":17}'])
def test_other_answers_to_errors_hold_in_them_too(text: str, on_error: OnError) -> None:
    rules = bound(JSON, A)
    if on_error == "halt":
        with pytest.raises(MaskingError) as caught:
            batch(rules, {"P": text}, on_error=on_error)
        assert text not in str(caught.value)
        return
    bad, good = batch(rules, {"P": text}, {"P": '{"a":"x"}'}, on_error=on_error).outcomes
    assert isinstance(bad, Quarantined)
    assert isinstance(good, Masked)


def test_values_come_as_the_types_that_bson_has_in_one_column() -> None:
    recorder = Recorder()
    rules = bound(JSON, ("P.v", recorder, ""))
    texts = ['{"v":"s"}', '{"v":1}', '{"v":4294967296}', '{"v":1.0}', '{"v":true}', '{"v":{"w":[1]}}']
    batch(rules, *({"P": text} for text in texts), {"P": {"v": "stored"}})
    (column,) = recorder.columns
    assert column == ["s", 1, 4294967296, 1.0, True, {"w": [1]}, "stored"]
    assert [type(value).__name__ for value in column] == [
        "str", "int", "Int64", "float", "bool", "dict", "str",
    ]  # fmt: skip


def test_counts_are_those_of_the_values_inside() -> None:
    rules = bound(JSON, ("P.a", TILDE, ""), ("P.k", Keep({}), ""), ("P.n", Successor({}), ""))
    result = batch(rules, {"P": '{"a":["x","y",7],"k":1,"n":2}'}, {"P": '{"a":"z"}'}, {"P": "no"})
    assert result.masked == [0, 3, 0, 1]
    assert result.redacted_on_error == [1, 1, 0, 0]
    assert result.kept == [0, 0, 1, 0]


def test_a_text_in_which_nothing_is_masked_is_not_written() -> None:
    assert isinstance(batch(bound(JSON, A), {"P": '{"b":"x"}'}).outcomes[0], Unchanged)
    rules = bound(JSON, ("P.a", NextDay({}), ""), ("P.b", Keep({}), ""))
    assert isinstance(batch(rules, {"P": '{"b":"x"}'}).outcomes[0], Unchanged)


@pytest.mark.parametrize(
    ("rules", "after"),
    [
        # As with sub-documents: the last rule that covers a value wins, wherever the one with `decode` stands.
        ([("P.a", TILDE, ""), JSON], '{"a":"x~","b":{"a":"y"}}'),
        ([("**", TILDE, ""), JSON], '{"a":"x~","b":{"a":"y~"}}'),
        ([("**.a", TILDE, ""), JSON], '{"a":"x~","b":{"a":"y~"}}'),
        ([("P", TILDE, "json")], '{"a":"x~","b":{"a":"y~"}}'),
        ([("P", TILDE, "json"), ("P.b", Keep({}), "")], '{"a":"x~","b":{"a":"y"}}'),
        ([("P", Keep({}), "json"), ("P.b.*", TILDE, "")], '{"a":"x","b":{"a":"y~"}}'),
        ([("P.a", Keep({}), ""), ("P", TILDE, "json")], '{"a":"x~","b":{"a":"y~"}}'),
        ([JSON, ("P.b", Nullify({}), "")], '{"a":"x","b":null}'),
        ([JSON, ("P.b", Stub({}), "")], '{"a":"x","b":{"mask": true}}'),
        ([("*", None, "json"), ("P.a", TILDE, "")], '{"a":"x~","b":{"a":"y"}}'),
        ([("**.P", None, "json"), ("P.a", TILDE, "")], '{"a":"x~","b":{"a":"y"}}'),
        # A later rule for the field takes it as it is stored.
        ([JSON, ("P", TILDE, "")], '{"a":"x","b":{"a":"y"}}~'),
        ([JSON, ("**", TILDE, "")], '{"a":"x","b":{"a":"y"}}~'),
        ([("P", TILDE, "json"), ("P", Keep({}), "")], '{"a":"x","b":{"a":"y"}}'),
    ],
)
def test_the_last_rule_wins_inside_as_outside(rules: Any, after: str) -> None:
    assert masked(bound(*rules), '{"a":"x","b":{"a":"y"}}') == after


def test_a_rule_that_only_decodes_speaks_of_its_own_field_alone() -> None:
    result = batch(bound(JSON), {"P": {"a": "no JSON"}})
    assert isinstance(result.outcomes[0], Unchanged)


def test_a_rule_that_masks_too_decodes_all_that_it_covers() -> None:
    result = batch(bound(("P", TILDE, "base64")), {"P": {"a": "eA=="}}, whole=True)
    assert isinstance(result.outcomes[0], Masked)
    assert bson.decode(result.outcomes[0].bson) == {"P": {"a": "eH4="}}


def test_rules_that_do_not_apply_to_a_document_leave_its_field_as_it_is() -> None:
    rules = bound(A, ("P.b", TILDE, ""), JSON)
    documents = [bson.encode({"P": '{"a":"x","b":"y"}'})] * 3
    core = MaskingCore(rules, None, "redact")
    result = core.mask(documents, "update", [frozenset(), frozenset({2}), frozenset({1})])
    first, second, third = result.outcomes
    assert isinstance(first, Masked)
    assert bson.decode(first.bson)["$set"] == {"P": '{"a":"x~","b":"y~"}'}
    assert isinstance(second, Unchanged)
    assert isinstance(third, Masked)
    assert bson.decode(third.bson)["$set"] == {"P": '{"a":"x~","b":"y"}'}


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("base64", "eA==", "eH4="),
        ("base64", "eA", "eH4"),
        (
            "base64",
            base64.b64encode(b"\xc3\xbf" * 3).decode(),
            base64.b64encode(b"\xc3\xbf" * 3 + b"~").decode(),
        ),
        ("base64", "w7_Dvw", "w7_Dv34"),
        ("base64", "", "fg=="),
        ("base64", "e", REDACTED),
        ("base64", "e!==", REDACTED),
        ("base64", "eB==", REDACTED),
        ("base64", "/w==", REDACTED),
        ("base64", "plain text", REDACTED),
        ("base64 base64", "ZUE9PQ==", "ZUg0PQ=="),
        ("base64 json", base64.b64encode(b'{"a": "x"}').decode(), base64.b64encode(b'{"a": "x~"}').decode()),
        ("base64 json", base64.b64encode(b"no").decode(), REDACTED),
        ("base64 json", "no", REDACTED),
        ("json base64", '"eA=="', '"eH4="'),
        ("json base64", '{"a":"eA=="}', REDACTED),
        ("json json", '"{\\"a\\":\\"x\\"}"', '"{\\"a\\":\\"x~\\"}"'),
        ("json json", '{"a":"x"}', REDACTED),
        ("json json", '"no"', f'"{REDACTED}"'),
    ],
)
def test_codings_one_in_the_other(rule: str, before: str, after: str) -> None:
    assert masked(bound(("P", TILDE, rule)), before) == after


@pytest.mark.parametrize(
    ("value", "after"),
    [
        (b'{"a":"x"}', b'{"a":"x~"}'),
        (Binary(b'{"a":"x"}', 128), Binary(b'{"a":"x~"}', 128)),
        (b"\xff", b""),
        (Binary(b"0123456789abcdef", 4), Binary(b"\0" * 16, 4)),
    ],
)
def test_a_binary_may_hold_json(value: Any, after: Any) -> None:
    assert masked(bound(JSON, A), value) == after


def test_json_in_json_is_a_path_further() -> None:
    inner = json.dumps({"name": "x", "deep": json.dumps({"name": "y"})})
    rules = bound(JSON, ("P.body", None, "json"), ("P.body.deep", None, "json"), ("**.name", TILDE, ""))
    after = json.loads(masked(rules, json.dumps({"body": inner, "name": "z"})))
    assert after["name"] == "z~"
    assert json.loads(after["body"])["name"] == "x~"
    assert json.loads(json.loads(after["body"])["deep"]) == {"name": "y~"}


@pytest.mark.parametrize(
    ("held", "after"), [("no", REDACTED), (7, 0), ({"name": "x"}, {"name": "x~"}), (None, None)]
)
def test_what_breaks_inside_is_redacted_inside(held: Any, after: Any) -> None:
    rules = bound(JSON, ("P.body", None, "json"), ("**.name", TILDE, ""))
    assert json.loads(masked(rules, json.dumps({"body": held, "name": "z"}))) == {"body": after, "name": "z~"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a":1}', "{}"),
        ('{ "a" : 1 }', "{  }"),
        ('{"a":1,"b":2}', '{"b":2}'),
        ('{"b":2, "a":1}', '{"b":2}'),
        ('{"b":2, "a":1 , "c":3}', '{"b":2 , "c":3}'),
        ('{"a":1, "a":2, "b":3, "a":[4]}', '{"b":3}'),
        ('{"a":1,"a":{"x":2}}', "{}"),
        ('{"a":null,"b":1}', '{"a":null,"b":1}'),
        ('[{"a":1},{"b":[{"a":1}]}]', '[{},{"b":[{"a":1}]}]'),
    ],
)
def test_members_are_removed_with_a_comma(before: str, after: str) -> None:
    assert masked(bound(JSON, ("P.a", Remove({}), "")), before) == after


def test_one_rule_of_any_depth_decodes_a_field_within_its_field() -> None:
    rules = bound(("**.P", None, "json"), ("**.a", TILDE, ""))
    text = json.dumps({"P": json.dumps({"a": "x", "P": ["{}", '{"a":"y"}']}), "a": "z"})
    after = json.loads(masked(rules, text))
    inner = json.loads(after["P"])
    assert (after["a"], inner["a"], inner["P"]) == ("z~", "x~", ["{}", '{"a":"y~"}'])


def test_a_mask_of_another_type_is_written_though_it_is_equal() -> None:
    assert masked(bound(JSON, ("P.n", AsDouble({}), "")), '{"n":1}') == '{"n":1.0}'


def test_what_no_member_holds_becomes_null() -> None:
    assert masked(bound(("P", Remove({}), "json")), '["x"]') == "null"
    assert masked(bound(("P.a", Remove({}), ""), JSON, ("P.a.*", Remove({}), "")), '{"a":["x",{"y":1}]}') == (
        '{"a":[null,{}]}'
    )
    assert masked(bound(("P", Remove({}), "base64")), "eA==") is None
    assert masked(bound(("P", Nullify({}), "base64")), "eA==") is None


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        ("\u00e9", '"\\u00e9"'),
        (None, "null"),
        (1.5, "1.5"),
        (True, "true"),
        (float("inf"), "null"),
        (bson.Decimal128("NaN"), "null"),
        (__import__("datetime").datetime(2020, 1, 1), "null"),
        ({"k": ["v"]}, '{"k": ["v"]}'),
        ({"k": b"v"}, "null"),
    ],
)
def test_masks_that_json_has_no_form_for_become_null_and_count_as_failed(answer: Any, after: str) -> None:
    rules = bound(JSON, ("P.a", Answers(answer), ""))
    assert masked(rules, '{"a":"x"}') == f'{{"a":{after}}}'
    failed = int(after == "null" and answer is not None)
    assert batch(rules, {"P": '{"a":"x"}'}).redacted_on_error == [0, failed]
    assert masked(bound(("P", AsText({}), "base64")), "eA==") == base64.b64encode(b"#x").decode()


def test_a_mask_that_base64_cannot_hold_leaves_nothing_of_the_field() -> None:
    assert masked(bound(("P", Answers(1.5), "base64")), "eA==") is None


def test_siblings_and_places_lead_into_the_field() -> None:
    rules = bound(JSON, ("P.names", TILDE, ""), ("P.note", Neighbours({}), ""), ("Note", Neighbours({}), ""))
    document = {"P": '{"names":["Ada","Bo"],"note":"n"}', "Note": "m"}
    outcome = batch(rules, document).outcomes[0]
    assert isinstance(outcome, Masked)
    changed = bson.decode(outcome.bson)["$set"]
    told = "P.names.0=Ada>Ada~; P.names.1=Bo>Bo~"
    assert changed["Note"] == f"Note: {told}"
    assert json.loads(changed["P"])["note"] == f"P.note: {told}"


def test_subjects_are_those_of_the_document() -> None:
    core = MaskingCore(bound(JSON, ("P.a", Subjects({}), "")), ("Who",), "redact")
    for mode in ("update", "whole"):
        outcome = core.mask([bson.encode({"Who": "p1", "P": '{"a":"x"}'})], mode).outcomes[0]  # type: ignore[arg-type]
        assert isinstance(outcome, Masked)
        assert b'{"a":"of p1"}' in outcome.bson


def test_unmapped_paths_are_told_inside_as_well() -> None:
    unmapped = Unmapped()
    rules = bound(("**", unmapped, ""), JSON, ("P.a", TILDE, ""), ("Q", TILDE, "base64"))
    batch(rules, {"P": '{"a":"x","b":[{"c":1},{"c":2.5}]}', "Q": "eA==", "R": "r"})
    assert unmapped.seen.told() == {("P.b.c", "int"): 1, ("P.b.c", "double"): 1, ("R", "string"): 1}


def test_other_fields_stay() -> None:
    document = {"_id": 1, "P": '{"a":"x"}', "Q": '{"a":"x"}'}
    (outcome,) = batch(bound(JSON, A), document, whole=True).outcomes
    assert isinstance(outcome, Masked)
    assert bson.decode(outcome.bson) == {**document, "P": '{"a":"x~"}'}


@pytest.mark.parametrize("size", [1_000_000, pytest.param(10_000_000, marks=pytest.mark.soak)])
def test_megabytes_of_json(size: int) -> None:
    note, rows = "n" * (size // 2), size // 100
    text = json.dumps({"note": note, "rows": [{"a": "x", "n": number} for number in range(rows)]})
    rules = bound(JSON, ("P.rows.a", TILDE, ""), ("P.note", TILDE, ""))
    after = json.loads(masked(rules, text))
    assert after["note"] == note + "~"
    assert len(after["rows"]) == rows
    assert all(row == {"a": "x~", "n": number} for number, row in enumerate(after["rows"]))


def test_a_field_that_grows_too_large_is_quarantined() -> None:
    class Long(Tilde):
        def mask(self, column: Column) -> Sequence[Any]:
            return ["long" * 5_000_000] * len(column.values)

    rules = bound(JSON, ("P.a", Long({}), ""))
    assert batch(rules, {"P": '{"a":"x"}'}).outcomes == [NeedsWhole()]
    assert isinstance(batch(rules, {"P": '{"a":"x"}'}, whole=True).outcomes[0], Quarantined)


_TEXTS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "a.b", "$c", ""]), inner, max_size=4)
    ),
    max_leaves=15,
)


def _tilde(value: Any, keys: tuple[str, ...] = (), *, masking: bool = False) -> Any:
    """The oracle: `a` and all below it gets a tilde, numbers there become blank, all else stays."""
    if isinstance(value, dict):
        return {key: _tilde(one, (*keys, key), masking=masking or key == "a") for key, one in value.items()}
    if isinstance(value, list):
        return [_tilde(one, keys, masking=masking) for one in value]
    if not masking or value is None:
        return value
    if isinstance(value, str):
        return value + "~"
    if isinstance(value, bool):
        return False
    if isinstance(value, float):
        return 0.0
    return 0 if len(str(abs(value))) <= 34 else None


@stable
@given(_TEXTS, st.booleans(), st.sampled_from([None, 1]))
def test_masked_text_means_what_masking_the_meaning_gives(
    value: Any, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    after = masked(bound(JSON, ("P.**.a", TILDE, "")), text)
    assert repr(json.loads(after)) == repr(_tilde(value))
    assert _skeleton(after) == _skeleton(text)


_SCALARS = re.compile(
    r'("(?:[^"\\]|\\.)*"\s*:)|"(?:[^"\\]|\\.)*"|-?[0-9][-+.0-9eE]*|null|true|false|NaN|-?Infinity'
)


def _skeleton(text: str) -> str:
    """The text without its scalars: keys, brackets, commas, white space."""
    return _SCALARS.sub(lambda match: match[1] or "", text)


@stable
@given(_TEXTS)
def test_removing_leaves_json_without_the_member(value: Any) -> None:
    def without(one: Any) -> Any:
        if isinstance(one, dict):
            return {key: without(inner) for key, inner in one.items() if key != "a" or inner is None}
        return [without(inner) for inner in one] if isinstance(one, list) else one

    after = masked(bound(JSON, ("P.**.a", Remove({}), "")), json.dumps(value))
    assert repr(json.loads(after)) == repr(without(value))


def test_nothing_shows_what_is_in_a_field() -> None:
    rules = bound(JSON, A)
    state = automaton_of(rules).named["P"][0]
    assert state is not None
    opened = EncodedWalk(rules).open('{"a":"Zebedee"}', state, "P")
    for shown in (opened, opened.fields[0]):
        assert "Zebedee" not in repr(shown)
