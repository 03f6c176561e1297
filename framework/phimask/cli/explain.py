"""`phimask explain`: which rule wins for a path, and from where."""

from __future__ import annotations

import click

from phimask.cli.look import load_collection_by_name
from phimask.cli.options import as_json_option
from phimask.cli.show import answer, say
from phimask.config.model import Rule
from phimask.config.paths import PathSyntaxError, parse_path
from phimask.errors import UsageError
from phimask.masking.automaton import covers


@click.command("explain")
@click.argument("path")
@click.option(
    "--collection", "-c", required=True, metavar="NAME|FILE", help="The collection file or rule pack."
)
@as_json_option
def explain_command(path: str, collection: str, as_json: bool) -> None:
    """Say which rules cover the values at PATH, and which one wins: the last."""
    try:
        keys = [segment for segment in parse_path(path) if isinstance(segment, str)]
        if len(keys) < len(parse_path(path)):
            raise UsageError(f"{path}: a value's path has no wildcards; name one path, such as Patient.Name")
    except PathSyntaxError as error:
        raise UsageError(f"{path}: {error.wrong}; {error.right}") from None
    file = load_collection_by_name(collection)
    covering = [] if keys[0] == "_id" else [rule for rule in file.rules if covers(rule.segments, keys)]
    if as_json:
        winner = covering[-1] if covering else None
        answer(
            {
                "path": path,
                "winner": winner and _entry(winner),
                "covered_by": [_entry(one) for one in covering],
            }
        )
        return
    if not covering:
        what = "it is never masked" if keys[0] == "_id" else f"unmapped: {file.unmapped}"
        say(f"{path}: no rule covers it; {what}")
        return
    for number, rule in enumerate(covering, start=1):
        wins = "  <- wins: the last rule that covers a value" if number == len(covering) else ""
        say(f"{rule.origin.file}:{rule.origin.line}: {rule.path}: {rule.masker.name}{wins}")


def _entry(rule: Rule) -> dict[str, object]:
    return {
        "rule": rule.path,
        "masker": rule.masker.name,
        "options": dict(rule.masker.options),
        "file": rule.origin.file,
        "line": rule.origin.line,
    }
