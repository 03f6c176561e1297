"""`phimask run`: mask, in place or into a target."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from phimask.cli.ending import run_ending
from phimask.cli.options import Flags, accept_option, as_json_option, ending_flags, run_flags
from phimask.cli.session import Session, open_session
from phimask.engine.beginning import begin, obstacles, pins
from phimask.engine.control import StopSignal, stop_on_signals
from phimask.engine.deployments import Deployments
from phimask.engine.run import Outcome, Run
from phimask.errors import Interrupted, PreflightError, UsageError
from phimask.ledger.opening import asking
from phimask.ledger.run_record import RunRecord
from phimask.ledger.runs import Runs
from phimask.planning.plan import CollectionPlan


@click.command("run")
@run_flags
@accept_option
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
        from phimask.cli.plan import show_plans  # noqa: PLC0415  (no run has to wait for what draws its tables)

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
            over_time = finish.recorded(deployments.ledger, run_id)
        return finish(outcome, over_time)


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


def refuse_hazards(plans: Sequence[CollectionPlan], *, strict: bool) -> None:
    """What a preflight hazard stops is stopped before any collection is begun."""
    for plan in plans:
        plan.hazards += plan.unmatched if strict else [replace(one, demoted=True) for one in plan.unmatched]
    stopping = [str(one) for plan in plans for one in plan.stopping]
    if stopping:
        raise PreflightError(stopping)


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
    way_back = "The originals of what is changed are kept in the vault." if vault else "There is no way back."
    if shadows:
        way_back = "The originals are kept beside them." if kept else "There is no way back."
    how = "and put the masked shadows in their place" if shadows else "in place"
    if not click.confirm(f"Mask {listed} {how}? {way_back}", err=True):
        raise Interrupted("not confirmed; nothing was written")
