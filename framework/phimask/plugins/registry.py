"""The registry: every component class that plugins registered, by kind and name, and who provided it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, cast, overload

import pluggy

from phimask.errors import PluginError
from phimask.plugins.class_check import KINDS, faults, plain
from phimask.plugins.failure import describe
from phimask.plugins.hookspecs import PROJECT
from phimask.plugins.interfaces import (
    BatchSizer,
    Component,
    Detector,
    Executor,
    Masker,
    MemoryGovernor,
    Observer,
    Partitioner,
    Validator,
)

__all__ = ["KINDS", "Registration", "Registry"]

KEY_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "domain": {
            "type": "string",
            "minLength": 1,
            "description": "Rules of the same domain share a derived key, so that equal values get equal masks. Unless "
            "given, the masker's name, or that of the masker it reverses.",
        },
        "engine": {
            "enum": ["keyed", "random"],
            "default": "keyed",
            "description": "random: a key that is forgotten at the run's end, so that nothing links to other runs.",
        },
    }
)
"""Options that every masker with a key takes; they are seen to before it is made."""

_PREFIX = f"{PROJECT}_register_"
_HOOKS = tuple(kind.hook for kind in KINDS.values())


@dataclass(frozen=True, slots=True)
class Registration:
    """A component class and the plugin that provided it, called as `plugins list` calls it."""

    cls: type[Component]
    provider: str


class Registry:
    """All components, from the hooks of the plugins that a manager holds.

    `disabled` are the plugins that were kept out, `unknown_disabled` the names that were to be kept out and
    that no plugin has. `checked`: the process whose work this one does has checked all classes; they are asked
    for, a kind at a time, when they are needed.

    Raises PluginError if a hook is misspelt, a plugin has none, a hook raises, a class is not what its kind
    asks for, or two classes of one kind share a name.
    """

    def __init__(
        self,
        manager: pluggy.PluginManager,
        disabled: Collection[str] = (),
        unknown_disabled: Collection[str] = (),
        *,
        checked: bool = False,
    ) -> None:
        self._manager = manager
        self._checked = checked
        self.disabled = tuple(sorted(disabled))
        self.unknown_disabled = tuple(sorted(unknown_disabled))
        self.check_pending()
        self._classes: dict[str, Mapping[str, Registration]] = {}
        self._schemas: dict[tuple[str, str], Mapping[str, Any]] = {}
        if not checked:
            for kind in KINDS:
                self.classes(kind)

    @property
    def providers(self) -> tuple[str, ...]:
        """The plugins that were loaded, in the order of loading."""
        return tuple(name for name, plugin in self._manager.list_name_plugin() if plugin is not None)

    def classes(self, kind: str) -> Mapping[str, Registration]:
        """The components of a kind by name, in alphabetical order."""
        if kind not in self._classes:
            self._classes[kind] = self._collect(kind)
        return self._classes[kind]

    def names(self, kind: str) -> Sequence[str]:
        """The names of a kind's components, in alphabetical order."""
        return tuple(self.classes(kind))

    def options_schema(self, kind: str, name: str) -> Mapping[str, Any]:
        """The JSON Schema of a component's options, plain dicts and lists, not to be changed; PluginError if there is
        none."""
        if (kind, name) not in self._schemas:
            self._schemas[kind, name] = self._options_schema(kind, name)
        return self._schemas[kind, name]

    def _options_schema(self, kind: str, name: str) -> Mapping[str, Any]:
        cls = self._registration(kind, name).cls
        schema = cast("dict[str, Any]", plain(cls.options_schema))
        if issubclass(cls, Masker) and cls.needs_key:
            schema["properties"] = {**schema.get("properties", {}), **plain(KEY_OPTIONS)}
        return schema

    def needs_subject(self, name: str) -> bool:
        """Whether this masker has to know whom a document is about; PluginError if there is none such."""
        return self.masker(name).needs_subject

    def needs_key(self, name: str) -> bool:
        """Whether this masker derives from the masking key; PluginError if there is none such."""
        return self.masker(name).needs_key

    def masker(self, name: str) -> type[Masker]:
        """The masker's class; PluginError if there is none such."""
        return cast("type[Masker]", self._registration("masker", name).cls)

    def usual_detectors(self) -> tuple[Detector, ...]:
        """One of each that looks without being named."""
        return tuple(
            self.create("detector", name, {})
            for name, registration in self.classes("detector").items()
            if cast("type[Detector]", registration.cls).by_default
        )

    @overload
    def create(
        self, kind: Literal["partitioner"], name: str, options: Mapping[str, Any], **given: Any
    ) -> Partitioner: ...
    @overload
    def create(
        self, kind: Literal["batch_sizer"], name: str, options: Mapping[str, Any], **given: Any
    ) -> BatchSizer: ...
    @overload
    def create(
        self, kind: Literal["masker"], name: str, options: Mapping[str, Any], **given: Any
    ) -> Masker: ...
    @overload
    def create(
        self, kind: Literal["memory_governor"], name: str, options: Mapping[str, Any], **given: Any
    ) -> MemoryGovernor: ...
    @overload
    def create(
        self, kind: Literal["validator"], name: str, options: Mapping[str, Any], **given: Any
    ) -> Validator: ...
    @overload
    def create(
        self, kind: Literal["executor"], name: str, options: Mapping[str, Any], **given: Any
    ) -> Executor: ...
    @overload
    def create(
        self, kind: Literal["detector"], name: str, options: Mapping[str, Any], **given: Any
    ) -> Detector: ...
    @overload
    def create(
        self, kind: Literal["observer"], name: str, options: Mapping[str, Any], **given: Any
    ) -> Observer: ...
    @overload
    def create(self, kind: str, name: str, options: Mapping[str, Any], **given: Any) -> Component: ...

    def create(self, kind: str, name: str, options: Mapping[str, Any], **given: Any) -> Component:
        """A new component. `options` are complete and converted; `given` is a masker's `key` (32 bytes) or a
        validator's `rules`.

        Raises ValueError as the constructor does, for options that do not go together; PluginError if there
        is no such component, or its constructor fails in any other way.
        """
        registration = self._registration(kind, name)
        make = cast("Callable[..., Component]", registration.cls)
        try:
            return make(options, **given)
        except ValueError:
            raise
        except Exception as error:  # noqa: BLE001  (a plugin may raise anything, and its message may hold anything)
            raise PluginError(
                f"plugin {registration.provider}: the {kind} {name} cannot be made: {describe(error)}; "
                "a constructor raises ValueError for options that it cannot take, and nothing else"
            ) from None

    def check_pending(self) -> None:
        """Raises PluginError for hooks that nobody will call: misspelt, undecorated, or none in a plugin."""
        wrong: list[str] = []
        for provider, plugin in self._manager.list_name_plugin():
            if plugin is None:
                continue
            hooks = [caller.name for caller in self._manager.get_hookcallers(plugin) or ()]
            bare = _undecorated(plugin)
            wrong += [
                f"plugin {provider}: there is no hook {hook}; "
                + _meant(hook, _HOOKS, f"the hooks are {', '.join(_HOOKS)}")
                for hook in hooks
                if hook not in _HOOKS
            ]
            wrong += [
                f"plugin {provider}: {name} is not decorated; put @phimask.hookimpl over it" for name in bare
            ]
            if not hooks and not bare:
                wrong.append(
                    f"plugin {provider}: it registers nothing; "
                    "give it a function such as phimask_register_maskers, with @phimask.hookimpl over it"
                )
        if wrong:
            raise PluginError("\n".join(wrong))

    def _registration(self, kind: str, name: str) -> Registration:
        if kind not in KINDS:
            raise PluginError(
                f"there is no kind {kind}; {_meant(kind, KINDS, 'it is one of ' + ', '.join(KINDS))}"
            )
        known = self.classes(kind)
        if name not in known:
            choices = f"the installed ones are {', '.join(known)}" if known else "none is installed"
            raise PluginError(f"there is no {kind} {name}; {_meant(name, known, choices)}")
        return known[name]

    def _collect(self, kind: str) -> Mapping[str, Registration]:
        found: dict[str, Registration] = {}
        wrong: list[str] = []
        caller = getattr(self._manager.hook, KINDS[kind].hook)
        # One implementation at a time, in the order of loading: only so is it known who provided what.
        for implementation in caller.get_hookimpls():
            provider = implementation.plugin_name
            for cls in _answer(provider, KINDS[kind].hook, implementation.function):
                if not self._checked and (these := list(faults(kind, cls))):
                    wrong += [f"plugin {provider}: {_called(cls)}: {fault}" for fault in these]
                elif (first := found.get(cls.name)) is not None:
                    wrong.append(
                        f"two {kind}s are called {cls.name}: {_called(first.cls)} of plugin "
                        f"{first.provider} and {_called(cls)} of plugin {provider}; "
                        "rename one, or disable one of the plugins"
                    )
                else:
                    found[cls.name] = Registration(cls, provider)
        if wrong:
            raise PluginError("\n".join(wrong))
        return MappingProxyType(dict(sorted(found.items())))


