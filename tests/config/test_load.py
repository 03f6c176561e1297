from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_catalog import FakeCatalog

from phimask.config.load import DEFAULT_PROFILE, load_configuration
from phimask.config.model import Configuration
from phimask.config.project import load_project
from phimask.errors import ConfigError

PATIENTS = "version: 1\ncollection: patients\nrules:\n  - {path: Name, masker: redact}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "collections").mkdir()
    (tmp_path / "collections" / "patients.yaml").write_text(PATIENTS, encoding="utf-8")
    (tmp_path / "collections" / "again.yaml").write_text(PATIENTS, encoding="utf-8")
    (tmp_path / "paged.yaml").write_text(
        "version: 1\nextends: parallel\nobservers: [{name: pager, options: {token: '${TOKEN}'}}]\n",
        encoding="utf-8",
    )
    (tmp_path / "phimask.yaml").write_text(
        "version: 1\ndatabase: ehr\nprofile: emergency\ncollections: [patients]\n", encoding="utf-8"
    )
    return tmp_path


def configuration(folder: Path, flags: Any = None, **given: Any) -> Configuration:
    project = load_project(directory=folder, environ={}, **(flags or {}))
    return load_configuration(
        project, environ={"TOKEN": "hunter2-hunter2"}, components=FakeCatalog(), **given
    )


def test_the_project_says_what_the_command_line_does_not(folder: Path) -> None:
    found = configuration(folder)
    assert found.profile.name == found.project.profile == "emergency"
    assert [file.collection for file in found.collections] == ["patients"]
    found = configuration(
        folder, profile="production", collections=["./collections/again.yaml"], settings=["strict=false"]
    )
    assert found.profile.name == found.project.profile == "production"
    assert found.project.collections == ("./collections/again.yaml",)
    assert found.settings == ("strict=false",)
    assert not found.profile.strict


def test_without_a_word_the_default_profile_runs(folder: Path) -> None:
    (folder / "phimask.yaml").unlink()
    found = configuration(folder, collections=["container"])
    assert found.profile.name == DEFAULT_PROFILE


def test_all_faults_of_all_files_at_once(folder: Path) -> None:
    (folder / "phimask.yaml").write_text(
        "version: 1\nprofile: emergancy\ncollections:\n  - patient\n  - patients\n", encoding="utf-8"
    )
    (folder / "collections" / "patients.yaml").write_text(f"{PATIENTS}rule: x\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        configuration(folder, settings=["breaker.trips"])
    assert [(fault.file, fault.line, fault.path) for fault in caught.value.faults] == [
        ("--set", None, "$"),
        ("collections/patients.yaml", 5, "$.rule"),
        ("phimask.yaml", 2, "$.profile"),
        ("phimask.yaml", 4, "$.collections[0]"),
    ]
    assert "did you mean 'patients'?" in str(caught.value)
    assert "did you mean 'emergency'?" in str(caught.value)


def test_a_run_without_collections_is_refused(folder: Path) -> None:
    (folder / "phimask.yaml").write_text("version: 1\nprofile: emergency\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        configuration(folder)
    assert str(caught.value) == (
        "phimask.yaml:1: $.collections: no collection file is named; "
        "write -c NAME, or `collections: [NAME]` in phimask.yaml"
    )


def test_two_files_for_one_collection_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        configuration(folder, collections=["patients", "again"])
    assert str(caught.value) == (
        "--collection: $: patients and again both mask the collection 'patients'; "
        "name one of them: a collection is masked once"
    )


def test_safe_mode_reaches_profile_and_collections(folder: Path) -> None:
    found = configuration(folder, safe_mode=True)
    assert found.profile.batch_sizer.name == "fixed"
    assert found.collections[0].on_error == "halt"


@pytest.mark.parametrize(
    "given",
    [
        {"profile": "parallel"},
        {"settings": ["breaker.trips=4"]},
        {"settings": ["batch_sizer.options.documents=4"]},
        {"settings": ["validators=[count]"]},
        {"settings": ["strict=true"]},
        {"safe_mode": True},
        {"collections": ["container"]},
        {"flags": {"database": "other"}},
        {"flags": {"target_database": "other"}},
    ],
)
def test_what_decides_the_outcome_changes_the_digest(folder: Path, given: dict[str, Any]) -> None:
    before = configuration(folder)
    assert len(before.digest) == 64
    assert configuration(folder, **given).digest != before.digest


def test_each_rule_decides_whatever_others_of_its_masker_say(folder: Path) -> None:
    path = folder / "collections" / "patients.yaml"
    rules = "version: 1\ncollection: patients\nsubject: Id\nrules:\n" + "".join(
        f"  - {{path: {name}, masker: {{name: date_shift, options: {{max_days: %s}}}}}}\n" for name in "ABC"
    )
    digests = set()
    for days in ((1, 1, 1), (1, 2, 1), (1, 1, 2), (2, 2, 2)):
        path.write_text(rules % days, encoding="utf-8")
        digests.add(configuration(folder).rule_digests)
    assert len(digests) == 4


def test_what_decides_nothing_leaves_the_digest(folder: Path) -> None:
    before = configuration(folder).digest
    assert configuration(folder).digest == before
    assert configuration(folder, settings=["observers=[log]", "description=other"]).digest == before
    assert configuration(folder, settings=["breaker.trips=3"]).digest == before
    assert configuration(folder, settings=["throttle.flag_file=stop"]).digest == before
    assert configuration(folder, flags={"uri": "mongodb://db"}).digest == before
    (folder / "collections" / "patients.yaml").write_text(f"# a comment\n{PATIENTS}", encoding="utf-8")
    assert configuration(folder).digest == before


def test_a_rule_changes_the_digest(folder: Path) -> None:
    before = configuration(folder).digest
    for text in (
        PATIENTS.replace("redact", "keep"),
        PATIENTS.replace("redact", "{name: hash, options: {length: 8}}"),
        PATIENTS.replace("Name", "Names"),
        f"{PATIENTS}subject: Id\n",
        f"{PATIENTS}on_error: halt\n",
    ):
        (folder / "collections" / "patients.yaml").write_text(text, encoding="utf-8")
        assert configuration(folder).digest != before


def test_no_secret_shows_itself(folder: Path) -> None:
    found = configuration(folder, profile="paged")
    assert found.profile.observers[0].options["token"] == "hunter2-hunter2"
    assert "hunter2" not in repr(found)
