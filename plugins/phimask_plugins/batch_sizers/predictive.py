"""Batches of even time and bounded memory, by a model of what documents of each class cost."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from phimask import BatchBudget, BatchCost, BatchSizer, ComplexityClass, Meter
from phimask_plugins.batch_sizers.adaptive import AdaptiveBatchSizer
from phimask_plugins.batch_sizers.least_squares import LeastSquares
from phimask_plugins.batch_sizers.metered import CLASSES, Metered, even

_LOGGER: Final = logging.getLogger("phimask.sizer")

_BATCH_SECONDS: Final = 0.02
_DOCUMENT_SECONDS: Final = 0.15e-3
_BYTE_SECONDS: Final = 40e-9
"""First guesses, of which only the proportions count: the first batch tells how fast the machine is."""
_BASE_BYTES: Final = 100e6
_BYTES_A_BYTE: Final = 4.0
_BYTES_A_DOCUMENT: Final = 2_000.0
_LEAST_BATCHES: Final = 6
"""So many batches teach the model before it is believed."""
_OF_CLASS: Final = 2
"""A class that fewer batches held is reckoned with more than the model says."""
_CAUTION: Final = 1.2
_RECOVERY: Final = 1.1
_LEAST_RELIEF: Final = 1 / 64
_DRIFT: Final = 1.05
"""So much may what full batches are believed to take change from one to the next: a machine that is slow for a moment
makes them longer."""
_REACHED: Final = 0.9
"""Of the aim: a batch that comes so far and is not full shows that batches may be longer."""
_SHORTEST: Final = 1e-3
_LEAST_LONGEST: Final = 1.0
"""Seconds: a batch that is over before is not worth the rest that would be masked anew."""
_SLOW: Final = 1.2
"""So many times what was expected: a batch that took longer met a hiccup of the machine's, unless the next does too."""

_OWN: Final = ("memory", "forgetting")


