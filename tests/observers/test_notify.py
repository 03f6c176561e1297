from __future__ import annotations

import email
import email.policy
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phimask import events
from phimask.config.components import complete_options, public_options
from phimask.config.data import shipped_schema
from phimask.config.model import ComponentChoice, Origin
from phimask.plugins.loading import load_registry
from phimask.testing import check_observer
from phimask_plugins.observers import Notify, destination
from phimask_plugins.observers.destination import Destination, Message
from phimask_plugins.observers.notify import RULES
from receivers import mail_server, webhook

STARTED = events.RunStarted("r1", "production", ("ehr.a",))
NOON = 1_795_694_400.0
SLOW = events.AlertRaised("slow", "147 documents a second over 60 s, fewer than 200", NOON, "ehr.a")
OVER = events.AlertRaised("slow", "231 documents a second over 60 s", NOON, "ehr.a", cleared=True)
WORKER = events.AlertRaised("worker", "worker w2 died and is replaced", NOON, "ehr.a", "w2")
FINDING = events.AlertRaised("finding", "1 findings so far; see the report", NOON, "ehr.a")
FINISHED = events.AlertRaised("finished", "run completed: 7 documents masked", NOON)
COMPLETED = events.RunFinished("completed", {})
SECRET = "hunter2-canary"


def observer(to: dict[str, Any], **options: Any) -> tuple[Notify, list[str]]:
    registry = load_registry()
    made = Notify(complete_options("observer", "notify", {"to": to, **options}, registry))
    said: list[str] = []
    made.warn = said.append
    return made, said


def hook(port: int) -> dict[str, Any]:
    return {"url": f"json://phimask:{SECRET}@127.0.0.1:{port}/{SECRET}"}


