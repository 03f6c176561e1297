"""`phimask resume`: go on with a run that stopped, failed or was killed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from phimask.cli.options import Flags, as_json_option, ending_flags, run_flags
from phimask.cli.run import mask, refuse_hazards, run_ending
from phimask.cli.session import open_session
from phimask.cli.show import say
from phimask.cli.steer import opened_ledger
from phimask.engine.beginning import sampled, take_up, unfinished
from phimask.errors import UsageError
from phimask.ledger.opening import asking
from phimask.ledger.runs import Runs, from_text
from phimask.planning.plan import Scope


@click.command("resume")
@click.argument("run", required=False)
@run_flags
@ending_flags
@as_json_option
def resume_command(flags: Flags, run: str | None, as_json: bool, **ending: Any) -> int:
    """Go on with RUN, or with the latest run that is not finished, where the ledger says it stands.

    Rules, key, collections and phimask version have to be those that it began with. The profile may be another.
    """
    if flags.query is not None or flags.limit is not None:
        raise UsageError("--query and --limit are the run's own; leave them out")
    with opened_ledger(flags.uri, flags.database) as ledger:
        record = unfinished(Runs(ledger), run)
    flags = replace(
        flags,
        profile=flags.profile or record.profile,
        database=flags.database or record.pins[0].namespace.partition(".")[0],
        collections=flags.collections or tuple(pin.file for pin in record.pins),
    )
    with run_ending(record.id, as_json=as_json, **ending) as finish:
        with open_session(
            flags, demo_allowed=False, scope=Scope(from_text(record.query), record.limit)
        ) as session:
            plans = session.plans(detect=False, sampled=sampled(record))
            refuse_hazards(plans, strict=False)
            deployments = session.deployments()
            with asking(deployments.ledger):
                epoch = take_up(
                    Runs(deployments.ledger), record, plans, session.configuration, session.key_fingerprint
                )
            say(f"going on with run {record.id}")
            outcome = mask(session, deployments, plans, record, epoch, finish.most_seconds)
        return finish(outcome)
