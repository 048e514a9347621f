"""Clients of boto3 that ask nobody: their answers are stubbed, and botocore's own model checks what they are asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.stub import Stubber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.aws.client import Endpoint, RoleCredentials

SESSION = botocore.session.Session()


@dataclass
class StubbedClients:
    """Makes one stubbed client for each service, and remembers where and with which credentials it was asked for.

    ``opened`` is each endpoint and role that a client was made for, in order.
    """

    opened: list[tuple[Endpoint, RoleCredentials | None]] = field(default_factory=list)
    _stubs: dict[str, tuple[Any, Stubber]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, endpoint: Endpoint, role: RoleCredentials | None) -> Any:
        """Return the client of a service."""
        with self._lock:
            self.opened.append((endpoint, role))
            return self._of(endpoint.service)[0]

    def stub(self, service: str) -> Stubber:
        """What a service answers."""
        with self._lock:
            return self._of(service)[1]

    def _of(self, service: str) -> tuple[Any, Stubber]:
        if service not in self._stubs:
            client = SESSION.create_client(
                service,
                region_name="us-east-1",
                aws_access_key_id="AKIDEXAMPLE",
                aws_secret_access_key="example",  # noqa: S106 - nobody's
            )
            stubber = Stubber(client)
            stubber.activate()
            self._stubs[service] = client, stubber
        return self._stubs[service]

    def check(self) -> None:
        """Fail where an answer that was prepared was not asked for."""
        for _, stubber in self._stubs.values():
            stubber.assert_no_pending_responses()


@pytest.fixture
def clients() -> Iterator[StubbedClients]:
    """Stubbed clients; all that was prepared must be asked for."""
    made = StubbedClients()
    yield made
    made.check()
