from __future__ import annotations

import threading
from datetime import datetime, time, timezone
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from throttle_fakes import Client

from phimask.config.model import ReplicaLag, Secret, ThrottleSettings, TimeWindow
from phimask.engine.throttle import Throttle
from phimask.engine.throttle import throttle as module
from phimask.engine.throttle.source import Source, Troubles
from replica_set import wait_until

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NIGHTS = (TimeWindow(time(22), time(6), DAYS, "UTC"),)
NOON = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
LAGGED = {"serverStatus": {"flowControl": {"enabled": True, "isLagged": True, "targetRateLimit": 100}}}


def made(folder: Path, client: Any = None, **settings: Any) -> Throttle:
    chosen = ThrottleSettings(
        **{"replica_lag": None, "flow_control": False, "windows": (), "flag_file": None} | settings
    )
    now = lambda: NOON  # noqa: E731
    return Throttle(chosen, client, None, uri=Secret("mongodb://127.0.0.1"), directory=folder, now=now)


def test_with_nothing_to_watch_nothing_holds(tmp_path: Path) -> None:
    throttle = made(tmp_path)
    assert throttle.reasons() == ()
    assert throttle.detail() == ""
    throttle.close()


def test_every_reason_that_holds_is_told_and_none_that_does_not(tmp_path: Path) -> None:
    throttle = made(tmp_path, Client(None, LAGGED), flow_control=True, windows=NIGHTS, flag_file=Path("stop"))
    wait_until(lambda: "flow control" in throttle.reasons(), "flow control is not seen")
    assert throttle.reasons() == ("flow control", "time window")
    (tmp_path / "stop").touch()
    assert throttle.reasons() == ("flow control", "time window", "flag file")
    assert throttle.detail() == (
        "flow control: the server lets through 100 write tickets a second; "
        "time window: the next window opens on 2026-01-05 at 22:00 (UTC); "
        f"flag file: {tmp_path / 'stop'} is there; remove it to go on"
    )
    (tmp_path / "stop").unlink()
    assert throttle.reasons() == ("flow control", "time window")
    throttle.close()


def test_an_absolute_flag_file_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    throttle = made(tmp_path / "elsewhere", flag_file=tmp_path / "stop")
    assert throttle.reasons() == ("flag file",)


class Blind(Source):
    """Holds, and cannot see all."""

    reason = "blind"

    def holds(self) -> bool:
        return True

    def detail(self) -> str:
        return "a is 3 s behind"

    def unseen(self) -> str:
        return "b does not answer"


def test_what_is_not_watched_is_no_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FlagFile", lambda path: Blind())
    throttle = made(tmp_path, flag_file=Path("stop"))
    assert throttle.reasons() == ("blind",)
    assert throttle.detail() == "blind: a is 3 s behind; not watched: b does not answer"
    throttle.close()


class Broken(Source):
    """Raises whatever it is told to, with a value in the message."""

    reason = "broken"

    def __init__(self) -> None:
        self.error: type[Exception] = KeyError

    def holds(self) -> bool:
        raise self.error("Zebulon Quagmire-Canary")

    def detail(self) -> str:
        raise self.error("Zebulon Quagmire-Canary")

    unseen = detail

    def close(self) -> None:
        raise self.error("Zebulon Quagmire-Canary")


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Throttle, Broken]:
    source = Broken()
    monkeypatch.setattr(module, "FlagFile", lambda path: source)
    return made(tmp_path, windows=NIGHTS, flag_file=Path("stop")), source


def test_a_source_that_raises_is_told_once_a_class_and_stops_nothing(
    broken: tuple[Throttle, Broken], caplog: pytest.LogCaptureFixture
) -> None:
    throttle, source = broken
    for _ in range(3):
        assert throttle.reasons() == ("time window",)
        assert throttle.detail().startswith("time window: ")
    source.error = PermissionError
    assert throttle.reasons() == ("time window",)
    throttle.close()
    assert caplog.messages == [
        "throttle: broken: cannot be found out for now: KeyError",
        "throttle: broken: cannot be found out for now: PermissionError",
    ]


def test_troubles_hold_no_value(caplog: pytest.LogCaptureFixture) -> None:
    Troubles("x").tell(ValueError("Zebulon Quagmire-Canary"))
    assert "Zebulon" not in caplog.text


def test_on_a_set_of_one_nothing_is_written_and_no_thread_stays(
    client: MongoClient[dict[str, Any]],
    database: Database[dict[str, Any]],
    mongo_uri: str,
    tmp_path: Path,
) -> None:
    asked = Client(client, {})
    throttle = Throttle(
        ThrottleSettings(ReplicaLag(2.0, 1.0), False, (), None),
        asked,  # type: ignore[arg-type]
        database["heartbeats"],
        uri=Secret(mongo_uri),
        directory=tmp_path,
    )
    wait_until(lambda: asked.admin.asked.count("hello") > 1, "nobody looks around")
    assert throttle.reasons() == ()
    assert throttle.detail() == ""
    throttle.close()
    assert database.list_collection_names() == []
    assert not [one for one in threading.enumerate() if one.name == "phimask-throttle"]
