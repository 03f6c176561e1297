"""Who may see the page: whoever has the token, from a page of this very server.

The token comes in once, in a request's body, and is exchanged for a cookie that no script can read and no other site
sends along; so it stands in no address that is sent, logged or kept in a history.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from phimask.config.model import Secret
from phimask.errors import UsageError

_SHORTEST: Final = 20
_LONGEST: Final = 512
"""Characters of a token."""
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


def new_token() -> Secret:
    """256 random bits."""
    return Secret(secrets.token_urlsafe(32))


def token_from(path: Path) -> Secret:
    """The token that a file holds. Raises UsageError where it cannot be read, is short, or others may read it."""
    try:
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise UsageError(
                    f"the token file {path} is open to other users of this machine; run `chmod 600 {path}`"
                )
            text = file.read(_LONGEST + 3).decode("utf-8-sig").strip()
    except OSError as error:
        raise UsageError(f"the token file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        text = ""
    if not _SHORTEST <= len(text) <= _LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError(
            f"the token file {path} holds no token: {_SHORTEST} to {_LONGEST} letters, digits and signs on one line "
            "are one, such as `openssl rand -hex 32` prints"
        )
    return Secret(text)


class Door:
    """Compares tokens, cookies and origins. `names` are those by which this machine may be called, None: any, as where
    other machines have names of their own for it."""

    def __init__(self, token: Secret, port: int, *, tls: bool, names: Iterable[str] | None) -> None:
        self._token = token
        # Of the token, so that pages find back by themselves when the monitor is begun anew with it.
        digest = hmac.new(token.reveal().encode(), b"phimask monitor session", "sha256").hexdigest()
        self._session = Secret(digest)
        self._tls = tls
        self._hosts = (
            None
            if names is None
            else {f"{f'[{name}]' if ':' in name else name}:{port}".lower() for name in names}
        )
        # Cookies know no ports: two monitors on one machine must not overwrite each other's.
        self._cookie = f"phimask_monitor_{port}"

    def accepts(self, token: str) -> bool:
        """Whether it is the token."""
        return hmac.compare_digest(token.encode(), self._token.reveal().encode())

    def cookie(self) -> str:
        """The Set-Cookie header for who had the token. It lasts until the browser is closed."""
        secure = "; Secure" if self._tls else ""
        return f"{self._cookie}={self._session.reveal()}; Path=/; HttpOnly; SameSite=Strict{secure}"

    def knows(self, cookies: Mapping[str, str]) -> bool:
        """Whether the cookie is one that was given out."""
        return hmac.compare_digest(cookies.get(self._cookie, "").encode(), self._session.reveal().encode())

    def is_addressed(self, host: str) -> bool:
        """Whether a request means this server, and not a name that somebody else has point here."""
        return self._hosts is None or host.lower() in self._hosts

    def is_own(self, origin: str | None, host: str) -> bool:
        """Whether a request comes from a page of this server, be it through a proxy that encrypts."""
        return bool(origin) and urlsplit(origin).netloc.lower() == host.lower()
