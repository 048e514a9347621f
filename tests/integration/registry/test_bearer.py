"""The client against docker-registry with its token scheme, and a token service that signs real tokens."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import CredentialsRefused, RegistryAnswerWrong, RegistryFailed, ReleaseError
from runner.oci.artifact import Blob, RemoteSource
from runner.oci.credentials import DockerConfig, Login
from runner.oci.manifest import OCI_LAYER
from runner.oci.messages import Exchange
from testbed.base_images import write_blob
from testbed.faults.proxy import FaultProxy
from testbed.token_server import ALL, SERVICE, Accounts, TokenServer
from tests.integration.registry.operations import (
    find_blob,
    put_manifest,
    read_blob,
    read_manifest,
    read_tags,
    send_blob,
)
from tests.integration.registry.sample import CONTENT, LAYER, MANIFEST, at, publish
from tests.support.registry import PASSWORD, USERNAME, docker_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testbed.registries import LocalRegistry
    from tests.integration.registry.sample import Connect

IDENTITY = "identity-token-of-the-tester"
ACCOUNTS = Accounts(
    {USERNAME: PASSWORD, "reader": "reader's", "a": "of a", "b": "of b"},
    {IDENTITY: USERNAME},
    {
        None: {"public": frozenset({"pull"})},
        "reader": {"*": frozenset({"pull"})},
        "a": {"team/a": ALL},
        "b": {"team/b/image": ALL},
    },
)
LOGIN = Login(USERNAME, PASSWORD)


class Static:
    """One login for every repository, for so many seconds."""

    def __init__(self, login: Login | None, seconds: float | None = None) -> None:
        self.given = login
        self.seconds = seconds
        self.asked = 0

    def login(self, host: str, repository: str = "") -> Login | None:  # noqa: ARG002 - the protocol's
        """The login."""
        self.asked += 1
        if self.given is None or self.seconds is None:
            return self.given
        return Login(self.given.username, self.given.password, time.time() + self.seconds)


@dataclass(frozen=True)
class Servers:
    """A registry that wants tokens, behind a proxy; and its token service, behind another."""

    registry: FaultProxy
    tokens: FaultProxy
    service: TokenServer

    @property
    def host(self) -> str:
        """The registry, as clients know it."""
        return self.registry.host

    @property
    def realm_host(self) -> str:
        """The token service, as the registry names it."""
        return f"localhost:{self.tokens.host.rpartition(':')[2]}"

    def clear(self) -> None:
        """Forget what both were asked."""
        self.registry.clear()
        self.tokens.clear()


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FaultProxy, TokenServer, LocalRegistry]]:
    folder = tmp_path_factory.mktemp("tokens")
    with TokenServer(ACCOUNTS, folder / "certificate") as service, FaultProxy(service.host) as tokens:
        trust = service.trust(host=tokens.host)
        with docker_registry(folder / "registry", tokens=trust) as registry:
            yield tokens, service, registry


@pytest.fixture
def servers(behind: tuple[FaultProxy, TokenServer, LocalRegistry]) -> Iterator[Servers]:
    tokens, service, registry = behind
    tokens.clear()
    with FaultProxy(registry.host) as proxy:
        yield Servers(proxy, tokens, service)


@pytest.fixture
def filled_servers(servers: Servers, connect: Connect, layer: Blob, config: Blob) -> Servers:
    """The servers, with MANIFEST as v1 of team/image and of public."""
    for path in ("team/image", "public"):
        publish(connect(Static(LOGIN)), at(servers.host, path), layer, config)
    servers.clear()
    return servers


def test_no_body_without_a_token(servers: Servers, connect: Connect, layer: Blob, config: Blob) -> None:
    """One request learns where tokens are; each body is sent with one, and the password to the token service only."""
    publish(connect(Static(LOGIN)), at(servers.host, "fresh"), layer, config)
    assert [seen.path for seen in servers.registry.requests if seen.status == 401] == ["/v2/"]
    assert all(seen.headers["authorization"].startswith("Bearer ") for seen in servers.registry.requests[1:])
    assert {seen.headers["authorization"] for seen in servers.tokens.requests} == {LOGIN.basic}
    scopes = [seen.path.partition("?")[2] for seen in servers.tokens.requests]
    assert len(scopes) == len(set(scopes)) == 2


def test_many_threads(filled_servers: Servers, connect: Connect) -> None:
    """Threads that read one repository at once share one token."""
    registry = connect(Static(LOGIN))
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: registry.manifest(at(filled_servers.host), "v1"), range(16))) == {MANIFEST}
    assert len(filled_servers.tokens.requests) == 1


def test_without_a_login(filled_servers: Servers, connect: Connect, layer: Blob) -> None:
    """Everybody gets a token for what is public; for the rest the error says that no credentials are configured."""
    servers, registry = filled_servers, connect(Static(None))
    assert registry.manifest(at(servers.host, "public"), "v1") == MANIFEST
    assert registry.read_blob(at(servers.host, "public"), LAYER) == CONTENT
    assert not any("authorization" in seen.headers for seen in servers.tokens.requests)
    for operation in (read_manifest, send_blob):
        with pytest.raises(CredentialsRefused, match="asks for credentials, and none are configured for it") as raised:
            operation(registry, at(servers.host), layer)
        assert "Log in to" in raised.value.remedy


@pytest.mark.parametrize("operation", [read_manifest, send_blob])
def test_a_wrong_password(
    filled_servers: Servers, connect: Connect, layer: Blob, operation: Callable[..., None]
) -> None:
    """A password that the token service refuses ends the operation at its first answer, in that service's words."""
    servers = filled_servers
    with pytest.raises(
        CredentialsRefused, match=r"refused the configured credentials: .* username or password"
    ) as raised:
        operation(connect(Static(Login(USERNAME, "wrong horse"))), at(servers.host), layer)
    assert servers.realm_host in raised.value.cause
    assert servers.host in raised.value.cause
    assert "wrong horse" not in raised.value.cause
    assert len(servers.tokens.requests) == 1
    assert not servers.registry.writes


