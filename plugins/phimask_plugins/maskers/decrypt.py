"""decrypt: what encrypt made, back as it was."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from phimask import FAILED, Column, KeyMaterialError
from phimask_plugins.maskers.encrypt import PURPOSE, SEALS, header
from phimask_plugins.maskers.reversal import Reversal, first_opened

_HEADERS: Final = {header(mode): mode for mode in SEALS}
_HEADER_BYTES: Final = len(header("siv"))


class Decrypt(Reversal):
    """Undoes `encrypt`, whichever its mode and output: each value comes back with its own type.

    The key is tried first, then the older ones. A value that none of them opens fails, as does one that was
    changed, or that `encrypt` did not make. Where the first that `encrypt` made do not open, not one of a batch, the
    key is not the one: the run ends, and nothing of that batch is written.

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
        self._fits = False

    def mask(self, column: Column) -> list[Any]:
        """Originals. Raises KeyMaterialError where none of the first sealed values opens."""
        self.require_key()
        sealed = [_raw(value) if isinstance(value, str) else value for value in column.values]
        results = [self._opened(data) for data in sealed]
        if not self._fits:
            self._fits = any(result is not FAILED for result in results)
            if not self._fits and any(_is_sealed(data) for data in sealed):
                raise KeyMaterialError(
                    f"what is encrypted at {column.path} opens under none of the keys; set the key it was encrypted "
                    "under, or list it after the new one (`key: [NEW, OLD]`), and name the `domain` of that time"
                )
        return results

    def _opened(self, data: Any) -> Any:
        if not isinstance(data, bytes):
            return FAILED
        head = data[:_HEADER_BYTES]
        return first_opened(seal.open(data[_HEADER_BYTES:], head) for seal in self._seals.get(head, ()))


def _is_sealed(data: Any) -> bool:
    return isinstance(data, bytes) and data[:_HEADER_BYTES] in _HEADERS


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
