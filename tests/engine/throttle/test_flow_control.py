from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient
from throttle_fakes import Client, Clock

from phimask.engine.throttle.flow_control import FlowControl
from replica_set import wait_until


def status(**fields: Any) -> dict[str, Any]:
    return {
        "serverStatus": {
            "flowControl": {"enabled": True, "isLagged": False, "targetRateLimit": 1000} | fields
        }
    }


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({}, False),
        ({"isLagged": True}, True),
        ({"isLagged": True, "enabled": False}, False),
    ],
)
def test_it_holds_while_the_server_says_so(fields: dict[str, Any], holds: bool) -> None:
    source = FlowControl(Client(None, status(**fields)))  # type: ignore[arg-type]
    source.look()
    assert source.holds() is holds
    source.close()


def test_it_tells_the_rate() -> None:
    source = FlowControl(Client(None, status(isLagged=True, targetRateLimit=12345)))  # type: ignore[arg-type]
    source.look()
    assert source.detail() == "the server lets through 12,345 write tickets a second"
    source.close()


def test_an_old_answer_counts_no_more() -> None:
    clock = Clock()
    answers = status(isLagged=True)
    source = FlowControl(Client(None, answers), clock)  # type: ignore[arg-type]
    source.look()
    answers["serverStatus"] = ConnectionResetError()
    assert source.holds()
    source.close()
    clock.now += 11
    assert not source.holds()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (
            {"serverStatus": 13},
            "throttle: flow control: is not watched: the user may not call serverStatus; grant clusterMonitor",
        ),
        (
            {"serverStatus": {"ok": 1}},
            "throttle: flow control: is not watched: this server says nothing about it",
        ),
    ],
)
def test_what_cannot_be_watched_is_told_once_and_asked_no_more(
    answers: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(None, answers)
    source = FlowControl(client)  # type: ignore[arg-type]
    wait_until(lambda: bool(caplog.messages), "nothing is told")
    assert source.look() is False
    source.close()
    assert caplog.messages == [said]
    assert not source.holds()


def test_a_real_server_answers(client: MongoClient[dict[str, Any]]) -> None:
    source = FlowControl(client)
    assert source.look()
    assert not source.holds()
    assert source.detail().endswith("write tickets a second")
    source.close()
