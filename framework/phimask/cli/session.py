"""What run, plan and verify have in common: configuration read, key loaded, deployments open, plans made."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from phimask.cli.deployment import required_uri
from phimask.cli.options import Flags
from phimask.cli.show import say
from phimask.config.load import load_configuration
from phimask.config.model import CollectionFile, Configuration, Secret, Undo
from phimask.config.project import URI_VARIABLE, is_project, load_project
from phimask.engine.deployments import Deployments
from phimask.errors import KeyMaterialError, UsageError
from phimask.ledger.opening import ledger_client, open_ledger
from phimask.masking.keys import MaskingKey
from phimask.planning.components import refuse_impossible
from phimask.planning.conditions import query_of
from phimask.planning.hazards import checked_ids
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan, Scope
from phimask.planning.planner import plan_collection
from phimask.planning.prescan import Prescan
from phimask.planning.shadow import ShadowPlan, shadow_plan
from phimask.plugins.loading import disabled_plugins, load_registry
from phimask.plugins.registry import Registry
from phimask.store.connect import Client, connect
from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample.loading import load_samples

DEMO_DOCUMENTS = 20_000
_DEMO_DATABASE = "ehr"
_DEMO_COLLECTION = "container"

NO_RUN = "YYYYMMDD-HHMMSS-RANDOM"
"""In place of a run's id where there is none, and as long."""


@dataclass(slots=True, repr=False)
class Session:
    """All that a command works with. `demo`: the deployment is an embedded one with sample documents; `run`: the id
    after which shadows are named; `accepts`: hazards that a person has decided on."""

    configuration: Configuration
    registry: Registry
    keys: tuple[MaskingKey, ...]
    source: Client
    target: Client | None
    scope: Scope
    demo: bool
    uri: Secret
    target_uri: Secret | None
    run: str
    accepts: frozenset[str]
    _stack: ExitStack

    def deployments(self, *, create: bool = True) -> Deployments:
        """With the ledger opened; with `create` false nothing is written for that. Raises PreflightError."""
        where = self.configuration.project.coordination
        uri, client = self.uri, self.source
        if where.uri is not None:
            uri, client = where.uri, self._stack.enter_context(ledger_client(where.uri))
        ledger = open_ledger(client, where.database, where.prefix, create=create)
        return Deployments(self.uri, self.target_uri, uri, ledger)

    @property
    def key_fingerprint(self) -> str | None:
        """Of the key that masks; None where no masker uses one."""
        return self.keys[0].fingerprint if self.keys else None

    def plans(
        self,
        *,
        detect: bool,
        sampled: Mapping[str, Prescan] = MappingProxyType({}),
        shadows: bool = True,
        only_read: bool = False,
    ) -> list[CollectionPlan]:
        """A plan for each collection, in order; with `detect`, unmapped values are looked at by detectors.

        `sampled`: what samples of some collections are known to show. Without `shadows`, what has one is planned for
        as in place; with `only_read` the user need not be allowed to mask.
        """
        return [
            plan_collection(
                file,
                self.configuration.profile,
                self.registry,
                self.keys,
                source,
                self._target(file),
                self.scope,
                detect=detect,
                sampled=sampled.get(str(source)),
                shadow=self._shadow(file) if shadows else None,
                accepts=self.accepts,
                only_read=only_read,
            )
            for file in self.configuration.collections
            for source in (self._namespace(self.source, self.configuration.project.database, file),)
        ]

    def _target(self, file: CollectionFile) -> Namespace | None:
        project = self.configuration.project
        if self.target is None or project.target is None or project.target.shadow is not None:
            return None
        return self._namespace(self.target, project.target.database or project.database, file)

    def _shadow(self, file: CollectionFile) -> ShadowPlan | None:
        project = self.configuration.project
        if project.target is None or project.target.shadow is None:
            return None
        source = self._namespace(self.source, project.database, file)
        told = project.target.shadow
        return shadow_plan(source, self.run, keep=told.keep_original, catch_up=told.catch_up)

    @staticmethod
    def _namespace(client: Client, database: str | None, file: CollectionFile) -> Namespace:
        if database is None:
            raise UsageError("no database is named; write `database:` in phimask.yaml, or give --db")
        if file.collection is None:
            raise UsageError(
                f"{file.origin.file}: a rule pack names no collection; extend it in a collection file instead"
            )
        return Namespace(client, database, file.collection)


