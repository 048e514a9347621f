"""One place for all runs of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.soak.world import open_soak
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.soak.world import Soak


@pytest.fixture(scope="session")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Soak]:
    """Both paths, prepared by an undisturbed run of each."""
    for name in ("crane", "git", "go", "helm4"):
        require_tool(name)
    with open_soak(tmp_path_factory.mktemp("soak")) as made:
        yield made
