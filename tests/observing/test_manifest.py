"""Whatever is changed in a manifest, its signature or the report is found, and said by its place."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from bson import BSON
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from phimask import Finding
from phimask.errors import UsageError
from phimask.observing.collection_entry import ReportedRule
from phimask.observing.manifest import check, read, sign
from phimask.observing.report import ReportBuilder
from phimask.observing.signing import SigningKey
from phimask.plugins.events import BatchFinished, CollectionStarted
from shipped import conforms

KEY = SigningKey.generate()
NOW = datetime(2026, 7, 29, 10, 15, tzinfo=timezone.utc)
SECRET_ID = '{"$oid": "0123456789abcdef"}'


def made() -> dict[str, Any]:
    builder = ReportBuilder(lambda: 1.0, lambda: 0.0, lambda: NOW)
    builder.begin(
        run_id="r1",
        profile="p",
        version="0.1.0",
        config_digest="d",
        key_fingerprint=None,
        software={"python": "3"},
    )
    builder.collection(
        "ehr.a", "masked.a", [ReportedRule("Name", "fake", ("A",), 1), ReportedRule("SSN", "fpe")], 10
    )
    builder.notify(CollectionStarted("ehr.a", "masked.a", 10, 1))
    builder.notify(
        BatchFinished("ehr.a", 0, 10, 1000, 0.1, 9, 0, 1, 0, 100, masked=(9, 8), redacted_on_error=(0, 1))
    )
    builder.quarantined("ehr.a", SECRET_ID)
    builder.verified("ehr.a", "residual", "after", 10, [Finding("looks like PHI", "Name", 2)])
    return builder.finish("completed")


REPORT = made()
MANIFEST = sign(REPORT, KEY, NOW)


def faults(manifest: Any, report: Any = REPORT, key: SigningKey = KEY) -> tuple[str, ...]:
    return check(read(json.dumps(manifest), "m.json"), key.public, report).faults


def test_a_manifest_is_good_and_states_what_the_run_proves() -> None:
    conforms(MANIFEST, "manifest")
    assert faults(MANIFEST) == ()
    assert faults(MANIFEST, None) == ()
    statement = MANIFEST["statement"]
    assert statement["software"] == {"phimask": "0.1.0", "python": "3"}
    assert statement["collections"] == [
        {
            "namespace": "ehr.a",
            "target": "masked.a",
            "documents": {"total": 10, "masked": 9, "unchanged": 0, "quarantined": 1, "missing": 0},
            "values": {"values": 18, "masked": 17, "redacted_on_error": 1},
            "verification": [
                {
                    "validator": "residual",
                    "phase": "after",
                    "checked": 10,
                    "findings": 2,
                    "unjudged": [],
                    "sample": None,
                    "ok": False,
                }
            ],
        }
    ]


def test_it_is_good_for_the_report_as_the_ledger_gives_it_back() -> None:
    kept = BSON.encode({"report": REPORT}).decode()["report"]
    assert faults(MANIFEST, kept) == ()
    assert faults(MANIFEST, json.loads(json.dumps(REPORT))) == ()


def test_quarantine_lists_are_not_bound_and_not_to_be_guessed() -> None:
    without = copy.deepcopy(REPORT)
    without["collections"][0]["quarantined_ids"] = []
    assert faults(MANIFEST, without) == ()
    assert sign(without, KEY, NOW) == MANIFEST
    assert "0123456789abcdef" not in json.dumps(MANIFEST)


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, (*place, key))
    elif isinstance(value, list) and value:
        for number, child in enumerate(value):
            yield from leaves(child, (*place, number))
    else:
        yield place


def changed(value: Any, place: tuple[Any, ...]) -> Any:
    made = copy.deepcopy(value)
    inside = made
    for step in place[:-1]:
        inside = inside[step]
    old = inside[place[-1]]
    changes: dict[type, Callable[[Any], Any]] = {
        int: lambda one: one + 1, float: lambda one: one + 1.5, bool: lambda one: not one, str: lambda one: f"{one}0",
    }  # fmt: skip
    inside[place[-1]] = changes.get(type(old), lambda _: {} if place == ("undo",) else "0")(old)
    return made


def named(place: tuple[Any, ...]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)


@pytest.mark.parametrize("place", [one for one in leaves(REPORT) if "quarantined_ids" not in one], ids=named)
def test_whatever_is_changed_in_the_report_is_named(place: tuple[Any, ...]) -> None:
    said = faults(MANIFEST, changed(REPORT, place))
    if place == ("run_id",):
        assert said == ("it is of run r1, and the report of run r10",)
    else:
        part = place[:3] if place[0] == "collections" else place[:1]
        assert f"the report's {named(part)} is not what was signed" in said


@pytest.mark.parametrize("place", list(leaves(MANIFEST["statement"])), ids=named)
def test_whatever_is_changed_in_the_statement_is_named(place: tuple[Any, ...]) -> None:
    tampered = {**MANIFEST, "statement": changed(MANIFEST["statement"], place)}
    alone, said = faults(tampered, None), faults(tampered)
    assert alone == (
        "its statement or its signature was changed; give the run's report as well, to be told what differs",
    )
    if place == ("run_id",):
        assert said[0] == "it is of run r10, and the report of run r1"
    elif place[0] == "report":
        assert said[0] == "its signature does not fit"
        assert len(said) == 2
    else:
        assert said[0] == "its signature does not fit"
        assert any(one.startswith(named(place)) for one in said[1:]), said


def test_another_key_another_signature_another_report_are_told_apart() -> None:
    other = SigningKey.generate()
    assert f"names the key {KEY.public.fingerprint}" in faults(MANIFEST, key=other)[0]
    forged = copy.deepcopy(sign(REPORT, other, NOW))
    forged["signature"]["key_fingerprint"] = KEY.public.fingerprint
    assert faults(forged, None) != ()
    assert faults(forged) == (
        "its signature does not fit",
        "$.signed_at or the signature: not as they were signed",
    )
    assert faults(MANIFEST, {**REPORT, "run_id": "r2"}) == ("it is of run r1, and the report of run r2",)
    assert faults(MANIFEST, {**REPORT, "restarts": float("nan")})[0].startswith(
        "the report has a value that has no canonical form"
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", json.dumps(MANIFEST)[:-20], json.dumps({**MANIFEST, "manifest": 2}),
        json.dumps({**MANIFEST, "more": 1}), json.dumps(MANIFEST).replace('"run_id"', '"run_id": "r0", "run_id"', 1),
        json.dumps({**MANIFEST, "signature": {**MANIFEST["signature"], "value": "###"}}),
        json.dumps(MANIFEST).replace('"resumed": 0', '"resumed": 9007199254740993'), "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_one_clear_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"^m\.json is not") as caught:
        read(text, "m.json")
    assert "\n" not in str(caught.value)


def test_a_signature_of_another_length_does_not_fit() -> None:
    short = {**MANIFEST, "signature": {**MANIFEST["signature"], "value": "QUJD"}}
    assert faults(short, None) != ()


def test_a_signature_can_be_checked_without_phimask() -> None:
    statement = json.dumps(MANIFEST["statement"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    key = load_pem_public_key(KEY.public.pem().encode())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(base64.b64decode(MANIFEST["signature"]["value"]), b"phimask manifest 1\n" + statement.encode())
    assert "PRIVATE" not in repr(KEY)
