"""`phimask plan`: everything a run would find out, and no write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click

from phimask.cli.console import PersonConsole, table
from phimask.cli.options import Flags, accept_option, as_json_option, run_flags
from phimask.cli.session import Session, open_session
from phimask.cli.show import answer, say
from phimask.engine.beginning import guarded, obstacles, pins
from phimask.errors import PreflightError
from phimask.ledger.opening import APPLIED, asking
from phimask.ledger.runs import Runs
from phimask.observing.wording import told_classes
from phimask.planning.hazards import Hazard
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan
from phimask.planning.privileges import LEDGER, TRANSACTIONS, privileges_missing
from phimask.planning.summary import summarize

_HAZARD = 2


@click.command("plan")
@run_flags
@accept_option
@as_json_option
def plan_command(flags: Flags, as_json: bool) -> int:
    """Find out what a run would do, and write nothing. Exit code 2 if something stands in its way."""
    return show_plans(flags, as_json=as_json)


def show_plans(flags: Flags, *, as_json: bool, again: bool = False) -> int:
    """Plan, show, and answer with the exit code. `again`: see `phimask run --again`."""
    with open_session(flags, demo_allowed=True) as session:
        plans = session.plans(detect=True)
        if not session.demo:
            _ask_ledger(session, plans, again=again)
        summaries = [summarize(plan, session.configuration.profile) for plan in plans]
        profile = session.configuration.profile.name
    if as_json:
        answer({"profile": profile, "collections": summaries})
    else:
        console = PersonConsole()
        for summary in summaries:
            _show(console, summary)
        if len(summaries) > 1:
            _show_all(console, summaries)
    return _HAZARD if any(plan.stopping or _open_rules(plan) for plan in plans) else 0


def _open_rules(plan: CollectionPlan) -> bool:
    """Whether rules of the file's own match nothing, and nobody has accepted that."""
    return any(one.stops(plan.accepts) for one in plan.unmatched)


def _ask_ledger(session: Session, plans: Sequence[CollectionPlan], *, again: bool) -> None:
    """Add what a run would find out there: other runs in its way, and whether it can be exact at all."""
    try:
        ledger = session.deployments(create=False).ledger
        with asking(ledger):
            for plan, pin in zip(plans, pins(plans, session.configuration), strict=True):
                plan.hazards += [
                    Hazard("other-run", told, plan.namespace)
                    for told in obstacles(Runs(ledger), [pin], again=again)
                ]
            runs = Namespace(ledger.client, ledger.database, ledger.runs.name)
            plans[0].hazards += privileges_missing(runs, LEDGER)
            applied = Namespace(session.source, ledger.database, ledger.named(APPLIED).name)
    except PreflightError as error:  # it is of the deployment, not of a collection
        plans[0].hazards += [Hazard("ledger", told) for told in error.hazards]
        return
    try:
        if guarded(plans, session.configuration):
            plans[0].hazards += privileges_missing(applied, TRANSACTIONS)
    except PreflightError as error:
        plans[0].hazards += [Hazard("no-transactions", told) for told in error.hazards]


def _show(console: PersonConsole, plan: Mapping[str, Any]) -> None:
    where = f"into {plan['target']}" if plan["target"] else "in place"
    if plan["shadow"]:
        where += ", which then takes its place"
    console.print(f"\n{plan['namespace']}, {where}", style="bold", highlight=False)
    if plan["sampled"] or not any(one["severity"] == "refuses" for one in plan["hazards"]):
        _show_extent(plan)
        if plan["write_path"]:
            _show_write_path(plan["write_path"])
        if plan["indexes"] and plan["indexes"]["total"]:
            _show_indexes(plan["indexes"])
        if plan["shadow"]:
            _show_shadow(plan["shadow"])
        _show_rules(console, plan["rules"])
    _show_hazards(plan["hazards"])


