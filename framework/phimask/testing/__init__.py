"""The conformance kit: what a plugin author's own tests call, so that a component keeps what the engine needs.

    from phimask.testing import check_masker

    def test_conforms():
        check_masker(Initials, examples=["Ada Lovelace"])

Each function raises AssertionError, which names the class and what it broke; what a component itself raises where it
may not comes out as it is, or as the cause. All values are made up and the same in every run; nothing is needed but
phimask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from phimask.plugins.class_check import KINDS, kind_of
from phimask.plugins.interfaces import Component
from phimask.testing.maskers import check_masker
from phimask.testing.partitioning import check_partitioner
from phimask.testing.serving import check_server_expression
from phimask.testing.steering import check_batch_sizer, check_executor, check_memory_governor
from phimask.testing.validating import check_validator
from phimask.testing.watching import check_detector, check_observer

__all__ = [
    "check",
    "check_batch_sizer",
    "check_detector",
    "check_executor",
    "check_masker",
    "check_memory_governor",
    "check_observer",
    "check_partitioner",
    "check_server_expression",
    "check_validator",
]

_CHECKS: Final[Mapping[str, Callable[..., None]]] = MappingProxyType(
    {
        "partitioner": check_partitioner,
        "batch_sizer": check_batch_sizer,
        "masker": check_masker,
        "memory_governor": check_memory_governor,
        "validator": check_validator,
        "executor": check_executor,
        "detector": check_detector,
        "observer": check_observer,
    }
)


def check(cls: type[Component], options: Mapping[str, Any] | None = None) -> None:
    """The check of the class's own kind. `options` are written as in a profile or a rule.

    Raises AssertionError as that check does, and for a class of no kind.
    """
    kind = kind_of(cls)
    if kind is None:
        known = ", ".join(interface.interface.__name__ for interface in KINDS.values())
        raise AssertionError(f"{cls.__qualname__} is of no kind; subclass one of {known}")
    _CHECKS[kind](cls, options)
