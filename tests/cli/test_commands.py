"""The commands there are, and what the command line loads before it knows which one is asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest

from phimask.cli.commands import COMMANDS

SLOW_TO_LOAD = (
    "bson",
    "cryptography",
    "jsonschema",
    "numpy",
    "phimask.engine.run",
    "phimask_plugins",
    "psutil",
    "pymongo",
    "rich",
    "yaml",
)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_is_where_it_is_said_to_be(name: str) -> None:
    assert COMMANDS[name].command().name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_each_can_answer_a_machine(name: str) -> None:
    def check(command: click.Command) -> None:
        if isinstance(command, click.Group):
            for one in command.commands.values():
                check(one)
        else:
            assert any("--json" in parameter.opts for parameter in command.params), command.name

    check(COMMANDS[name].command())


@pytest.mark.parametrize(
    "arguments", [("no-such-command",), ("run", "--no-such-flag"), ("run", "--limit", "x"), ("explain",)]
)
def test_a_wrong_command_line_is_an_error_like_every_other(
    arguments: tuple[str, ...], phimask: Callable[..., Any]
) -> None:
    answer = phimask(*arguments)
    assert answer.code == 2
    assert answer.err.splitlines()[-1].startswith("error: ")


def test_help_lists_each_with_all_of_its_purpose(phimask: Callable[..., Any]) -> None:
    shown = " ".join(phimask("--help").out.split())
    for name, place in COMMANDS.items():
        assert f" {name} {place.purpose} " in shown


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("no-such-command",)])
def test_nobody_waits_for_what_a_command_would_need(arguments: tuple[str, ...]) -> None:
    program = (
        "import sys; from phimask.cli.main import run; run(sys.argv[1:]); "
        f"print('loaded:', *({set(SLOW_TO_LOAD)!r} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_a_run_begins_without_what_only_its_end_or_an_option_needs() -> None:
    later = {
        "phimask.observing.html",
        "phimask.observing.plots",
        "rich",
        "jsonschema",
        "faker",
        "phimask_plugins",
    }
    program = f"import sys, phimask.cli.run; print('loaded:', *({later!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "loaded:"
