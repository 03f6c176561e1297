"""What tests that mask ask for, to run twice: with the compiled walk, where there is one, and without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from phimask import compiled
from phimask.masking import core


@pytest.fixture(params=["compiled", "python"], scope="module")
def walk(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which walk takes documents first."""
    if request.param == "compiled" and not compiled.AVAILABLE:
        pytest.skip("phimask was installed without its compiled walks")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "python":
            patch.setattr(core, "CompiledWalk", None)
        yield request.param
