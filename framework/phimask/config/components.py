"""Component choices: is there one of that name, and are its options what its schema asks for?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol, TypeAlias

from phimask.config.merge import as_choice
from phimask.config.model import ComponentChoice, Origin
from phimask.config.nodes import Node, at, mapping, plain, planted, text_of
from phimask.config.schema_check import checked
from phimask.config.schema_walk import Path, Schema, secret_paths
from phimask.config.wording import fault_at, guess_or_list, quoted
from phimask.errors import Fault

FROM_FLAG: Final = "--set"
"""What faults call the file of a value that a command line brought."""

_PLURALS: Final = {
    "partitioner": "partitioners",
    "batch_sizer": "batch sizers",
    "masker": "maskers",
    "memory_governor": "memory governors",
    "validator": "validators",
    "executor": "executors",
    "detector": "detectors",
    "observer": "observers",
}


class ComponentCatalog(Protocol):
    """What configuration needs to know of the components that are installed."""

    def names(self, kind: str) -> Sequence[str]:
        """The names of a kind (partitioner, batch_sizer, masker, ...), in alphabetical order."""
        ...

    def options_schema(self, kind: str, name: str) -> Mapping[str, Any]:
        """The JSON Schema of the component's options."""
        ...

    def needs_subject(self, name: str) -> bool:
        """Whether the masker of this name needs to know the person a document is about."""
        ...


Known: TypeAlias = dict[tuple[str, str], Mapping[str, Any]]
"""Complete options without faults or secrets, by the component's name and what was written of them."""


def choose(
    kind: str, node: Node, catalog: ComponentCatalog, faults: list[Fault], known: Known | None = None
) -> ComponentChoice | None:
    """The choice at `node`, its options checked; None where a fault was found (here or by the file's schema).

    `known`: choices of the kind that were checked before, since a file's rules have few that are not written alike.
    """
    parts = mapping(as_choice(node))
    name_node = parts.get("name")
    name = text_of(name_node)
    if node.broken or name_node is None or name is None or name_node.broken:
        return None
    names = catalog.names(kind)
    if name not in names:
        word = _PLURALS[kind].removesuffix("s")
        right = guess_or_list(name, names, f"the {_PLURALS[kind]} are")
        faults.append(
            fault_at(name_node.origin, f"there is no {word} {quoted(name_node.written or name)}", right)
        )
        return None
    given = parts.get("options", Node({}, node.origin))
    if not isinstance(given.value, dict):
        return None
    written = name, repr(plain(given))
    places = {key: child.origin for key, child in mapping(given).items()}
    if known is not None and written in known:
        return ComponentChoice(name, known[written], node.origin, places)
    schema = catalog.options_schema(kind, name)
    before = len(faults)
    options = plain(checked(given, schema, faults))
    secrets = sorted(secret_paths(given, schema), key=str)
    for path in secrets:
        secret = at(given, path)
        if secret.origin.file == FROM_FLAG:
            wrong = "a secret stands on the command line, where every process can read it"
            faults.append(
                fault_at(secret.origin, wrong, "write ${NAME} in the profile, and set that variable")
            )
    if len(faults) > before:
        return None
    if known is not None and not faults and not secrets:
        known[written] = options
    return ComponentChoice(name, options, node.origin, places)


def complete_options(
    kind: str, name: str, options: Mapping[str, Any], catalog: ComponentCatalog
) -> Mapping[str, Any]:
    """Options as somebody wrote them, checked, with defaults filled in. Raises ValueError, faults and all."""
    faults: list[Fault] = []
    origin = Origin("options", None, "$")
    choice = choose(kind, planted({"name": name, "options": options}, origin), catalog, faults)
    if choice is None:
        raise ValueError("; ".join(f"{fault.path}: {fault.wrong}; {fault.right}" for fault in faults))
    return choice.options


def choose_all(
    kind: str, node: Node, catalog: ComponentCatalog, faults: list[Fault]
) -> tuple[ComponentChoice, ...]:
    """The choices of a list, each name once."""
    chosen: dict[str, ComponentChoice] = {}
    for item in node.value if isinstance(node.value, list) else ():
        choice = choose(kind, item, catalog, faults)
        if choice is not None and choice.name in chosen:
            faults.append(fault_at(item.origin, f"{quoted(choice.name)} is listed twice", "keep one of them"))
        elif choice is not None:
            chosen[choice.name] = choice
    return tuple(chosen.values())


def public_options(kind: str, choice: ComponentChoice, catalog: ComponentCatalog) -> Any:
    """The options without the values of secrets, for the digest and for show."""
    schema: Schema = catalog.options_schema(kind, choice.name)
    tree = planted(choice.options, choice.origin)
    return plain(_without(tree, secret_paths(tree, schema), ()))


def _without(node: Node, secrets: set[Path], path: Path) -> Node:
    if path in secrets:
        return replace(node, value="***")
    if isinstance(node.value, dict):
        return replace(
            node, value={k: _without(child, secrets, (*path, k)) for k, child in node.value.items()}
        )
    if isinstance(node.value, list):
        return replace(
            node, value=[_without(child, secrets, (*path, i)) for i, child in enumerate(node.value)]
        )
    return node
