"""Two hundred seeded schedules of faults over a release, and as many over a move of stable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.soak.world import REFS
from tests.support.soak import check_schedules

if TYPE_CHECKING:
    from testbed.soak.world import PathName, Soak

PARTS, EXAMPLES = 10, 20


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("path", REFS)
def test_schedules(soak: Soak, path: PathName, part: int, request: pytest.FixtureRequest) -> None:
    """Each run ends with 0, or with 7, 8 or 9 and the truth; nothing incomplete ever has a tag; a rerun completes."""
    check_schedules(soak, path, request, part=part, examples=EXAMPLES)
