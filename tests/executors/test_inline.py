from __future__ import annotations

from collections.abc import Iterator

import pytest

from phimask import Partition
from phimask.testing import check_executor
from phimask_plugins.executors.inline import InlineExecutor


class Control:
    def __init__(self) -> None:
        self.stopping = False


def partitions(count: int, asked: list[int]) -> Iterator[Partition]:
    for number in range(count):
        asked.append(number)
        yield Partition(number, None, None)


def test_it_conforms() -> None:
    check_executor(InlineExecutor)


def test_each_partition_once_and_in_order() -> None:
    done: list[int] = []
    InlineExecutor({}).run(partitions(4, []), lambda one: done.append(one.number), Control())
    assert done == [0, 1, 2, 3]


def test_a_stop_ends_it_before_the_next_partition_is_even_looked_for() -> None:
    control = Control()
    done: list[int] = []
    asked: list[int] = []

    def work(one: Partition) -> None:
        done.append(one.number)
        control.stopping = one.number == 1

    InlineExecutor({}).run(partitions(4, asked), work, control)
    assert done == asked == [0, 1]


def test_what_the_work_raises_ends_the_run() -> None:
    done: list[int] = []

    def work(one: Partition) -> None:
        done.append(one.number)
        raise KeyError(one.number)

    with pytest.raises(KeyError):
        InlineExecutor({}).run(partitions(4, []), work, Control())
    assert done == [0]
