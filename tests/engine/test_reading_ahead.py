"""What is read ahead and never asked for: its transaction ends, and so does the thread that read it."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest
from pymongo.client_session import ClientSession

from phimask.engine.reading_ahead import Read, ReadingAhead
from phimask.engine.resident import ResidentMemory


class Session:
    """One that can be ended."""

    over = False

    def end_session(self) -> None:
        self.over = True


def reading() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("phimask-read")]


def test_the_transaction_of_what_nobody_takes_is_ended() -> None:
    memory, session = ResidentMemory(), Session()
    with ReadingAhead(memory) as ahead:
        found = Read([b"1"], None, cast("ClientSession", session), None, {}, (), memory.begin(), 0.0)
        ahead.begin(lambda: found)
        assert not session.over
    assert session.over
    assert reading() == []


def test_a_fault_is_told_and_no_thread_is_left() -> None:
    def fails() -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ReadingAhead(ResidentMemory()) as ahead:
        ahead.begin(fails)
    assert reading() == []
