"""`phimask report --history`: the ledger's past runs, compared."""

from __future__ import annotations

from typing import Final

from phimask.cli.console import PersonConsole
from phimask.cli.show import answer, say
from phimask.cli.steer import opened_ledger
from phimask.config.wording import closest, listed
from phimask.errors import UsageError
from phimask.ledger.runs import Runs
from phimask.observing.history import Kept, Past, history, render

_MOST_RUNS: Final = 100


def show_history(collection: str | None, uri: str | None, database: str | None, *, as_json: bool) -> None:
    """Of all collections, or of one by its namespace or name. Raises UsageError for one that no run masked."""
    with opened_ledger(uri, database) as ledger:
        kept = [
            Kept(record.id, record.standing, report) for record, report in Runs(ledger).reports(_MOST_RUNS)
        ]
    found = history(kept)
    if collection is not None:
        found = _chosen(found, collection)
    if as_json:
        answer({"history": {name: [past.entry() for past in runs] for name, runs in found.items()}})
    elif found:
        render(found, PersonConsole())
    else:
        say("the ledger has no run that ended")


def _chosen(found: dict[str, list[Past]], name: str) -> dict[str, list[Past]]:
    chosen = {
        namespace: runs
        for namespace, runs in found.items()
        if name in (namespace, namespace.partition(".")[2])
    }
    if not chosen:
        known = list(found)
        guess = closest(name, [*known, *(one.partition(".")[2] for one in known)])
        there = f"there are {listed(known, 'and')}" if known else "the ledger has no run that ended"
        raise UsageError(
            f"no run of the ledger masked {name}; " + (f"did you mean '{guess}'?" if guess else there)
        )
    return chosen
