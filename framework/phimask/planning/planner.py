"""How a plan comes about: all that a run would find out and decide for one collection, and no write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pymongo import ReadPreference
from pymongo.errors import OperationFailure, PyMongoError

from phimask.config.model import CollectionFile, Profile
from phimask.errors import PreflightError
from phimask.masking.columns import BoundRule
from phimask.masking.keys import MaskingKey
from phimask.planning.binding import bind, core, facts
from phimask.planning.classifier import Classifier, Seen, learn, seen
from phimask.planning.components import validators
from phimask.planning.conditions import Conditions
from phimask.planning.hazards import Hazard, hazard
from phimask.planning.indexes import IndexCost, index_cost
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan, Scope
from phimask.planning.prediction import predict
from phimask.planning.preflight import Preflight, examine
from phimask.planning.prescan import Prescan, prescan
from phimask.planning.privileges import throttle_blind, to_rebuild_indexes
from phimask.planning.room import look
from phimask.planning.sample_hazards import of_sample, refused_queries, unmatched_rules
from phimask.planning.server_cache import crowded
from phimask.planning.shadow import ShadowPlan, examine_shadow, refuse_own
from phimask.planning.validation import SAMPLES, of_validator
from phimask.planning.write_path import Trial, choose_path, path_hazards
from phimask.plugins.registry import Registry
from phimask.plugins.values import CollectionFacts
from phimask.store.reading import first_documents, projected_documents, sampled_documents
from phimask.store.retry import error_name, terminal_error
from phimask.store.source import CollectionSource

_AT_A_TIME: Final = 200
"""Sampled documents that are read once more with one query."""
_UNDIVIDED: Final = "single"
"""The partitioner under a limit: workers that mask at the same time could not know which of them comes to it."""


def plan_collection(
    file: CollectionFile,
    profile: Profile,
    registry: Registry,
    keys: Sequence[MaskingKey],
    source: Namespace,
    target: Namespace | None,
    scope: Scope,
    *,
    detect: bool = True,
    sampled: Prescan | None = None,
    shadow: ShadowPlan | None = None,
    accepts: frozenset[str] = frozenset(),
    only_read: bool = False,
) -> CollectionPlan:
    """Find out all there is to know. With `detect`, detectors look at values that no rule names; `sampled` is what a
    sample is known to show, and none is taken. A `shadow` is the target. `accepts`: hazards accepted beside those that
    the file accepts; `only_read`: the user need not be allowed to mask.

    Raises ConfigError, KeyMaterialError, PreflightError or StoreError; what does not keep the plan from being made
    is in its hazards.
    """
    rules = bind(file, registry, keys)
    judged = facts(bind(file, registry, keys), file.subject)
    target = target if shadow is None else shadow.shadow
    preflight = examine(source, target, rules, swapped=shadow is not None, only_read=only_read)
    refuse_own(source, preflight)
    if shadow is not None and not preflight.blind:
        partial = scope.query is not None or scope.limit is not None
        shadow = _shadowed(source, shadow, profile, preflight, partial=partial, only_read=only_read)
    rebuilt = profile.write.indexes == "rebuild" and not only_read
    cost = _index_cost(source, rules, preflight, rebuilt=rebuilt) if target is None else None
    plan = CollectionPlan(
        file, source, target, scope, rules, judged, preflight, Prescan(matched=[0] * len(rules)), 0, 0,
        index_cost=cost, hazards=list(preflight.hazards), accepts=accepts.union(file.accept), shadow=shadow,
    )  # fmt: skip
    if preflight.blind:
        return plan
    if scope.query is not None:
        _try(scope.query, source)
    collection = source.raw()
    indexed = CollectionSource(collection, retry=profile.retry)
    governor = registry.create(
        "memory_governor", profile.memory_governor.name, profile.memory_governor.options
    )
    plan.ceiling_bytes = governor.read().ceiling_bytes
    if sampled is None:
        plan.scan = _scan(collection, profile, registry, plan, detect=detect)
        plan.hazards += [
            hazard("write-path", source, f": {one}")
            for one in path_hazards(profile, plan.write_path, in_place=target is None)
        ]
        plan.scan.classifier = _classifier(collection, profile, plan)
    else:
        plan.scan = replace(sampled, matched=plan.scan.matched)
    plan.documents, plan.bytes = _extent(indexed, plan)
    partitioner = (
        registry.create("partitioner", profile.partitioner.name, profile.partitioner.options)
        if scope.limit is None
        else registry.create("partitioner", _UNDIVIDED, {})
    )
    refused = Conditions(rules).refused(collection)
    if refused:
        plan.hazards += refused_queries(file, rules, refused, str(source))
        return plan
    plan.partitioner, plan.indexed = partitioner, indexed
    if sampled is None:
        plan.hazards += _of_validator(plan)
        plan.workers = registry.create("executor", profile.executor.name, profile.executor.options).workers()
        plan.hazards += _of_room(plan, profile)
    _judge(plan, profile, registry)
    return plan


def _index_cost(
    source: Namespace, rules: Sequence[BoundRule], preflight: Preflight, *, rebuilt: bool
) -> IndexCost:
    try:
        if rebuilt and not preflight.blind:
            preflight.hazards += to_rebuild_indexes(source)
        return index_cost(preflight.indexes, rules, preflight.shard_key)
    except PyMongoError as error:
        raise terminal_error(error, f"looking at the indexes of {source}") from None


def _shadowed(
    source: Namespace,
    shadow: ShadowPlan,
    profile: Profile,
    preflight: Preflight,
    *,
    partial: bool,
    only_read: bool,
) -> ShadowPlan:
    journal = profile.write.journal
    try:
        return examine_shadow(
            source, shadow, journal=journal, partial=partial, found=preflight, only_read=only_read
        )
    except PyMongoError as error:
        raise terminal_error(error, f"looking at what a shadow of {source} needs") from None


def _try(query: Mapping[str, Any], source: Namespace) -> None:
    """Have the server read the query as batches and counts will send it, without answering it."""
    counting = {"aggregate": source.collection, "pipeline": [{"$match": query}], "cursor": {}}
    reading = {"find": source.collection, "filter": {"$and": [query]}, "hint": {"_id": 1}, "sort": {"_id": 1}}
    for command in (counting, reading):
        try:
            source.client[source.database].command(
                {"explain": command, "verbosity": "queryPlanner"}, read_preference=ReadPreference.PRIMARY
            )
        except OperationFailure as error:
            raise PreflightError(
                [
                    f"{source}: MongoDB refuses the --query with {error_name(error)}; check its operators, and use "
                    "none that needs an index of its own ($text, $near) or a script ($where)"
                ]
            ) from None
        except PyMongoError as error:
            raise terminal_error(error, f"reading {source}") from None


def _scan(
    collection: Any, profile: Profile, registry: Registry, plan: CollectionPlan, *, detect: bool
) -> Prescan:
    # Their dictionaries take memory, which a run does not get back: so a run looks only if it is to be strict.
    detectors = registry.usual_detectors() if detect else ()
    arguments = (plan.rules, plan.file.subject, detectors, profile.complexity)
    tried = not any(rule.masker.writes for rule in plan.rules)
    kept = tried and profile.undo.vault is not None and plan.target is None
    for read in (sampled_documents, first_documents):
        trial = Trial(
            core(plan.file, plan.rules) if tried else None,
            core(plan.file, plan.rules, originals=True) if kept else None,
        )
        try:
            found = prescan(trial.over(read(collection, profile.prescan, plan.scope.query)), *arguments)
        except PyMongoError as error:
            reason = terminal_error(error, f"sampling {plan.namespace}")
            if read is first_documents:
                raise reason from None
            plan.hazards.append(
                Hazard("sample", f"{reason}; the first documents stand for the sample", plan.namespace)
            )
        else:
            plan.write_path = choose_path(profile, plan.file, plan.rules, trial.measured())
            plan.samples = trial.kept[:SAMPLES]
            return found
    raise AssertionError


def _of_validator(plan: CollectionPlan) -> list[Hazard]:
    """The validator of the collection that masked documents are put into, tried on the sample."""
    into = plan.target is not None and plan.shadow is None
    options = plan.preflight.target_options if into else plan.preflight.options
    masking = None if any(rule.masker.writes for rule in plan.rules) else core(plan.file, plan.rules)
    try:
        return list(
            of_validator(
                plan.source,
                plan.target if into and plan.target is not None else plan.source,
                options or {},
                masking,
                Conditions(plan.rules),
                plan.samples,
                swapped=plan.shadow is not None,
            )
        )
    except PyMongoError as error:
        raise terminal_error(error, f"trying the validator of {plan.target or plan.source}") from None


def _of_room(plan: CollectionPlan, profile: Profile) -> list[Hazard]:
    """Whether there is room for what is written, in the server's cache too, and whether the throttle can see what it is
    to watch."""
    throttle = profile.throttle
    written_to = plan.source if plan.target is None else plan.target
    try:
        plan.room, found = look(plan, profile, predict(plan, profile))
        found += crowded(plan, profile)
        blind = throttle_blind(
            written_to, lag=throttle.replica_lag is not None, flow_control=throttle.flow_control
        )
    except PyMongoError as error:
        raise terminal_error(error, f"looking at the room there is for {plan.namespace}") from None
    return [*found, *blind]


def _classifier(collection: Any, profile: Profile, plan: CollectionPlan) -> Classifier:
    """From the sample as the run will read it: under a projection, each document is asked for once more."""
    known, projection = plan.scan.seen, plan.reads
    if projection is None:
        return learn(list(known.values()), profile.complexity, whole=True)
    identities, as_read = list(known), list[Seen]()
    try:
        for start in range(0, len(identities), _AT_A_TIME):
            some = projected_documents(collection, identities[start : start + _AT_A_TIME], projection)
            as_read += [seen(raw, known[found].actual) for found, raw in some.items()]
    except PyMongoError as error:
        raise terminal_error(error, f"sampling {plan.namespace}") from None
    return learn(as_read, profile.complexity, whole=False)


def _extent(indexed: CollectionSource, plan: CollectionPlan) -> tuple[int, int]:
    """How many documents and bytes the scope covers, as far as that can be known cheaply."""
    scope = plan.scope
    documents = indexed.count(scope.query)
    if scope.limit is not None:
        documents = min(documents, scope.limit)
    whole = indexed.documents or 1
    return documents, int(indexed.bytes * documents / whole)


def _judge(plan: CollectionPlan, profile: Profile, registry: Registry) -> None:
    """What the sample says about the rules, and what preflight validators say about the collection."""
    plan.unmatched += unmatched_rules(plan.file, plan.rules, plan.scan, plan.namespace)
    plan.hazards += of_sample(
        plan.source,
        plan.scan,
        plan.preflight.shard_key,
        plan.write_path.measured,
        whole=plan.target is not None or plan.write_path.path == "replace",
    )
    known = CollectionFacts(
        plan.namespace, plan.documents, plan.bytes, dict(plan.preflight.options),
        tuple(dict(index) for index in plan.preflight.indexes),
    )  # fmt: skip
    for validator in validators(registry, profile.validators, "before", plan.facts):
        plan.hazards += [
            hazard(
                "validator-finding",
                plan.source,
                f": {validator.name}: {finding.what}" + (f" at {finding.path}" if finding.path else ""),
                path=finding.path,
            )
            for finding in validator.before(known)
        ]
