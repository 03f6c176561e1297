"""The commands there are: what each is for, in a line, and where it is. It is imported once it is asked for.

A command brings most of the engine and of the libraries along, which nobody who asks for help is to wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final

import click


@dataclass(frozen=True, slots=True)
class Place:
    """A module of phimask.cli, and the command's name in it."""

    module: str
    name: str
    purpose: str

    def command(self) -> click.Command:
        """The command itself."""
        command: click.Command = getattr(import_module(f"phimask.cli.{self.module}"), self.name)
        return command


COMMANDS: Final[Mapping[str, Place]] = MappingProxyType(
    {
        "run": Place("run", "run_command", "Mask documents, verify them and report."),
        "plan": Place("plan", "plan_command", "Find out what a run would do, and write nothing."),
        "bench": Place("bench", "bench_command", "Measure masking on a sample, in a scratch collection."),
        "resume": Place("resume", "resume_command", "Go on with a run that is not finished."),
        "status": Place("steer", "status_command", "Show how far a run is."),
        "pause": Place("steer", "pause_command", "Let a run stand still."),
        "continue": Place("steer", "continue_command", "Let a paused run go on."),
        "stop": Place("steer", "stop_command", "End a run after its batches in hand."),
        "monitor": Place("monitor", "monitor_command", "Show runs on a live page in the browser."),
        "verify": Place("verify", "verify_command", "Check every document of a masked collection."),
        "rollback": Place("rollback", "rollback_command", "Put the originals back that a run replaced."),
        "finalize": Place("finalize", "finalize_command", "Destroy for good what a rollback would need."),
        "report": Place("report", "report_command", "Show a run's report."),
        "discover": Place(
            "discover", "discover_command", "Find fields that look like PHI, and draft a collection file."
        ),
        "explain": Place("explain", "explain_command", "Say which rule masks a path, and why."),
        "profiles": Place("look", "profiles_group", "List, show and validate profiles: how a run behaves."),
        "collections": Place(
            "look", "collections_group", "List, show and validate collection files: what to mask."
        ),
        "plugins": Place("plugins", "plugins_group", "List, show and start plugins."),
        "schema": Place("look", "schema_command", "Print the JSON Schema of a kind of file."),
        "init": Place("make", "init_command", "Write a starter phimask.yaml."),
        "keygen": Place("make", "keygen_command", "Make a masking key."),
        "sample": Place("make", "sample_command", "Fill an empty collection with synthetic documents."),
    }
)
