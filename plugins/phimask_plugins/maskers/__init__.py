"""The built-in maskers."""

from __future__ import annotations

from typing import Final

from phimask import Masker
from phimask_plugins.maskers.age_cap import AgeCap
from phimask_plugins.maskers.date_shift import DateShift
from phimask_plugins.maskers.date_truncate import DateTruncate
from phimask_plugins.maskers.fake import Fake
from phimask_plugins.maskers.fhir_id import FhirId
from phimask_plugins.maskers.hash import Hash
from phimask_plugins.maskers.keep import Keep
from phimask_plugins.maskers.nullify import Nullify
from phimask_plugins.maskers.partial import Partial
from phimask_plugins.maskers.redact import Redact
from phimask_plugins.maskers.remove import Remove
from phimask_plugins.maskers.replace import Replace
from phimask_plugins.maskers.zip3 import Zip3

ALL: Final[tuple[type[Masker], ...]] = (
    Keep,
    Redact,
    Nullify,
    Remove,
    Replace,
    Partial,
    Hash,
    DateShift,
    DateTruncate,
    AgeCap,
    Zip3,
    Fake,
    FhirId,
)
