"""What the page is put together from: tables with headers, facts, marks that words stand beside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from phimask.observing.markup import Markup, element, joined

Tone = Literal["good", "warn", "bad", "none"]

_SIGNS: dict[Tone, str] = {"good": "✓ ", "warn": "! ", "bad": "✗ ", "none": ""}


def mark(tone: Tone, words: str) -> Markup:
    """Words in their tone's colour, with a sign for who does not see colours."""
    return element("span", f"{_SIGNS[tone]}{words}", class_=f"mark {tone}")


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Sequence[int] = (),
    class_: str | None = None,
) -> Markup:
    """A table; the first cell of each row is its header. `numbers`: columns that are set as figures."""

    def style(column: int) -> str | None:
        return "number" if column in numbers else None

    head = element(
        "tr",
        *(element("th", text, scope="col", class_=style(column)) for column, text in enumerate(heads)),
    )
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell, class_=style(column)) for column, cell in enumerate(row[1:], start=1)),
        )
        for row in rows
    ]
    made = element(
        "table", element("caption", caption), element("thead", head), element("tbody", *body), class_=class_
    )
    return element("div", made, class_="scroll")


def facts(rows: Iterable[tuple[str, str]]) -> Markup:
    """Names and what they are."""
    pairs = [joined(element("dt", name), element("dd", text)) for name, text in rows]
    return element("dl", *pairs, class_="facts")


def path(text: str) -> Markup:
    """A path, a name or a digest."""
    return element("span", text, class_="path")


def coded(text: str) -> Markup:
    """A sentence, with what stands between backticks as code."""
    return joined(
        *(element("code", part) if number % 2 else part for number, part in enumerate(text.split("`")))
    )


def items(texts: Iterable[str]) -> Markup:
    """A list of sentences."""
    return element("ul", *(element("li", coded(text)) for text in texts))


def tiles(shown: Iterable[tuple[str, str, str]]) -> Markup:
    """Figures to see first: name, figure, what else to know of it."""
    return element(
        "div",
        *(
            element(
                "dl",
                element("dt", name),
                element("dd", figure),
                element("dd", more, class_="small") if more else None,
                class_="tile",
            )
            for name, figure, more in shown
        ),
        class_="tiles",
    )
