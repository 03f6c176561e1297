"""The report as text, for the person who ran it: what was masked, how it went, what was checked, what to do next.

Drawn with rich, in colour on a terminal and plain elsewhere. On a console that cannot encode more than ASCII (many
on Windows) every sign has an ASCII one in its place, and names that it cannot encode are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from phimask.config.wording import plain
from phimask.observing.next_steps import next_steps
from phimask.observing.wording import (
    NOTHING_KEPT,
    counted,
    lasting,
    may_hold_originals,
    moment,
    original_kept,
    scaled,
    sized,
    times,
    told_alert,
    told_classes,
)

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
    page.paragraph("Alerts", [told_alert(one) for one in report.get("alerts", ())], "yellow")
    page.paragraph("Warnings", report["warnings"], "yellow")
    page.paragraph("Next", list(next_steps(report)), "bold")


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
        resumed = f", resumed {times(report['resumed'])}" if report["resumed"] else ""
        told = [f"started {moment(report['started'])}{resumed}, finished {moment(report['finished'])}"]
        if speed["documents_per_second"] is not None:
            told.append(
                f"{speed['documents_per_second']:,.0f} documents/s over {lasting(speed['seconds'])} of masking, "
                f"{speed['workers']} {'worker' if speed['workers'] == 1 else 'workers'}, "
                f"CPU {speed['cpu_percent']:.0f} %"
            )
        if report["breaker_trips"]:
            told.append(f"the circuit breaker opened {times(report['breaker_trips'])}")
        if undo := report["undo"]:
            if undo["state"] == "destroyed":
                told.append(f"no way back: the key to the originals was destroyed {moment(undo['at'])}")
            elif may_hold_originals(report):
                told.append(
                    f"the originals are in the vault: `phimask rollback {report['run_id']}` puts them back"
                )
            else:
                told.append(NOTHING_KEPT)
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
            self._line((f"{counted(idle, 'rule')} met no value", "dim"), indent=2)

    def _verification(self, results: Sequence[Mapping[str, Any]]) -> None:
        if not results:
            return
        self._console.print()
        for result in results:
            mark, style = (self._good, "green") if result["ok"] else (self._bad, "bold red")
            checked = (
                f"{counted(result['checked'], 'document')} checked"
                if result["checked"]
                else "counts compared"
            )
            if result.get("sample"):
                sample = result["sample"]
                checked += (
                    f" of {sample['of']:,}: with {sample['confidence']:.0%} confidence at most "
                    f"{sample['share_at_most']:.3%} have a finding"
                )
            if result.get("unjudged") and not result["ok"] and not result["findings"]:
                mark, style, checked = "?", "bold yellow", "cannot judge"
            found = sum(finding["count"] for finding in result["findings"])
            self._line(
                (mark, style),
                (f" {result['validator']} {_PHASES[result['phase']]}: {checked}", ""),
                (f", {counted(found, 'finding')}" if found else "", "bold red"),
                indent=2,
            )
            for finding in result["findings"]:
                where = f"{finding['path']}: " if finding["path"] is not None else ""
                self._line((f"{where}{finding['what']} ({times(finding['count'])})", "red"), indent=5)
            for one in result.get("unjudged", ()):
                where = f"{one['path']}: " if one["path"] is not None else ""
                self._line((f"not judged: {where}{one['what']}", "yellow"), indent=5)

    def _line(self, *parts: tuple[str, str], indent: int = 0) -> None:
        line = Text(overflow="fold")
        for text, style in parts:
            line.append_text(self._safe(text, style))
        self._console.print(Padding(line, (0, 0, 0, indent), expand=False), highlight=False)

    def _safe(self, text: str, style: str = "") -> Text:
        """No markup, no control character that steers the terminal, nothing that the console cannot encode."""
        shown = plain(text)
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
        told = f"{sized(memory['peak_rss_bytes'])} at most"
        if memory["ceiling_bytes"] is not None:
            told += f", {sized(memory['ceiling_bytes'])} allowed"
        yield "memory", told
    if any(one["complexity"].values()):
        yield "complexity", ", ".join(f"{count:,} {name}" for name, count in one["complexity"].items())
    yield from told_classes(one["complexity_check"])
    if shadow := one.get("shadow"):
        yield "original", original_kept(shadow)
    if one["throttled"]:
        waited = ", ".join(f"{reason} {lasting(seconds)}" for reason, seconds in one["throttled"].items())
        yield "waited for", waited
    if scaling := one.get("scaling"):
        yield "workers", scaled([decision["workers"] for decision in scaling])
    indexes = one.get("indexes")
    if indexes and indexes["rebuilt"]:
        told = f"dropped meanwhile, built again in {lasting(indexes['seconds'])}: {', '.join(indexes['rebuilt'])}"
        yield "indexes", told
    elif indexes and indexes["missing"]:
        yield "indexes", f"dropped, and not there again: {', '.join(indexes['missing'])}"
