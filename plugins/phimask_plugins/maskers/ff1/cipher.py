"""FF1, a column at a time.

A round of FF1 asks for one AES-CBC-MAC per value. All values of one length share all of its blocks but the last one
or few, so those are worked out once, and the rest of a round is one call of AES for the whole column.

Source: NIST SP 800-38G, "Recommendation for Block Cipher Modes of Operation: Methods for Format-Preserving
Encryption" (2016), algorithms 7 and 8; its Revision 1 for the smallest domain.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

MAX_RADIX: Final = 2**16
SMALLEST_DOMAIN: Final = 100
"""radix**length below this is no FF1 at all (SP 800-38G, 5.1)."""
SAFE_DOMAIN: Final = 1_000_000
"""radix**length below this is open to message-recovery attacks (SP 800-38G Revision 1, 5.1)."""

_ROUNDS: Final = 10
_BLOCK: Final = 16
_HALF_BLOCK: Final = 8
_BLOCK_BITS: Final = 128
_LOW_64: Final = 2**64 - 1
_LOW_128: Final = 2**128 - 1


class FF1:
    """A permutation of the numbers below `radix ** length`, for each length, under a key and a tweak.

    A number stands for the string of its `length` numerals, the most significant first, leading zeros included.
    `key`: 16, 24 or 32 bytes, for AES; `radix`: 2 to 65,536; `tweak`: any bytes, not secret. Raises ValueError for
    others.
    """

    def __init__(self, key: bytes, radix: int, tweak: bytes = b"") -> None:
        if not 2 <= radix <= MAX_RADIX:
            raise ValueError(f"FF1 has no radix {radix}; it goes from 2 to {MAX_RADIX}")
        self._radix = radix
        self._tweak = bytes(tweak)
        # FF1 builds its own chaining out of single blocks; ECB is what a bare block cipher is called.
        self._aes = Cipher(AES(key), ECB()).encryptor()  # noqa: S305
        self._lengths: dict[int, _Length] = {}

    def encrypt(self, numbers: Sequence[int], length: int) -> list[int]:
        """FF1.Encrypt of each number, all of them below `radix ** length`.

        Raises ValueError for a length whose domain is too small for FF1.
        """
        form = self._form(length)
        split = [divmod(number, form.right) for number in numbers]
        left, right = [pair[0] for pair in split], [pair[1] for pair in split]
        for number in range(_ROUNDS):
            modulus = form.right if number % 2 else form.left
            pad = self._round(form, number, right)
            left, right = right, [(one + other) % modulus for one, other in zip(left, pad, strict=True)]
        return [one * form.right + other for one, other in zip(left, right, strict=True)]

    def decrypt(self, numbers: Sequence[int], length: int) -> list[int]:
        """FF1.Decrypt of each number: undoes `encrypt`. Raises ValueError as that does."""
        form = self._form(length)
        split = [divmod(number, form.right) for number in numbers]
        left, right = [pair[0] for pair in split], [pair[1] for pair in split]
        for number in reversed(range(_ROUNDS)):
            modulus = form.right if number % 2 else form.left
            pad = self._round(form, number, left)
            left, right = [(one - other) % modulus for one, other in zip(right, pad, strict=True)], left
        return [one * form.right + other for one, other in zip(left, right, strict=True)]

    def _form(self, length: int) -> _Length:
        if length not in self._lengths:
            # Two numerals at least, one for each half; a power is only worked out where it is small.
            if length < 2 or (length < 7 and self._radix**length < SMALLEST_DOMAIN):
                raise ValueError(f"FF1 needs a domain of {SMALLEST_DOMAIN} at least")
            self._lengths[length] = _Length(self._blocks, self._radix, length, self._tweak)
        return self._lengths[length]

    def _blocks(self, data: bytes) -> bytes:
        """AES of each block of 16 bytes by itself."""
        return self._aes.update(data)

    def _round(self, form: _Length, number: int, halves: Sequence[int]) -> Sequence[int]:
        """What a round adds to the other half of each value, by this half of it."""
        return self._narrow(form, number, halves) if form.narrow else self._wide(form, number, halves)

    def _narrow(self, form: _Length, number: int, halves: Sequence[int]) -> Sequence[int]:
        """Halves of up to 32 bits, as of 18 digits: all that varies and all that is wanted are 64-bit words."""
        base = form.base(number)
        low = base & _LOW_64
        words = [base >> 64] * (2 * len(halves))
        words[1::2] = [low ^ half for half in halves]
        packing = f">{len(words)}Q"
        return struct.unpack(packing, self._blocks(struct.pack(packing, *words)))[::2]

    def _wide(self, form: _Length, number: int, halves: Sequence[int]) -> Sequence[int]:
        base = form.base(number)
        states = [0] * len(halves)
        for shift in range((form.tail_blocks - 1) * _BLOCK_BITS, -1, -_BLOCK_BITS):
            states = self._numbers(
                [
                    (((base ^ half) >> shift) & _LOW_128) ^ state
                    for half, state in zip(halves, states, strict=True)
                ]
            )
        result = states
        for counter in range(1, form.pad_blocks):
            more = self._numbers([state ^ counter for state in states])
            result = [(one << _BLOCK_BITS) | other for one, other in zip(result, more, strict=True)]
        return [one >> form.surplus_bits for one in result]

    def _numbers(self, blocks: Sequence[int]) -> list[int]:
        done = self._blocks(b"".join([block.to_bytes(_BLOCK, "big") for block in blocks]))
        return [int.from_bytes(done[start : start + _BLOCK], "big") for start in range(0, len(done), _BLOCK)]


class _Length:
    """What FF1 works out once for all values of one length."""

    def __init__(self, encrypt: Callable[[bytes], bytes], radix: int, length: int, tweak: bytes) -> None:
        short = length // 2
        long = length - short
        self.left: int = radix**short
        self.right: int = radix**long
        half_bytes: int = -(-(self.right - 1).bit_length() // 8)  # b
        pad_bytes = 4 * -(-half_bytes // 4) + 4  # d
        self._round_shift = 8 * half_bytes
        self.tail_blocks = -(-(half_bytes + 1) // _BLOCK)
        self.pad_blocks = -(-pad_bytes // _BLOCK)
        self.surplus_bits = 8 * (self.pad_blocks * _BLOCK - pad_bytes)
        self.narrow = pad_bytes == _HALF_BLOCK
        head = struct.pack(
            ">3s3sBBII", b"\1\2\1", radix.to_bytes(3, "big"), _ROUNDS, short % 256, length, len(tweak)
        )  # P
        padding = (-len(tweak) - half_bytes - 1) % _BLOCK
        fixed = tweak + bytes(padding + 1 + half_bytes)  # Q, but for the round and the half
        cut = len(fixed) - self.tail_blocks * _BLOCK
        state = bytes(_BLOCK)
        for start in range(0, _BLOCK + cut, _BLOCK):
            block = (head + fixed)[start : start + _BLOCK]
            state = encrypt(bytes(one ^ other for one, other in zip(state, block, strict=True)))
        tail = int.from_bytes(fixed[cut:], "big")
        self._base: int = tail ^ (int.from_bytes(state, "big") << (self.tail_blocks - 1) * _BLOCK_BITS)

    def base(self, number: int) -> int:
        """The blocks that still go through AES in a round, before a value's half is put in."""
        return self._base ^ (number << self._round_shift)
