"""`phimask bench`: measure on the user's own deployment, with the user's own rules, and suggest settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

import click
from rich.table import Table

from phimask.cli.console import PersonConsole, table
from phimask.cli.options import Flags, as_json_option, at_most_all, run_flags
from phimask.cli.session import Session, open_session
from phimask.cli.show import answer, say
from phimask.config.load import load_configuration
from phimask.config.model import Configuration
from phimask.engine.bench import Bench, Measured, Settings, best
from phimask.engine.control import StopSignal, stop_on_signals
from phimask.engine.scratch import SCRATCH, in_scratch, scratch
from phimask.errors import Interrupted, PreflightError, UsageError
from phimask.planning.plan import CollectionPlan
from phimask.store.connect import same_deployment

_BATCHES: Final = (200, 1000, 4000)
"""Documents in a batch, of which the fastest is told."""
_LEAST_SECONDS: Final = 3.0
"""In less than this, the first and smallest batches are a large part of what is measured."""
_MEMORY_ROOM: Final = 3
"""Documents that the sample has none of may take more than its own did."""
_MEMORY_STEP: Final = 100_000_000
_MEMORY_LEAST: Final = 500_000_000


@click.command("bench")
@run_flags
@click.option(
    "--documents",
    type=click.IntRange(100),
    default=5000,
    show_default=True,
    callback=at_most_all,
    help="How many are copied.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1),
    default=10.0,
    show_default=True,
    help="How long each measurement may take.",
)
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Try up to N workers; else one for each core."
)
@click.option("--yes", is_flag=True, help="Do not ask before documents are copied into the scratch database.")
@as_json_option
def bench_command(
    flags: Flags, documents: int, seconds: float, workers: int | None, yes: bool, as_json: bool
) -> int:
    """Mask a sample of a collection in a scratch database, and suggest workers and budgets.

    The collection is the one that -c names, or the first of phimask.yaml. It is masked in place there, or into another
    one where phimask.yaml names a target or a shadow. The sample is copied as it is, PHI and all, into the database
    `phimask_bench` of the same deployment, which is dropped at the end. The collection itself is only read.
    """
    stop = StopSignal()
    with ExitStack() as stack:
        session = stack.enter_context(open_session(flags, demo_allowed=True))
        _choose(session, flags)
        (plan,) = session.plans(detect=False, only_read=True)
        refusing = [one.what for one in plan.hazards if one.severity == "refuses"]
        if refusing:
            raise PreflightError(refusing)
        if not (yes or session.demo):
            _confirm(plan, documents)
        stack.enter_context(stop_on_signals(stop))
        stack.enter_context(scratch(session.source))
        if plan.target is not None and not same_deployment(plan.target.client, session.source):
            stack.enter_context(scratch(plan.target.client))
        bench = Bench(
            lambda settings: _configured(session, flags, settings), session.registry, session.keys,
            session.uri, session.target_uri, plan, stop, documents=documents, seconds=seconds,
        )  # fmt: skip
        result = _measure(bench, plan, workers or _cores(), say)
    if as_json:
        answer(result)
    else:
        _show(result)
    return 0


def _choose(session: Session, flags: Flags) -> None:
    """One collection is left."""
    chosen = session.configuration.collections
    if len(chosen) == 1:
        return
    if flags.collections:
        raise UsageError("bench measures one collection at a time; give -c once")
    names = session.configuration.project.collections
    say(
        f"measuring {names[0]}, the first of {len(chosen)} collections; -c measures another: {', '.join(names[1:])}"
    )
    session.configuration = replace(
        session.configuration,
        collections=chosen[:1],
        project=replace(session.configuration.project, collections=names[:1]),
    )


def _way(plan: CollectionPlan) -> str:
    if plan.shadow is not None:
        return "into a shadow"
    return "in place" if plan.target is None else "into a target"


def _confirm(plan: CollectionPlan, documents: int) -> None:
    what = (
        f"copy up to {documents:,} documents of {plan.namespace}, PHI and all, into the scratch database {SCRATCH} of "
        "the same deployment, and drop it at the end"
    )
    if not sys.stdin.isatty():
        raise UsageError(f"this would {what}; give --yes to do so")
    if not click.confirm(f"This will {what}. Go on?", err=True):
        raise Interrupted("not confirmed; nothing was written")


def _configured(session: Session, flags: Flags, settings: Settings) -> Configuration:
    """The user's configuration with more settings, and all that is written in the scratch database."""
    one = session.configuration.collections[0]
    project = session.configuration.project
    loaded = load_configuration(
        project,
        profile=project.profile,
        collections=project.collections[:1],
        settings=(*flags.settings, *settings),
        safe_mode=flags.safe_mode,
        environ=os.environ,
        components=session.registry,
    )
    return replace(loaded, project=in_scratch(loaded.project), collections=(one,))


