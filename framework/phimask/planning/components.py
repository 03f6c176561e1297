"""A profile's components, made once on trial: what a constructor will not take is found before anything is opened."""

from __future__ import annotations

from phimask.config.model import Profile
from phimask.errors import ConfigError, Fault
from phimask.plugins.registry import Registry


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
            place = choice.origin
            right = f"`phimask plugins show {choice.name}` lists its options"
            faults.append(Fault(place.file, place.line, place.path, str(error), right))
    if faults:
        raise ConfigError(faults)
