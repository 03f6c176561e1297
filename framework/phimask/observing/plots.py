"""Plots as inline SVG, each with a title and a description in words for those who do not see it.

Colours come from the page's style sheet by class (`s1`, `limit`, `good` and the like), so that one plot serves light
and dark pages and paper.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from phimask.observing.markup import Markup, element, joined

WIDTH: Final = 560
_HEIGHT: Final = 190
_LEFT: Final = 58
_RIGHT: Final = 14
_TOP: Final = 12
_BOTTOM: Final = 30
_MOST_POINTS: Final = 400
"""More than a plot of this width can show."""
_TICKS: Final = 4
_STEPS: Final = (
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0,
    21_600.0, 43_200.0, 86_400.0,
)  # fmt: skip
"""Seconds between ticks of time."""

_Scale: TypeAlias = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Line:
    """What is drawn over time: its name, its class, and points (seconds, value; None where there is none).

    `stepped`: a value holds until the next.
    """

    name: str
    style: str
    points: Sequence[tuple[float, float | None]]
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """A level that is not to be reached, and its name."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: its name, its class, its size."""

    name: str
    style: str
    value: float


def over_time(
    key: str,
    title: str,
    lines: Sequence[Line],
    unit: str,
    limit: Limit | None = None,
    end: float | None = None,
) -> Markup:
    """Lines over time, from nought up. `key` is an id of its own on the page; `end`: seconds that the plot reaches to,
    the last point where it is not given."""
    drawn = [Line(one.name, one.style, thinned(one.points), one.stepped) for one in lines]
    seen = [value for one in drawn for _, value in one.points if value is not None]
    end = end or max((second for one in drawn for second, _ in one.points), default=0.0) or 1.0
    top = max([*seen, *([limit.value] if limit is not None else [])], default=0.0) or 1.0
    ticks = round_ticks(top)
    top = max(top, ticks[-1])

    def x(second: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * second / end

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / top

    parts = [_grid(y(tick), short(tick)) for tick in ticks]
    parts += [_under(x(second), _clock(second)) for second in time_ticks(end)]
    if limit is not None:
        parts.append(_limit(y(limit.value), limit.name))
    for one in drawn:
        parts += [
            element("path", class_=f"line {one.style}", d=way) for way in _ways(one, x, y) if "L" in way
        ]
        parts += [
            element("circle", class_=f"dot {one.style}", cx=x(second), cy=y(value), r=2.0)
            for second, value in _alone(one.points)
        ]
    said = [f"{one.name}: {_told(one.points, unit)}" for one in drawn]
    if limit is not None:
        said.append(f"{limit.name}: {short(limit.value)} {unit}")
    legend = [(one.name, one.style) for one in drawn] if len(drawn) > 1 else []
    told = f"Over {_clock(round(end))}. {'; '.join(said)}."
    return _figure(key, f"{title} ({unit})", told, _HEIGHT, parts, legend)


def bar(key: str, title: str, parts: Sequence[Part], unit: str) -> Markup:
    """One bar, divided in the proportion of its parts; those of nought are left out."""
    parts = [part for part in parts if part.value]
    total = sum(part.value for part in parts) or 1.0
    drawn, at, height = [], 0.0, 22
    for part in parts:
        width = WIDTH * part.value / total
        shown = max(width - 1.5, 1.0)
        drawn.append(
            element("rect", class_=f"fill {part.style}", x=at, y=0.0, width=shown, height=float(height))
        )
        at += width
    said = ", ".join(f"{part.name} {part.value:,.0f} ({_percent(part.value, total)})" for part in parts)
    legend = [
        (f"{part.name} {part.value:,.0f} ({_percent(part.value, total)})", part.style) for part in parts
    ]
    return _figure(key, title, f"{said}, in {unit}.", height, drawn, legend)


def spread(least: float, middle: float, high: float, most: float) -> Markup:
    """A small plot for a row of a table that says the numbers: a thin line from the least to the greatest, a thick one
    between the median, a dot, and the 95th percentile; from nought on."""

    def x(value: float) -> float:
        return 4 + 172 * value / (most or 1.0)

    return element(
        "svg",
        element("line", class_="grid", x1=4.0, x2=4.0, y1=1.0, y2=17.0),
        element("line", class_="whisker s1", x1=x(least), x2=x(most), y1=9.0, y2=9.0),
        element("line", class_="thick s1", x1=x(middle), x2=x(high), y1=9.0, y2=9.0),
        element("circle", class_="median", cx=x(middle), cy=9.0, r=4.0),
        class_="spread",
        viewBox="0 0 180 18",
        aria_hidden="true",
    )


def level(key: str, title: str, name: str, value: float, limit: Limit, words: tuple[str, str]) -> Markup:
    """A value against its limit; `words`: how the two are shown."""
    top = max(value, limit.value) * 1.04 or 1.0
    style = "bad" if value > limit.value else "s1"
    at = WIDTH * limit.value / top
    parts = [
        element("rect", class_="track", x=0.0, y=6.0, width=float(WIDTH), height=18.0),
        element(
            "rect", class_=f"fill {style}", x=0.0, y=6.0, width=max(WIDTH * value / top, 2.0), height=18.0
        ),
        element("line", class_="limit", x1=at, x2=at, y1=0.0, y2=30.0),
    ]
    legend = [(f"{name} {words[0]}", style), (f"{limit.name} {words[1]}", "limit")]
    return _figure(key, title, f"{name} {words[0]}; {limit.name} {words[1]}.", 30, parts, legend)


def share(value: float, whole: float, style: str = "s1") -> Markup:
    """A small bar for a cell of a table that says the number itself."""
    width = 0.0 if whole <= 0 else 100 * min(value / whole, 1.0)
    return element(
        "svg",
        element("rect", class_="track", x=0.0, y=0.0, width=100.0, height=8.0),
        element("rect", class_=f"fill {style}", x=0.0, y=0.0, width=width, height=8.0),
        class_="share",
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def round_ticks(top: float, count: int = _TICKS) -> list[float]:
    """Round numbers from nought on to `top` or just past it."""
    rough = top / count
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= rough * (1 - 1e-9))
    return [number * step for number in range(math.ceil(top / step * (1 - 1e-9)) + 1)]


def time_ticks(end: float) -> list[float]:
    """Moments that people count time by, from nought on, as far as `end`."""
    step = next(
        (one for one in _STEPS if end / one <= _TICKS + 1), 86_400.0 * math.ceil(end / 86_400 / _TICKS)
    )
    return [number * step for number in range(math.floor(end / step) + 1)]


def thinned(points: Sequence[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    """Of many points the least and the greatest of each stretch, and every gap: peaks stay."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    stretch = math.ceil(len(points) / (_MOST_POINTS // 2))
    kept: list[tuple[float, float | None]] = []
    for begin in range(0, len(points), stretch):
        part = points[begin : begin + stretch]
        there = [(number, value) for number, (_, value) in enumerate(part) if value is not None]
        chosen = {number for number, (_, value) in enumerate(part) if value is None}
        if there:
            chosen |= {min(there, key=lambda one: one[1])[0], max(there, key=lambda one: one[1])[0]}
        kept += [part[number] for number in sorted(chosen)]
    return kept


def short(value: float) -> str:
    """A number for an axis: 1.5M, 20k, 0.25."""
    for size, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{sign}"
    return f"{value:.3g}"


def _percent(value: float, total: float) -> str:
    share_ = 100 * value / total
    return f"{share_:.0f} %" if share_ >= 1 or not share_ else "under 1 %"


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} s"
    if seconds < 3600:
        minutes, rest = divmod(seconds, 60)
        return f"{minutes:.0f} min" + (f" {rest:.0f} s" if rest else "")
    hours, rest = divmod(seconds, 3600)
    return f"{hours:.0f} h" + (f" {rest / 60:.0f} min" if rest >= 60 else "")


def _told(points: Sequence[tuple[float, float | None]], unit: str) -> str:
    there = [value for _, value in points if value is not None]
    if not there:
        return "nothing measured"
    return f"least {short(min(there))}, greatest {short(max(there))}, at the end {short(there[-1])} {unit}"


def _runs(points: Sequence[tuple[float, float | None]]) -> Iterator[list[tuple[float, float]]]:
    """Points without a gap between them."""
    run: list[tuple[float, float]] = []
    for second, value in points:
        if value is not None:
            run.append((second, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _alone(points: Sequence[tuple[float, float | None]]) -> Iterator[tuple[float, float]]:
    yield from (run[0] for run in _runs(points) if len(run) == 1)


def _ways(line: Line, x: _Scale, y: _Scale) -> Iterator[str]:
    for run in _runs(line.points):
        way = [f"M{x(run[0][0]):.1f} {y(run[0][1]):.1f}"]
        for (_, before), (second, value) in itertools.pairwise(run):
            if line.stepped:
                way.append(f"L{x(second):.1f} {y(before):.1f}")
            way.append(f"L{x(second):.1f} {y(value):.1f}")
        yield "".join(way)


def _grid(at: float, text: str) -> Markup:
    return joined(
        element("line", class_="grid", x1=float(_LEFT), x2=float(WIDTH - _RIGHT), y1=at, y2=at),
        element("text", text, class_="axis", x=_LEFT - 6.0, y=at + 3.5, text_anchor="end"),
    )


def _under(at: float, text: str) -> Markup:
    return element("text", text, class_="axis", x=at, y=_HEIGHT - 10.0, text_anchor="middle")


def _limit(at: float, name: str) -> Markup:
    above = at - 4 if at > _TOP + 12 else at + 12
    return joined(
        element("line", class_="limit", x1=float(_LEFT), x2=float(WIDTH - _RIGHT), y1=at, y2=at),
        element("text", name, class_="axis", x=float(WIDTH - _RIGHT), y=above, text_anchor="end"),
    )


def _figure(
    key: str,
    title: str,
    told: str,
    height: float,
    parts: Sequence[Markup],
    legend: Sequence[tuple[str, str]],
) -> Markup:
    drawn = element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", told, id=f"{key}-desc"),
        *parts,
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
        viewBox=f"0 0 {WIDTH} {height:g}",
    )
    named = element(
        "ul",
        *(element("li", element("i", class_=f"key {style}"), name) for name, style in legend),
        class_="legend",
    )
    return element("figure", element("figcaption", title), drawn, named if legend else None, class_="plot")
