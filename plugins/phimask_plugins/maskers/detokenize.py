"""detokenize: what tokenize replaced, back from the vault."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from phimask import FAILED, Column
from phimask_plugins.maskers.reversal import Reversal, first_opened
from phimask_plugins.maskers.sealing import RandomSeal
from phimask_plugins.maskers.token_vault import OPTIONS, TokenVault
from phimask_plugins.maskers.tokenize import PURPOSE, finder


class Detokenize(Reversal):
    """Undoes `tokenize`: looks tokens up in the vault, and puts the originals in place, types included.

    The key is tried first, then the older ones. A token that the vault does not know fails, as does one whose
    original none of the keys opens, or whose entry was changed. A column costs one round trip. Where the vault does
    not answer, the run ends. An empty vault, and one that was written under no key of the configuration, are refused
    before anything is written.

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
    long_columns = True
    default_domain = "tokenize"

    def __init__(
        self, options: Mapping[str, Any], key: bytes | None = None, older_keys: Sequence[bytes] = ()
    ) -> None:
        """`older_keys`: 32 bytes each, the newest first. Raises ValueError for a `uri` that is none."""
        super().__init__(options, key, older_keys)
        self._vault = TokenVault(options)
        self._openers = [(finder(one), RandomSeal(one, PURPOSE)) for one in self._keys]

    def before(self) -> Iterable[str]:
        """A vault that does not answer, is empty, or was written under no key of these."""
        return self._vault.hazards(self._keys, reads=True) if self._keys else ()

    def mask(self, column: Column) -> list[Any]:
        """Originals. Raises StoreError where the vault does not answer."""
        self.require_key()
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
        return first_opened(
            None if sealed is None else seal.open(sealed, name)
            for (_, seal), sealed in zip(self._openers, found, strict=True)
        )
