from __future__ import annotations

import bson
import pytest

from phimask import DocumentPair
from phimask.masking.columns import BoundRule
from phimask.planning.binding import facts
from phimask_plugins.maskers.age_cap import AgeCap
from phimask_plugins.maskers.partial import Partial
from phimask_plugins.maskers.redact import Redact
from phimask_plugins.maskers.zip3 import Zip3
from phimask_plugins.validators import NoOriginal


@pytest.mark.parametrize(
    ("masker", "may_stay", "must_change"),
    [
        (Redact({}), ["[REDACTED]", "", 0], ["Ada", "REDACTED", 7]),
        (Partial({"last": 2}), ["***34", "**", ""], ["1234", "Ada"]),
        (AgeCap({}), [40, 89, 90, "12"], [91, 140, "95"]),
        (Zip3({}), ["02100", "00000", 2100], ["02139", "03601", 2139]),
    ],
)
def test_only_what_is_its_own_mask_may_stay(masker, may_stay, must_change) -> None:
    validator = NoOriginal({}, rules=facts([BoundRule(0, "Field", ("Field",), masker)]))
    for value, found in [*((one, False) for one in may_stay), *((one, True) for one in must_change)]:
        raw = bson.encode({"_id": 1, "Field": value, "List": [value]})
        findings = list(validator.document(DocumentPair(raw, raw)))
        assert bool(findings) is found, (masker.name, value)
        if found:
            assert [(finding.path, finding.count) for finding in findings] == [("Field", 1)]
            assert str(value) not in findings[0].what
