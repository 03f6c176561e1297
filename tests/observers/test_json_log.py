from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from phimask import Expected, events
from phimask.log import close_log, configure_log
from phimask.testing import check_observer
from phimask.testing.watching import EVENTS
from phimask_plugins.observers import JsonLog

STARTED = events.RunStarted("r1", "emergency", ("ehr.a",))


def observer(file: Path | None, rotate: int | None = None, keep: int = 5) -> tuple[JsonLog, list[str]]:
    made = JsonLog({"file": None if file is None else str(file), "rotate": rotate, "keep": keep})
    said: list[str] = []
    made.warn = said.append
    return made, said


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_it_keeps_its_interface(tmp_path: Path) -> None:
    check_observer(JsonLog, {"file": str(tmp_path / "events.jsonl")})


def test_every_event_is_a_line_with_its_own_fields(tmp_path: Path) -> None:
    file = tmp_path / "made" / "for it" / "events.jsonl"
    watching, said = observer(file)
    for event in EVENTS:
        watching.notify(event)
    watching.close()
    found = lines(file)
    assert [one["event"] for one in found] == [type(event).__name__ for event in EVENTS]
    for one, event in zip(found, EVENTS, strict=True):
        assert one["run"] == "0f6c"
        assert one["time"].endswith("Z")
        names = {field.name for field in dataclasses.fields(event)}
        assert set(one) - {"time", "event", "run"} == names - {"run"}
    assert said == []


def test_what_a_batch_was_expected_to_take_has_names(tmp_path: Path) -> None:
    watching, _ = observer(tmp_path / "e.jsonl")
    watching.notify(STARTED)
    watching.notify(events.BatchFinished("ehr.a", 0, 1, 1, 0.5, 1, 0, 0, 0, 1, expected=Expected(0.4, 9e6)))
    watching.close()
    assert lines(tmp_path / "e.jsonl")[1]["expected"] == {"seconds": 0.4, "peak_bytes": 9e6}


def test_rules_that_met_no_value_take_no_room(tmp_path: Path) -> None:
    watching, _ = observer(tmp_path / "e.jsonl")
    watching.notify(STARTED)
    batch = events.BatchFinished("ehr.a", 0, 1, 1, 0.5, 1, 0, 0, 0, 1, (0, 3, 0), (0, 0, 0), (2, 0, 7))
    watching.notify(batch)
    watching.close()
    found = lines(tmp_path / "e.jsonl")[1]
    assert (found["masked"], found["redacted_on_error"], found["kept"]) == ({"1": 3}, {}, {"0": 2, "2": 7})


def test_what_no_json_can_hold_is_not_shown(tmp_path: Path) -> None:
    watching, _ = observer(tmp_path / "e.jsonl")
    watching.notify(STARTED)
    watching.notify(events.RunFinished("completed", {"one": pytest.raises, "two": {"three": object()}}))
    watching.close()
    assert lines(tmp_path / "e.jsonl")[1]["report"] == {"one": "function", "two": {"three": "object"}}


def test_it_lies_beside_the_log_or_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        for directory in (Path("logs"), None):
            configure_log(directory, run="r1", quiet=True)
            watching, _ = observer(None)
            watching.notify(STARTED)
            watching.close()
    finally:
        close_log()
    assert len(lines(tmp_path / "logs" / "phimask-r1.jsonl")) == 1
    assert len(lines(tmp_path / "phimask-r1.jsonl")) == 1


def test_a_file_that_is_there_is_added_to(tmp_path: Path) -> None:
    for _ in range(2):
        watching, _ = observer(tmp_path / "e.jsonl")
        watching.notify(STARTED)
        watching.close()
    assert len(lines(tmp_path / "e.jsonl")) == 2


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_full_files_are_put_aside_and_the_oldest_dropped(tmp_path: Path, keep: int) -> None:
    watching, said = observer(tmp_path / "e.jsonl", rotate=1000, keep=keep)
    watching.notify(STARTED)
    for number in range(100):
        watching.notify(events.VerificationProgress("ehr.a", number, 100))
    watching.close()
    files = sorted(tmp_path.iterdir())
    assert [one.name for one in files] == ["e.jsonl", *(f"e.jsonl.{n}" for n in range(1, keep + 1))]
    assert all(one.stat().st_size <= 1000 for one in files)
    newest_first = [entry["checked"] for one in files for entry in reversed(lines(one))]
    assert newest_first == list(range(99, 99 - len(newest_first), -1))
    assert said == []


def test_a_file_that_cannot_be_put_aside_grows_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, target: Path) -> Path:
        raise PermissionError(13, "somebody reads it")

    monkeypatch.setattr(Path, "replace", refused)
    watching, said = observer(tmp_path / "e.jsonl", rotate=1000)
    watching.notify(STARTED)
    for number in range(100):
        watching.notify(events.VerificationProgress("ehr.a", number, 100))
    watching.close()
    assert len(lines(tmp_path / "e.jsonl")) == 101
    assert said == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said_once_and_ends_nothing() -> None:
    watching, said = observer(Path("/dev/full"))
    for event in EVENTS:
        watching.notify(event)
    watching.close()
    (warning,) = said
    assert warning.startswith("lines of the JSON log /dev/full are lost: ")


def test_a_folder_that_cannot_be_made_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    watching, said = observer(tmp_path / "file" / "e.jsonl")
    for event in EVENTS:
        watching.notify(event)
    watching.close()
    (warning,) = said
    assert "are lost: " in warning


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    file = tmp_path / "e.jsonl"
    watching, said = observer(file)
    watching.notify(STARTED)
    log: Any = watching._file
    whole = log._file

    class Narrow:
        """Takes half of what it is given, as a disk does that runs full."""

        def write(self, data: bytes) -> int:
            return int(whole.write(data[: len(data) // 2]))

    log._file = Narrow()
    watching.notify(events.Warned("lost"))
    log._file = whole
    watching.notify(events.Warned("kept"))
    watching.close()
    first, torn, last = file.read_text("utf-8").splitlines()
    assert (json.loads(first)["event"], json.loads(last)["message"]) == ("RunStarted", "kept")
    assert "lost" not in torn
    assert said == [f"lines of the JSON log {file} are lost: the disk is full"]
