from __future__ import annotations

import pytest

from phimask.config.environment import substitute, without_references
from phimask.config.nodes import plain
from phimask.config.yaml_lines import parse_yaml
from phimask.errors import Fault

ENVIRON = {"SET": "value", "EMPTY": "", "NUMBER": "7", "TRUTH": "true", "TRICK": "${SET}", "BIG": "9" * 400}


def substituted(text: str) -> tuple[object, list[Fault]]:
    faults: list[Fault] = []
    return plain(substitute(parse_yaml(f"key: {text}", "f.yaml"), ENVIRON, faults))["key"], faults


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${SET}", "value"),
        ("a-${SET}-b-${NUMBER}", "a-value-b-7"),
        ("${EMPTY}", ""),
        ("${NONE:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${SET:-default}", "value"),
        ("${NONE:-}", ""),
        ("${SET:?message}", "value"),
        ("$${SET}", "${SET}"),
        ("$SET $5", "$SET $5"),
        ("${TRICK}", "${SET}"),
        ("${NUMBER}", 7),
        ("${NONE:-0.5}", 0.5),
        ("${TRUTH}", True),
        ('"${NUMBER}"', "7"),
        ("'${TRUTH}'", "true"),
        ("[a, '${SET}', {b: '${SET}'}]", ["a", "value", {"b": "value"}]),
    ],
)
def test_each_form(text: str, value: object) -> None:
    found, faults = substituted(text)
    assert faults == []
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "${NONE}",
            "f.yaml:1: $.key: the environment variable NONE is not set; "
            "set it, or give a default: ${NONE:-default}",
        ),
        ("${NONE:?ask the DBA}", "f.yaml:1: $.key: the environment variable NONE is not set; ask the DBA"),
        ("${EMPTY:?ask the DBA}", "f.yaml:1: $.key: the environment variable EMPTY is empty; ask the DBA"),
        ("${BIG}", "f.yaml:1: $.key: '${BIG}' is out of range; set a smaller number"),
    ],
)  # fmt: skip
def test_what_is_missing_is_a_fault(text: str, said: str) -> None:
    assert [str(fault) for fault in substituted(text)[1]] == [said]


@pytest.mark.parametrize("text", ["${}", "${1A}", "${A-B}", "${UNCLOSED", "'${A B}'"])
def test_a_malformed_reference_is_a_fault(text: str) -> None:
    _, faults = substituted(text)
    assert [fault.wrong for fault in faults] == ["a ${ begins no reference to a variable"]


def test_every_missing_variable_of_a_value_is_named() -> None:
    _, faults = substituted("${ONE}/${TWO}")
    assert [fault.wrong.split()[3] for fault in faults] == ["ONE", "TWO"]


def test_without_references_keeps_what_is_written() -> None:
    assert without_references("a${X}b${Y:-c}d${Z:?e}f$${g}", "#") == "a#bcd#f${g}"