def test_a_login_without_the_right(filled_servers: Servers, connect: Connect, layer: Blob) -> None:
    """A token that grants less than was asked for is refused by the registry, before any body is sent."""
    servers = filled_servers
    registry = connect(Static(Login("reader", "reader's")))
    assert registry.manifest(at(servers.host), "v1") == MANIFEST
    with pytest.raises(CredentialsRefused, match="refused the configured credentials: POST /v2/team/other/blobs"):
        send_blob(registry, at(servers.host), write_blob(layer_folder(layer), OCI_LAYER, b"never sent"))
    assert {seen.received for seen in servers.registry.requests} == {0}


def layer_folder(layer: Blob) -> Path:
    source = layer.source
    assert not isinstance(source, RemoteSource)
    return source.path.parent


def test_an_identity_token(servers: Servers, connect: Connect, tmp_path: Path, layer: Blob, config: Blob) -> None:
    """An identity token in Docker's config is exchanged for tokens that the registry takes."""
    (tmp_path / "config.json").write_text(json.dumps({"auths": {servers.host: {"identitytoken": IDENTITY}}}))
    registry = connect(DockerConfig.find({"DOCKER_CONFIG": str(tmp_path)}))
    publish(registry, at(servers.host, "identity"), layer, config)
    assert {seen.method for seen in servers.tokens.requests} == {"POST"}
    assert not any(IDENTITY in f"{seen.path} {seen.headers}" for seen in servers.tokens.requests)
    (tmp_path / "config.json").write_text(json.dumps({"auths": {servers.host: {"identitytoken": "another"}}}))
    with pytest.raises(CredentialsRefused, match=r"HTTP 400 \(no such token\)"):
        connect(DockerConfig.find({"DOCKER_CONFIG": str(tmp_path)})).tags(at(servers.host))