def _show_all(console: PersonConsole, plans: Sequence[Mapping[str, Any]]) -> None:
    """What one collection after the other comes to."""
    documents, size = (sum(one[name] for one in plans) for name in ("documents", "bytes"))
    console.print(f"\nall {len(plans)} collections, one after the other", style="bold", highlight=False)
    say(
        f"  documents   about {documents:,} ({_size(size)})\n"
        f"  duration    {_range(_added(plans, 'seconds'), _duration)}\n"
        f"  written     {_range(_added(plans, 'bytes_written'), _size)}"
    )
    needed = [one["room"]["vault_needed_bytes"] for one in plans]
    free = [one["room"]["vault_free_bytes"] for one in plans]
    if None not in needed and None not in free:
        say(f"  vault       up to {_size(sum(needed))} needed, {_size(min(free))} free")


def _added(plans: Sequence[Mapping[str, Any]], name: str) -> dict[str, float | None]:
    """A prediction's sum; nobody knows it where that of one collection is not known."""
    ranges = [one["predicted"][name] for one in plans]
    return {
        part: None if any(one[part] is None for one in ranges) else sum(one[part] for one in ranges)
        for part in ("low", "likely", "high")
    }


def _show_extent(plan: Mapping[str, Any]) -> None:
    mix = plan["complexity"]
    predicted = plan["predicted"]
    say(
        f"  documents   about {plan['documents']:,} ({_size(plan['bytes'])})\n"
        f"  partitions  {plan['partitions']:,}\n"
        f"  complexity  {mix['simple']:,} simple, {mix['medium']:,} medium, {mix['complex']:,} complex of "
        f"{plan['sampled']:,} sampled; largest {plan['largest_bytes'] / 1e3:,.1f} kB\n"
        f"{_told_apart(plan)}"
        f"  reads       {plan['reads']}\n"
        f"  workers     {_range(predicted['workers'], '{:,}'.format)}: {predicted['workers']['rests_on']}\n"
        f"  duration    {_range(predicted['seconds'], _duration)}\n"
        f"  memory      {_range(predicted['memory_bytes'], _size)} in all; a worker has "
        f"{_size(plan['ceiling_bytes'])} at most\n"
        f"  written     {_range(predicted['documents_written'], '{:,}'.format)} documents, "
        f"{_range(predicted['bytes_written'], _size)}"
    )
    room = plan["room"]
    if room["oplog_bytes"] is not None and predicted["oplog_bytes"]["likely"]:
        now, then = room["oplog_window_seconds"], room["oplog_window_while_masking_seconds"]
        say(
            f"  oplog       {_range(predicted['oplog_bytes'], _size)} of {_size(room['oplog_bytes'])}, which reaches "
            f"back {_duration(now)} now and {_duration(then)} at full speed"
        )
    if room["disk_free_bytes"] is not None and room["disk_needed_bytes"] is not None:
        say(
            f"  disk        up to {_size(room['disk_needed_bytes'])} needed, {_size(room['disk_free_bytes'])} free"
        )
    if room["vault_free_bytes"] is not None and room["vault_needed_bytes"] is not None:
        say(
            f"  vault       up to {_size(room['vault_needed_bytes'])} needed, {_size(room['vault_free_bytes'])} free"
        )


def _show_write_path(chosen: Mapping[str, Any]) -> None:
    path, seconds, size = chosen["path"], chosen["microseconds_per_document"], chosen["bytes_per_document"]
    say(f"  write path  {path}: {chosen['why']}")
    if path != "server" and size[path]:
        say(
            f"              {chosen['changed_percent']:,.0f} % of sampled documents change; about "
            f"{seconds[path]:,.0f} µs of CPU here and {size[path] / 1e3:,.1f} kB to the server a document"
        )
    if path != "server" and chosen["server_possible"]:
        say("              write.path=server would let MongoDB mask by itself: it can compute every rule")