@contextmanager
def open_session(
    flags: Flags, *, demo_allowed: bool, scope: Scope | None = None, run: str = NO_RUN
) -> Iterator[Session]:
    """Read everything, open everything; close it all at the end. `scope`, if given, goes over the flags'; `run` is the
    run's id, where there is one.

    Raises UsageError and its kinds.
    """
    environ = os.environ
    accepts = checked_ids(flags.accept)
    scope = scope or Scope(_query(flags.query), flags.limit)
    bare = flags.uri is None and URI_VARIABLE not in environ and not is_project(Path())
    demo = demo_allowed and bare
    project = load_project(
        directory=Path(),
        uri=flags.uri,
        database=flags.database or (_DEMO_DATABASE if demo else None),
        target_uri=flags.target_uri,
        target_database=flags.target_database,
        environ=environ,
    )
    if not demo:
        required_uri(project)  # said before anything else is found to be missing
    registry = load_registry(project.plugins, project.directory, disabled_plugins(environ))
    configuration = load_configuration(
        project,
        profile=flags.profile or ("emergency" if demo else None),
        collections=flags.collections or ((_DEMO_COLLECTION,) if demo else ()),
        settings=flags.settings,
        safe_mode=flags.safe_mode,
        environ=environ,
        components=registry,
    )
    if demo:  # what it masks is gone when it ends
        configuration = replace(configuration, profile=replace(configuration.profile, undo=Undo(None)))
    refuse_impossible(configuration.profile, registry)
    keys = _keys(configuration, registry, environ, demo=demo)
    with ExitStack() as stack:
        uri = _demo_deployment(stack, environ) if demo else required_uri(project)
        of = "" if run == NO_RUN else run
        source = stack.enter_context(connect(uri, of))
        if demo:
            _fill(source, project.database or _DEMO_DATABASE)
        target, target_uri = None, None
        if project.target is not None:
            same = project.target.uri is None
            target_uri = project.target.uri or uri
            target = source if same else stack.enter_context(connect(target_uri, of))
        yield Session(
            configuration, registry, keys, source, target, scope, demo, uri, target_uri, run, accepts, stack
        )


def _demo_deployment(stack: ExitStack, environ: Mapping[str, str]) -> Secret:
    mongod = find_mongod(environ)
    say("no deployment is named: starting a MongoDB of our own, which is gone when this command ends")
    return Secret(stack.enter_context(EmbeddedMongod(mongod)).uri)


def _fill(client: Client, database: str) -> None:
    say(f"filling {database}.{_DEMO_COLLECTION} with {DEMO_DOCUMENTS:,} synthetic patients' documents")
    load_samples(client[database][_DEMO_COLLECTION], DEMO_DOCUMENTS, seed=1)


def _keys(
    configuration: Configuration, registry: Registry, environ: Mapping[str, str], *, demo: bool
) -> tuple[MaskingKey, ...]:
    """The masking key and older ones, if a rule's masker or the vault asks for it."""
    chosen = [rule.masker for file in configuration.collections for rule in file.rules]
    maskers = [registry.masker(choice.name) for choice in chosen if choice is not None]
    project = configuration.project
    source = project.key
    there = source.file is not None or source.env in environ
    # A masker of maskers may or may not come to need one: a key that is there is loaded for it.
    vault = configuration.profile.undo.vault is not None and project.target is None
    if not vault and not any(masker.needs_key or (masker.needs_make and there) for masker in maskers):
        return ()
    if demo and source.env is not None and source.env not in environ:
        say("no masking key is set: using one made for this demonstration, which is forgotten when it ends")
        return (MaskingKey.generate(),)
    try:
        return tuple(MaskingKey.load(one, environ) for one in (source, *project.older_keys))
    except KeyMaterialError as error:
        if not vault:
            raise
        raise KeyMaterialError(f"{error}; originals in the vault (undo.vault) are sealed under it") from None


def _query(text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        query = query_of(text)
    except ValueError:
        raise UsageError('--query is not Extended JSON; write it like \'{"Status": "closed"}\'') from None
    if not isinstance(query, dict):
        raise UsageError('--query must be a JSON object, such as \'{"Status": "closed"}\'')
    return query
