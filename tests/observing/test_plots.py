from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from phimask.observing.markup import Markup, element, joined
from phimask.observing.plots import (
    Limit,
    Line,
    Part,
    bar,
    level,
    over_time,
    round_ticks,
    share,
    short,
    spread,
    thinned,
    time_ticks,
)

HOSTILE = "</title><script>alert(1)</script>\u202e\x00&\"'"


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)  # raises for what is no XML


def test_what_is_no_markup_is_escaped_wherever_it_stands() -> None:
    made = element("p", HOSTILE, element("b", "<i>"), None, title=HOSTILE, hidden=True, lang=None)
    assert "<script" not in made
    assert "\u202e" not in made
    assert "\x00" not in made
    found = parsed(made.replace(" hidden", ' hidden=""'))
    assert found.attrib["title"].startswith("</title><script>")
    assert found[0].text == "<i>"
    assert "lang" not in found.attrib


def test_markup_that_is_worked_on_is_plain_again() -> None:
    made = joined(Markup("<b>") + "x", f"{Markup('<b>')}", Markup("<b>").strip())
    assert made == "&lt;b&gt;x&lt;b&gt;&lt;b&gt;"


def test_a_plot_says_in_words_what_it_shows() -> None:
    points = [(0.0, 10.0), (1.0, None), (2.0, 400.0), (3.0, 300.0)]
    figure = parsed(
        over_time("k", "Rate", [Line(HOSTILE, "s1", points)], "documents/s", Limit("most", 500.0))
    )
    svg = figure.find("svg")
    assert svg is not None
    assert svg.attrib["role"] == "img"
    for name, key in (("title", "k-title"), ("desc", "k-desc")):
        found = svg.find(name)
        assert found is not None
        assert found.attrib["id"] == key
        assert key in svg.attrib["aria-labelledby"]
    told = svg.findtext("desc") or ""
    assert "least 10, greatest 400, at the end 300 documents/s" in told
    assert "most: 500 documents/s" in told
    assert svg.findtext("title") == "Rate (documents/s)"


def test_a_gap_is_a_gap_and_a_point_alone_is_a_dot() -> None:
    points = [(0.0, 10.0), (1.0, None), (2.0, 400.0), (3.0, 300.0)]
    svg = parsed(over_time("k", "Rate", [Line("a", "s1", points)], "x")).find("svg")
    assert svg is not None
    assert [one.attrib["d"].count("M") for one in svg.iter("path")] == [1]
    assert len(list(svg.iter("circle"))) == 1


def test_higher_is_drawn_higher_and_a_step_holds_until_the_next() -> None:
    svg = parsed(over_time("k", "W", [Line("a", "s1", [(0, 1.0), (2, 4.0)], stepped=True)], "x")).find("svg")
    assert svg is not None
    (path,) = svg.iter("path")
    corners = [tuple(map(float, one.split())) for one in re.findall(r"[ML]([\d. ]+)", path.attrib["d"])]
    (x0, y0), (x1, y1), (x2, y2) = corners
    assert x0 < x1 == x2
    assert y0 == y1 > y2


@pytest.mark.parametrize("points", [[], [(0.0, None)], [(0.0, 0.0)], [(0.0, 0.0), (0.0, 0.0)]])
def test_nothing_to_show_is_no_fault(points: list[tuple[float, float | None]]) -> None:
    assert "nan" not in over_time("k", "Rate", [Line("a", "s1", points)], "x")


def test_a_bar_is_divided_in_proportion_and_says_counts() -> None:
    figure = parsed(
        bar("k", "Kinds", [Part("a", "s1", 300), Part("b", "s2", 100), Part("c", "s3", 0)], "documents")
    )
    widths = [float(one.attrib["width"]) for one in figure.iter("rect")]
    assert len(widths) == 2
    assert widths[0] / widths[1] == pytest.approx(3, rel=0.02)
    assert "a 300 (75 %), b 100 (25 %), in documents." in "".join(figure.itertext())


def test_what_is_over_its_limit_is_drawn_as_bad() -> None:
    for value, style in ((3.0, "fill s1"), (5.0, "fill bad")):
        figure = parsed(level("k", "Memory", "peak", value, Limit("ceiling", 4.0), ("3", "4")))
        assert style in [one.attrib["class"] for one in figure.iter("rect")]
    parsed(spread(0.0, 0.0, 0.0, 0.0))
    parsed(share(1, 0))


@pytest.mark.parametrize(
    ("top", "ticks"),
    [
        (1000, [0, 250, 500, 750, 1000]),
        (0.9, [0, 0.25, 0.5, 0.75, 1]),
        (7, [0, 2, 4, 6, 8]),
        (3, [0, 1, 2, 3]),
    ],
)
def test_ticks_are_round_and_reach_the_top(top: float, ticks: list[float]) -> None:
    assert round_ticks(top) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("end", "ticks"),
    [
        (0.4, [0, 0.1, 0.2, 0.3, 0.4]),
        (42, [0, 10, 20, 30, 40]),
        (150, [0, 30, 60, 90, 120, 150]),
        (7300, [0, 1800, 3600, 5400, 7200]),
    ],
)
def test_time_is_counted_as_people_do(end: float, ticks: list[float]) -> None:
    assert time_ticks(end) == pytest.approx(ticks)
    assert len(time_ticks(30 * 86_400)) <= 6
    assert "1 h 30 min" in over_time("k", "x", [Line("a", "s1", [(0, 1.0), (7300, 1.0)])], "x")


def test_many_points_are_thinned_and_peaks_and_gaps_stay() -> None:
    points: list[tuple[float, float | None]] = [(float(at), 1.0) for at in range(10_000)]
    points[5_001], points[7_000], points[1] = (5_001.0, 99.0), (7_000.0, None), (1.0, 0.1)
    kept = thinned(points)
    assert len(kept) <= 402
    assert {(5_001.0, 99.0), (7_000.0, None), (1.0, 0.1)} <= set(kept)
    assert kept == sorted(kept, key=lambda one: one[0])


def test_numbers_are_short() -> None:
    assert [short(one) for one in (0, 0.25, 999, 1500, 2_000_000, 3.2e9, 1e12)] == [
        "0", "0.25", "999", "1.5k", "2M", "3.2G", "1T",
    ]  # fmt: skip
