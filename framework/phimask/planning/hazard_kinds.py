"""The kinds of hazards: what each is, why it matters, and what to do. docs/reference/hazards.md is made from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["refuses", "decide", "told"]
"""refuses: no run begins, since it would corrupt or could not work. decide: none begins until a person accepts it.
told: a person should know."""


@dataclass(frozen=True, slots=True)
class HazardKind:
    """One kind. `title` says what it is in a few words, `why` why it matters, `do` what would be right."""

    id: str
    severity: Severity
    title: str
    why: str
    do: str


_KINDS: Final = (
    # What is masked
    HazardKind(
        "view", "refuses", "the collection is a view",
        "A view has no documents of its own that could be written.", "mask the collection that it stands on",
    ),
    HazardKind(
        "time-series", "refuses", "the collection is a time series",
        "The server packs measurements into buckets and takes few updates of them.",
        "export it to an ordinary collection, and mask that",
    ),
    HazardKind(
        "system-collection", "refuses", "the collection is the server's own",
        "What the server keeps for itself is not for others to change.", "mask the collections that hold the data",
    ),
    HazardKind(
        "capped", "refuses", "the collection is capped, and masked in place or through a shadow",
        "Documents of a capped collection keep their size and their order of insertion.",
        "mask it into a target",
    ),
    HazardKind(
        "gridfs-contents", "told", "a GridFS bucket's contents stay as they are",
        "The metadata of files can be masked; the bytes of the files in the chunks cannot, and may hold PHI.",
        "mask the metadata, and treat the files by other means, or leave them out of what is handed on",
    ),
    HazardKind(
        "phi-in-id", "decide", "values of _id look like PHI",
        "A document's _id is what finds it; no run changes it, in place or in a copy.",
        "copy the documents under new _ids first, or accept it where the detectors are wrong",
    ),
    HazardKind(
        "mixed-ids", "told", "_ids are of several BSON types",
        "Ordinary range queries pass over all types but one; phimask's do not, other people's scripts may.",
        "nothing; compare the counts in the report",
    ),
    HazardKind(
        "collation", "told", "the collection has a collation of its own",
        "Texts are ordered and compared by it, in unique indexes too, so that two masks may count as equal.",
        "nothing; ranges of _id follow the collation",
    ),
    HazardKind(
        "large-documents", "told", "documents near MongoDB's limit of 16 MB",
        "A mask longer than its value may carry such a document over the limit; it is quarantined then, unmasked.",
        "use maskers that keep lengths for its texts, or look at the quarantine list after the run",
    ),
    HazardKind(
        "exact-walk", "told", "documents that only the exact, slower walk can treat",
        "Odd keys, duplicate keys, dates past 9999 and the like are masked byte by byte.",
        "nothing; such documents take longer",
    ),
    HazardKind(
        "empty-timestamps", "told", "empty timestamps in documents that are written whole",
        "The server puts its clock into a top-level Timestamp(0, 0) of such a document; it takes a second write to put "
        "it back, and where no update can name the field, the document is quarantined.",
        "nothing; the copy takes longer",
    ),
    HazardKind(
        "sample", "told", "no random sample could be taken",
        "The first documents stand for all others, and may be unlike them.",
        "read the plan with that in mind",
    ),
    # Rules
    HazardKind(
        "unmapped-phi", "decide", "values at a path that no rule names look like PHI",
        "What no rule names stays as it is, in the open.",
        "add a rule for the path, with `masker: keep` where the values may stay",
    ),
    HazardKind(
        "unmatched-rule", "decide", "a rule of the collection file matches nothing in the sample",
        "A misspelt path leaves PHI in the open.", "check its spelling and case, or take the rule out",
    ),
    HazardKind(
        "rule-query", "refuses", "the server refuses a rule's `when`",
        "Nobody could say which documents the rule is for.", "check the query",
    ),
    HazardKind(
        "masker", "refuses", "a masker is not ready",
        "It would give other masks than before, or none.", "see what the message says",
    ),
    HazardKind(
        "validator-finding", "refuses", "a validator of the profile found something beforehand",
        "It would find it again when everything is masked.", "see what the message says",
    ),
    # Indexes
    HazardKind(
        "unique-index", "refuses", "a unique index on a path whose masker may give two values the same mask",
        "The second of two equal masks is refused half way (E11000).",
        "use an injective masker, drop the index, or mask into a target without it",
    ),
    HazardKind(
        "unique-index-collation", "decide", "a unique index that takes different texts for equal, on a masked path",
        "Masks that differ only in case or accents count as the same there; the second is quarantined, unmasked.",
        "use a masker whose masks are digits, or drop the index",
    ),
    HazardKind(
        "ttl-index", "decide", "an index that deletes documents by a masked date (TTL)",
        "Masked documents expire at other times: some are deleted as soon as they are written.",
        "drop the index first, or mask into a target without it",
    ),
    HazardKind(
        "text-index", "decide", "a text index on a masked path",
        "Searches find other documents than before, and the index is rewritten word by word.",
        "drop the index if nobody needs it on masked data",
    ),
    HazardKind(
        "geo-index", "decide", "a geo index on a masked path",
        "It finds other documents than before, and refuses what is no place: such documents are quarantined, unmasked.",
        "use a masker that gives places, or drop the index",
    ),
    HazardKind(
        "partial-index", "decide", "an index that is partial by a masked path",
        "Which documents it holds changes, and so do answers that rest on it, a partial unique index's promise too.",
        "make the index anew for masked values, or drop it",
    ),
    HazardKind(
        "wildcard-index", "told", "a wildcard index over masked paths",
        "Each masked value is an entry to rewrite.", "drop it meanwhile: write.indexes=rebuild",
    ),
    HazardKind(
        "indexes-on-masked-paths", "told", "indexes on masked paths",
        "Each costs on every write.", "drop them meanwhile where there are many: write.indexes=rebuild",
    ),
    HazardKind(
        "shard-key", "refuses", "a masked field of the shard key",
        "A document whose shard key changes moves to another shard.", "mask into a target instead",
    ),
    HazardKind(
        "phi-in-shard-key", "decide", "values of the shard key look like PHI",
        "They stay in the documents, and the cluster's metadata has some of them as the bounds of chunks.",
        "reshard by another key first, or accept it where the detectors are wrong",
    ),
    # What the collection takes
    HazardKind(
        "validator", "told", "the collection has a validator",
        "Documents that it refuses after masking are quarantined, unmasked.",
        "nothing where the samples that were tried passed",
    ),
    HazardKind(
        "validator-refuses", "decide", "the collection's validator refuses masked samples",
        "Such documents are quarantined: they stay in the collection, unmasked.",
        "change the masker or the validator, so that masked documents pass",
    ),
    HazardKind(
        "validator-refused-already", "decide", "the collection's validator refuses documents as they are",
        "They cannot be written back in place whatever the masks are, and are quarantined, unmasked.",
        "mend them first, or set validationLevel: moderate, under which they may be changed",
    ),
    # Target and shadow
    HazardKind(
        "target-kind", "refuses", "the target is no ordinary collection",
        "Only an ordinary collection takes any document.", "name another target",
    ),
    HazardKind(
        "target-is-source", "refuses", "the target is the source",
        "Documents would be overwritten under the name of a copy.",
        "name another database, or no target to mask in place",
    ),
    HazardKind(
        "target-not-empty", "told", "the target holds documents already",
        "Those with an _id of the source are replaced.", "drop the target first if they are not wanted",
    ),
    HazardKind(
        "target-collation", "told", "the target compares _ids by another collation than the source",
        "Two _ids may count as one there; the second is left out and listed.",
        "create the target with the source's collation",
    ),
    HazardKind(
        "shadow-impossible", "refuses", "the collection cannot be masked through a shadow",
        "A shadow has to be able to take the collection's place, whole.", "mask it in place",
    ),
    HazardKind(
        "shadow-left", "refuses", "another run's shadow or original is there",
        "Two runs must not take one collection's place.", "end that run with `phimask finalize` or `phimask rollback`",
    ),
    HazardKind(
        "shadow-ttl", "told", "an index deletes documents while the shadow is filled",
        "That is a write like any other, and the shadow is not swapped in then.", "drop the index first",
    ),
    HazardKind(
        "shadow-closing", "told", "the original refuses writes for a moment, where others may write meanwhile",
        "What is left is masked and verified then, while nobody can write.",
        "see to it that applications try again what is refused with code 121",
    ),
    HazardKind(
        "shadow-writers", "told", "nobody may write while the shadow is filled",
        "The shadow is not swapped in where anybody did.",
        "stop the applications that write, or have the shadow catch up with them (target.shadow.catch_up)",
    ),
    # The deployment
    HazardKind(
        "server-version", "refuses", "the server is older than 5.0",
        "Ranges of _id would not use their index, and keys with dots could not be updated.", "upgrade it",
    ),
    HazardKind(
        "feature-compatibility", "told", "the server works by the rules of an older version",
        "Its featureCompatibilityVersion is behind: an upgrade is under way, or was not completed.",
        "complete the upgrade first, or let none go on meanwhile",
    ),
    HazardKind(
        "no-transactions", "refuses", "transactions are asked for, and the server has none",
        "A change by somebody else between reading and writing would be lost.",
        "make it a replica set, or give --set write.guard=none where nobody else writes",
    ),
    HazardKind(
        "standalone", "told", "the server has no transactions",
        "A change by somebody else between reading and writing is lost.",
        "be sure that nobody else writes meanwhile",
    ),
    HazardKind(
        "privileges", "refuses", "the user may not do what the run needs",
        "The run would fail half way.", "grant the role that the message names",
    ),
    HazardKind(
        "throttle-blind", "told", "the user may not look at what the throttle watches",
        "The run cannot stand still for a lagging secondary or for flow control.", "grant the role clusterMonitor",
    ),
    HazardKind(
        "oplog-window", "decide", "the run writes more than the oplog holds",
        "A secondary, a change stream or a backup that stands still for longer than the window has to begin anew.",
        "enlarge the oplog, mask in time windows, or use fewer workers",
    ),
    HazardKind(
        "oplog-unknown", "told", "nobody can see whether the run's writes fit into the oplog",
        "More is written than the smallest oplog that MongoDB makes (990 MB) has room for, and the user may not look "
        "at local.oplog.rs, or the deployment is a cluster, whose mongos shows no shard's.",
        "grant clusterMonitor, or what the message names; of a cluster, compare with rs.printReplicationInfo() on each "
        "shard's primary",
    ),
    HazardKind(
        "server-cache", "told", "transactions may take more than a tenth of the server's cache",
        "What is not committed cannot leave the cache. Past a tenth of it the server has those who write make room "
        "first, and batches take many times as long.",
        "give the server more cache, lower `batch_sizer.options.bytes`, or use fewer workers",
    ),
    HazardKind(
        "disk", "decide", "the server's disk may not have room for what the run writes",
        "A server without disk stops, for everybody.", "make room",
    ),
    HazardKind(
        "disk-unknown", "told", "the server does not say how much disk is free",
        "Nobody knows whether there is room.", "look at the server's disk",
    ),
    HazardKind(
        "vault-disk", "decide", "the disk of the vault may not have room for the originals",
        "A run whose vault is full stops, and waits for room.", "make room, or name another place in undo.vault",
    ),
    HazardKind(
        "vault-unknown", "told", "the vault's deployment does not say how much disk is free",
        "Nobody knows whether the originals have room there.",
        "grant the vault's user `dbStats` on its database, or look at that server's disk",
    ),
    HazardKind(
        "vault-unreachable", "refuses", "the vault's deployment cannot be reached",
        "No document is written before its originals are in the vault.", "see what the message says",
    ),
    HazardKind(
        "write-path", "refuses", "documents cannot be changed in the way that the profile names",
        "The server cannot compute these masks, or nobody would have the originals.", "give --set write.path=auto",
    ),
    # Other runs
    HazardKind(
        "other-run", "refuses", "another run has the collection, or has masked it",
        "Two runs would mask it twice.", "see what the message says",
    ),
    HazardKind(
        "ledger", "refuses", "the ledger cannot be used",
        "What is done would not be known after a crash.", "see what the message says",
    ),
)  # fmt: skip

KINDS: Final[Mapping[str, HazardKind]] = {one.id: one for one in _KINDS}
"""All kinds by id, in the order in which they are documented."""
