"""A plan as plain data: what `plan` prints and `--json` carries."""

from __future__ import annotations

from typing import Any

from phimask.config.model import Profile
from phimask.planning.plan import CollectionPlan
from phimask.planning.prediction import predict


def summarize(plan: CollectionPlan, profile: Profile) -> dict[str, Any]:
    """The plan of one collection. A rule of the collection file that matches nothing is a hazard here."""
    scan = plan.scan
    partitions = sum(1 for _ in plan.partitions())
    return {
        "namespace": plan.namespace,
        "target": str(plan.target) if plan.target else None,
        "documents": plan.documents,
        "bytes": plan.bytes,
        "partitions": partitions,
        "sampled": scan.documents,
        "largest_bytes": scan.largest,
        "id_types": dict(scan.id_types),
        "complexity": dict(scan.classes),
        "complexity_check": None if scan.classifier is None else scan.classifier.check.report(),
        "every_document_walked": scan.classifier is not None and not scan.classifier.learned,
        "reads": _reads(plan),
        "write_path": _write_path(plan),
        "rules": [
            {"path": rule.path, "masker": rule.masker.name, "values": count}
            for rule, count in zip(plan.rules, scan.matched, strict=True)
        ],
        "predicted": predict(plan, profile, partitions).as_data(),
        "room": plan.room.as_data(),
        "ceiling_bytes": plan.ceiling_bytes,
        "indexes": _indexes(plan, profile),
        "shadow": _shadow(plan),
        "hazards": [one.as_data(plan.accepts) for one in (*plan.hazards, *plan.unmatched)],
    }


def _write_path(plan: CollectionPlan) -> dict[str, Any] | None:
    """How documents are changed in place; None for a copy."""
    if plan.target is not None:
        return None
    chosen, measured = plan.write_path, plan.write_path.measured
    return {
        "path": chosen.path,
        "why": chosen.why,
        "changed_percent": round(100 * measured.changed, 1),
        "microseconds_per_document": {
            "set": round(measured.set.seconds * 1e6, 1),
            "replace": round(measured.replace.seconds * 1e6, 1),
        },
        "bytes_per_document": {"set": round(measured.set.bytes), "replace": round(measured.replace.bytes)},
        "server_possible": not chosen.unserved,
        "not_by_server": list(chosen.unserved),
    }


def _indexes(plan: CollectionPlan, profile: Profile) -> dict[str, Any] | None:
    """What a collection's secondary indexes cost the server while it is masked in place."""
    cost = plan.index_cost
    if cost is None:
        return None
    rebuilt = profile.write.indexes == "rebuild"
    each = cost.microseconds_without if rebuilt else cost.microseconds
    return {
        "total": cost.total,
        "on_masked_paths": cost.masked,
        "removable": list(cost.removable),
        "rebuilt": rebuilt,
        "microseconds_per_document": round(each, 1),
        "seconds": round(each * plan.documents / 1e6, 1),
        "seconds_saved_by_rebuilding": round(
            (cost.microseconds - cost.microseconds_without) * plan.documents / 1e6, 1
        ),
    }


def _shadow(plan: CollectionPlan) -> dict[str, Any] | None:
    shadow = plan.shadow
    if shadow is None:
        return None
    return {
        "original": str(shadow.original) if shadow.keep else None,
        "disk_bytes": shadow.bytes,
        "free_bytes": shadow.free,
        "indexes": shadow.indexes,
        "catch_up": shadow.catch_up,
    }


def _reads(plan: CollectionPlan) -> str:
    projection = plan.reads
    if plan.target is None and plan.write_path.path == "server":
        return "only _id, and whole documents of the sample that is checked"
    if projection is None:
        return "whole documents"
    names = sorted(name for name in projection if name != "_id")
    if 0 in projection.values():
        return f"all but {', '.join(names)}"
    return f"only {', '.join(names)}"
