"""The peak of a batch is found, by the kernel's record and by looking again and again."""

from __future__ import annotations

import time

import pytest

from phimask.engine.resident import ResidentMemory, give_back

MB = 1_000_000


def grown(size: int) -> bytearray:
    ballast = bytearray(size)
    ballast[::4096] = b"x" * len(ballast[::4096])
    return ballast


@pytest.mark.parametrize("sample", [False, True])
def test_the_peak_of_each_batch(*, sample: bool) -> None:
    memory = ResidentMemory(sample=sample)
    quiet = memory.begin()
    memory.end(quiet)
    first = memory.begin()
    ballast = grown(120 * MB)
    time.sleep(0.2)  # for who has to look
    second = memory.begin()
    del ballast
    time.sleep(0.2)
    third = memory.begin()
    for span in (first, second, third):
        memory.end(span)
        memory.end(span)
    assert first.peak - first.resident > 100 * MB
    assert second.resident - first.resident > 100 * MB
    assert first.peak - 40 * MB < second.peak <= first.peak + 40 * MB
    assert third.peak < first.peak - 80 * MB
    assert quiet.peak < first.peak - 80 * MB


def test_a_batch_without_an_end_does_not_hold_others_up() -> None:
    memory = ResidentMemory()
    memory.begin()
    span = memory.begin()
    memory.end(span)
    assert 0 < span.resident <= span.peak


def test_giving_back_does_no_harm() -> None:
    give_back()
