"""decrypt: what encrypt made, back as it was."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from phimask import FAILED, Column
from phimask_plugins.maskers.encrypt import PURPOSE, SEALS, header
from phimask_plugins.maskers.reversal import Reversal, first_opened

_HEADERS: Final = {header(mode): mode for mode in SEALS}
_HEADER_BYTES: Final = len(header("siv"))


class Decrypt(Reversal):
    """Undoes `encrypt`, whichever its mode and output: each value comes back with its own type.

    The key is tried first, then the older ones. A value that none of them opens fails, as does one that was
    changed, or that `encrypt` did not make.

    Source: RFC 5297; NIST SP 800-38D (2007).
    """

    name = "decrypt"
    types = frozenset({"string", "binData"})
    default_domain = "encrypt"

    def __init__(
        self, options: Mapping[str, Any], key: bytes | None = None, older_keys: Sequence[bytes] = ()
    ) -> None:
        """`older_keys`: 32 bytes each, the newest first."""
        super().__init__(options, key, older_keys)
        self._seals = {
            head: [SEALS[mode](one, PURPOSE) for one in self._keys] for head, mode in _HEADERS.items()
        }

    def mask(self, column: Column) -> list[Any]:
        """Originals."""
        self.require_key()
        return [self._opened(value) for value in column.values]

    def _opened(self, value: Any) -> Any:
        data = _raw(value) if isinstance(value, str) else value
        if not isinstance(data, bytes):
            return FAILED
        head = data[:_HEADER_BYTES]
        return first_opened(seal.open(data[_HEADER_BYTES:], head) for seal in self._seals.get(head, ()))


def _raw(text: str) -> bytes | None:
    """The bytes that a sealed text spells, or None."""
    if not text.isascii():
        return None
    body = text[_HEADER_BYTES:]
    try:
        sealed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    # The last character may have bits to spare: only the spelling that `encrypt` writes is taken.
    if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != body:
        return None
    return text[:_HEADER_BYTES].encode() + sealed
