"""Connection strings: is a credential written out in one? Nothing here ever shows one."""

from __future__ import annotations

import re
from typing import Final

_REFERENCE: Final = "\0"
_SECRET_OPTIONS: Final = ("tlscertificatekeyfilepassword", "sslpemfilepassword", "proxypassword")


def holds_credential(uri: str, reference: str = _REFERENCE) -> bool:
    """Whether a password, token or passphrase stands in the text itself.

    `reference` is the character that stands for what comes from an environment variable. A password ends at the
    last @ of all, whatever is in it: one whose own @, / or ? is not escaped must not pass for hosts and options.
    """
    rest = uri.partition("://")[2] or uri
    before_the_last_at = rest[: max(rest.rfind("@"), 0)]
    if before_the_last_at.partition(":")[2].replace(reference, ""):
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
