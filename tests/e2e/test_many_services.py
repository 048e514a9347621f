"""A sample of ``make soak``: several services in one process, and processes at once, on an ECR Public with quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed import moto
from tests.support.many_services import check_one_process, check_processes, check_reads_without_a_login
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOME, MANY = 8, 14
PROCESSES = 4
PLATFORM = "linux/amd64"
QUOTA = 4
"""Uploads that may be completed in a second: less than these processes would complete."""


@pytest.fixture(scope="module")
def moto_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    require_tool("registry")
    with moto.serve(require_tool("moto_server"), tmp_path_factory.mktemp("moto") / "moto") as host:
        yield host


def test_one_process(tmp_path: Path, moto_host: str, request: pytest.FixtureRequest) -> None:
    """All are published, none is refused by the quota, memory does not grow with them, and a rerun sends nothing."""
    check_one_process(tmp_path, moto_host, request, some=SOME, many=MANY, platforms=PLATFORM)


def test_processes_at_once(tmp_path: Path, moto_host: str, request: pytest.FixtureRequest) -> None:
    """Together they meet the quota; whatever is refused is asked again, and every release is published."""
    check_processes(tmp_path, moto_host, request, processes=PROCESSES, quota=QUOTA, platforms=PLATFORM)


def test_reads_without_a_login(tmp_path: Path, moto_host: str) -> None:
    """What is read as users read it, one a second, is read by turns: hardly any read is refused."""
    check_reads_without_a_login(tmp_path, moto_host, services=3, platforms=PLATFORM)
