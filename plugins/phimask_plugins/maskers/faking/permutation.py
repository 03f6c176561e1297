"""A keyed permutation of the numbers below any bound, none of which stays where it is.

Source: J. Black and P. Rogaway, "Ciphers with Arbitrary Finite Domains" (CT-RSA 2002), sections 4 and 5: a Feistel
network over two number systems that are about equally large, walked on until the result is below the bound.
"""

from __future__ import annotations

import math

from phimask_plugins.maskers.keyed import DIGEST_BITS, KeyedHash

_ROUNDS = 10
_SPARE_BITS = 64


def moved(keyed: KeyedHash, label: str, number: int, bound: int) -> int | None:
    """The number's place under the key and label: below `bound`, never `number`, each place taken once.

    The permuted numbers are moved on by one between a permutation and its inverse: what comes of that is one
    cycle through all of them, so that none can stay. None for a bound of 1, where there is no other.
    """
    if bound < 2:
        return None
    left = math.isqrt(bound - 1) + 1
    right = -(-bound // left)
    parts = left, right
    following = (_walked(keyed, label, number, bound, parts, range(_ROUNDS)) + 1) % bound
    return _walked(keyed, label, following, bound, parts, range(_ROUNDS - 1, -1, -1))


def _walked(
    keyed: KeyedHash, label: str, number: int, bound: int, parts: tuple[int, int], rounds: range
) -> int:
    number = _permuted(keyed, label, number, parts, rounds)
    while number >= bound:
        number = _permuted(keyed, label, number, parts, rounds)
    return number


def _permuted(keyed: KeyedHash, label: str, number: int, parts: tuple[int, int], rounds: range) -> int:
    """Every round adds to one half what the key makes of the other; backwards, it takes it away."""
    sign = 1 if rounds.step > 0 else -1
    halves = list(divmod(number, parts[1]))
    for turn in rounds:
        changing = turn % 2
        size = parts[changing]
        bits = max(DIGEST_BITS, size.bit_length() + _SPARE_BITS)
        mixed = keyed.draws(f"{label}/{parts[0]}x{parts[1]}", str(halves[1 - changing]), turn, bits)
        halves[changing] = (halves[changing] + sign * mixed.below(size)) % size
    return halves[0] * parts[1] + halves[1]
