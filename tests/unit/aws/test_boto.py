from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runner.aws.boto import Clients
from runner.aws.client import Endpoint, RoleCredentials

if TYPE_CHECKING:
    from pathlib import Path

ROLE = RoleCredentials("arn:aws:iam::123456789012:role/p", "AKIDROLE", "secret", "token", None)


@pytest.fixture(autouse=True)
def own_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The job's own credentials stand in variables, and no file on this machine counts."""
    for name in (
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_SESSION_TOKEN",
        "AWS_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def key_of(client: Any) -> str:
    return str(client._request_signer._credentials.access_key)  # noqa: SLF001 - boto3 shows it nowhere else


def test_own_credentials_and_a_roles() -> None:
    """A client has the job's own credentials, found by boto3, or those of the role."""
    clients = Clients(None, {})
    endpoint = Endpoint("ecr-public", "us-east-1")
    assert key_of(clients(endpoint, None)) == "AKIDOWN"
    assert key_of(clients(endpoint, ROLE)) == "AKIDROLE"


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (Endpoint("ecr-public", "us-east-1"), "https://api.ecr-public.us-east-1.amazonaws.com"),
        (Endpoint("ecr", "eu-west-1"), "https://api.ecr.eu-west-1.amazonaws.com"),
        (Endpoint("ecr", "us-gov-west-1", fips=True), "https://ecr-fips.us-gov-west-1.amazonaws.com"),
        (Endpoint("ssm", None), "https://ssm.us-west-2.amazonaws.com"),
        (Endpoint("sts", "eu-west-1"), "https://sts.eu-west-1.amazonaws.com"),
    ],
)
def test_where_it_asks(endpoint: Endpoint, url: str) -> None:
    """A service is asked in its region, or in that of the environment; STS in the region, too, not globally."""
    client = Clients("us-west-2", {})(endpoint, None)
    assert client.meta.endpoint_url == url


def test_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's address can be set as for all programs of AWS's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR_PUBLIC", "http://127.0.0.1:9")
    assert Clients(None, {})(Endpoint("ecr-public", "us-east-1"), None).meta.endpoint_url == "http://127.0.0.1:9"


def test_time_limits() -> None:
    """Every wait of a client is bounded, and it repeats what may pass a few times itself."""
    config = Clients(None, {})(Endpoint("sts", "us-east-1"), None).meta.config
    assert (config.connect_timeout, config.read_timeout) == (10, 30)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}


@pytest.mark.parametrize(
    ("environment", "verified"),
    [
        ({}, None),
        ({"SSL_CERT_FILE": "/etc/ca.pem"}, "/etc/ca.pem"),
        ({"SSL_CERT_FILE": "/etc/ca.pem", "AWS_CA_BUNDLE": "/etc/aws.pem"}, "/etc/aws.pem"),
    ],
)
def test_certificates(environment: dict[str, str], verified: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS is trusted by the certificates that registries are trusted by, unless AWS has its own."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    clients = Clients("us-east-1", environment)
    client = clients(Endpoint("sts", "us-east-1"), None)
    assert client._endpoint.http_session._verify == (verified or True)  # noqa: SLF001 - boto3 shows it nowhere else
