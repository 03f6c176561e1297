"""The new masker: it works, its test passes, and nothing of anybody's is overwritten."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from phimask import Column
from phimask.errors import UsageError
from phimask.plugins.loading import load_registry
from phimask.plugins.scaffold import new_masker
from phimask.testing import check_masker


def test_it_writes_a_plugin_that_loads_and_masks(tmp_path: Path) -> None:
    written = new_masker("ward_name", tmp_path)
    assert written == [tmp_path / "ward_name.py", tmp_path / "test_ward_name.py"]
    masker = load_registry(["ward_name.py"], tmp_path).create("masker", "ward_name", {})
    assert type(masker).__name__ == "WardName"
    assert masker.mask(Column("Ward", ["Ward 12b", ""], [])) == ["xxxx 00x", ""]


def test_its_own_test_passes_with_warnings_as_errors(tmp_path: Path) -> None:
    new_masker("ward_name", tmp_path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "test_ward_name.py",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_check_in_its_test_fails_once_it_promises_more_than_it_keeps(tmp_path: Path) -> None:
    plugin, _ = new_masker("ward_name", tmp_path)
    source = plugin.read_text(encoding="utf-8").replace('changes = "maybe"', 'changes = "always"')
    plugin.write_text(source, encoding="utf-8")
    cls = load_registry([plugin.name], tmp_path).classes("masker")["ward_name"].cls
    with pytest.raises(AssertionError, match="WardName: it promises to change every value, and lets "):
        check_masker(cls, examples=["Ada Lovelace, 36"])


@pytest.mark.parametrize(
    "tool", [["ruff", "check", "--isolated"], ["ruff", "format", "--isolated", "--check"]]
)
def test_the_files_are_clean(tmp_path: Path, tool: list[str]) -> None:
    new_masker("ward_name", tmp_path)
    options = ["--line-length", "110"]
    done = subprocess.run(
        [sys.executable, "-m", *tool, *options, "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.soak
def test_the_plugin_is_fully_typed(tmp_path: Path) -> None:
    new_masker("ward_name", tmp_path)
    program = "from mypy.main import main; main(args=['--strict', 'ward_name.py'], clean_exit=True)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "is no name for a masker"),
        ("Ward", "use lower case letters, digits and underscores, a letter first"),
        ("ward-name", "is no name for a masker"),
        ("../ward", "is no name for a masker"),
        ("3rd", "is no name for a masker"),
        ("_ward", "is no name for a masker"),
        ("ward\n", "is no name for a masker"),
        ("größe", "is no name for a masker"),
        ("lambda", "is a word of Python's own"),
        ("match", "is a word of Python's own"),
        ("json", "is the name of a module of Python's own"),
        ("phimask", "is the name of a Python module that is installed"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        new_masker(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("existing", ["ward.py", "test_ward.py"])
def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="exists already"):
        new_masker("ward", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text(encoding="utf-8") == "mine"


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no directory"):
        new_masker("ward", tmp_path / "gone")


def test_what_was_written_is_taken_back_when_the_second_file_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_path = Path.open

    def full(self: Path, *args: object, **options: object) -> object:
        if self.name.startswith("test_"):
            raise OSError(28, "No space left on device")
        return open_path(self, *args, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(UsageError, match="No space left on device"):
        new_masker("ward", tmp_path)
    assert list(tmp_path.iterdir()) == []
