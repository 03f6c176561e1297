"""`phimask plugins`: which components there are, what one takes, and a new one to begin with."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import click

from phimask.cli.console import PersonConsole, table
from phimask.cli.look import project_plugins, project_registry
from phimask.cli.show import answer, say
from phimask.config.wording import guess_or_list
from phimask.errors import UsageError
from phimask.plugins.class_check import KINDS
from phimask.plugins.interfaces import Masker
from phimask.plugins.loading import disabled_plugins, load_registry
from phimask.plugins.registry import Registry
from phimask.plugins.scaffold import new_masker

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
_PLUGINS = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    help="A module or file to load too, as `plugins:` in phimask.yaml would.",
)


@click.group("plugins")
def plugins_group() -> None:
    """List, show and start plugins."""


def _registry(plugins: tuple[str, ...]) -> Registry:
    """The current project's plugins, and these."""
    directory, named = project_plugins()
    return load_registry((*named, *plugins), directory, disabled_plugins(os.environ))


@plugins_group.command("list")
@click.option("--kind", type=click.Choice(sorted(KINDS)), help="Only this kind of component.")
@_PLUGINS
@_JSON
def plugins_list(kind: str | None, plugins: tuple[str, ...], as_json: bool) -> None:
    """List the installed components and who provides them."""
    registry = _registry(plugins)
    rows = [
        {"kind": one, "name": name, "provider": registration.provider, "does": summary(registration.cls)}
        for one in ([kind] if kind else list(KINDS))
        for name, registration in registry.classes(one).items()
    ]
    if as_json:
        answer({"components": rows, "disabled": list(registry.disabled)})
        return
    shown = ("name", "does", "provider") if kind else ("kind", "name", "does", "provider")
    listed = table(*shown)
    for row in rows:
        listed.add_row(*(row[column] for column in shown))
    PersonConsole().print(listed)
    for name in registry.disabled:
        say(f"disabled by PHIMASK_DISABLED_PLUGINS: {name}")
    for name in registry.unknown_disabled:
        say(f"PHIMASK_DISABLED_PLUGINS names {name}, and there is no such plugin")


@plugins_group.command("show")
@click.argument("name")
@_PLUGINS
@_JSON
def plugins_show(name: str, plugins: tuple[str, ...], as_json: bool) -> None:
    """Show what a component does and the options it takes."""
    registry = _registry(plugins)
    found: list[dict[str, Any]] = [
        {
            "kind": kind,
            "name": name,
            "provider": registry.classes(kind)[name].provider,
            "does": (registry.classes(kind)[name].cls.__doc__ or "").strip(),
            **(_properties(registry.masker(name)) if kind == "masker" else {}),
            "options_schema": registry.options_schema(kind, name),
        }
        for kind in KINDS
        if name in registry.classes(kind)
    ]
    if not found:
        everything = sorted({one for kind in KINDS for one in registry.names(kind)})
        raise UsageError(
            f"there is no component {name!r}; {guess_or_list(name, everything, 'the components are')}"
        )
    if as_json:
        answer(found)
        return
    for one in found:
        say(f"{one['kind']} {one['name']} (from {one['provider']})\n\n    {one['does']}\n")
        if "properties" in one:
            for word, value in one["properties"].items():
                say(f"    {word}: {', '.join(value) if isinstance(value, list) else value}")
            say("    (options may change these)\n")
        say(f"options (JSON Schema):\n{json.dumps(one['options_schema'], indent=2)}")


@plugins_group.command("new")
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="the current folder",
)
@_JSON
def plugins_new(name: str, directory: Path, as_json: bool) -> None:
    """Write a working masker NAME with a test, to begin from."""
    _, registry = project_registry()
    if name in registry.names("masker"):
        raise UsageError(f"there is a masker {name} already; choose another name")
    written = new_masker(name, directory)
    if as_json:
        answer({"written": [str(path) for path in written]})
        return
    for path in written:
        say(f"wrote {path}")
    say(
        f"next: name the file under `plugins:` in phimask.yaml, use it in a rule as `masker: {name}`, "
        f"and run its test with `pytest {written[-1]}`"
    )


def _properties(cls: type[Masker]) -> dict[str, Any]:
    """What a masker promises and needs, as its class declares it."""
    return {
        "properties": {
            "takes": sorted(cls.types),
            "gives": "the type it was given" if cls.produces is None else sorted(cls.produces),
            "uniqueness": cls.uniqueness,
            "changes": cls.changes,
            "idempotent": cls.idempotent,
            "needs_key": cls.needs_key,
            "needs_subject": cls.needs_subject,
        }
    }


def summary(cls: type) -> str:
    """The first sentence of its docstring, or what comes before a colon or semicolon in it."""
    text = " ".join((cls.__doc__ or "").partition("\n\n")[0].split())
    return re.split(r"(?<=[.;:]) ", text, maxsplit=1)[0].rstrip(".;:") + "."
