"""The guide's collection file that shifts dates does what the guide says of it."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import bson
import pytest
from pack_masking import KEY

from phimask.config.collection import load_collection
from phimask.masking.outcomes import Masked
from phimask.planning.binding import bind, core
from phimask.plugins.loading import load_registry

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "mask-fhir.md"


def masked_by_the_guide(documents: list[dict[str, Any]], folder: Path, subject: str) -> list[dict[str, Any]]:
    found = re.search(
        r"<!-- file: collections/observations.yaml -->\n```yaml\n(.*?)```",
        GUIDE.read_text("utf-8"),
        re.DOTALL,
    )
    assert found is not None
    written = found[1].replace("subject: subject.reference", f"subject: {subject}")
    assert f"subject: {subject}" in written
    path = folder / "observations.yaml"
    path.write_text(written, encoding="utf-8")
    registry = load_registry()
    file = load_collection(str(path), directory=folder, environ={}, components=registry)
    batch = core(file, bind(file, registry, [KEY])).mask([bson.encode(one) for one in documents], "whole")
    return [bson.decode(outcome.bson) for outcome in batch.outcomes if isinstance(outcome, Masked)]


def days(before: str, after: str) -> int:
    assert before[10:] == after[10:]
    return (datetime.date.fromisoformat(after[:10]) - datetime.date.fromisoformat(before[:10])).days


@pytest.mark.parametrize("subject", ["subject.reference", "_id"])
def test_one_patient_s_dates_move_together_and_birth_dates_keep_their_year(
    subject: str, tmp_path: Path
) -> None:
    dates = ["2020-03-01T08:00:00+01:00", "2020-03-09", "2020-03-09T08:00:00.123Z"]

    def document(number: int, patient: int) -> dict[str, Any]:
        return {
            "_id": number,
            "subject": {"reference": f"Patient/{patient}"},
            "effectiveDateTime": dates[0],
            "contained": [{"period": {"start": dates[1], "end": dates[1]}}],
            "issued": dates[2],
            "birthDate": "1987-05-17",
        }

    shifts: list[set[int]] = []
    for after in masked_by_the_guide(
        [document(number, number // 4) for number in range(40)], tmp_path, subject
    ):
        period = after["contained"][0]["period"]
        now = [after["effectiveDateTime"], period["start"], after["issued"]]
        shifts.append({days(one, other) for one, other in zip(dates, now, strict=True)})
        assert period["start"] == period["end"]
        assert after["birthDate"] == "1987-01-01"
    assert len(shifts) == 40
    assert all(len(one) == 1 and 1 <= abs(*one) <= 180 for one in shifts)
    alike = [shifts[number] == shifts[number - 1] for number in range(40) if number % 4]
    assert all(alike) is (subject == "subject.reference")
    assert len({*map(frozenset, shifts)}) > 5
