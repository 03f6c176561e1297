"""`phimask run`: mask, in place or into a target."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from phimask.cli.options import Flags, as_json_option, ending_flags, run_flags
from phimask.cli.plan import show_plans
from phimask.cli.session import Session, open_session
from phimask.cli.show import PersonConsole, answer, say
from phimask.config.units import parse_duration
from phimask.engine.beginning import begin, obstacles, pins
from phimask.engine.control import StopSignal, stop_on_signals
from phimask.engine.run import Deployments, Outcome, Run
from phimask.errors import Interrupted, PhimaskError, PreflightError, UsageError
from phimask.ledger.opening import asking
from phimask.ledger.runs import RunRecord, Runs
from phimask.log import close_log, configure_log
from phimask.observing.text import render
from phimask.planning.plan import CollectionPlan


@click.command("run")
@run_flags
@click.option("--yes", is_flag=True, help="Do not ask before documents are changed in place.")
@click.option("--again", is_flag=True, help="Mask a collection again that a run has masked already.")
@click.option("--dry-run", is_flag=True, help="Only plan: the same as `phimask plan`.")
@ending_flags
@as_json_option
def run_command(flags: Flags, yes: bool, again: bool, dry_run: bool, as_json: bool, **ending: Any) -> int:
    """Mask documents, in place or into a target, verify them and report.

    With no deployment named anywhere, sample documents are masked in a MongoDB of phimask's own.
    """
    if dry_run:
        return show_plans(flags, as_json=as_json, again=again)
    run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
    with run_ending(run_id, as_json=as_json, **ending) as finish:
        with open_session(flags, demo_allowed=True, run=run_id) as session:
            plans = session.plans(detect=session.configuration.profile.strict)
            refuse_hazards(plans, strict=session.configuration.profile.strict)
            deployments = session.deployments()
            runs = Runs(deployments.ledger)
            with asking(deployments.ledger):
                hazards = obstacles(runs, pins(plans, session.configuration), again=again)
            if hazards:
                raise PreflightError(hazards)
            if not (yes or session.demo):
                _confirm(plans, vault=session.configuration.profile.undo.vault is not None)
            with asking(deployments.ledger):
                record, epoch = begin(runs, run_id, plans, session.configuration, session.keys, again=again)
            outcome = mask(session, deployments, plans, record, epoch, finish.most_seconds)
        return finish(outcome)


def mask(
    session: Session,
    deployments: Deployments,
    plans: Sequence[CollectionPlan],
    record: RunRecord,
    epoch: int,
    most_seconds: float | None,
) -> Outcome:
    """The run itself, which a signal stops."""
    stop = StopSignal()
    with stop_on_signals(stop):
        return Run(
            session.configuration,
            session.registry,
            session.keys,
            deployments,
            stop,
            most_seconds=most_seconds,
        ).mask(plans, record, epoch)


@dataclass(frozen=True, slots=True)
class Ending:
    """What is done with a run's outcome: shown, written where it was asked for, and turned into the exit code."""

    report_file: Path | None
    log_file: Path | None
    as_json: bool
    most_seconds: float | None

    def __call__(self, outcome: Outcome) -> int:
        """The exit code, where it is 0; any other comes as the outcome's error."""
        render(outcome.report, PersonConsole())
        if self.as_json:
            answer(outcome.report)
        if self.report_file is not None:
            _write_report(self.report_file, outcome.report)
        for what, path in (("report", self.report_file), ("log", self.log_file)):
            if path is not None:
                say(f"{what}: {path}")
        if outcome.error is not None:
            raise outcome.error
        return 0


@contextmanager
def run_ending(
    run_id: str, *, report_file: Path | None, log_dir: Path | None, max_duration: str | None, as_json: bool
) -> Iterator[Ending]:
    """The log is open meanwhile. Raises UsageError for a report that could not be written."""
    if report_file is not None and not report_file.absolute().parent.is_dir():
        raise UsageError(f"--report {report_file}: there is no such directory; make it first")
    most_seconds = None
    if max_duration is not None:
        try:
            most_seconds = parse_duration(max_duration)
        except ValueError as error:
            raise UsageError(f"--max-duration: {error}") from None
    log_file = configure_log(log_dir, run=run_id, quiet=True)  # observers and the report tell people
    try:
        yield Ending(report_file, log_file, as_json, most_seconds)
    finally:
        close_log()


def _write_report(file: Path, report: dict[str, Any]) -> None:
    try:
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise PhimaskError(
            f"the run is over ({report['status']}), but its report cannot be written to {file}: {error.strerror}"
        ) from None


def refuse_hazards(plans: Sequence[CollectionPlan], *, strict: bool) -> None:
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


def _confirm(plans: Sequence[CollectionPlan], *, vault: bool) -> None:
    """Ask before documents are changed in place."""
    in_place = [plan for plan in plans if plan.target is None or plan.shadow is not None]
    if not in_place:
        return
    shadows = [plan.shadow for plan in in_place if plan.shadow is not None]
    listed = ", ".join(f"{plan.namespace} (about {plan.documents:,} documents)" for plan in in_place)
    if not sys.stdin.isatty():
        what = f"put masked shadows in the place of {listed}" if shadows else f"change {listed} in place"
        raise UsageError(f"this would {what}; give --yes to do so, or name a target")
    kept = any(one.keep for one in shadows)
    way_back = "The originals are kept in the vault." if vault else "There is no way back."
    if shadows:
        way_back = "The originals are kept beside them." if kept else "There is no way back."
    how = "and put the masked shadows in their place" if shadows else "in place"
    if not click.confirm(f"Mask {listed} {how}? {way_back}", err=True):
        raise Interrupted("not confirmed; nothing was written")
