"""What undoes a masker has in common: the key and the older ones, and a value's way out of what was sealed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from phimask import FAILED, Masker
from phimask_plugins.maskers.scalars import SCALARS
from phimask_plugins.maskers.sealing import unpacked


class Reversal(Masker):
    """Undoes a masker by the key that it was made under, the current or an older one."""

    produces = SCALARS
    needs_key = True
    takes_older_keys = True

    def __init__(
        self, options: Mapping[str, Any], key: bytes | None = None, older_keys: Sequence[bytes] = ()
    ) -> None:
        """`older_keys`: 32 bytes each, the newest first."""
        super().__init__(options, key)
        self._keys: Sequence[bytes] = (self.key, *older_keys) if self.key else ()

    def require_key(self) -> None:
        """Raises ValueError if there is no key to try."""
        if not self._keys:
            raise ValueError("this masker needs a masking key")


def first_opened(attempts: Iterable[bytes | None]) -> Any:
    """The value in the first attempt that opened; FAILED where none did, or what is in it is no value."""
    plain = next((one for one in attempts if one is not None), None)
    if plain is None:
        return FAILED
    try:
        return unpacked(plain)
    except ValueError:
        return FAILED
