"""Documents that were masked in place, each beside what it was: put together again from the run's vault.

One partition's originals are held at a time. What somebody else changed since it was masked cannot be judged, and is
counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from phimask.engine.restoring import Change, unwound
from phimask.errors import VaultError
from phimask.masking.excerpt import put_back
from phimask.masking.fingerprints import FINGERPRINT_DOMAIN, Fingerprint
from phimask.masking.keys import MaskingKey
from phimask.plugins.values import DocumentId, DocumentPair, Finding
from phimask.vault.contents import parts_of, read, survey
from phimask.vault.records import Original
from phimask.vault.sealing import Part
from phimask.vault.vault import VaultSetting, open_vault

CHANGED = "documents that somebody else changed since they were masked"
GONE = "documents that were deleted since they were masked"


class KeptPairs:
    """The pairs of one collection of a run. A context manager that closes the vault."""

    def __init__(
        self,
        setting: VaultSetting | None,
        run: str,
        key: MaskingKey,
        namespace: str,
        *,
        partial: bool,
        batches: Mapping[int, int],
    ) -> None:
        """`partial`: the run was for some documents alone, and of one of which nothing was kept nobody knows whether
        it should have been masked; `batches`: see Originals. Raises VaultError where there is no vault to be opened,
        or a damaged one."""
        if setting is None:
            raise VaultError(
                f"the profile names no vault, and run {run} has its originals in one; --set undo.vault=..."
            )
        with ExitStack() as stack:
            self._vault = stack.enter_context(open_vault(setting, run, key, create=False))
            damage: list[str] = []
            parts = parts_of(self._vault, damage)
            _refuse(damage)
            self._stack = stack.pop_all()
        self._partial = partial
        self._fingerprint = Fingerprint(key.derive(FINGERPRINT_DOMAIN))
        self._parts: dict[int, list[Part]] = {}
        self._namespace, self._batches = namespace, batches
        for part in parts:
            if part.namespace == namespace:
                self._parts.setdefault(part.partition, []).append(part)
        self._kept: dict[DocumentId, list[Original]] = {}
        self._seen: set[DocumentId] = set()
        self._unjudged: Counter[str] = Counter()
        self._counted: Counter[str] | None = None

    def __enter__(self) -> KeptPairs:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self, partition: int | None) -> None:
        """Hold the originals of a partition. Raises VaultError where they are damaged."""
        self._kept, self._seen = {}, set()
        parts = self._parts.get(partition, []) if partition is not None else []
        contents = survey(self._vault, parts)
        written = self._batches.get(partition) if partition is not None else None
        missing = [] if written is None else contents.missing({(self._namespace, partition or 0): written})
        _refuse(contents.damage + missing)
        copies = [copy for some in contents.copies.values() for copy in some]
        for _, originals in read(self._vault, copies):
            for one in originals:
                self._kept.setdefault(one.identity, []).append(one)

    def pairs(
        self, documents: Sequence[bytes], found: Sequence[DocumentId], without: Sequence[frozenset[int]]
    ) -> Iterator[DocumentPair | None]:
        """Each as it was and as it is; one that the run did not change as it is, twice; None where nobody knows."""
        for raw, one, rules in zip(documents, found, without, strict=True):
            kept = self._kept.get(one)
            if kept is None:
                yield None if self._partial else DocumentPair(raw, raw, rules)
                continue
            self._seen.add(one)
            before = unwound(raw, kept, self._fingerprint)
            if before is None:
                self._unjudged[CHANGED] += 1
                yield None
            elif isinstance(before, Change):
                was = before.whole if before.values is None or before.whole else put_back(raw, before.values)
                yield DocumentPair(was, raw, rules)
            else:
                yield DocumentPair(raw, raw, rules)

    def end(self) -> None:
        """The partition is done: what was kept and not seen is gone."""
        if gone := len(self._kept) - len(self._seen):
            self._unjudged[GONE] += gone
        self._kept, self._seen = {}, set()

    def counted(self) -> None:
        """All documents were seen once: in further rounds nothing is counted again."""
        if self._counted is None:
            self._counted = Counter(self._unjudged)

    def unjudged(self) -> tuple[Finding, ...]:
        """What nobody could judge."""
        counts = self._unjudged if self._counted is None else self._counted
        return tuple(Finding(what, None, count) for what, count in counts.items())


def _refuse(damage: Sequence[str]) -> None:
    if damage:
        raise VaultError("\n".join([*damage, "a damaged vault proves nothing; restore it first"]))
