from collections.abc import Callable, Iterable
from typing import Any

def known(
    masked: list[Any], seen: set[bytes], naming: dict[bytes, bool], is_naming: Callable[[bytes], bool]
) -> tuple[set[bytes], list[bytes], list[list[Any]]] | None: ...
def coinciding(
    runs: set[bytes],
    masked: list[Any],
    words_in: Callable[[bytes], Iterable[bytes]],
    words_of: Callable[[bytes], Iterable[bytes]],
) -> tuple[list[bytes], list[Any], bool] | None: ...
