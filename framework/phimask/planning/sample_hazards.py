"""What a sample says: PHI that no rule names, rules that match nothing, odd documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from phimask.config.model import CollectionFile, Rule
from phimask.masking.columns import BoundRule
from phimask.masking.unmapped import shown_path
from phimask.planning.hazards import Hazard, hazard
from phimask.planning.namespace import Namespace
from phimask.planning.prescan import Prescan
from phimask.planning.write_path import Measured
from phimask.plugins.values import Wildcard

_LARGE: Final = 15_000_000
"""Bytes from which on a mask that is longer than its value may not fit any more."""


def unmatched_rules(
    file: CollectionFile, rules: Sequence[BoundRule], scan: Prescan, namespace: str
) -> Iterator[Hazard]:
    """The file's own rules that match nothing; a pack's may."""
    own = file.origin.file
    written = scan.matched[len(rules) - len(file.rules) :]
    for place, (rule, count) in enumerate(zip(file.rules, written, strict=True)):
        if (
            scan.documents
            and not count
            and rule.origin.file == own
            and rule.segments != (Wildcard.ANY_DEPTH,)
        ):
            yield Hazard(
                "unmatched-rule",
                f"{rule.origin.file}:{rule.origin.line}: {rule.origin.path}: {rule.path} matches nothing in "
                f"{scan.documents} sampled documents of {namespace}; {_what_to_do(rule, file.rules[place + 1 :])}",
                namespace,
                rule.path,
            )


def _what_to_do(rule: Rule, later: Sequence[Rule]) -> str:
    for one in later:
        if one.segments == rule.segments and one.when is None and one.masker is not None:
            where = f"{one.origin.file}:{one.origin.line}: {one.origin.path}"
            return f"a later rule of the same path wins ({where}), so take one of the two out"
    return "check its spelling and case, or take the rule out"


def refused_queries(
    file: CollectionFile, rules: Sequence[BoundRule], refused: Mapping[int, str], namespace: str
) -> Iterator[Hazard]:
    """The rules whose `when` the server refuses, each where it is written, with the server's code name."""
    before = len(rules) - len(file.rules)
    for position, code in refused.items():
        rule = file.rules[position - before]
        yield Hazard(
            "rule-query",
            f"{rule.origin.file}:{rule.origin.line}: {rule.origin.path}.when: the server refuses this query of "
            f"{rule.path} ({code}); check its operators",
            namespace,
            rule.path,
        )


def of_sample(
    source: Namespace, scan: Prescan, shard_key: Sequence[str], measured: Measured, *, whole: bool
) -> Iterator[Hazard]:
    """Hazards of the documents themselves. `whole`: they are written whole, not field by field."""
    sharded_by = {shown_path(path.split(".")) for path in shard_key}
    for path, labels in sorted(scan.detected.items()):
        like = ", ".join(sorted(labels))
        if path.partition(".")[0] == "_id":
            yield hazard(
                "phi-in-id",
                source,
                f": values of {path} look like {like}, and no run changes an _id, in place or in a copy; copy the "
                "documents under new _ids first",
                path=path,
            )
        elif path in sharded_by:
            yield hazard(
                "phi-in-shard-key",
                source,
                f": {path} is in the shard key, and its values look like {like}: the cluster's metadata has some of "
                "them as the bounds of chunks; reshard by another key first",
                path=path,
            )
        else:
            yield hazard(
                "unmapped-phi",
                source,
                f": no rule names {path}, and its values look like {like}; add a rule for it, with `masker: keep` "
                "where they may stay",
                path=path,
            )
    if len(scan.id_types) > 1:
        told = ", ".join(f"{kind} ({count})" for kind, count in sorted(scan.id_types.items()))
        yield hazard("mixed-ids", source, f": _ids of the sample are of several types: {told}", path="_id")
    if scan.largest > _LARGE:
        yield hazard(
            "large-documents",
            source,
            f": the largest document of the sample has {scan.largest / 1e6:.1f} MB; one that masking carries over "
            "16 MB is quarantined, unmasked",
        )
    if scan.empty_timestamps and whole:
        yield hazard(
            "empty-timestamps",
            source,
            f": {scan.empty_timestamps} of {scan.documents} sampled documents hold an empty timestamp, which the "
            "server fills in: each takes a second write",
        )
    if scan.unreadable:
        yield hazard(
            "exact-walk",
            source,
            f": {scan.unreadable} of {scan.documents} sampled documents hold what only the exact "
            "(slower) walk can treat",
        )
    if measured.odd and not whole:
        yield hazard(
            "exact-walk",
            source,
            f": {measured.odd} of {measured.documents} documents masked on trial are replaced whole, guarded: no "
            "update can name their masked paths (odd or duplicate keys), or they are larger than 2 MB",
        )
