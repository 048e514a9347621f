"""Seventy-seven services in one process, and twenty processes at once, on an ECR Public with its quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed import moto
from tests.support.many_services import check_one_process, check_processes
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOME, MANY = 10, 77
PROCESSES = 20


pytestmark = pytest.mark.exclusive


@pytest.fixture(scope="module")
def moto_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    for name in ("git", "go", "helm4", "registry"):
        require_tool(name)
    with moto.serve(require_tool("moto_server"), tmp_path_factory.mktemp("moto") / "moto") as host:
        yield host


@pytest.mark.timeout(3600)
def test_one_process(tmp_path: Path, moto_host: str, request: pytest.FixtureRequest) -> None:
    """All are published, none is refused by the quota, memory does not grow with them, and a rerun sends nothing."""
    check_one_process(tmp_path, moto_host, request, some=SOME, many=MANY)


@pytest.mark.timeout(3600)
def test_processes_at_once(tmp_path: Path, moto_host: str, request: pytest.FixtureRequest) -> None:
    """Together they meet the quota; whatever is refused is asked again, and every release is published."""
    check_processes(tmp_path, moto_host, request, processes=PROCESSES)