def _answer(provider: str, hook: str, function: Callable[[], Any]) -> list[Any]:
    try:
        answer = function()
        listed = isinstance(answer, Iterable) and not isinstance(answer, type | str)
        classes = list(answer) if listed else None
    except (Exception, SystemExit) as error:  # noqa: BLE001  (as in create)
        raise PluginError(
            f"plugin {provider}: {hook} fails: {describe(error)}; mend it, or disable the plugin"
        ) from None
    if classes is None:
        raise PluginError(f"plugin {provider}: {hook} returns no list of classes; write `return [YourClass]`")
    return classes


def _called(cls: Any) -> str:
    if inspect.isclass(cls):
        return f"{cls.__module__}.{cls.__qualname__}"
    return f"an object of type {type(cls).__name__}"


def _undecorated(plugin: object) -> list[str]:
    names = vars(plugin) if inspect.ismodule(plugin) else dir(plugin)
    return [
        name
        for name in names
        if name.startswith(_PREFIX)
        and inspect.isroutine(function := inspect.getattr_static(plugin, name))
        and not hasattr(function, f"{PROJECT}_impl")
    ]


def _meant(name: str, choices: Collection[str], otherwise: str) -> str:
    close = difflib.get_close_matches(name, list(choices), n=1)
    return f"did you mean {close[0]}?" if close else otherwise
