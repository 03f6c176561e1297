"""Errors cross from a worker's process to its supervisor's and stay what they were."""

from __future__ import annotations

import pickle

import pytest

from phimask import errors

OF_MORE_THAN_A_TEXT: dict[str, errors.PhimaskError] = {
    "ConfigError": errors.ConfigError([errors.Fault("p.yaml", 3, "$.x", "wrong", "right")]),
    "PreflightError": errors.PreflightError(["capped", "a view"]),
    "MaskingError": errors.MaskingError("A.B", "string"),
}
KINDS = [name for name in errors.__all__ if issubclass(getattr(errors, name), errors.PhimaskError)]


@pytest.mark.parametrize("name", KINDS)
def test_an_error_can_be_pickled(name: str) -> None:
    error = OF_MORE_THAN_A_TEXT.get(name) or getattr(errors, name)("it failed")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_what_an_error_came_from_stays_behind() -> None:
    error = errors.MaskingError("A.B", "string")
    error.__cause__ = error.__context__ = KeyError("a value")
    # As dask has it, which sends causes along; for good, as there.
    pytest.importorskip("tblib.pickling_support").install(errors.MaskingError)
    assert b"a value" in pickle.dumps(error)
    assert b"a value" not in pickle.dumps(error.alone())
