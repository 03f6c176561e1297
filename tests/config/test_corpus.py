"""Good files load; each bad one says exactly what the .txt beside it says.

In those texts SHIPPED stands for the folder of the shipped profiles.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_catalog import FakeCatalog

from phimask.config.collection import load_collection
from phimask.config.data import data_dir
from phimask.config.profile import load_profile
from phimask.config.project import load_project
from phimask.errors import ConfigError

CORPUS = Path(__file__).parent / "corpus"
SECRETS = ("hunter2", "hunter3", "s3cr3t")
ENVIRON = {
    "EMPTY": "",
    "HIDDEN": "s3cr3t",
    "PAGER_TOKEN": "s3cr3t-pager",
    "PHIMASK_URI": "mongodb://admin:s3cr3t@db.example.org",
    "PW": "s3cr3t",
}


def files(quality: str) -> list[str]:
    folder = CORPUS / quality
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))


def load(name: str) -> object:
    """Loads the file from its own folder, as somebody would who stands in it."""
    kind, file = name.split("/")
    if kind == "project":
        return load_project(project_file=Path(file), directory=Path(), environ=ENVIRON)
    if kind == "profile":
        return load_profile(f"./{file}", directory=Path(), environ=ENVIRON, components=FakeCatalog())
    pack = file == "pack.yaml"
    return load_collection(
        f"./{file}", directory=Path(), pack=pack, environ=ENVIRON, components=FakeCatalog()
    )


@pytest.mark.parametrize("name", files("good"))
def test_a_good_file_loads_and_shows_no_secret(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir((CORPUS / "good" / name).parent)
    shown = repr(load(name))
    assert not [secret for secret in SECRETS if secret in shown]


@pytest.mark.parametrize("name", files("bad"))
def test_a_bad_file_says_exactly_this(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = CORPUS / "bad" / name
    monkeypatch.chdir(path.parent)
    with pytest.raises(ConfigError) as caught:
        load(name)
    said = str(caught.value).replace(data_dir("profiles").as_posix(), "SHIPPED")
    assert said.splitlines() == path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert not [secret for secret in SECRETS if secret in said]
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_corpus_is_large_enough_and_complete() -> None:
    bad = files("bad")
    assert len(bad) >= 40
    assert {name.split("/")[0] for name in bad} == {"profile", "collection", "project"}
    expected = {
        path.relative_to(CORPUS / "bad").with_suffix(".yaml").as_posix()
        for path in (CORPUS / "bad").rglob("*.txt")
    }
    assert expected == set(bad)
