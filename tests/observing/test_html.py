from __future__ import annotations

import re
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any

import pytest

from phimask import Finding
from phimask.config.data import shipped_schema
from phimask.config.hipaa import FREE_TEXT, IDENTIFIERS
from phimask.observing.collection_entry import ReportedRule
from phimask.observing.html import Recorded, page
from phimask.observing.report import ReportBuilder
from phimask.observing.safe_harbor import accounts, unnamed
from phimask.observing.series import Note, Point
from phimask.plugins.events import BatchFinished, CollectionStarted, Paused, Scaled, Warned

HOSTILE = "x</style><script>alert(1)</script><img src=//evil.example/a onerror=b>\u202e\"'&"

RULES = [
    ReportedRule("**.Name", "fake", ("A",), 5),
    ReportedRule("Patient.SSN", "fpe", ("G",), 5),
    ReportedRule("Born", "date_shift", ("C",), 5),
    ReportedRule("Clinic.City", "keep", ("B",), 5),
    ReportedRule("Fax", "fake", ("E",), 0),
    ReportedRule("Note", "redact", ("text",), 5),
    ReportedRule("Ward", "unmapped", (), 5, leaves=True),
    ReportedRule("Idle", "redact", (), 0),
]


def made(namespace: str = "ehr.people", path: Any = "set", rules: Any = RULES, **batch: Any) -> ReportBuilder:
    ticks = iter(range(1, 10_000))
    builder = ReportBuilder(
        lambda: 2.0 * next(ticks), lambda: 0.0, lambda: datetime(2026, 7, 29, 10, 15, tzinfo=timezone.utc)
    )
    builder.begin(
        run_id="r1", profile="production", version="0.1.0", config_digest="d", key_fingerprint="f",
        software={"python": "3.12"},
    )  # fmt: skip
    builder.collection(namespace, None, rules, 100, 1_000_000, path)
    builder.notify(CollectionStarted(namespace, None, 100, 1))
    facts: dict[str, Any] = {
        "partition": 0, "documents": 100, "bytes": 3_000_000, "seconds": 2.5, "written": 99, "unchanged": 0,
        "quarantined": 1, "missing": 0, "rss_bytes": 120_000, "masked": (10, 11, 12, 0, 0, 13, 14, 0),
        "redacted_on_error": (0, 1, 0, 0, 0, 0, 0, 0), "kept": (0, 0, 0, 7, 0, 0, 0, 0), **batch,
    }  # fmt: skip
    builder.notify(BatchFinished(namespace=namespace, **facts))
    builder.quarantined(namespace, '{"$oid": "0123456789abcdef"}')
    return builder


