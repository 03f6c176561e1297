"""What a plan of several collections adds up, and how it words what is next to nothing."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from phimask.cli.console import PersonConsole
from phimask.cli.plan import _duration, _range, _show_all


def plan(seconds: float | None, vault: int | None) -> dict[str, Any]:
    spread = {"low": seconds, "likely": seconds, "high": None if seconds is None else 3 * seconds}
    return {
        "documents": 1500,
        "bytes": 2_000_000,
        "predicted": {"seconds": spread, "bytes_written": {"low": 1e6, "likely": 2e6, "high": 3e6}},
        "room": {"vault_needed_bytes": vault, "vault_free_bytes": 10**9},
    }


def test_collections_are_added_up(capsys: pytest.CaptureFixture[str]) -> None:
    _show_all(PersonConsole(), [plan(60, 10**7), plan(600, 10**8)])
    told = capsys.readouterr().err
    assert "all 2 collections, one after the other\n" in told
    assert "  documents   about 3,000 (4.0 MB)\n" in told
    assert "  duration    about 11 min (11 min to 33 min)\n" in told
    assert "  written     about 4.0 MB (2.0 MB to 6.0 MB)\n" in told
    assert "  vault       up to 110.0 MB needed, 1.0 GB free\n" in told


def test_what_is_not_known_of_one_is_not_known_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    _show_all(PersonConsole(), [plan(60, 10**7), plan(None, None)])
    told = capsys.readouterr().err
    assert "  duration    ?\n" in told
    assert "vault" not in told


def test_blanks_at_the_end_of_a_line_are_for_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    PersonConsole().print("a  b  \n\n  c   ", end="  ")
    assert capsys.readouterr().err == "a  b\n\n  c     "
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    PersonConsole().print("a  b  \n")
    assert "a  b  \n" in capsys.readouterr().err


def test_a_range_that_reads_alike_is_told_once() -> None:
    assert _range({"low": 0.01, "likely": 0.2, "high": 0.9}, _duration) == "under 1 s"
    assert _range({"low": 1, "likely": 2, "high": 9}, _duration) == "about 2 s (1 s to 9 s)"


def test_what_is_next_to_nothing_is_not_about_that() -> None:
    assert _range({"low": 0.1, "likely": 0.5, "high": 2.0}, _duration) == "under 1 s (under 1 s to 2 s)"
