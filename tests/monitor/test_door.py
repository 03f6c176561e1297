"""Who is let in, what from, and what each answer forbids a browser to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from page_site import Site

from phimask.config.model import Secret
from phimask.errors import UsageError
from phimask.ledger.runs import Runs
from phimask.monitor.door import Door, token_from
from simulated_ledger import NAMESPACE, SimulatedRun


def told(run: SimulatedRun) -> str:
    found = Runs(run.ledger).find(run.run)
    assert found is not None
    return found.command


@pytest.mark.parametrize("token", ["", "wrong", "a-token-that-no-one-guesse", "ü" * 30, "x" * 5000])
def test_a_wrong_token_shows_nothing(unchanged_site: Site, unchanged_run: SimulatedRun, token: str) -> None:
    refused = unchanged_site.ask("POST", "/session", token.encode(), Origin=unchanged_site.origin)
    assert refused.status == 401
    assert "set-cookie" not in refused.headers
    for cookie in (
        "",
        f"phimask_monitor_{unchanged_site.port}=",
        f"phimask_monitor_{unchanged_site.port}={token[:40].encode()!r}",
    ):
        unchanged_site.cookie = cookie
        for path in (
            "/",
            "/?run=x",
            "/page/main.js",
            "/page/index.html",
            "/events",
            f"/events?run={unchanged_run.run}",
        ):
            answer = unchanged_site.ask("GET", path)
            assert answer.status == 401, path
            assert unchanged_run.run not in answer.body
            assert NAMESPACE not in answer.body
            assert "EventSource" not in answer.body


def test_the_token_becomes_a_cookie_that_only_this_site_gets(unchanged_site: Site) -> None:
    answer = unchanged_site.ask(
        "POST", "/session", "a-token-that-no-one-guesses\n", Origin=unchanged_site.origin
    )
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "a-token-that-no-one-guesses" not in cookie
    unchanged_site.cookie = cookie.partition(";")[0]
    assert unchanged_site.ask("GET", "/").status == 200
    assert unchanged_site.ask("GET", "/page/main.js").status == 200


def test_the_cookie_outlives_a_monitor_but_no_change_of_token() -> None:
    token, other = Secret("0123456789abcdef0123"), Secret("0123456789abcdef0124")
    cookies = {
        Door(one, 8766, tls=False, names=None).cookie().partition(";")[0] for one in (token, token, other)
    }
    assert len(cookies) == 2
    name, _, value = Door(token, 8766, tls=False, names=None).cookie().partition(";")[0].partition("=")
    assert Door(token, 8766, tls=False, names=None).knows({name: value})
    assert not Door(other, 8766, tls=False, names=None).knows({name: value})
    assert not Door(token, 8767, tls=False, names=None).knows({name: value})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1.elsewhere.example:PORT"},
    ],
)
def test_another_sites_page_orders_nothing(
    unchanged_site: Site, unchanged_run: SimulatedRun, headers: dict[str, str]
) -> None:
    unchanged_site.sign_in()
    sent = {name: value.replace("PORT", str(unchanged_site.port)) for name, value in headers.items()}
    assert unchanged_site.ask("POST", f"/runs/{unchanged_run.run}/stop", **sent).status == 403
    assert unchanged_site.ask("POST", "/session", "a-token-that-no-one-guesses", **sent).status == 403
    assert told(unchanged_run) == "run"


def test_nobody_orders_without_the_cookie(unchanged_site: Site, unchanged_run: SimulatedRun) -> None:
    assert (
        unchanged_site.ask("POST", f"/runs/{unchanged_run.run}/stop", Origin=unchanged_site.origin).status
        == 401
    )
    assert told(unchanged_run) == "run"


def test_a_name_that_was_made_to_point_here_is_not_answered(
    unchanged_site: Site, unchanged_run: SimulatedRun, serving: Callable[..., Site]
) -> None:
    unchanged_site.sign_in()
    named = f"elsewhere.example:{unchanged_site.port}"
    assert unchanged_site.ask("GET", "/", Host=named).status == 421
    assert unchanged_site.ask("POST", "/session", "x", Host=named, Origin=f"http://{named}").status == 421
    assert unchanged_site.ask("GET", "/", Host=f"localhost:{unchanged_site.port}").status == 200
    other = serving(unchanged_run.ledger, host="0.0.0.0").sign_in()
    proxied = {"Host": "masking.hospital.example", "Origin": "https://masking.hospital.example"}
    assert other.ask("GET", "/", **proxied).status == 200
    assert other.ask("POST", "/runs/none/pause", **proxied).status == 409


@pytest.mark.parametrize("path", ["/", "/signin", "/page/style.css", "/page/none.js", "/events", "/none"])
def test_every_answer_says_what_it_may_not(unchanged_site: Site, path: str) -> None:
    headers = unchanged_site.ask("GET", path).headers
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(
        policy
    )
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


@pytest.mark.parametrize(
    "name", ["..%2fweb.py", "..", "%2e%2e%2fdoor.py", "web.py", "main.js%00", "../web.py"]
)
def test_no_other_file_is_sent(unchanged_site: Site, name: str) -> None:
    answer = unchanged_site.sign_in().ask("GET", f"/page/{name}")
    assert answer.status in (400, 404)
    assert "import" not in answer.body


def test_the_page_loads_nothing_from_elsewhere() -> None:
    page = Path(__file__).resolve().parents[2] / "framework" / "phimask" / "monitor" / "page"
    files = [one for one in page.iterdir() if one.suffix in (".html", ".css", ".js", ".svg")]
    assert len(files) > 10
    for one in files:
        text = one.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        for word in ("http:", "https:", "//cdn", "innerHTML", "style=", "onclick", "eval("):
            assert word not in text, f"{one.name}: {word}"


def test_a_token_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("0123456789abcdef0123\n", encoding="utf-8")
    file.chmod(0o600)
    assert token_from(file).reveal() == "0123456789abcdef0123"
    for text in ("", "short", "x" * 600, "two words that are long enough", "ümlaut-in-a-long-token"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match="holds no token") as caught:
            token_from(file)
        assert not text or text not in str(caught.value)
    file.write_bytes(b"\xff" * 30)
    with pytest.raises(UsageError, match="holds no token"):
        token_from(file)
    with pytest.raises(UsageError, match="cannot be read"):
        token_from(tmp_path / "none")
    if os.name == "posix":
        file.chmod(0o644)
        with pytest.raises(UsageError, match="open to other users"):
            token_from(file)
