"""Clients of boto3: with which credentials, time limits and certificates they ask AWS."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
from botocore.config import Config

from runner import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.aws.client import Endpoint, RoleCredentials

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 30
ATTEMPTS: Final = 3


class Clients:
    """Makes clients of boto3; thread-safe.

    The job's own credentials are found by boto3's default chain: variables, web identity (IRSA), profiles, container
    (EKS Pod Identity), instance. What of them expires, boto3 renews.

    Args:
        region: for clients that name none, and for those that boto3 makes itself to get credentials.
        environment: the process's: SSL_CERT_FILE counts where AWS_CA_BUNDLE is not set, as for registries.
    """

    def __init__(self, region: str | None, environment: Mapping[str, str]) -> None:
        # boto3's sessions are not thread-safe where they make clients, and clients share what is loaded.
        self._lock = threading.Lock()
        self._region = region
        self._certificates = environment.get("SSL_CERT_FILE") if not environment.get("AWS_CA_BUNDLE") else None
        self._session: boto3.session.Session | None = None

    def __call__(self, endpoint: Endpoint, role: RoleCredentials | None) -> Any:  # noqa: ANN401 - boto3 makes them
        """Return a client with the credentials of a role, or the job's own."""
        given = (
            {}
            if role is None
            else {
                "aws_access_key_id": role.access_key,
                "aws_secret_access_key": role.secret_key,
                "aws_session_token": role.token,
            }
        )
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            user_agent_extra=f"ack-release/{__version__}",
            use_fips_endpoint=endpoint.fips or None,
            use_dualstack_endpoint=endpoint.dual_stack or None,
        )
        with self._lock:
            client: Any = self._opened().client(  # type: ignore[call-overload]  # a name that is no literal
                endpoint.service, region_name=endpoint.region, config=config, **given
            )
            return client

    def _opened(self) -> boto3.session.Session:
        if self._session is None:
            found = botocore.session.get_session()
            if self._certificates:
                found.set_config_variable("ca_bundle", self._certificates)
            self._session = boto3.session.Session(botocore_session=found, region_name=self._region)
        return self._session
