"""What viewers are sent of a ledger: all of it once, then what changed; commands; a ledger that goes away."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any, get_args

import psutil
import pytest
from bson import ObjectId
from page_site import Answer, Site, served
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, NetworkTimeout, OperationFailure

from phimask.ledger.opening import Ledger, open_ledger
from phimask.ledger.runs import Runs
from phimask.ledger.series import RunSeries
from phimask.ledger.swaps import Step
from phimask.monitor import hub
from phimask.monitor.following import Followed
from phimask.monitor.looking import Looker
from phimask.observing.series import Point
from phimask.store.embedded import EmbeddedMongod, find_mongod
from simulated_ledger import NAMESPACE, SimulatedRun, record

Events = Iterator[tuple[str, dict[str, Any]]]


def following(events: Events) -> Iterator[dict[str, Any]]:
    """What a page knows after each message, as its script puts it together."""
    known: dict[str, Any] = {}
    for name, sent in events:
        if name == "whole":
            known = sent
        elif name == "change":
            strips = {**known.get("strips", {})}
            for one, change in sent.get("strips", {}).items():
                if isinstance(change, str):
                    strips[one] = change
                else:
                    marks = list(strips[one])
                    for place, mark in change:
                        marks[place] = mark
                    strips[one] = "".join(marks)
            known = {**known, **sent, "strips": strips}
        yield known


def until(events: Iterator[dict[str, Any]], what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    for known in itertools.islice(events, 60):
        if what(known):
            return known
    raise AssertionError("it did not come to that")


def test_a_run_is_shown_and_followed(site: Site, run: SimulatedRun) -> None:
    run.done(10)
    run.step()
    run.past(30)
    run.note("alert", "AlertRaised", "batch longer than 10 s: 12 s")
    events = following(site.sign_in().events())
    known = until(events, lambda now: now["notes"])  # a majority has them a moment later
    assert known["run"]["id"] == run.run
    assert (known["run"]["state"], known["run"]["live"]) == ("running", True)
    assert [one["id"] for one in known["runs"]] == [run.run]
    assert known["strips"][NAMESPACE][:10] == "d" * 10
    assert known["strips"][NAMESPACE][13:] == "o" * 27
    (collection,) = known["collections"]
    assert collection["total"] == 400_000
    assert collection["partitions"] == {"open": 27, "leased": 3, "done": 10, "all_known": True}
    assert [one["worker"] for one in known["workers"]] == ["w1", "w2", "w3"]
    assert {one["state"] for one in known["workers"]} == {"masking"}
    assert [one["text"] for one in known["notes"]] == ["batch longer than 10 s: 12 s"]
    assert known["progress"]["forecast"]["soonest"] <= known["progress"]["forecast"]["seconds"]
    assert {one["validator"]: one["checked"] for one in known["checks"]}["count"] == 300 * 13
    for _ in range(14):
        run.step()
    known = until(events, lambda now: now["strips"][NAMESPACE].count("d") > 10)
    assert known["collections"][0]["documents"]["read"] > collection["documents"]["read"]
    run.note("warning", "Warned", "something else")
    known = until(events, lambda now: len(now["notes"]) == 2)
    assert known["notes"][0]["text"] == "something else"


def test_every_step_of_a_shadow_has_its_words() -> None:
    page = files("phimask.monitor").joinpath("page", "collections.js").read_text("utf-8")
    (steps,) = re.findall(r"const STEPS = \{(.*?)\};", page, re.DOTALL)
    assert set(re.findall(r"(\w+): '", steps)) == set(get_args(Step))


def test_collections_not_begun_yet_count_in_the_total(ledger: Ledger) -> None:
    plain = record("r", "ehr.a", "ehr.b", "ehr.c")
    pins = tuple(
        replace(pin, documents=most) for pin, most in zip(plain.pins, (1000, 3000, None), strict=True)
    )
    Runs(ledger).begin(replace(plain, pins=pins))
    _, shown = Looker(ledger).look(["r"])
    progress = shown["r"]["progress"]
    assert (progress["read"], progress["total"], progress["unknown"]) == (0, 4000, 1)
    RunSeries(ledger, "r").add(1, Point("ehr.a", "masking", 1.0, 10, 900), [])
    looker, until_then = Looker(ledger), time.monotonic() + 30
    while (
        total := looker.look(["r"])[1]["r"]["progress"]["total"]
    ) == 4000:  # a majority has it a moment later
        assert time.monotonic() < until_then
    assert total == 3900  # what was found when it was begun is better known


def test_two_viewers_cost_one_look(
    serving: Callable[..., Site], ledger: Ledger, run: SimulatedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[tuple[str, ...]] = []
    real = Looker.look

    def look(looker: Looker, wanted: tuple[str, ...]) -> Any:
        looks.append(wanted)
        return real(looker, wanted)

    monkeypatch.setattr(Looker, "look", look)
    site = serving(ledger).sign_in()
    first, second = following(site.events(run.run)), following(site.events(run.run))
    before = next(first)["strips"]
    assert next(second)["strips"] == before
    run.step()
    for viewer in (first, second):
        until(viewer, lambda now: now["strips"] != before)
    assert set(looks) == {(run.run,)}


def test_commands_reach_the_run(site: Site, run: SimulatedRun, ledger: Ledger) -> None:
    site.sign_in()
    events = following(site.events(run.run))
    next(events)

    def order(command: str) -> Answer:
        return site.ask("POST", f"/runs/{run.run}/{command}", Origin=site.origin)

    assert order("pause").status == 202
    until(events, lambda now: now["run"]["command"] == "pause")
    run.beat()
    run.beat()
    known = until(events, lambda now: now["run"]["state"] == "paused")
    assert known["run"]["holding"] == ["asked to pause"]
    assert known["progress"]["forecast"] is None
    assert order("continue").status == 202
    until(events, lambda now: now["run"]["command"] == "run")
    assert order("finalize").status == 404
    assert order("stop").status == 202
    Runs(ledger).end(run.run, run.epoch, "stopped", {"stopped_because": "stopped on request", "warnings": []})
    known = until(events, lambda now: now["run"]["state"] == "stopped")
    assert known["ending"]["because"] == "stopped on request"
    late = order("pause")
    assert (late.status, late.body) == (409, f"run {run.run} is not live: it is stopped\n")
    assert site.ask("POST", "/runs/none/pause", Origin=site.origin).status == 409


def test_a_page_for_looking_only(serving: Callable[..., Site], ledger: Ledger, run: SimulatedRun) -> None:
    site = serving(ledger, read_only=True).sign_in()
    assert next(following(site.events()))["orders"] is False
    assert site.ask("POST", f"/runs/{run.run}/pause", Origin=site.origin).status == 403
    assert Runs(ledger).latest()[0].command == "run"


def test_a_user_who_may_only_look_on_is_told(
    site: Site, run: SimulatedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise OperationFailure("not passed on", 13, {"code": 13})

    monkeypatch.setattr(Runs, "order", refuse)
    site.sign_in()
    answer = site.ask("POST", f"/runs/{run.run}/pause", Origin=site.origin)
    assert answer.status == 403
    assert "may only look on" in answer.body


def test_a_ledger_without_runs_and_then_one(serving: Callable[..., Site], ledger: Ledger) -> None:
    site = serving(ledger).sign_in()
    events = following(site.events())
    assert next(events)["run"] is None
    run = SimulatedRun(ledger, partitions=4, workers=1)
    assert until(events, lambda now: now["run"] is not None)["run"]["id"] == run.run
    assert next(following(site.events("none")))["run"] is None


@pytest.mark.parametrize(
    "error", [AutoReconnect("127.0.0.1: of a message that is not passed on"), KeyError("not passed on")]
)
def test_a_ledger_that_goes_away_and_comes_back(
    error: Exception, site: Site, run: SimulatedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = following(site.sign_in().events())
    assert next(events)["ledger"] == {"lost": None}

    def lost(*_: Any, **__: Any) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Runs, "latest", lost)
        known = until(events, lambda now: now["ledger"]["lost"] is not None)
        assert known["ledger"]["because"] == type(error).__name__
        assert known["run"]["id"] == run.run
        assert site.ask("GET", "/").status == 200
    assert until(events, lambda now: now["ledger"]["lost"] is None)["run"]["id"] == run.run


@pytest.mark.soak
def test_a_server_that_hangs_for_some_seconds() -> None:
    with EmbeddedMongod(find_mongod(os.environ)) as server, MongoClient[dict[str, Any]](server.uri) as client:
        run = SimulatedRun(open_ledger(client, "led", "ledger"), partitions=4, workers=1)
        port = server.uri.split("/")[2].rpartition(":")[2]
        hung = next(
            one
            for one in psutil.Process().children(recursive=True)
            if one.name().startswith("mongod") and port in " ".join(one.cmdline())
        )
        with served(run.ledger) as site:
            events = following(site.sign_in().events())
            assert next(events)["run"]["id"] == run.run
            hung.suspend()
            try:
                known = until(events, lambda now: now["ledger"]["lost"] is not None)
            finally:
                hung.resume()
            assert known["run"]["id"] == run.run
            known = until(events, lambda now: now["ledger"]["lost"] is None)
            assert known["run"]["id"] == run.run


def test_a_record_of_days_is_read_bit_by_bit(
    run: SimulatedRun, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.past(40)
    whole = Followed(ledger, run.run)
    whole.catch_up()
    real = RunSeries.points

    def cut_off(series: RunSeries, since: Any = None) -> Any:
        for number, one in enumerate(real(series, since)):
            if number == 15:
                raise NetworkTimeout
            yield one

    monkeypatch.setattr(RunSeries, "points", cut_off)
    followed = Followed(ledger, run.run)
    for _ in range(4):
        with contextlib.suppress(NetworkTimeout):
            followed.catch_up()
    assert followed.curves() == whole.curves()
    assert followed.speed() == whole.speed()


def test_no_id_of_a_document_is_sent(site: Site, run: SimulatedRun, ledger: Ledger) -> None:
    secret = ObjectId()
    ledger.partitions.update_many({}, {"$set": {"struck": secret, "intent": {"identities": str(secret)}}})
    run.step()
    message = repr(next(site.sign_in().events()))
    assert str(secret) not in message
    assert not {"after", "upto", "watermark", "salt", "identities"} & set(message.split("'"))


def test_nobody_looks_while_nobody_watches(
    site: Site, run: SimulatedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[float] = []
    real = Runs.latest
    monkeypatch.setattr(Runs, "latest", lambda self, limit=1: looked.append(time.time()) or real(self, limit))
    next(site.sign_in().events())
    assert looked
    site.streams.pop().close()
    deadline = time.monotonic() + 60
    while True:
        count = len(looked)
        time.sleep(2.5 * hub.LOOK_SECONDS)
        if len(looked) == count:
            break
        assert time.monotonic() < deadline, "it goes on looking"


def test_a_slow_viewer_is_sent_all_anew_and_nothing_is_kept_for_it() -> None:
    channel = hub.Channel()
    channel.publish({"run": 1, "strips": {"a": "oo"}})
    channel.publish({"run": 2, "strips": {"a": "do"}})
    channel.publish({"run": 2, "strips": {"a": "dd"}})
    assert channel.message(2).startswith(b"event: change")
    assert b'"a":[[1,"d"]]' in channel.message(2)
    assert b"run" not in channel.message(2)
    for seen in (0, 1):
        assert channel.message(seen).startswith(b"event: whole")
        assert b'"a":"dd"' in channel.message(seen)
    channel.publish({"run": 2, "strips": {"a": "dd"}})
    assert channel.version == 3
    channel.publish({"run": None})
    assert b'"gone":["strips"]' in channel.message(3)


def test_there_is_an_end_to_viewers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MOST_VIEWERS", 1)
    site.sign_in()
    next(site.events())
    assert site.ask("GET", "/events").status == 503