def test_a_registry_token(filled_servers: Servers, connect: Connect, tmp_path: Path) -> None:
    """A registry token in Docker's config is sent as it is, and the token service is not asked."""
    servers = filled_servers
    server = servers.service._server  # noqa: SLF001 - a token that nobody asked for
    token = server.signer.token(USERNAME, ACCOUNTS.granted(USERNAME, ["repository:team/image:pull"]), 60)
    (tmp_path / "config.json").write_text(json.dumps({"auths": {servers.host: {"registrytoken": token}}}))
    registry = connect(DockerConfig.find({"DOCKER_CONFIG": str(tmp_path)}))
    assert registry.manifest(at(servers.host), "v1") == MANIFEST
    assert not servers.tokens.requests
    with pytest.raises(CredentialsRefused, match="refused the configured credentials"):
        registry.manifest(at(servers.host, "public"), "v1")


def test_a_login_for_each_path(servers: Servers, connect: Connect, tmp_path: Path, layer: Blob, config: Blob) -> None:
    """Two repositories of one registry get each the login of the longest path that holds it."""
    keys = {f"{servers.host}/team": ("a", "of a"), f"{servers.host}/team/b": ("b", "of b"), servers.host: ("x", "y")}
    auths = {key: {"auth": Login(*pair).basic.removeprefix("Basic ")} for key, pair in keys.items()}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    registry = connect(DockerConfig.find({"DOCKER_CONFIG": str(tmp_path)}))
    for path in ("team/a", "team/b/image"):
        publish(registry, at(servers.host, path), layer, config)
    with pytest.raises(CredentialsRefused, match="username or password"):
        registry.tags(at(servers.host, "elsewhere"))


def test_a_mount(filled_servers: Servers, connect: Connect) -> None:
    """A blob of another repository is mounted with a token for both."""
    servers = filled_servers
    blob = Blob(LAYER, RemoteSource(at(servers.host)))
    assert connect(Static(LOGIN)).send_blob(at(servers.host, "mounted"), blob) == "mounted"
    assert ("repository:mounted:pull,push", "repository:team/image:pull") in {
        issued.scopes for issued in servers.service.issued
    }


REFUSALS: dict[str, dict[str, Any]] = {
    "401": {"status": 401},
    "invalid": {"status": 400, "code": "DENIED", "words": "Your Authorization Token is invalid."},
    "expired": {"status": 403, "code": "DENIED", "words": "Your authorization token has expired."},
}


def refuse(proxy: FaultProxy, status: int, code: str = "UNAUTHORIZED", words: str = "no", **options: Any) -> None:
    body = json.dumps({"errors": [{"code": code, "message": words}]}).encode()
    proxy.answer(status, headers={"Content-Type": "application/json"}, body=body, **options)


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("operation", [read_manifest, read_tags, read_blob, find_blob, send_blob, put_manifest])
def test_a_token_that_ends_early(
    filled_servers: Servers, connect: Connect, tmp_path: Path, operation: Callable[..., None], refusal: str
) -> None:
    """A token that is refused in the middle of an operation is fetched once more, and the operation succeeds."""
    servers = filled_servers
    registry = connect(Static(LOGIN))
    layer = write_blob(tmp_path, OCI_LAYER, f"{refusal} of {operation}".encode())
    registry.send_blob(at(servers.host), layer)
    servers.clear()
    skip = 1 if operation is send_blob else 0
    refuse(servers.registry, **REFUSALS[refusal], times=1, skip=skip)
    operation(registry, at(servers.host), layer)
    assert [seen.status for seen in servers.registry.requests].count(REFUSALS[refusal]["status"]) == 1
    assert servers.registry.requests[skip + 1].status < 400


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_token_that_is_never_accepted(filled_servers: Servers, connect: Connect, refusal: str) -> None:
    """A token is fetched once more for a request that is refused, then the refusal counts, as one of credentials."""
    servers = filled_servers
    registry = connect(Static(LOGIN))
    read_manifest(registry, at(servers.host), None)  # type: ignore[arg-type]
    servers.clear()
    refuse(servers.registry, **REFUSALS[refusal])
    with pytest.raises(CredentialsRefused, match="refused the configured credentials"):
        registry.tags(at(servers.host))
    assert len(servers.registry.requests) == 2
    assert len(servers.tokens.requests) == 1


