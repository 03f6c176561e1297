"""What people see goes to stderr, what machines read to stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click


def say(text: str) -> None:
    """A line, or several, for a person; a terminal that cannot show a character gets `?`."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), err=True)


def answer(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """A command's result as JSON, for a machine."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))
