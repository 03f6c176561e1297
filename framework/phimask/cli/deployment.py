"""Opening deployments for a command, and closing them when it is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from phimask.config.model import Project, Secret
from phimask.config.project import load_project
from phimask.errors import UsageError
from phimask.store.connect import Client, connect


@contextmanager
def open_deployment(
    uri: str | None, database: str | None, environ: Mapping[str, str]
) -> Iterator[tuple[Client, str]]:
    """The deployment and database that flags, phimask.yaml or the environment name."""
    project = load_project(directory=Path(), uri=uri, database=database, environ=environ)
    with ExitStack() as stack:
        client = stack.enter_context(connect(required_uri(project)))
        yield client, project.database or "ehr"


def required_uri(project: Project) -> Secret:
    """The project's URI, or a UsageError that says where to name one."""
    if project.uri is None:
        raise UsageError(
            "no deployment is named; set PHIMASK_URI, write `uri: ${PHIMASK_URI}` in phimask.yaml, or give --uri"
        )
    return project.uri
