"""Flags that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import click

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_MOST: Final = 10**12
"""Documents: more than any server has, and few enough to reckon with."""

as_json_option = click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")


def collection_name(context: click.Context, parameter: click.Parameter, value: str) -> str:  # noqa: ARG001
    """A flag's value that is to name a collection; MongoDB takes not every text for a name."""
    if not value.strip(".") or value.strip(".") != value or any(part in value for part in ("$", "\0", "..")):
        raise click.BadParameter(
            "this cannot name a collection; write a name without $, and without a dot at an end or two in a row"
        )
    return value


def at_most_all(context: click.Context, parameter: click.Parameter, value: int | None) -> int | None:  # noqa: ARG001
    """A number of documents: what is more than all of any collection's stands for all of them."""
    return None if value is None else min(value, _MOST)


uri_option = click.option(
    "--uri", metavar="URI", help="The deployment, without a password: set PHIMASK_URI for one that has one."
)
database_option = click.option("--db", "-d", "database", metavar="NAME", help="The database.")


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says of where, what and how."""

    profile: str | None
    collections: tuple[str, ...]
    uri: str | None
    database: str | None
    target_uri: str | None
    target_database: str | None
    query: str | None
    limit: int | None
    settings: tuple[str, ...]
    safe_mode: bool
    accept: tuple[str, ...] = ()


_OPTIONS = (
    click.option("--profile", metavar="NAME|FILE", help="How to run: a name such as emergency, or a file."),
    click.option(
        "--collection", "-c", "collections", multiple=True, metavar="NAME|FILE",
        help="What to mask: a collection file's name or path. May be given several times.",
    ),
    uri_option,
    database_option,
    click.option("--target-uri", metavar="URI", help="Copy masked documents to this deployment, not in place."),
    click.option("--target-db", "target_database", metavar="NAME", help="Copy masked documents to this database."),
    click.option("--query", metavar="JSON", help="Only documents that match this MongoDB query (Extended JSON)."),
    click.option(
        "--limit", type=click.IntRange(1), metavar="N", callback=at_most_all,
        help="At most so many documents of each collection.",
    ),
    click.option(
        "--set", "settings", multiple=True, metavar="KEY.PATH=VALUE", help="Change one value of the profile."
    ),
    click.option("--safe-mode", is_flag=True, help="Small batches, every document checked, stop at the first failure."),
)  # fmt: skip


accept_option = click.option(
    "--accept", "accept", multiple=True, metavar="HAZARD",
    help="A hazard that you have decided on, as the plan names it. May be given several times.",
)  # fmt: skip

_ENDING = (
    click.option(
        "--report", "report_file", type=click.Path(path_type=Path, dir_okay=False),
        help="Write the report as JSON here.",
    ),
    click.option(
        "--html", "html_file", type=click.Path(path_type=Path, dir_okay=False),
        help="Write the report as a page here.",
    ),
    click.option(
        "--manifest", "manifest_file", type=click.Path(path_type=Path, dir_okay=False),
        help="Write a signed manifest here: what the run proves, under `signing_key` of phimask.yaml.",
    ),
    click.option(
        "--log-dir", type=click.Path(path_type=Path, file_okay=False), help="Write the run's log to a file in here."
    ),
    click.option("--max-duration", metavar="TIME", help="Stop safely after so long, such as 6h; resume goes on."),
)  # fmt: skip


def ending_flags(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """Give a command the flags that say when a run ends and what is left of it."""
    for option in reversed(_ENDING):
        command = option(command)
    return command


def run_flags(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """Give a command all flags that choose where, what and how, gathered in `flags`."""

    @functools.wraps(command)
    def gathered(**given: Any) -> _Result:
        names = Flags.__dataclass_fields__
        flags = Flags(**{name: given.pop(name) for name in names if name in given})
        return command(flags=flags, **given)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered
