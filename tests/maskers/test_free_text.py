from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

import bson
import pytest
from bson.int64 import Int64
from bson.objectid import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from phimask import FAILED, REMOVE, Column, Detection, Detector, MaskedField, Masker
from phimask.testing import check_masker
from phimask_plugins import maskers
from phimask_plugins.detectors import registered
from phimask_plugins.maskers.fake import Fake
from phimask_plugins.maskers.free_text import FreeText

KEY = bytes(range(32))
DETECTORS = tuple(cls({}) for cls in registered.ALL)
Made = Callable[..., FreeText]


def make(name: str, options: dict[str, Any]) -> Masker:
    return {cls.name: cls for cls in maskers.ALL}[name](options, KEY)


def free_text(found_by: Sequence[Detector] = DETECTORS, **options: Any) -> FreeText:
    return FreeText(options, None, detectors=found_by, make=make)


TAGS = free_text(style="tag")
FAKES = free_text()


def field(path: str, original: Any, masked: Any) -> MaskedField:
    return MaskedField(path, path, original, masked)


def day(year: int, month: int, number: int) -> datetime.datetime:
    return datetime.datetime(year, month, number)  # noqa: DTZ001  (as BSON dates decode)


ADA = (
    field("Patient.FirstName", "Ada", "Eva"),
    field("Patient.LastName", "Lovelace", "King"),
    field("Patient.Phone", "(212) 555-0142", "(617) 555-0199"),
    field("Patient.MRN", "MRN0047113", "MRN9912345"),
    field("Patient.BirthDate", day(1931, 4, 17), day(1931, 6, 2)),
    field("Visits.Date", "2019-03-04", "2019-04-19"),
    field("Patient.Email", "ada@lovelace.example", "eva.king@example.org"),
    field("Account", 30077123, 41188234),
    field("Patient.City", "Springfield", "Port Mary"),
    field("Ref", ObjectId("0123456789abcdef01234567"), ObjectId("aaaaaaaaaaaaaaaaaaaaaaaa")),
)


def mask(text: str, siblings: Sequence[MaskedField] = ADA, masker: FreeText = TAGS) -> Any:
    return masker.mask(Column("Note", [text], [], [siblings], ["Note"]))[0]


def test_it_conforms() -> None:
    check_masker(FreeText, {"style": "tag"}, examples=("Ada Lovelace came.", "<p>Lovelace</p>"))
    check_masker(FreeText, {"html": True}, examples=("<p>Lovelace</p>",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada Lovelace came.", "Eva King came."),
        ("ADA LOVELACE, ada lovelace", "EVA KING, eva king"),
        ("Lovelace, Ada", "King, Eva"),
        ("LOVELACE,ADA", "KING,EVA"),
        ("A. Lovelace and A Lovelace", "E. King and E King"),
        ("Lovelace, A.", "King, E."),
        ("Lovelace's mother", "King's mother"),
        ("Ada\u200b Love\u200blace", "Eva\u200b King"),
        ("\u0410d\u0430 Lov\u0435lace", "Eva King"),
        ("Ada\nLovelace", "Eva\nKing"),
        ("Adamant Lovelaces adage", "Adamant Lovelaces adage"),
        ("call 212-555-0142", "call 617-555-0199"),
        ("+1 (212) 555.0142", "+1 (617) 555.0199"),
        ("2125550142", "6175550199"),
        ("MRN0047113, mrn0047113, no. 0047113", "MRN9912345, mrn9912345, no. 9912345"),
        ("acct 30077123", "acct 41188234"),
        ("mail ada@lovelace.example", "mail eva.king@example.org"),
        ("id 0123456789abcdef01234567", "id aaaaaaaaaaaaaaaaaaaaaaaa"),
        ("lives in Springfield.", "lives in Port Mary."),
    ],
)
def test_originals_are_found_in_all_their_forms(text: str, expected: str) -> None:
    assert mask(text, masker=free_text(())) == expected
    assert mask(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("born 4/17/1931", "born 6/02/1931"),
        ("born 04/17/31", "born 06/02/31"),
        ("born April 17th, 1931", "born June 2nd, 1931"),
        ("born 17-APR-31", "born 02-JUN-31"),
        ("born 17 April 1931", "born 2 June 1931"),
        ("born 1931-04-17T08:15", "born 1931-06-02T08:15"),
        ("born 19310417", "born 19310602"),
        ("born 17.04.1931", "born 02.06.1931"),
        ("on April 17", "on June 2"),
        ("in April 1931", "in June 1931"),
        ("on 03/04/2019", "on 04/19/2019"),
        ("on 3/10/2019", "on 4/25/2019"),
        ("on Dec 31, 2019", "on Feb 15, 2020"),
        ("on May 1st", "on [DATE]"),
        ("in 1931", "in 1931"),
    ],
)
def test_dates_move_as_in_the_documents_fields(text: str, expected: str) -> None:
    assert mask(text) == expected