def test_another_bad_request(filled_servers: Servers, connect: Connect) -> None:
    """A 400 in other words is no matter of credentials: it counts at once, and DENIED of something else after one."""
    servers = filled_servers
    registry = connect(Static(LOGIN))
    read_manifest(registry, at(servers.host), None)  # type: ignore[arg-type]
    for code, requests in (("TAG_INVALID", 1), ("DENIED", 2)):
        servers.clear()
        refuse(servers.registry, 400, code, "too many tags")
        with pytest.raises(RegistryFailed, match=f"{code}: too many tags"):
            registry.tags(at(servers.host))
        assert len(servers.registry.requests) == requests


def test_a_login_that_ends(filled_servers: Servers, connect: Connect) -> None:
    """A login that can expire and is refused by the token service is asked for again, once."""
    servers, credentials = filled_servers, Static(LOGIN, 3600)
    registry = connect(credentials)
    refuse(servers.tokens, 403, "DENIED", "Your authorization token has expired.", times=1)
    assert registry.manifest(at(servers.host), "v1") == MANIFEST
    assert credentials.asked == 2
    refuse(servers.tokens, 403, "DENIED", "Your authorization token has expired.")
    with pytest.raises(CredentialsRefused, match="authorization token has expired"):
        registry.manifest(at(servers.host, "public"), "v1")
    assert credentials.asked == 4


def test_a_token_that_a_build_outlives(tmp_path: Path, connect: Connect, layer: Blob, config: Blob) -> None:
    """Tokens that live for two seconds are renewed before they end, during a long build: the registry refuses none."""
    with (
        TokenServer(ACCOUNTS, tmp_path / "certificate", seconds=2) as service,
        docker_registry(tmp_path / "registry", tokens=service.trust()) as server,
        FaultProxy(server.host) as proxy,
    ):
        registry = connect(Static(LOGIN))
        repository = at(proxy.host)
        for _ in range(3):
            publish(registry, repository, layer, config)
            time.sleep(1.6)
        assert registry.manifest(repository, "v1") == MANIFEST
        assert [seen.path for seen in proxy.requests if seen.status == 401] == ["/v2/"]
        assert sum("push" in issued.scopes[0] for issued in service.issued) >= 3


@pytest.mark.parametrize(
    "fault",
    [
        lambda tokens: tokens.fail(503, times=2),
        lambda tokens: tokens.fail(429, times=2, headers={"Retry-After": "0"}),
        lambda tokens: tokens.drop(times=2),
        lambda tokens: tokens.cut(times=2),
        lambda tokens: tokens.answer(200, body=b"<html>", times=2),
        lambda tokens: tokens.answer(200, body=b'{"token": "a\\r\\nb"}', times=2),
    ],
    ids=["503", "429", "drop", "cut", "html", "newline"],
)
def test_faults_of_a_token_service(
    filled_servers: Servers, connect: Connect, layer: Blob, fault: Callable[[FaultProxy], None]
) -> None:
    """What a token service fails at is asked again, as any other request."""
    servers = filled_servers
    fault(servers.tokens)
    registry = connect(Static(LOGIN))
    assert registry.send_blob(at(servers.host), layer) == "exists"
    assert len(servers.tokens.requests) == 4


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (lambda tokens: tokens.fail(503), RegistryFailed, "HTTP 503"),
        (lambda tokens: tokens.fail(404), RegistryFailed, "HTTP 404"),
        (lambda tokens: tokens.fail(403), CredentialsRefused, "refused the configured credentials: .* HTTP 403"),
        (lambda tokens: tokens.answer(200, body=b"{}"), RegistryAnswerWrong, "neither token nor access_token"),
        (lambda tokens: tokens.answer(200, body=b"[" * 5_000_000), RegistryAnswerWrong, "is longer than"),
        (lambda tokens: tokens.answer(200, body=b'{"token": "' + b"x" * 99_999 + b'"}'), RegistryAnswerWrong, "longer"),
    ],
    ids=["503", "404", "403", "no token", "huge", "huge token"],
)
def test_a_token_service_that_does_not_serve(
    filled_servers: Servers,
    connect: Connect,
    fault: Callable[[FaultProxy], None],
    error: type[ReleaseError],
    words: str,
) -> None:
    """A token service that never gives a token is told with its own address, and without what it was sent."""
    servers, seen = filled_servers, list[Exchange]()
    fault(servers.tokens)
    with pytest.raises(error, match=words) as raised:
        connect(Static(LOGIN), observe=seen.append).tags(at(servers.host))
    assert servers.realm_host in raised.value.cause
    shown = f"{raised.value.cause} {seen}"
    assert PASSWORD not in shown
    assert LOGIN.basic.removeprefix("Basic ") not in shown
    assert "scope=" not in shown


