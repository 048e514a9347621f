"""A sample of ``make soak``: some seeded schedules of faults, and kills at some requests, over both paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.soak.world import REFS, open_soak
from tests.support.soak import check_kills, check_schedules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.soak.world import PathName, Soak

SCHEDULES = 6
APART = 12
"""Every how many requests a run is killed."""


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Soak]:
    """Both paths, prepared by an undisturbed run of each."""
    with open_soak(tmp_path_factory.mktemp("soak")) as made:
        yield made


@pytest.mark.parametrize("path", REFS)
def test_schedules(soak: Soak, path: PathName, request: pytest.FixtureRequest) -> None:
    """Each run ends with 0, or with 7, 8 or 9 and the truth; nothing incomplete ever has a tag; a rerun completes."""
    check_schedules(soak, path, request, part=0, examples=SCHEDULES)


@pytest.mark.parametrize("path", REFS)
def test_kills(soak: Soak, path: PathName, request: pytest.FixtureRequest) -> None:
    """Wherever it was killed, a rerun completes, sends nothing of what has its tag, and leaves the same registry."""
    check_kills(soak, path, request, range(APART // 2, soak.courses[path].requests, APART))
