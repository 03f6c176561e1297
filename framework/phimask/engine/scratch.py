"""The scratch database of a benchmark: what is in it, who may have one, and that it is gone when the benchmark ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from pymongo import timeout
from pymongo.errors import CollectionInvalid, PyMongoError

from phimask.config.model import Project
from phimask.errors import PreflightError
from phimask.planning.namespace import Namespace
from phimask.planning.privileges import privileges_missing
from phimask.store.connect import Client
from phimask.store.retry import terminal_error

SCRATCH: Final = "phimask_bench"
"""The scratch database. It holds PHI while a benchmark goes on."""
OWNER: Final = "phimask.owner"
PRISTINE: Final = "phimask.pristine"
LEDGER: Final = "phimask.ledger"
MASKED: Final = "phimask.masked"
"""Where masked copies go."""
_ACTIONS: Final = frozenset(
    {
        "find",
        "insert",
        "update",
        "remove",
        "createCollection",
        "createIndex",
        "dropCollection",
        "dropDatabase",
    }
)
_DROP_SECONDS: Final = 60


@contextmanager
def scratch(client: Client) -> Iterator[None]:
    """The scratch database of a deployment, for this benchmark alone, dropped at the end whatever happens.

    Raises PreflightError where there is one already, and where the user may not have one.
    """
    may_not = privileges_missing(Namespace(client, SCRATCH, "*"), _ACTIONS, "dbOwner")
    if may_not:
        raise PreflightError([one.what for one in may_not])
    there = (
        f"there is a database {SCRATCH} already: another benchmark is going on, or one was killed; if none is, drop "
        "it, since it holds PHI"
    )
    if client[SCRATCH].list_collection_names():
        raise PreflightError([there])
    try:
        client[SCRATCH].create_collection(OWNER)
    except CollectionInvalid:
        raise PreflightError([there]) from None
    try:
        yield
    except PyMongoError as error:
        raise terminal_error(error, f"measuring in {SCRATCH}") from None
    finally:
        with timeout(_DROP_SECONDS):
            client.drop_database(SCRATCH)


def in_scratch(project: Project) -> Project:
    """The project with all that is written in the scratch database."""
    return replace(
        project,
        database=SCRATCH,
        target=None,
        coordination=replace(project.coordination, uri=None, database=SCRATCH, prefix=LEDGER),
    )
