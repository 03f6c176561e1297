"""The page of hazards: every kind, what it means, and what to do."""

from __future__ import annotations

from generator.markdown import page, table
from phimask.planning.hazard_kinds import KINDS


def text() -> str:
    """The page."""
    parts = []
    for severity, title, text in (
        (
            "refuses",
            "Refused",
            "No run begins while one of these is there: it would corrupt something, or could not work.",
        ),
        (
            "decide",
            "For a person to decide",
            "No run begins until each is mended or accepted: `--accept ID` for `plan`, `run` and `resume`, or "
            "`accept: [ID]` in the collection file. What was accepted is in the report.",
        ),
        ("told", "Told", "A run tells these and goes on."),
    ):
        rows = [
            (f"`{one.id}`", one.title, one.why, one.do) for one in KINDS.values() if one.severity == severity
        ]
        parts += [f"## {title}", text, table(("id", "what", "why it matters", "what to do"), rows)]
    return page(
        "Hazards",
        "What `phimask plan` looks for. [Read a plan](../how-to/read-a-plan.md) shows one with many of them.",
        *parts,
    )
