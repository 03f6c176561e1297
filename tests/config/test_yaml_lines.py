from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask.config.data import data_dir
from phimask.config.model import Origin
from phimask.config.nodes import Node, at, below, plain
from phimask.config.yaml_lines import parse_value, parse_yaml, read_yaml
from phimask.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("null", None),
        ("~", None),
        ("", None),
        ("7", 7),
        ("-7", -7),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775807", 1 - 2**63),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2.5", 2.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        ("nan", "nan"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("'7'", "7"),
        ('"true"', "true"),
        ("!!str 7", "7"),
    ],
)
def test_types_are_those_of_yaml_1_2_without_surprises(text: str, value: object) -> None:
    found = plain(parse_yaml(f"key: {text}", "f"))["key"]
    assert found == value
    assert type(found) is type(value)


def test_every_value_knows_its_line_and_path() -> None:
    tree = parse_yaml(
        "version: 1\nrules:\n  - path: A\n    masker:\n      name: x\n  - {'first name': B}\n", "f.yaml"
    )
    assert at(tree, ("rules",)).origin == Origin("f.yaml", 2, "$.rules")
    assert at(tree, ("rules", 0)).origin == Origin("f.yaml", 3, "$.rules[0]")
    assert at(tree, ("rules", 0, "masker")).origin == Origin("f.yaml", 4, "$.rules[0].masker")
    assert at(tree, ("rules", 0, "masker", "name")).origin == Origin("f.yaml", 5, "$.rules[0].masker.name")
    assert at(tree, ("rules", 1, "first name")).origin == Origin("f.yaml", 6, "$.rules[1]['first name']")


def test_a_block_scalar_has_the_line_of_its_key() -> None:
    tree = parse_yaml("a: 1\nb: >\n  long\n  text\nc:\n\n  - x\n", "f")
    assert at(tree, ("b",)).origin.line == 2
    assert at(tree, ("c",)).origin.line == 5
    assert at(tree, ("c", 0)).origin.line == 7


def test_aliases_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: &x {b: 1}\r\nc: *x\r\n")
    assert plain(read_yaml(file, "f")) == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: \xff\n", "f:1: $: the file is not UTF-8; save it as UTF-8"),
        ("a: 1\n".encode("utf-16"), "f:1: $: the file is not UTF-8; save it as UTF-8"),
        (b"#" * (4 * 1024 * 1024 + 1), "f: $: the file is larger than 4 MiB; split it"),
        (b"a: \x00", "f:1: $: there is a control character; delete it: YAML is plain text"),
        (b"a: @b", "f:1: $: a value begins with a character that YAML reserves; put it in quotes"),
        (b'a: "C:\\dir"', "f:1: $: a backslash in double quotes begins an unknown escape; "
         "double it (\\\\), or use single quotes"),
        (b"a: &x 1\nb: &x 2\n", "f:2: $: an anchor (&name) is set twice; give each its own name"),
        (b"a: !e!x 1", "f:1: $: a value begins with a tag (!); put it in quotes"),
        (b"a: 1\n- b\n", "f:2: $: this line does not fit the mapping around it; align its keys"),
        (b"a:\n  - b\n  c: d\n",
         "f:3: $: this line does not fit the list around it; begin each item with `- `, aligned"),
        (b'a: "\\UFFFFFFFF"', "f: $: an escape (\\U...) stands for no character; write the character itself"),
        (b'a: "\\U00110000"', "f: $: an escape (\\U...) stands for no character; write the character itself"),
        (b'a: "\\uD800"',
         "f:1: $.a: an escape stands for half a character (a surrogate); write the character itself"),
        (b'"\\uD800": 1',
         "f:1: $: an escape stands for half a character (a surrogate); write the character itself"),
        (b"a: 9223372036854775808", "f:1: $.a: the number is out of range; write a smaller one"),
        (b"a: 0xffffffffffffffffffff", "f:1: $.a: the number is out of range; write a smaller one"),
        (b"a: " + b"[" * 5000, "f: $: values are nested too deeply; use at most 60 levels"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_one_clear_fault(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(file, "f")
    assert str(caught.value) == said


def test_a_folder_and_a_missing_file_are_faults(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"f: \$: .*; name a"):
        read_yaml(tmp_path, "f")
    with pytest.raises(ConfigError, match=r"f: \$: the file cannot be read"):
        read_yaml(tmp_path / "none.yaml", "f")


def test_a_flag_s_value_is_read_as_yaml_without_lines() -> None:
    origin = Origin("--set", None, "$.breaker")
    node = parse_value("{trips: 1, memory: null}", origin)
    assert plain(node) == {"trips": 1, "memory": None}
    assert at(node, ("trips",)).origin == Origin("--set", None, "$.breaker.trips")
    with pytest.raises(ConfigError, match=r"--set: .*closed"):
        parse_value("[1", origin)
    with pytest.raises(ConfigError, match="no value is given"):
        parse_value("", origin)


SHIPPED = sorted(data_dir("profiles").rglob("*.yaml"))


@pytest.mark.parametrize("file", SHIPPED, ids=[file.stem for file in SHIPPED])
def test_both_parsers_read_a_shipped_file_alike(file: Path) -> None:
    def places(node: Node) -> list[object]:
        value = node.value
        children = (
            [*value.items()]
            if isinstance(value, dict)
            else [*enumerate(value)]
            if isinstance(value, list)
            else []
        )
        own = None if children else value
        return [node.origin, own, node.written, *[(key, *places(child)) for key, child in children]]

    quickly, slowly = (read_yaml(file, file.name, shipped=shipped) for shipped in (True, False))
    assert places(quickly) == places(slowly)


def test_a_node_does_not_show_its_value() -> None:
    assert "hunter2" not in repr(parse_yaml("a: hunter2", "f"))
    assert "hunter2" not in repr(at(parse_yaml("a: hunter2", "f"), ("a",)))


@given(st.text(max_size=300))
def test_any_text_is_a_tree_or_faults(text: str) -> None:
    try:
        tree = parse_yaml(text, "f")
    except ConfigError as error:
        faults = error.faults
    else:
        assert isinstance(tree, Node)
        assert isinstance(plain(tree), dict)
        return
    assert faults
    assert all(fault.wrong and fault.right and "\n" not in str(fault) for fault in faults)


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ("a", "$.a"),
        ("größe", "$.größe"),
        ("a-b", "$['a-b']"),
        ("", "$['']"),
        ("it's", "$['it\\'s']"),
        (3, "$[3]"),
    ],
)
def test_paths_follow_rfc_9535(step: str | int, path: str) -> None:
    assert below("$", step) == path
