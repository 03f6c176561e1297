"""`phimask resume`: go on with a run that stopped, failed or was killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, cast

import click
from pymongo.errors import PyMongoError

from phimask.cli.ending import run_ending
from phimask.cli.options import Flags, accept_option, as_json_option, ending_flags, run_flags
from phimask.cli.run import mask, refuse_hazards, run_command
from phimask.cli.session import Session, open_session
from phimask.cli.show import say
from phimask.cli.steer import opened_ledger
from phimask.engine.beginning import sampled, take_up, unfinished
from phimask.engine.left_open import end_left_open
from phimask.engine.shadow import settle
from phimask.errors import UsageError
from phimask.ledger.opening import Ledger, asking
from phimask.ledger.run_record import ENDED, SILENCE_SECONDS, RunRecord, from_text
from phimask.ledger.runs import Runs
from phimask.planning.plan import Scope
from phimask.store.retry import terminal_error

_A_LITTLE: Final = 5.0
run_masking: Final = cast("Callable[..., int]", run_command.callback)


@click.command("resume")
@click.argument("run", required=False)
@run_flags
@accept_option
@click.option(
    "--or-begin",
    is_flag=True,
    help="For a schedule: where no run is unfinished, begin one, and ask nothing; wait for one that was just killed.",
)
@ending_flags
@as_json_option
def resume_command(flags: Flags, run: str | None, or_begin: bool, as_json: bool, **ending: Any) -> int:
    """Go on with RUN, or with the latest run that is not finished, where the ledger says it stands.

    Rules, key, collections and phimask version have to be those that it began with. The profile may be another.
    """
    if or_begin:
        if run is not None:
            raise UsageError("--or-begin goes on with the latest run; leave RUN out")
        if not _anything_unfinished(flags):
            given = {name: getattr(flags, name) for name in flags.__dataclass_fields__}
            return int(run_masking(**given, yes=True, again=False, dry_run=False, as_json=as_json, **ending))
    if flags.query is not None or flags.limit is not None:
        raise UsageError("--query and --limit are the run's own; leave them out")
    with opened_ledger(flags.uri, flags.database) as ledger:
        record = unfinished(Runs(ledger), run)
    flags = replace(
        flags,
        profile=flags.profile or record.profile,
        database=flags.database or record.pins[0].namespace.partition(".")[0],
        collections=flags.collections or tuple(pin.file for pin in record.pins),
        accept=(*flags.accept, *(one["id"] for one in record.accepted)),
    )
    with run_ending(record.id, as_json=as_json, **ending) as finish:
        with open_session(
            flags, demo_allowed=False, scope=Scope(from_text(record.query), record.limit), run=record.id
        ) as session:
            deployments = session.deployments()
            with asking(deployments.ledger):
                end_left_open(session.source, Runs(deployments.ledger), record.id)
            _settle(session, deployments.ledger, record)
            plans = session.plans(detect=False, sampled=sampled(record))
            refuse_hazards(plans, strict=False)
            with asking(deployments.ledger):
                epoch = take_up(
                    Runs(deployments.ledger), record, plans, session.configuration, session.key_fingerprint
                )
            say(f"going on with run {record.id}")
            outcome = mask(session, deployments, plans, record, epoch, finish.most_seconds)
            over_time = finish.recorded(deployments.ledger, record.id)
        return finish(outcome, over_time)


def _anything_unfinished(flags: Flags) -> bool:
    """Whether there is a run to go on with. One whose process or machine was killed just now only seems to be live;
    its successor must not fail for that."""
    until = time.monotonic() + SILENCE_SECONDS + _A_LITTLE
    with opened_ledger(flags.uri, flags.database) as ledger:
        while True:
            with asking(ledger):
                open_ = [one for one in Runs(ledger).latest(20) if one.state not in (*ENDED, "rolling_back")]
            if not open_ or not open_[0].live or time.monotonic() > until:
                return bool(open_)
            time.sleep(0.5)


def _settle(session: Session, ledger: Ledger, record: RunRecord) -> None:
    """Between two renames nothing has the collection's name, and there would be nothing to plan for."""
    if record.live or not any(pin.shadow for pin in record.pins):
        return
    try:
        settle(session.source, Runs(ledger), record.id)
    except PyMongoError as error:
        raise terminal_error(error, f"finding out where run {record.id} stands") from None
