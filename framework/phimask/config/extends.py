"""Files that extend other files: read once each, parents before children, circles refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from phimask.config.data import FileKind, data_dir, lookup, shipped_schema, shown
from phimask.config.environment import substitute
from phimask.config.model import Origin
from phimask.config.nodes import Node, mapping
from phimask.config.schema_check import checked
from phimask.config.wording import fault_at
from phimask.config.yaml_lines import read_yaml
from phimask.errors import ConfigError, Fault


def lineage(
    kind: FileKind,
    name: str,
    project_dir: Path,
    environ: Mapping[str, str],
    faults: list[Fault],
    *,
    said: Origin | None = None,
    by: Path | None = None,
) -> list[tuple[Path, Node]]:
    """The file and all that it extends, each once, in the order in which they go over one another.

    The last entry is the file itself. Where a parent is not found, not readable or part of a circle, that is added
    to `faults`, and the file keeps its `extends`; else nobody has one any more. ConfigError is raised
    where the file itself is not found or not readable.
    """
    found: dict[Path, tuple[Path, Node]] = {}
    reading: list[Path] = []
    before = len(faults)

    def visit(path: Path, place: Origin | None) -> None:
        resolved = path.resolve()
        if resolved in reading and place is not None:
            circle = [*reading[reading.index(resolved) :], resolved]
            chain = " → ".join(member.stem for member in circle)
            faults.append(
                fault_at(place, f"these files extend each other in a circle: {chain}", "break the circle")
            )
            return
        if resolved in found:
            return
        tree = read_yaml(path, shown(path), shipped=resolved.is_relative_to(data_dir("profiles").resolve()))
        reading.append(resolved)
        _judge_version(kind, tree, faults)
        for parent in _parents(kind, tree, environ, faults):
            try:
                at = lookup(kind, str(parent.value), project_dir, said=parent.origin, by=path)
                visit(at, parent.origin)
            except ConfigError as error:
                faults.extend(error.faults)
        reading.pop()
        found[resolved] = (path, tree)

    visit(lookup(kind, name, project_dir, said=said, by=by), None)
    files = list(found.values())
    if len(faults) > before:
        return files
    return [(path, _without_extends(tree)) for path, tree in files]


def _without_extends(tree: Node) -> Node:
    return replace(tree, value={key: child for key, child in mapping(tree).items() if key != "extends"})


def _judge_version(kind: FileKind, tree: Node, faults: list[Fault]) -> None:
    """Every file has a version of its own: a parent's says nothing about its child's format."""
    version = {
        "properties": {"version": shipped_schema(kind)["properties"]["version"]},
        "required": ["version"],
    }
    keys = {
        key: child if key == "version" else replace(child, value=None) for key, child in mapping(tree).items()
    }
    checked(replace(tree, value=keys) if keys else tree, version, faults)  # the rest has a schema of its own


def _parents(kind: FileKind, tree: Node, environ: Mapping[str, str], faults: list[Fault]) -> list[Node]:
    """The nodes that name a parent, none where they break the schema."""
    if "extends" not in mapping(tree):
        return []
    before = len(faults)
    named = substitute(mapping(tree)["extends"], environ, faults)
    named = checked(named, shipped_schema(kind)["properties"]["extends"], faults)
    if len(faults) > before:
        return []
    return named.value if isinstance(named.value, list) else [named]
