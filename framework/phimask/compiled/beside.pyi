from collections.abc import Callable
from typing import Any

class Place:
    def __init__(self, owner: Any, state: Any) -> None: ...

class SideBySide:
    def __init__(
        self,
        plan: Callable[[Any, bytes, bool], tuple[Any, ...]],
        may_be: Callable[[Any, int, bytes, int, bytes, bool], bool],
        masked: type,
    ) -> None: ...
    def is_clean(
        self, top: Place, before: bytes, after: bytes, masked: list[Any], untouched: list[bytes]
    ) -> bool: ...

def stretches(data: bytes, table: bytes, least: int) -> set[bytes]: ...
