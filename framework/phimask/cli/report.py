"""`phimask report`: a run's report, read again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import jsonschema

from phimask.cli.console import PersonConsole
from phimask.cli.ending import recorded, refuse_nowhere, write
from phimask.cli.history import show_history
from phimask.cli.options import as_json_option, database_option, uri_option
from phimask.cli.proof import check_manifest, manifest_text, signing_key
from phimask.cli.show import answer, say
from phimask.cli.steer import opened_ledger
from phimask.config.data import shipped_schema
from phimask.config.wording import closest
from phimask.errors import PhimaskError, UsageError
from phimask.ledger.runs import Runs
from phimask.observing.canonical import parsed
from phimask.observing.series import Recorded
from phimask.observing.text import render


@click.command("report")
@click.argument("run", metavar="[RUN|FILE]", required=False)
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report as a page here.",
)
@click.option(
    "--manifest",
    "manifest_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a signed manifest of RUN here, under `signing_key` of phimask.yaml.",
)
@click.option(
    "--check",
    "checked_file",
    metavar="MANIFEST",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Check a signed manifest, and RUN's or FILE's report against it. Exit code 3 if anything differs.",
)
@click.option(
    "--public-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The key to check by, in PEM; else the public half of `signing_key`.",
)
@click.option("--history", is_flag=True, help="Compare the ledger's past runs, collection by collection.")
@click.option("--collection", "-c", metavar="NAMESPACE", help="With --history: of this collection alone.")
@uri_option
@database_option
@as_json_option
def report_command(
    run: str | None,
    html_file: Path | None,
    manifest_file: Path | None,
    checked_file: Path | None,
    public_key: Path | None,
    history: bool,
    collection: str | None,
    uri: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Show the report of RUN as the ledger keeps it, or the one that a run wrote to FILE (`--report FILE`).

    As a page, a RUN's report has plots over time, which a FILE's has not.
    """
    refuse_nowhere({"--html": html_file, "--manifest": manifest_file})
    if public_key is not None and checked_file is None:
        raise UsageError("--public-key is for --check MANIFEST")
    if collection is not None and not history:
        raise UsageError("--collection is for --history")
    if history:
        if run is not None or html_file or manifest_file or checked_file:
            raise UsageError("--history is of all runs: leave RUN, --html, --manifest and --check out")
        show_history(collection, uri, database, as_json=as_json)
        return
    if checked_file is not None:
        if html_file is not None or manifest_file is not None:
            raise UsageError("--check only checks: leave --html and --manifest out")
        report = None if run is None else _found(run, uri, database).report
        check_manifest(checked_file, public_key, report, as_json=as_json)
        return
    if run is None:
        raise UsageError("name a run, or the file that it wrote; `phimask status` lists runs")
    key = None if manifest_file is None else signing_key()
    if manifest_file is not None and _is_file(run):
        raise UsageError("a manifest is made of what the ledger keeps: name the run, not a file")
    found = _found(run, uri, database)
    report = found.report
    if found.undone and manifest_file is not None:
        raise UsageError(
            f"run {run} was rolled back, all or in part: there is nothing to prove by it any more"
        )
    if html_file is not None:
        from phimask.observing.html import page  # noqa: PLC0415  (few reports are asked for as a page)

        _write("page", html_file, page(report, found.recorded, undone=found.undone))
    if manifest_file is not None and key is not None:
        _write("manifest", manifest_file, manifest_text(report, key))
    if as_json:
        answer(report)
    elif html_file is None and manifest_file is None:
        render(report, PersonConsole())


def _write(what: str, file: Path, text: str) -> None:
    try:
        write(file, text)
    except OSError as error:
        raise PhimaskError(f"the {what} cannot be written to {file}: {error.strerror}") from None
    say(f"{what}: {file}")


def _is_there(run: str) -> bool:
    return os.path.exists(run)  # noqa: PTH110  (false, not an error, for a name that is too long)


def _is_file(run: str) -> bool:
    return _is_there(run) or bool(Path(run).suffix) or Path(run).name != run


@dataclass(frozen=True, slots=True)
class _Found:
    """A report, and what the ledger knows besides. `undone`: the run was rolled back since, all or in part."""

    report: Mapping[str, Any]
    recorded: Recorded = field(default_factory=Recorded)
    undone: bool = False


def _found(run: str, uri: str | None, database: str | None) -> _Found:
    if not _is_file(run):
        return _kept(run, uri, database)
    if not _is_there(run):
        raise UsageError(
            f"{Path(run)} does not exist; give a run's id or the file that `phimask --report FILE` wrote"
        )
    return _Found(_written(Path(run)))


def _written(file: Path) -> Mapping[str, Any]:
    """A file's, once it is known to be one."""
    meant = "give the file that `phimask --report FILE` wrote"
    if file.is_dir():  # Windows says of one that it may not be read
        raise UsageError(f"{file} is a directory; {meant}")
    try:
        report: dict[str, Any] = parsed(file.read_text(encoding="utf-8"))
        jsonschema.validate(report, shipped_schema("report"))
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read ({error.strerror}); {meant}, as a user who may read it"
        ) from None
    except ValueError:
        raise UsageError(f"{file} is not JSON; {meant}") from None
    except jsonschema.ValidationError as error:
        raise UsageError(
            f"{file} is not a phimask report: {error.json_path} is not as its schema says"
        ) from None
    return report


def _kept(run: str, uri: str | None, database: str | None) -> _Found:
    """The ledger's: of the last time that the run ended, whatever became of it since."""
    with opened_ledger(uri, database) as ledger:
        runs = Runs(ledger)
        record, report = runs.find(run), runs.report(run)
        known = [one.id for one in runs.latest(1000)] if record is None else []
        over_time = recorded(ledger, run) if report is not None else Recorded()
    if record is None:
        guess = closest(run, known)
        meant = f"did you mean '{guess}'?" if guess else "`phimask status` lists runs"
        raise UsageError(f"the ledger knows no run {run}, and there is no such file; {meant}")
    if report is None:
        raise UsageError(
            f"run {run} has no report yet, since it never ended: it is {record.standing}; see `phimask status {run}`"
        )
    if record.standing in ("running", "paused", "dead"):
        say(f"run {run} is {record.standing}; this is the report of the last time that it ended")
    undone = record.standing in ("rolling_back", "rolled_back")
    if undone:
        say(f"run {run} was rolled back since, all or in part; this is the report of what it did before")
    return _Found(report, over_time, undone)
