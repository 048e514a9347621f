from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from runner.errors import CredentialsRefused, RegistryFailed
from runner.oci.credentials import Login
from runner.oci.manifest import OCI_LAYER
from testbed.base_images import write_blob
from testbed.faults.proxy import FaultProxy
from testbed.tunnel_proxy import TunnelProxy
from tests.integration.registry.sample import MANIFEST, at
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.registries import LocalRegistry
    from tests.integration.registry.sample import Connect


LOGIN = Login("me", "s3cret")


class Static:
    """One login for every host."""

    def __init__(self, login: Login) -> None:
        self.given = login

    def login(self, host: str, repository: str = "") -> Login | None:  # noqa: ARG002 - the protocol's
        """The login."""
        return self.given


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command: list[str | Path] = [
        *(
            require_tool("openssl"),
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ),
        *(
            "-days",
            "2",
            "-subj",
            "/CN=registry.example",
            "-addext",
            "subjectAltName=DNS:registry.example,DNS:tokens.example",
        ),
        *("-keyout", key, "-out", certificate),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def secured(filled: LocalRegistry, certificate: tuple[Path, Path]) -> Iterator[FaultProxy]:
    with FaultProxy(filled.host, tls=certificate) as proxy:
        yield proxy


@pytest.fixture
def tunnel(secured: FaultProxy) -> Iterator[TunnelProxy]:
    with TunnelProxy(secured.host) as proxy:
        yield proxy


def test_other_hosts_are_spoken_to_in_tls_through_the_proxy(
    secured: FaultProxy, tunnel: TunnelProxy, connect: Connect, certificate: tuple[Path, Path]
) -> None:
    """A host that is not this machine gets TLS, through HTTPS_PROXY with its login, trusting SSL_CERT_FILE."""
    environment = {"HTTPS_PROXY": f"http://me:s%40x@{tunnel.host}", "SSL_CERT_FILE": str(certificate[0])}
    assert connect(environment=environment).manifest(at("registry.example"), "v1") == MANIFEST
    assert tunnel.requests == [("registry.example:443", "Basic bWU6c0B4")]
    assert [seen.headers["host"] for seen in secured.requests] == ["registry.example"]
    assert "proxy-authorization" not in secured.requests[0].headers


def test_a_certificate_that_is_not_trusted_ends_at_once(
    secured: FaultProxy, tunnel: TunnelProxy, connect: Connect
) -> None:
    """A host whose certificate is unknown is not tried again, and the remedy names SSL_CERT_FILE."""
    registry = connect(environment={"HTTPS_PROXY": f"http://me:secret@{tunnel.host}"})
    with pytest.raises(RegistryFailed, match="certificate is not trusted: self-signed") as raised:
        registry.manifest(at("registry.example"), "v1")
    assert "SSL_CERT_FILE" in raised.value.remedy
    assert "secret" not in raised.value.cause
    assert len(tunnel.requests) == 1
    assert not secured.requests


def test_a_plain_location_of_the_same_registry_is_made_secure(
    secured: FaultProxy, tunnel: TunnelProxy, connect: Connect, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    """A registry that does not know of the TLS before it writes http:// into its locations; TLS is kept."""
    blob = write_blob(tmp_path, OCI_LAYER, b"secured")
    environment = {"HTTPS_PROXY": tunnel.host, "SSL_CERT_FILE": str(certificate[0])}
    assert connect(environment=environment).send_blob(at("registry.example", "team/tls"), blob) == "uploaded"
    assert all(target == "registry.example:443" for target, _ in tunnel.requests)
    assert secured.count("PUT", "team/tls") == 1


@pytest.fixture
def issued(secured: FaultProxy) -> str:
    """A token that the host tokens.example gives, which is reached like every other; the registry wants one."""
    token = "token-of-tokens.example"  # noqa: S105 - what is looked for
    challenge = 'Bearer realm="https://tokens.example/token",service="registry.example"'
    secured.answer(200, path=r"^/token\?", body=json.dumps({"token": token}).encode())
    secured.answer(401, path="^/v2/", times=1, headers={"WWW-Authenticate": challenge})
    return token


def test_a_token_service_on_another_host(
    secured: FaultProxy, tunnel: TunnelProxy, connect: Connect, certificate: tuple[Path, Path], issued: str
) -> None:
    """The login goes to the token service that the registry names, over TLS, and the token to the registry."""
    environment = {"HTTPS_PROXY": tunnel.host, "SSL_CERT_FILE": str(certificate[0])}
    registry = connect(Static(LOGIN), environment=environment)
    assert registry.manifest(at("registry.example"), "v1") == MANIFEST
    sent = [(seen.headers["host"], seen.headers.get("authorization")) for seen in secured.requests]
    assert sent == [
        ("registry.example", None),
        ("tokens.example", LOGIN.basic),
        ("registry.example", f"Bearer {issued}"),
    ]
    assert {target for target, _ in tunnel.requests} == {"registry.example:443", "tokens.example:443"}


@pytest.mark.parametrize("realm", ["http://tokens.example/token", "http://registry.example/token", "http://127.0.0.1/"])
def test_a_token_service_without_tls(
    secured: FaultProxy, tunnel: TunnelProxy, connect: Connect, certificate: tuple[Path, Path], realm: str
) -> None:
    """A registry in TLS cannot have a login sent anywhere without it, not even to itself or to this machine."""
    secured.answer(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
    environment = {"HTTPS_PROXY": tunnel.host, "SSL_CERT_FILE": str(certificate[0])}
    with pytest.raises(CredentialsRefused, match="which is spoken to without TLS: nothing is sent there"):
        connect(Static(LOGIN), environment=environment).tags(at("registry.example"))
    assert len(secured.requests) == 1
