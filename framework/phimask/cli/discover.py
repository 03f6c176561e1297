"""`phimask discover`: which fields look like PHI, and a collection file drafted from that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
from pymongo.errors import OperationFailure, PyMongoError

from phimask.cli.console import PersonConsole, table
from phimask.cli.deployment import open_deployment
from phimask.cli.look import project_registry
from phimask.cli.make import write_new
from phimask.cli.options import as_json_option, collection_name, database_option, uri_option
from phimask.cli.show import answer, say
from phimask.config.collection import load_collection
from phimask.config.model import Origin, Rule
from phimask.config.paths import format_path
from phimask.errors import PreflightError, UsageError
from phimask.planning.discovery import Discovery, discover
from phimask.planning.draft import Draft, as_yaml, draft
from phimask.plugins.interfaces import Detector
from phimask.store.connect import raw_collection
from phimask.store.reading import first_documents, sampled_documents
from phimask.store.retry import UNAUTHORIZED, terminal_error

_PACK: Final = "hipaa-safe-harbor"
_NONE: Final = "none"


@click.command("discover")
@uri_option
@database_option
@click.option(
    "--collection", "-c", required=True, callback=collection_name, help="The collection to look at."
)
@click.option(
    "--sample",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="How many documents, drawn at random.",
)
@click.option(
    "--extends",
    "pack",
    default=_PACK,
    show_default=True,
    metavar="PACK|FILE",
    help="The rule pack that the file is to extend: what it masks needs no rule of its own. `none`: no pack.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the collection file there, rather than to stdout. It must not be there yet.",
)
@as_json_option
def discover_command(
    uri: str | None,
    database: str | None,
    collection: str,
    sample: int,
    pack: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Find fields that look like PHI, and draft a collection file. Nothing is written to MongoDB.

    Detectors look at sampled values; the draft holds paths, kinds and counts, and no value. It is a beginning: they
    miss things, so that a person has to read it before it masks anything.
    """
    directory, registry = project_registry()
    rules: tuple[Rule, ...] = ()
    if pack != _NONE:
        rules = load_collection(
            pack,
            directory=directory,
            pack=True,
            environ=os.environ,
            components=registry,
            said=Origin("--extends", None, "$"),
        ).rules
    with open_deployment(uri, database, os.environ) as (client, name):
        source = raw_collection(client, name, collection)
        found = _looked_at(source, f"{name}.{collection}", sample, rules, registry.usual_detectors())
    if not found.documents:
        raise UsageError(
            f"{name}.{collection} has no document that can be read; check the names of database and collection"
        )
    drafted = draft(found, rules)
    text = as_yaml(collection, None if pack == _NONE else pack, found, drafted)
    if out is not None:
        write_new(out, text, mode=0o644)
    if as_json:
        answer({"namespace": f"{name}.{collection}", **_as_data(found, drafted, text, out)})
        return
    _show(f"{name}.{collection}", found, drafted)
    if out is None:
        click.echo(text, nl=False)
    else:
        of_it = "" if database is None else f" -d {database}"
        say(f"wrote {out}; read it, then: phimask plan -c {out}{of_it}")


def _looked_at(
    source: Any, namespace: str, sample: int, rules: Sequence[Rule], detectors: Sequence[Detector]
) -> Discovery:
    paths = [rule.segments for rule in rules]
    try:
        try:
            return discover(sampled_documents(source, sample, None), paths, detectors)
        except OperationFailure:  # what cannot be sampled is read from its beginning
            return discover(first_documents(source, sample, None), paths, detectors)
    except OperationFailure as error:
        if error.code == UNAUTHORIZED:
            raise PreflightError(
                [f"{namespace}: the user may not read it; grant the role read on its database"]
            ) from None
        raise terminal_error(error, f"sampling {namespace}") from None
    except PyMongoError as error:
        raise terminal_error(error, f"sampling {namespace}") from None


def _show(namespace: str, found: Discovery, drafted: Draft) -> None:
    console = PersonConsole()
    unreadable = f", {found.unreadable:,} more could not be read" if found.unreadable else ""
    console.print(
        f"\n{namespace}: {len(found.fields):,} fields in {found.documents:,} sampled documents{unreadable}",
        style="bold",
        highlight=False,
    )
    if drafted.proposals:
        listed = table("field", "looks like", "drafted masker")
        listed.add_column("values", justify="right")
        for one in drafted.proposals:
            field = one.field
            listed.add_row(
                format_path(field.path),
                ", ".join(one.labels) + ("" if one.sure else " (few)"),
                one.masker if isinstance(one.masker, str) else one.masker["name"],
                f"{field.detected} of {field.shown}" if field.shown else "",
            )
        console.print(listed)
    say(
        f"{len(drafted.covered):,} field(s) are named by the pack, {len(drafted.rest):,} look like nothing"
        + (f"; subject: {format_path(drafted.subject)}" if drafted.subject else "; no subject was found")
    )
    for path, labels in found.keys.items():
        looks = f"look like {', '.join(sorted(labels))}" if labels else "are many"
        say(f"warning: keys below {format_path(path)} {looks}, and keys are never masked")


def _as_data(found: Discovery, drafted: Draft, text: str, out: Path | None) -> dict[str, Any]:
    return {
        "sampled": found.documents,
        "unreadable": found.unreadable,
        "subject": None if drafted.subject is None else format_path(drafted.subject),
        "proposed": [
            {
                "path": format_path(one.field.path),
                "types": sorted(one.field.types),
                "documents": one.field.documents,
                "looks_like": list(one.labels),
                "values": {"shown": one.field.shown, "detected": one.field.detected},
                "hipaa": one.hipaa,
                "masker": one.masker if isinstance(one.masker, str) else dict(one.masker),
                "sure": one.sure,
            }
            for one in drafted.proposals
        ],
        "covered": [
            {"path": format_path(one.path), "masker": rule.masker_name, "rule": rule.path}
            for one, rule in drafted.covered
        ],
        "rest": [{"path": format_path(one.path), "types": sorted(one.types)} for one in drafted.rest],
        "keys": [
            {"path": format_path(path), "look_like": sorted(labels)} for path, labels in found.keys.items()
        ],
        "written": None if out is None else str(out),
        "draft": text,
    }
