"""The page as a whole: the verdict first, then figures, Safe Harbor, each collection, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from phimask.observing.canonical import digest
from phimask.observing.html.collection import collection
from phimask.observing.html.over_time import notes
from phimask.observing.html.parts import Tone, coded, facts, items, mark, path, tiles
from phimask.observing.html.safe_harbor import safe_harbor
from phimask.observing.markup import Markup, element
from phimask.observing.next_steps import next_steps
from phimask.observing.report import without_ids
from phimask.observing.series import Recorded
from phimask.observing.wording import (
    NOTHING_KEPT,
    counted,
    lasting,
    may_hold_originals,
    moment,
    sized,
    times,
    told_alert,
)

_STYLE: Final = Path(__file__).with_name("page.css")
_NOTHING_RECORDED: Final = Recorded()
_UNDONE: Final = "Rolled back since: documents hold their originals again, all or in part"
_NOTHING_FROM_ELSEWHERE: Final = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: Mapping[str, Any], recorded: Recorded = _NOTHING_RECORDED, *, undone: bool = False) -> str:
    """The page of a report (as schemas/report.schema.json describes it), with plots over time as far as it is recorded.

    `undone`: the run was rolled back since, or a rollback of it was cut off.

    It loads nothing, runs no script, and holds no `_id`: of quarantined documents only the count.
    """
    keys = {
        one["namespace"]: f"collection-{number}" for number, one in enumerate(report["collections"], start=1)
    }
    sections = [
        collection(keys[one["namespace"]], one, recorded.of(one["namespace"]))
        for one in report["collections"]
    ]
    # The record over time has them among the other events, from before a resume, too.
    alerts = [] if recorded.notes else report.get("alerts", [])
    happened = notes(recorded)
    title = f"phimask report {report['run_id']}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_NOTHING_FROM_ELSEWHERE),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content="phimask"),
        element("title", title),
        element("style", Markup(_STYLE.read_text(encoding="utf-8"))),
    )
    body = element(
        "body",
        _top(report, keys, happened=happened is not None, alerted=bool(alerts), undone=undone),
        element(
            "main",
            safe_harbor(report),
            *sections,
            happened,
            _listed("Alerts", "alerts", [told_alert(one) for one in alerts]),
            _listed("Warnings", "warnings", report["warnings"]),
        ),
        element("footer", *(element("p", text) for text in _footer(report, recorded))),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _top(
    report: Mapping[str, Any], keys: Mapping[str, str], *, happened: bool, alerted: bool, undone: bool
) -> Markup:
    links = [("#safe-harbor", "HIPAA Safe Harbor"), *((f"#{key}", name) for name, key in keys.items())]
    if happened:
        links.append(("#events", "Alerts and other events"))
    if alerted:
        links.append(("#alerts", "Alerts"))
    if report["warnings"]:
        links.append(("#warnings", "Warnings"))
    return element(
        "header",
        element("p", "phimask · masking report", class_="brand"),
        element("h1", f"Run {report['run_id']}"),
        element(
            "p",
            f"{moment(report['started'])} to {moment(report['finished'])}, profile {report['profile']}",
            class_="soft",
        ),
        _verdict(report, undone=undone),
        tiles(_tiles(report)),
        element("h3", "The run"),
        facts(_facts(report)),
        element(
            "nav",
            element("ul", *(element("li", element("a", name, href=target)) for target, name in links)),
            aria_label="Sections",
        ),
        class_="top",
    )


def _verdict(report: Mapping[str, Any], *, undone: bool) -> Markup:
    tone, said = _judged(report, undone=undone)
    return element(
        "div",
        element("p", mark(tone, said), class_="said"),
        element("p", coded(report["stopped_because"])) if report["stopped_because"] else None,
        element("p", "Next", class_="soft") if not undone else None,
        items(next_steps(report)) if not undone else None,
        class_=f"verdict {tone}",
    )


def _judged(report: Mapping[str, Any], *, undone: bool) -> tuple[Tone, str]:
    if undone:
        return "bad", _UNDONE
    results = [result for one in report["collections"] for result in one["verification"]]
    findings = sum(found["count"] for result in results for found in result["findings"])
    if report["status"] == "failed":
        return "bad", "Failed: not everything is masked"
    if findings:
        return "bad", f"Verification found something: {counted(findings, 'finding')}"
    if report["status"] == "stopped":
        return "warn", "Stopped between two batches: not everything is masked yet"
    verified = all(one["verification"] for one in report["collections"]) and all(one["ok"] for one in results)
    if not report["collections"] or not verified:
        return "warn", "Masked, but not everything was verified"
    return "good", "Masked and verified: no finding"


def _tiles(report: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    collections, speed = report["collections"], report["throughput"]
    documents = [one["documents"] for one in collections]
    masked, total = (sum(one[name] for one in documents) for name in ("masked", "total"))
    rules = [rule for one in collections for rule in one["rules"]]
    counts = [rule["masked"] for rule in rules if rule["masked"] is not None]
    redacted = sum(rule["redacted_on_error"] or 0 for rule in rules)
    results = [result for one in collections for result in one["verification"]]
    findings = sum(found["count"] for result in results for found in result["findings"])
    peaks = [one["memory"]["peak_rss_bytes"] or 0 for one in collections]
    yield "documents masked", f"{masked:,}", f"of {total:,}"
    yield (
        "values masked",
        f"{sum(counts):,}" if counts or not rules else "not counted",
        f"{redacted:,} redacted on error",
    )
    yield "findings", f"{findings:,}", counted(len(results), "check") if results else "nothing was checked"
    yield "quarantined", f"{sum(one['quarantined'] for one in documents):,}", "documents"
    if speed["documents_per_second"] is not None:
        yield (
            "documents/s",
            f"{speed['documents_per_second']:,.0f}",
            f"over {lasting(speed['seconds'])} of masking",
        )
    if any(peaks):
        yield "peak memory", sized(max(peaks)), "of one worker"


def _facts(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    speed = report["throughput"]
    yield "status", report["status"] + (f", resumed {times(report['resumed'])}" if report["resumed"] else "")
    cpu = "" if speed["cpu_percent"] is None else f", CPU {speed['cpu_percent']:.0f} %"
    yield "workers", f"{speed['workers']:,} at most{cpu}"
    yield "restarts", f"{counted(report['restarts'], 'worker')} replaced"
    yield (
        "circuit breaker",
        f"opened {times(report['breaker_trips'])}" if report["breaker_trips"] else "never opened",
    )
    undo = report["undo"]
    if undo is None:
        yield "way back", "none: no originals were kept in a vault"
    elif undo["state"] == "kept":
        since = f"the originals are in the vault since {moment(undo['at'])}"
        yield "way back", since if may_hold_originals(report) else NOTHING_KEPT
    else:
        yield "way back", f"none: the key to the originals was destroyed {moment(undo['at'])}"
    yield "configuration", path(report["config_digest"])
    yield "report digest", path(digest(without_ids(report)))
    yield "key fingerprint", path(report["key_fingerprint"] or "no masker uses a key")
    software = report.get("software", {})
    yield (
        "software",
        ", ".join(
            [
                f"phimask {report['phimask_version']}",
                *(f"{name} {version}" for name, version in software.items()),
            ]
        ),
    )


def _listed(title: str, key: str, told: Sequence[str]) -> Markup | None:
    if not told:
        return None
    return element("section", element("h2", title, id=key), items(told), aria_labelledby=key)


def _footer(report: Mapping[str, Any], recorded: Recorded) -> Iterator[str]:
    yield (
        "Counts, names and times: this page holds no value of a document and no document's id. Quarantined documents "
        "are listed in the JSON report."
    )
    if report["resumed"]:
        yield (
            "Documents, values and verification are the whole run's; batches, memory, throttling, throughput and "
            "warnings are from the last resume on."
        )
    if not recorded.points:
        yield "There are no plots over time: they come from the ledger, by a run's id."
