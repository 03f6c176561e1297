"""Errors cross from a worker's process to its supervisor's and stay what they were."""

from __future__ import annotations

import pickle

import pytest

from phimask import errors

EXAMPLES = (
    errors.PhimaskError("it failed"),
    errors.UsageError("wrong"),
    errors.ConfigError([errors.Fault("p.yaml", 3, "$.x", "wrong", "right")]),
    errors.PluginError("two of one name"),
    errors.KeyMaterialError("no key"),
    errors.PreflightError(["capped", "a view"]),
    errors.FindingsError("3 findings"),
    errors.SafeStop("memory"),
    errors.Interrupted("asked"),
    errors.MaskingError("A.B", "string"),
    errors.StoreError("NotPrimary"),
)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_can_be_pickled(error: errors.PhimaskError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_every_kind_is_among_them() -> None:
    assert {type(error).__name__ for error in EXAMPLES} == set(errors.__all__) - {"Fault"}


def test_what_an_error_came_from_stays_behind() -> None:
    error = errors.MaskingError("A.B", "string")
    error.__cause__ = KeyError("a value")
    assert b"a value" not in pickle.dumps(error)
