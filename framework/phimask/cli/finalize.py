"""`phimask finalize`: destroy the key to a run's originals, and with it the way back."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import click

from phimask.cli.show import answer, say
from phimask.cli.undoing import Undoable, confirm, open_undoable, undoing_flags
from phimask.engine.indexes import bring_back
from phimask.engine.shadow_end import ShadowEnd, is_shadowed
from phimask.errors import StoreError, UsageError, VaultError
from phimask.ledger.indexes import KeptIndexes
from phimask.ledger.partitions import Partitions
from phimask.ledger.remembered import forget
from phimask.ledger.rollbacks import Rollbacks
from phimask.ledger.run_record import ENDED
from phimask.ledger.runs import Runs
from phimask.observing.moments import iso
from phimask.vault.vault import open_storage


@click.command("finalize")
@undoing_flags
@click.option("--vault-gone", is_flag=True, help="The vault was lost: mark the run as final all the same.")
def finalize_command(
    run: str,
    yes: bool,
    vault_gone: bool,
    profile: str | None,
    settings: tuple[str, ...],
    uri: str | None,
    database: str | None,
    as_json: bool,
) -> int:
    """Destroy the key to the originals that RUN kept, then the originals: nobody can roll it back any more.

    What the ledger remembers of originals for `leak` is deleted. Of a run through shadows, the original collections
    that it kept are dropped.

    A run that is not finished is given up by it: what is not masked stays so, and its collections are free.
    """
    with open_undoable(run, uri, database, profile, settings, doing="finalizing") as undoable:
        result = _finalize(undoable, yes=yes, vault_gone=vault_gone)
    if as_json:
        answer(result)
    return 0


def _finalize(undoable: Undoable, *, yes: bool, vault_gone: bool) -> dict[str, Any]:
    record = undoable.record
    if is_shadowed(record):
        return _finalize_shadows(undoable, yes=yes)
    question = f"Make run {record.id} final? Its documents can never be rolled back after that."
    if record.state == "rolling_back":
        question += " A rollback of it was cut off: what it has not put back stays masked."
    elif record.state not in ENDED:
        question += f" It is not finished ({record.state}): what is not masked yet stays so."
    kept = record.vault is not None and not vault_gone
    if kept:
        _refuse_elsewhere(undoable)
    confirm(question, yes=yes)
    _refuse_taken_up(undoable)
    _bring_indexes_back(undoable)
    forget(undoable.ledger, record.id)
    destroyed, segments = False, 0
    if kept:
        storage = open_storage(undoable.vault(), record.id)
        try:
            destroyed = storage.destroy_key()
            _note(undoable)
            segments = storage.delete_segments()
        finally:
            storage.close()
    else:
        _note(undoable)
    Rollbacks(undoable.ledger, record.id).forget()
    said = "the key to its originals is destroyed" if kept else "it had no vault to destroy"
    say(f"run {record.id} is final: {said}")
    return {"run_id": record.id, "state": "finalized", "key_destroyed": destroyed, "parts_removed": segments}


def _bring_indexes_back(undoable: Undoable) -> None:
    """Those that the run dropped and nobody built again; what cannot be built keeps nobody from being done with it."""
    kept = KeptIndexes(undoable.ledger, undoable.record.id)
    try:
        built = bring_back(undoable.client, kept, warn=say)
    except StoreError as error:
        say(str(error))
        return
    for namespace, names in built.items():
        say(f"{namespace}: built again: {', '.join(names)}")


def _finalize_shadows(undoable: Undoable, *, yes: bool) -> dict[str, Any]:
    record = undoable.record
    runs = Runs(undoable.ledger)
    end = ShadowEnd(undoable.client, runs, record)
    originals = end.originals()
    question = f"Make run {record.id} final?"
    if originals:
        question += f" {', '.join(originals)} will be dropped, and nothing brings back what is in there."
    if record.state not in ENDED:
        question += (
            f" It is not finished ({record.state}): shadows that are not in their place yet are dropped too."
        )
    confirm(question, yes=yes)
    _refuse_taken_up(undoable)
    if record.state not in ENDED:
        runs.begin_rollback(record)  # nobody fills a shadow any more
    dropped = end.finish()
    states = end.states()
    masked = [one for one, state in states.items() if state["state"] == "swapped"]
    runs.mark(record.id, "finalized", masked=bool(masked))
    end.note()
    said = []
    if masked:
        said.append(f"dropped {', '.join(dropped)}" if dropped else "no original is kept")
    if as_before := [one for one in states if one not in masked]:
        said.append(f"{', '.join(as_before)} as it was before the run, and its shadow is dropped")
    say(f"run {record.id} is final: {'; '.join(said) or 'there was nothing to drop'}")
    return {
        "run_id": record.id,
        "state": "finalized",
        "key_destroyed": False,
        "parts_removed": 0,
        "originals_dropped": dropped,
    }


def _refuse_taken_up(undoable: Undoable) -> None:
    run = undoable.record.id
    now = Runs(undoable.ledger).find(run)
    if now is None or now.live:
        raise UsageError(f"run {run} was taken up by somebody else just now; see `phimask status {run}`")


def _refuse_elsewhere(undoable: Undoable) -> None:
    """Whoever is told that a key is destroyed must be able to rely on it."""
    record = undoable.record
    storage = open_storage(undoable.vault(), record.id)
    damage: list[str] = []
    try:
        there = storage.read_key() is not None or bool(storage.parts(damage) or damage)
    except (OSError, VaultError):
        there = True  # whatever it is, it is to be removed
    finally:
        storage.close()
    if not there and record.state != "finalized":
        raise VaultError(f"{undoable.not_there(storage.where)}, or, if it was lost, give --vault-gone")


def _note(undoable: Undoable) -> None:
    """The run's report says so from now on."""
    runs, run = Runs(undoable.ledger), undoable.record.id
    in_place = [pin.namespace for pin in undoable.record.pins if pin.target is None]
    if undoable.record.state != "finalized":
        # What is masked in part is masked again only where that is asked for; what was put back is not masked.
        touched = any(Partitions(undoable.ledger, run, one).touched() for one in in_place)
        runs.mark(run, "finalized", masked=touched and undoable.record.state != "rolled_back")
    report = runs.report(run)
    if report is not None:
        now = datetime.now(timezone.utc)
        runs.keep_report(run, {**report, "undo": {"state": "destroyed", "at": iso(now)}})
