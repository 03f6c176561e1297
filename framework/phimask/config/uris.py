"""Connection strings: is a credential written out in one? Nothing here ever shows one."""

from __future__ import annotations

import re
from typing import Final

_REFERENCE: Final = "\0"
_SECRET_OPTIONS: Final = ("tlscertificatekeyfilepassword", "sslpemfilepassword", "proxypassword")
_HOST: Final = r"(?:[^:@,/?]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?"
_HOSTS = re.compile(rf"{_HOST}(?:,{_HOST})*")


def holds_credential(uri: str, reference: str = _REFERENCE) -> bool:
    """Whether a password, token or passphrase stands in the text itself.

    `reference` is the character that stands for what comes from an environment variable. In doubt, as with a
    password whose own @ or / is not escaped, the answer is yes.
    """
    rest = uri.partition("://")[2] or uri
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    if "@" in authority:
        # up to the last @ of all: the rest of an unescaped password must not pass for a path
        password = rest[: rest.rindex("@")].partition(":")[2]
        if password.replace(reference, ""):
            return True
    elif "@" in rest and _HOSTS.fullmatch(authority.replace(reference, "")) is None:
        return True
    return _query_holds_one(rest.partition("?")[2], reference)


def _query_holds_one(query: str, reference: str) -> bool:
    for option in re.split(r"[&;]", query):
        name, _, value = option.partition("=")
        value = value.replace(reference, "")
        if name.lower() in _SECRET_OPTIONS and value:
            return True
        if (
            name.lower() == "authmechanismproperties"
            and "token:" in value.lower()
            and not value.endswith(":")
        ):
            return True
    return False
