"""`phimask rollback`: put the originals of a run's documents back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from phimask.cli.ending import refuse_nowhere, write
from phimask.cli.show import answer, say
from phimask.cli.undoing import Undoable, confirm, open_undoable, undoing_flags
from phimask.config.model import KeySource
from phimask.engine.control import StopSignal, stop_on_signals
from phimask.engine.masked_since import masked_since
from phimask.engine.rollback import Means, Rollback
from phimask.engine.shadow_end import ShadowEnd, is_shadowed
from phimask.errors import (
    FindingsError,
    KeyMaterialError,
    PhimaskError,
    PreflightError,
    UsageError,
    VaultError,
)
from phimask.ledger.partitions import Partitions
from phimask.ledger.runs import Runs
from phimask.masking.keys import MaskingKey
from phimask.vault.vault import VaultSetting, open_storage, open_vault


@click.command("rollback")
@undoing_flags
@click.option(
    "--skip-damaged", is_flag=True, help="Put back what can be, where the vault is damaged or incomplete."
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what was done, and all conflicts, as JSON here.",
)
def rollback_command(
    run: str,
    yes: bool,
    skip_damaged: bool,
    report_file: Path | None,
    profile: str | None,
    settings: tuple[str, ...],
    uri: str | None,
    database: str | None,
    as_json: bool,
) -> int:
    """Put the originals that RUN replaced back, from its vault, or, where it masked through shadows, by renaming the
    original collections that it kept.

    Documents that others changed since, at a masked path, are left as they are and listed. A rollback that was cut off
    goes on when the command is given again.
    """
    refuse_nowhere({"--report": report_file})
    with open_undoable(run, uri, database, profile, settings, doing="rolling back") as undoable:
        shadowed = is_shadowed(undoable.record)
        report = (
            _put_back(undoable, yes=yes)
            if shadowed
            else _roll_back(undoable, yes=yes, skip_damaged=skip_damaged)
        )
    if as_json:
        answer(report)
    if report_file is not None:
        _write(report_file, report)
    if not shadowed:
        _judge(report)
    return 0


def _roll_back(undoable: Undoable, *, yes: bool, skip_damaged: bool) -> dict[str, Any]:
    record = undoable.record
    setting = _vault_of(undoable)
    _refuse_masked_since(undoable)
    key = _key_of(undoable, setting)
    stop = StopSignal()
    with open_vault(setting, record.id, key, create=False) as vault, stop_on_signals(stop):
        means = Means(undoable.client, undoable.ledger, vault, key, undoable.profile.retry, stop, say)
        work = Rollback(means, record, skip_damaged=skip_damaged)
        contents = work.examine()
        for line in contents.damage:
            say(f"skipped: {line}")
        listed = ", ".join(
            f"{pin.namespace} (about "
            f"{Partitions(undoable.ledger, record.id, pin.namespace).tally().masked:,} documents)"
            for pin in record.pins
        )
        confirm(f"Put the originals of run {record.id} back into {listed}?", yes=yes)
        return work.run(contents)


def _refuse_masked_since(undoable: Undoable) -> None:
    """Under what a later run has masked, no document is what this one left. Raises PreflightError."""
    again = masked_since(undoable.client, Runs(undoable.ledger), undoable.record)
    first = [
        f"{one.namespace}: run {one.run} masked it again since; put that one's originals back first: `phimask rollback "
        f"{one.run}`"
        for one in again
        if one.undoable
    ]
    if first:
        raise PreflightError(first)
    for one in again:
        say(
            f"{one.namespace}: run {one.run} masked it again since, and there is no way back from that: documents that "
            "it changed will stay as they are"
        )


def _put_back(undoable: Undoable, *, yes: bool) -> dict[str, Any]:
    """Of a run through shadows."""
    record = undoable.record
    runs = Runs(undoable.ledger)
    if record.state == "finalized":
        raise UsageError(f"run {record.id} is finalized: nothing of its originals is kept")
    end = ShadowEnd(undoable.client, runs, record)
    end.refuse_lost()
    listed = ", ".join(pin.namespace for pin in record.pins)
    confirm(
        f"Undo run {record.id} on {listed}? The originals get their names back, and what was masked is dropped, with "
        "all that was written to it since.",
        yes=yes,
    )
    runs.begin_rollback(record)
    end.put_back()
    runs.mark(record.id, "rolled_back")
    end.note()
    say(f"run {record.id} is undone: {listed} as before")
    return {"run_id": record.id, "state": "rolled_back", "collections": end.states()}


def _vault_of(undoable: Undoable) -> VaultSetting:
    record = undoable.record
    if record.pins and all(pin.target is not None for pin in record.pins):
        targets = ", ".join(str(pin.target) for pin in record.pins)
        raise UsageError(
            f"run {record.id} copied into a target and changed nothing in place: there is nothing to roll back; drop "
            f"{targets} instead"
        )
    if record.state == "finalized":
        raise VaultError(
            f"run {record.id} is finalized: the key to its originals was destroyed, and nothing opens them"
        )
    if record.vault is None:
        raise VaultError(f"run {record.id} kept no originals: its profile named no vault under undo.vault")
    return undoable.vault()


def _key_of(undoable: Undoable, setting: VaultSetting) -> MaskingKey:
    """Of the keys that the project names, the one that opens this vault; else the first, to be told so."""
    storage = open_storage(setting, undoable.record.id)
    try:
        stored = storage.read_key()
    finally:
        storage.close()
    if stored is None:
        raise undoable.not_there(storage.where)
    project = undoable.project
    keys = [MaskingKey.load(project.key, os.environ)]
    for older in project.older_keys:
        keys += _loaded(older)
    return next((key for key in keys if key.fingerprint == stored.key_fingerprint), keys[0])


def _loaded(source: KeySource) -> list[MaskingKey]:
    """An older key, where it is there: most rollbacks need none."""
    try:
        return [MaskingKey.load(source, os.environ)]
    except KeyMaterialError:
        return []


def _write(file: Path, report: dict[str, Any]) -> None:
    try:
        write(file, json.dumps(report, indent=2) + "\n")
    except OSError as error:
        raise PhimaskError(f"the rollback is done, but {file} cannot be written: {error.strerror}") from None
    say(f"report: {file}")


def _judge(report: dict[str, Any]) -> None:
    """Say how it came out. Raises FindingsError where not everything is as it was."""
    conflicts = 0
    for one in report["collections"]:
        documents = one["documents"]
        conflicts += documents["conflicts"]
        say(
            f"{one['namespace']}: {documents['restored']:,} documents put back, {documents['already_original']:,} "
            f"were as before, {documents['conflicts']:,} conflicts"
        )
        reasons: dict[str, int] = {}
        for conflict in one["conflicts"]:
            reasons[conflict["reason"]] = reasons.get(conflict["reason"], 0) + 1
        for reason, count in reasons.items():
            say(f"  {count:,} left as they are: {reason}")
    if conflicts or report["vault"]["damage"]:
        raise FindingsError(
            f"done, but not everything is as it was: {conflicts:,} conflicts, "
            f"{len(report['vault']['damage']):,} places of the vault skipped; --report or --json lists them"
        )
