"""``kill -9`` at every request of a release and of a move of stable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.soak.world import REFS
from tests.support.soak import check_kills

if TYPE_CHECKING:
    from testbed.soak.world import PathName, Soak

PARTS = 10


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("path", REFS)
def test_kills(soak: Soak, path: PathName, part: int, request: pytest.FixtureRequest) -> None:
    """Wherever it was killed, a rerun completes, sends nothing of what has its tag, and leaves the same registry."""
    check_kills(soak, path, request, range(part, soak.courses[path].requests, PARTS))
