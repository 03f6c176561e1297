"""The page of each built-in masker, with an example that is masked while the page is written."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from generator.examples import EXAMPLES, Example
from generator.markdown import page, schema_rows, table
from generator.masking import Masked, masked
from phimask.cli.plugins import summary
from phimask.plugins.interfaces import Masker
from phimask.plugins.registry import Registry

_ROOT: Final = Path(__file__).resolve().parents[2]
_UP: Final = "../../.."
_DEPENDS: Final = "depends on the options"
_UNIQUENESS: Final = {
    "injective": "two values never share a mask (`injective`)",
    "probable": "two values hardly ever share a mask (`probable`)",
    "lossy": "values may share a mask (`lossy`)",
}
_CHANGES: Final = {
    "always": "every value, but for an empty string",
    "maybe": "those that need it; others stay",
    "never": "none",
}


def pages(registry: Registry) -> dict[str, str]:
    """The text of each page by file name, and the list of them all."""
    classes = dict(builtin_maskers(registry))
    missing = classes.keys() ^ EXAMPLES.keys()
    if missing:
        raise AssertionError(f"maskers without an example, or examples without a masker: {sorted(missing)}")
    results = masked(registry, EXAMPLES)
    found = {
        f"{name}.md": _page(registry, cls, EXAMPLES[name], results[name]) for name, cls in classes.items()
    }
    return {"README.md": _list(registry, classes), **found}


def builtin_maskers(registry: Registry) -> Iterator[tuple[str, type[Masker]]]:
    """Those that are phimask's own, by name."""
    for name, registration in registry.classes("masker").items():
        if registration.cls.__module__.partition(".")[0] == "phimask_plugins":
            yield name, registry.masker(name)


def _list(registry: Registry, classes: dict[str, type[Masker]]) -> str:
    rows = [
        (
            f"[`{name}`]({name}.md)",
            summary(cls),
            _reversible(registry, cls),
            _uniqueness(cls, short=True),
            ", ".join(_needs(cls)) or "nothing",
        )
        for name, cls in classes.items()
    ]
    lines = table(("masker", "does", "reversible", "uniqueness", "needs"), rows)
    return page(
        "Maskers",
        "What a rule may name. `phimask plugins list --kind masker` lists them with those of other people's plugins. "
        "[Choose a masker](../../how-to/choose-a-masker.md) says which is for what.",
        # The names are links, and the only markup that a cell may have.
        re.sub(r"\\\[(`\w+`)\]", r"[\1]", lines),
        "## What holds for all",
        "- **null** stays null under every masker, and is not counted. Whether there is a value shows, therefore; "
        "where that tells something by itself, take [`nullify`](nullify.md), which makes all of them null. Words and "
        "numbers that stand for no value, such as `N/A`, are values, unless [`keep_null`](keep_null.md) says "
        "otherwise.\n"
        "- **A missing field** stays missing.\n"
        "- **A value of another BSON type** than the masker takes, or one that it cannot make sense of, never stays: "
        "it is treated as the collection file's `on_error` says, and counted.\n"
        "- **An empty string** stays empty, unless a page says otherwise.\n"
        "- **Arrays and sub-documents** are walked through: each value in them is masked by itself, and arrays keep "
        "their length.\n"
        "- **A BSON type** stays what it was, unless a page says that the masker gives others. Integers stay int32 or "
        "int64.\n"
        "- **With a key**, equal values get equal masks in all collections, runs and machines that have the same key. "
        "[Link values](../../how-to/link-values.md) says how far, and how to prevent it.",
    )


def _page(registry: Registry, cls: type[Masker], example: Example, result: Masked) -> str:
    paragraphs = inspect.cleandoc(cls.__doc__ or "").split("\n\n")
    sources = [one.removeprefix("Source:").strip() for one in paragraphs if one.startswith("Source:")]
    schema = registry.options_schema("masker", cls.name)
    options = list(schema_rows(schema, schema))
    file = Path(inspect.getsourcefile(cls) or "").resolve().relative_to(_ROOT).as_posix()
    return page(
        f"`{cls.name}`",
        "\n\n".join(one for one in paragraphs if not one.startswith("Source:")),
        "## Properties",
        table(("property", "is"), _properties(registry, cls)),
        "## Options",
        table(("option", "type", "default", "is"), options) if options else "None.",
        "## Example",
        f"```yaml\n{example.rules.strip()}\n```",
        example.note,
        table(("before", "after"), ((f"`{before}`", f"`{after}`") for before, after in result)),
        "Masked under a key made up for this page, when it was written." if cls.needs_key else "",
        "## Source",
        *(f"{one[0].upper()}{one[1:]}" for one in sources),
        f"Code: [`{file}`]({_UP}/{file}).",
    )


def _properties(registry: Registry, cls: type[Masker]) -> Iterator[tuple[str, str]]:
    yield "takes (BSON types)", _set_by(cls, "types") or ", ".join(sorted(cls.types))
    produces = "the type it was given" if cls.produces is None else ", ".join(sorted(cls.produces))
    yield "gives (BSON types)", _set_by(cls, "produces") or produces
    yield "uniqueness", _uniqueness(cls)
    yield "changes", _set_by(cls, "changes") or _CHANGES[cls.changes]
    idempotent = "a mask is masked into itself" if cls.idempotent else "no: never mask a mask"
    yield "idempotent", _set_by(cls, "idempotent") or idempotent
    yield "reversible", _reversible(registry, cls)
    yield "needs", ", ".join(_needs(cls)) or "nothing"
    if cls.writes:
        yield "writes", "outside of the documents, and so is not asked by `phimask plan`"


def _set_by(cls: type[Masker], attribute: str) -> str:
    """What is said of an attribute that the constructor sets."""
    return _DEPENDS if f"self.{attribute} " in _source(cls) or f"self.{attribute}:" in _source(cls) else ""


def _source(cls: type[Masker]) -> str:
    return "".join(
        inspect.getsource(one) for one in cls.__mro__ if one.__module__.startswith("phimask_plugins")
    )


def _uniqueness(cls: type[Masker], *, short: bool = False) -> str:
    return _set_by(cls, "uniqueness") or (f"`{cls.uniqueness}`" if short else _UNIQUENESS[cls.uniqueness])


def _needs(cls: type[Masker]) -> Iterator[str]:
    if cls.needs_key:
        yield "a key"
    if cls.needs_subject:
        yield "a subject"
    elif _set_by(cls, "needs_subject"):
        yield "a subject, by the options"
    if cls.needs_siblings:
        yield "what other rules masked in the document"
    if cls.needs_detectors:
        yield "the detectors"


def _reversible(registry: Registry, cls: type[Masker]) -> str:
    undoes = next((name for name, one in builtin_maskers(registry) if one.default_domain == cls.name), None)
    if undoes is not None:
        return f"by `{undoes}`, with the key"
    if cls.default_domain is not None:
        return f"it undoes `{cls.default_domain}`"
    return "no" if cls.changes != "never" else "nothing to reverse"
