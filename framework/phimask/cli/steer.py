"""`phimask status`, `pause`, `continue`, `stop`: steer a run, from wherever the ledger can be reached."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from pymongo import timeout

from phimask.cli.deployment import required_uri
from phimask.cli.options import as_json_option, database_option, uri_option
from phimask.cli.show import answer, say
from phimask.config.project import load_project
from phimask.engine.coordinator import ASKED_TO_PAUSE
from phimask.engine.shadow_end import is_shadowed
from phimask.errors import UsageError
from phimask.ledger.opening import ANSWER_SECONDS, Ledger, asking, ledger_client, open_ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.run_record import Command, RunRecord
from phimask.ledger.runs import Runs
from phimask.ledger.swaps import Swap, Swaps

_LISTED: Final = 10
_LOOK_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 120.0
_RESUMABLE: Final = ("dead", "stopped", "failed")


@contextmanager
def opened_ledger(uri: str | None, database: str | None) -> Iterator[Ledger]:
    """The ledger that phimask.yaml, the flags or the environment lead to. Nothing is written for that."""
    project = load_project(directory=Path(), uri=uri, database=database, environ=os.environ)
    where = project.coordination
    with ledger_client(where.uri or required_uri(project)) as client:
        ledger = open_ledger(client, where.database, where.prefix, create=False)
        with asking(ledger):
            yield ledger


@click.command("status")
@click.argument("run", required=False)
@click.option(
    "--watch",
    is_flag=True,
    help="Look again every second, until the run ends; a line of JSON each.",
)
@uri_option
@database_option
@as_json_option
def status_command(
    run: str | None, watch: bool, uri: str | None, database: str | None, as_json: bool
) -> None:
    """Show how far RUN is; without RUN, the latest one, and a line for each of the last ten."""
    with opened_ledger(uri, database) as ledger:
        runs = Runs(ledger)
        latest = runs.latest(_LISTED)
        if run is None and not latest:
            if as_json:
                answer({"runs": []})
            say("the ledger knows no run")
            return
        wanted = run or latest[0].id
        while True:
            record = _known(runs, wanted)
            shown = _describe(ledger, record)
            if not as_json:
                _say(shown)
            elif watch:
                click.echo(json.dumps(shown))
            else:
                answer(shown)
            if not watch or not record.live:
                break
            time.sleep(_LOOK_SECONDS)
        if run is None and not as_json and len(latest) > 1:
            say("\nearlier runs")
            for one in latest[1:]:
                names = ", ".join(pin.namespace for pin in one.pins)
                say(f"  {one.id}  {one.standing:<12} {one.profile:<12} {names}")


@click.command("pause")
@click.argument("run", required=False)
@uri_option
@database_option
@as_json_option
def pause_command(run: str | None, uri: str | None, database: str | None, as_json: bool) -> None:
    """Let RUN, or the one that is live, stand still after its batches in hand. `phimask continue` lets it go on."""
    _order(run, uri, database, "pause", lambda found: ASKED_TO_PAUSE in found.reasons, as_json=as_json)


@click.command("continue")
@click.argument("run", required=False)
@uri_option
@database_option
@as_json_option
def continue_command(run: str | None, uri: str | None, database: str | None, as_json: bool) -> None:
    """Let RUN, or the one that is live, go on after a pause."""
    _order(run, uri, database, "run", lambda found: ASKED_TO_PAUSE not in found.reasons, as_json=as_json)


@click.command("stop")
@click.argument("run", required=False)
@uri_option
@database_option
@as_json_option
def stop_command(run: str | None, uri: str | None, database: str | None, as_json: bool) -> None:
    """End RUN, or the one that is live, after its batches in hand. `phimask resume` goes on with it."""
    _order(run, uri, database, "stop", lambda _: False, as_json=as_json)


def _order(
    run: str | None,
    uri: str | None,
    database: str | None,
    command: Command,
    obeyed: Callable[[RunRecord], bool],
    *,
    as_json: bool,
) -> None:
    """Tell the run, and wait until it obeys or ends."""
    with opened_ledger(uri, database) as ledger:
        runs = Runs(ledger)
        record = _live(runs, run)
        with timeout(ANSWER_SECONDS):
            runs.order(record.id, command)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        done = False
        while not done and time.monotonic() < deadline:
            time.sleep(0.1)
            record = _known(runs, record.id)
            done = obeyed(record) or not record.live
    if as_json:
        answer({"run_id": record.id, **_stands(record), "obeyed": done})
    elif done:
        say(f"run {record.id} is {_standing(record.standing, record.reasons)}")
    else:
        say(f"run {record.id} was told to; it has not answered yet, see `phimask status {record.id}`")


def _stands(record: RunRecord) -> dict[str, Any]:
    return {
        "state": record.standing,
        "live": record.live,
        "holding": list(record.reasons) if record.live else [],
    }


def _standing(state: str, reasons: Sequence[str]) -> str:
    return f"{state} ({', '.join(reasons)})" if reasons else state


def _live(runs: Runs, run: str | None) -> RunRecord:
    if run is not None:
        record = _known(runs, run)
        if not record.live:
            raise UsageError(f"run {run} is not live: it is {record.standing}")
        return record
    live = [one for one in runs.latest(100) if one.live]
    if not live:
        raise UsageError("no run is live; `phimask status` lists the last ones")
    if len(live) > 1:
        raise UsageError(f"several runs are live ({', '.join(one.id for one in live)}); name one of them")
    return live[0]


def _known(runs: Runs, run: str) -> RunRecord:
    record = runs.find(run)
    if record is None:
        raise UsageError(f"the ledger knows no run {run}; `phimask status` lists the last ones")
    return record


def _describe(ledger: Ledger, record: RunRecord) -> dict[str, Any]:
    swaps = {swap.namespace: swap for swap in Swaps(ledger, record.id).all()} if is_shadowed(record) else {}
    collections: list[dict[str, Any]] = []
    for pin in record.pins:
        partitions = Partitions(ledger, record.id, pin.namespace)
        tally, states = partitions.tally(), partitions.states()
        done = record.has_masked_all(pin.namespace, states)
        collections.append(
            {
                "namespace": pin.namespace,
                "target": pin.target,
                "done": done,
                "documents": {
                    "read": tally.read,
                    "masked": tally.masked,
                    "unchanged": tally.unchanged,
                    "quarantined": tally.quarantined,
                    "missing": tally.missing,
                    "expected": tally.read if done else pin.documents,
                },
                "partitions": {**states, "all_known": pin.namespace in record.cut},
                "workers": partitions.holders() if record.live else [],
                "shadow": _shadow(swaps.get(pin.namespace)),
            }
        )
    return {
        "run_id": record.id,
        **_stands(record),
        "profile": record.profile,
        "created": None if record.created is None else f"{record.created.isoformat(timespec='seconds')}Z",
        "coordinator": {name: record.coordinator.get(name) for name in ("host", "pid")},
        "documents": _in_all([one["documents"] for one in collections]),
        "collections": collections,
    }


def _in_all(documents: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    """Of all collections, those not begun yet with what they were planned with."""
    expected = [one["expected"] for one in documents]
    return {
        "read": sum(one["read"] for one in documents),
        "expected": None if None in expected else sum(expected),
    }


def _share(documents: dict[str, Any], *, exact: bool = False) -> str:
    read, expected = documents["read"], documents["expected"]
    if expected is None:
        return f"{read:,} documents read"
    if exact:
        return f"{read:,} of {expected:,} documents read"
    # What was planned with is an estimate: never 100 % before everything is done.
    percent = f" ({min(99.9, math.floor(1000 * read / expected) / 10):.1f} %)" if expected else ""
    return f"{read:,} of about {expected:,} documents read{percent}"


def _shadow(swap: Swap | None) -> dict[str, Any] | None:
    """How far a collection's shadow is, and the names that it and the original have beside the collection's own."""
    if swap is None:
        return None
    return {
        "step": swap.step,
        "collection": f"{swap.database}.{swap.shadow}",
        "original": f"{swap.database}.{swap.kept}" if swap.keep else None,
        "catch_up": swap.catch_up,
    }


def _shadow_step(shadow: dict[str, Any], *, filled: bool) -> str:
    name, original = shadow["collection"], shadow["original"]
    if shadow["step"] == "filling" and not filled:
        return f"{name} is being filled"
    changes = "what others changed, " if shadow["catch_up"] else ""
    refusing = ": until it is, its original refuses writes" if shadow["catch_up"] else ""
    return {
        "filling": f"{name} is filled; {changes}its indexes and its verification come before the swap",
        "closing": f"{name} is about to be swapped in: its original refuses writes until it is, or until `phimask "
        "resume`, `phimask finalize` or `phimask rollback` lets it take them again",
        "swapping": f"{name} is being swapped in{refusing}",
        "swapped": "swapped in; " + (f"{original} is the original" if original else "no original is kept"),
        "taking_back": "the original gets its name back",
        "given_up": "given up, the shadow is dropped",
    }[shadow["step"]]


def _say(shown: dict[str, Any]) -> None:
    coordinator = shown["coordinator"]
    where = f" on {coordinator['host']} (process {coordinator['pid']})" if shown["live"] else ""
    state = _standing(shown["state"], shown["holding"])
    say(f"run {shown['run_id']}: {state}{where}, profile {shown['profile']}, begun {shown['created']}")
    if len(shown["collections"]) > 1:
        exact = all(one["done"] for one in shown["collections"])
        say(f"  in all: {_share(shown['documents'], exact=exact)}, {len(shown['collections'])} collections")
    for one in shown["collections"]:
        parts, documents = one["partitions"], one["documents"]
        known = sum(parts[state] for state in ("open", "leased", "done", "withdrawn"))
        more = "" if parts["all_known"] else " so far"
        say(
            f"  {one['namespace']}: {_share(documents, exact=one['done'])}, {documents['masked']:,} masked, "
            f"{documents['unchanged']:,} unchanged, {documents['quarantined']:,} quarantined"
        )
        say(
            f"    partitions: {parts['done']:,} of {known:,}{more} done, {parts['leased']:,} leased"
            + (f" by {', '.join(one['workers'])}" if one["workers"] else "")
            + (f", {parts['withdrawn']:,} withdrawn" if parts["withdrawn"] else "")
        )
        if one["shadow"] and shown["state"] not in ("finalized", "rolled_back"):
            filled = parts["all_known"] and parts["done"] == known
            say(f"    shadow: {_shadow_step(one['shadow'], filled=filled)}")
    if shown["state"] in _RESUMABLE:
        say(f"  `phimask resume {shown['run_id']}` goes on with it")
    elif ASKED_TO_PAUSE in shown["holding"]:
        say(f"  `phimask continue {shown['run_id']}` lets it go on")
