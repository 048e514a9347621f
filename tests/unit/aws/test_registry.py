from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from runner.aws.calls import Caller
from runner.aws.identity import Identity
from runner.aws.registry import AwsRegistry
from runner.config.aws import AwsSection
from runner.errors import AwsPermissionMissing, AwsSettingWrong, RunEnded
from testbed.memory.lifetime import MemoryLifetime

if TYPE_CHECKING:
    from tests.unit.aws.conftest import StubbedClients

HOST = "public.ecr.aws"
TOKEN = {"authorizationData": {"authorizationToken": "QVdTOm1hcms=", "expiresAt": datetime(2036, 1, 1, tzinfo=UTC)}}


class Prepared:
    """A registry whose clients are stubbed, and what it told."""

    def __init__(self, clients: StubbedClients) -> None:
        self.told: list[tuple[str, str]] = []
        self.lifetime = MemoryLifetime()
        caller = Caller(self.lifetime, clock=self.lifetime.now)
        identity = Identity(AwsSection(), None, "s3-release-1", caller, clients)
        self.registry = AwsRegistry("ecr-public", HOST, identity, caller, report=self._tell)

    def _tell(self, event: str, **values: Any) -> None:
        self.told.append((event, values["repository"]))


def test_token_before_repositories(clients: StubbedClients) -> None:
    """A token is got first: without one no repository is created, since nothing could be sent there."""
    clients.stub("ecr-public").add_client_error("get_authorization_token", "AccessDeniedException")
    prepared = Prepared(clients)
    with pytest.raises(AwsPermissionMissing, match="GetAuthorizationToken and sts:GetServiceBearerToken"):
        prepared.registry.prepare({"ack/s3-chart": None})
    assert prepared.told == []


def test_every_repository(clients: StubbedClients) -> None:
    """Every repository is made sure of, by its name below the alias, and each is told of."""
    stub = clients.stub("ecr-public")
    stub.add_response("get_authorization_token", TOKEN)
    stub.add_response(
        "create_repository", {"repository": {"repositoryName": "s3-chart"}}, {"repositoryName": "s3-chart"}
    )
    prepared = Prepared(clients)
    prepared.registry.prepare({"ack/s3-chart": None})
    login = prepared.registry.login(HOST, "ack/s3-chart")
    assert login is not None
    assert (login.username, login.password) == ("AWS", "mark")
    assert prepared.told == [("repository created", "s3-chart")]
    assert prepared.registry.host == HOST


def test_wrong_name_before_anything(clients: StubbedClients) -> None:
    """A name that AWS cannot have is told before AWS is asked for anything."""
    with pytest.raises(AwsSettingWrong):
        Prepared(clients).registry.prepare({"s3-chart": None})
    assert clients.opened == []


def test_ended_run(clients: StubbedClients) -> None:
    """A run that was ended asks AWS for nothing."""
    prepared = Prepared(clients)
    prepared.lifetime.end("SIGTERM")
    with pytest.raises(RunEnded):
        prepared.registry.prepare({"ack/s3-chart": None})
    assert clients.opened == []
