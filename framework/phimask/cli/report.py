"""`phimask report`: a run's report, read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import jsonschema

from phimask.cli.ending import recorded, refuse_nowhere, write
from phimask.cli.options import as_json_option, database_option, uri_option
from phimask.cli.show import PersonConsole, answer, say
from phimask.cli.steer import opened_ledger
from phimask.config.data import shipped_schema
from phimask.config.wording import closest
from phimask.errors import PhimaskError, UsageError
from phimask.ledger.runs import Runs
from phimask.observing.html import Points, page
from phimask.observing.text import render


@click.command("report")
@click.argument("run", metavar="RUN|FILE")
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report as a page here.",
)
@uri_option
@database_option
@as_json_option
def report_command(
    run: str, html_file: Path | None, uri: str | None, database: str | None, as_json: bool
) -> None:
    """Show the report of RUN as the ledger keeps it, or the one that a run wrote to FILE (`--report FILE`).

    As a page, a RUN's report has plots over time, which a FILE's has not.
    """
    refuse_nowhere({"--html": html_file})
    file = Path(run)
    points: Points = ()
    if file.exists():
        report = _written(file)
    elif file.suffix or file.name != run:
        raise UsageError(
            f"{file} does not exist; give a run's id or the file that `phimask --report FILE` wrote"
        )
    else:
        report, points = _kept(run, uri, database)
    if html_file is not None:
        try:
            write(html_file, page(report, points))
        except OSError as error:
            raise PhimaskError(f"the page cannot be written to {html_file}: {error.strerror}") from None
        say(f"page: {html_file}")
    if as_json:
        answer(report)
    elif html_file is None:
        render(report, PersonConsole())


def _written(file: Path) -> Mapping[str, Any]:
    """A file's, once it is known to be one."""
    try:
        report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        jsonschema.validate(report, shipped_schema("report"))
    except (OSError, ValueError):
        raise UsageError(f"{file} is not JSON; give the file that `phimask --report FILE` wrote") from None
    except jsonschema.ValidationError as error:
        raise UsageError(
            f"{file} is not a phimask report: {error.json_path} is not as its schema says"
        ) from None
    return report


def _kept(run: str, uri: str | None, database: str | None) -> tuple[Mapping[str, Any], Points]:
    """The ledger's: of the last time that the run ended, whatever became of it since."""
    with opened_ledger(uri, database) as ledger:
        runs = Runs(ledger)
        record, report = runs.find(run), runs.report(run)
        known = [one.id for one in runs.latest(1000)] if record is None else []
        points = recorded(ledger, run) if report is not None else []
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
    return report, points
