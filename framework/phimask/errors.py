"""Every error that phimask raises on purpose, and the exit code that each stands for.

    PhimaskError                 1  failed
    |-- UsageError               2  bad usage or configuration; nothing was written
    |   |-- ConfigError          2  one or more faults in files, each with its place
    |   |-- PluginError          2  a plugin does not load, or two share a name
    |   |-- KeyMaterialError     2  the masking key is missing, short, malformed or not the one
    |   |-- PreflightError       2  the deployment or collection cannot be masked as asked
    |   `-- VaultError           2  the undo vault is missing, damaged, or sealed under another key
    |-- FindingsError            3  the run is done, but verification found something
    |-- SafeStop                 4  stopped at a batch's end; nothing is half written
    |-- Interrupted            130  Ctrl-C or its like; the batch in hand was finished or left out whole
    |-- MaskingError             1  a value that a masker could not take (never carries the value)
    `-- StoreError               1  MongoDB answered with a terminal error

No message holds a value of a document, a key or a credential. Nobody knows that of one that a plugin makes: then the
text is told to nobody, but the error's type and place are.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar

__all__ = [
    "ConfigError",
    "Fault",
    "FindingsError",
    "Interrupted",
    "KeyMaterialError",
    "MaskingError",
    "PhimaskError",
    "PluginError",
    "PreflightError",
    "SafeStop",
    "StoreError",
    "UsageError",
    "VaultError",
]


WITHHELD: Final = "(text withheld: it may hold values)"
_OWN: Final = ("phimask", "phimask_plugins")
_Kind = TypeVar("_Kind", bound="PhimaskError")


class PhimaskError(Exception):
    """The base of all; `exit_code` is what the process ends with.

    `foreign` is the place, `module:line`, where code made it that is not phimask's own, a plugin's say; None: phimask
    did. The text of a foreign one is withheld, whoever asks for it.
    """

    exit_code: ClassVar[int] = 1
    foreign: str | None = None

    def __new__(cls: type[_Kind], *given: Any, **named: Any) -> _Kind:
        """See where it is made."""
        error = super().__new__(cls, *given, **named)
        maker = sys._getframe(1)
        if not is_own(module := str(maker.f_globals.get("__name__"))):
            error.foreign = f"{module}:{maker.f_lineno}"
        return error

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if not is_own(cls.__module__):
            for name in ("__str__", "__repr__", "__reduce__"):
                setattr(cls, name, getattr(PhimaskError, name))

    def __str__(self) -> str:
        if self.foreign is None:
            return super().__str__()
        return f"{type(self).__name__} at {self.foreign} {WITHHELD}"

    def __repr__(self) -> str:
        return super().__repr__() if self.foreign is None else f"<{self}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Across processes: a kind's constructor takes other things than the message, so it is not called again.
        if self.foreign is not None:
            return _same_again, (type(self), (), {"foreign": self.foreign})
        return _same_again, (type(self), self.args, dict(self.__dict__))

    def alone(self) -> PhimaskError:
        """The error, without what it came from: that may hold values, and where tblib is at work, as with dask, it
        would be pickled, too."""
        self.__cause__ = self.__context__ = self.__traceback__ = None
        return self


def is_own(module: str) -> bool:
    """Whether a module of this name is phimask's."""
    return module.partition(".")[0] in _OWN


def _same_again(kind: type[PhimaskError], args: tuple[Any, ...], held: dict[str, Any]) -> PhimaskError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(held)
    return error


class UsageError(PhimaskError):
    """What was asked for cannot be done as asked; nothing was written."""

    exit_code = 2


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, where, and what would be right.

    `file` is a file's name or another source's (`--set`, an environment variable's name); `line`
    counts from 1, or is None where a source has no lines; `path` is a JSONPath such as `$.rules[3].masker`.
    """

    file: str
    line: int | None
    path: str
    wrong: str
    right: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.path}: {self.wrong}; {self.right}"


class ConfigError(UsageError):
    """All the faults found in the configuration, in the order of files and lines."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class PluginError(UsageError):
    """A plugin does not load, does not keep its interface, or claims a name that is taken."""


class KeyMaterialError(UsageError):
    """There is no masking key, what was given is none, or what was masked earlier was masked under another."""


class PreflightError(UsageError):
    """The deployment, the collection or its indexes stand in the way; each hazard is one message."""

    def __init__(self, hazards: Sequence[str]) -> None:
        self.hazards = tuple(hazards)
        super().__init__("\n".join(self.hazards))


class VaultError(UsageError):
    """The undo vault cannot be opened or read as it should; a rollback has written nothing."""


class FindingsError(PhimaskError):
    """The run is done; a validator found something."""

    exit_code = 3


class SafeStop(PhimaskError):
    """The run stopped itself between two batches (breaker, canary, memory); the message says why."""

    exit_code = 4


class Interrupted(PhimaskError):
    """A person or the system asked the run to end."""

    exit_code = 130


class MaskingError(PhimaskError):
    """A masker could not take a value. Says where and of which type, never the value.

    Raise it `from None`, so that no traceback carries the value either.
    """

    def __init__(self, path: str, bson_type: str) -> None:
        self.path = path
        self.bson_type = bson_type
        super().__init__(f"a {bson_type} at {path} could not be masked")


class StoreError(PhimaskError):
    """MongoDB refused for good; carries the server's code and code name, never its message's values."""
