"""`phimask report`: a run's report, read again."""

from __future__ import annotations

import json
from pathlib import Path

import click
import jsonschema

from phimask.cli.options import as_json_option
from phimask.cli.show import PersonConsole, answer
from phimask.config.data import shipped_schema
from phimask.errors import UsageError
from phimask.observing.text import render


@click.command("report")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@as_json_option
def report_command(file: Path, as_json: bool) -> None:
    """Show the report that a run wrote to FILE (`--report FILE`), once it is known to be one."""
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        jsonschema.validate(report, shipped_schema("report"))
    except (OSError, ValueError):
        raise UsageError(f"{file} is not JSON; give the file that `phimask --report FILE` wrote") from None
    except jsonschema.ValidationError as error:
        raise UsageError(
            f"{file} is not a phimask report: {error.json_path} is not as its schema says"
        ) from None
    if as_json:
        answer(report)
    else:
        render(report, PersonConsole())
