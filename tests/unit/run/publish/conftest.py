"""Images that are published: made once for each module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runner.oci.artifact import Artifact


from tests.support.publishing import artifact_in


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return artifact_in(tmp_path_factory.mktemp("image"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return artifact_in(tmp_path_factory.mktemp("image"), "theirs")
