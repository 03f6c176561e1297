"""The report as text, for the person who ran it: what was masked, how it went, what was checked, what to do next.

Drawn with rich, in colour on a terminal and plain elsewhere. On a console that cannot encode more than ASCII (many
on Windows) every sign has an ASCII one in its place, and names that it cannot encode are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_STYLES: Final = {"completed": "bold green", "stopped": "bold yellow", "failed": "bold red"}
_PHASES: Final = {"before": "beforehand", "during": "in batches", "after": "afterwards"}


def render(report: Mapping[str, Any], console: Console) -> None:
    """Print a report (as schemas/report.schema.json describes it) to a console.

    Prints no `_id`: of quarantined documents only the count.
    """
    page = _Page(console)
    page.head(report)
    for collection in report["collections"]:
        page.collection(collection)
    page.paragraph("Warnings", report["warnings"], "yellow")
    page.paragraph("Next", list(_next_steps(report)), "bold")


class _Page:
    def __init__(self, console: Console) -> None:
        self._console = console
        ascii_only = console.options.ascii_only
        self._good, self._bad, self._arrow = ("ok", "!!", "->") if ascii_only else ("✓", "✗", "→")

    def head(self, report: Mapping[str, Any]) -> None:
        style = _STYLES[report["status"]]
        self._line(
            ("phimask ", "bold"),
            (report["status"], style),
            (
                f"  run {report['run_id']}, profile {report['profile']}, version {report['phimask_version']}",
                "",
            ),
        )
        if report["stopped_because"]:
            self._line((report["stopped_because"], style), indent=2)
        speed = report["throughput"]
        resumed = f", resumed {_times(report['resumed'])}" if report["resumed"] else ""
        told = [f"started {_moment(report['started'])}{resumed}, finished {_moment(report['finished'])}"]
        if speed["documents_per_second"] is not None:
            told.append(
                f"{speed['documents_per_second']:,.0f} documents/s over {_seconds(speed['seconds'])} of masking, "
                f"{speed['workers']} {'worker' if speed['workers'] == 1 else 'workers'}, "
                f"CPU {speed['cpu_percent']:.0f} %"
            )
        if report["breaker_trips"]:
            told.append(f"the circuit breaker opened {_times(report['breaker_trips'])}")
        if undo := report["undo"]:
            told.append(
                f"the originals are in the vault: `phimask rollback {report['run_id']}` puts them back"
                if undo["state"] == "kept"
                else f"no way back: the key to the originals was destroyed {_moment(undo['at'])}"
            )
        for text in told:
            self._line((text, "dim"), indent=2)

    def collection(self, one: Mapping[str, Any]) -> None:
        target = f" {self._arrow} {one['target']}" if one["target"] else " in place"
        self._console.print()
        self._line((one["namespace"], "bold cyan"), (target, ""))
        facts = Table.grid(padding=(0, 2))
        facts.add_column(style="dim", no_wrap=True)
        facts.add_column(overflow="fold")
        for name, text in _facts(one):
            facts.add_row(name, self._safe(text))
        self._console.print(Padding(facts, (0, 0, 0, 2), expand=False))
        self._rules(one["rules"])
        self._verification(one["verification"])

    def paragraph(self, title: str, texts: Sequence[str], style: str) -> None:
        if not texts:
            return
        self._console.print()
        self._line((title, style))
        items = Table.grid(padding=(0, 1))
        for text in texts:
            items.add_row("-", self._safe(text))
        self._console.print(Padding(items, (0, 0, 0, 2), expand=False))

    def _rules(self, rules: Sequence[Mapping[str, Any]]) -> None:
        met = [rule for rule in rules if rule["values"]]
        if met:
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
            table.add_column("rule", overflow="fold")
            table.add_column("masker", overflow="fold")
            for name in ("values", "masked", "redacted on error"):
                table.add_column(name, justify="right", no_wrap=True)
            for rule in met:
                failed = rule["redacted_on_error"]
                table.add_row(
                    self._safe(rule["path"]),
                    self._safe(rule["masker"]),
                    f"{rule['values']:,}",
                    f"{rule['masked']:,}",
                    Text(f"{failed:,}", "bold yellow" if failed else "dim"),
                )
            self._console.print()
            self._console.print(Padding(table, (0, 0, 0, 2), expand=False))
        if any(rule["values"] is None for rule in rules):
            self._line(("MongoDB masked by itself: values are not counted", "dim"), indent=2)
            return
        idle = len(rules) - len(met)
        if idle:
            self._line((f"{_count(idle, 'rule')} met no value", "dim"), indent=2)

    def _verification(self, results: Sequence[Mapping[str, Any]]) -> None:
        if not results:
            return
        self._console.print()
        for result in results:
            mark, style = (self._good, "green") if result["ok"] else (self._bad, "bold red")
            checked = (
                f"{_count(result['checked'], 'document')} checked" if result["checked"] else "counts compared"
            )
            found = sum(finding["count"] for finding in result["findings"])
            self._line(
                (mark, style),
                (f" {result['validator']} {_PHASES[result['phase']]}: {checked}", ""),
                (f", {_count(found, 'finding')}" if found else "", "bold red"),
                indent=2,
            )
            for finding in result["findings"]:
                where = f"{finding['path']}: " if finding["path"] is not None else ""
                self._line((f"{where}{finding['what']} ({_times(finding['count'])})", "red"), indent=5)

    def _line(self, *parts: tuple[str, str], indent: int = 0) -> None:
        line = Text(overflow="fold")
        for text, style in parts:
            line.append_text(self._safe(text, style))
        self._console.print(Padding(line, (0, 0, 0, indent), expand=False), highlight=False)

    def _safe(self, text: str, style: str = "") -> Text:
        """No markup, no control character that steers the terminal, nothing that the console cannot encode."""
        shown = "".join(
            sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text
        )
        encoding = self._console.encoding
        return Text(shown.encode(encoding, "backslashreplace").decode(encoding), style)


def _facts(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    documents, batches, memory = one["documents"], one["batches"], one["memory"]
    told = f"{documents['total']:,} to mask: {documents['masked']:,} masked, {documents['unchanged']:,} unchanged"
    for name, words in (("quarantined", "quarantined"), ("missing", "deleted meanwhile by others")):
        if documents[name]:
            told += f", {documents[name]:,} {words}"
    yield "documents", told
    if batches["count"]:
        seconds, rates, speeds = batches["seconds"], batches["docs_per_second"], batches["mb_per_second"]
        yield (
            "batches",
            f"{batches['count']:,}; seconds: {seconds['min']:.2f} min, {seconds['p50']:.2f} median, "
            f"{seconds['p95']:.2f} p95, {seconds['max']:.2f} max",
        )
        if rates["p50"] is not None and speeds["p50"] is not None:
            yield (
                "rate",
                f"{rates['p50']:,.0f} documents/s, {speeds['p50']:,.1f} MB/s (median); "
                f"{rates['min']:,.0f} to {rates['max']:,.0f} documents/s",
            )
    if memory["peak_rss_bytes"] is not None:
        told = f"{_size(memory['peak_rss_bytes'])} at most"
        if memory["ceiling_bytes"] is not None:
            told += f", {_size(memory['ceiling_bytes'])} allowed"
        yield "memory", told
    if any(one["complexity"].values()):
        yield "complexity", ", ".join(f"{count:,} {name}" for name, count in one["complexity"].items())
    yield from told_classes(one["complexity_check"])
    if shadow := one.get("shadow"):
        yield "original", _original(shadow)
    if one["throttled"]:
        waited = ", ".join(f"{reason} {_seconds(seconds)}" for reason, seconds in one["throttled"].items())
        yield "waited for", waited
    if scaling := one.get("scaling"):
        yield "workers", _scaling([decision["workers"] for decision in scaling])
    indexes = one.get("indexes")
    if indexes and indexes["rebuilt"]:
        told = f"dropped meanwhile, built again in {_seconds(indexes['seconds'])}: {', '.join(indexes['rebuilt'])}"
        yield "indexes", told
    elif indexes and indexes["missing"]:
        yield "indexes", f"dropped, and not there again: {', '.join(indexes['missing'])}"


def _scaling(workers: Sequence[int]) -> str:
    changed = sum(before != after for before, after in pairwise(workers))
    return (
        f"{workers[0]} at first, {workers[-1]} at the end, {min(workers)} to {max(workers)} in between; "
        f"changed {_times(changed)}"
    )


def told_classes(check: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """How well documents' classes are told: all in one line, then a line for each class that there is."""
    if check is None:
        return
    yield (
        "told apart",
        f"{check['accuracy_percent']:g}% of {_count(check['sample'], 'sampled document')} right, "
        f"{check['walked_percent']:g}% by a walk",
    )
    for actual, told in check["matrix"].items():
        if any(told.values()):
            yield (
                f"  {actual}",
                "told " + ", ".join(f"{kind} {count:,}" for kind, count in told.items() if count),
            )


