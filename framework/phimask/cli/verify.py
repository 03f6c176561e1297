"""`phimask verify`: check a masked collection, all documents."""

from __future__ import annotations

from collections.abc import Sequence

import click

from phimask.cli.options import Flags, as_json_option, run_flags
from phimask.cli.session import Session, open_session
from phimask.cli.show import answer, say
from phimask.engine.checking import Checked, Checks
from phimask.engine.control import StopSignal, stop_on_signals
from phimask.engine.verification import verify_copy, verify_in_place
from phimask.errors import FindingsError, PreflightError
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan
from phimask.planning.shadow import ORIGINAL, beside
from phimask.plugins.events import Event


@click.command("verify")
@run_flags
@as_json_option
def verify_command(flags: Flags, as_json: bool) -> None:
    """Check every document of a masked collection. Exit code 3 if anything is found.

    With a target, the copy is held against its source by every validator, and what was masked through a shadow against
    its original, where that is kept. In place there are no originals: what an
    idempotent masker would still change is not masked, and rules with other maskers are named as not judged.
    """
    stop = StopSignal()
    results: dict[str, list[Checked]] = {}
    with open_session(flags, demo_allowed=False) as session, stop_on_signals(stop):
        for plan in session.plans(detect=False, shadows=False):
            refusing = [one.what for one in plan.hazards if one.severity == "refuses"]
            if refusing:
                raise PreflightError(refusing)
            results[plan.namespace] = _verify(plan, session, stop)
    if as_json:
        answer({namespace: [_entry(one) for one in checked] for namespace, checked in results.items()})
    found = sum(len(one.findings) for checked in results.values() for one in checked)
    if found:
        raise FindingsError(f"verification found something: {found} finding(s)")


def _verify(plan: CollectionPlan, session: Session, stop: StopSignal) -> list[Checked]:
    def progress(event: Event) -> None:  # a verification is short beside its run: the result is enough
        del event

    source, target = plan.source.raw(), None if plan.target is None else plan.target.raw()
    original = _kept_original(plan, session)
    if original is not None:
        source, target = original.raw(), source
    if target is None:
        checked, unjudged = verify_in_place(plan, source, progress, stop)
        if unjudged := unjudged & _matched(plan):
            listed = ", ".join(sorted(unjudged))
            say(f"{plan.namespace}: cannot be judged in place, since masking again changes them: {listed}")
    else:
        validators = [
            session.registry.create("validator", name, {}, rules=plan.facts)
            for name in session.registry.names("validator")
        ]
        checked = verify_copy(plan, source, target, Checks("after", validators), (), progress, stop)
    _say(plan.namespace, checked)
    return checked


def _kept_original(plan: CollectionPlan, session: Session) -> Namespace | None:
    """What a collection that was masked through a shadow was made from, where that is kept."""
    where = session.configuration.project.target
    if where is None or where.shadow is None:
        return None
    kept = [name for name in beside(plan.source) if f".{ORIGINAL}_" in name]
    return Namespace(session.source, plan.source.database, kept[0]) if len(kept) == 1 else None


def _matched(plan: CollectionPlan) -> set[str]:
    """The paths of rules that met a value in the sample."""
    return {rule.path for rule, count in zip(plan.rules, plan.scan.matched, strict=True) if count}


def _say(namespace: str, checked: Sequence[Checked]) -> None:
    for one in checked:
        say(f"{namespace}: {one.validator}: {one.checked:,} checked, {'ok' if not one.findings else 'FOUND'}")
        for finding in one.findings:
            place = f" at {finding.path}" if finding.path else ""
            say(f"  {finding.count:,} x {finding.what}{place}")


def _entry(one: Checked) -> dict[str, object]:
    return {
        "validator": one.validator,
        "phase": one.phase,
        "checked": one.checked,
        "findings": [{"what": f.what, "path": f.path, "count": f.count} for f in one.findings],
        "ok": not one.findings,
    }
