"""`phimask monitor`: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import datetime
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import pytest
from counters import Counters
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from phimask.engine.control import StopSignal
from phimask.monitor import serving


def _printed(monitor: subprocess.Popen[str]) -> dict[str, Any]:
    assert monitor.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        line = monitor.stdout.readline()
        assert line, monitor.communicate()[1]
        text += line
    found: dict[str, Any] = json.loads(text)
    return found


def _end(monitor: subprocess.Popen[str], how: int) -> tuple[int, str]:
    monitor.send_signal(how)
    err = monitor.communicate(timeout=30)[1]
    return monitor.returncode, err


_ENDS = (
    [signal.CTRL_BREAK_EVENT] if os.name == "nt" else [signal.SIGINT, signal.SIGTERM]  # type: ignore[attr-defined]
)


@pytest.mark.parametrize(("how", "scheme"), [(_ENDS[0], "http"), (_ENDS[-1], "https")])
def test_it_ends_while_somebody_watches(
    how: int, scheme: str, counters: Counters, started: Callable[..., subprocess.Popen[str]]
) -> None:
    _certificate(counters.folder)
    encrypted = ("--tls-cert", "cert.pem", "--tls-key", "key.pem") if scheme == "https" else ()
    monitor = started("monitor", "--port", "0", "--json", *encrypted)
    printed = _printed(monitor)
    assert printed.keys() == {"url", "ledger", "read_only"}
    url = urlsplit(printed["url"])
    assert (url.scheme, url.hostname, url.path) == (scheme, "127.0.0.1", "/signin")
    connection = _connection(url, counters.folder)
    origin = f"{scheme}://localhost:{url.port}"
    connection.request("POST", "/session", url.fragment.removeprefix("token="), {"Origin": origin})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 204
    cookie = answer.getheader("set-cookie") or ""
    assert ("; Secure" in cookie) == bool(encrypted)
    connection.request("GET", "/events", headers={"Cookie": cookie.partition(";")[0]})
    stream = connection.getresponse()
    assert stream.readline() == b"retry: 2000\n"
    code, err = _end(monitor, how)
    connection.close()
    assert (code, "Traceback" in err) == (0, False), err
    assert err.count(printed["url"]) == 1
    assert counters.told().keys() == {"counters"}  # nothing of all this made a ledger


def _connection(url: SplitResult, folder: Path) -> http.client.HTTPConnection:
    if url.scheme == "http":
        return http.client.HTTPConnection("localhost", url.port, timeout=20)
    trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    return http.client.HTTPSConnection("localhost", url.port, timeout=20, context=trust)


def test_a_port_that_is_taken(counters: Counters, phimask: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        answer = phimask("monitor", "--port", str(port))
    assert answer.code == 2
    assert (
        answer.err.splitlines()
        == [
            f"error: 127.0.0.1, port {port}, cannot be listened on: Address already in use; name another by --port, or "
            "--port 0 for any that is free"
        ]
        or os.name == "nt"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "can be reached from other machines"),
        (("--host", "::"), "can be reached from other machines"),
        (("--host", "no.such.host.invalid", "--without-tls"), "no address of this machine"),
        (("--tls-cert", "none.pem"), "--tls-cert and --tls-key go together"),
        (("--tls-cert", "none.pem", "--tls-key", "none.pem"), "No such file"),
        (("--tls-cert", "text.pem", "--tls-key", "text.pem"), "no usable pair"),
        (("--token-file", "none"), "the token file none cannot be read"),
        (("--port", "70000"), "70000"),
    ],
)
def test_what_it_refuses(
    arguments: tuple[str, ...], said: str, counters: Counters, phimask: Callable[..., Any]
) -> None:
    Path("text.pem").write_text("no certificate", encoding="utf-8")
    answer = phimask("monitor", *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert "token=" not in answer.err


def test_a_ledger_out_of_reach(
    counters: Counters, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phimask.store.connect.SELECTION_SECONDS", 0.2)
    counters.settings("counters", more="coordination: {uri: 'mongodb://127.0.0.1:9/'}\n")
    answer = phimask("monitor", "--port", "0")
    assert answer.code == 2
    assert "the ledger (coordination.uri): 127.0.0.1:9: no server answered" in answer.err


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is closed as soon as it is served."""

    def serve(*_: Any, stop: StopSignal, **__: Any) -> None:
        assert not stop.stopping

    monkeypatch.setattr(serving, "serve", serve)


def test_a_token_in_a_file_is_not_printed(
    counters: Counters, phimask: Callable[..., Any], at_once: None
) -> None:
    Path("token").write_text("0123456789abcdef0123\n", encoding="utf-8")
    Path("token").chmod(0o600)
    answer = phimask("monitor", "--port", "0", "--token-file", "token", "--json", "--read-only")
    assert answer.code == 0, answer.err
    assert "0123456789abcdef" not in answer.out + answer.err
    assert answer.json["url"].endswith("/")
    assert answer.json["read_only"] is True
    assert "it asks for the token in token" in answer.err


def test_a_browser_is_given_the_token_where_nobody_else_reads_it(
    counters: Counters, phimask: Callable[..., Any], at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, str]] = []

    def look(url: str) -> bool:
        path = Path(urlsplit(url).path.lstrip("/") if os.name == "nt" else urlsplit(url).path)
        opened.append((url, path.read_text(encoding="utf-8")))
        if os.name == "posix":
            assert path.parent.stat().st_mode & 0o077 == 0
        return False

    monkeypatch.setattr(webbrowser, "open", look)
    answer = phimask("monitor", "--port", "0", "--open", "--json")
    assert answer.code == 0
    ((url, text),) = opened
    assert url.startswith("file:")
    assert "token" not in url
    assert answer.json["url"] in text
    assert "no browser could be opened" in answer.err
    assert not Path(urlsplit(url).path).exists()


def _certificate(folder: Path) -> None:
    """For this machine alone, and for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
