"""Numbers out of a key and a text, by HMAC-SHA-256 (RFC 2104, FIPS 198-1).

Written out over SHA-256, since the key's part is worked out once and copied for each value (RFC 2104, section 4),
which Python's own object does in twice the time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

DIGEST_BITS: Final = 256

_NO_KEY: Final = "this masker needs a masking key"
_BLOCK_BYTES: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


class Draws:
    """A pool of pseudo-random bits that hands out numbers, one after the other.

    Numbers are uniform up to 2**-64 as long as 64 bits of the pool are left over.
    """

    __slots__ = ("_pool",)

    def __init__(self, pool: int) -> None:
        self._pool = pool

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        self._pool, number = divmod(self._pool, bound)
        return number

    def pick(self, choices: tuple[str, ...] | str) -> str:
        """One of the choices."""
        return choices[self.below(len(choices))]

    def text(self, length: int, alphabet: str) -> str:
        """`length` characters of an alphabet."""
        return "".join([self.pick(alphabet) for _ in range(length)])


class KeyedHash:
    """HMAC-SHA-256 under one key.

    Without a key it can be made, so that options can be tried, and raises ValueError once it is used: an
    unkeyed hash of an identifier is undone by trying all identifiers.
    """

    __slots__ = ("_inner", "_keyed", "_outer")

    def __init__(self, key: bytes) -> None:
        block = (key if len(key) <= _BLOCK_BYTES else hashlib.sha256(key).digest()).ljust(_BLOCK_BYTES, b"\0")
        self._keyed = bool(key)
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def digest(self, message: bytes) -> bytes:
        """32 bytes. Raises ValueError if there is no key."""
        if not self._keyed:
            raise ValueError(_NO_KEY)
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def digests(self, messages: Iterable[bytes]) -> list[bytes]:
        """One for each message, in half the time that they take one by one. Raises ValueError if there is no key."""
        if not self._keyed:
            raise ValueError(_NO_KEY)
        fresh_inner, fresh_outer = self._inner.copy, self._outer.copy
        found: list[bytes] = []
        add = found.append
        for message in messages:
            inner, outer = fresh_inner(), fresh_outer()
            inner.update(message)
            outer.update(inner.digest())
            add(outer.digest())
        return found

    def draws(self, label: str, text: str, attempt: int = 0, bits: int = DIGEST_BITS) -> Draws:
        """Bits for `text` under a label; each attempt has others. `bits` is how many are wanted at least."""
        # Label and numbers first, the text last: no two different requests make the same message.
        head = f"{label}\0{attempt}\0"
        tail = text.encode("utf-8", "surrogatepass")
        blocks = [self.digest(f"{head}{block}\0".encode() + tail) for block in range(-(-bits // DIGEST_BITS))]
        return Draws(int.from_bytes(b"".join(blocks), "big"))
