"""`phimask explain`: which rule wins for a path, and from where."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import click

from phimask.cli.look import load_collection_by_name, only_collection
from phimask.cli.options import as_json_option
from phimask.cli.show import answer, say
from phimask.config.model import Rule
from phimask.config.paths import PathSyntaxError, format_path, parse_path
from phimask.errors import UsageError
from phimask.masking.automaton import NO_RULE, State, automaton, covers


@click.command("explain")
@click.argument("path")
@click.option(
    "--collection",
    "-c",
    metavar="NAME|FILE",
    help="The collection file or rule pack; the project's only collection, where it has but one.",
)
@as_json_option
def explain_command(path: str, collection: str | None, as_json: bool) -> None:
    """Say which rules cover the values at PATH, and which one wins: the last, or the last whose `when` matches.

    Also which fields on the way are decoded, and by which rule.
    """
    try:
        keys = [segment for segment in parse_path(path) if isinstance(segment, str)]
        if len(keys) < len(parse_path(path)):
            raise UsageError(f"{path}: a value's path has no wildcards; name one path, such as Patient.Name")
    except PathSyntaxError as error:
        raise UsageError(f"{path}: {error.wrong}; {error.right}") from None
    file = load_collection_by_name(collection or only_collection())
    covering = [
        rule
        for rule in file.rules
        if rule.masker is not None and keys[0] != "_id" and covers(rule.segments, keys)
    ]
    decoding = list(_decoding(file.rules, keys))
    if as_json:
        winner = covering[-1] if covering else None
        answer(
            {
                "path": path,
                "winner": winner and _entry(winner),
                "covered_by": [_entry(one) for one in covering],
                "decoded": [{"field": field, **_entry(rule)} for field, rule in decoding],
            }
        )
        return
    for field, rule in decoding:
        held = " in ".join(reversed(rule.decode))
        say(f"{rule.origin.file}:{rule.origin.line}: {rule.path}: {field} is held as {held}, and decoded")
    if not covering:
        what = "it is never masked" if keys[0] == "_id" else f"unmapped: {file.unmapped}"
        say(f"{path}: no rule covers it; {what}")
        return
    for rule, wins in _judged(covering):
        where = "" if rule.when is None else f" when {json.dumps(rule.when, default=str)}"
        said = f"{rule.origin.file}:{rule.origin.line}: {rule.path}: {rule.masker_name}{where}"
        say(f"{said}  <- wins{wins}" if wins is not None else said)
    if all(rule.when is not None for rule in covering):
        say(f"{path}: no rule covers it in other documents; unmapped: {file.unmapped}")


def _judged(covering: Sequence[Rule]) -> Iterator[tuple[Rule, str | None]]:
    """Each rule, and where it wins; None: nowhere. What stands before the last rule without `when` never does."""
    always = max((place for place, rule in enumerate(covering) if rule.when is None), default=-1)
    last = len(covering) - 1
    for place, rule in enumerate(covering):
        if place < always:
            yield rule, None
        elif place == last:
            yield (
                rule,
                ": the last rule that covers a value" if rule.when is None else " in documents that match",
            )
        elif place == always:
            yield rule, " in all other documents"
        else:
            yield rule, " in documents that match, and match no rule below"


def _decoding(rules: Sequence[Rule], keys: Sequence[str]) -> Iterator[tuple[str, Rule]]:
    """The fields on the way that are decoded where they are strings, each with the rule that says so."""
    decoders = {place: rule.masker is not None for place, rule in enumerate(rules) if rule.decode}
    state: State | None = automaton([rule.segments for rule in rules], frozenset(), decoders)
    last = NO_RULE
    for number, key in enumerate(keys, start=1):
        if state is None:
            return
        found = state.named.get(key)
        state = state.other if found is None else found[0]
        decoder = NO_RULE if state is None else state.decoder
        if decoder not in (NO_RULE, last):
            yield format_path(keys[:number]), rules[decoder]
        last = decoder


def _entry(rule: Rule) -> dict[str, object]:
    return {
        "rule": rule.path,
        "masker": rule.masker_name,
        "options": {} if rule.masker is None else dict(rule.masker.options),
        "decode": list(rule.decode),
        "when": rule.when,
        "file": rule.origin.file,
        "line": rule.origin.line,
    }
