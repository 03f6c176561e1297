"""A masker on trial: made as a run makes it, called as the engine calls it, its every message looked at."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from phimask.config.components import complete_options
from phimask.plugins.class_check import constructor_arguments
from phimask.plugins.interfaces import Detector, Masker
from phimask.plugins.loading import load_registry
from phimask.plugins.registry import KEY_OPTIONS
from phimask.plugins.values import FAILED, Column, MaskedField
from phimask.testing import samples
from phimask.testing.making import make, require
from phimask.testing.samples import fingerprint

KEY: Final = bytes(range(32))
OTHER_KEY: Final = bytes(range(32, 64))

_PATH: Final = "Patient.Field"
_SIBLINGS: Final = (MaskedField("Patient.LastName", "Patient.LastName", "Lovelace", "Byron"),)


@functools.cache
def _detectors() -> tuple[Detector, ...]:
    """One of each that is installed and looks without being named."""
    return load_registry().usual_detectors()


def _make_inner(name: str, options: Mapping[str, Any]) -> Masker:
    """A masker within a masker, of those that are installed, as a run would make it."""
    registry = load_registry()
    cls = registry.masker(name)
    given = {"key": KEY, "older_keys": (), "detectors": _detectors(), "make": _make_inner}
    complete = complete_options("masker", name, options, registry)
    own = {key: value for key, value in complete.items() if key not in KEY_OPTIONS or not cls.needs_key}
    return registry.create("masker", name, own, **{one: given[one] for one in constructor_arguments(cls)})


class Trial:
    """One class with its options, called as the engine calls it."""

    def __init__(self, cls: type[Masker], options: Mapping[str, Any] | None) -> None:
        self.cls = cls
        self.options = options
        self.masker = self.another()

    def another(self, key: bytes = KEY) -> Masker:
        """A new instance with the same options."""
        given = {"key": key, "older_keys": (), "detectors": _detectors(), "make": _make_inner}
        return make(self.cls, self.options, **{name: given[name] for name in constructor_arguments(self.cls)})

    def of_types(self, values: Mapping[str, Sequence[Any]]) -> list[Any]:
        """Those of the values, which are by BSON type, that it takes."""
        return [value for alias in sorted(self.masker.types) for value in values.get(alias, ())]

    def mask(
        self, values: Sequence[Any], masker: Masker | None = None, subjects: Sequence[bytes] | None = None
    ) -> list[Any]:
        """The masks, each value that raises as FAILED; a column that raises is masked value by value."""
        masker = masker or self.masker
        if subjects is None:
            subjects = [b"subject-%d" % (len(repr(value)) % 5) for value in values]
        if not masker.needs_subject:
            subjects = []
        try:
            return self._call(masker, values, subjects)
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001  (a masker may raise anything; the engine does the same)
            self._check_message(error)
        require(bool(values), self.cls, "an empty column makes mask() raise; it gives an empty result")
        if len(values) == 1:
            return [FAILED]
        return [
            self.mask([value], masker, subjects[position : position + 1] if subjects else None)[0]
            for position, value in enumerate(values)
        ]

    def _call(self, masker: Masker, values: Sequence[Any], subjects: Sequence[bytes]) -> list[Any]:
        column = Column(_PATH, list(values), list(subjects))
        if masker.needs_siblings:
            column.siblings = [_SIBLINGS] * len(values)
            column.places = [_PATH] * len(values)
        before = [fingerprint(value) for value in values]
        masked = masker.mask(column)
        require(
            isinstance(masked, Sequence) and not isinstance(masked, str | bytes),
            self.cls,
            f"mask() gives a {type(masked).__name__}; return a list",
        )
        require(
            len(masked) == len(values),
            self.cls,
            f"mask() gives {len(masked)} values for {len(values)}; one for each",
        )
        require(
            [fingerprint(value) for value in column.values] == before
            and list(column.subjects) == list(subjects)
            and column.path == _PATH,
            self.cls,
            "mask() changes the column it is given; build a new list (and new dicts)",
        )
        return list(masked)

    def _check_message(self, error: BaseException) -> None:
        told = "\n".join(_messages(error))
        every = [canary for canaries in samples.CANARIES.values() for canary in canaries]
        leaked = next((trace for canary in every for trace in canary.traces if trace in told), None)
        require(
            leaked is None,
            self.cls,
            f"the message of its {type(error).__name__} tells the value (it holds {leaked!r}); answer FAILED for a "
            "value that cannot be masked, or raise phimask.MaskingError from None",
        )


def _messages(error: BaseException | None) -> Iterator[str]:
    """All the texts that a traceback of this error would show, and the raw arguments."""
    while error is not None:
        yield str(error)
        yield repr(error.args)
        yield from getattr(error, "__notes__", ())
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
