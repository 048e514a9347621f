"""Thousands of odd repositories, drawn from seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.judging_trees import judge_drawn
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARTS, EXAMPLES = 10, 300


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_odd_trees(tmp_path: Path, part: int, record_property: Callable[[str, object], None]) -> None:
    """Whatever a repository holds, a run over it ends with a code of its own and says why; none ends as a bug."""
    codes = judge_drawn(tmp_path, require_tool("helm4"), EXAMPLES, part)
    told = ", ".join(f"{count} with {code}" for code, count in sorted(codes.items()))
    record_property("counted", f"{codes.total()} odd repositories: {told}")
