"""What a run leaves behind for an audit: the page."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from phimask.compiled import AVAILABLE

CANARY = "Zebulon Quagmire-Canary"
RULES = """\
version: 1
collection: people
subject: PatientId
on_error: quarantine
rules:
  - {path: Name, hipaa: A, masker: {name: fake, options: {kind: full_name}}}
  - {path: Born, hipaa: C, masker: {name: date_shift, options: {max_days: 30}}}
  - {path: Visits.Note, hipaa: text, masker: redact}
"""


@pytest.fixture
def people(deployed: Path, database: Database[dict[str, Any]]) -> Any:
    """Three hundred people who never were; the `_id` of one, who is left out, is a name."""
    (deployed / "collections" / "people.yaml").write_text(RULES, encoding="utf-8")
    collection = database["people"]
    collection.insert_many(
        {
            "_id": CANARY if number == 7 else number,
            "PatientId": f"P{number}",
            "Name": CANARY,
            "Born": CANARY if number == 7 else datetime.datetime(1951, 2, 3),  # noqa: DTZ001
            "Visits": [{"Note": f"{CANARY} came"}],
        }
        for number in range(300)
    )
    return collection


def written(name: str) -> str:
    return Path(name).read_text(encoding="utf-8")


def test_the_page_of_a_run_holds_no_value_and_no_id(people: Any, phimask: Callable[..., Any]) -> None:
    where = ("-d", people.database.name)
    answer = phimask(*where, "-c", "people", "--yes", "--json", "--report", "r.json", "--html", "r.html")
    assert answer.code == 3, answer.err
    assert "page: r.html" in answer.err
    assert CANARY in written("r.json")  # in the quarantine list, and nowhere else
    run = answer.json["run_id"]
    kept = phimask("report", run, *where, "--html", "kept.html")
    assert kept.code == 0, kept.err
    again = phimask("report", "r.json", "--html", "again.html")
    assert again.code == 0, again.err
    for name in ("r.html", "kept.html", "again.html"):
        page = written(name)
        assert run in page
        assert "HIPAA Safe Harbor" in page
        assert "299" in page
        for secret in ("Zebulon", "Quagmire", "Canary", os.environ["PHIMASK_KEY"]):
            assert secret not in page
    assert "Throughput" in written("r.html")
    assert written("r.html") == written("kept.html")  # the ledger keeps the run over time
    assert "Throughput" not in written("again.html")
    (one,) = answer.json["collections"]
    assert [rule["hipaa"] for rule in one["rules"]] == [["A"], ["C"], ["text"]]
    assert [rule["sampled"] for rule in one["rules"]] == [300, 300, 300]
    assert one["seconds"] > 0
    assert one["predicted"]["seconds"]["likely"] > 0
    assert answer.json["software"]["mongodb"].count(".") == 2
    assert answer.json["software"]["walks"] == ("compiled" if AVAILABLE else "python")
    wrong = phimask("report", f"{run[:-1]}{'0' if run[-1] != '0' else '1'}", "--html", "none.html")
    assert wrong.code == 2
    assert f"did you mean '{run}'?" in wrong.err
    missing = phimask("report", "none.json", "--html", "none.html")
    assert missing.code == 2
    assert "none.json does not exist" in missing.err
    assert not Path("none.html").exists()


def test_a_page_that_cannot_be_written_is_refused_before_anything_is(
    people: Any, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    access = os.access
    Path("kept").mkdir()
    # Root may write what nobody else may.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "kept" and access(path, mode))
    before = list(people.find())
    flags = ("-d", people.database.name, "-c", "people", "--yes")
    for given, said in (
        (("--html", "nowhere/r.html"), "--html nowhere/r.html: there is no such directory; make it first"),
        (("--html", "r.x", "--report", "./r.x"), "--report and --html name the same file"),
        (("--report", "kept/r.json"), "--report kept/r.json: it may not be written; name a file that may be"),
    ):
        answer = phimask(*flags, *given)
        assert answer.code == 2
        assert said in answer.err.replace(os.sep, "/")
    assert phimask("report", "anything", "--html", "nowhere/r.html").code == 2
    assert list(people.find()) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_at_the_end_is_told_and_the_rest_is_written(
    people: Any, phimask: Callable[..., Any]
) -> None:
    people.delete_one({"_id": CANARY})
    flags = ("-d", people.database.name, "-c", "people", "--yes", "--report", "r.json")
    answer = phimask(*flags, "--html", "/dev/full")
    assert answer.code == 1
    assert (
        "the run is over (completed), but its page cannot be written to /dev/full: No space left"
        in answer.err
    )
    run = json.loads(written("r.json"))["run_id"]
    assert people.count_documents({"Name": CANARY}) == 0
    answer = phimask("report", run, "-d", people.database.name, "--html", "/dev/full")
    assert answer.code == 1
    assert "the page cannot be written to /dev/full: No space left" in answer.err
    assert phimask("report", run, "-d", people.database.name, "--html", "late.html").code == 0


def test_a_manifest_proves_a_run_and_tells_what_was_changed(
    people: Any, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = phimask("keygen", "--signing", "--out", "sign.key", "--json")
    assert made.code == 0, made.err
    assert made.json["written"] == ["sign.key", "sign.key.pub"]
    private = written("sign.key")
    monkeypatch.setenv("PHIMASK_SIGNING_KEY", private)
    where = ("-d", people.database.name)
    flags = (*where, "-c", "people", "--yes", "--json", "--report", "r.json", "--manifest", "m.json")
    answer = phimask(*flags)
    assert answer.code == 3, answer.err
    run = answer.json["run_id"]
    assert phimask("report", run, *where, "--manifest", "later.json").code == 0
    for name in ("m.json", "later.json"):
        manifest = written(name)
        for secret in ("Zebulon", "Quagmire", private.splitlines()[1], os.environ["PHIMASK_KEY"]):
            assert secret not in manifest + answer.err + answer.out.replace(CANARY, "")
        for given in ((), (run, *where), ("r.json",)):
            good = phimask("report", *given, "--check", name, "--json")
            assert good.code == 0, good.err
            assert good.json["ok"]
            assert good.json["run_id"] == run
            assert good.json["report_compared"] == bool(given)
            assert good.json["key_fingerprint"] == made.json["key_fingerprint"]

    monkeypatch.delenv("PHIMASK_SIGNING_KEY")
    none = phimask("report", "--check", "m.json")
    assert none.code == 2
    assert "give --public-key FILE" in none.err
    by = ("--public-key", "sign.key.pub")
    assert phimask("report", "--check", "m.json", *by).code == 0

    report = json.loads(written("r.json"))
    report["collections"][0]["documents"]["masked"] += 1
    Path("doctored.json").write_text(json.dumps(report), encoding="utf-8")
    wrong = phimask("report", "doctored.json", "--check", "m.json", *by)
    assert wrong.code == 3
    assert "$.collections[0].documents.masked: 299 in the manifest, 300 by the report" in wrong.err

    manifest = json.loads(written("m.json"))
    manifest["statement"]["collections"][0]["documents"]["masked"] = 300
    Path("forged.json").write_text(json.dumps(manifest), encoding="utf-8")
    for given in ((), ("r.json",)):
        wrong = phimask("report", *given, "--check", "forged.json", *by)
        assert wrong.code == 3
        assert "signature" in wrong.err
    assert "$.collections[0].documents.masked: 300 in the manifest, 299 by the report" in wrong.err

    Path("cut.json").write_text(written("m.json")[:-40], encoding="utf-8")
    Path("binary.json").write_bytes(b"\xff\xfe\x00")
    phimask("keygen", "--signing", "--out", "other.key")
    for arguments, code, said in (
        (("--check", "cut.json", *by), 2, "cut.json is not JSON as a manifest is, or is cut short"),
        (("--check", "binary.json", *by), 2, "the manifest binary.json cannot be read"),
        (("--check", "none.json", *by), 2, "the manifest none.json cannot be read: No such file"),
        (("--check", "r.json", *by), 2, "r.json is not a phimask manifest"),
        (("--check", "m.json", "--public-key", "other.key.pub"), 3, "it names the key"),
        (("--check", "m.json", "--public-key", "sign.key"), 2, "sign.key holds a private key"),
        (("--check", "m.json", "--public-key", "r.json"), 2, "r.json is no public key of Ed25519 in PEM"),
        (("--check", "m.json", "--public-key", "none.pub"), 2, "the public key none.pub cannot be read"),
        (("--check", "m.json", "--html", "x.html"), 2, "--check only checks"),
        (("r.json", "--public-key", "sign.key.pub"), 2, "--public-key is for --check"),
        ((), 2, "name a run"),
    ):
        answer = phimask("report", *arguments)
        assert answer.code == code, arguments
        assert said in answer.err, arguments
        assert "PRIVATE KEY-" not in answer.err


def test_a_manifest_without_a_key_is_refused_before_anything_is_written(
    people: Any, deployed: Path, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(people.find())
    flags = ("-d", people.database.name, "-c", "people", "--yes", "--manifest", "m.json")
    phimask("keygen", "--out", "masking.key")
    phimask("keygen", "--signing", "--out", "sign.key")
    text = f"version: 1\ndatabase: {people.database.name}\nsigning_key: {{file: sign.key}}\n"
    cases = [
        ("signing_key: {file: none.key}", None, "there is no signing key: no file"),
        ("signing_key: {file: masking.key}", None, "this is no private key of Ed25519 in PEM"),
        ("signing_key: {env: SIGN}", None, "the environment variable SIGN is not set"),
        ("signing_key: {env: SIGN}", "nonsense", "this is no private key of Ed25519 in PEM"),
    ]
    for line, value, said in cases:
        (deployed / "phimask.yaml").write_text(
            text.replace("signing_key: {file: sign.key}", line), encoding="utf-8"
        )
        if value is not None:
            monkeypatch.setenv("SIGN", value)
        answer = phimask(*flags)
        assert answer.code == 2
        assert said in answer.err
        assert "nonsense" not in answer.err
    assert list(people.find()) == before
    assert not Path("m.json").exists()
    assert phimask("keygen", "--signing").code == 2
    (deployed / "phimask.yaml").write_text(text, encoding="utf-8")
    assert phimask(*flags).code == 3  # one is quarantined
    assert phimask("report", "--check", "m.json").code == 0  # by sign.key.pub, beside the key


def test_the_history_compares_runs_and_a_run_that_was_rolled_back_proves_nothing(
    people: Any, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = people.database.name
    people.delete_one({"_id": CANARY})
    runs = []
    for profile in ("emergency", "production"):
        answer = phimask("-d", name, "-c", "people", "--yes", "--again", "--json", "--profile", profile)
        assert answer.code == 0, answer.err
        runs.append(answer.json["run_id"])
    shown = phimask("report", "--history", "-c", f"{name}.people")
    assert shown.code == 0
    assert shown.out == ""
    assert all(run in shown.err for run in runs)
    (found,) = phimask("report", "--history", "-c", f"{name}.people", "--json").json["history"].values()
    assert [past["run_id"] for past in found] == runs[::-1]
    assert found[0]["documents"] == 299
    assert found[0]["change_percent"] is not None
    assert "profile emergency -> production" in found[0]["changed"]
    assert phimask("rollback", runs[-1], "-d", name, "--yes").code == 0
    undone = phimask("report", runs[-1], "-d", name, "--html", "undone.html")
    assert undone.code == 0
    assert "was rolled back since" in undone.err
    assert "Rolled back since" in written("undone.html")
    phimask("keygen", "--signing", "--out", "sign.key")
    monkeypatch.setenv("PHIMASK_SIGNING_KEY", written("sign.key"))
    refused = phimask("report", runs[-1], "-d", name, "--manifest", "m.json")
    assert refused.code == 2
    assert "there is nothing to prove by it any more" in refused.err
    assert not Path("m.json").exists()
    wrong = phimask("report", "--history", "-c", f"{name}.poeple")
    assert wrong.code == 2
    assert f"did you mean '{name}.people'?" in wrong.err
    assert phimask("report", "--history", runs[0]).code == 2
    assert phimask("report", runs[0], "-c", "people").code == 2