def tell(watching: Notify, *told: events.Event) -> None:
    for event in (STARTED, *told):
        watching.notify(event)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Second attempts come soon; threads end with the test; no log has an address."""
    monkeypatch.setattr(destination, "_AGAIN_SECONDS", 0.01)
    level = logging.getLogger("apprise").level
    with caplog.at_level(logging.INFO):
        yield
    logging.getLogger("apprise").setLevel(level)
    assert SECRET not in caplog.text


def test_it_keeps_its_interface() -> None:
    with webhook() as received:
        check_observer(Notify, {"to": {"ops": hook(received.port)}, "wait": "60s"})


def test_the_rules_are_those_of_a_profile() -> None:
    assert list(shipped_schema("profile")["properties"]["alerts"]["properties"]) == list(RULES)


def test_a_webhook_is_told_what_where_and_when() -> None:
    before = set(threading.enumerate())
    with webhook() as received:
        watching, said = observer({"ops": hook(received.port)}, wait="60s")
        tell(watching, SLOW, OVER, WORKER, COMPLETED, FINISHED)
        watching.close()
    found = [json.loads(text) for text in received.texts]
    assert [(one["type"], one["title"], one["message"]) for one in found] == [
        ("warning", "phimask: slow (ehr.a)",
         "147 documents a second over 60 s, fewer than 200\nrun r1, profile production, at 2026-11-26 12:00:00 UTC"),
        ("info", "phimask: slow is over (ehr.a)",
         "231 documents a second over 60 s\nrun r1, profile production, at 2026-11-26 12:00:00 UTC"),
        ("warning", "phimask: worker (ehr.a)",
         "worker w2 died and is replaced\nrun r1, profile production, worker w2, at 2026-11-26 12:00:00 UTC"),
        ("success", "phimask: finished",
         "run completed: 7 documents masked\nrun r1, profile production, at 2026-11-26 12:00:00 UTC"),
    ]  # fmt: skip
    assert said == []
    begun = set(threading.enumerate()) - before
    assert not [one for one in begun if one.name.startswith("phimask-notify")]


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ([COMPLETED, FINISHED], "success"),
        ([FINDING, COMPLETED, FINISHED], "warning"),
        ([FINDING, events.RunFinished("stopped", {}), FINISHED], "failure"),
    ],
)
def test_the_end_is_as_good_as_the_run_was(told: list[events.Event], kind: str) -> None:
    with webhook() as received:
        watching, _ = observer({"ops": {**hook(received.port), "alerts": ["finished"]}}, wait="60s")
        tell(watching, *told)
        watching.close()
    (text,) = received.texts
    assert json.loads(text)["type"] == kind


def test_a_mail_is_a_mail() -> None:
    with mail_server() as received:
        url = f"mailto://127.0.0.1:{received.port}?from=phimask@example.org&to=ops@example.org&mode=insecure"
        watching, said = observer({"mail": {"url": url}}, wait="60s")
        tell(watching, SLOW)
        watching.close()
    (text,) = received.texts
    mail = email.message_from_string(text, policy=email.policy.default)
    assert mail["subject"] == "phimask: slow (ehr.a)"
    assert "ops@example.org" in str(mail["to"])
    assert "147 documents a second over 60 s, fewer than 200" in str(mail)
    assert said == []


def test_each_is_told_of_the_alerts_that_are_theirs() -> None:
    with webhook() as ops, webhook() as board:
        watching, _ = observer(
            {
                "ops": {**hook(ops.port), "alerts": ["slow", "worker"]},
                "board": {**hook(board.port), "alerts": ["finished"]},
            },
            wait="60s",
        )
        tell(watching, SLOW, WORKER, FINISHED)
        watching.close()
    assert [json.loads(text)["title"] for text in ops.texts] == [
        "phimask: slow (ehr.a)", "phimask: worker (ehr.a)",
    ]  # fmt: skip
    assert [json.loads(text)["title"] for text in board.texts] == ["phimask: finished"]


def test_an_address_may_come_from_a_file(tmp_path: Path) -> None:
    with webhook() as received:
        (tmp_path / "address").write_text(hook(received.port)["url"] + "\n", encoding="utf-8")
        watching, _ = observer({"ops": {"file": str(tmp_path / "address")}}, wait="60s")
        tell(watching, SLOW)
        watching.close()
    assert len(received.texts) == 1


def test_an_answer_that_is_an_error_is_tried_again_and_said_once() -> None:
    with webhook(500) as wrong, webhook() as right:
        watching, said = observer({"ops": hook(wrong.port), "board": hook(right.port)}, wait="60s")
        tell(watching, SLOW, OVER, FINISHED)
        watching.close()
    assert wrong.count == 6
    assert len(right.texts) == 3
    assert said == ["alerts do not reach ops (observer notify): refused, or no answer"]


def test_a_mail_server_that_is_not_there_is_said_once() -> None:
    with mail_server() as received:
        port = received.port
    url = f"mailto://phimask:{SECRET}@127.0.0.1:{port}?from=a@example.org&to=b@example.org&mode=insecure"
    watching, said = observer({"mail": {"url": url}}, wait="60s")
    tell(watching, SLOW)
    watching.close()
    assert said == ["alerts do not reach mail (observer notify): refused, or no answer"]


def test_who_never_answers_holds_up_nobody_else_and_not_the_end() -> None:
    with webhook("never") as silent, webhook() as right:
        watching, said = observer(
            {"ops": hook(silent.port), "board": hook(right.port)}, wait="100ms", timeout="600s"
        )
        tell(watching, *[SLOW, OVER] * 5, FINISHED)
        right.wait_for(11)
        while watching._destinations["board"]._busy:  # it has yet to read the last answer
            time.sleep(0.01)
        watching.close()
        assert said == ["alerts do not reach ops (observer notify): no answer before the run's end"]


def test_an_answer_that_takes_too_long_is_none() -> None:
    with webhook("never") as silent:
        watching, said = observer({"ops": hook(silent.port)}, wait="60s", timeout="50ms")
        tell(watching, SLOW)
        watching.close()
        silent.wait_for_asking(2)
    assert said == ["alerts do not reach ops (observer notify): refused, or no answer"]


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ({"ops": {}}, "to.ops needs an address; give it `url` or `file`, and not both"),
        ({"ops": {"url": f"json://{SECRET}", "file": "x"}},
         "to.ops needs an address; give it `url` or `file`, and not both"),
        ({"ops": {"url": f"nonsense://{SECRET}"}},
         "to.ops is no address that Apprise knows; write it as its wiki says, such as mailtos://USER:PASSWORD@HOST?to=ADDRESS"),
        ({"ops": {"file": "no such file"}}, "to.ops.file cannot be read; make it a file that you may read"),
        ({}, "$: the mapping is empty; write a mapping, such as {ops: {url: ${PHIMASK_NOTIFY_OPS}}}"),
        ({"ops": {"url": f"json://{SECRET}", "alerts": ["slwo"]}},
         "$: 'slwo' is not known here; did you mean 'slow'?"),
        ({"ops": {"url": 5}}, "$: the value is not a text; write a text or null"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_showing_it(to: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        observer(to)
    assert str(caught.value) == said


def test_a_file_with_more_than_an_address_is_refused(tmp_path: Path) -> None:
    (tmp_path / "address").write_text(f"json://{SECRET}\njson://{SECRET}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"to\.ops\.file holds no address") as caught:
        observer({"ops": {"file": str(tmp_path / "address")}})
    assert SECRET not in str(caught.value)


def test_addresses_are_shown_to_nobody() -> None:
    registry = load_registry()
    options = complete_options("observer", "notify", {"to": {"ops": hook(9)}}, registry)
    choice = ComponentChoice("notify", options, Origin("x.yaml", 1, "$"))
    assert SECRET not in f"{choice!r} {public_options('observer', choice, registry)} {Notify(options)!r}"


class Box:
    """A destination by a clock that the test moves, and what it was sent; `hold` keeps its thread from sending."""

    def __init__(self, per_hour: int) -> None:
        self.seconds = 0.0
        self.sent: list[Message] = []
        self.refuse = False
        self.warned: list[str] = []
        self.free = threading.Event()
        self.free.set()
        self.happened = threading.Semaphore(0)
        self.destination = Destination("ops", self._send, per_hour, self.warned.append, lambda: self.seconds)

    def _send(self, message: Message) -> bool:
        assert self.free.wait(60)
        if self.refuse:
            raise RuntimeError(SECRET)
        self.sent.append(message)
        self.happened.release()
        return True

    def take(self, *rules: str, urgent: bool = False) -> None:
        for rule in rules:
            self.destination.take(Message(rule, "warning", "title", "body", urgent))

    def close(self) -> None:
        self.destination.close()
        self.destination.wait(60)

    @property
    def bodies(self) -> list[str]:
        return [one.body for one in self.sent]


def test_no_more_than_so_many_an_hour_are_sent_but_for_the_end() -> None:
    box = Box(per_hour=2)
    for rule in ("slow", "batch"):
        box.take(rule)
        assert box.happened.acquire(timeout=60)
    box.take("slow", "slow", "memory")
    box.take("finished", urgent=True)
    box.close()
    assert len(box.sent) == 3
    assert [body for body in box.bodies if body != "body"] == [
        "body\nHeld back before this: memory 1, slow 2."
    ]


def test_what_was_held_back_is_summed_up_when_the_hour_is_over() -> None:
    box = Box(per_hour=1)
    box.take("slow")
    assert box.happened.acquire(timeout=60)
    box.take("slow", "batch", "slow")
    with box.destination._changed:  # its thread does not see the hour over before there is something to send
        box.seconds = 3600.0
        box.take("worker")
    assert box.happened.acquire(timeout=60)
    box.close()
    assert box.bodies == ["body", "body\nHeld back before this: batch 1, slow 2."]


def test_what_is_still_held_back_at_the_end_is_a_message_of_its_own() -> None:
    box = Box(per_hour=1)
    box.take("slow")
    assert box.happened.acquire(timeout=60)
    box.take("slow", "batch")
    box.close()
    assert [(one.title, one.body) for one in box.sent[1:]] == [
        ("phimask: alerts held back", "Held back before this: batch 1, slow 1.")
    ]


def test_the_queue_is_bounded_and_the_newest_are_kept() -> None:
    box = Box(per_hour=10_000)
    box.free.clear()
    for number in range(1000):
        box.take(f"rule{number}")
    box.free.set()
    box.close()
    assert 100 <= len(box.sent) <= 101
    assert box.sent[-1].rule == "rule999"
    assert sum(body.count("rule") for body in box.bodies) == 1000 - len(box.sent)


def test_what_did_not_arrive_is_told_with_what_does() -> None:
    box = Box(per_hour=100)
    box.refuse = True
    box.take("slow")
    while not box.warned:
        box.free.wait(0.01)
    box.refuse = False
    box.take("batch", "worker")
    box.close()
    assert box.bodies == ["body\nNot delivered before this: slow 1.", "body"]
    assert box.warned == ["alerts do not reach ops (observer notify): RuntimeError"]
