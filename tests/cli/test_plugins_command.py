"""`phimask plugins`: what is there, what it takes, and a new masker that works at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from phimask.plugins.class_check import KINDS

GUEST = """\
from phimask import Masker, hookimpl


class Initial(Masker):
    \"\"\"Keeps the first letter.

    More of it.
    \"\"\"

    name = "initial"
    types = frozenset({"string"})

    def mask(self, column):
        return [value[:1] + "." for value in column.values]


@hookimpl
def phimask_register_maskers():
    return [Initial]
"""


def test_list_names_every_kind_and_provider(project: Path, phimask: Callable[..., Any]) -> None:
    answer = phimask("plugins", "list", "--json")
    assert answer.code == 0
    components = answer.json["components"]
    assert {one["kind"] for one in components} == set(KINDS)
    assert all(one["provider"].startswith("builtin (phimask ") for one in components)
    assert all(one["does"] for one in components)
    assert {"fake", "redact"} <= {one["name"] for one in components if one["kind"] == "masker"}
    assert answer.json["disabled"] == []
    told = phimask("plugins", "list")
    assert told.out == ""
    assert all(one["name"] in told.err for one in components)


def test_list_one_kind(project: Path, phimask: Callable[..., Any]) -> None:
    answer = phimask("plugins", "list", "--kind", "partitioner", "--json")
    assert {"paginate", "sample", "single"} <= {one["name"] for one in answer.json["components"]}
    assert {one["kind"] for one in answer.json["components"]} == {"partitioner"}


def test_a_projects_own_plugins_are_listed_before_its_deployment_is_named(
    project: Path, phimask: Callable[..., Any]
) -> None:
    assert phimask("init").code == 0
    with (project / "phimask.yaml").open("a", encoding="utf-8") as file:
        file.write("plugins: [initial.py]\n")
    (project / "initial.py").write_text(GUEST, encoding="utf-8")
    answer = phimask("plugins", "list", "--kind", "masker", "--json")
    assert answer.code == 0, answer.err
    (own,) = [one for one in answer.json["components"] if one["provider"] == "initial.py"]
    assert own == {
        "kind": "masker",
        "name": "initial",
        "provider": "initial.py",
        "does": "Keeps the first letter.",
    }
    shown = phimask("plugins", "show", "initial", "--json")
    assert shown.json[0]["provider"] == "initial.py"


def test_a_plugin_named_on_the_command_line(project: Path, phimask: Callable[..., Any]) -> None:
    (project / "initial.py").write_text(GUEST, encoding="utf-8")
    shown = phimask("plugins", "show", "initial", "--plugin", "initial.py")
    assert shown.code == 0, shown.err
    assert "masker initial (from initial.py)" in shown.err
    assert "Keeps the first letter." in shown.err
    missing = phimask("plugins", "show", "initial")
    assert missing.code == 2
    assert "there is no component 'initial'" in missing.err


def test_show_says_what_a_masker_promises_and_needs(project: Path, phimask: Callable[..., Any]) -> None:
    (one,) = phimask("plugins", "show", "pseudonym", "--json").json
    assert one["properties"] == {
        "takes": ["int", "long", "objectId", "string"],
        "gives": ["string"],
        "uniqueness": "probable",
        "changes": "always",
        "idempotent": False,
        "needs_key": True,
        "needs_subject": False,
    }
    told = phimask("plugins", "show", "pseudonym").err
    assert "takes: int, long, objectId, string\n" in told
    assert "properties" not in phimask("plugins", "show", "sample", "--json").json[0]


def test_list_says_a_whole_thing_of_each(project: Path, phimask: Callable[..., Any]) -> None:
    does = {one["name"]: one["does"] for one in phimask("plugins", "list", "--json").json["components"]}
    assert does["zip3"] == "Keeps the first three digits of a ZIP code and sets the others to 0."
    assert all(text.endswith(".") for text in does.values())
    assert "\nmasker" not in phimask("plugins", "list", "--kind", "masker").err


def test_show_gives_the_options_as_a_schema(project: Path, phimask: Callable[..., Any]) -> None:
    answer = phimask("plugins", "show", "sample", "--json")
    (one,) = answer.json
    assert one["kind"] == "partitioner"
    Draft202012Validator.check_schema(one["options_schema"])
    assert "target_size" in one["options_schema"]["properties"]
    told = phimask("plugins", "show", "sample")
    assert told.out == ""
    assert '"target_size"' in told.err


def test_show_of_a_name_that_is_none_guesses(project: Path, phimask: Callable[..., Any]) -> None:
    answer = phimask("plugins", "show", "redakt")
    assert answer.code == 2
    assert answer.err.strip() == "error: there is no component 'redakt'; did you mean 'redact'?"


def test_disabled_plugins_are_told(
    project: Path, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHIMASK_DISABLED_PLUGINS", "builtin, nosuch")
    answer = phimask("plugins", "list", "--json")
    assert answer.json == {"components": [], "disabled": ["builtin"]}
    told = phimask("plugins", "list").err
    assert "disabled by PHIMASK_DISABLED_PLUGINS: builtin" in told
    assert "PHIMASK_DISABLED_PLUGINS names nosuch, and there is no such plugin" in told


def test_new_writes_a_masker_whose_test_passes(project: Path, phimask: Callable[..., Any]) -> None:
    answer = phimask("plugins", "new", "ward_name", "--json")
    assert answer.code == 0, answer.err
    assert answer.json == {"written": ["ward_name.py", "test_ward_name.py"]}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_ward_name.py"],
        cwd=project,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout
    listed = phimask("plugins", "list", "--plugin", "ward_name.py", "--json").json["components"]
    assert ("masker", "ward_name") in {(one["kind"], one["name"]) for one in listed}

    kept = (project / "ward_name.py").read_bytes()
    again = phimask("plugins", "new", "ward_name")
    assert again.code == 2
    assert "ward_name.py exists already" in again.err
    assert (project / "ward_name.py").read_bytes() == kept


@pytest.mark.parametrize("name", ["Ward", "ward-name", "class", "json", "9lives", "../up", ""])
def test_new_refuses_what_is_no_name(name: str, project: Path, phimask: Callable[..., Any]) -> None:
    answer = phimask("plugins", "new", name)
    assert answer.code == 2
    assert "Traceback" not in answer.err
    assert list(project.iterdir()) == []


def test_a_new_masker_masks_a_collection(deployed: Path, database: Any, phimask: Callable[..., Any]) -> None:
    database["people"].insert_many({"_id": number, "Name": f"Ada {number}"} for number in range(9))
    assert phimask("plugins", "new", "letters").code == 0
    (deployed / "phimask.yaml").write_text("version: 1\nplugins: [letters.py]\n", encoding="utf-8")
    (deployed / "collections" / "people.yaml").write_text(
        "version: 1\ncollection: people\nrules:\n  - {path: Name, masker: letters}\n", encoding="utf-8"
    )
    answer = phimask("-d", database.name, "-c", "people", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert {one["Name"] for one in database["people"].find()} == {"xxx 0"}
