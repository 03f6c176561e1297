from collections.abc import Callable, Iterable
from typing import Any

class Patcher:
    def __init__(
        self, encode: Callable[[Any], tuple[int, bytes]], remove: Any, int64: type, object_id: type
    ) -> None: ...
    def patched(self, raw: bytes, edits: dict[int, Any]) -> bytes: ...

def put(places: list[Any], values: Iterable[Any]) -> None: ...
