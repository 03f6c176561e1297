"""How a run begins, and how it is taken up again: what is pinned to it, and what has changed since."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import bson

import phimask
from phimask.config.model import Configuration
from phimask.errors import PreflightError, UsageError
from phimask.ledger.identities import packed, unpacked
from phimask.ledger.opening import make_applied
from phimask.ledger.run_record import ENDED, Pin, RunRecord, as_text, from_text
from phimask.ledger.runs import Runs
from phimask.masking.keys import MaskingKey
from phimask.planning.classifier import Classifier
from phimask.planning.hazards import hazard
from phimask.planning.plan import CollectionPlan
from phimask.planning.prescan import Prescan
from phimask.planning.write_path import PathPlan
from phimask.store.connect import has_transactions
from phimask.vault.vault import VaultSetting, open_storage, open_vault


def guarded(plans: Sequence[CollectionPlan], configuration: Configuration) -> bool:
    """Whether batches are transactions. Raises PreflightError where they are to be and cannot."""
    wanted = configuration.profile.write.guard
    if wanted == "none" or not any(plan.target is None for plan in plans):
        return False
    if has_transactions(plans[0].source.client):
        return True
    if wanted == "changed":
        raise PreflightError(
            [
                "the deployment is a standalone server, which has no transactions, and the profile asks for them "
                "(write.guard: changed); where nobody else writes to the collection meanwhile, give --set "
                "write.guard=none"
            ]
        )
    for plan in plans:
        plan.hazards.append(
            hazard(
                "standalone",
                plan.source,
                ": a standalone server has no transactions: nobody else may write to the collection while it is masked",
            )
        )
    return False


def pins(plans: Sequence[CollectionPlan], configuration: Configuration) -> tuple[Pin, ...]:
    """What a run of these plans is bound to."""
    return tuple(
        Pin(
            namespace=plan.namespace,
            uuid=plan.preflight.uuid,
            target=None if plan.target is None else str(plan.target),
            file=name,
            rules=digest,
            projection=as_text(plan.scan.projection),
            classes=dict(plan.scan.classes),
            classifier=None if plan.scan.classifier is None else plan.scan.classifier.document(),
            path=plan.write_path.path,
            top=packed(plan.indexed.last_id() if plan.indexed is not None else None),
            shadow=plan.shadow is not None,
            indexes=tuple(bson.encode(one) for one in plan.preflight.indexes),
            documents=plan.documents,
        )
        for plan, name, digest in zip(
            plans, configuration.project.collections, configuration.rule_digests, strict=True
        )
    )


def obstacles(runs: Runs, bound: Sequence[Pin], *, again: bool) -> list[str]:
    """Other runs that stand in the way of a new one, each with what to do. `again`: a collection that was masked is to
    be masked once more."""
    hazards: list[str] = []
    for pin in bound:
        held = runs.claims.holder(pin)
        if held is not None:
            hazards.append(held)
        elif not again and (masked := _masked_already(runs, pin)) is not None:
            hazards.append(masked)
    return hazards


def _masked_already(runs: Runs, pin: Pin) -> str | None:
    copies = pin.target is not None and not pin.shadow
    done = None if copies else runs.completed(pin.claim)
    if done is None:
        return None
    return (
        f"{pin.namespace}: run {done.id} has masked it already, and masking it again would mask masked values (a date "
        "shifted twice, say); give --again if that is meant"
    )


def begin(
    runs: Runs,
    run_id: str,
    plans: Sequence[CollectionPlan],
    configuration: Configuration,
    keys: Sequence[MaskingKey],
    *,
    again: bool,
) -> tuple[RunRecord, int]:
    """Enter a new run; its record, and the number under which this coordinator has it. `again`: see `obstacles`.

    Raises PreflightError, and VaultError where originals are to be kept and cannot be.
    """
    key_fingerprint = keys[0].fingerprint if keys else None
    guard = guarded(plans, configuration)
    if guard:
        make_applied(plans[0].source.client, runs.ledger.database, runs.ledger.prefix)
    record = RunRecord(
        id=run_id,
        state="running",
        command="run",
        profile=configuration.project.profile or configuration.profile.name,
        version=phimask.__version__,
        key_fingerprint=key_fingerprint,
        pins=pins(plans, configuration),
        query=as_text(plans[0].scope.query) if plans else None,
        limit=plans[0].scope.limit if plans else None,
        guard=guard,
        journal=configuration.profile.write.journal,
        vault=_make_vault(run_id, plans, configuration, keys),
        salt=None if key_fingerprint is not None else secrets.token_bytes(32),
        accepted=accepted(plans),
    )
    epoch = runs.begin(record)
    # Another run may have begun and ended since obstacles were looked for; now none can any more.
    masked = [] if again else [one for pin in record.pins if (one := _masked_already(runs, pin)) is not None]
    if masked:
        runs.withdraw(run_id)
        raise PreflightError(masked)
    return record, epoch


def accepted(
    plans: Sequence[CollectionPlan], before: Sequence[Mapping[str, Any]] = ()
) -> tuple[Mapping[str, Any], ...]:
    """The hazards that a person has decided on, `before` and now, as the ledger and the report keep them."""
    known: dict[tuple[Any, ...], Mapping[str, Any]] = {
        (one["id"], one["namespace"], one["path"], one["index"]): one for one in before
    }
    for plan in plans:
        for one in plan.hazards:
            if one.severity == "decide" and one.id in plan.accepts:
                entry = {"id": one.id, "namespace": plan.namespace, "path": one.path, "index": one.index}
                known.setdefault(tuple(entry.values()), {**entry, "what": one.what})
    return tuple(known.values())


def _make_vault(
    run_id: str, plans: Sequence[CollectionPlan], configuration: Configuration, keys: Sequence[MaskingKey]
) -> str | None:
    """Where the run's originals are kept, ready to be written to; None where it keeps none, as copies do."""
    setting = configuration.profile.undo.vault
    if setting is None or not any(plan.target is None for plan in plans):
        return None
    if not configuration.profile.write.journal:
        raise PreflightError(
            ["a vault (undo.vault) needs the journal (write.journal: true); leave out one of the two"]
        )
    with open_vault(setting, run_id, keys[0], create=True) as vault:
        return vault.where


