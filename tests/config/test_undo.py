"""Where the vault is: a directory beside the project, or a deployment that nobody can read off by accident."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_catalog import FakeCatalog

from phimask.config.load import load_configuration
from phimask.config.model import Secret, Undo
from phimask.config.profile import load_profile
from phimask.config.project import load_project
from phimask.errors import ConfigError

DEPLOYMENT = "mongodb://phimask:Quillfeather@vault.example/undo"


def undo(name: str = "production", *settings: str, **environ: str) -> Undo:
    return load_profile(
        name, directory=Path(), settings=settings, environ=environ, components=FakeCatalog()
    ).undo


@pytest.mark.parametrize(
    ("name", "vault"),
    [("emergency", None), ("parallel", None), ("advanced", None), ("production", Path("phimask-vault"))],
)
def test_shipped_profiles(name: str, vault: Path | None) -> None:
    assert undo(name) == Undo(vault)


def test_the_environment_names_another() -> None:
    assert undo(PHIMASK_VAULT="/srv/vault") == Undo(Path("/srv/vault"))
    found = undo(PHIMASK_VAULT=DEPLOYMENT)
    assert isinstance(found.vault, Secret)
    assert found.vault.reveal() == DEPLOYMENT
    assert "Quillfeather" not in repr(found)


def test_no_vault_can_be_asked_for() -> None:
    assert undo("production", "undo.vault=null") == Undo(None)
    assert undo("parallel", "undo.vault=here") == Undo(Path("here"))


@pytest.mark.parametrize("setting", [DEPLOYMENT, f"${{PHIMASK_VAULT:-{DEPLOYMENT}}}"])
def test_no_credential_is_typed(setting: str) -> None:
    with pytest.raises(ConfigError, match="a credential is written out") as caught:
        undo("production", f"undo.vault={setting}")
    assert "Quillfeather" not in str(caught.value)


def test_a_directory_is_relative_to_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "project"
    (folder / "collections").mkdir(parents=True)
    (folder / "phimask.yaml").write_text(
        "version: 1\nprofile: production\ncollections: [c]\n", encoding="utf-8"
    )
    (folder / "collections" / "c.yaml").write_text(
        "version: 1\ncollection: c\nrules: [{path: a, masker: nullify}]\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    for directory, settings, vault in (
        (folder, (), folder / "phimask-vault"),
        (Path("project"), (), folder / "phimask-vault"),
        (folder, (f"undo.vault={tmp_path / 'other'}",), tmp_path / "other"),
        (folder, ("undo.vault=null",), None),
    ):
        project = load_project(directory=directory, environ={})
        configuration = load_configuration(project, settings=settings, environ={}, components=FakeCatalog())
        assert configuration.profile.undo == Undo(vault)
    assert os.environ.get("PHIMASK_VAULT") is None
