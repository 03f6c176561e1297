"""What a reader may paste is understood: command lines in the documentation name commands and flags that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from phimask.cli.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^\s*(?:[A-Z_]+=\S+ )*phimask\b(.*)$", re.MULTILINE)
ENDS = re.compile(r"&&?|\|\|?|;|\d?>.*")
HELP = {"--help", "-h", "--version"}


def command_lines(page: str) -> Iterator[list[str]]:
    """The words behind `phimask`, up to where the shell goes on with something else."""
    for block in SHELL.findall(page):
        for line in LINE.findall(block.replace("\\\n", " ")):
            words = shlex.split(line, comments=True)
            end = next((at for at, word in enumerate(words) if ENDS.fullmatch(word)), len(words))
            yield words[:end]


def unknown(words: list[str]) -> list[str]:
    """What of it phimask does not know."""
    name, rest = ("run", words) if not words or words[0].startswith("-") else (words[0], words[1:])
    if name not in COMMANDS:
        return [name]
    command: click.Command = COMMANDS[name].command()
    if isinstance(command, click.Group) and rest:
        if rest[0] not in command.commands:
            return [rest[0]]
        command, rest = command.commands[rest[0]], rest[1:]
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    flags = [word.partition("=")[0] for word in rest if word.startswith("-")]
    return [flag for flag in flags if flag not in known | HELP]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_and_flag_is_known(page: Path) -> None:
    lines = list(command_lines(page.read_text(encoding="utf-8")))
    assert [(" ".join(words), unknown(words)) for words in lines if unknown(words)] == []


def test_command_lines_are_found() -> None:
    assert sum(len(list(command_lines(page.read_text(encoding="utf-8")))) for page in PAGES) > 80


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("phimask masks", ["masks"]),
        ("phimask plugins lists", ["lists"]),
        ("PHIMASK_URI=x phimask verify \\\n  --every && echo --fine", ["--every"]),
        ("phimask --profil=emergency  # --no", ["--profil"]),
        ("phimask run --yes > --out", []),
    ],
)
def test_what_is_none_is_noticed(line: str, found: list[str]) -> None:
    (words,) = command_lines(f"```sh\n{line}\n```\n")
    assert unknown(words) == found
