"""The built-in maskers."""

from __future__ import annotations

from typing import Final

from phimask import Masker
from phimask_plugins.maskers.age_cap import AgeCap
from phimask_plugins.maskers.chain import Chain
from phimask_plugins.maskers.choice import Choice
from phimask_plugins.maskers.command import Command
from phimask_plugins.maskers.date_shift import DateShift
from phimask_plugins.maskers.date_truncate import DateTruncate
from phimask_plugins.maskers.decrypt import Decrypt
from phimask_plugins.maskers.derive import Derive
from phimask_plugins.maskers.detokenize import Detokenize
from phimask_plugins.maskers.encrypt import Encrypt
from phimask_plugins.maskers.fake import Fake
from phimask_plugins.maskers.fhir_id import FhirId
from phimask_plugins.maskers.fpe import Fpe, FpeDecrypt
from phimask_plugins.maskers.free_text import FreeText
from phimask_plugins.maskers.generalize import Generalize
from phimask_plugins.maskers.hash import Hash
from phimask_plugins.maskers.keep import Keep
from phimask_plugins.maskers.keep_null import KeepNull
from phimask_plugins.maskers.nullify import Nullify
from phimask_plugins.maskers.partial import Partial
from phimask_plugins.maskers.perturb import Perturb
from phimask_plugins.maskers.pseudonym import Pseudonym
from phimask_plugins.maskers.redact import Redact
from phimask_plugins.maskers.refresh_uid import RefreshUid
from phimask_plugins.maskers.regex_replace import RegexReplace
from phimask_plugins.maskers.remove import Remove
from phimask_plugins.maskers.replace import Replace
from phimask_plugins.maskers.round import Round
from phimask_plugins.maskers.scramble import Scramble
from phimask_plugins.maskers.tokenize import Tokenize
from phimask_plugins.maskers.zip3 import Zip3

ALL: Final[tuple[type[Masker], ...]] = (
    AgeCap,
    Chain,
    Choice,
    Command,
    DateShift,
    DateTruncate,
    Decrypt,
    Derive,
    Detokenize,
    Encrypt,
    Fake,
    FhirId,
    Fpe,
    FpeDecrypt,
    FreeText,
    Generalize,
    Hash,
    Keep,
    KeepNull,
    Nullify,
    Partial,
    Perturb,
    Pseudonym,
    Redact,
    RefreshUid,
    RegexReplace,
    Remove,
    Replace,
    Round,
    Scramble,
    Tokenize,
    Zip3,
)
