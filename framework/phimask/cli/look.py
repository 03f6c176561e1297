"""Looking at what is there: profiles, collection files, schemas."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import click

from phimask.cli.console import PersonConsole, table
from phimask.cli.options import as_json_option
from phimask.cli.show import answer, say
from phimask.config.collection import load_collection
from phimask.config.components import public_options
from phimask.config.data import FileKind, available, shipped_schema, shown
from phimask.config.export import combined_schema
from phimask.config.model import CollectionFile, ComponentChoice, Profile, Secret
from phimask.config.paths import format_path
from phimask.config.profile import load_profile
from phimask.config.project import URI_VARIABLE, is_project, load_project
from phimask.config.units import parse_duration, parse_size
from phimask.errors import UsageError
from phimask.planning.components import refuse_impossible
from phimask.plugins.loading import disabled_plugins, load_registry
from phimask.plugins.registry import Registry


def project_plugins() -> tuple[Path, tuple[str, ...]]:
    """The current project's folder, and the plugins that its phimask.yaml names; no variable has to be set."""
    if not is_project(Path()):
        return Path(), ()
    project = load_project(directory=Path(), environ={URI_VARIABLE: "mongodb://unused", **os.environ})
    return project.directory, project.plugins


def project_registry() -> tuple[Path, Registry]:
    """The current project's folder, and the components that it and the installation provide."""
    directory, plugins = project_plugins()
    return directory, load_registry(plugins, directory, disabled_plugins(os.environ))