def _original(shadow: Mapping[str, Any]) -> str:
    if shadow["state"] != "swapped":
        return "as it was, under its name"
    return f"kept as {shadow['original']}, with PHI in it" if shadow["original"] else "dropped"


def _next_steps(report: Mapping[str, Any]) -> Iterator[str]:
    collections = report["collections"]
    shadows = [one["shadow"] for one in collections if one.get("shadow")]
    if report["status"] == "failed" and any(one["state"] == "left" for one in shadows):
        yield (
            "Originals whose shadow was not swapped in are as they were. The reason above says what to change: then "
            f"`phimask resume {report['run_id']}` goes on, or `phimask finalize {report['run_id']}` drops the shadows."
        )
    elif report["status"] == "failed":
        yield (
            "The log file says where it failed. Documents of finished batches are masked, others are not; "
            f"`phimask resume {report['run_id']}` goes on with those once the cause is gone."
        )
    if report["status"] == "stopped":
        yield (
            "It stopped between two batches and nothing is half written. Change what the reason above names, and "
            f"go on with `phimask resume {report['run_id']}`."
        )
    kept = [one["original"] for one in shadows if one["state"] == "swapped" and one["original"]]
    if kept:
        yield (
            f"{', '.join(kept)} hold{'s' if len(kept) == 1 else ''} PHI still: `phimask finalize {report['run_id']}` "
            f"drops {'it' if len(kept) == 1 else 'them'}, and `phimask rollback {report['run_id']}` puts "
            f"{'it' if len(kept) == 1 else 'them'} back."
        )
    failed = sum(rule["redacted_on_error"] or 0 for one in collections for rule in one["rules"])
    if failed:
        yield (
            f"{_count(failed, 'value')} could not be masked and became redactions. If they matter, give their "
            "rules a masker that takes their type."
        )
    left_out = [one for one in collections if one["documents"]["quarantined"]]
    for one in left_out:
        fate = "are not in the copy" if one["target"] else "still hold their originals"
        yield (
            f"{_count(one['documents']['quarantined'], 'document')} of {one['namespace']} could not be masked and "
            f"{fate}. The JSON report lists their ids; correct them and mask them again."
        )
    if any(not result["ok"] for one in collections for result in one["verification"]):
        yield "Verification found something: hand nothing on before every finding above is explained."
    elif report["status"] == "completed" and not left_out and not kept:
        checked = any(one["verification"] for one in collections)
        yield "Nothing: every check passed." if checked else "Verify: no validator looked at this run."


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _moment(text: str) -> str:
    return f"{text[:10]} {text[11:19]} UTC"


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _size(size: int) -> str:
    return f"{size / 1e9:,.2f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"
