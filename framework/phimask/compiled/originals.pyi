from collections.abc import Callable, Sequence
from typing import Any

class Begun:
    def __init__(self, key: bytes, person: bytes) -> None: ...
    def beginning(self, data: bytes, seed: int) -> Begun: ...
    def of(self, data: bytes) -> bytes: ...

def note(
    masked: Sequence[Any],
    judged: dict[Any, Any],
    within: Callable[[bytes, Any], Begun],
    before: bytes,
    known: dict[bytes, int],
    share: int,
    blanks: frozenset[bytes],
    blank: Callable[[int, bytes], tuple[int, bytes]],
) -> list[int]: ...