def _list(kind: FileKind, rows: list[dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        answer({f"{kind}s": rows})
        return
    listed = table(*rows[0])
    for row in rows:
        listed.add_row(*row.values())
    PersonConsole().print(listed)


@click.group("profiles")
def profiles_group() -> None:
    """List, show and validate profiles: how a run behaves."""


@profiles_group.command("list")
@as_json_option
def profiles_list(as_json: bool) -> None:
    """List the profiles that `--profile` knows by name."""
    directory, registry = project_registry()
    rows = [
        {"name": name, "description": _profile(name, directory, registry).description, "file": shown(path)}
        for name, path in available("profile", directory).items()
    ]
    _list("profile", rows, as_json=as_json)


@profiles_group.command("show")
@click.argument("name")
@as_json_option
def profiles_show(name: str, as_json: bool) -> None:
    """Show a profile's values with defaults and `extends` worked in; its file explains them."""
    directory, registry = project_registry()
    _show(_profile(name, directory, registry), registry, as_json=as_json)


@profiles_group.command("validate")
@click.argument("name")
@as_json_option
def profiles_validate(name: str, as_json: bool) -> None:
    """Check a profile. Exit code 2 if anything in it is wrong."""
    directory, registry = project_registry()
    profile = _profile(name, directory, registry)
    refuse_impossible(profile, registry)
    _valid(profile, as_json=as_json)


def _profile(name: str, directory: Path, registry: Registry) -> Profile:
    return load_profile(name, directory=directory, environ=os.environ, components=registry)


@click.group("collections")
def collections_group() -> None:
    """List, show and validate collection files: what to mask."""


@collections_group.command("list")
@as_json_option
def collections_list(as_json: bool) -> None:
    """List the collection files and rule packs that are known by name."""
    directory, registry = project_registry()
    rows = []
    for name, path in available("collection", directory).items():
        file = _collection(name, directory, registry)
        what = f"collection {file.collection}" if file.collection else "rule pack"
        rows.append({"name": name, "for": what, "rules": str(len(file.rules)), "file": shown(path)})
    _list("collection", rows, as_json=as_json)


@collections_group.command("show")
@click.argument("name")
@as_json_option
def collections_show(name: str, as_json: bool) -> None:
    """Show a collection file's rules in order, those of its packs first; the last that matches wins."""
    directory, registry = project_registry()
    file = _collection(name, directory, registry)
    if as_json:
        _show(file, registry, as_json=True)
        return
    subject = format_path(file.subject) if file.subject else "none"
    what = f"collection {file.collection}" if file.collection else "rule pack"
    say(f"{file.name}: {what}, subject {subject}, on_error {file.on_error}")
    listed = table("path", "masker", "options", "from")
    for rule in file.rules:
        options = [f"decode={value}" for value in [" in ".join(reversed(rule.decode))] if value]
        if rule.masker is not None:
            properties = registry.options_schema("masker", rule.masker.name).get("properties", {})
            options += [
                f"{key}={value}"
                for key, value in public_options("masker", rule.masker, registry).items()
                if value != _default(properties.get(key, {}))
            ]
        listed.add_row(
            rule.path,
            rule.masker_name,
            ", ".join(options),
            f"{Path(rule.origin.file).name}:{rule.origin.line}",
        )
    PersonConsole().print(listed)


def _default(option: Mapping[str, Any]) -> Any:
    """An option's default as a component gets it: sizes and times are numbers by then."""
    default = option.get("default")
    convert = {"size": parse_size, "duration": parse_duration}.get(option.get("format", ""))
    return convert(default) if convert and isinstance(default, str) else default


@collections_group.command("validate")
@click.argument("name")
@as_json_option
def collections_validate(name: str, as_json: bool) -> None:
    """Check a collection file or rule pack. Exit code 2 if anything in it is wrong."""
    directory, registry = project_registry()
    _valid(_collection(name, directory, registry), as_json=as_json)


def _collection(name: str, directory: Path, registry: Registry) -> CollectionFile:
    return load_collection(name, directory=directory, pack=True, environ=os.environ, components=registry)


def only_collection() -> str:
    """The name of the project's collection file, where it has one alone."""
    names: tuple[str, ...] = ()
    if is_project(Path()):
        project = load_project(directory=Path(), environ={URI_VARIABLE: "mongodb://unused", **os.environ})
        names = project.collections
    if len(names) == 1:
        return names[0]
    known = f" ({', '.join(names)})" if names else ""
    raise UsageError(f"which collection file is meant{known}? Name it with --collection")


def load_collection_by_name(name: str) -> CollectionFile:
    """A collection file or rule pack, as the current project knows it."""
    directory, registry = project_registry()
    return _collection(name, directory, registry)


def _valid(loaded: Profile | CollectionFile, *, as_json: bool) -> None:
    if as_json:
        answer({"valid": True, "name": loaded.name, "file": loaded.origin.file})
    else:
        say(f"{loaded.origin.file} is valid")


def _show(loaded: Profile | CollectionFile, registry: Registry, *, as_json: bool) -> None:
    shape = _plain(loaded, registry)
    if as_json:
        answer(shape)
        return
    for key, value in shape.items():
        say(f"{key:<16} {value}")


def _plain(value: Any, registry: Registry, kind: str = "") -> Any:
    """Without origins and secrets, and with wildcards as they are written. `kind`: of component, if it is one."""
    if isinstance(value, ComponentChoice):
        return {"name": value.name, "options": public_options(kind, value, registry)}
    if dataclasses.is_dataclass(value):
        return {
            field.name: _plain(getattr(value, field.name), registry, field.name.removesuffix("s"))
            for field in dataclasses.fields(value)
            if field.name not in ("origin", "segments")
        }
    if isinstance(value, Mapping):
        return {key: _plain(one, registry) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, registry, kind) for one in value]
    plain = isinstance(value, str | int | float | bool | None) and not isinstance(value, Secret)
    return value if plain else str(value)


@click.command("schema")
@click.argument("kind", type=click.Choice(["profile", "collection", "project", "report", "manifest", "plan"]))
@click.option("--json", is_flag=True, expose_value=False, help="As it is anyway.")
def schema_command(kind: str) -> None:
    """Print the JSON Schema of a kind of file, with the installed components' options in it, for editors."""
    if kind in ("profile", "collection"):
        _, registry = project_registry()
        answer(combined_schema(cast("FileKind", kind), registry))
    else:
        answer(shipped_schema(kind))