def _show_indexes(indexes: Mapping[str, Any]) -> None:
    say(
        f"  indexes     {indexes['total']} beside that on _id, {indexes['on_masked_paths']} of them on masked paths: "
        f"about {indexes['microseconds_per_document']:,.0f} µs of the server's CPU a document, "
        f"{_duration(indexes['seconds'])} in all"
    )
    removable = indexes["removable"]
    if not removable:
        return
    if indexes["rebuilt"]:
        say(f"              dropped meanwhile, and built again: {', '.join(removable)}")
    else:
        say(
            f"              write.indexes=rebuild would drop {', '.join(removable)} meanwhile and spare "
            f"{_duration(indexes['seconds_saved_by_rebuilding'])}, less what building takes"
        )


def _told_apart(plan: Mapping[str, Any]) -> str:
    lines = [f"  {name:<11} {told}\n" for name, told in told_classes(plan["complexity_check"])]
    if plan["every_document_walked"]:
        lines.append(
            f"              {plan['sampled']} sampled documents are too few to tell classes by: where batches go by "
            "classes, each document is walked\n"
        )
    return "".join(lines)


_CATCHING_UP: Final = (
    "  writers     are let write: what they change is masked into the shadow after them; for the moment before the "
    "swap,\n              the original refuses writes (code 121)\n"
)


def _show_shadow(shadow: Mapping[str, Any]) -> None:
    free = "?" if shadow["free_bytes"] is None else _size(shadow["free_bytes"])
    kept = shadow["original"]
    say(
        "  write path  shadow, as phimask.yaml says (target.shadow): inserts into a collection without secondary "
        "indexes,\n"
        f"              then {shadow['indexes']:,} index(es) built, all documents verified, and a swap by rename\n"
        f"{_CATCHING_UP if shadow['catch_up'] else ''}"
        "  time        about that of masking in place, less where there are many indexes; verifying comes on top\n"
        f"  disk        about {_size(shadow['disk_bytes'])} beside the original; {free} are free\n"
        f"  original    "
        + (
            f"kept as {kept}, with PHI in it, until `phimask finalize` or `phimask rollback`"
            if kept
            else "dropped as soon as the shadow has its place: there is no way back"
        )
    )


def _show_rules(console: PersonConsole, rules: Sequence[Mapping[str, Any]]) -> None:
    listed = table("rule", "masker")
    listed.add_column("values in sample", justify="right")
    for rule in rules:
        if rule["values"]:
            listed.add_row(rule["path"], rule["masker"], f"{rule['values']:,}")
    console.print(listed)
    idle = sum(not rule["values"] for rule in rules)
    if idle:
        say(f"{idle} rule(s) match nothing in the sample")


def _show_hazards(hazards: Sequence[Mapping[str, Any]]) -> None:
    """What and where; of what stops a run also why, and who may decide, once for all of a kind."""
    rank = {"told": 0, "accepted": 1, "decide": 2, "refuses": 3}
    shown = sorted(hazards, key=lambda one: rank["accepted" if one["accepted"] else one["severity"]])
    for number, one in enumerate(shown):
        stops = one["severity"] != "told" and not one["accepted"]
        word = "hazard" if stops else "accepted" if one["accepted"] else "warning"
        say(f"{word}: {one['what']} [{one['id']}]")
        if not stops or [other["id"] for other in shown[number + 1 : number + 2]] == [one["id"]]:
            continue
        say(f"  why: {one['why']}")
        if one["severity"] == "decide":
            say(f"  or decide that it is to be so: --accept {one['id']}")


def _range(predicted: Mapping[str, Any], shown: Callable[[Any], str]) -> str:
    """The likely figure, and from where to where."""
    low, likely, high = (predicted[name] for name in ("low", "likely", "high"))
    if likely is None:
        return "?"
    told = shown(likely)
    if shown(low) == told == shown(high):
        return told
    about = "" if told.startswith("under ") else "about "
    return f"{about}{told} ({shown(low)} to {shown(high)})"


def _size(size: float) -> str:
    if size >= 1e9:
        return f"{size / 1e9:,.1f} GB"
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
