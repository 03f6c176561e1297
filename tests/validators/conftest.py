"""With the compiled walks, where there are some, and without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from phimask import compiled
from phimask_plugins.validators import bloom, known, own, parts, quick, referential


@pytest.fixture(params=["compiled", "python"])
def walk(request: pytest.FixtureRequest) -> Iterator[str]:
    """A test that asks for this runs with each."""
    if request.param == "compiled" and not compiled.AVAILABLE:
        pytest.skip("phimask was installed without its compiled walks")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "python":
            for module in (quick, parts):
                patch.setattr(module, "beside", None)
            for module in (bloom, known, own, referential):
                patch.setattr(module, "compiled", None)
        yield request.param
