"""Makes docs/images/run.svg from a real run on sample documents: what its report looks like in a terminal.

python docs/make_picture.py
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from phimask.observing.text import render

PICTURE: Final = Path(__file__).resolve().parent / "images" / "run.svg"
_COLUMNS: Final = 92
_ELSEWHERE: Final = re.compile(r"\s*(?:@font-face \{.*?\}|<!--.*?-->)", re.DOTALL)


def run() -> dict[str, Any]:
    """Mask sample documents in a MongoDB of phimask's own; the report is returned."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PHIMASK_URI")}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "phimask", "--profile", "emergency", "--json"]
        done = subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.PIPE, check=True)  # noqa: S603  (this project's own command)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def picture(report: dict[str, Any]) -> str:
    """The report as SVG that loads nothing from anywhere."""
    console = Console(
        record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    render(report, console)
    svg = console.export_svg(title="uv run phimask --profile emergency", unique_id="run")
    return _ELSEWHERE.sub("", svg)


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(run()), encoding="utf-8", newline="\n")
