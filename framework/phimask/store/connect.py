"""Opening a deployment, or one clear message that says why not, without a credential in it."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Any, Final

from bson.codec_options import DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReadPreference
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ConnectionFailure,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.uri_parser import parse_uri, split_options
from pymongo.write_concern import WriteConcern

from phimask.config.model import Secret
from phimask.errors import PreflightError
from phimask.store.retry import error_name

Client = MongoClient[dict[str, Any]]

_SCHEMES = ("mongodb://", "mongodb+srv://")

SELECTION_SECONDS = 10
"""How long to look for a server before saying that there is none."""


_MAY_BE_REPEATED: Final = frozenset({"readpreferencetags"})
_NAME_BYTES: Final = 128
"""MongoDB takes no longer name of a client."""


def application(run: str = "", worker: str = "") -> str:
    """What the server knows a client by: `phimask RUN WORKER`, as far as it is a run's, and a worker's."""
    name = " ".join(part for part in ("phimask", run, worker) if part)
    return name.encode()[:_NAME_BYTES].decode(errors="ignore")


def connect(uri: Secret, run: str = "", worker: str = "") -> Client:
    """A client that reads and writes with majority concern and is known to be answered, under the name of its run.

    Raises PreflightError: malformed URI, an option that would be ignored, no server, wrong password and the like.
    """
    name = application(run, worker)
    text = uri.reveal()
    where = hosts(uri)
    try:
        if not text.startswith(_SCHEMES):
            raise InvalidURI  # PyMongo would take it for a host's name
        _refuse_ignored(text, where)
        client = _client(text, name, retry_writes=True)
    except OSError as error:  # PyMongo opens the files that TLS options name
        raise PreflightError(
            [
                f"a file that the MongoDB URI names cannot be read: {error.strerror or type(error).__name__}; check "
                "tlsCAFile and tlsCertificateKeyFile"
            ]
        ) from None
    except (InvalidURI, ConfigurationError, ValueError, TypeError) as error:
        if type(error.__context__).__module__.startswith("dns."):
            raise PreflightError(
                [
                    f"{where}: DNS knows no MongoDB deployment of this name (SRV records of _mongodb._tcp.{where}), or "
                    "did not answer; check the name in the URI"
                ]
            ) from None
        raise PreflightError(
            [
                "the MongoDB URI is malformed; it looks like mongodb://USER:PASSWORD@HOST:PORT/?replicaSet=NAME, "
                "special characters of user and password percent-encoded"
            ]
        ) from None
    try:
        hello = client.admin.command("hello")
        client.admin.command("connectionStatus")
    except PyMongoError as error:
        client.close()
        raise PreflightError([_why_not(error, where, named="replicaset=" in text.lower())]) from None
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        client.close()
        client = _client(text, name, retry_writes=False)
    return client


def hosts(uri: Secret) -> str:
    """The hosts a URI names, with nothing secret; `?` where it is malformed or names a file that is not there."""
    text = uri.reveal()
    if text.startswith("mongodb+srv://"):
        # No port belongs here: what stands behind a colon is a password whose @ is missing.
        host = re.split("[/?]", text.removeprefix("mongodb+srv://").rpartition("@")[2])[0]
        return host if host and ":" not in host else "?"
    try:
        nodes = parse_uri(text.partition("?")[0])["nodelist"]  # PyMongo takes a wrong option more lightly
    except (PyMongoError, ValueError, OSError):
        return "?"
    return ", ".join(host if port is None else f"{host}:{port}" for host, port in nodes)


def _refuse_ignored(text: str, where: str) -> None:
    """PyMongo leaves out what it does not understand of a URI's options, so that `tls=True` would be no TLS.

    Raises PreflightError, and OSError for a file that cannot be read. What stands for a name is shown only where it is
    one: in a malformed URI it may be a part of the password.
    """
    names = set[str]()
    for number, option in enumerate(re.split("[&;]", text.partition("?")[2]), start=1):
        if not option:
            continue
        wrong = None
        name = option.partition("=")[0]
        try:
            split_options(option, validate=True, warn=False)
        except InvalidURI:
            raise
        except ConfigurationError:
            wrong = f"option {number} of the MongoDB URI is none that is known"
        except (ValueError, TypeError):
            wrong = f"the option {name} of the MongoDB URI has a value that it cannot have"
        if wrong is not None:
            raise PreflightError(
                [
                    f"{where}: {wrong}, and would be ignored; write it as MongoDB's manual does under Connection "
                    "String Options, such as tls=true"
                ]
            )
        if name.lower() in names - _MAY_BE_REPEATED:
            raise PreflightError(
                [
                    f"{where}: the option {name} stands in the MongoDB URI twice, and one would be ignored; keep one"
                ]
            )
        names.add(name.lower())


def _client(text: str, name: str, *, retry_writes: bool) -> Client:
    return MongoClient(
        text,
        appname=name,
        serverSelectionTimeoutMS=SELECTION_SECONDS * 1000,
        retryWrites=retry_writes,
        tz_aware=False,
    )


def _why_not(error: PyMongoError, where: str, *, named: bool) -> str:
    """`named`: the URI names a replica set, and a server of another one counts as none."""
    if isinstance(error, OperationFailure):
        if error.code in (18, 8000):
            return (
                f"{where}: the server refused the user or the password; "
                "check the credentials and authSource in the URI"
            )
        return f"{where}: the server answered {error_name(error)}; see its log"
    if isinstance(error, ServerSelectionTimeoutError | AutoReconnect | ConnectionFailure):
        unknown = _unknown(where)
        if unknown:
            return f"{where}: {' and '.join(unknown)} is the name of no machine that is known here; check the URI"
        set_name = "the name that replicaSet gives, " if named else ""
        return (
            f"{where}: no server answered within {SELECTION_SECONDS} s; check that mongod runs there, "
            f"that the port is right, {set_name}and TLS and firewall settings"
        )
    return f"{where}: the connection failed ({type(error).__name__}); check the URI's options"


def _unknown(where: str) -> list[str]:
    """The names of hosts, where no address of any of them is known."""
    names = [one.rpartition(":")[0] or one for one in where.split(", ")]
    for name in names:
        try:
            socket.getaddrinfo(name.strip("[]"), None)
        except OSError:
            continue
        return []
    return names


def has_transactions(client: Client) -> bool:
    """Whether it is a replica set or a sharded cluster."""
    hello = client.admin.command("hello")
    return "setName" in hello or hello.get("msg") == "isdbgrid"


def same_deployment(one: Client, other: Client) -> bool:
    """Whether both lead to the same one, by the addresses that its members know each other by. Raises PyMongo's
    errors."""
    return one is other or bool(_members(one) & _members(other))


def _members(client: Client) -> set[str]:
    hello = client.admin.command("hello")
    reached = {f"{host}:{port}" for host, port in client.nodes}
    return reached | {*hello.get("hosts", ()), *hello.get("passives", ())}


MAJORITY_WRITES = WriteConcern("majority")
MAJORITY_READS = ReadConcern("majority")


def raw_collection(client: Client, database: str, name: str) -> Any:
    """The collection with raw documents and majority concerns, read from the primary.

    Dates of any year, since a duplicate key's value comes back in the error that PyMongo decodes.
    """
    options = client.codec_options.with_options(
        document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_AUTO
    )
    return client[database].get_collection(
        name,
        codec_options=options,
        write_concern=MAJORITY_WRITES,
        read_concern=MAJORITY_READS,
        read_preference=ReadPreference.PRIMARY,
    )


def server_version(client: Client) -> tuple[int, ...]:
    """As (6, 0, 5)."""
    info: Mapping[str, Any] = client.admin.command("buildInfo")
    return tuple(int(part) for part in info["versionArray"][:3])
