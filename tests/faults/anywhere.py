"""All processes of a command are killed at some message by which it changes something: before it is sent, when it is
sent and nobody waits for the answer, or when the server has done it and the answer is not read."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from commands import Command
from trials import Trial

from replica_set import wait_until

RUNS = "masking_coordination.runs"
OVER = ("completed", "rolled_back", "finalized")


class Messages(NamedTuple):
    """Of these commands on these collections (regular expressions), about so many that a run sends."""

    commands: str
    collections: str
    about: int


ANY = Messages("insert|update|delete|findAndModify|commitTransaction", ".*", 60)
GIVING_UP = (
    Messages("insert|update|delete|findAndModify|commitTransaction", ".*", 10),
    Messages("drop|renameCollection|collMod|createIndexes", r"(.*\.)?people.*", 2),
)
"""What a command that gives a run up sends: few."""


def killed(
    trial: Trial, chance: random.Random, kinds: tuple[Messages, ...], *arguments: str
) -> tuple[bool, Command]:
    """Start a command, and kill it and all that it started; false: it was at its end before."""
    project = trial.project
    kind = chance.choice(kinds)
    number, (at, cut) = chance.randint(1, kind.about), chance.choice(MOMENTS)
    trap = trial.proxy.trap(
        kind.commands,
        kind.collections,
        number,
        at="reply" if at else "request",
        act=lambda _: project.kill_everything(),
        cut=cut,
    )
    command = project.start(*arguments)
    wait_until(lambda: trap.seen >= number or command.code is not None, "it neither ends nor comes so far")
    trial.proxy.clear()
    if trap.seen < number:
        return False, command
    trap.wait()
    command.wait()
    assert project.processes() == []
    assert trap.caught is not None
    trial.strike(f"{trap.caught.name} {'done' if at else 'not sent' if cut else 'sent'}")
    return True, command


MOMENTS = ((False, True), (False, False), (True, False))


def latest(trial: Trial) -> dict[str, Any] | None:
    """The run, where it is in the ledger already."""
    return trial.ledger[RUNS].find_one(sort=[("created", -1)])


def brought_to_its_end(trial: Trial) -> Command:
    """Go on with the run, or begin it if it never was; or, where only its process was left, its report."""
    run = latest(trial)
    over = run is not None and run["state"] in OVER
    arguments = ("report", run["_id"]) if over and run else ("resume", "--or-begin", *trial.project.set)
    command = trial.project.start(*arguments, "--json")
    command.wait()
    return command
