from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

def set_bits(bits: bytearray, fingerprints: Iterable[bytes]) -> None: ...
def remember(
    masked: list[Any],
    judged: dict[Any, Any],
    judge: Callable[[list[Any]], None],
    within: Callable[[Any], tuple[Any, int]],
    blanks: dict[int, tuple[int, bytes]],
    blank: Callable[[int, bytes], tuple[int, bytes]],
    share: int,
    known: dict[bytes, int],
    conflicts: Counter[int],
) -> None: ...
