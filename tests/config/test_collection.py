from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_catalog import FakeCatalog

from phimask.config.collection import load_collection
from phimask.config.model import CollectionFile
from phimask.errors import ConfigError
from phimask.plugins.values import Wildcard


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "collections").mkdir()
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / "collections" / f"{name}.yaml").write_text(f"version: 1\n{text}", encoding="utf-8")


def collection(folder: Path, name: str, **given: Any) -> CollectionFile:
    return load_collection(name, directory=folder, environ={}, components=FakeCatalog(), **given)


def test_a_file_and_its_defaults(folder: Path) -> None:
    write(folder, "a", 'collection: no\nrules:\n  - {path: "**.SSN", masker: {name: hash}}\n')
    found = collection(folder, "a")
    assert (found.name, found.collection, found.subject) == ("a", "no", None)
    assert (found.unmapped, found.on_error) == ("keep", "redact")
    rule = found.rules[0]
    assert rule.segments == (Wildcard.ANY_DEPTH, "SSN")
    assert (rule.path, rule.masker.name, rule.masker.options) == ("**.SSN", "hash", {"length": 32})
    assert (rule.origin.file, rule.origin.line, rule.origin.path) == ("collections/a.yaml", 4, "$.rules[0]")


def test_packs_come_first_in_order_and_each_once(folder: Path) -> None:
    write(folder, "base", "rules: [{path: A, masker: redact}]\n")
    write(folder, "one", "extends: base\nrules: [{path: A, masker: keep}]\n")
    write(folder, "two", "extends: [base]\nrules: [{path: B, masker: keep}]\n")
    write(folder, "all", "collection: c\nextends: [one, two]\nrules: [{path: C, masker: keep}]\n")
    rules = collection(folder, "all").rules
    assert [(rule.path, rule.masker.name, rule.origin.file) for rule in rules] == [
        ("A", "redact", "collections/base.yaml"),
        ("A", "keep", "collections/one.yaml"),
        ("B", "keep", "collections/two.yaml"),
        ("C", "keep", "collections/all.yaml"),
    ]


def test_a_pack_s_subject_and_answers_hold_until_said_otherwise(folder: Path) -> None:
    write(
        folder,
        "pack",
        "collection: other\nsubject: A.Id\non_error: halt\nrules: [{path: A, masker: date_shift}]\n",
    )
    write(folder, "child", "collection: c\nextends: pack\n")
    write(
        folder, "grandchild", "collection: d\nextends: child\nsubject: '\"a.b\".Id'\non_error: quarantine\n"
    )
    child, grandchild = collection(folder, "child"), collection(folder, "grandchild")
    assert (child.collection, child.subject, child.on_error) == ("c", ("A", "Id"), "halt")
    assert (grandchild.subject, grandchild.on_error) == (("a.b", "Id"), "quarantine")
    assert len(grandchild.rules) == 1


def test_a_pack_is_only_loaded_when_asked_for(folder: Path) -> None:
    write(folder, "pack", "rules: [{path: A, masker: date_shift}]\n")
    assert collection(folder, "pack", pack=True).collection is None
    with pytest.raises(ConfigError, match="it is a rule pack"):
        collection(folder, "pack")


def test_a_collection_s_name_is_not_inherited(folder: Path) -> None:
    write(folder, "full", "collection: c\nrules: [{path: A, masker: redact}]\n")
    write(folder, "child", "extends: full\n")
    with pytest.raises(ConfigError, match="the file names no collection"):
        collection(folder, "child")


def test_safe_mode_halts_on_errors(folder: Path) -> None:
    write(folder, "a", "collection: c\non_error: redact\nrules: [{path: A, masker: redact}]\n")
    assert collection(folder, "a", safe_mode=True).on_error == "halt"


def test_a_subject_in_the_child_satisfies_the_pack_s_rule(folder: Path) -> None:
    write(folder, "pack", "rules:\n  - {path: A, masker: date_shift}\n")
    write(folder, "with", "collection: c\nextends: pack\nsubject: Id\n")
    write(folder, "without", "collection: c\nextends: pack\n")
    assert collection(folder, "with").subject == ("Id",)
    with pytest.raises(ConfigError) as caught:
        collection(folder, "without")
    assert str(caught.value).startswith(
        "collections/pack.yaml:3: $.rules[0].masker: the masker date_shift works"
    )


def test_faults_of_all_files_come_together_in_order(folder: Path) -> None:
    write(folder, "pack", "rules:\n  - {path: A., masker: redact}\n  - {path: B, masker: redct}\n")
    write(folder, "child", "collection: c\nextends: [pack, none]\nsubjct: x\nrules: {}\n")
    with pytest.raises(ConfigError) as caught:
        collection(folder, "child")
    places = [(fault.file, fault.line, fault.path) for fault in caught.value.faults]
    assert places == [
        ("collections/child.yaml", 3, "$.extends[1]"),
        ("collections/child.yaml", 4, "$.subjct"),
        ("collections/child.yaml", 5, "$.rules"),
    ]


def test_how_a_field_is_held_and_that_such_a_rule_may_do_without_a_masker(folder: Path) -> None:
    write(
        folder,
        "a",
        "collection: c\nrules:\n  - {path: A, decode: json}\n  - {path: B, decode: [base64, json]}\n"
        "  - {path: C, decode: base64, masker: redact}\n  - {path: D, masker: redact}\n",
    )
    rules = collection(folder, "a").rules
    assert [rule.decode for rule in rules] == [("json",), ("base64", "json"), ("base64",), ()]
    assert [rule.masker is None for rule in rules] == [True, True, False, False]
    assert [rule.masker_name for rule in rules] == ["decode", "decode", "redact", "redact"]
