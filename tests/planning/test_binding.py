from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phimask.config.model import CollectionFile
from phimask.config.profile import load_profile
from phimask.errors import ConfigError, KeyMaterialError
from phimask.masking.keys import MaskingKey
from phimask.planning.binding import bind, facts
from phimask.planning.components import refuse_impossible
from phimask.plugins.registry import Registry
from phimask.plugins.values import Column

Written = Callable[..., CollectionFile]


def test_the_same_masker_with_the_same_options_is_one(
    written: Written, registry: Registry, key: MaskingKey
) -> None:
    file = written(
        "{path: A, masker: {name: fake, options: {kind: first_name}}}",
        "{path: B, masker: {name: fake, options: {kind: last_name}}}",
        "{path: C.D, masker: {name: fake, options: {kind: first_name}}}",
        "{path: E, masker: redact}",
    )
    first, second, third, fourth = bind(file, registry, (key,))
    assert first.masker is third.masker
    assert len({id(rule.masker) for rule in (first, second, fourth)}) == 3
    assert [rule.index for rule in (first, second, third, fourth)] == [0, 1, 2, 3]
    assert third.segments == ("C", "D")


def test_the_key_decides_and_is_no_maskers_own(written: Written, registry: Registry, key: MaskingKey) -> None:
    file = written("{path: A, masker: {name: hash, options: {length: 24}}}")

    def masked(*keys: MaskingKey) -> Any:
        (rule,) = bind(file, registry, keys)
        return rule.masker.mask(Column("A", ["MRN1"], [b"p"]))

    assert masked(key) == masked(key)
    assert masked(key) != masked(MaskingKey.generate())
    (rule,) = bind(file, registry, (key,))
    assert rule.masker.key not in (b"", key.derive("masker/fake"))


def test_a_masker_of_texts_is_given_the_detectors_it_names(written: Written, registry: Registry) -> None:
    named = "{path: A, masker: {name: free_text, options: {style: tag, detectors: [email, {name: url}]}}}"
    usual, more = bind(
        written("{path: A, masker: {name: free_text, options: {style: tag}}}", named), registry, ()
    )
    given = [[one.name for one in rule.masker._detectors] for rule in (usual, more)]
    assert given[0] == [one.name for one in registry.usual_detectors()]
    assert given[1] == [*given[0], "email", "url"]
    with pytest.raises(ConfigError, match=r"people.yaml:5: .*there is no detector"):
        bind(
            written("{path: A, masker: {name: free_text, options: {style: tag, detectors: [emial]}}}"),
            registry,
            (),
        )


def test_a_missing_key_is_told_with_the_first_rule_that_needs_one(
    written: Written, registry: Registry
) -> None:
    file = written("{path: A, masker: redact}", "{path: B, masker: hash}")
    with pytest.raises(
        KeyMaterialError, match=r"^people.yaml:6: the masker hash needs a masking key"
    ) as caught:
        bind(file, registry, ())
    assert "phimask keygen" in str(caught.value)
    assert len(bind(written("{path: A, masker: redact}"), registry, ())) == 1


def test_every_fault_is_told_with_file_and_line(written: Written, registry: Registry) -> None:
    file = written(
        "{path: A, masker: {name: regex_replace, options: {pattern: '(', replacement: x}}}",
        "{path: _id, masker: redact}",
        "{path: _id.ssn, masker: redact}",
        "{path: fine._id, masker: redact}",
    )
    with pytest.raises(ConfigError) as caught:
        bind(file, registry, ())
    places = [(fault.file, fault.line) for fault in caught.value.faults]
    assert places == [("people.yaml", 5), ("people.yaml", 6), ("people.yaml", 7)]
    assert "_id cannot be masked" in caught.value.faults[-1].wrong


def test_facts_say_of_a_value_whether_it_may_stay(written: Written, registry: Registry) -> None:
    rules = bind(written("{path: Age, masker: age_cap}", "{path: Name, masker: redact}"), registry, ())
    age, name = facts(rules)
    assert age.changes == "maybe"
    assert age.stays is not None
    assert age.stays(0x10, (40).to_bytes(4, "little"))
    assert not age.stays(0x10, (95).to_bytes(4, "little"))
    assert not age.stays(0x07, b"x" * 12)  # an ObjectId is no age
    assert name.path == "Name"
    assert name.segments == ("Name",)


def test_options_that_only_a_constructor_can_judge_are_faults(registry: Registry, tmp_path: Path) -> None:
    profile = load_profile("parallel", directory=tmp_path, environ={}, components=registry)
    refuse_impossible(profile, registry)
    wrong = replace(
        profile,
        memory_governor=replace(profile.memory_governor, options={"soft": 3, "hard": 2}),
        partitioner=replace(profile.partitioner, options={**profile.partitioner.options, "target_size": 0}),
    )
    with pytest.raises(ConfigError) as caught:
        refuse_impossible(wrong, registry)
    told = [str(fault) for fault in caught.value.faults]
    assert len(told) == 2
    assert any("target_size is no size" in one for one in told)
    assert any("parallel.yaml" in one and "soft is not below hard" in one for one in told)


def test_a_rule_that_only_decodes_is_bound_and_told_to_validators(
    written: Written, registry: Registry
) -> None:
    file = written(
        "{path: Payload, decode: json}",
        "{path: Payload.name, masker: redact}",
        "{path: Note, decode: base64, masker: redact}",
    )
    rules = bind(file, registry, ())
    assert [(rule.masker.name, rule.decode) for rule in rules] == [
        ("decode", ("json",)),
        ("redact", ()),
        ("redact", ("base64",)),
    ]
    told = facts(rules)
    assert [one.decode for one in told] == [("json",), (), ("base64",)]
    assert [bool(one.types) for one in told] == [False, True, True]


@pytest.mark.parametrize("path", ["Payload", "'*'", "Payload.person", "'**.person'"])
def test_the_subject_is_not_looked_for_in_a_field_that_is_decoded(
    written: Written, registry: Registry, path: str
) -> None:
    file = written(f"{{path: {path}, decode: json}}", subject="Payload.person.id")
    with pytest.raises(ConfigError, match=r"people.yaml:5: .*the subject's path leads into this field"):
        bind(file, registry, ())