@pytest.mark.parametrize("login", [LOGIN, Login("", "", identity_token=IDENTITY)], ids=["password", "identity"])
def test_a_token_service_that_points_elsewhere(filled_servers: Servers, connect: Connect, login: Login) -> None:
    """No login follows a redirect of the token service to another host."""
    servers = filled_servers
    with FaultProxy(servers.service.host) as elsewhere:
        servers.tokens.redirect(elsewhere.host, method=".*", path="")
        with pytest.raises(CredentialsRefused, match=f"redirects to {re.escape(elsewhere.host)}"):
            connect(Static(login)).tags(at(servers.host))
        assert not elsewhere.requests


def test_a_realm_without_tls(filled_servers: Servers, connect: Connect) -> None:
    """A realm on another machine without TLS is sent nothing."""
    servers = filled_servers
    realm = 'Bearer realm="http://registry.example/token",service="x"'
    servers.registry.answer(401, headers={"WWW-Authenticate": realm})
    with pytest.raises(CredentialsRefused, match=r"names 'http://registry\.example/token' as its token service"):
        connect(Static(LOGIN)).tags(at(servers.host))


def test_no_token_elsewhere(filled_servers: Servers, connect: Connect, tmp_path: Path) -> None:
    """Neither a blob's redirect nor an upload's location on another host sees a token or a login."""
    servers = filled_servers
    registry = connect(Static(LOGIN))
    with FaultProxy(servers.registry.upstream) as store:
        servers.registry.redirect(store.host)
        store.answer(200, method="GET", body=CONTENT)
        assert registry.read_blob(at(servers.host), LAYER) == CONTENT
        store.answer(201, method="PUT")
        servers.registry.answer(202, method="POST", headers={"Location": f"http://{store.host}/up"})
        blob = write_blob(tmp_path, OCI_LAYER, b"elsewhere")
        assert registry.send_blob(at(servers.host), blob) == "uploaded"
        assert [seen.method for seen in store.requests] == ["GET", "PUT"]
        assert not any("authorization" in seen.headers for seen in store.requests)


def test_a_body_that_is_refused(servers: Servers, connect: Connect, layer: Blob) -> None:
    """A body whose token ends while it is sent is sent again as a whole with the next one."""
    refuse(servers.registry, 401, method="PUT", times=1)
    assert connect(Static(LOGIN)).send_blob(at(servers.host, "outlived"), layer) == "uploaded"
    assert [seen.status for seen in servers.registry.writes] == [202, 401, 201]


def test_a_service_by_another_name(filled_servers: Servers, connect: Connect) -> None:
    """The service that the registry names reaches its token service."""
    assert connect(Static(LOGIN)).manifest(at(filled_servers.host), "v1") == MANIFEST
    assert all(SERVICE.replace(" ", "+") in seen.path for seen in filled_servers.tokens.requests)
