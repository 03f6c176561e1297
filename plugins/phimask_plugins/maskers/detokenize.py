"""detokenize: what tokenize replaced, back from the vault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.scalars import SCALARS
from phimask_plugins.maskers.sealing import RandomSeal, unpacked
from phimask_plugins.maskers.token_vault import OPTIONS, TokenVault
from phimask_plugins.maskers.tokenize import PURPOSE, finder


class Detokenize(Masker):
    """Undoes `tokenize`: looks tokens up in the vault, and puts the originals in place, types included.

    The key is tried first, then the older ones. A token that the vault does not know fails, as does one whose
    original none of the keys opens, or whose entry was changed. A column costs one round trip. Where the vault does
    not answer, values fail, and are handled as `on_error` says.

    Source: NIST SP 800-38D (AES-GCM).
    """

    name = "detokenize"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["uri"],
        "properties": OPTIONS,
    }
    types = frozenset({"string"})
    produces = SCALARS
    needs_key = True
    takes_older_keys = True
    default_domain = "tokenize"

    def __init__(
        self, options: Mapping[str, Any], key: bytes | None = None, older_keys: Sequence[bytes] = ()
    ) -> None:
        """`older_keys`: 32 bytes each, the newest first. Raises ValueError for a `uri` that is none."""
        super().__init__(options, key)
        self._vault = TokenVault(
            options["uri"], options.get("database", "phimask"), options.get("collection", "tokens")
        )
        keys = (self.key, *older_keys) if self.key else ()
        self._openers = [(finder(one), RandomSeal(one, PURPOSE)) for one in keys]

    def mask(self, column: Column) -> list[Any]:
        """Originals. Raises StoreError where the vault does not answer."""
        if not self._openers:
            raise ValueError("this masker needs a masking key")
        tokens = {
            value: value.encode("utf-8", "surrogatepass") for value in column.values if type(value) is str
        }
        finders = {value: [find(name) for find, _ in self._openers] for value, name in tokens.items()}
        sealed = self._vault.values({one for of_value in finders.values() for one in of_value})
        originals = {
            value: self._opened(name, [sealed.get(one) for one in finders[value]])
            for value, name in tokens.items()
        }
        return [originals.get(value, FAILED) for value in column.values]

    def _opened(self, name: bytes, found: Sequence[bytes | None]) -> Any:
        for (_, seal), sealed in zip(self._openers, found, strict=True):
            plain = None if sealed is None else seal.open(sealed, name)
            if plain is not None:
                try:
                    return unpacked(plain)
                except ValueError:
                    return FAILED
        return FAILED
