"""The wheel, away from the checkout: what is in it, and that it masks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from phimask.masking.keys import MaskingKey

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as hatchling builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(CHECKOUT),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `phimask` command of a fresh environment that the wheel and its dependencies were installed into."""
    folder = tmp_path_factory.mktemp("environment")
    uv = shutil.which("uv")
    venv.create(folder, with_pip=uv is None)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    installer = (
        [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-m", "pip", "install"]
    )
    subprocess.run([*installer, "--quiet", str(wheel)], check=True, capture_output=True, cwd=folder)
    return scripts / ("phimask.exe" if os.name == "nt" else "phimask")


def test_wheel_holds_both_packages_the_profiles_and_the_schemas(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, kind in (("profiles", "*.yaml"), ("schemas", "*.json")):
        shipped = {
            f"phimask/{path.relative_to(CHECKOUT).as_posix()}" for path in (CHECKOUT / folder).rglob(kind)
        }
        assert shipped
        assert shipped <= names
    for package in ("framework/phimask", "plugins/phimask_plugins"):
        root = CHECKOUT / package
        modules = {path.relative_to(root.parent).as_posix() for path in root.rglob("*.py")}
        assert modules <= names
    assert {"phimask/py.typed", "phimask_plugins/py.typed"} <= names
    page = CHECKOUT / "framework" / "phimask" / "monitor" / "page"
    assert {f"phimask/monitor/page/{path.name}" for path in page.iterdir()} <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/")) or "__pycache__" in name]


def test_wheel_masks_away_from_the_checkout(
    installed: Path, tmp_path: Path, mongo_uri: str, database: Database[dict[str, Any]]
) -> None:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    environ = {**kept, "PHIMASK_URI": mongo_uri, "PHIMASK_KEY": MaskingKey.generate().text()}

    def phimask(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(installed), *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environ,
            check=False,
        )

    filled = phimask("sample", "-d", database.name, "--docs", "300")
    assert filled.returncode == 0, filled.stderr
    originals = {one["Patient"]["MRN"] for one in database["container"].find({}, {"Patient.MRN": 1})}
    run = phimask("--profile", "emergency", "-d", database.name, "-c", "container", "--yes", "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["collections"][0]["documents"]["masked"] == 300
    masked = {one["Patient"]["MRN"] for one in database["container"].find({}, {"Patient.MRN": 1})}
    assert not originals & masked
    listed = phimask("plugins", "list", "--json")
    assert {"builtin"} == {row["provider"].split()[0] for row in json.loads(listed.stdout)["components"]}