def _measure(bench: Bench, plan: CollectionPlan, most: int, told: Any) -> dict[str, Any]:
    told(f"copying a sample of {plan.namespace} into {SCRATCH}; it holds PHI until this command ends")
    copied = bench.copy()
    told(f"{copied:,} documents copied; measuring the server's write limit")
    limit = bench.write_limit()
    masked: list[Measured] = []
    for workers in range(1, most + 1):
        told(f"masking with {workers} worker(s)")
        masked.append(bench.masking(workers))
    chosen = best(masked)
    batches: dict[int, Measured] = {}
    for size in _BATCHES:
        if size < copied:
            told(f"masking in batches of {size:,} documents")
            sizer = f"batch_sizer={{name: fixed, options: {{documents: {size}, bytes: 16MB}}}}"
            batches[size] = bench.masking(chosen.workers, sizer)
    return {
        "namespace": plan.namespace,
        "masked": _way(plan),
        "documents_copied": copied,
        "write_limit_documents_per_second": round(limit.rate, 1),
        "workers": [_entry(one) for one in masked],
        "batches": [{"documents_in_a_batch": size, **_entry(one)} for size, one in batches.items()],
        "suggested": {
            "workers": chosen.workers,
            "seconds_for_all": round(plan.documents / chosen.rate, 1) if chosen.rate else None,
            "flags": suggested(chosen, batches),
        },
    }


def suggested(chosen: Measured, batches: Mapping[int, Measured]) -> list[str]:
    """Flags to paste. A batch size only where one is clearly faster than what the profile's own sizer came to."""
    options = [f"workers: {chosen.workers}"]
    if chosen.peak is not None:
        room = max(_MEMORY_LEAST, -(-chosen.peak * _MEMORY_ROOM // _MEMORY_STEP) * _MEMORY_STEP)
        options.append(f"memory: {room // 1_000_000}MB")
    flags = [f"--set 'executor={{name: local, options: {{{', '.join(options)}}}}}'"]
    if batches:
        size, fastest = max(batches.items(), key=lambda one: one[1].rate)
        if fastest.rate > 1.1 * chosen.rate:
            flags.append(f"--set 'batch_sizer={{name: fixed, options: {{documents: {size}, bytes: 16MB}}}}'")
    return flags


def _entry(one: Measured) -> dict[str, Any]:
    return {
        "workers": one.workers,
        "documents": one.documents,
        "documents_per_second": round(one.rate, 1),
        "peak_rss_bytes": one.peak,
    }


def _show(result: Mapping[str, Any]) -> None:
    limit = result["write_limit_documents_per_second"]
    way = result["masked"]
    say(
        f"\n{result['namespace']}: {result['documents_copied']:,} documents copied, masked {way}, measured, and gone "
        "again"
    )
    what = "updates" if way == "in place" else "inserts"
    say(f"  write limit  {limit:,.0f} documents/s: prepared {what}, two threads, nothing else")
    listed = table("masked by", "documents/s", "of write limit", "peak RSS")
    for one in result["workers"]:
        _row(listed, f"{one['workers']} worker(s)", one, limit)
    for one in result["batches"]:
        _row(listed, f"{one['workers']} worker(s), batches of {one['documents_in_a_batch']:,}", one, limit)
    PersonConsole().print(listed)
    chosen = result["suggested"]
    fastest = next(one for one in result["workers"] if one["workers"] == chosen["workers"])
    documents, rate = fastest["documents"], fastest["documents_per_second"]
    if rate and documents / rate < _LEAST_SECONDS:
        say(
            f"warning: {documents:,} documents were masked in {documents / rate:.1f} s, which is too short to tell "
            "much: give more --documents, and --seconds 10 or more"
        )
    if chosen["seconds_for_all"] is not None:
        filling = ", without building the shadow's indexes and the swap" if way == "into a shadow" else ""
        say(
            f"  at the rate of {chosen['workers']} worker(s), all documents take {_time(chosen['seconds_for_all'])}"
            f"{filling}; verifying comes on top"
        )
    say("suggested:")
    for flag in chosen["flags"]:
        say(f"  {flag}")


def _row(listed: Table, what: str, one: Mapping[str, Any], limit: float) -> None:
    rate, peak = one["documents_per_second"], one["peak_rss_bytes"]
    listed.add_row(
        what,
        f"{rate:,.0f}",
        f"{rate / limit:.2f}" if limit else "?",
        "?" if peak is None else f"{peak / 1e6:,.0f} MB",
    )


def _time(seconds: float) -> str:
    return (
        f"{seconds:,.0f} s"
        if seconds < 90
        else f"{seconds / 60:,.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:,.1f} h"
    )


def _cores() -> int:
    """Where client and server share a machine, more workers than cores gain nothing; elsewhere --workers says more."""
    return min(os.cpu_count() or 1, 8)
