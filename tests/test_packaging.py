"""The wheel, away from the checkout: what is in it, and that it masks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

import phimask
from phimask.compiled import MISSING
from phimask.compiled.sources import digest
from phimask.masking.keys import MaskingKey

CHECKOUT = Path(__file__).resolve().parents[1]


def built(folder: Path, **environ: str) -> Path:
    """The wheel as hatchling builds it."""
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
    surroundings = {**os.environ, "CFLAGS": "-O0", **environ}  # which takes a third of the time
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env=surroundings)
    (wheel,) = folder.glob("*.whl")
    return wheel


def compiles(folder: Path) -> bool:
    """Whether an extension module can be made here, asked without the hook."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return False
    (folder / "nothing.c").write_text(
        "#include <Python.h>\nvoid *PyInit_nothing(void) { return NULL; }\n", "utf-8"
    )
    extension = "setuptools.Extension('nothing', ['nothing.c'])"
    (folder / "setup.py").write_text(
        f"import setuptools\nsetuptools.setup(name='nothing', ext_modules=[{extension}])\n", "utf-8"
    )
    command = [sys.executable, "setup.py", "--quiet", "build_ext"]
    return subprocess.run(command, capture_output=True, cwd=folder, check=False).returncode == 0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As anyone gets it."""
    return built(tmp_path_factory.mktemp("wheel"), PHIMASK_COMPILE="")


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
    assert not [name for name in names if name.endswith((".pyx", ".pxd"))]


def test_wheel_holds_compiled_walks_for_this_python_where_there_is_a_compiler(
    wheel: Path, tmp_path: Path
) -> None:
    stems = {path.stem for path in (CHECKOUT / "framework" / "phimask" / "compiled").glob("*.pyx")}
    made = {f"phimask_compiled/{stem}{sysconfig.get_config_var('EXT_SUFFIX')}" for stem in stems}
    expected = made if compiles(tmp_path) else set()
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if name.endswith((".so", ".pyd"))} == expected
    assert wheel.stem.endswith("-py3-none-any") is not bool(expected)
    if expected:
        python = f"cp{sys.version_info[0]}{sys.version_info[1]}"
        assert wheel.stem.startswith(f"phimask-{phimask.__version__}-{python}-{python}-")


def test_wheel_without_compiled_walks_is_for_every_python(tmp_path: Path) -> None:
    wheel = built(tmp_path, PHIMASK_COMPILE="0")
    assert wheel.stem.endswith("-py3-none-any")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "phimask_compiled" in name]


@pytest.mark.soak
def test_wheel_that_cannot_have_the_compiled_walks_it_has_to_is_not_built(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        built(tmp_path, PHIMASK_COMPILE="1", CC=str(tmp_path / "none"), PATH="", DISTUTILS_USE_SDK="1")
    assert b"the walks of phimask cannot be compiled here" in caught.value.stdout + caught.value.stderr


@pytest.mark.parametrize(
    ("source", "compiled", "why"),
    [
        ("# another\n", None, "they are older than their sources"),
        ("", b"of another machine", "they cannot be loaded here"),
    ],
)
def test_compiled_walks_that_are_not_what_they_have_to_be_are_not_used(
    tmp_path: Path, source: str, compiled: bytes | None, why: str
) -> None:
    shutil.copytree(
        CHECKOUT / "framework", tmp_path / "framework", ignore=shutil.ignore_patterns("__pycache__", "*.so")
    )
    sources = tmp_path / "framework" / "phimask" / "compiled"
    made = tmp_path / "made" / "phimask_compiled"
    made.mkdir(parents=True)
    (made / "__init__.py").write_text(f"SOURCES = {digest(sources)!r}\n", "utf-8")
    if compiled is not None:
        (made / f"walk{sysconfig.get_config_var('EXT_SUFFIX')}").write_bytes(compiled)
    with (sources / "walk.pyx").open("a", encoding="utf-8") as file:
        file.write(source)
    path = os.pathsep.join((str(sources.parents[1]), str(made.parent)))
    shown = subprocess.run(
        [sys.executable, "-m", "phimask", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path, "PHIMASK_PURE_PYTHON": ""},
    )
    assert f"walks: Python ({why}" in shown.stdout


def test_walks_compiled_for_this_checkout_are_those_of_its_sources() -> None:
    assert "older" not in MISSING, MISSING


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
