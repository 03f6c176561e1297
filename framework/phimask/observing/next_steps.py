"""What a person does next, as a report's facts say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from phimask.observing.wording import counted


def next_steps(report: Mapping[str, Any]) -> Iterator[str]:
    """A sentence each; there always is one where a run is completed."""
    collections = report["collections"]
    shadows = [one["shadow"] for one in collections if one.get("shadow")]
    if report["status"] == "failed" and any(one["state"] == "left" for one in shadows):
        yield (
            "Originals whose shadow was not swapped in are as they were. The reason above says what to change: then "
            f"`phimask resume {report['run_id']}` goes on, or `phimask finalize {report['run_id']}` drops the shadows."
        )
    elif report["status"] == "failed":
        yield (
            "Where it failed stands in the log file, where --log-dir asked for one. Documents of finished batches are "
            "masked, others are not; "
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
            f"{counted(failed, 'value')} could not be masked and became redactions. If they matter, give their "
            "rules a masker that takes their type."
        )
    left_out = [one for one in collections if one["documents"]["quarantined"]]
    for one in left_out:
        fate = "are not in the copy" if one["target"] else "still hold their originals"
        yield (
            f"{counted(one['documents']['quarantined'], 'document')} of {one['namespace']} could not be masked and "
            f"{fate}. The JSON report lists their ids; correct them and mask them again."
        )
    results = [result for one in collections for result in one["verification"]]
    if any(result["findings"] for result in results):
        yield "Verification found something: hand nothing on before every finding above is explained."
    elif any(not result["ok"] for result in results):
        yield "Some validators could judge nothing, and say why above: what they look for may be there."
    elif report["status"] == "completed" and not left_out and not kept:
        checked = any(one["verification"] for one in collections)
        passed = "Every check passed." if failed else "Nothing: every check passed."
        yield passed if checked else "Verify: no validator looked at this run."
