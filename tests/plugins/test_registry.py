"""The registry: what it holds, and every way in which a class or a hook is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any

import pluggy
import pytest
from guests import file_with, masker_file

from phimask import Masker, Observer, Partitioner, Validator, hookimpl
from phimask.errors import PluginError
from phimask.masking.bson_types import ALIASES
from phimask.plugins import hookspecs
from phimask.plugins.class_check import BSON_ALIASES, KINDS, kind_of
from phimask.plugins.loading import load_registry
from phimask.plugins.registry import Registry


class Mirror(Masker):
    """Turns texts round."""

    name = "mirror"
    types = frozenset({"string"})
    needs_subject = True
    options_schema = MappingProxyType(
        {"type": "object", "properties": MappingProxyType({"kinds": {"type": "array", "prefixItems": ({},)}})}
    )

    def mask(self, column: Any) -> list[str]:
        """See Masker."""
        return [value[::-1] for value in column.values]


def provider(classes: Any, kind: str = "masker", name: str = "guest") -> ModuleType:
    """A plugin that registers `classes`."""
    module = ModuleType(name)

    def hook() -> Any:
        return classes

    setattr(module, KINDS[kind].hook, hookimpl(hook))
    return module


def registry_of(*plugins: Any, **options: Any) -> Registry:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for plugin in plugins:
        manager.register(plugin, plugin.__name__)
    return Registry(manager, **options)


def variant(**attributes: Any) -> type[Masker]:
    return type("Variant", (Mirror,), {"name": "variant", **attributes})


def test_each_kind_has_the_hook_that_is_specified_and_none_is_left_out() -> None:
    specified = {name for name in vars(hookspecs) if name.startswith("phimask_register_")}
    assert {kind.hook for kind in KINDS.values()} == specified
    assert len(KINDS) == 8


def test_the_aliases_are_those_that_the_masking_core_knows() -> None:
    assert set(ALIASES.values()) == BSON_ALIASES


def test_a_registered_class_is_found_by_name_with_its_provider() -> None:
    registry = registry_of(provider([Mirror]))
    assert registry.names("masker") == ("mirror",)
    assert registry.classes("masker")["mirror"].cls is Mirror
    assert registry.classes("masker")["mirror"].provider == "guest"
    assert registry.providers == ("guest",)
    assert registry.needs_subject("mirror")
    assert not registry.needs_key("mirror")
    assert all(registry.names(kind) == () for kind in KINDS if kind != "masker")


def test_names_come_in_alphabetical_order_whoever_provides_them() -> None:
    classes = [variant(name=name) for name in ("zeta", "alpha", "mu")]
    registry = registry_of(provider(classes[:1], name="one"), provider(iter(classes[1:]), name="two"))
    assert registry.names("masker") == ("alpha", "mu", "zeta")


def test_schemas_come_as_plain_json() -> None:
    schema = registry_of(provider([Mirror])).options_schema("masker", "mirror")
    assert json.loads(json.dumps(schema)) == schema
    assert type(schema) is dict


def test_the_same_name_may_stand_in_two_kinds() -> None:
    class Log(Observer):
        name = "mirror"

        def notify(self, event: Any) -> None: ...

    registry = registry_of(provider([Mirror]), provider([Log], "observer", "other"))
    assert registry.names("observer") == registry.names("masker") == ("mirror",)


def test_create_hands_options_and_what_else_is_given_to_the_constructor() -> None:
    options = {"kinds": [1]}
    masker = registry_of(provider([Mirror])).create("masker", "mirror", options, key=b"k" * 32)
    assert isinstance(masker, Mirror)
    assert masker.options is options
    assert masker.key == b"k" * 32


def test_a_constructors_value_error_passes_for_the_configuration_to_place() -> None:
    def refuse(self: Any, options: Any, key: Any = None) -> None:
        raise ValueError("longest is below target")

    registry = registry_of(provider([variant(__init__=refuse)]))
    with pytest.raises(ValueError, match="longest is below target"):
        registry.create("masker", "variant", {})


def test_any_other_error_of_a_constructor_is_told_without_its_message(tmp_path: Path) -> None:
    source = (
        "import phimask\n"
        "class Broken(phimask.Observer):\n"
        "    name = 'broken'\n"
        "    def __init__(self, options):\n"
        "        raise KeyError('hunter2')\n"
        "    def notify(self, event): ...\n"
        "@phimask.hookimpl\n"
        "def phimask_register_observers():\n"
        "    return [Broken]\n"
    )
    registry = load_registry([file_with(tmp_path, source)], tmp_path)
    with pytest.raises(PluginError) as caught:
        registry.create("observer", "broken", {})
    message = str(caught.value)
    assert (
        f"plugin guest.py: the observer broken cannot be made: KeyError at {tmp_path / 'guest.py'}:5"
        in message
    )
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda registry: registry.create("masker", "miror", {}), "no masker miror; did you mean mirror?"),
        (
            lambda registry: registry.options_schema("masker", "qqq"),
            "no masker qqq; the installed ones are mirror",
        ),
        (lambda registry: registry.needs_subject("qqq"), "no masker qqq; the installed ones are mirror"),
        (lambda registry: registry.create("executor", "ray", {}), "no executor ray; none is installed"),
        (lambda registry: registry.create("maskers", "mirror", {}), "no kind maskers; did you mean masker?"),
    ],
)
def test_an_unknown_name_is_told_with_what_there_is(ask: Callable[[Registry], Any], expected: str) -> None:
    with pytest.raises(PluginError) as caught:
        ask(registry_of(provider([Mirror])))
    assert expected in str(caught.value)


def test_two_providers_of_one_name_are_both_named(tmp_path: Path) -> None:
    first = masker_file(tmp_path, "same")
    second = file_with(tmp_path, (tmp_path / first).read_text(encoding="utf-8"), "other.py")
    with pytest.raises(
        PluginError, match=r"two maskers are called same: .*same_plugin\.py.* of plugin other\.py;"
    ):
        load_registry([first, second], tmp_path)


def test_one_provider_with_a_name_twice_is_refused_too() -> None:
    with pytest.raises(PluginError, match="two maskers are called mirror"):
        registry_of(provider([Mirror, variant(name="mirror")]))


def test_a_process_that_works_for_another_asks_for_no_more_than_it_needs() -> None:
    asked: list[str] = []

    def hook(kind: str, classes: list[Any]) -> Any:
        def answer() -> Any:
            asked.append(kind)
            return classes

        return hookimpl(answer)

    plugin = ModuleType("guest")
    setattr(plugin, KINDS["masker"].hook, hook("masker", [Mirror]))
    setattr(plugin, KINDS["observer"].hook, hook("observer", []))
    registry = registry_of(plugin, checked=True)
    assert asked == []
    assert registry.masker("mirror") is Mirror
    assert registry.names("masker") == ("mirror",)
    assert asked == ["masker"]
    twice = registry_of(provider([Mirror, variant(name="mirror")]), checked=True)
    with pytest.raises(PluginError, match="two maskers are called mirror"):
        twice.masker("mirror")


class Half(Partitioner):
    """Forgot to define anything."""

    name = "half"


def _no_key(self: Any, options: Any) -> None: ...


BAD_CLASSES: dict[str, tuple[str, Any, str]] = {
    "an instance": (
        "masker",
        Mirror({}),
        "an object of type Mirror: it is no class; the hook returns classes",
    ),
    "no component": ("masker", SimpleNamespace, "it is no masker; subclass phimask.Masker"),
    "another kind": (
        "partitioner",
        Mirror,
        "it is no partitioner; register it with phimask_register_maskers",
    ),
    "abstract": ("partitioner", Half, "it is abstract; define partitions"),
    "the interface itself": ("masker", Masker, "it has no name; set `name` to lower case letters"),
    "an upper-case name": ("masker", variant(name="Mirror"), "its name is 'Mirror'; set `name`"),
    "a dash": ("masker", variant(name="date-shift"), "its name is 'date-shift'"),
    "a digit first": ("masker", variant(name="3zip"), "its name is '3zip'"),
    "an empty name": ("masker", variant(name=""), "its name is ''"),
    "a trailing newline": ("masker", variant(name="mirror\n"), "its name is 'mirror\\n'"),
    "a name that is no text": ("masker", variant(name=7), "its name is 7"),
    "a closed constructor": (
        "masker",
        variant(__init__=_no_key, needs_key=True),
        "write __init__(self, options, key=...)",
    ),
    "a schema of something else": (
        "masker",
        variant(options_schema={"type": "array"}),
        "its options_schema is no schema of an object",
    ),
    "no schema": ("masker", variant(options_schema=None), "its options_schema is no schema of an object"),
    "a broken schema": (
        "masker",
        variant(options_schema={"type": "object", "properties": {"n": {"type": "whole"}}}),
        "its options_schema is no JSON Schema at $.properties.n.type",
    ),
    "an unknown type": (
        "masker",
        variant(types=frozenset({"str"})),
        "its types has no BSON type called str; use",
    ),
    "number": ("masker", variant(types=frozenset({"number"})), "no BSON type called number"),
    "types as a text": (
        "masker",
        variant(types="string"),
        "its types is no set; write frozenset({'string'})",
    ),
    "an unknown product": ("masker", variant(produces={"text"}), "its produces has no BSON type called text"),
    "objects taken by surprise": (
        "masker",
        variant(types={"object"}),
        "it takes objects without `containers`",
    ),
    "an unknown uniqueness": (
        "masker",
        variant(uniqueness="unique"),
        "its uniqueness is 'unique'; use injective",
    ),
    "an unknown change": ("masker", variant(changes=True), "its changes is True; use always, maybe, never"),
    "no boolean": ("masker", variant(idempotent="yes"), "its idempotent is no boolean; use True or False"),
    "a validator without phases": (
        "validator",
        type("Blind", (Validator,), {"name": "blind"}),
        "set `phases` to some of before, during, after",
    ),
    "a phase that is none": (
        "validator",
        type("Blind", (Validator,), {"name": "blind", "phases": frozenset({"later"})}),
        "set `phases` to some of before, during, after",
    ),
}


@pytest.mark.parametrize(("kind", "cls", "expected"), BAD_CLASSES.values(), ids=BAD_CLASSES)
def test_a_class_that_does_not_keep_the_interface_is_refused(kind: str, cls: Any, expected: str) -> None:
    with pytest.raises(PluginError) as caught:
        registry_of(provider([cls], kind))
    assert expected in str(caught.value)
    assert str(caught.value).startswith("plugin guest: ")


def test_all_that_is_wrong_with_a_plugin_is_told_at_once() -> None:
    with pytest.raises(PluginError) as caught:
        registry_of(provider([variant(name="Bad", changes="no"), variant(types={"str"})]))
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("answer", [None, Mirror, "mirror", 7])
def test_a_hook_that_returns_no_list_of_classes_is_refused(answer: Any) -> None:
    with pytest.raises(PluginError, match="phimask_register_maskers returns no list of classes; write"):
        registry_of(provider(answer))


HOOKS = {
    "misspelt": (
        "import phimask\n@phimask.hookimpl\ndef phimask_register_masker():\n    return []\n",
        "plugin guest.py: there is no hook phimask_register_masker; did you mean phimask_register_maskers?",
    ),
    "nothing like a hook": (
        "import phimask\n@phimask.hookimpl\ndef setup():\n    return []\n",
        "plugin guest.py: there is no hook setup; the hooks are phimask_register_partitioners, ",
    ),
    "undecorated": (
        "def phimask_register_maskers():\n    return []\n",
        "plugin guest.py: phimask_register_maskers is not decorated; put @phimask.hookimpl over it",
    ),
    "no hook": (
        "x = 1\n",
        "plugin guest.py: it registers nothing; give it a function such as phimask_register_maskers",
    ),
}


@pytest.mark.parametrize(("source", "expected"), HOOKS.values(), ids=HOOKS)
def test_a_hook_that_nobody_would_call_is_an_error(tmp_path: Path, source: str, expected: str) -> None:
    with pytest.raises(PluginError) as caught:
        load_registry([file_with(tmp_path, source)], tmp_path)
    assert expected in str(caught.value)


def test_disabled_plugins_are_listed_in_order() -> None:
    registry = registry_of(disabled={"b", "a"}, unknown_disabled=["d", "c"])
    assert registry.disabled == ("a", "b")
    assert registry.unknown_disabled == ("c", "d")


def test_the_kind_of_a_class_follows_from_its_base() -> None:
    assert kind_of(Mirror) == "masker"
    assert kind_of(Half) == "partitioner"
    assert kind_of(dict) is None
