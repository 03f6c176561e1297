"""What a component class must be before anything asks it: checked once, when the registry is built."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, get_args

from phimask.plugins.interfaces import (
    NO_OPTIONS,
    BatchSizer,
    Detector,
    Executor,
    Masker,
    MemoryGovernor,
    Observer,
    Partitioner,
    Validator,
)
from phimask.plugins.schema_glance import plainly_right
from phimask.plugins.values import Changes, Phase, Uniqueness


class Kind(NamedTuple):
    """A kind of component: the class to subclass, the hook that registers, and what a constructor is given
    beside the options."""

    interface: type[Any]
    hook: str
    given: tuple[str, ...] = ()


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "partitioner": Kind(Partitioner, "phimask_register_partitioners"),
        "batch_sizer": Kind(BatchSizer, "phimask_register_batch_sizers"),
        "masker": Kind(Masker, "phimask_register_maskers"),
        "memory_governor": Kind(MemoryGovernor, "phimask_register_memory_governors"),
        "validator": Kind(Validator, "phimask_register_validators", ("rules",)),
        "executor": Kind(Executor, "phimask_register_executors"),
        "detector": Kind(Detector, "phimask_register_detectors"),
        "observer": Kind(Observer, "phimask_register_observers"),
    }
)

NAME: Final = re.compile(r"[a-z][a-z0-9_]*")

BSON_ALIASES: Final = frozenset(
    {
        "array",
        "binData",
        "bool",
        "date",
        "dbPointer",
        "decimal",
        "double",
        "int",
        "javascript",
        "javascriptWithScope",
        "long",
        "maxKey",
        "minKey",
        "null",
        "object",
        "objectId",
        "regex",
        "string",
        "symbol",
        "timestamp",
        "undefined",
    }
)
"""Source: the aliases of MongoDB's `$type` operator; `number` stands for four of them and is none."""


def kind_of(cls: type[Any]) -> str | None:
    """The kind that `cls` belongs to by its base class, or None."""
    return next((name for name, kind in KINDS.items() if issubclass(cls, kind.interface)), None)


def plain(value: Any) -> Any:
    """The same value with every mapping a dict and every sequence a list, as JSON Schema's checks want it."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def faults(kind: str, cls: Any) -> Iterator[str]:
    """What keeps `cls` from being a component of `kind`, each as `what is wrong; what would be right`."""
    interface, _, given = KINDS[kind]
    if not inspect.isclass(cls):
        yield f"it is no class; the hook returns classes, each a subclass of phimask.{interface.__name__}"
        return
    if not issubclass(cls, interface):
        other = kind_of(cls)
        yield f"it is no {kind}; " + (
            f"register it with {KINDS[other].hook}" if other else f"subclass phimask.{interface.__name__}"
        )
        return
    yield from _name_faults(cls)
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        yield f"it is abstract; define {', '.join(missing)}"
    asked = constructor_arguments(cls) if issubclass(cls, Masker | Validator) else ()
    yield from _constructor_faults(cls, (*given, *asked))
    yield from _schema_faults(cls)
    if issubclass(cls, Masker):
        yield from _masker_faults(cls)
    elif issubclass(cls, Validator):
        yield from _phase_faults(cls)


def constructor_arguments(cls: type[Masker | Validator]) -> tuple[str, ...]:
    """What the constructor of a masker or a validator is given because its class asks for it."""
    asked = {"key": cls.needs_key, "detectors": cls.needs_detectors}
    if issubclass(cls, Masker):
        asked |= {"older_keys": cls.takes_older_keys, "make": cls.needs_make}
    return tuple(name for name, wanted in asked.items() if wanted)


def _name_faults(cls: type[Any]) -> Iterator[str]:
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        said = "it has no name" if name is None else f"its name is {name!r}"
        yield f"{said}; set `name` to lower case letters, digits and underscores, a letter first"


def _constructor_faults(cls: type[Any], given: tuple[str, ...]) -> Iterator[str]:
    try:
        inspect.signature(cls).bind({}, **dict.fromkeys(given))
    except TypeError:
        wanted = ", ".join(("self", "options", *(f"{name}=..." for name in given)))
        yield f"its constructor cannot be called as the interface's; write __init__({wanted})"


def _schema_faults(cls: type[Any]) -> Iterator[str]:
    schema = plain(getattr(cls, "options_schema", None))
    if schema == plain(NO_OPTIONS):
        return
    if not isinstance(schema, dict) or schema.get("type") != "object":
        yield "its options_schema is no schema of an object; start it with {'type': 'object', ...}"
        return
    if plainly_right(schema):
        return
    written = repr(schema)
    if written not in _WRONG_AT:
        _WRONG_AT[written] = _wrong_at(schema)
    if (path := _WRONG_AT[written]) is not None:
        yield f"its options_schema is no JSON Schema at {path}; see draft 2020-12 for what may be"


_WRONG_AT: Final[dict[str, str | None]] = {}
"""Where each schema that was checked is none: a process that loads plugins again has the same ones again, and they take
longer to check than the plugins to load."""


def _wrong_at(schema: dict[str, Any]) -> str | None:
    import jsonschema  # noqa: PLC0415  (a worker, whose classes are checked already, comes up without it)

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return error.json_path
    return None


def _masker_faults(cls: type[Masker]) -> Iterator[str]:
    for attribute in ("types", "produces"):
        aliases = getattr(cls, attribute)
        if attribute == "produces" and aliases is None:
            continue
        if isinstance(aliases, str) or not isinstance(aliases, frozenset | set):
            yield f"its {attribute} is no set; write frozenset({{'string'}})"
        elif unknown := sorted(str(alias) for alias in aliases if alias not in BSON_ALIASES):
            yield (
                f"its {attribute} has no BSON type called {', '.join(unknown)}; "
                f"use MongoDB's $type aliases: {', '.join(sorted(BSON_ALIASES))}"
            )
    if isinstance(cls.types, frozenset | set) and "object" in cls.types and not cls.containers:
        yield "it takes objects without `containers`; set containers = True, or leave object out of types"
    for attribute, allowed in (("uniqueness", get_args(Uniqueness)), ("changes", get_args(Changes))):
        if getattr(cls, attribute) not in allowed:
            yield f"its {attribute} is {getattr(cls, attribute)!r}; use {', '.join(allowed)}"
    for attribute in ("idempotent", "needs_key", "needs_subject", "per_document", "containers", "removes"):
        if not isinstance(inspect.getattr_static(cls, attribute), bool):
            yield f"its {attribute} is no boolean; use True or False"


def _phase_faults(cls: type[Validator]) -> Iterator[str]:
    phases = cls.phases
    allowed = get_args(Phase)
    if (
        isinstance(phases, str)
        or not isinstance(phases, frozenset | set)
        or not phases
        or not phases <= set(allowed)
    ):
        yield f"its phases do not say when it is asked; set `phases` to some of {', '.join(allowed)}"
