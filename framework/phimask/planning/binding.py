"""Rules bound to their maskers: names become instances, keys are derived, faults name file and line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from phimask.config.model import CollectionFile, Rule
from phimask.errors import ConfigError, Fault, KeyMaterialError
from phimask.masking.bson_types import PYTHON_ALIASES
from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.keys import MaskingKey
from phimask.masking.splice import decode_value
from phimask.plugins.interfaces import Masker
from phimask.plugins.registry import Registry
from phimask.plugins.values import Column, RuleFacts


def bind(file: CollectionFile, registry: Registry, key: MaskingKey | None) -> tuple[BoundRule, ...]:
    """Each rule with its masker; rules with the same masker and options share one, and so its cache.

    Raises ConfigError with every fault, KeyMaterialError for a missing key.
    """
    bound: list[BoundRule] = []
    faults: list[Fault] = []
    made: dict[str, Masker] = {}
    for index, rule in enumerate(file.rules):
        choice = rule.masker
        identity = json.dumps([choice.name, choice.options], sort_keys=True, default=str)
        try:
            if identity not in made:
                made[identity] = _masker(rule, registry, key)
            bound.append(BoundRule(index, rule.path, rule.segments, made[identity]))
        except ValueError as error:
            place = choice.origin
            right = f"`phimask plugins show {choice.name}` lists its options"
            faults.append(Fault(place.file, place.line, place.path, str(error), right))
        if rule.segments[:1] == ("_id",):
            faults.append(
                Fault(
                    rule.origin.file,
                    rule.origin.line,
                    f"{rule.origin.path}.path",
                    "a document's _id cannot be masked: it is what finds the document",
                    "leave the rule out, or copy the documents under new _ids first",
                )
            )
    if faults:
        raise ConfigError(faults)
    return tuple(bound)


def _masker(rule: Rule, registry: Registry, key: MaskingKey | None) -> Masker:
    name, options = rule.masker.name, rule.masker.options
    if not registry.needs_key(name):
        return registry.create("masker", name, options)
    if key is None:
        raise KeyMaterialError(
            f"{rule.origin.file}:{rule.origin.line}: the masker {name} needs a masking key, and there is none; "
            "make one with `phimask keygen` and set PHIMASK_KEY, or `key:` in phimask.yaml"
        )
    return registry.create("masker", name, options, key=key.derive(f"masker/{name}"))


def facts(rules: Sequence[BoundRule]) -> tuple[RuleFacts, ...]:
    """What validators may know of the rules. Their maskers may be asked while a batch is masked, so these must not
    be the rules that mask."""
    return tuple(
        RuleFacts(
            path=rule.path,
            segments=rule.segments,
            masker=rule.masker.name,
            changes=rule.masker.changes,
            types=frozenset(rule.masker.types),
            produces=rule.masker.produces,
            containers=rule.masker.containers,
            removes=rule.masker.removes,
            stays=_stays(rule),
        )
        for rule in rules
    )


def _stays(rule: BoundRule) -> Callable[[int, bytes], bool] | None:
    masker = rule.masker
    if masker.changes != "maybe" or masker.needs_subject or masker.containers:
        return None

    def stays(bson_type: int, encoded: bytes) -> bool:
        value = decode_value(bson_type, encoded)
        if PYTHON_ALIASES.get(type(value)) not in masker.types:
            return False
        try:
            (again,) = masker.mask(Column(rule.path, [value], []))
        except Exception:  # noqa: BLE001  (a plugin may raise anything; what it cannot mask is redacted, and so differs)
            return False
        return bool(again == value)

    return stays


def core(file: CollectionFile, rules: Sequence[BoundRule]) -> MaskingCore:
    """The masking core of one collection."""
    return MaskingCore(rules, file.subject, file.on_error)
