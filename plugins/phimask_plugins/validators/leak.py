"""Validator `leak`: no value that a rule masks is still there somewhere else, in whatever field or text.

Two searches. In its own document each original is looked for in all that is not masked, and in texts that are masked in
part, names by their single words too. Across documents, originals that tell something by themselves are remembered as
keyed fingerprints in a Bloom filter, and what no rule touches is looked up in it; what it takes for known is confirmed
by the originals themselves before it is a finding. Where nobody has the originals any more, the second search goes by
fingerprints that were learnt while they were masked.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from phimask import DocumentPair, Finding, OriginalValues, RuleFacts, Validator
from phimask_plugins.validators.bloom import Bloom, Fingerprints
from phimask_plugins.validators.compare import comparer_for
from phimask_plugins.validators.known import Unmet, known
from phimask_plugins.validators.matcher import ENCODED, VALUE
from phimask_plugins.validators.own import OwnSearch
from phimask_plugins.validators.parts import Masked, Parts, scalars
from phimask_plugins.validators.remembered import KEPT_BYTES, Learnt, records, spread
from phimask_plugins.validators.suspects import packed, packed_counts, unpacked, unpacked_counts
from phimask_plugins.validators.words import LEAST, known_by, phrases, text_of, words

OTHERS: Final = "an original of another document, or of this one, is in a field that no rule masks"

_TEXT: Final = re.compile(rb"[0-9A-Za-z]{4}|(?:[0-9A-Za-z\1.-]|[\xc3-\xf4][\x80-\xbf]{1,3}){6}")
"""What a run has that is more than bytes of a number."""
_MOST_RUNS: Final = 200_000
_MOST_RUN_BYTES: Final = 24 << 20
"""Of stretches of text that are kept until the filter is complete; with more, documents are read again."""
_MOST_SUSPECTS: Final = 100_000
_MOST_SEEN: Final = 100_000
_COMMON: Final = 50
_HEAD: Final = struct.Struct("<QQ?")


class Leak(Validator):
    """Finds a patient's name in a note that no rule names, and a number that a second field repeats.

    Known only in its own document: a single word without a digit, a short value, a number of fewer than 7 digits; dates
    are nowhere looked for, since they coincide. Masked values are compared with their own originals alone (that is
    `no_original`), since a made-up name may be another person's real one. What a rule keeps may stay where it is the
    whole value. Numbers stored as numbers are looked for as texts. Originals inside fields with `decode` are not known.

    A value that more than 50 documents and more than one in a thousand hold is in common use, and is no finding
    across documents.
    """

    name = "leak"
    phases = frozenset({"after"})
    needs_key = True
    remembers = True
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "filter": {
                "format": "size",
                "default": "32MB",
                "description": "The memory of each process for fingerprints of originals; the greatest power of two "
                "within it is taken. Each false alarm is confirmed to be one, at the cost of reading once more.",
            },
            "kept": {
                "format": "size",
                "default": "256MB",
                "description": "The most that the ledger keeps of one collection's originals, where it is masked in "
                "place without a vault: 12 bytes for each that tells something. Of documents beyond, nothing is known, "
                "and that is said.",
            },
            "leave_out": {
                "type": "array",
                "items": {"type": "string"},
                "default": [],
                "description": "Paths of rules, as the collection file writes them, whose originals are not looked for "
                "in other documents: those of cities, say.",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any], rules: Sequence[RuleFacts] = (), key: bytes = b"") -> None:
        """Raises ValueError for a filter that is none."""
        super().__init__(options, rules)
        if options.get("filter", 1) < 1:
            raise ValueError("filter is nothing; give it a positive size")
        self.most_kept = options.get("kept", 256 << 20)
        self._comparer = comparer_for(self.rules)
        self._own = OwnSearch(self._comparer)
        self._fingerprint = whole = Fingerprints(key or b"\0", b"leak").of
        self._left_out = frozenset(options.get("leave_out", ()))
        self._learnt = Learnt(whole, self._left_out)
        self._recalls = False
        self._size: int = options.get("filter", 1 << 20)
        self._bloom: Bloom | None = None
        self._round = 1
        self._documents = 0
        self._unmet = Unmet()
        self._added = 0
        self._runs: set[bytes] = set()
        self._run_bytes = 0
        self._overflowed = False
        self._clean: set[bytes] = set()
        self._suspects: dict[bytes, Counter[str]] = {}
        self._too_many = False
        self._held: Counter[bytes] = Counter()
        self._encoded = any(rule.decode for rule in self.rules)

    def document(self, pair: DocumentPair) -> Iterable[Finding]:
        """Own originals that are still there, by path; what other documents' are is said at the end."""
        if self._round == 2:
            if pair.before is not None or self._recalls:
                self._scan(pair)
            return ()
        if pair.before is None or pair.after is None:
            return ()
        parts = self._comparer.parts(pair)
        if self._round > 2:
            self._confirm(parts)
            return ()
        self._documents += 1
        self._remember(parts.masked)
        if not self._overflowed:
            self._keep_runs(parts.runs)
        return self._own.findings(pair, parts)

    # --- those of other documents

    def _remember(self, masked: list[Masked]) -> None:
        """All of a document's originals that were not met lately."""
        if self._left_out:
            masked = [one for one in masked if not self._is_left_out(one)]
        new = self._unmet.known(masked)
        if not new:
            return
        if self._bloom is None:
            self._bloom = Bloom(self._size)
        self._added += len(new)
        self._bloom.add(list(map(self._fingerprint, new)))

    def _is_left_out(self, one: Masked) -> bool:
        return one.state.rule is not None and one.state.rule.path in self._left_out

    def _keep_runs(self, runs: set[bytes]) -> None:
        new = runs - self._runs
        fresh = {run for run in new if len(run) >= LEAST and _TEXT.search(run)} if new else new
        self._runs |= fresh
        self._run_bytes += sum(map(len, fresh))
        if len(self._runs) > _MOST_RUNS or self._run_bytes > _MOST_RUN_BYTES:
            self._overflowed = True
            self._runs.clear()

    def _suspicious(self, text: str) -> Iterator[bytes]:
        """The fingerprints of all that the filter takes for known in a text."""
        bloom = self._bloom
        if bloom is None:
            return
        for _, _, joined in phrases(words(text)):
            fingerprint = self._fingerprint(joined.encode())
            if fingerprint in bloom:
                yield fingerprint

    def _scan(self, pair: DocumentPair) -> None:
        """Where what the filter takes for known stands."""
        if pair.after is None:
            return
        for one in scalars(pair.after, self._comparer.top(pair)):
            if one.treatment in (VALUE, ENCODED):
                continue
            text = text_of(one.kind, one.value)
            if text is None or one.value in self._clean:
                continue
            clean = True
            whole = known_by(text) if one.state.winner >= 0 else None  # what a rule keeps may stay
            for fingerprint in self._suspicious(text):
                clean = False
                if whole is not None and fingerprint == self._fingerprint(whole.encode()):
                    continue
                if fingerprint not in self._suspects and len(self._suspects) >= _MOST_SUSPECTS:
                    self._too_many = True
                    continue
                path = self._comparer.shown(one.path) or ""
                self._suspects.setdefault(fingerprint, Counter())[path] += 1
            if clean:
                if len(self._clean) >= _MOST_SEEN:
                    self._clean.clear()
                self._clean.add(one.value)

    def _confirm(self, parts: Parts) -> None:
        """Which suspects are originals, and of how many documents."""
        held = {
            fingerprint
            for joined in known([one for one in parts.masked if not self._is_left_out(one)])
            if (fingerprint := self._fingerprint(joined.encode())) in self._suspects
        }
        self._held.update(held)

    # --- what was learnt while originals were masked

    def remember(self, originals: Sequence[OriginalValues]) -> None:
        """As fingerprints of what other documents would repeat."""
        self._learnt.note(originals)

    def learnt(self) -> Iterable[bytes]:
        """Records of 12 bytes: see `Learnt`."""
        return self._learnt.taken()

    def recall(self, learnt: Iterable[bytes], documents: int) -> None:
        """All into the filter; when there are suspects, which of them were originals, and how common."""
        if self._round == 1:
            self._documents, self._recalls = documents, True
            self._bloom = Bloom(self._size)
            for part in learnt:
                found = [spread(fingerprint) for fingerprint, _ in records([part])]
                self._added += len(found)
                self._bloom.add(found)
            return
        for fingerprint, number in records(learnt):
            whole = spread(fingerprint)
            if whole in self._suspects:
                self._held[whole] += number

    # --- rounds

    def gathered(self) -> bytes:
        """The filter; then suspects; then how many documents hold each of those."""
        if self._round == 1:
            head = _HEAD.pack(self._documents, self._added, self._recalls)
            return head + (b"" if self._bloom is None else bytes(self._bloom))
        if self._round == 2:
            return struct.pack("<?", self._too_many) + packed(self._suspects)
        return packed_counts(self._held)

    def join(self, gathered: Sequence[bytes]) -> bytes:
        """The filters as one; the suspects; the counts added up."""
        if self._round == 1:
            heads = [_HEAD.unpack_from(one) for one in gathered]
            bodies = [one[_HEAD.size :] for one in gathered if len(one) > _HEAD.size]
            head = _HEAD.pack(sum(one[0] for one in heads), sum(one[1] for one in heads), False)
            if not bodies:
                return head
            bloom = Bloom(self._size)
            bloom.unite(bodies)
            return head + bytes(bloom)
        if self._round == 2:
            suspects: dict[bytes, Counter[str]] = {}
            for one in gathered:
                for fingerprint, paths in unpacked(one[1:]).items():
                    suspects.setdefault(fingerprint, Counter()).update(paths)
            return struct.pack("<?", any(one[0] for one in gathered)) + packed(suspects)
        held: Counter[bytes] = Counter()
        for one in gathered:
            held.update(unpacked_counts(one))
        return packed_counts(held)

    def next_round(self, joined: bytes) -> bool:
        """Again where something is suspicious, or where it could not be known yet."""
        self._round += 1
        if self._round == 2:
            self._documents, self._added, self._recalls = _HEAD.unpack_from(joined)
            if self._recalls:
                of = self._fingerprint
                self._fingerprint = lambda data: spread(of(data))
            self._unmet = Unmet()
            self._bloom = None
            if len(joined) > _HEAD.size:
                self._bloom = Bloom(self._size)
                self._bloom.unite([joined[_HEAD.size :]])
            again = self._overflowed or any(
                True for run in self._runs for _ in self._suspicious(run.decode("utf-8", "replace"))
            )
            self._runs.clear()
            return again
        if self._round == 3:
            self._too_many = bool(joined[0])
            self._suspects = unpacked(joined[1:])
            return bool(self._suspects)
        self._held = unpacked_counts(joined)
        return False

    def conclude(self, earlier: Sequence[Validator]) -> Iterator[Finding]:  # noqa: ARG002
        """What was confirmed, by path; what is in common use is left out."""
        common = max(_COMMON, self._documents // 1000)
        if self._recalls:
            common *= 2  # some documents were masked twice on their way, and counted each time
        found: Counter[str] = Counter()
        for fingerprint, paths in self._suspects.items():
            if 0 < self._held[fingerprint] <= common:
                found.update(paths)
        for path, count in sorted(found.items()):
            yield Finding(OTHERS, path or None, count)

    def unjudged(self) -> Iterator[Finding]:
        """What is left out across documents, and how sure the filter is."""
        if self._recalls:
            chance = 2 ** (8 * KEPT_BYTES) / max(self._added, 1)
            yield Finding(
                "a document's own names by their single words; originals that are short, single words, dates or in "
                f"common use; texts that are masked in part. All else was looked for by {self._added:,} "
                f"fingerprints, of which one is met by chance in {min(1e15, chance):,.0f} lookups"
            )
        elif self._encoded:
            yield Finding("originals inside of fields with `decode`")
        if self._too_many:
            yield Finding(f"more than {_MOST_SUSPECTS:,} suspects could not be confirmed: raise `filter`")
        if self._round > 1 and self._documents and not self._recalls:
            rate = 0.0 if self._bloom is None else self._bloom.false_positives
            yield Finding(
                "across documents: originals that are short, single words, dates or in common use; of the others "
                f"{self._added:,} were looked for, by a filter that is wrong once in "
                f"{min(1e15, 1 / rate if rate else 1e15):,.0f} lookups and was confirmed where it was not silent"
            )
