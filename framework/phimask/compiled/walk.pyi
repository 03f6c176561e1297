from collections.abc import Callable
from typing import Any

class Odd(Exception): ...

class Node:
    def __init__(
        self,
        state: Any,
        rule: int,
        values: list[Any] | None,
        places: list[Any] | None,
        subjects: list[bytes] | None,
        whose: int,
        opens: Callable[..., None] | None,
        *,
        keeps: bool,
        whole_documents: bool,
        whole_arrays: bool,
    ) -> None: ...

class Walk:
    def __init__(
        self,
        after: Callable[[Any], tuple[list[tuple[bytes, Node | None, bool]], Node | None]],
        decode: Callable[[int, bytes], Any],
        object_id: type,
        int64: type,
        kept: list[int],
    ) -> None: ...
    def gather(
        self,
        node: Node,
        raw: bytes,
        number: int,
        subjects: tuple[bytes, bytes],
        target: dict[Any, Any],
        *,
        by_path: bool,
        dotted: bool,
        in_array: bool = False,
        first: int = 0,
        prefix: bytes = b"",
    ) -> None: ...

def element_at(raw: bytes, keys: tuple[bytes, ...]) -> tuple[int, int, int] | None: ...