def _where(setting: VaultSetting, run_id: str) -> str:
    storage = open_storage(setting, run_id)
    storage.close()
    return storage.where


def unfinished(runs: Runs, run_id: str | None) -> RunRecord:
    """The run to go on with: the one that is named, or the latest. Raises UsageError."""
    if run_id is None:
        over = (*ENDED, "rolling_back")
        found = next((one for one in runs.latest(20) if one.state not in over), None)
        if found is None:
            raise UsageError("no run is unfinished; `phimask status` lists the last ones")
    else:
        found = runs.find(run_id)
        if found is None:
            raise UsageError(f"the ledger knows no run {run_id}; `phimask status` lists the last ones")
    if found.state in ENDED:
        raise UsageError(f"run {found.id} is {found.state}: there is nothing left to resume")
    if found.state == "rolling_back":
        raise UsageError(
            f"a rollback of run {found.id} was cut off; go on with `phimask rollback {found.id}`, and then mask anew"
        )
    if not found.journal:
        raise UsageError(
            f"run {found.id} was made without a journal (write.journal: false), so nobody can tell what is masked "
            f"already; give it up with `phimask finalize {found.id}`"
        )
    return found


def sampled(record: RunRecord) -> dict[str, Prescan]:
    """What the sample showed when the run began, by namespace: whoever goes on need not take one again."""
    return {
        pin.namespace: Prescan(
            classes=Counter(pin.classes),
            projection=from_text(pin.projection),
            classifier=None if pin.classifier is None else Classifier.of(pin.classifier),
        )
        for pin in record.pins
    }


def take_up(
    runs: Runs,
    record: RunRecord,
    plans: Sequence[CollectionPlan],
    configuration: Configuration,
    key_fingerprint: str | None,
) -> int:
    """Become the run's coordinator, its pins laid over the plans; the number comes back under which it is one.

    Raises PreflightError with all that has changed since the run began, and UsageError where it is live.
    """
    record = unfinished(runs, record.id)  # planning took its time
    changed = differences(record, pins(plans, configuration), key_fingerprint)
    setting = configuration.profile.undo.vault
    where = None if setting is None else _where(setting, record.id)
    if record.vault is not None and where != record.vault:
        changed.append(
            f"its originals are kept in {record.vault}, and the profile names {where or 'no vault'}"
        )
    elif record.vault is None and where is not None and any(plan.target is None for plan in plans):
        changed.append(
            "it began without a vault, so that what it has masked cannot be put back, and the profile names "
            f"{where}; go on without one, --set undo.vault=null"
        )
    if changed:
        raise PreflightError([f"run {record.id} cannot be resumed: {one}" for one in changed])
    for plan, pin in zip(plans, record.pins, strict=True):
        # What was read then is read now: fingerprints are of that.
        plan.scan.projection = from_text(pin.projection)
        # And what was to be put whole in its place is read whole.
        plan.write_path = PathPlan(pin.path, "as the run began", plan.write_path.measured)
        if plan.indexed is not None:
            plan.indexed.end_at(unpacked(pin.top))
    runs.accept(record.id, accepted(plans, record.accepted))
    return runs.claim(record.id)


def differences(record: RunRecord, now: Sequence[Pin], key_fingerprint: str | None) -> list[str]:
    """What is no longer as it was when the run began, and what would be right."""
    found: list[str] = []
    if record.version != phimask.__version__:
        found.append(
            f"phimask {record.version} began it, and this is {phimask.__version__}; install that version to go on"
        )
    if record.key_fingerprint != key_fingerprint:
        found.append(
            f"it began under the key {record.key_fingerprint or '(none)'}, and the one that is set is "
            f"{key_fingerprint or '(none)'}; set the first"
        )
    if [pin.namespace for pin in record.pins] != [pin.namespace for pin in now]:
        found.append(
            f"it masks {', '.join(pin.namespace for pin in record.pins)}, and the configuration names "
            f"{', '.join(pin.namespace for pin in now)}"
        )
        return found
    for was, pin in zip(record.pins, now, strict=True):
        if was.uuid != pin.uuid:
            found.append(f"{pin.namespace} was dropped or replaced since: it is another collection now")
        if was.rules != pin.rules:
            found.append(
                f"the rules of {pin.namespace} ({was.file}) have changed; put back those it began with"
            )
        if was.target != pin.target:
            found.append(
                f"{pin.namespace} went into {was.target or 'no target'}, and now {pin.target or 'no target'} is named; "
                "name the first again"
            )
    return found
