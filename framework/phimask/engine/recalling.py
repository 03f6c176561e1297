"""Verification by what validators remember of originals, where nobody has these any more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from phimask.engine.checking import Checked, Checks
from phimask.engine.processes import Shares
from phimask.ledger.remembered import Extent, Remembered
from phimask.plugins.values import Finding


def recall(
    lead: Checks,
    names: Collection[str],
    shares: Shares,
    remembered: Remembered,
    documents: int,
    show: Callable[[], None],
) -> None:
    """By the validators of these `names`. `show` shows about so many documents to all shares.

    Raises PyMongo's errors, and what a share raises.
    """

    def only(gathered: Mapping[str, bytes]) -> dict[str, bytes]:
        return {name: given for name, given in gathered.items() if name in names}

    def ask() -> None:
        for name in names:
            lead.recall(name, remembered.parts(name), documents)

    def tell(joined: Mapping[str, bytes]) -> None:
        lead.next_round(joined)
        shares.ask("next_round", joined)

    ask()
    tell(only(lead.gathered()))
    show()
    tell(lead.join([only(one) for one in shares.ask("gathered")]))
    ask()
    tell(only(lead.gathered()))
    lead.conclude({})


def with_extent(results: Sequence[Checked], names: Collection[str], extent: Extent) -> list[Checked]:
    """Said beside what these validators found: what is not remembered."""
    said: list[Finding] = []
    if extent.beyond:
        said.append(
            Finding(
                "originals of documents that were masked when the bound on what is kept of originals (`kept`) was "
                "reached",
                None,
                extent.beyond,
            )
        )
    if extent.partly:
        said.append(
            Finding("originals of what the run masked while the profile named no validator that remembers")
        )
    return [
        replace(one, unjudged=(*one.unjudged, *said)) if one.validator in names else one for one in results
    ]
