"""Rules bound to their maskers: names become instances, keys are derived, faults name file and line."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from phimask.config.components import complete_options
from phimask.config.model import CollectionFile, Origin, Rule
from phimask.errors import ConfigError, Fault, KeyMaterialError
from phimask.masking.automaton import covers
from phimask.masking.bson_types import PYTHON_ALIASES
from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.encoded import DecodeOnly
from phimask.masking.keys import MaskingKey
from phimask.masking.splice import decode_value
from phimask.masking.unmapped import Unmapped
from phimask.planning.conditions import query_of
from phimask.plugins.interfaces import Detector, Masker
from phimask.plugins.registry import KEY_OPTIONS, Registry
from phimask.plugins.values import Column, RuleFacts, Wildcard


def bind(file: CollectionFile, registry: Registry, keys: Sequence[MaskingKey]) -> tuple[BoundRule, ...]:
    """Each rule with its masker; rules with the same masker and options share one, and so its cache.

    `keys`: the masking key, then older ones; none is a KeyMaterialError where a masker needs one. Raises
    ConfigError with every other fault. Under `unmapped: report` and `halt`, a rule for every path comes first.
    """
    maker = _Maker(registry, keys)
    bound: list[BoundRule] = []
    faults: list[Fault] = []
    if file.unmapped in ("report", "halt"):
        bound.append(BoundRule(0, "**", (Wildcard.ANY_DEPTH,), Unmapped()))
    for index, rule in enumerate(file.rules, start=len(bound)):
        try:
            choice = rule.masker
            masker = DecodeOnly() if choice is None else maker.shared(choice.name, choice.options)
            same = None if choice is None else _same(choice.name, choice.options, masker)
            bound.append(BoundRule(index, rule.path, rule.segments, masker, _query(rule), rule.decode, same))
        except _NoKeyError as error:
            raise KeyMaterialError(
                f"{rule.origin.file}:{rule.origin.line}: the masker {error} needs a masking key, and there is none; "
                "make one with `phimask keygen` and set PHIMASK_KEY, or `key:` in phimask.yaml"
            ) from None
        except ValueError as error:
            right = f"`phimask plugins show {rule.masker_name}` lists its options"
            faults.append(_fault(rule.masker.origin if rule.masker else rule.origin, str(error), right))
            continue
        if masker.needs_subject and not masker.per_document and file.subject is None:
            right = "name the person a document is about: `subject: PATH`"
            faults.append(_fault(rule.origin, f"the masker {rule.masker_name} masks per subject", right))
        if rule.decode and file.subject is not None and covers(rule.segments, file.subject):
            wrong = (
                "the subject's path leads into this field, and the subject is read before a field is decoded"
            )
            faults.append(_fault(rule.origin, wrong, "name a subject outside of fields with `decode`"))
        if rule.segments[:1] == ("_id",):
            wrong = "a document's _id cannot be masked: it is what finds the document"
            faults.append(
                _fault(rule.origin, wrong, "leave the rule out, or copy the documents under new _ids first")
            )
    if faults:
        raise ConfigError(faults)
    return tuple(bound)


def _same(name: str, options: Mapping[str, Any], masker: Masker) -> str | None:
    """What rules have in common under which equal values become equal masks; None where they need not."""
    text = json.dumps([name, options], sort_keys=True, default=str)
    if masker.needs_siblings or not masker.consistent or '"engine": "random"' in text:
        return None
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _query(rule: Rule) -> Mapping[str, Any] | None:
    """`when` with Extended JSON's types made what they stand for. Raises ValueError."""
    if rule.when is None:
        return None
    try:
        query: Mapping[str, Any] = query_of(json.dumps(rule.when))
    except ValueError:
        raise ValueError("`when` is no Extended JSON") from None
    return query


def _fault(place: Origin, wrong: str, right: str) -> Fault:
    return Fault(place.file, place.line, place.path, wrong, right)


class _NoKeyError(ValueError):
    """A masker needs a key and there is none; the argument is the masker's name."""


class _Maker:
    """Makes maskers, each with what its class asks for."""

    def __init__(self, registry: Registry, keys: Sequence[MaskingKey]) -> None:
        self._registry = registry
        self._keys = keys
        self._made: dict[str, Masker] = {}

    def shared(self, name: str, options: Mapping[str, Any]) -> Masker:
        """The one masker of this name and these options, which are complete."""
        identity = json.dumps([name, options], sort_keys=True, default=str)
        if identity not in self._made:
            self._made[identity] = self._make(name, options)
        return self._made[identity]

    def inner(self, name: str, options: Mapping[str, Any]) -> Masker:
        """A masker within a masker: its options are as somebody wrote them. Raises ValueError."""
        return self.shared(name, complete_options("masker", name, options, self._registry))

    def _make(self, name: str, options: Mapping[str, Any]) -> Masker:
        registry = self._registry
        cls = registry.masker(name)
        given: dict[str, Any] = {}
        if cls.needs_key:
            domain = options.get("domain") or cls.default_domain or name
            given["key"] = self._derived(name, domain, options.get("engine", "keyed"))
            if cls.takes_older_keys:
                given["older_keys"] = tuple(key.derive(f"masker/{domain}") for key in self._keys[1:])
            options = {key: value for key, value in options.items() if key not in KEY_OPTIONS}
        if cls.needs_detectors:
            given["detectors"] = (*registry.usual_detectors(), *self._named_detectors(options))
        if cls.needs_make:
            given["make"] = self.inner
        return registry.create("masker", name, options, **given)

    def _named_detectors(self, options: Mapping[str, Any]) -> Iterator[Detector]:
        for one in options.get("detectors", ()):
            name, own = (one, {}) if isinstance(one, str) else (one["name"], one.get("options", {}))
            complete = complete_options("detector", name, own, self._registry)
            yield self._registry.create("detector", name, complete)

    def _derived(self, name: str, domain: str, engine: str) -> bytes:
        if engine == "random":
            return secrets.token_bytes(32)
        if not self._keys:
            raise _NoKeyError(name)
        return self._keys[0].derive(f"masker/{domain}")


def facts(rules: Sequence[BoundRule], subject: tuple[str, ...] | None = None) -> tuple[RuleFacts, ...]:
    """What validators may know of the rules of a collection file with this subject. Their maskers may be asked while a
    batch is masked, so these must not be the rules that mask."""
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
            decode=rule.decode,
            same=rule.same,
            scope=_scope(rule.masker, subject),
        )
        for rule in rules
        if not isinstance(rule.masker, Unmapped)
    )


def _scope(masker: Masker, subject: tuple[str, ...] | None) -> tuple[str, ...]:
    if masker.per_document:
        return ("_id",)
    return (subject or ("_id",)) if masker.needs_subject else ()


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


def core(file: CollectionFile, rules: Sequence[BoundRule], *, originals: bool = False) -> MaskingCore:
    """The masking core of one collection. `originals`: it is to tell these."""
    return MaskingCore(rules, file.subject, file.on_error, originals=originals)
