"""The observer `notify`: alerts by mail, Slack, Teams, webhook and whatever else Apprise knows."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar, Final

from phimask import Observer, events
from phimask_plugins.observers.destination import Destination, Kind, Message

_PAUSE: Final = 1.0
"""Seconds between two messages to one address."""

RULES: Final = (
    "slow",
    "memory",
    "batch",
    "holding",
    "breaker",
    "worker",
    "quarantine",
    "finding",
    "finished",
)
"""The keys of a profile's `alerts`."""


class Notify(Observer):
    """Sends the alerts of a run, each to those who are to be told, and no value of a document with it.

    A message says which rule was broken, in counts, names and seconds, of which run, profile and collection. Each of
    `to` is told by a thread of its own: an address that is missing, answers with an error or never answers costs its
    messages, which is said once, and never the run. The end of a run is told in any case; of other alerts no more than
    `per_hour`, and how many were held back.

    Source: Apprise, https://github.com/caronc/apprise, whose wiki lists the addresses that it knows.
    """

    name: ClassVar[str] = "notify"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["to"],
        "properties": {
            "to": {
                "type": "object",
                "minProperties": 1,
                "x-right": "write a mapping, such as {ops: {url: ${PHIMASK_NOTIFY_OPS}}}",
                "description": "who is told, each under a name of your choice, which the log and warnings call them by",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "x-right": "write a mapping, such as {url: ${PHIMASK_NOTIFY_OPS}}",
                    "properties": {
                        "url": {
                            "type": ["string", "null"],
                            "secret": True,
                            "minLength": 1,
                            "default": None,
                            "description": "the address, as Apprise writes it, from an environment variable: "
                            "mailtos://, slack://, workflows:// (Teams), jsons:// (a webhook) and many more",
                        },
                        "file": {
                            "type": ["string", "null"],
                            "minLength": 1,
                            "default": None,
                            "description": "a file that holds the address alone, instead of `url`",
                        },
                        "alerts": {
                            "type": ["array", "null"],
                            "items": {"enum": list(RULES)},
                            "uniqueItems": True,
                            "default": None,
                            "x-right": "write a list of rules of the profile's `alerts`, such as [slow, finished]",
                            "description": "of which rules; null: of all",
                        },
                    },
                },
            },
            "per_hour": {
                "type": "integer",
                "minimum": 1,
                "default": 20,
                "description": "messages that one is sent in an hour at most",
            },
            "timeout": {
                "format": "duration",
                "exclusiveMinimum": 0,
                "default": "10s",
                "description": "how long an address may take to be reached, and again to answer; it is tried twice",
            },
            "wait": {
                "format": "duration",
                "minimum": 0,
                "default": "15s",
                "description": "how long the run's end waits, at most, for messages that are under way",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError for an address that is none, without showing it."""
        super().__init__(options)
        self._run = self._profile = ""
        self._worst: Kind = "success"
        self._rules: dict[str, frozenset[str]] = {}
        self._destinations: dict[str, Destination] = {}
        for name, one in options["to"].items():
            send = _sender(name, _address(name, one), options["timeout"])
            self._rules[name] = frozenset(RULES if one["alerts"] is None else one["alerts"])
            self._destinations[name] = Destination(name, send, options["per_hour"], self._say)

    def notify(self, event: events.Event) -> None:
        """Pass an alert on to those who are to be told. Never waits."""
        if isinstance(event, events.RunStarted):
            self._run, self._profile = event.run_id, event.profile
        elif isinstance(event, events.RunFinished):
            self._worst = "failure" if event.status != "completed" else self._worst
        elif isinstance(event, events.AlertRaised):
            if event.rule in ("quarantine", "finding"):
                self._worst = "warning"
            message = self._message(event)
            for name, destination in self._destinations.items():
                if event.rule in self._rules[name]:
                    destination.take(message)

    def close(self) -> None:
        """Send what is under way, for `wait` at most."""
        until = time.monotonic() + self.options["wait"]
        for destination in self._destinations.values():
            destination.close()
        for destination in self._destinations.values():
            destination.wait(until - time.monotonic())

    def _say(self, message: str) -> None:
        self.warn(message)  # which is set after this observer was made

    def _message(self, alert: events.AlertRaised) -> Message:
        finished = alert.rule == "finished"
        title = f"phimask: {alert.rule}" + (" is over" if alert.cleared else "")
        if alert.namespace is not None:
            title += f" ({alert.namespace})"
        where = [f"run {self._run}", f"profile {self._profile}"]
        if alert.worker:
            where.append(f"worker {alert.worker}")
        at = datetime.fromtimestamp(alert.at, timezone.utc)
        body = f"{alert.message}\n{', '.join(where)}, at {at:%Y-%m-%d %H:%M:%S} UTC"
        kind: Kind = self._worst if finished else "info" if alert.cleared else "warning"
        return Message(alert.rule, kind, title, body, urgent=finished)


def _address(name: str, one: Mapping[str, Any]) -> str:
    """Raises ValueError."""
    url, file = one["url"], one["file"]
    if (url is None) == (file is None):
        raise ValueError(f"to.{name} needs an address; give it `url` or `file`, and not both")
    if url is not None:
        return str(url)
    try:
        lines = Path(file).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        raise ValueError(f"to.{name}.file cannot be read; make it a file that you may read") from None
    if len(lines) != 1:
        raise ValueError(f"to.{name}.file holds no address; write the address into it, and nothing else")
    return lines[0]


def _sender(name: str, address: str, timeout: float) -> Callable[[Message], bool]:
    """What sends to this address. Raises ValueError."""
    # It tells its log whole addresses and answers of servers; what matters of that, the observer says itself.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for modules that Python is about to drop
        import apprise  # noqa: PLC0415  (slow to import, and few runs ask for it)

        asset = apprise.AppriseAsset(
            app_id="phimask",
            app_desc="phimask",
            app_url="",
            async_mode=False,
            storage_mode=apprise.PersistentStoreMode.MEMORY,  # no token of a service's is to lie on the disk
        )
        asset.image_url_mask = asset.image_url_logo = ""
        service: Any = apprise.Apprise.instantiate(address, asset=asset)
    if service is None:
        raise ValueError(
            f"to.{name} is no address that Apprise knows; write it as its wiki says, such as "
            "mailtos://USER:PASSWORD@HOST?to=ADDRESS"
        )
    service.socket_connect_timeout = service.socket_read_timeout = timeout
    # Its own pauses, of more than five seconds for some, would lose last words; how many there are is bounded here.
    service.request_rate_per_sec = min(service.request_rate_per_sec, _PAUSE)

    def send(message: Message) -> bool:
        return bool(
            service.notify(
                body=message.body, title=message.title, notify_type=apprise.NotifyType(message.kind)
            )
        )

    return send
