"""Profiles, collection files, schemas and reports: listed, shown, validated, before any deployment is named."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from phimask.config.data import shipped


def test_profiles_list(project: Path, phimask: Callable[..., Any]) -> None:
    (project / "profiles").mkdir()
    (project / "profiles" / "night.yaml").write_text(
        "version: 1\nextends: production\ndescription: At night\n", encoding="utf-8"
    )
    answer = phimask("profiles", "list", "--json")
    assert answer.code == 0
    rows = {one["name"]: one for one in answer.json["profiles"]}
    assert set(rows) == {*shipped("profile"), "night"}
    assert rows["night"] == {"name": "night", "description": "At night", "file": "profiles/night.yaml"}
    told = phimask("profiles", "list")
    assert told.out == ""
    assert all(name in told.err for name in rows)


@pytest.mark.parametrize("command", [("profiles", "list"), ("collections", "list"), ("schema", "profile")])
def test_a_starter_file_without_its_variables_is_no_hindrance(
    command: tuple[str, ...], project: Path, phimask: Callable[..., Any]
) -> None:
    assert phimask("init").code == 0
    answer = phimask(*command)
    assert answer.code == 0, answer.err


def test_profiles_show_works_in_what_is_extended(project: Path, phimask: Callable[..., Any]) -> None:
    shown = phimask("profiles", "show", "advanced", "--json").json
    assert shown["name"] == "advanced"
    assert shown["partitioner"]["name"] == "sample"
    assert shown["partitioner"]["options"]["target_size"] == 128_000_000
    assert shown["partitioner"]["options"]["samples_per_partition"] == 20
    assert shown["retry"] == {"attempts": 8, "initial": 0.1, "longest": 10.0}
    told = phimask("profiles", "show", "advanced")
    assert told.out == ""
    assert "check_sample" in told.err


@pytest.mark.parametrize(
    "command",
    [
        "profiles list",
        "profiles show advanced",
        "collections list",
        "collections show hipaa-person",
        "plugins list",
    ],
)
def test_no_line_ends_in_blanks_in_a_pipe(command: str, project: Path, phimask: Callable[..., Any]) -> None:
    told = phimask(*command.split()).err
    assert "  " in told
    assert [line for line in told.splitlines() if line != line.rstrip()] == []


def test_nothing_is_cut_or_wrapped_in_a_pipe(
    project: Path, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    path, pattern = "Patient.History." * 12 + "Note", "[a-z]{2}" * 20
    (project / "collections").mkdir()
    (project / "collections" / "long.yaml").write_text(
        "version: 1\ncollection: people\nrules:\n"
        f"  - path: {path}\n"
        f"    masker: {{name: regex_replace, options: {{pattern: '{pattern}', replacement: ':x:'}}}}\n",
        encoding="utf-8",
    )
    (line,) = (one for one in phimask("collections", "show", "long").err.splitlines() if path in one)
    assert f"pattern={pattern}" in line
    assert "replacement=:x:" in line
    assert line.rstrip().endswith("long.yaml:4")
    for command in (("plugins", "list"), ("profiles", "list"), ("collections", "list")):
        told = phimask(*command).err.splitlines()
        count = len(next(iter(phimask(*command, "--json").json.values())))
        assert len(told) == 1 + count
        assert not any("…" in one for one in told)


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_what_is_secret_is_shown_by_neither(
    flags: tuple[str, ...], project: Path, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS", "json://phimask:hunter2@127.0.0.1/hunter2")
    monkeypatch.setenv("PHIMASK_VAULT", "mongodb://phimask:hunter2@127.0.0.1/")
    for kind in ("profiles", "collections"):
        (project / kind).mkdir()
    (project / "profiles" / "told.yaml").write_text(
        "version: 1\nextends: production\ndescription: d\n"
        'observers: [{name: notify, options: {to: {ops: {url: "${OPS}", alerts: [slow]}}}}]\n',
        encoding="utf-8",
    )
    (project / "collections" / "people.yaml").write_text(
        "version: 1\ncollection: people\nsubject: A\n"
        'rules: [{path: A.B, masker: {name: tokenize, options: {uri: "${PHIMASK_VAULT}", database: tokens}}}]\n',
        encoding="utf-8",
    )
    shown = [
        phimask("profiles", "show", "told", *flags),
        phimask("collections", "show", "people", *flags),
    ]
    for answer in shown:
        assert answer.code == 0, answer.err
        assert "hunter2" not in answer.out + answer.err
        assert "***" in answer.out + answer.err
    if flags:
        (notify,) = shown[0].json["observers"]
        assert notify["options"]["to"] == {"ops": {"url": "***", "file": None, "alerts": ["slow"]}}
        assert shown[0].json["undo"] == {"vault": "***"}
        assert shown[1].json["subject"] == ["A"]


@pytest.mark.parametrize("name", sorted(shipped("profile")))
def test_shipped_profiles_are_valid_and_fit_their_schema(
    name: str, project: Path, phimask: Callable[..., Any]
) -> None:
    answer = phimask("profiles", "validate", name, "--json")
    assert answer.code == 0
    assert answer.json["valid"] is True
    schema = phimask("schema", "profile").json
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(
        yaml.safe_load(shipped("profile")[name].read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize("name", sorted(shipped("collection")))
def test_shipped_collection_files_are_valid_and_fit_their_schema(
    name: str, project: Path, phimask: Callable[..., Any]
) -> None:
    answer = phimask("collections", "validate", name)
    assert answer.code == 0, answer.err
    assert answer.out == ""
    assert answer.err.strip().endswith(f"{name}.yaml is valid")
    schema = phimask("schema", "collection").json
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(
        yaml.safe_load(shipped("collection")[name].read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize("kind", ["profile", "collection", "project", "report"])
def test_schemas_are_schemas(kind: str, project: Path, phimask: Callable[..., Any]) -> None:
    answer = phimask("schema", kind)
    assert answer.code == 0
    assert answer.err == ""
    Draft202012Validator.check_schema(answer.json)
    assert answer.json["type"] == "object"


def test_the_schema_knows_the_projects_own_plugins(project: Path, phimask: Callable[..., Any]) -> None:
    assert phimask("plugins", "new", "ward_name").code == 0
    validator = Draft202012Validator(phimask("schema", "collection").json)
    file = {"version": 1, "collection": "c", "rules": [{"path": "Ward", "masker": "ward_name"}]}
    assert not validator.is_valid(file)
    (project / "phimask.yaml").write_text("version: 1\nplugins: [ward_name.py]\n", encoding="utf-8")
    assert Draft202012Validator(phimask("schema", "collection").json).is_valid(file)


def test_collections_list_and_show(deployed: Path, phimask: Callable[..., Any]) -> None:
    rows = {one["name"]: one for one in phimask("collections", "list", "--json").json["collections"]}
    assert set(rows) >= {"people", "container", "hipaa-person"}
    assert rows["people"] == {
        "name": "people",
        "for": "collection people",
        "rules": "3",
        "file": "collections/people.yaml",
    }
    assert rows["hipaa-person"]["for"] == "rule pack"
    told = phimask("collections", "show", "people")
    assert told.code == 0
    assert told.out == ""
    assert "people: collection people, subject PatientId, on_error redact" in told.err
    assert "people.yaml:6" in told.err
    shown = phimask("collections", "show", "people", "--json").json
    assert [rule["path"] for rule in shown["rules"]] == ["Name", "Born", "Visits.Note"]
    (deployed / "dotted.yaml").write_text(
        "version: 1\ncollection: people\nsubject: 'Person.\"the.id\"'\nrules: [{path: Name, masker: redact}]\n",
        encoding="utf-8",
    )
    assert 'subject Person."the.id", on_error' in phimask("collections", "show", "dotted.yaml").err
    pack = phimask("collections", "show", "hipaa-person")
    assert "None" not in pack.err.splitlines()[0]


@pytest.mark.parametrize(
    ("group", "text", "words"),
    [
        ("profiles", "version: 1\nextends: parallel\nretries: 3\n", ("bad.yaml:3: $.retries", "retry")),
        ("collections", "version: 1\ncollection: x\nrules: []\n", ("bad.yaml:3: $.rules",)),
    ],
)
def test_validate_tells_what_is_wrong(
    group: str, text: str, words: tuple[str, ...], project: Path, phimask: Callable[..., Any]
) -> None:
    (project / "bad.yaml").write_text(text, encoding="utf-8")
    for options in ((), ("--json",)):
        answer = phimask(group, "validate", "bad.yaml", *options)
        assert answer.code == 2
        assert answer.out == ""
        assert all(word in answer.err for word in words)


LONG = "a" * 300


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("profiles", "validate", f"{LONG}.yaml"), "there is no profile"),
        (("collections", "validate", LONG), "there is no collection file"),
        (("profiles", "show", "circle.yaml"), "there is no profile"),
        (("plugins", "list", "--plugin", "circle.py"), "there is no file"),
        (("report", f"{LONG}.json"), "does not exist"),
        (("plugins", "new", LONG), "cannot write to"),
        (("plugins", "new", "redact"), "there is a masker redact already"),
        (("keygen", "--out", "file/key"), "cannot be written: file is no folder"),
        (("discover", "-c", "x", "--extends", LONG), "--extends: $: there is no collection file"),
    ],
)
def test_names_that_lead_nowhere(
    arguments: tuple[str, ...], words: str, project: Path, phimask: Callable[..., Any]
) -> None:
    (project / "file").touch()
    for name in ("circle.yaml", "circle.py"):
        try:
            (project / name).symlink_to(name)
        except OSError:
            pytest.skip("this user may make no links")
    before = sorted(project.iterdir())
    answer = phimask(*arguments)
    assert answer.code == 2, answer.err
    assert words in answer.err
    assert answer.err.count("error: ") == 1
    assert sorted(project.iterdir()) == before


@pytest.mark.parametrize("to", ["phimask.yaml", "not-mounted/phimask.yaml"])
def test_a_link_to_nowhere_is_not_taken_for_no_project(
    to: str, project: Path, phimask: Callable[..., Any]
) -> None:
    try:
        (project / "phimask.yaml").symlink_to(to)
    except OSError:
        pytest.skip("this user may make no links")
    for arguments in (("plan",), ("run", "--yes"), ("status",), ("profiles", "list"), ("plugins", "list")):
        answer = phimask(*arguments)
        assert answer.code == 2, answer.err
        assert f"error: {to}: $: the file cannot be read" in answer.err


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("batch_sizer:\n  options:\n    target: 0s", "mine.yaml:5: $.batch_sizer.options.target: target is no time"),
        ("batch_sizer: {options: {target: 9s}}", "mine.yaml:3: $.batch_sizer.options.target: longest is below target"),
        ("executor: {options: {autoscale: {min: 3, max: 2}}}", "mine.yaml:3: $.executor.options.autoscale: "),
        (
            "memory_governor: {options: {ceiling: 250MB}}\nbatch_sizer: {options: {memory: null}}",
            "mine.yaml:3: $.memory_governor.options.ceiling: the pools together (352 MB) are above",
        ),
    ],
)  # fmt: skip
def test_a_contradiction_with_what_is_shipped_is_told_where_it_can_be_mended(
    written: str, told: str, project: Path, phimask: Callable[..., Any]
) -> None:
    (project / "mine.yaml").write_text(f"version: 1\nextends: advanced\n{written}\n", "utf-8")
    answer = phimask("profiles", "validate", "mine.yaml")
    assert answer.code == 2
    assert answer.err.startswith(f"error: {told}")
    assert answer.err.count("error: ") == 1


@pytest.mark.parametrize(
    ("forbidden", "arguments", "words"),
    [
        ("phimask.yaml", ("plan",), "phimask.yaml: $: the file cannot be read (Permission denied)"),
        ("phimask.yaml", ("run", "--yes", "--uri", "mongodb://127.0.0.1"), "phimask.yaml: $: the file cannot be read"),
        ("profiles", ("plan",), "profiles/mine.yaml: $: the file cannot be read (Permission denied)"),
        ("profiles", ("profiles", "list"), "profiles: $: the folder cannot be read (Permission denied); let this user"),
        ("collections", ("collections", "validate", "people"), "collections/people.yaml: $: the file cannot be read"),
        ("collections", ("plan",), "collections/people.yaml: $: the file cannot be read (Permission denied)"),
        ("key", ("plan",), "the key file key cannot be read: Permission denied"),
        ("plugged.py", ("plugins", "list"), "plugged.py cannot be read (Permission denied); let this user read it"),
    ],
)  # fmt: skip
def test_what_this_user_may_not_read(
    forbidden: str,
    arguments: tuple[str, ...],
    words: str,
    project: Path,
    phimask: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for folder in ("profiles", "collections"):
        (project / folder).mkdir()
    (project / "phimask.yaml").write_text(
        "version: 1\nuri: mongodb://127.0.0.1:1/\ndatabase: ehr\nprofile: mine\ncollections: [people]\n"
        f"key: {{file: key}}\nplugins: [{'plugged.py' if forbidden == 'plugged.py' else ''}]\n",
        "utf-8",
    )
    (project / "profiles" / "mine.yaml").write_text("version: 1\nextends: emergency\n", "utf-8")
    rules = "version: 1\ncollection: people\nrules:\n  - {path: Name, masker: hash}\n"
    (project / "collections" / "people.yaml").write_text(rules, "utf-8")
    (project / "plugged.py").write_text("", "utf-8")
    for way in ("open", "stat", "iterdir"):  # no file's mode keeps root from anything
        monkeypatch.setattr(Path, way, _forbidding(getattr(Path, way), project / forbidden))
    answer = phimask(*arguments)
    assert answer.code == 2, answer.err
    assert words in answer.err
    assert answer.err.count("error: ") == 1


def _forbidding(real: Callable[..., Any], forbidden: Path) -> Callable[..., Any]:
    def guarded(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.absolute().is_relative_to(forbidden):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *arguments, **options)

    return guarded


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", ("r.json is not JSON", "--report FILE")),
        (b"\xff\xfe", ("r.json is not JSON",)),
        (b"{}", ("r.json is not a phimask report",)),
        (b"[1]", ("r.json is not a phimask report",)),
        (b'{"status": "Zebulon"}', ("r.json is not a phimask report",)),
    ],
)
def test_report_of_what_is_none(
    content: bytes, words: tuple[str, ...], project: Path, phimask: Callable[..., Any]
) -> None:
    (project / "r.json").write_bytes(content)
    answer = phimask("report", "r.json")
    assert answer.code == 2
    assert all(word in answer.err for word in words)
    assert "Zebulon" not in answer.err


def test_report_of_a_directory_and_of_a_file_that_may_not_be_read(
    project: Path, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "reports").mkdir()
    answer = phimask("report", "reports")
    assert answer.code == 2
    assert answer.err == "error: reports is a directory; give the file that `phimask --report FILE` wrote\n"
    (project / "r.json").write_text("{}", "utf-8")
    monkeypatch.setattr(Path, "open", _forbidding(Path.open, project / "r.json"))
    answer = phimask("report", "r.json")
    assert answer.code == 2
    assert "r.json cannot be read (Permission denied); give the file that" in answer.err
    assert len(answer.err.splitlines()) == 1


def test_report_again(deployed: Path, database: Any, phimask: Callable[..., Any]) -> None:
    database["people"].insert_many({"_id": n, "PatientId": n, "Name": f"Person {n}"} for n in range(9))
    where = ("-d", database.name, "-c", "people")
    assert phimask(*where, "--yes", "--report", "r.json").code == 0
    report = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert phimask("report", "r.json", "--json").json == report
    told = phimask("report", "r.json")
    assert told.out == ""
    assert report["run_id"] in told.err
