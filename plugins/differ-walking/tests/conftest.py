"""Everything about writing entries holds with compiled code and without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moorage_sys import tar_runs


@pytest.fixture(scope="module", params=["compiled", "python"])
def code(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "compiled" and not tar_runs.COMPILED:
        pytest.skip("moorage-sys was built without a compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tar_runs, "COMPILED", request.param == "compiled")
        yield request.param
