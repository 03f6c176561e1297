"""`phimask run`: mask, in place or into a target."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from phimask.cli.options import Flags, as_json_option, run_flags
from phimask.cli.plan import show_plans
from phimask.cli.session import open_session
from phimask.cli.show import PersonConsole, answer, say
from phimask.engine.control import StopSignal, stop_on_signals
from phimask.engine.run import Run
from phimask.errors import Interrupted, PhimaskError, PreflightError, UsageError
from phimask.log import close_log, configure_log
from phimask.observing.text import render
from phimask.planning.plan import CollectionPlan


@click.command("run")
@run_flags
@click.option("--yes", is_flag=True, help="Do not ask before documents are changed in place.")
@click.option("--dry-run", is_flag=True, help="Only plan: the same as `phimask plan`.")
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report as JSON here.",
)
@click.option(
    "--log-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the run's log to a file in here.",
)
@as_json_option
def run_command(
    flags: Flags, yes: bool, dry_run: bool, report_file: Path | None, log_dir: Path | None, as_json: bool
) -> int:
    """Mask documents, in place or into a target, verify them and report.

    With no deployment named anywhere, sample documents are masked in a MongoDB of phimask's own.
    """
    if dry_run:
        return show_plans(flags, as_json=as_json)
    run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
    log_file = configure_log(log_dir, run=run_id, quiet=True)  # observers and the report tell people
    try:
        return _run(flags, run_id, yes=yes, report_file=report_file, log_file=log_file, as_json=as_json)
    finally:
        close_log()


def _run(
    flags: Flags, run_id: str, *, yes: bool, report_file: Path | None, log_file: Path | None, as_json: bool
) -> int:
    if report_file is not None and not report_file.absolute().parent.is_dir():
        raise UsageError(f"--report {report_file}: there is no such directory; make it first")
    stop = StopSignal()
    with open_session(flags, demo_allowed=True) as session:
        plans = session.plans(detect=session.configuration.profile.strict)
        _refuse_hazards(plans, strict=session.configuration.profile.strict)
        if not (yes or session.demo):
            _confirm(plans)
        with stop_on_signals(stop):
            outcome = Run(session.configuration, session.registry, stop).mask(
                plans, run_id, session.keys[0].fingerprint if session.keys else None
            )
    render(outcome.report, PersonConsole())
    if as_json:
        answer(outcome.report)
    if report_file is not None:
        _write_report(report_file, outcome.report)
    for what, path in (("report", report_file), ("log", log_file)):
        if path is not None:
            say(f"{what}: {path}")
    if outcome.error is not None:
        raise outcome.error
    return 0


def _write_report(file: Path, report: dict[str, Any]) -> None:
    try:
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise PhimaskError(
            f"the run is over ({report['status']}), but its report cannot be written to {file}: {error.strerror}"
        ) from None


def _refuse_hazards(plans: Sequence[CollectionPlan], *, strict: bool) -> None:
    """What a preflight hazard stops is stopped before any collection is begun."""
    hazards: list[str] = []
    for plan in plans:
        hazards += plan.hazards
        if strict:
            hazards += plan.unmatched
        else:
            plan.warnings += plan.unmatched
    if hazards:
        raise PreflightError(hazards)


def _confirm(plans: Sequence[CollectionPlan]) -> None:
    """Ask before documents are changed in place."""
    in_place = [plan for plan in plans if plan.target is None]
    if not in_place:
        return
    listed = ", ".join(f"{plan.namespace} (about {plan.documents:,} documents)" for plan in in_place)
    if not sys.stdin.isatty():
        raise UsageError(f"this would change {listed} in place; give --yes to do so, or name a target")
    if not click.confirm(f"Mask {listed} in place? There is no way back.", err=True):
        raise Interrupted("not confirmed; nothing was written")
