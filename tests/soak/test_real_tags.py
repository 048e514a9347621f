"""What is checked of a commit's content says nothing of any real release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.real_controllers import RELEASES
from tests.support.real_tags import check_content, clone_of, told
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("service", sorted(RELEASES))
def test_content_of_every_real_tag(
    tmp_path: Path, service: str, record_property: Callable[[str, object], None]
) -> None:
    """Pointers, definitions, what is held and installable, one version from two commits: silent over all real tags."""
    clone = clone_of(service, tmp_path)
    checked = [check_content(clone, tag, tmp_path, require_tool("helm4")) for tag in clone.tags]
    counted, hits = told(service, checked)
    record_property("counted", counted)
    for hit in hits:
        record_property("counted", hit)
    assert len(checked) == RELEASES[service]
    assert hits == ()
