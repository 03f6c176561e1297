"""All configuration of a run: the project, then (once its plugins are known) profile and collection files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import reduce
from typing import Any, Final

from phimask.config.collection import load_collection
from phimask.config.components import ComponentCatalog, public_options
from phimask.config.model import CollectionFile, ComponentChoice, Configuration, Origin, Profile, Project
from phimask.config.nodes import below
from phimask.config.profile import load_profile
from phimask.config.project import PROJECT_FILE
from phimask.config.undo import beside_the_project
from phimask.config.wording import fault_at, in_order, quoted
from phimask.errors import ConfigError, Fault

DEFAULT_PROFILE: Final = "parallel"
"""What runs where neither the command line nor phimask.yaml names a profile."""


def load_configuration(
    project: Project,
    *,
    profile: str | None = None,
    collections: Sequence[str] = (),
    settings: Sequence[str] = (),
    safe_mode: bool = False,
    environ: Mapping[str, str],
    components: ComponentCatalog,
) -> Configuration:
    """What a run is told. `profile` and `collections` are the command line's, and go over the project's.

    `settings` are texts `key.path=value` that go over the profile. Raises ConfigError with all faults of all files.
    """
    faults: list[Fault] = []
    chosen: Profile | None = None
    written_in = project.directory / PROJECT_FILE
    name = profile or project.profile or DEFAULT_PROFILE
    try:
        chosen = load_profile(
            name,
            directory=project.directory,
            settings=settings,
            safe_mode=safe_mode,
            environ=environ,
            components=components,
            said=Origin("--profile", None, "$") if profile else _said(project, "profile"),
            by=None if profile else written_in,
        )
    except ConfigError as error:
        faults.extend(error.faults)
    names = tuple(collections) or project.collections
    if not names:
        wrong = "no collection file is named"
        faults.append(
            fault_at(
                _said(project, "collections"),
                wrong,
                "write -c NAME, or `collections: [NAME]` in phimask.yaml",
            )
        )
    files: list[CollectionFile] = []
    for index, file_name in enumerate(names):
        said = Origin("--collection", None, "$") if collections else _said(project, "collections", index)
        try:
            file = load_collection(
                file_name,
                directory=project.directory,
                safe_mode=safe_mode,
                environ=environ,
                components=components,
                said=said,
                by=None if collections else written_in,
            )
        except ConfigError as error:
            faults.extend(error.faults)
            continue
        twin = next((other for other in files if other.collection == file.collection), None)
        if twin is not None:
            wrong = f"{twin.name} and {file.name} both mask the collection {quoted(file.collection or '')}"
            faults.append(fault_at(said, wrong, "name one of them: a collection is masked once"))
        files.append(file)
    if faults or chosen is None:
        raise ConfigError(in_order(faults))
    project = replace(project, profile=name, collections=names)
    decisive = [_decisive(file, components) for file in files]
    return Configuration(
        project=project,
        profile=replace(chosen, undo=beside_the_project(chosen.undo, project.directory)),
        collections=tuple(files),
        digest=_digest(project, chosen, decisive, components),
        rule_digests=tuple(map(_sha256, decisive)),
        settings=tuple(settings),
    )


def _said(project: Project, *steps: str | int) -> Origin:
    path = reduce(below, steps, "$")
    return project.places.get(path) or replace(project.origin, path=path)


def _digest(
    project: Project,
    profile: Profile,
    collections: Sequence[Mapping[str, Any]],
    components: ComponentCatalog,
) -> str:
    """SHA-256 over canonical JSON of what decides the outcome: where, how and what; not who watches."""

    def choice(kind: str, chosen: ComponentChoice) -> dict[str, Any]:
        return _choice(kind, chosen, components)

    decisive = {
        "database": project.database,
        "target": None if project.target is None else {"database": project.target.database},
        "profile": {
            "partitioner": choice("partitioner", profile.partitioner),
            "batch_sizer": choice("batch_sizer", profile.batch_sizer),
            "memory_governor": choice("memory_governor", profile.memory_governor),
            "executor": choice("executor", profile.executor),
            "validators": [choice("validator", validator) for validator in profile.validators],
            "breaker": asdict(profile.breaker),
            "canary": None if profile.canary is None else asdict(profile.canary),
            "retry": asdict(profile.retry),
            "check_sample": profile.check_sample,
            "check_after": profile.check_after,
            "prescan": profile.prescan,
            "strict": profile.strict,
        },
        "collections": list(collections),
    }
    return _sha256(decisive)


def _choice(kind: str, chosen: ComponentChoice, components: ComponentCatalog) -> dict[str, Any]:
    return {"name": chosen.name, "options": public_options(kind, chosen, components)}


def _decisive(file: CollectionFile, components: ComponentCatalog) -> dict[str, Any]:
    """What of a collection file decides the outcome."""
    known: dict[tuple[str, int], dict[str, Any]] = {}

    def chosen(masker: ComponentChoice) -> dict[str, Any]:
        # Rules that are written alike share their options, and a pack has hundreds of them.
        place = masker.name, id(masker.options)
        if place not in known:
            known[place] = _choice("masker", masker, components)
        return known[place]

    return {
        "collection": file.collection,
        "subject": file.subject,
        "unmapped": file.unmapped,
        "on_error": file.on_error,
        "rules": [
            {
                "path": rule.path,
                "when": rule.when,
                "decode": rule.decode,
                "masker": None if rule.masker is None else chosen(rule.masker),
            }
            for rule in file.rules
        ],
    }


def _sha256(decisive: Mapping[str, Any]) -> str:
    canonical = json.dumps(
        decisive, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
