"""With the compiled walks, where there are some, and without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from phimask import compiled
from phimask_plugins.validators import parts, quick


@pytest.fixture(params=["compiled", "python"])
def walk(request: pytest.FixtureRequest) -> Iterator[str]:
    """A test that asks for this runs with each."""
    if request.param == "compiled" and not compiled.AVAILABLE:
        pytest.skip("phimask was installed without its compiled walks")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "python":
            patch.setattr(quick, "beside", None)
            patch.setattr(parts, "beside", None)
        yield request.param