class PredictiveBatchSizer(BatchSizer):
    """Ends a batch where a model says that it will take `target` seconds, or come to `memory` resident bytes.

    The model is linear: so much for a batch by itself, and for the documents and the bytes of each class (simple,
    medium, complex) at their own rates. It is learnt by recursive least squares with forgetting, each batch being one
    observation, weighed by relative error; resident bytes at the highest likewise. What is known of a class is kept
    while others go by. Of a batch that took far longer than expected, while the one before did not, a fifth more is
    believed: it met a server's checkpoint, or the like, and those that follow would be too short. A batch is reckoned
    document by document as it is read, so that it ends early where hard documents begin, and not one batch later.

    While fewer than six batches have been seen, and wherever no classes are told, it works as `adaptive` does under the
    same options, and says so in the log. A class that hardly any batch has held yet is reckoned with two fifths more.

    Where `documents` or `bytes` end batches long before `target`, all are aimed at a tenth longer than those take, so
    that they stay even, though at no less than 0.15 s. What counts is what batches do hold: where quick documents come
    between slow ones, few batches are full of them. That aim moves by a twentieth a batch, and comes back as far as
    batches of the same class are not ended so any more. `longest` is cut in proportion, though not below 1 s. Memory
    pressure cuts all at once; a tenth of what is left comes back with every batch.
    """

    name: ClassVar[str] = "predictive"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **AdaptiveBatchSizer.options_schema["properties"],
            "memory": {
                "anyOf": [{"type": "null"}, {"format": "size"}],
                "default": None,
                "description": "the most resident bytes that the process is to come to in a batch; null: no bound",
            },
            "forgetting": {
                "type": "number",
                "exclusiveMinimum": 0.5,
                "maximum": 1,
                "default": 0.85,
                "description": "what is left of a batch's weight in the model after the next one",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError as `adaptive` does, and for a memory of nothing."""
        super().__init__(options)
        self._memory: int | None = options["memory"]
        if self._memory is not None and self._memory <= 0:
            raise ValueError("memory is no size; give it a positive size such as 1GB, or null")
        self._adaptive = AdaptiveBatchSizer({k: v for k, v in options.items() if k not in _OWN})
        self._target: float = options["target"]
        self._most_documents: int = options["documents"]
        self._most_bytes: int = options["bytes"]
        self._seconds = LeastSquares(1 + 2 * len(CLASSES), options["forgetting"])
        self._peak = LeastSquares(2 + len(CLASSES), options["forgetting"])
        self._batches_of = dict.fromkeys(CLASSES, 0)
        self._relief = 1.0
        self._leads = self._was_slow = False
        self._aim: float = self._target
        self._full: dict[ComplexityClass, float] = {}

    def budget(self) -> BatchBudget:
        """Both bounds while the model leads, as far as pressure leaves them; else those of `adaptive`."""
        if not self._leads:
            return self._adaptive.budget()
        return BatchBudget(
            max(1, int(self._most_documents * self._relief)), max(1, int(self._most_bytes * self._relief))
        )

    def meter(self) -> Meter:
        """Ends a batch where the model says so; that of `adaptive`, while it does not lead."""
        if not self._leads:
            return self._adaptive.meter()
        batch, *each = self._seconds.factors
        base, document, *byte = self._peak.factors
        seconds: dict[ComplexityClass, tuple[float, float]] = {}
        peak: dict[ComplexityClass, tuple[float, float]] = {}
        for kind in CLASSES:
            place = CLASSES.index(self._nearest(kind))
            caution = 1.0 if self._batches_of[kind] >= _OF_CLASS else _CAUTION
            seconds[kind] = (
                caution * each[2 * place] * _DOCUMENT_SECONDS,
                caution * each[2 * place + 1] * _BYTE_SECONDS,
            )
            peak[kind] = document * _BYTES_A_DOCUMENT, caution * byte[place] * _BYTES_A_BYTE
        known = self._peak.observations > 0
        return Metered(
            batch * _BATCH_SECONDS,
            seconds,
            self._aim * self._relief,
            peak=base * _BASE_BYTES if known else 0.0,
            peak_each=peak if known else None,
            most_bytes=self._memory,
        )

    def longest(self) -> float:
        """The option of this name; of batches that are aimed at less than `target`, as much less."""
        longest = self._adaptive.longest()
        return min(longest, max(_LEAST_LONGEST, longest * self._aim / self._target))

    def record(self, cost: BatchCost) -> None:
        """Learn from the batch."""
        self._adaptive.record(cost)
        self._relief = min(1.0, self._relief * _RECOVERY)
        if not cost.classes or cost.documents < 1:
            return
        for kind, (documents, _) in cost.classes.items():
            if documents:
                if not self._batches_of[kind]:
                    self._begin(kind, self._nearest(kind))
                self._batches_of[kind] += 1
        self._seconds.learn(_in_seconds(cost.classes), max(self._believed(cost), _SHORTEST))
        self._move_aim(cost)
        if cost.peak_bytes:
            self._peak.learn(_in_bytes(cost.classes), float(cost.peak_bytes))
        if not self._leads and self._seconds.observations == 1:
            _LOGGER.info("the batch sizer has too little to predict from, and works as adaptive for now")
        if not self._leads and self._seconds.observations >= _LEAST_BATCHES:
            self._leads = True
            _LOGGER.info("the batch sizer predicts from now on: %d batches were seen", _LEAST_BATCHES)

    def shrink(self, factor: float) -> None:
        """Cut all bounds by `factor` at once."""
        self._adaptive.shrink(factor)
        self._relief = max(_LEAST_RELIEF, self._relief * factor)

    def _believed(self, cost: BatchCost) -> float:
        """The seconds it took; of a batch that was far slower than expected, and the one before was not, only some."""
        most = _SLOW * self._seconds.expected(_in_seconds(cost.classes))
        known = all(
            self._batches_of[kind] > _OF_CLASS for kind, (documents, _) in cost.classes.items() if documents
        )
        first, self._was_slow = not self._was_slow, cost.seconds > most
        return most if self._was_slow and first and known and self._leads else cost.seconds

    def _nearest(self, kind: ComplexityClass) -> ComplexityClass:
        """The class itself; while no batch has held it, the nearest that some have, the more complex first."""
        place = CLASSES.index(kind)
        met = [number for number, one in enumerate(CLASSES) if self._batches_of[one]]
        return CLASSES[min(met, key=lambda one: (abs(one - place), -one), default=place)]

    def _begin(self, kind: ComplexityClass, like: ComplexityClass) -> None:
        own, other = CLASSES.index(kind), CLASSES.index(like)
        self._seconds.begin(1 + 2 * own, 1 + 2 * other)
        self._seconds.begin(2 + 2 * own, 2 + 2 * other)
        self._peak.begin(2 + own, 2 + other)

    def _move_aim(self, cost: BatchCost) -> None:
        """Towards `target`, or what batches take that `documents` or `bytes` end before it.

        Of each class, that holds for the batches of which it fills the most.
        """
        by_bytes = cost.bytes / self._most_bytes > cost.documents / self._most_documents
        kind = max(cost.classes, key=lambda one: cost.classes[one][by_bytes])
        full = cost.documents >= self._most_documents or (
            cost.bytes * (1 + 1 / cost.documents) > self._most_bytes
        )
        seconds = self._seconds.expected(_in_seconds(cost.classes))
        known = self._full.get(kind)
        if full and seconds < self._target:
            if known is not None and self._leads:
                seconds = min(max(seconds, known / _DRIFT), known * _DRIFT)
            self._full[kind] = seconds
        elif known is not None and seconds > _REACHED * self._aim:
            self._full[kind] = min(known * _DRIFT, self._target)
        self._aim = even(self._target, min(self._full.values(), default=self._target))


def _in_seconds(classes: Mapping[ComplexityClass, tuple[int, int]]) -> list[float]:
    features = [_BATCH_SECONDS]
    for kind in CLASSES:
        documents, size = classes.get(kind, (0, 0))
        features += [documents * _DOCUMENT_SECONDS, size * _BYTE_SECONDS]
    return features


def _in_bytes(classes: Mapping[ComplexityClass, tuple[int, int]]) -> list[float]:
    documents = sum(one for one, _ in classes.values())
    sizes = [classes.get(kind, (0, 0))[1] * _BYTES_A_BYTE for kind in CLASSES]
    return [_BASE_BYTES, documents * _BYTES_A_DOCUMENT, *sizes]
