"""The page's part on one collection: what became of its documents, how it went, what was checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from phimask.observing import plots
from phimask.observing.html import over_time
from phimask.observing.html.parts import facts, items, mark, path, table
from phimask.observing.markup import Markup, element, joined
from phimask.observing.plots import Limit, Part
from phimask.observing.series import Point
from phimask.observing.wording import counted, lasting, original_kept, scaled, sized

_PHASES: Final = {"before": "beforehand", "during": "in batches", "after": "afterwards"}
_PATHS: Final = {
    "set": "changed fields in place",
    "replace": "whole documents in place",
    "server": "in place, by MongoDB itself: values are not counted",
    "copy": "into a target",
}
_OUTCOMES: Final = (
    ("masked", "good"),
    ("unchanged", "s1"),
    ("quarantined", "bad"),
    ("missing", "none"),
)
_CLASSES: Final = (("simple", "s1"), ("medium", "s3"), ("complex", "s2"))
_MOST_REASONS: Final = 20


def collection(key: str, one: Mapping[str, Any], points: Sequence[tuple[int, Point]]) -> Markup:
    """The section. `key` begins the ids in it."""
    drawn = [*over_time.plots(key, points), *_plots(key, one)]
    return element(
        "section",
        element("h2", path(one["namespace"]), id=key),
        facts(_facts(one)),
        _verification(one["verification"]),
        _rules(one["rules"]),
        element("h3", "How it went"),
        element("div", *drawn, class_="plots")
        if drawn
        else element("p", "No batch was finished.", class_="soft"),
        _batches(one["batches"]),
        _prediction(one, points),
        _throttling(one),
        _unmapped(one["unmapped"]),
        class_="own-page",
        aria_labelledby=key,
    )


def _facts(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    done, batches = one["documents"], one["batches"]
    yield "masked", _PATHS[one["write_path"]] + (f" {one['target']}" if one["target"] else "")
    told = f"{done['total']:,} to mask: {done['masked']:,} masked, {done['unchanged']:,} unchanged"
    yield (
        "documents",
        f"{told}, {done['quarantined']:,} quarantined, {done['missing']:,} deleted meanwhile by others",
    )
    if done["quarantined"]:
        fate = "not in the copy" if one["target"] else "left as they were, with their originals"
        yield (
            "quarantine",
            joined(
                mark("bad", counted(done["quarantined"], "document")),
                f" {fate}. Their ids stand in the JSON report only, since an id may identify a person.",
            ),
        )
    if batches["count"]:
        took = one.get("seconds") or 0.0
        speed = f", {batches['documents'] / took:,.0f} documents/s, {batches['bytes'] / took / 1e6:,.1f} MB/s"
        yield (
            "batches",
            f"{batches['count']:,} of {batches['documents']:,} documents, {sized(batches['bytes'])}"
            + (f", in {lasting(took)}{speed}" if took else ""),
        )
    if shadow := one.get("shadow"):
        yield "original", original_kept(shadow)
    if indexes := one.get("indexes"):
        names = ", ".join(indexes["rebuilt"] or indexes["missing"])
        yield (
            "indexes",
            f"dropped meanwhile, built again in {lasting(indexes['seconds'])}: {names}"
            if indexes["rebuilt"]
            else mark("bad", f"dropped, and not there again: {names}"),
        )


def _verification(results: Sequence[Mapping[str, Any]]) -> Markup:
    if not results:
        return element("p", mark("warn", "No validator looked at this collection."))
    return table(
        "Verification",
        ("validator", "when", "documents checked", "result", "findings"),
        (
            (
                result["validator"],
                _PHASES.get(result["phase"], result["phase"]),
                _checked(result),
                _verdict(result),
                _findings(result),
            )
            for result in results
        ),
        (2,),
    )


def _verdict(result: Mapping[str, Any]) -> Markup:
    if result["findings"]:
        return mark("bad", "found")
    return mark("good", "ok") if result["ok"] else mark("warn", "cannot judge")


def _checked(result: Mapping[str, Any]) -> str:
    told = f"{result['checked']:,}" if result["checked"] else "counts compared"
    if sample := result.get("sample"):
        told += (
            f" of {sample['of']:,}: with {sample['confidence']:.0%} confidence, at most {sample['share_at_most']:.3%} "
            "have a finding"
        )
    return told


def _findings(result: Mapping[str, Any]) -> Markup:
    told = [
        *((f"{one['count']:,} x {one['what']}", one["path"], None) for one in result["findings"]),
        *((f"not judged: {one['what']}", one["path"], "soft") for one in result.get("unjudged", ())),
    ]
    if not told:
        return element("span", "none", class_="soft")
    return element(
        "ul",
        *(
            element("li", what, joined(" at ", path(where)) if where else None, class_=style)
            for what, where, style in told
        ),
    )


def _rules(rules: Sequence[Mapping[str, Any]]) -> Markup:
    if any(rule["values"] is None for rule in rules):
        rows = [(path(rule["path"]), rule["masker"], _sampled(rule)) for rule in rules if rule.get("sampled")]
        return table(
            "Coverage: values in the sample, by rule", ("rule", "masker", "in the sample"), rows, (2,)
        )
    met = [rule for rule in rules if rule["values"]]
    most = max((rule["values"] for rule in met), default=0)
    idle = [rule["path"] for rule in rules if not rule["values"]]
    return joined(
        table(
            "Coverage: values by rule",
            ("rule", "masker", "HIPAA", "share", "values", "masked", "redacted on error", "kept"),
            (
                (
                    path(rule["path"]),
                    rule["masker"],
                    ", ".join(rule.get("hipaa", ())),
                    plots.share(rule["values"], most),
                    f"{rule['values']:,}",
                    f"{rule['masked']:,}",
                    mark("warn", f"{rule['redacted_on_error']:,}") if rule["redacted_on_error"] else "0",
                    f"{rule['values'] - rule['masked'] - rule['redacted_on_error']:,}",
                )
                for rule in met
            ),
            (4, 5, 6, 7),
        ),
        element("p", f"{counted(len(idle), 'rule')} met no value.", class_="soft") if idle else None,
        element("details", element("summary", "Which"), element("p", path(", ".join(idle))))
        if idle
        else None,
    )


def _sampled(rule: Mapping[str, Any]) -> str:
    return f"{rule['sampled']:,}"


def _plots(key: str, one: Mapping[str, Any]) -> Iterator[Markup]:
    done, memory = one["documents"], one["memory"]
    outcomes = [Part(name, style, done[name]) for name, style in _OUTCOMES]
    if any(part.value for part in outcomes):
        yield plots.bar(f"{key}-outcome", "What became of documents", outcomes, "documents")
    classes = [Part(name, style, one["complexity"][name]) for name, style in _CLASSES]
    if any(part.value for part in classes):
        yield plots.bar(f"{key}-complexity", "Complexity of documents", classes, "documents")
    peak, ceiling = memory["peak_rss_bytes"], memory["ceiling_bytes"]
    if peak is not None and ceiling:
        yield plots.level(
            f"{key}-peak",
            "Greatest memory of one worker",
            "peak",
            peak,
            Limit("ceiling", ceiling),
            (sized(peak), sized(ceiling)),
        )


def _batches(batches: Mapping[str, Any]) -> Markup | None:
    rows = [
        (
            name,
            plots.spread(spread["min"], spread["p50"], spread["p95"], spread["max"]),
            *(_figure(spread[one]) for one in ("min", "p50", "p95", "max")),
        )
        for name, spread in (
            ("seconds", batches["seconds"]),
            ("documents/s", batches["docs_per_second"]),
            ("MB/s", batches["mb_per_second"]),
        )
        if spread["p50"] is not None
    ]
    if not rows:
        return None
    heads = ("a batch", "spread", "least", "median", "95th percentile", "greatest")
    return table(f"Batch by batch, {batches['count']:,} batches", heads, rows, (2, 3, 4, 5))


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _prediction(one: Mapping[str, Any], points: Sequence[tuple[int, Point]]) -> Markup | None:
    rows: list[tuple[str, str, str, str]] = []
    done, batches = one["documents"], one["batches"]
    finished = sum(done[name] for name, _ in _OUTCOMES)
    if done["total"]:
        off = 100 * (finished - done["total"]) / done["total"]
        rows.append(("documents", f"{done['total']:,}", f"{finished:,} ({off:+.1f} %)", ""))
    rows += _ranges(one, points)
    for name, error in (
        ("seconds of a batch", batches["seconds"]["predicted_p50_error_percent"]),
        ("memory of a batch", one["memory"]["predicted_p50_error_percent"]),
    ):
        if error is not None:
            rows.append((name, "each batch, by the batch sizer", f"off by {error:.1f} % (median)", ""))
    check = one["complexity_check"]
    if check is not None:
        right = f"{check['accuracy_percent']:g} % told right"
        told = f"{check['sample']:,} sampled documents, {check['walked_percent']:g} % by a walk"
        rows.append(("class of a document", told, right, ""))
    if not rows:
        return None
    return joined(
        table("Prediction against fact", ("what", "predicted", "fact", "range"), rows),
        _matrix(check["matrix"]) if check is not None else None,
    )


def _ranges(
    one: Mapping[str, Any], points: Sequence[tuple[int, Point]]
) -> Iterator[tuple[str, str, str, str]]:
    predicted = one.get("predicted")
    if predicted is None:
        return
    facts: list[tuple[str, str, float | None, Callable[[float], str]]] = [
        ("seconds", "time", one.get("seconds"), lasting),
        ("workers", "workers", max((point.workers for _, point in points), default=None), _whole),
        (
            "memory_bytes",
            "memory of all workers",
            max((point.rss_total for _, point in points), default=None),
            sized,
        ),
        ("documents_written", "documents written", one["documents"]["masked"], _whole),
    ]
    for key, name, fact, words in facts:
        low, likely, high = (predicted[key][place] for place in ("low", "likely", "high"))
        if None in (low, likely, high) or not fact:
            continue
        ends = f"{words(low)} to {words(high)}, likely {words(likely)}" if low != high else words(likely)
        within = mark("good", "within") if low <= fact <= high else mark("warn", "outside")
        yield name, ends, words(fact), within


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _matrix(matrix: Mapping[str, Mapping[str, int]]) -> Markup | None:
    names = [name for name, _ in _CLASSES]
    rows = [
        (name, *(f"{matrix[name][told]:,}" for told in names)) for name in names if any(matrix[name].values())
    ]
    heads = ("class", *(f"told {name}" for name in names))
    return table("Classes of sampled documents, as they are and as they were told", heads, rows, (1, 2, 3))


def _throttling(one: Mapping[str, Any]) -> Markup:
    scaling = one.get("scaling", ())
    waited = one["throttled"]
    total = sum(waited.values())
    return joined(
        table(
            "Throttling: time that work stood still, of all workers",
            ("reason", "share", "time"),
            (
                (reason, plots.share(seconds, total, "s2"), lasting(seconds))
                for reason, seconds in sorted(waited.items(), key=lambda found: -found[1])
            ),
            (2,),
        )
        if waited
        else element("p", "Throttling: work never stood still.", class_="soft"),
        element("h3", "Workers") if scaling else None,
        element("p", scaled([decision["workers"] for decision in scaling]), ".") if scaling else None,
        items(
            f"after {lasting(decision['seconds'])}: {decision['workers']}, {decision['because']}"
            for decision in scaling[-_MOST_REASONS:]
        )
        if scaling
        else None,
    )


def _unmapped(found: Sequence[Mapping[str, Any]]) -> Markup | None:
    if not found:
        return None
    return table(
        "Values at paths that no rule names",
        ("path", "type", "values"),
        ((path(one["path"]), one["type"], f"{one['values']:,}") for one in found),
        (2,),
    )
