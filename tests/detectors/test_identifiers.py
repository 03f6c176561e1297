"""What each detector takes and what it leaves, by tables of made-up values."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask import Detector
from phimask_plugins.detectors import checksums, registered
from phimask_plugins.detectors.registered import ALL
from phimask_plugins.maskers.faking.numbers import phone, ssn
from phimask_plugins.maskers.keyed import KeyedHash

BY_NAME: dict[str, Detector] = {cls.name: cls({}) for cls in ALL}


def found(name: str, text: str, least: float = 0.0) -> list[str]:
    return [text[one.start : one.end] for one in BY_NAME[name].detect(text) if one.confidence >= least]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("us_itin", "ITIN 912-70-1234.", ["912-70-1234"]),
        ("us_itin", "912-89-1234 812-70-1234 912-93-1234", []),
        ("us_ssn", "SSN ending in 1234", ["1234"]),
        ("us_ssn", "ssn: xxx-xx-1234", ["xxx-xx-1234"]),
        ("fax", "Fax: (212) 555-0134", ["(212) 555-0134"]),
        ("fax", "faxed to 212-555-0134", ["212-555-0134"]),
        ("fax", "phone 212-555-0134", []),
        ("url", "see https://portal.example.org/p?id=7.", ["https://portal.example.org/p?id=7"]),
        ("url", "www.example.org, portal.example.com/x", ["www.example.org", "portal.example.com/x"]),
        ("url", "e.g. 1.2.3 or end.Next or ada@example.com", []),
        ("url", "http://localhost http://example", []),
        ("ip_address", "from 192.0.2.77:8080 and [2001:db8::1]", ["192.0.2.77", "2001:db8::1"]),
        ("ip_address", "fe80::1%eth0, ::ffff:192.0.2.1/96", ["fe80::1%eth0", "::ffff:192.0.2.1/96"]),
        ("ip_address", "192.0.2.256 1.2.3 12:30:15 10:45", []),
        ("mac_address", "00:1A:2b:3C:4D:5E 0012.3456.789a", ["00:1A:2b:3C:4D:5E", "0012.3456.789a"]),
        ("mac_address", "00:00:00:00:00:00 FF-FF-FF-FF-FF-FF 00:1A-2B:3C:4D:5E", []),
        ("card", "4012 8888 8888 1881 and 378282246310005", ["4012 8888 8888 1881", "378282246310005"]),
        ("card", "4012888888881882 1234567890123456", []),
        ("iban", "GB82 WEST 1234 5698 7654 32 paid", ["GB82 WEST 1234 5698 7654 32"]),
        ("iban", "GB82WEST12345698765432, gb82west12345698765432", ["GB82WEST12345698765432", "gb82west12345698765432"]),
        ("iban", "GB82 WEST 1234 5698 7654 33 ZZ82WEST12345698765432", []),
        ("us_routing", "021000021 0260-0959-3", ["021000021", "0260-0959-3"]),
        ("us_routing", "021000022 961000021", []),
        ("npi", "NPI 1234567893, 1245319599", ["1234567893", "1245319599"]),
        ("npi", "1234567890 3234567893", []),
        ("dea", "DEA AB1234563", ["AB1234563"]),
        ("dea", "AB1234562 IB1234563", []),
        ("mbi", "1EG4-TE5-MK73 1eg4te5mk73", ["1EG4-TE5-MK73", "1eg4te5mk73"]),
        ("mbi", "1SG4-TE5-MK73 0EG4-TE5-MK73 1EG4-TE5MK73", []),
        ("vin", "VIN 1M8GDM9AXKP042788", ["1M8GDM9AXKP042788"]),
        ("vin", "1M8GDM9A1KP042788 11111111111111111", []),
        ("plate", "license plate ABC-1234, plate: 7XYZ123", ["ABC-1234", "7XYZ123"]),
        ("plate", "a plate with 6 screws", []),
        ("passport", "Passport No. A12345678", ["A12345678"]),
        ("licence", "driver's license number D1234567, license #MD-44551", ["D1234567", "#MD-44551"]),
        ("medical_record", "MRN: 0047113; MRN #AB-77123 (chart no. 5512)", ["0047113", "#AB-77123", "5512"]),
        ("medical_record", "medical record number is 123-45-6789", ["123-45-6789"]),
        ("medical_record", "MRN pending. mr 40 mg", []),
        ("health_plan", "insurance ID: HP-678901; policy no. 789456123", ["HP-678901", "789456123"]),
        ("health_plan", "insurance since 2019, plan 5000 mg", []),
        ("account", "Acct# 99-88771 claim 4455667", ["99-88771", "4455667"]),
        ("device", "pacemaker serial number PM-778812", ["PM-778812"]),
        ("identifier", "case #JH-99887, ref 20031 and #123456 or QX-551234", ["#JH-99887", "20031", "#123456", "QX-551234"]),
        ("identifier", "NCT-01234567 and COVID-19 and PMID 12", []),
        ("age", "94-year-old, aged 91, age: 103, 93 y/o, 97yo, 95M", ["94", "91", "103", "93", "97", "95"]),
        ("age", "ninety-four years old", ["ninety-four"]),
        ("age", "89-year-old, BP 94/60, 94%, temp 98.6, aged 9", []),
        ("zip_code", "MA 01103, Texas 75001-1234, zip code 02139", ["01103", "75001-1234", "02139"]),
        ("zip_code", "weighed 75001 grams", []),
        ("street_address", "17 Elm Street", ["17 Elm Street"]),
        ("street_address", "lives at 1200 N. Oak Ave. Apt 4B, Springfield, MA 01103.", ["1200 N. Oak Ave. Apt 4B, Springfield, MA 01103"]),
        ("street_address", "22 West 5th Street; 99 main street; PO Box 771", ["22 West 5th Street", "99 main street", "PO Box 771"]),
        ("street_address", "20 Units of Insulin, 3 Way stopcock", ["3 Way"][:0]),
        ("street_address", "we live at 881 sycamore lane, call", ["881 sycamore lane"]),
        ("street_address", "to 455 Pinehurst Apt 2B please", ["455 Pinehurst Apt 2B"]),
        ("street_address", "wohnt Hauptstrasse 12; 77 Rue de la Paix", ["Hauptstrasse 12", "77 Rue de la Paix"]),
        ("street_address", "Unit 4719 Box 7394", ["Unit 4719 Box 7394"]),
        ("us_phone", "pager 4471, call x5-4471", ["4471", "5-4471"]),
        ("identifier", "path S21-18842 on T12-L1", ["S21-18842"]),
        ("device", "Pfizer lot EW0182, a lot of 2000", ["EW0182"]),
        ("licence", "license B 520 118 447 902", ["B 520 118 447 902"]),
        ("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"]),
        ("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", []),
    ],
)  # fmt: skip
def test_identifiers(name: str, text: str, expected: list[str]) -> None:
    assert found(name, text) == expected


DATES = (
    "04/17/1931", "4/17/31", "17.4.1931", "4-17-1931", "1931-04-17", "1931/04/17", "1931-04-17T08:15:30Z", "April 17, 1931",
    "April 17th, 1931", "Apr. 17 1931", "17 April 1931", "17-APR-31", "17th of April 1931", "April 1931", "Apr 17th", "Sept 4, 2020",
    "Jan 20th '23", "05/2021", "March 3-5, 2021",
)  # fmt: skip


@pytest.mark.parametrize("date", DATES)
def test_dates_are_found_whole_and_surely(date: str) -> None:
    assert found("date", f"Seen ({date}) again.", 0.5) == [date]


@pytest.mark.parametrize(
    "text",
    [
        "in 2021", "strength 5/5", "BP 120/80", "13/45/2020", "version 1.2.3", "may 5 mg", "march on", "May be", "ratio 3:4",
        "8-10 mg", "1/2 tablet", "2020-13-45", "T12-L1", "10-20-30 units", "room 12-05", "dec 20 mg", "mar 2 of 4",
    ],
)  # fmt: skip
def test_what_is_no_date_is_not_surely_one(text: str) -> None:
    assert found("date", text, 0.5) == []


def test_a_day_and_month_in_figures_need_a_word_before_them() -> None:
    assert found("date", "seen on 3/4", 0.5) == ["3/4"]
    assert found("date", "strength 3/4", 0.5) == []
    assert found("date", "strength 3/4") == ["3/4"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seen by Dr. Okafor today", ["Dr. Okafor"]),
        ("Mrs. Wilhelmina Oakes-Brenk and Mr. W.", ["Mrs. Wilhelmina Oakes-Brenk", "Mr. W."]),
        ("dr. johnson called", ["dr. johnson"]),
        ("with John Smith in clinic", ["John Smith"]),
        ("John Q. Adams; John F Kennedy", ["John Q. Adams", "John F Kennedy"]),
        ("for a male, Ruth V., seen", ["Ruth V."]),
        ("for a boy, Quillo R., seen", ["Quillo R."]),
        ("SMITH, JOHN A was here", ["SMITH, JOHN A"]),
        ("Smith, John", ["Smith, John"]),
        ("Maria van der Berg", ["Maria van der Berg"]),
        ("Mary O'Brien", ["Mary O'Brien"]),
        ("patient named Xyqulon", ["Xyqulon"]),
        ("Name: Zxq Vyrkenb", ["Zxq Vyrkenb"]),
        ("Jennifer reports pain", ["Jennifer"]),
        ("Zoë Smith and Zoe\u0301 Smith", ["Zoë Smith", "Zoe\u0301 Smith"]),
        ("Jo\u200bhn Smi\u2060th", ["Jo\u200bhn Smi\u2060th"]),
        ("J\u043ehn Sm\u0456th", ["J\u043ehn Sm\u0456th"]),
        ("Spoke with Hyun-woo and his wife Xiuying.", ["Hyun-woo", "Xiuying"]),
        ("Oyelaran denies pain. Read by S. Krishnamurthy.", ["Oyelaran", "S. Krishnamurthy"]),
        ("Attending: Ngozi Umeh, MD", ["Ngozi Umeh, MD"]),
        ("PATIENT: WOJCIECHOWSKI, HALINA", ["WOJCIECHOWSKI, HALINA"]),
        ("Amarachi is a 44F; Tomasz presents today.", ["Amarachi", "Tomasz"]),
        ("seen by Chidinma Eze in clinic", ["Chidinma Eze"]),
        ("Mohammed bin Yusuf and Fatima al-Rashid", ["Mohammed bin Yusuf", "Fatima al-Rashid"]),
        ("labs for maria gonzalez dob 3/4/61", ["maria gonzalez"]),
        ("nurse keisha says mrs abernathy fell", ["nurse keisha", "mrs abernathy"]),
        ("the patient has a history of asthma, is stable and will return", []),
        ("what is the dose of keflex for an adult", []),
        ("Entresto was started. Lasix was given. Echo shows EF 55.", []),
        ("E. Coli, H. Pylori and Vitamin D. Lantus continued.", []),
        ("a high Wells score and Barrett's esophagus", []),
        ("Stevens-Johnson syndrome, an Oakes Johnson syndrome", []),
        ("The Patient Will Return In May", []),
        ("Chest Pain. Plan: Follow Up. Don't smoke.", []),
        ("Vitamin D. Hepatitis C. Type A.", []),
        ("GUSTO trial, Framingham Heart Study, Glasgow Coma Scale", []),
    ],
)
def test_names(text: str, expected: list[str]) -> None:
    assert found("name", text, 0.5) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("treated at Lakeside Hospital in May", ["Lakeside Hospital"]),
        ("at St. Vincent's on Monday", ["St. Vincent's"]),
        ("seen at Mt. Sinai", ["Mt. Sinai"]),
        ("at Brigham and Women's Hospital", ["Brigham and Women's Hospital"]),
        ("the University of Springfield Medical Center", ["University of Springfield Medical Center"]),
        ("Dr. Okafor of Lakeside Clinic", ["Lakeside Clinic"]),
        ("lives in Tulsa, OK. Her", ["Tulsa, OK"]),
        ("moved from Pleasantville, New York", ["Pleasantville, New York"]),
        ("Mercy Hospital in Rochester, MN", ["Mercy Hospital in Rochester, MN"]),
        ("residing in Hogsmeade", ["Hogsmeade"]),
        ("referred from Chicago", ["Chicago"]),
        ("grew up in Ypsilanti, then", ["Ypsilanti"]),
        ("cardiology at mercy hospital, then the hospital", ["mercy hospital"]),
        ("teaches at Lincoln Elementary School", ["Lincoln Elementary School"]),
        ("in Trendelenburg position, in English, in Canada, in January", []),
        ("admitted to UCSF", ["UCSF"]),
        ("Jones, MD and Improved, OR better", []),
        ("in California during the summer", []),
        ("the clinic, the hospital, a General Hospital Medicine team", ["General Hospital"][:0]),
        ("at Stage III, at Baseline, seen in ED, from Admission", []),
        ("according to the Framingham score", []),
        ("a Mobile X-ray, Normal sinus rhythm, Reading glasses", []),
    ],
)
def test_places(text: str, expected: list[str]) -> None:
    assert found("place", text, 0.5) == expected


OBFUSCATED = {
    "us_ssn": "123-45-6789",
    "us_phone": "(212) 555-0134",
    "card": "4012888888881881",
    "date": "04/17/1931",
    "email": "ada@example.org",
    "npi": "1234567893",
    "iban": "GB82WEST12345698765432",
}


def _full_width(text: str) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if one.isdecimal() else one for one in text)


@pytest.mark.parametrize("name", OBFUSCATED)
@pytest.mark.parametrize(
    "disguise",
    [
        _full_width,
        "\u200b".join,
        lambda text: text.replace("-", "\u2011").replace(" ", "\u00a0"),
        lambda text: text.translate(str.maketrans("aeoABEWST", "\u0430\u0435\u043e\u0410\u0412\u0415W\u0405\u0422")),
        lambda text: re.sub(r"\d", lambda digit: chr(0x0660 + int(digit[0])), text),
        lambda text: re.sub(r"\d", lambda digit: chr(0x1D7CE + int(digit[0])), text),
    ],
    ids=["full-width", "zero-width", "hyphens", "homoglyphs", "arabic", "mathematical"],
)  # fmt: skip
def test_disguises_do_not_help(name: str, disguise: object) -> None:
    text = disguise(OBFUSCATED[name])  # type: ignore[operator]
    assert found(name, f"x: {text} !") == [text]


@given(st.integers(0, 10**15), st.sampled_from(["", " ", "-"]))
def test_every_card_with_its_check_digit_is_found(number: int, between: str) -> None:
    body = f"4{number % 10**14:014}"
    check = next(digit for digit in "0123456789" if checksums.luhn(body + digit))
    card = body + check
    written = between.join(card[at : at + 4] for at in range(0, 16, 4))
    assert found("card", f"card {written}.") == [written]
    wrong = card[:-1] + str((int(check) + 1) % 10)
    assert found("card", f"card {wrong}.") == []


@given(st.integers(0, 10**8 - 1))
def test_every_npi_with_its_check_digit_is_found(number: int) -> None:
    body = f"1{number:08}"
    npi = next(body + digit for digit in "0123456789" if checksums.npi(body + digit))
    expected = [npi] if len(set(npi)) > 2 else []
    assert found("npi", f"NPI {npi}") == expected


@given(st.text("0123456789", min_size=3, max_size=12))
def test_fakes_are_found_as_what_they_stand_for(text: str) -> None:
    keyed = KeyedHash(bytes(32))
    assert found("us_phone", f"call {phone(keyed, 'x' + text)}") != []
    assert found("us_ssn", f"is {ssn(keyed, 'x' + text)}") != []


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.name)
@given(text=st.text(st.sampled_from("0129٣-. ()+@axMRNédot:#/\u200b\U0001f600\n\ud800王"), max_size=60))
def test_whatever_the_text_spans_lie_in_it_in_order(cls: type[Detector], text: str) -> None:
    at = 0
    for one in cls({}).detect(text):
        assert at <= one.start < one.end <= len(text)
        assert one.label in cls.labels
        assert 0 < one.confidence <= 1
        at = one.end


@pytest.mark.parametrize(
    "piece",
    ["1", "1-", "a.", "A ", "Ab ", "Dr. ", "at ", "at A", "MRN ", "MRN:#", "::", "1:", "Jan ", "1/", "12 A", ", MA", "St. A",
     "Hospital ", "AB12 ", "4111 ", "Smith, ", "www.", "http://", "é", "of the ", "#1", "-", "9",
     "A-a-", "Ab'", "A. ", "Rue A ", "1 Apt 1 ", "lives at 1", "a b ", "nurse a ", "maria ", "Ab is 1", "Ab, MD ", "hi A", "in Abcd ",
     "at mercy hospital ", "member A 1 ", "x1-", "address 1 a"],
)  # fmt: skip
def test_long_texts_of_one_piece_come_to_an_end(piece: str) -> None:
    # An expression that backtracks over the whole text would take hours for this.
    text = piece * (60_000 // len(piece)) + "\nSSN 912-34-5678"
    assert found("us_ssn", text)[-1] == "912-34-5678"
    for detector in BY_NAME.values():
        list(detector.detect(text))


def test_names_and_labels_are_not_shared() -> None:
    assert len({cls.name for cls in registered.ALL}) == len(registered.ALL)
    labels = [label for cls in registered.ALL for label in cls.labels]
    assert len(set(labels)) == len(labels)
