"""ECR Public as these tests meet it: one of its own for each test, and one moto for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed import moto
from testbed.ecr_public.harness import EcrPublic, ecr_public
from tests.integration.testbed.ecr_public.asking import Asker
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="package")
def moto_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto.serve(require_tool("moto_server"), tmp_path_factory.mktemp("moto") / "moto") as host:
        yield host


@pytest.fixture
def ecr(tmp_path: Path) -> Iterator[EcrPublic]:
    """Without SSM and STS."""
    require_tool("registry")
    with ecr_public(tmp_path / "ecr", aws=None) as made:
        yield made


@pytest.fixture
def account(tmp_path: Path, moto_host: str) -> Iterator[EcrPublic]:
    """With SSM and STS."""
    require_tool("registry")
    with ecr_public(tmp_path / "ecr", aws=moto_host) as made:
        yield made


@pytest.fixture
def asker(ecr: EcrPublic) -> Asker:
    """Who is logged in, with one repository, ``app``."""
    ecr.create("app")
    return Asker.logged_in(ecr)
