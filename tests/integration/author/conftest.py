"""What the author's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.author import Author, make_author
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def author(tmp_path: Path) -> Author:
    """An author with a clean clone, and nothing to release yet."""
    for name in ("git", "go", "helm4"):
        require_tool(name)
    return make_author(tmp_path)
