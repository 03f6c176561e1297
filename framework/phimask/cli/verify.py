"""`phimask verify`: check a masked collection, all documents or a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from pymongo.errors import PyMongoError

from phimask.cli.options import Flags, as_json_option, at_most_all, run_flags
from phimask.cli.session import Session, open_session
from phimask.cli.show import answer, say
from phimask.config.components import complete_options
from phimask.config.model import ComponentChoice
from phimask.engine.beginning import pins
from phimask.engine.checking import Checked
from phimask.engine.collection_facts import as_it_was
from phimask.engine.control import StopSignal, stop_on_signals
from phimask.engine.deployments import Deployments
from phimask.engine.job import Where
from phimask.engine.masked_before import MaskedBefore
from phimask.engine.processes import processes_for
from phimask.engine.verification import Verifier
from phimask.errors import FindingsError, PreflightError, UsageError
from phimask.ledger.run_record import Pin
from phimask.ledger.runs import Runs
from phimask.observing.verified import verification_entry
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan
from phimask.planning.shadow import ORIGINAL, beside
from phimask.plugins.events import Event
from phimask.store.retry import terminal_error


@click.command("verify")
@run_flags
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="N",
    callback=at_most_all,
    help="So many random documents instead of all; what that says of the others is told, too.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="So many processes; else as many as the profile's executor has.",
)
@as_json_option
def verify_command(flags: Flags, sample: int | None, workers: int | None, as_json: bool) -> None:
    """Check every document of a masked collection. Exit code 3 if anything is found.

    With a target, the copy is held against its source by every validator, and what was masked through a shadow against
    its original, where that is kept. What was masked in place is held against the originals in the run's vault, where
    it has one. Elsewhere there are no originals: what an idempotent masker would still change is not masked, and what
    cannot be judged is named.
    """  # fmt: skip
    if sample is not None and flags.limit is not None:
        raise UsageError("--sample draws from all documents, and --limit takes the first; give one of them")
    stop = StopSignal()
    results: dict[str, list[Checked]] = {}
    with open_session(flags, demo_allowed=False) as session, stop_on_signals(stop):
        profile = session.configuration.profile
        verifier = Verifier(
            session.configuration,
            session.registry,
            session.keys,
            _nothing,
            stop,
            workers or processes_for(profile),
            sample,
        )
        plans = session.plans(detect=False, shadows=False, only_read=True)
        for plan, pin in zip(plans, pins(plans, session.configuration), strict=True):
            refusing = [one.what for one in plan.hazards if one.severity == "refuses"]
            if refusing:
                raise PreflightError(refusing)
            results[plan.namespace] = _verify(plan, pin, session, verifier)
    if as_json:
        answer({namespace: [_entry(one) for one in checked] for namespace, checked in results.items()})
    found = sum(len(one.findings) for checked in results.values() for one in checked)
    if found:
        raise FindingsError(f"verification found something: {found} finding(s)")


def _nothing(event: Event) -> None:  # a verification is short beside its run: the result is enough
    del event


def _verify(plan: CollectionPlan, pin: Pin, session: Session, verifier: Verifier) -> list[Checked]:
    choices = _all_validators(session)
    here = plan.source, Where(session.uri, plan.source.database, plan.source.collection)
    original = _kept_original(plan, session)
    if original is not None:
        before = as_it_was(
            str(original), original.client[original.database][original.collection].list_indexes()
        )
        source = original, Where(session.uri, original.database, original.collection)
        checked = verifier.copy(plan, source, here, choices, None, before)
    elif plan.target is not None:
        target = (
            plan.target,
            Where(session.target_uri or session.uri, plan.target.database, plan.target.collection),
        )
        run = MaskedBefore.of(pin, lambda: _deployments(pin, session, "documents that were left out"))
        try:
            left_out = None if run is None else run.left_out()
        except PyMongoError as error:
            raise terminal_error(error, "asking the ledger which documents were left out") from None
        checked = verifier.copy(plan, here, target, choices, left_out, None)
    else:
        checked = _in_place(plan, pin, session, verifier, here, choices)
    _say(plan.namespace, checked)
    return checked


def _in_place(
    plan: CollectionPlan,
    pin: Pin,
    session: Session,
    verifier: Verifier,
    here: tuple[Namespace, Where],
    choices: Sequence[ComponentChoice],
) -> list[Checked]:
    run = MaskedBefore.of(pin, lambda: _deployments(pin, session, "originals to compare with"))
    before = None if run is None else run.collection()
    try:
        originals = None if run is None else run.originals()
    except PyMongoError as error:
        raise terminal_error(error, "asking the ledger for the run's partitions") from None
    if originals is None or session.configuration.profile.undo.vault is None:
        if originals is not None:
            say(
                f"{plan.namespace}: run {originals.run} kept its originals in a vault, and the profile "
                f"{session.configuration.profile.name} names none: --set undo.vault=..."
            )
        remembered = None if run is None else run.remembered(session.keys)
        return verifier.alone(plan, here, choices, before, remembered)
    if verifier.samples:
        raise UsageError(
            "--sample is not for what was masked in place with a vault, which is read as a whole"
        )
    return verifier.kept(plan, here, choices, originals, before)


def _deployments(pin: Pin, session: Session, what: str) -> Deployments:
    """With the ledger. Says what an unfinished run leaves to be found. Raises PreflightError, and says that nothing is
    known of `what` then."""
    try:
        found = session.deployments(create=False)
    except PreflightError as error:
        say(f"warning: {error}; without it, nothing is known of {what}")
        raise
    if (unfinished := Runs(found.ledger).claims.holder(pin)) is not None:
        say(f"warning: {unfinished}")
    return found


def _all_validators(session: Session) -> list[ComponentChoice]:
    """Every one that is installed, with the options that the profile gives it, if it does."""
    chosen = {one.name: one for one in session.configuration.profile.validators}
    origin = session.configuration.profile.origin
    return [
        chosen.get(name)
        or ComponentChoice(name, complete_options("validator", name, {}, session.registry), origin)
        for name in session.registry.names("validator")
    ]


def _kept_original(plan: CollectionPlan, session: Session) -> Namespace | None:
    """What a collection that was masked through a shadow was made from, where that is kept."""
    where = session.configuration.project.target
    if where is None or where.shadow is None:
        return None
    kept = [name for name in beside(plan.source) if f".{ORIGINAL}_" in name]
    return Namespace(session.source, plan.source.database, kept[0]) if len(kept) == 1 else None


def _say(namespace: str, checked: Sequence[Checked]) -> None:
    for one in checked:
        verdict = "ok" if one.ok else "FOUND" if one.findings else "cannot judge"
        say(f"{namespace}: {one.validator}: {one.checked:,} checked, {verdict}")
        if (sample := _entry(one)["sample"]) is not None:
            say(
                f"  of {sample['of']:,}: with {sample['confidence']:.0%} confidence at most "
                f"{sample['share_at_most']:.3%} of all have a finding"
            )
        for finding in one.findings:
            place = f" at {finding.path}" if finding.path else ""
            say(f"  {finding.count:,} x {finding.what}{place}")
        for finding in one.unjudged:
            place = f"{finding.path}: " if finding.path else ""
            say(f"  not judged: {place}{finding.what}")


def _entry(one: Checked) -> dict[str, Any]:
    return verification_entry(
        one.validator,
        one.phase,
        one.checked,
        {(each.what, each.path): each.count for each in one.findings},
        {(each.what, each.path): each.count for each in one.unjudged},
        one.affected,
        one.of,
        one.judged,
    )
