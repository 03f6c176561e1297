"""Plugins from entry points, modules and files: found once, kept out when asked, and never half loaded."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from guests import INITIALS, file_with, masker_file

from phimask import Column
from phimask.errors import PluginError
from phimask.plugins.loading import disabled_plugins, load_registry

SECRET = "mongodb://ada:lovelace@nowhere"


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution `acme-masks` 2.1 with one entry point, `acme = acme_masks`, on the import path."""
    home = tmp_path / "site"
    info = home / "acme_masks-2.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-masks\nVersion: 2.1\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text("[phimask]\nacme = acme_masks\n", encoding="utf-8")
    (home / "acme_masks.py").write_text(INITIALS, encoding="utf-8")
    monkeypatch.syspath_prepend(home)
    yield home
    sys.modules.pop("acme_masks", None)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a package on the import path whose module holds the masker `initials`."""
    package = tmp_path / "importable" / "ward_masks"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "names.py").write_text(INITIALS, encoding="utf-8")
    monkeypatch.syspath_prepend(package.parent)
    yield "ward_masks.names"
    for name in ("ward_masks.names", "ward_masks"):
        sys.modules.pop(name, None)


def test_the_built_ins_come_through_their_entry_point() -> None:
    assert any(provider.startswith("builtin (phimask ") for provider in load_registry().providers)


def test_a_distribution_is_named_with_its_version(distribution: Path) -> None:
    registry = load_registry()
    assert registry.classes("masker")["initials"].provider == "acme (acme-masks 2.1)"


@pytest.mark.parametrize("name", ["acme", "acme_masks"])
def test_a_disabled_entry_point_is_not_even_imported(distribution: Path, name: str) -> None:
    (distribution / "acme_masks.py").write_text("raise RuntimeError", encoding="utf-8")
    registry = load_registry(disabled=[name])
    assert registry.disabled == (name,)
    assert "initials" not in registry.names("masker")
    assert "acme_masks" not in sys.modules


def test_the_built_ins_can_be_disabled_like_any_other() -> None:
    registry = load_registry(disabled={"builtin"})
    assert registry.providers == ()
    assert registry.names("masker") == ()


def test_a_file_is_found_from_the_project_folder_and_works(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    file_with(tmp_path / "masks", INITIALS, "initials.py")
    registry = load_registry(["masks/initials.py"], tmp_path)
    assert registry.classes("masker")["initials"].provider == "masks/initials.py"
    masker = registry.create("masker", "initials", {}, key=None)
    assert masker.mask(Column("Name", ["Ada Lovelace"], [])) == ["A. L."]


def test_a_module_works_by_its_dotted_name(module: str) -> None:
    assert load_registry([module]).classes("masker")["initials"].provider == module


def test_what_is_named_twice_is_loaded_once(tmp_path: Path, module: str, distribution: Path) -> None:
    load_registry(["acme_masks", "acme_masks"])
    load_registry([module, module], disabled=["acme"])
    file = masker_file(tmp_path, "guest")
    registry = load_registry([file, f"./{file}"], tmp_path)
    assert registry.classes("masker")["guest"].provider == file


@pytest.mark.parametrize("name", ["guest_plugin.py", "guest_plugin"])
def test_a_file_is_disabled_by_its_name_with_or_without_its_ending(tmp_path: Path, name: str) -> None:
    registry = load_registry([masker_file(tmp_path, "guest")], tmp_path, disabled=[name, "no_such"])
    assert "guest" not in registry.names("masker")
    assert registry.disabled == (name,)
    assert registry.unknown_disabled == ("no_such",)


def test_a_disabled_file_need_not_be_there(tmp_path: Path) -> None:
    assert load_registry(["gone.py"], tmp_path, disabled=["gone"]).disabled == ("gone",)


def test_files_of_one_name_in_two_folders_are_two_plugins(tmp_path: Path) -> None:
    for number in ("one", "two"):
        folder = tmp_path / number
        folder.mkdir()
        masker_file(folder, number)
        (folder / f"{number}_plugin.py").rename(folder / "mask.py")
    registry = load_registry(["one/mask.py", "two/mask.py"], tmp_path)
    assert {"one", "two"} <= set(registry.names("masker"))


def test_a_class_from_a_file_is_unpickled_in_a_fresh_process_that_loaded_the_same_list(
    tmp_path: Path,
) -> None:
    file = file_with(tmp_path, INITIALS, "initials.py")
    pickled = pickle.dumps(load_registry([file], tmp_path).classes("masker")["initials"].cls)
    program = (
        "import pickle, sys\n"
        "from pathlib import Path\n"
        "from phimask.plugins.loading import load_registry\n"
        "load_registry([sys.argv[1]], Path(sys.argv[2]))\n"
        "print(pickle.loads(bytes.fromhex(sys.argv[3])).name)\n"
    )
    command = [sys.executable, "-c", program, file, str(tmp_path), pickled.hex()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "initials"


def test_a_dataclass_in_a_file_finds_its_own_module(tmp_path: Path) -> None:
    source = (
        "from __future__ import annotations\n"
        "import dataclasses\n"
        "@dataclasses.dataclass\nclass Place:\n    x: int\n    y: dataclasses.KW_ONLY\n    z: int = 0\n"
        + INITIALS
    )
    assert "initials" in load_registry([file_with(tmp_path, source + INITIALS)], tmp_path).names("masker")


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, set()),
        ({"PHIMASK_DISABLED_PLUGINS": ""}, set()),
        ({"PHIMASK_DISABLED_PLUGINS": " acme , masks/initials.py,, "}, {"acme", "masks/initials.py"}),
    ],
)
def test_the_environment_lists_disabled_plugins_with_commas(environ: dict[str, str], names: set[str]) -> None:
    assert disabled_plugins(environ) == names


BAD_FILES = {
    "raises at import": (f"x = 1\nraise RuntimeError({SECRET!r})\n", "RuntimeError at {file}:2"),
    "raises inside a call": (f"def f():\n    raise KeyError({SECRET!r})\n\nf()\n", "KeyError at {file}:2"),
    "raises inside a library": (f"import json\njson.loads({SECRET!r})\n", "JSONDecodeError at {file}:2"),
    "syntax error": ("def f(:\n", "SyntaxError at {file}:1"),
    "leaves": (f"import sys\nsys.exit({SECRET!r})\n", "SystemExit at {file}:2"),
    "imports what is not there": (
        "\nimport no_such_thing_here\n",
        "ModuleNotFoundError (no module named no_such_thing_here) at {file}:2",
    ),
    "raises in its hook": (
        f"import phimask\n@phimask.hookimpl\ndef phimask_register_maskers():\n    raise OSError({SECRET!r})\n",
        "OSError at {file}:4",
    ),
    "raises in its generator": (
        f"import phimask\n@phimask.hookimpl\ndef phimask_register_maskers():\n    yield 1 / 0, {SECRET!r}\n",
        "ZeroDivisionError at {file}:4",
    ),
}


@pytest.mark.parametrize(("source", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_failure_names_plugin_type_and_place_and_no_value(
    tmp_path: Path, source: str, expected: str
) -> None:
    file = file_with(tmp_path, source)
    with pytest.raises(PluginError) as caught:
        load_registry([file], tmp_path)
    message = str(caught.value)
    assert message.startswith("plugin guest.py")
    assert expected.format(file=(tmp_path / file).resolve()) in message
    assert SECRET not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_file_that_failed_is_tried_afresh(tmp_path: Path) -> None:
    file = file_with(tmp_path, "raise RuntimeError")
    with pytest.raises(PluginError, match="RuntimeError"):
        load_registry([file], tmp_path)
    file_with(tmp_path, INITIALS)
    assert "initials" in load_registry([file], tmp_path).names("masker")


def test_an_interrupt_during_the_import_stays_one(tmp_path: Path) -> None:
    file = file_with(tmp_path, "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_registry([file], tmp_path)


def test_a_failing_entry_point_names_its_distribution(distribution: Path) -> None:
    (distribution / "acme_masks.py").write_text("\n\nprint(undefined)\n", encoding="utf-8")
    with pytest.raises(PluginError) as caught:
        load_registry()
    assert "plugin acme (acme-masks 2.1) does not load: NameError at " in str(caught.value)
    assert f"{distribution / 'acme_masks.py'}:3" in str(caught.value)


def test_an_entry_point_to_a_module_that_is_gone(distribution: Path) -> None:
    (distribution / "acme_masks.py").unlink()
    with pytest.raises(PluginError, match=r"acme .*ModuleNotFoundError \(no module named acme_masks\);"):
        load_registry()


def test_the_place_is_in_the_part_of_the_package_that_failed(tmp_path: Path, module: str) -> None:
    package = tmp_path / "importable" / "ward_masks"
    (package / "__init__.py").write_text("from ward_masks import deep\n", encoding="utf-8")
    (package / "deep.py").write_text("\nimport json\njson.loads('')\n", encoding="utf-8")
    with pytest.raises(PluginError) as caught:
        load_registry([module])
    assert f"JSONDecodeError at {package / 'deep.py'}:3" in str(caught.value)


def test_a_library_in_the_project_folder_is_not_the_plugins_own_code(tmp_path: Path) -> None:
    library = tmp_path / ".venv" / "site-packages" / "brittle.py"
    library.parent.mkdir(parents=True)
    library.write_text("raise RuntimeError\n", encoding="utf-8")
    file = file_with(
        tmp_path, f"import runpy\n\nrunpy.run_path({str(library)!r})\n# the library breaks, this file asked\n"
    )
    with pytest.raises(PluginError) as caught:
        load_registry([file], tmp_path)
    assert f"RuntimeError at {(tmp_path / file).resolve()}:3" in str(caught.value)


MISSING = {
    "masks/initals.py": r"there is no file .*initals\.py; did you mean initials\.py\?",
    "gone.py": r"there is no file .*gone\.py; paths start from the folder of phimask\.yaml",
    "initials": r"plugin initials: there is no such module; to load the file, write initials\.py",
    "no_such.module": r"plugin no_such\.module: there is no such module; install it beside phimask",
    "masks/initials": r"neither a module's name nor a file; write my_package\.my_module, or a path",
    "": r"neither a module's name nor a file",
    "a..b": r"neither a module's name nor a file",
}


@pytest.mark.parametrize(("plugin", "expected"), MISSING.items())
def test_what_is_not_there_is_told_with_what_would_be_right(
    tmp_path: Path, plugin: str, expected: str
) -> None:
    (tmp_path / "masks").mkdir()
    file_with(tmp_path / "masks", INITIALS, "initials.py")
    file_with(tmp_path, INITIALS, "initials.py")
    with pytest.raises(PluginError, match=expected):
        load_registry([plugin], tmp_path)


def test_a_hook_with_arguments_is_refused(tmp_path: Path) -> None:
    source = "import phimask\n@phimask.hookimpl\ndef phimask_register_maskers(config):\n    return []\n"
    with pytest.raises(PluginError, match=r"plugin guest\.py: a hook takes arguments; hooks take none"):
        load_registry([file_with(tmp_path, source)], tmp_path)
