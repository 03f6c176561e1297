"""How complex a document is: its fields, depth and array elements, and the class that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

ComplexityClass = Literal["simple", "medium", "complex"]
CLASSES: tuple[ComplexityClass, ...] = ("simple", "medium", "complex")


@dataclass(slots=True)
class Shape:
    """Counts over a whole document: keys at every level, levels (1 for a flat document), array elements."""

    fields: int = 0
    depth: int = 0
    elements: int = 0

    def complexity(self) -> ComplexityClass:
        """simple: under 50 fields, depth under 3, under 100 elements; medium: to 200, 5, 500; else complex."""
        if self.fields < 50 and self.depth < 3 and self.elements < 100:
            return "simple"
        if self.fields <= 200 and self.depth <= 5 and self.elements <= 500:
            return "medium"
        return "complex"


def shape(document: dict[str, Any]) -> Shape:
    """The shape of a decoded document."""
    found = Shape()
    todo: list[tuple[Any, int]] = [(document, 1)]
    while todo:
        value, depth = todo.pop()
        if isinstance(value, dict):
            found.fields += len(value)
            found.depth = max(found.depth, depth)
            todo.extend((child, depth + 1) for child in value.values() if isinstance(child, dict | list))
        else:
            found.elements += len(value)
            # An array's elements stand at the array's own depth: indices are no level of a path.
            todo.extend((child, depth) for child in value if isinstance(child, dict | list))
    return found
