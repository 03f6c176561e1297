"""The page of the command line: every command with its flags, the exit codes, the environment."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Final

import click

from generator.markdown import page, table
from phimask import errors
from phimask.cli.commands import COMMANDS
from phimask.cli.main import cli

_ENVIRONMENT: Final = (
    ("PHIMASK_URI", "The deployment, where neither `--uri` nor phimask.yaml names one. May hold a password."),
    ("PHIMASK_TARGET_URI", "The target's deployment, likewise. With it set, masked copies go there."),
    ("PHIMASK_KEY", "The masking key, unless `key:` in phimask.yaml names another place."),
    ("PHIMASK_SIGNING_KEY", "The key that signs manifests, unless `signing_key:` names another place."),
    ("PHIMASK_MONGOD", "The mongod executable for runs on sample documents."),
    ("PHIMASK_DISABLED_PLUGINS", "Plugins that are not even imported: names with commas between them."),
    ("PHIMASK_PURE_PYTHON", "`1`: the compiled walks are not used."),
    ("PHIMASK_COMPILE", "When phimask is built. `0`: without compiled walks; `1`: not without them."),
)


def text() -> str:
    """The page."""
    parts = []
    for path, command in _commands(cli, ()):
        usage = command.get_usage(click.Context(command, info_name=" ".join(["phimask", *path])))
        parts.append(f"## `phimask {' '.join(path)}`" if path else "## `phimask`")
        parts.append(f"```text\n{' '.join(usage.split())}\n```")
        parts.append(inspect.cleandoc(command.help or ""))
        rows = list(_parameters(command))
        if rows:
            parts.append(table(("argument or flag", "default", "does"), rows))
    codes = table(("code", "means"), _exit_codes())
    variables = table(("variable", "is"), ((f"`{name}`", text) for name, text in _ENVIRONMENT))
    return page(
        "Command line",
        "`phimask` alone is `phimask run`. What people read goes to stderr; with `--json`, what machines read goes "
        "to stdout. No flag takes a password: set `PHIMASK_URI`.",
        *parts,
        "## Exit codes",
        codes,
        "## Environment variables",
        variables,
    )


def _commands(
    command: click.Command, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        children = command.commands if path else {name: one.command() for name, one in COMMANDS.items()}
        for name, child in children.items():
            yield from _commands(child, (*path, name))


def _parameters(command: click.Command) -> Iterator[tuple[str, str, str]]:
    context = click.Context(command)
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            yield f"`{parameter.make_metavar(context)}`", "required", _choices(parameter)
        elif isinstance(parameter, click.Option):
            names = ", ".join(parameter.opts)
            takes = "" if parameter.is_flag else f" {parameter.make_metavar(context)}"
            yield f"`{names}{takes}`", _default(parameter), parameter.help or ""


def _choices(parameter: click.Argument) -> str:
    chosen = parameter.type
    return f"one of {', '.join(chosen.choices)}" if isinstance(chosen, click.Choice) else ""


def _default(option: click.Option) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    return f"`{option.default}`" if option.show_default else ""


def _exit_codes() -> Iterator[tuple[str, str]]:
    classes = [
        one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.PhimaskError)
    ]
    meanings = {
        0: "done and verified",
        1: "failed",
        2: "bad usage, configuration or preflight hazard; nothing was written",
        3: "done, but verification found something, quarantined documents among it",
        4: "stopped safely between two batches (breaker, canary, memory)",
        130: "interrupted; every batch that was begun is finished",
    }
    missing = {one.exit_code for one in classes} - meanings.keys()
    if missing:
        raise AssertionError(f"exit codes without a meaning here: {sorted(missing)}")
    for code, meaning in meanings.items():
        yield f"`{code}`", meaning