class Page(HTMLParser):
    """Tags that are not closed or not opened, ids, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in ("meta", "br", "col"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def points() -> list[tuple[int, Point]]:
    return [
        (
            epoch,
            Point(
                "ehr.people", "masking", 1.0, at, 100, 10, 1000, 1, 0.5, 0.7, 0.6, 90, 90, 1000, 1 + at % 2
            ),
        )
        for epoch in (1, 2)
        for at in range(5)
    ]


def test_the_page_is_whole_loads_nothing_and_is_readable_by_all() -> None:
    builder = made()
    builder.verified("ehr.people", "count", "after", 0, [])
    builder.verified("ehr.people", "residual", "after", 100, [Finding("looks like PHI", "Patient.SSN", 3)])
    nothing = {"low": None, "likely": None, "high": None, "rests_on": "nothing"}
    seconds, workers = ({"low": low, "likely": 4, "high": 9, "rests_on": "a sample"} for low in (1, 3))
    builder.predicted(
        "ehr.people",
        {
            **dict.fromkeys(("memory_bytes", "documents_written", "bytes_written", "oplog_bytes"), nothing),
            "seconds": seconds,
            "workers": workers,
        },
    )
    builder.notify(Paused("lag", 1.5))
    builder.notify(Scaled(2, 1, "faster"))
    builder.notify(Warned("rule X matches nothing"))
    told = [
        ("2026-07-29T10:15:01.5", Note("alert", "AlertRaised", HOSTILE, "ehr.people")),
        ("2026-07-29T10:15:02", Note("warning", "Warned", "said elsewhere")),
    ]
    text = page(builder.finish("completed"), Recorded(points(), told))
    read = Page(text)
    assert read.open == []
    assert len(read.ids) == len(set(read.ids))
    assert not {"script", "link", "img", "iframe", "object"} & set(read.tags)
    (style,) = re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)
    assert not re.search(r"https?:|url\(|@import", style)
    links = [
        value or "" for name, value in read.attributes if name in ("src", "href", "srcset", "action", "data")
    ]
    assert all(link.startswith("#") for link in links)
    assert ("lang", "en") in read.attributes
    targets = [value[1:] for name, value in read.attributes if name == "href" and value]
    labels = [
        one for name, value in read.attributes if name == "aria-labelledby" for one in (value or "").split()
    ]
    assert {*targets, *labels} <= set(read.ids)
    assert '<th scope="col"></th>' not in text
    assert read.tags.count("title") == 1 + read.tags.count("desc")
    for said in (
        "Verification found something: 3 findings",
        "hand nothing on",
        "3 x looks like PHI",
        "rule X matches nothing",
        "Throughput (documents/s)",
        "Batch time, prediction against fact",
        "lag",
        "python 3.12",
        "1.0 s to 9.0 s, likely 4.0 s2.0 s✓ within",
        "3 to 9, likely 42! outside",
        "2026-07-29 10:15:01 UTC",
        "alert(1)",
    ):
        assert said in read.said, said
    for section in (
        "Verification",
        "Coverage: values by rule",
        "HIPAA Safe Harbor",
        "Prediction against fact",
    ):
        assert section in read.said


def test_the_time_after_the_last_document_is_no_part_of_the_throughput() -> None:
    def plotted(*more: Point) -> str:
        return page(made().finish("completed"), Recorded([*points(), *((2, one) for one in more)]))

    over = Point("ehr.people", "masking", 3600.0, 100, 100)
    stalled = Point("ehr.people", "masking", 3600.0, 50, 100)
    assert plotted(over, over) == plotted()
    assert plotted(stalled, stalled) != plotted()
    assert "2 h" in plotted(stalled, stalled)


def test_the_page_holds_no_id_of_a_quarantined_document() -> None:
    text = page(made().finish("completed"))
    assert "0123456789abcdef" not in text
    assert "1 document" in Page(text).said


def test_names_cannot_become_markup() -> None:
    builder = made(HOSTILE, rules=[ReportedRule(HOSTILE, HOSTILE, ("A",))], masked=(1,))
    builder.verified(HOSTILE, HOSTILE, "after", 1, [Finding(HOSTILE, HOSTILE, 3)])
    builder.notify(Warned(HOSTILE))
    builder.notify(Paused(HOSTILE, 1.0))
    text = page(builder.finish("failed", HOSTILE))
    read = Page(text)
    assert not {"script", "img"} & set(read.tags)
    assert read.tags.count("style") == 1
    assert "\u202e" not in text
    assert "alert(1)" in read.said


@pytest.mark.parametrize(
    ("status", "validator", "said"),
    [
        ("completed", "count", "Masked and verified: no finding"),
        ("completed", None, "Masked, but not everything was verified"),
        ("stopped", None, "Stopped between two batches"),
        ("failed", "count", "Failed: not everything is masked"),
    ],
)
def test_the_verdict_says_what_the_run_came_to(status: Any, validator: str | None, said: str) -> None:
    builder = made()
    if validator:
        builder.verified("ehr.people", validator, "after", 0, [])
    read = Page(page(builder.finish(status, None if status == "completed" else "because")))
    assert said in read.said
    assert ("because" in read.said) == (status != "completed")


def test_a_sample_and_what_could_not_be_judged_are_said() -> None:
    builder = made()
    builder.verified(
        "ehr.people", "residual", "after", 500, [], [Finding("it has no key", "Name", 1)], of=3_000
    )
    builder.verified(
        "ehr.people", "leak", "after", 0, [], [Finding("nothing was remembered", None, 1)], judged=False
    )
    read = Page(page(builder.finish("completed")))
    assert "500 of 3,000: with 95% confidence, at most " in read.said
    assert "not judged: it has no key at Name" in read.said
    assert "cannot judge" in read.said
    assert "Masked, but not everything was verified" in read.said


def test_a_run_that_was_rolled_back_is_not_called_masked() -> None:
    builder = made()
    builder.verified("ehr.people", "count", "after", 0, [])
    read = Page(page(builder.finish("completed"), undone=True))
    assert "Rolled back since" in read.said
    assert "Masked and verified" not in read.said


def colours(style: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", style))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_light_and_dark_have_the_contrast_that_wcag_asks_for() -> None:
    text = page(made().finish("completed"))
    light, dark = (
        colours(part) for part in text.partition("@media screen and (prefers-color-scheme: dark)")[::2]
    )
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for shades in (light, dark):
        assert set(shades) == set(light)
        for back in ("paper", "panel"):
            for ink in ("ink", "soft", "s1", "good", "warn", "bad"):
                assert contrast(shades[ink], shades[back]) >= 4.5, (ink, back)
            for line in ("s1", "s2", "s3", "none"):
                assert contrast(shades[line], shades[back]) >= 3, (line, back)
        for tone in ("good", "warn", "bad"):
            for ink in (tone, "ink", "soft"):
                assert contrast(shades[ink], shades[f"{tone}-back"]) >= 4.5, (ink, tone)


def test_a_run_without_a_collection_or_a_batch_has_a_page() -> None:
    builder = ReportBuilder()
    builder.begin(run_id="r", profile="p", version="0", config_digest="d", key_fingerprint=None)
    assert Page(page(builder.finish("failed", "no"))).open == []
    builder.collection("a.b", "c.b", [], 0)
    assert "No batch was finished" in Page(page(builder.finish("failed", "no"))).said


def test_the_identifiers_are_those_that_collection_files_may_name() -> None:
    named = shipped_schema("collection")["properties"]["rules"]["items"]["properties"]["hipaa"]
    told = shipped_schema("report")["$defs"]["collection"]["properties"]["rules"]["items"]["properties"][
        "hipaa"
    ]
    assert (
        [*IDENTIFIERS, FREE_TEXT] == named["then"]["enum"] == named["items"]["enum"] == told["items"]["enum"]
    )
    assert "".join(IDENTIFIERS) == "ABCDEFGHIJKLMNOPQR"


def test_each_identifier_stands_where_its_rules_leave_it() -> None:
    builder = made()
    builder.verified("ehr.people", "residual", "after", 100, [Finding("looks like PHI", "Patient.SSN", 3)])
    builder.verified("ehr.people", "count", "after", 100, [Finding("missing", None, 9)])
    report = builder.finish("completed")
    found = {one.letter: one for one in accounts(report)}
    assert {letter: one.standing for letter, one in found.items() if one.standing != "unnamed"} == {
        "A": "masked", "B": "kept", "C": "expert", "E": "absent", "G": "found", "text": "masked",
    }  # fmt: skip
    assert (found["A"].masked, found["G"].masked, found["G"].redacted, found["B"].kept) == (10, 11, 1, 7)
    assert found["G"].findings == 3
    assert [(rule.path, rule.masked, rule.kept) for rule in unnamed(report)] == [("Ward", 0, 14)]
    said = Page(page(report)).said
    assert "not present: no value met" in said
    assert "No rule of this run names (D), (F), (H)" in said


@pytest.mark.parametrize(
    ("path", "letter"),
    [
        ("Patient.Name", "A"),
        ("Name.First", "A"),
        ("Names", None),
        ("Patient.SSN", "G"),
        ("Patient", None),
        ("a..b", None),
    ],
)
def test_a_finding_belongs_to_the_last_rule_that_covers_its_path(path: str, letter: str | None) -> None:
    builder = made()
    builder.verified("ehr.people", "leak", "after", 1, [Finding("original", path, 1)])
    found = [one.letter for one in accounts(builder.finish("completed")) if one.findings]
    assert found == ([] if letter is None else [letter])


def test_what_mongodb_masked_by_itself_is_not_counted_and_not_called_absent() -> None:
    report = made(path="server").finish("completed")
    found = {one.letter: one.standing for one in accounts(report)}
    assert (found["A"], found["E"]) == ("uncounted", "absent")
    assert "not counted" in Page(page(report)).said
