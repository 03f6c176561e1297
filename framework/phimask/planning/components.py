"""A profile's components, made once on trial: what a constructor will not take is found before anything is opened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from phimask.config.data import first_own
from phimask.config.model import ComponentChoice, Origin, Profile
from phimask.errors import ConfigError, Fault
from phimask.plugins.interfaces import Validator
from phimask.plugins.registry import Registry
from phimask.plugins.values import Phase, RuleFacts


def refuse_impossible(profile: Profile, registry: Registry) -> None:
    """Judge the options that no schema can judge. Raises ConfigError with every fault, each at its place."""
    chosen = [
        ("partitioner", profile.partitioner),
        ("batch_sizer", profile.batch_sizer),
        ("memory_governor", profile.memory_governor),
        ("executor", profile.executor),
        *(("validator", choice) for choice in profile.validators),
        *(("observer", choice) for choice in profile.observers),
    ]
    faults: list[Fault] = []
    for kind, choice in chosen:
        try:
            registry.create(kind, choice.name, choice.options)
        except ValueError as error:
            place = _place(choice, str(error))
            right = f"`phimask plugins show {choice.name}` lists its options"
            faults.append(Fault(place.file, place.line, place.path, str(error), right))
    if faults:
        raise ConfigError(faults)


def _place(choice: ComponentChoice, told: str) -> Origin:
    """Of an option that is told of, where any was written."""
    named = [choice.places[word] for word in re.findall(r"\w+", told) if word in choice.places]
    return first_own([*named, choice.origin])


def remembering(registry: Registry, choices: Sequence[ComponentChoice]) -> list[ComponentChoice]:
    """Those of the chosen validators that look afterwards by what they learnt of originals."""
    classes = registry.classes("validator")
    found = [(one, cast("type[Validator]", classes[one.name].cls)) for one in choices]
    return [one for one, cls in found if cls.remembers and "after" in cls.phases]


def validators(
    registry: Registry,
    choices: Sequence[ComponentChoice],
    phase: Phase,
    rules: Sequence[RuleFacts],
    key: bytes = b"",
) -> list[Validator]:
    """Those of the chosen validators that take part in a phase. `key`: for fingerprints."""
    made: list[Validator] = []
    for choice in choices:
        cls = cast("type[Validator]", registry.classes("validator")[choice.name].cls)
        if phase not in cls.phases:
            continue
        given: dict[str, Any] = {"rules": rules}
        if cls.needs_key:
            given["key"] = key
        if cls.needs_detectors:
            given["detectors"] = registry.usual_detectors()
        made.append(registry.create("validator", choice.name, choice.options, **given))
    return made
