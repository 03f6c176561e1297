"""The members of a replica set: which there are, a connection to one alone, and what the primary knows of them.

A direct connection takes the credentials and TLS options of the URI that the run was given. What belongs to the set
as a whole (its name, read and write preferences) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

from phimask.config.model import Secret
from phimask.engine.throttle.source import ANSWER_SECONDS
from phimask.store.connect import Client, application

_SRV: Final = "mongodb+srv://"
_PLAIN: Final = "mongodb://"
_OF_THE_SET: Final = frozenset(
    (
        *("directconnection", "loadbalanced", "replicaset", "srvmaxhosts", "srvservicename"),
        *("readpreference", "readpreferencetags", "maxstalenessseconds", "localthresholdms"),
        *("readconcernlevel", "retryreads", "w", "wtimeoutms", "journal", "retrywrites"),
    )
)
_OF_THE_USER: Final = frozenset(("authsource", "authmechanism", "authmechanismproperties"))
_SECONDARY: Final = 2  # of replSetGetStatus's states


def direct_uri(uri: Secret, host: str, *, anonymous: bool = False) -> Secret:
    """`uri` for `host` (as in `hello`) alone; `anonymous`: without its user."""
    text = uri.reveal()
    rest = text.partition("://")[2]
    before, _, written = rest.partition("?")
    authority, _, database = before.partition("/")
    user, at, _ = authority.rpartition("@")
    options = [one for one in re.split("[&;]", written) if one]
    if text.startswith(_SRV):
        # What the scheme and the TXT record say, a plain URI has to say itself.
        known = parse_uri(text)["options"]
        named = {_name(one) for one in options}
        if not named & {"tls", "ssl"}:
            options.append("tls=true")
        if "authsource" not in named and "authsource" in known:
            options.append(f"authSource={known['authsource']}")
    left_out = _OF_THE_SET | _OF_THE_USER if anonymous else _OF_THE_SET
    kept = [one for one in options if _name(one) not in left_out]
    userinfo = "" if anonymous else f"{user}{at}"
    return Secret(f"{_PLAIN}{userinfo}{host}/{database}?{'&'.join(['directConnection=true', *kept])}")


def _name(option: str) -> str:
    return option.partition("=")[0].lower()


def open_member(uri: Secret) -> Client:
    """A client of one member, that gives up soon and retries nothing; the caller's to close."""
    patience = int(ANSWER_SECONDS * 1000)
    return MongoClient(
        uri.reveal(),
        appname=application(),
        serverSelectionTimeoutMS=patience,
        connectTimeoutMS=patience,
        socketTimeoutMS=patience,
        retryReads=False,
    )


def named_by_hello(hello: Mapping[str, Any]) -> set[str]:
    """The members with data that `hello` names. It names none that is hidden or delayed."""
    return {*hello.get("hosts", ()), *hello.get("passives", ())}


def named_by_configuration(configuration: Mapping[str, Any]) -> set[str]:
    """The members with data in replSetGetConfig's `config`.

    One that is both hidden and delayed is left out: nobody reads from it, and it is meant to be behind.
    """
    return {
        one["host"]
        for one in configuration["members"]
        if not one.get("arbiterOnly")
        and not (one.get("hidden") and (one.get("secondaryDelaySecs") or one.get("slaveDelay")))
    }


def behind_by_status(status: Mapping[str, Any]) -> dict[str, float]:
    """Seconds by which the primary sees each secondary behind itself, from its replSetGetStatus."""
    members = status["members"]
    primary = next((one for one in members if one.get("self")), None)
    if primary is None:
        return {}
    return {
        one["name"]: max(0.0, (_applied(primary) - _applied(one)).total_seconds())
        for one in members
        if one.get("state") == _SECONDARY and one.get("health") == 1
    }


def _applied(member: Mapping[str, Any]) -> Any:
    # To the millisecond where the server says that (5.0 and newer), else to the second.
    return member.get("lastAppliedWallTime") or member["optimeDate"]
