from __future__ import annotations

from pathlib import Path

import pytest

from phimask.config.data import available, data_dir, lookup, shipped, shipped_schema, shown
from phimask.config.model import Origin
from phimask.errors import ConfigError


def write(path: Path, text: str = "version: 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_files_are_found() -> None:
    assert set(shipped("profile")) == {"emergency", "parallel", "advanced", "production"}
    assert set(shipped("collection")) >= {"container", "hipaa-person"}
    assert (data_dir("schemas") / "profile.schema.json").is_file()
    assert shipped_schema("profile")["title"] == "phimask profile"


def test_a_project_s_own_come_first(tmp_path: Path) -> None:
    assert lookup("profile", "emergency", tmp_path) == data_dir("profiles") / "emergency.yaml"
    beside = write(tmp_path / "emergency.yaml")
    assert lookup("profile", "emergency", tmp_path) == beside
    own = write(tmp_path / "profiles" / "emergency.yaml")
    assert lookup("profile", "emergency", tmp_path) == own
    assert available("profile", tmp_path)["emergency"] == own
    collection = write(tmp_path / "collections" / "container.yaml")
    assert lookup("collection", "container", tmp_path) == collection
    assert list(available("profile", tmp_path)) == ["advanced", "emergency", "parallel", "production"]


def test_what_has_a_suffix_or_a_separator_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = write(tmp_path / "mine.yaml")
    elsewhere = write(tmp_path / "project" / "sub" / "mine.yml")
    assert lookup("profile", "mine.yaml", tmp_path / "none").samefile(here)
    assert lookup("collection", "./mine.yaml", tmp_path / "none").samefile(here)
    assert lookup("collection", "sub/mine.yml", tmp_path / "project").samefile(elsewhere)
    assert lookup("profile", "mine.yml", tmp_path, by=elsewhere).samefile(elsewhere)
    assert lookup("profile", str(here), tmp_path / "none").samefile(here)


def test_a_file_that_extends_its_own_name_extends_the_next_of_it(tmp_path: Path) -> None:
    own = write(tmp_path / "profiles" / "production.yaml")
    assert lookup("profile", "production", tmp_path, by=own) == data_dir("profiles") / "production.yaml"
    alone = write(tmp_path / "profiles" / "alone.yaml")
    assert lookup("profile", "alone", tmp_path, by=alone) == alone


def test_what_a_shipped_file_extends_is_shipped(tmp_path: Path) -> None:
    write(tmp_path / "profiles" / "parallel.yaml")
    child = data_dir("profiles") / "production.yaml"
    assert lookup("profile", "parallel", tmp_path, by=child) == data_dir("profiles") / "parallel.yaml"


def test_what_is_not_found_lists_every_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        lookup("profile", "emergancy", tmp_path)
    places = f"profiles/emergancy.yaml, emergancy.yaml, {data_dir('profiles').as_posix()}/emergancy.yaml"
    assert str(caught.value) == (
        f"--profile: $: there is no profile 'emergancy' (looked for {places}); did you mean 'emergency'?"
    )
    with pytest.raises(ConfigError) as caught:
        lookup("collection", "x/y.yaml", tmp_path, said=Origin("phimask.yaml", 3, "$.collections[0]"))
    assert str(caught.value) == (
        "phimask.yaml:3: $.collections[0]: there is no collection file 'x/y.yaml' (looked for x/y.yaml); "
        "there are container, fhir-r4, hipaa-person, hipaa-safe-harbor and limited-data-set"
    )


def test_files_are_shown_as_people_see_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b.yaml") == "a/b.yaml"
    assert shown(tmp_path.parent / "b.yaml") == (tmp_path.parent / "b.yaml").as_posix()
