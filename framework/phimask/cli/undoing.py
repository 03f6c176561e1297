"""What rollback and finalize have in common: the run as the ledger knows it, and where its vault is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
from pymongo.errors import PyMongoError

from phimask.cli.deployment import required_uri
from phimask.cli.options import as_json_option, database_option, uri_option
from phimask.config.model import Profile, Project
from phimask.config.profile import load_profile
from phimask.config.project import load_project
from phimask.config.undo import beside_the_project
from phimask.engine.left_open import end_left_open
from phimask.errors import Interrupted, UsageError, VaultError
from phimask.ledger.opening import Ledger, asking, ledger_client, open_ledger
from phimask.ledger.run_record import RunRecord
from phimask.ledger.runs import Runs
from phimask.plugins.loading import disabled_plugins, load_registry
from phimask.store.connect import Client, connect
from phimask.store.retry import terminal_error
from phimask.vault.vault import VaultSetting

_Result = TypeVar("_Result")

_OPTIONS = (
    click.argument("run"),
    click.option("--yes", is_flag=True, help="Do not ask."),
    click.option(
        "--profile", metavar="NAME|FILE", help="The profile that says where the vault is; else the run's own."
    ),
    click.option(
        "--set", "settings", multiple=True, metavar="KEY.PATH=VALUE", help="Such as undo.vault=DIRECTORY."
    ),
    uri_option,
    database_option,
    as_json_option,
)


def undoing_flags(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """Give a command the run that it is for, and the flags that lead to it and to its vault."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Undoable:
    """A run that nobody is at work on, and the profile that says where its vault is."""

    project: Project
    profile: Profile
    client: Client
    ledger: Ledger
    record: RunRecord

    def vault(self) -> VaultSetting:
        """Where the profile says that originals are. Raises VaultError where it names no place."""
        vault = beside_the_project(self.profile.undo, self.project.directory).vault
        if vault is None:
            raise VaultError(
                f"the profile {self.profile.name} names no vault; run {self.record.id} kept its originals in "
                f"{self.record.vault}: name that with --set undo.vault=..., or give another --profile"
            )
        return vault

    def not_there(self, where: str) -> VaultError:
        """What to raise where a vault holds nothing of the run, although the run kept originals."""
        kept, run = self.record.vault, self.record.id
        if where == kept:
            return VaultError(f"{where} holds no key of run {run} any more; put it back from a backup")
        return VaultError(
            f"{where} holds no key of run {run}, which kept its originals in {kept}; name that with "
            "--set undo.vault=..."
        )


@contextmanager
def open_undoable(
    run: str,
    uri: str | None,
    database: str | None,
    profile: str | None,
    settings: tuple[str, ...],
    *,
    doing: str,
) -> Iterator[Undoable]:
    """Read the configuration, open deployment and ledger; what MongoDB refuses within is a failure of `doing`.

    Raises UsageError and its kinds, also where the run is live, and StoreError.
    """
    environ = os.environ
    project = load_project(directory=Path(), uri=uri, database=database, environ=environ)
    registry = load_registry(project.plugins, project.directory, disabled_plugins(environ))
    with ExitStack() as stack:
        client = stack.enter_context(connect(required_uri(project), run))
        where = project.coordination
        keeper = client if where.uri is None else stack.enter_context(ledger_client(where.uri))
        ledger = open_ledger(keeper, where.database, where.prefix, create=False)
        with asking(ledger):
            record = Runs(ledger).find(run)
        if record is None:
            raise UsageError(f"the ledger knows no run {run!r}; `phimask status` lists the last ones")
        if record.live:
            raise UsageError(
                f"run {run} is live on {record.coordinator.get('host', '?')} (process "
                f"{record.coordinator.get('pid', '?')}); end it first with `phimask stop {run}`"
            )
        chosen = load_profile(
            profile or record.profile,
            directory=project.directory,
            settings=settings,
            environ=environ,
            components=registry,
        )
        # Nothing is put back or destroyed that the ledger could not be told of.
        open_ledger(keeper, where.database, where.prefix)
        try:
            end_left_open(client, Runs(ledger), run)
            yield Undoable(project, chosen, client, ledger, record)
        except PyMongoError as error:
            raise terminal_error(error, doing) from None
        except KeyboardInterrupt:  # at a question it is click's
            raise Interrupted(
                f"interrupted while {doing}; `phimask status {run}` says where the run stands, and the same command "
                "goes on"
            ) from None


def confirm(question: str, *, yes: bool) -> None:
    """Ask, where nobody said --yes. Raises UsageError where nobody can be asked, and Interrupted for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"nobody can be asked here: {question} Give --yes to do so")
    if not click.confirm(question, err=True):
        raise Interrupted("not confirmed; nothing was written")
