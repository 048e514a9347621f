"""An AWS account on this machine, and the job's own identity in the process's environment, where boto3 finds it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from testbed import moto
from testbed.ecr_public.harness import EcrPublic, ecr_public
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="package")
def moto_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto.serve(require_tool("moto_server"), tmp_path_factory.mktemp("moto") / "moto") as host:
        yield host


@pytest.fixture
def account(tmp_path: Path, moto_host: str) -> Iterator[EcrPublic]:
    """An account that is empty but for what other tests put into SSM."""
    require_tool("registry")
    with ecr_public(tmp_path / "ecr", aws=moto_host) as made:
        yield made


@pytest.fixture(autouse=True)
def own_identity(account: EcrPublic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the process be the job: nothing else on this machine says who it is."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)