@pytest.mark.parametrize(
    "siblings",
    [
        (field("A", "2019-03-04", "2019-01-01"),),
        (field("A", "2019-03-04", "2019-04-19"), field("B", "2018-03-04", "2018-03-05")),
        (field("A", "2019-03-04", "[REDACTED]"),),
        (),
    ],
)
def test_dates_do_not_move_where_the_fields_did_not_move_alike(siblings: tuple[MaskedField, ...]) -> None:
    assert mask("seen on 05/06/2020", siblings) == "seen on [DATE]"


def test_words_of_the_language_count_only_as_they_are_written() -> None:
    siblings = (
        field("LastName", "Young", "Stone"),
        field("Status", "active", "x"),
        field("FirstName", "Al", "Bo"),
    )
    text = "Mr Young, a young man, active. Al Young also said al dente."
    assert (
        mask(text, siblings, free_text(())) == "Mr Stone, a young man, active. Bo Stone also said al dente."
    )
    assert mask("AL also", siblings, free_text(())) == "AL also"


def test_short_numbers_are_no_identifiers() -> None:
    siblings = (
        field("Room", "42", "77"),
        field("Age", 93, 90),
        field("Dose", "500", "600"),
        field("Pin", "4711", "0815"),
    )
    assert mask("42 of 500 mg, 93, 4711", siblings, free_text(())) == "42 of 500 mg, 93, 0815"


def test_a_full_name_is_found_by_its_words() -> None:
    siblings = (field("Provider.Name", "Dr. Ada King Lovelace, MD", "Dr. Eva Mary Stone"),)
    text = "Lovelace saw Ada. Dr. Ada King Lovelace"
    assert mask(text, siblings, free_text(())) == "Stone saw Eva. Dr. Eva Mary Stone"
    reverse = (field("name.text", "Lovelace, Ada", "Stone, Eva"),)
    assert mask("Ada Lovelace", reverse, free_text(())) == "Eva Stone"


def test_names_in_other_scripts_are_found_as_they_are() -> None:
    siblings = (field("Name", "王小明", "李华"), field("FirstName", "Жанна", "Анна"))
    assert (
        mask("患者王小明和王大明, жанна, Жаннасу", siblings, free_text(()))
        == "患者李华和王大明, Анна, Жаннасу"
    )


def test_an_original_that_was_kept_counts_for_nothing_and_one_that_is_gone_leaves_a_tag() -> None:
    siblings = (
        field("FirstName", "Ada", "Ada"),
        field("LastName", "Lovelace", REMOVE),
        field("City", "Hogsmeade", None),
        field("Zip", Int64(90210123), FAILED),
        field("Flag", True, False),
        field("Blob", b"Ada", b""),
    )
    assert (
        mask("Ada Lovelace, Hogsmeade 90210123 True", siblings, free_text(()))
        == "Ada [REDACTED], [REDACTED] [REDACTED] True"
    )


def test_what_detectors_find_becomes_a_tag_or_a_fake() -> None:
    text = (
        "Dr. Okafor, call 312-555-0143, j@smith.example, SSN 912-34-5678, MRN 771234, aged 94. Lungs clear."
    )
    assert mask(text) == "[NAME], call [PHONE], [EMAIL], SSN [US_SSN], MRN [MRN], aged [AGE]. Lungs clear."
    fake = mask(text, masker=FAKES)
    assert fake.endswith("aged 90. Lungs clear.")
    assert fake.startswith("Dr. ")
    for original in ("Okafor", "312-555-0143", "smith", "912-34-5678", "771234", "["):
        assert original not in fake
    assert mask(text, masker=FAKES) == fake


def test_a_name_becomes_what_a_field_of_the_masker_fake_becomes() -> None:
    names = Fake({"kind": "full_name"}, KEY).mask(Column("", ["John Smith"], []))
    assert mask("with John Smith.", masker=FAKES) == f"with {names[0]}."


def test_an_original_within_a_detection_keeps_its_mask_and_the_rest_goes() -> None:
    assert mask("Dr. Ada K. Lovelace") == "Dr. Eva [NAME]. King"
    assert mask("17 Elm Street, Springfield, MA 01103") == "[ADDRESS], Port Mary, [ADDRESS]"
    assert mask("ada.lovelace@host.example") == "[EMAIL]"


def test_confidence_is_asked_for() -> None:
    text = "number 912345678 on 3/4 strength 3/4"
    assert mask("x 912345678") == "x 912345678"
    assert mask("x 912345678", masker=free_text(style="tag", min_confidence=0.3)) == "x [US_SSN]"
    assert mask(text, masker=free_text(style="tag", min_confidence=1)) == text


class Overlapping(Detector):
    name = "overlapping"
    labels = frozenset({"A", "B"})

    def detect(self, text: str) -> list[Detection]:
        return [Detection(0, 4, "A", 0.9), Detection(2, 8, "B", 0.6), Detection(8, 9, "A", 0.5)]


