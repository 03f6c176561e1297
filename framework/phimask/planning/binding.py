"""Rules bound to their maskers: names become instances, keys are derived, faults name file and line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phimask.config.model import CollectionFile, Rule
from phimask.errors import ConfigError, Fault, KeyMaterialError
from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.keys import MaskingKey
from phimask.plugins.interfaces import Masker
from phimask.plugins.registry import Registry
from phimask.plugins.values import RuleFacts


def bind(file: CollectionFile, registry: Registry, key: MaskingKey | None) -> tuple[BoundRule, ...]:
    """Each rule with its masker. Raises ConfigError with every fault, KeyMaterialError for a missing key."""
    bound: list[BoundRule] = []
    faults: list[Fault] = []
    for index, rule in enumerate(file.rules):
        try:
            bound.append(BoundRule(index, rule.path, rule.segments, _masker(rule, registry, key)))
        except ValueError as error:
            place = rule.masker.origin
            faults.append(
                Fault(
                    place.file, place.line, place.path, str(error), f"see the options of {rule.masker.name}"
                )
            )
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
    needs_key = registry.classes("masker")[rule.masker.name].cls.needs_key  # type: ignore[attr-defined]
    derived = None
    if needs_key:
        if key is None:
            raise KeyMaterialError(
                f"the masker {rule.masker.name} ({Path(rule.origin.file).name}:{rule.origin.line}) needs a masking "
                "key; make one with `phimask keygen` and set PHIMASK_KEY, or `key:` in phimask.yaml"
            )
        derived = key.derive(f"masker/{rule.masker.name}")
    masker = registry.create("masker", rule.masker.name, rule.masker.options, key=derived)
    if not isinstance(masker, Masker):
        raise TypeError(rule.masker.name)
    return masker


def facts(rules: Sequence[BoundRule]) -> tuple[RuleFacts, ...]:
    """What validators may know of the rules."""
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
        )
        for rule in rules
    )


def core(file: CollectionFile, rules: Sequence[BoundRule]) -> MaskingCore:
    """The masking core of one collection."""
    return MaskingCore(rules, file.subject, file.on_error)
