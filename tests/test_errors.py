"""Errors cross from a worker's process to its supervisor's and stay what they were."""

from __future__ import annotations

import copy
import pickle
import sys
import traceback
from types import ModuleType
from typing import Any

import pytest

from own_errors import own
from phimask import errors
from phimask.log import describe_error

OF_MORE_THAN_A_TEXT: dict[str, errors.PhimaskError] = {
    "ConfigError": own(errors.ConfigError, [errors.Fault("p.yaml", 3, "$.x", "wrong", "right")]),
    "PreflightError": own(errors.PreflightError, ["capped", "a view"]),
    "MaskingError": own(errors.MaskingError, "A.B", "string"),
}
KINDS = [name for name in errors.__all__ if issubclass(getattr(errors, name), errors.PhimaskError)]


@pytest.mark.parametrize("name", KINDS)
def test_an_error_can_be_pickled(name: str) -> None:
    error = OF_MORE_THAN_A_TEXT.get(name) or own(getattr(errors, name), "it failed")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_what_an_error_came_from_stays_behind() -> None:
    error = own(errors.MaskingError, "A.B", "string")
    error.__cause__ = error.__context__ = KeyError("a value")
    # As dask has it, which sends causes along; for good, as there.
    pytest.importorskip("tblib.pickling_support").install(errors.MaskingError)
    assert b"a value" in pickle.dumps(error)
    assert b"a value" not in pickle.dumps(error.alone())


GUEST = """\
class Own(errors.StoreError):
    def __str__(self):
        return "Quagmire"

    __repr__ = __str__

    def __reduce__(self):
        return Own, self.args


def make(kind, *given):
    error = kind(*given)
    error.more = "Quagmire"
    return error
"""
GIVEN: dict[str, tuple[Any, ...]] = {
    "ConfigError": ([errors.Fault("p.yaml", 3, "$.x", "Quagmire", "Quagmire")],),
    "PreflightError": (["Quagmire"],),
    "MaskingError": ("Quagmire", "string"),
}


@pytest.mark.parametrize("name", [*KINDS, "Own"])
def test_what_others_say_in_one_is_told_to_nobody(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = ModuleType("guest")
    monkeypatch.setitem(sys.modules, "guest", guest)
    vars(guest)["errors"] = errors
    exec(GUEST, vars(guest))
    kind = guest.Own if name == "Own" else getattr(errors, name)
    made = guest.make(kind, *GIVEN.get(name, ("Quagmire",)))
    told = f"{name} at guest:12 (text withheld: it may hold values)"
    for error in (made, pickle.loads(pickle.dumps(made)), copy.copy(made)):
        assert type(error) is kind
        assert (str(error), repr(error), describe_error(error)) == (told, f"<{told}>", told)
        assert "Quagmire" not in "".join(traceback.format_exception(error))
    assert b"Quagmire" not in pickle.dumps(made)