def test_overlapping_detections_become_one_by_the_longest() -> None:
    assert mask("abcdefghijk", (), free_text([Overlapping({})], style="tag")) == "[B][A]jk"


XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>Ada <b>Lovelace</b></p>", "<p>Eva <b>King</b></p>"),
        ("<p>A<i>d</i>a</p>", "<p>Eva<i></i></p>"),
        ("<td>Ada</td><td>Lovelace</td>", "<td>Eva</td><td>King</td>"),
        ("<p>L&#111;velace &amp; Ad&#x61;</p>", "<p>King &amp; Eva</p>"),
        ('<a href="mailto:x@y.example" title="Ada &lt;">x</a>', '<a href="mailto:[EMAIL]" title="Eva &lt;">x</a>'),
        (f'<div {XHTML} class="Ada">Ada</div>', f'<div {XHTML} class="Ada">Eva</div>'),
        ("<!-- Ada --><p>x</p>", "<!-- Eva --><p>x</p>"),
        ("<![CDATA[Ada]]>", "<![CDATA[Eva]]>"),
        ("<p>1 < 2, Ada", "<p>1 < 2, Eva"),
        ("Ada", "Eva"),
        ("", ""),
        ("<p", "<p"),
    ],
)  # fmt: skip
def test_html_keeps_its_tags(source: str, expected: str) -> None:
    assert mask(source, masker=free_text(style="tag", html=True)) == expected


def test_what_comes_into_html_is_escaped() -> None:
    siblings = (field("Name", "Ada", "<b>&"),)
    assert mask("<p>Ada</p>", siblings, free_text((), html=True)) == "<p>&lt;b&gt;&amp;</p>"


def test_each_document_goes_by_its_own_fields() -> None:
    other = (field("LastName", "Lovelace", "Stone"),)
    column = Column("Note", ["Lovelace"] * 4, [], [ADA, ADA, other, ()], ["Note"] * 4)
    assert free_text(()).mask(column) == ["King", "King", "Stone", "Lovelace"]


def test_what_is_no_text_and_what_bson_cannot_hold_fails() -> None:
    column = Column("Note", [7, None, "Ada \ud800", b"Ada"], [], [ADA] * 4, ["Note"] * 4)
    assert TAGS.mask(column) == [FAILED] * 4


def test_fakes_need_their_masker() -> None:
    with pytest.raises(ValueError, match="style: tag"):
        FreeText({}, None, detectors=DETECTORS)
    assert FreeText({"style": "tag"}, None).mask(Column("Note", ["x"], [])) == ["x"]


@pytest.mark.parametrize("number", [10, 300])
def test_many_fields_and_few_are_found_alike(number: int) -> None:
    siblings = [field(f"F{one}", f"Zx{one}yq", f"Mask{one}") for one in range(number)]
    text = " ".join(f"zx{one}yq" for one in range(number))
    masked = mask(text, siblings, free_text(()))
    assert "zx" not in masked
    assert masked.count("mask") == number


def test_long_texts_are_masked_to_their_end() -> None:
    text = "x" * 65_530 + " John Smith. " + "y" * 65_500 + " call 312-555-0143"
    masked = mask(text)
    assert masked == "x" * 65_530 + " [NAME]. " + "y" * 65_500 + " call [PHONE]"


PIECES = (
    "Ada",
    "lovelace",
    "A.",
    ",",
    "Dr.",
    "4/17/1931",
    "2125550142",
    "MRN0047113",
    "x",
    "<b>",
    "&amp;",
    "\u200b",
    "é",
    "王",
)


@settings(max_examples=examples(50), deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=10),
    st.sampled_from(["", " "]),
    st.booleans(),
)  # fmt: skip
def test_no_original_is_left_whatever_stands_around_it(pieces: list[str], between: str, html: bool) -> None:
    text = f" {' '.join(pieces)} " if between else " - ".join(pieces)
    without, withal = free_text((), html=html), free_text(style="tag", html=html)
    for masker in (without, withal):
        masked = mask(text, masker=masker)
        bson.encode({"": masked})
        assert masked == mask(text, masker=masker)
        for original in ("ada", "lovelace", "4/17/1931", "2125550142", "0047113"):
            # Dates are found by a detector.
            if masker is withal or original != "4/17/1931":
                assert original not in masked.lower()


@settings(max_examples=examples(50), deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), st.booleans())
def test_without_anything_to_find_a_text_stays(text: str, html: bool) -> None:
    assert mask(text, (), free_text((), html=html)) == text


def test_a_long_text_is_masked_as_its_parts_are() -> None:
    sentence = (
        "Ada Lovelace, MRN 771234, seen 4/17/1931 by Dr. Okafor at Lakeside Hospital; call 312-555-0143. "
    )
    count = 200_000 // len(sentence)
    assert mask(sentence * count) == mask(sentence) * count
