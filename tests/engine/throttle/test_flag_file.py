from __future__ import annotations

from pathlib import Path

from phimask.engine.throttle.flag_file import FlagFile


def test_it_holds_while_anything_is_there(tmp_path: Path) -> None:
    flag = FlagFile(tmp_path / "stop")
    assert not flag.holds()
    (tmp_path / "stop").touch()
    assert flag.holds()
    (tmp_path / "stop").unlink()
    assert not flag.holds()
    (tmp_path / "stop").mkdir()
    assert flag.holds()


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not FlagFile(tmp_path / "none" / "stop").holds()
    assert not FlagFile(tmp_path / "file" / "stop").holds()


def test_it_says_what_to_remove(tmp_path: Path) -> None:
    assert FlagFile(Path("run") / "stop").detail() == f"{Path('run') / 'stop'} is there; remove it to go on"
