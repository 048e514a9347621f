from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from runner.errors import CredentialsRefused, RegistryAnswerWrong, ReleaseError
from runner.oci.credentials import DockerConfig, Login
from testbed.faults.proxy import FaultProxy
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

    from runner.oci.artifact import Blob
    from runner.oci.messages import Exchange
    from testbed.registries import LocalRegistry
    from tests.integration.registry.sample import Connect


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """A registry that wants USERNAME and PASSWORD for everything."""
    with docker_registry(tmp_path_factory.mktemp("closed"), basic=True) as server:
        yield server


@pytest.fixture
def login(tmp_path: Path) -> Callable[..., DockerConfig]:
    def login(host: str, password: str = PASSWORD) -> DockerConfig:
        header = Login(USERNAME, password).basic.removeprefix("Basic ")
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": header}}}))
        return DockerConfig.find({"DOCKER_CONFIG": str(tmp_path)})

    return login


def test_credentials_are_sent_where_they_are_asked_for(
    closed: LocalRegistry, connect: Connect, login: Callable[..., DockerConfig], layer: Blob, config: Blob
) -> None:
    """One anonymous request learns that credentials are wanted; all others carry them, and no body is sent in vain."""
    with FaultProxy(closed.host) as proxy:
        registry = connect(login(proxy.host))
        repository = at(proxy.host, "private")
        publish(registry, repository, layer, config)
        assert registry.manifest(repository, "v1") == MANIFEST
        assert [seen.path for seen in proxy.requests if seen.status == 401] == ["/v2/"]
        assert all("authorization" in seen.headers for seen in proxy.requests[1:])


def test_no_credentials_are_sent_where_none_are_asked_for(
    proxy: FaultProxy, connect: Connect, login: Callable[..., DockerConfig], layer: Blob
) -> None:
    """A registry that lets everybody in never sees the credentials that are configured for it."""
    connect(login(proxy.host)).send_blob(at(proxy.host), layer)
    assert not any("authorization" in seen.headers for seen in proxy.requests)


@pytest.mark.parametrize(
    ("password", "words"),
    [("wrong", "refused the configured credentials"), (None, "none are configured")],
    ids=["wrong", "none"],
)
def test_credentials_that_do_not_serve_are_refused(
    closed: LocalRegistry,
    connect: Connect,
    login: Callable[..., DockerConfig],
    layer: Blob,
    *,
    password: str | None,
    words: str,
) -> None:
    """Wrong or missing credentials end reads and writes at once; no body is sent and no password is said."""
    with FaultProxy(closed.host) as proxy:
        credentials = login(proxy.host, password) if password else login("other.example")
        for operation in (read_manifest, read_tags, send_blob):
            with pytest.raises(CredentialsRefused, match=words) as raised:
                operation(connect(credentials), at(proxy.host), layer)
            assert proxy.host in raised.value.cause
            assert PASSWORD not in raised.value.cause
        assert not proxy.writes


def test_a_refusal_that_is_cut(
    closed: LocalRegistry, connect: Connect, login: Callable[..., DockerConfig], layer: Blob
) -> None:
    """A 401 counts as one even if half of its body is missing: it is not asked for again."""
    with FaultProxy(closed.host) as proxy:
        proxy.cut(times=1)
        connect(login(proxy.host)).send_blob(at(proxy.host), layer)
        proxy.cut()
        with pytest.raises(CredentialsRefused, match="refused the configured credentials: GET /v2/: HTTP 401"):
            connect(login(proxy.host, "wrong")).send_blob(at(proxy.host), layer)
        assert [seen.status for seen in proxy.requests].count(401) == 3


class Renewed:
    """The right login, which expires long after the test, and how often a repository's was asked for at the most."""

    def __init__(self) -> None:
        self._repositories: list[str] = []

    @property
    def asked(self) -> int:
        """How often it was asked for, by the repository that needed it most often."""
        return max(map(self._repositories.count, self._repositories))

    def login(self, host: str, repository: str = "") -> Login | None:  # noqa: ARG002 - the protocol's
        """The login, once more."""
        self._repositories.append(repository)
        return Login(USERNAME, PASSWORD, time.time() + 3600)


@pytest.mark.parametrize("operation", [read_manifest, read_tags, read_blob, find_blob, send_blob, put_manifest])
def test_a_login_that_ends_early(
    closed: LocalRegistry, connect: Connect, layer: Blob, config: Blob, operation: Callable[..., None]
) -> None:
    """A login that can expire is renewed when it is refused in the middle of an operation, which then succeeds."""
    with FaultProxy(closed.host) as proxy:
        credentials = Renewed()
        registry = connect(credentials)
        publish(registry, at(proxy.host), layer, config)
        proxy.clear()
        proxy.fail(401, times=1)
        operation(registry, at(proxy.host), layer)
        assert [seen.status for seen in proxy.requests].count(401) == 1
        assert credentials.asked == 2


def test_an_upload_that_outlives_its_login(closed: LocalRegistry, connect: Connect, layer: Blob) -> None:
    """A body that is refused because the login has ended is sent again as a whole with the next one."""
    with FaultProxy(closed.host) as proxy:
        proxy.fail(401, method="PUT", times=1)
        assert connect(Renewed()).send_blob(at(proxy.host, "outlived"), layer) == "uploaded"
        assert [seen.status for seen in proxy.writes] == [202, 401, 201]
        assert connect(Renewed()).read_blob(at(proxy.host, "outlived"), LAYER) == CONTENT


def test_a_login_that_is_never_accepted(closed: LocalRegistry, connect: Connect, layer: Blob) -> None:
    """A login that can expire is renewed once for a request, then the refusal counts."""
    with FaultProxy(closed.host) as proxy:
        credentials = Renewed()
        registry = connect(credentials)
        registry.send_blob(at(proxy.host), layer)
        proxy.clear()
        proxy.fail(401)
        with pytest.raises(CredentialsRefused, match="refused the configured credentials"):
            registry.tags(at(proxy.host))
        assert [seen.status for seen in proxy.requests] == [401, 401]
        assert credentials.asked == 2


def test_an_upload_elsewhere_gets_no_credentials(
    closed: LocalRegistry, filled: LocalRegistry, connect: Connect, login: Callable[..., DockerConfig], layer: Blob
) -> None:
    """An upload location on another host is used, and is sent no credentials."""
    with FaultProxy(closed.host) as proxy, FaultProxy(filled.host) as store:
        store.answer(201, method="PUT")
        proxy.answer(202, method="POST", headers={"Location": f"http://{store.host}/up?_state=x"})
        assert connect(login(proxy.host)).send_blob(at(proxy.host, "elsewhere"), layer) == "uploaded"
        (put,) = store.requests
        assert put.path == f"/up?_state=x&digest={LAYER.digest}"
        assert "authorization" not in put.headers


def test_a_redirect_is_followed_without_credentials(
    closed: LocalRegistry, filled: LocalRegistry, connect: Connect, login: Callable[..., DockerConfig], layer: Blob
) -> None:
    """A blob is fetched from where the registry points, which never sees the credentials."""
    with FaultProxy(closed.host) as proxy, FaultProxy(filled.host) as store:
        registry = connect(login(proxy.host))
        registry.send_blob(at(proxy.host), layer)
        proxy.redirect(store.host)
        store.fail(403, times=1)
        assert registry.read_blob(at(proxy.host), LAYER) == CONTENT
        assert [seen.status for seen in store.requests] == [403, 200]
        assert not any("authorization" in seen.headers for seen in store.requests)


def test_a_redirect_says_that_a_blob_is_there(faulty: FaultProxy, connect: Connect, layer: Blob) -> None:
    """Whether a blob is there is never asked of the host to which the registry points."""
    with FaultProxy(faulty.upstream) as store:
        faulty.redirect(store.host, method="HEAD")
        assert connect().has_blob(at(faulty.host), LAYER.digest)
        assert connect().send_blob(at(faulty.host), layer) == "exists"
        assert not store.requests


def test_redirects_end_somewhere(faulty: FaultProxy, connect: Connect) -> None:
    """A chain of redirects that does not end is a wrong answer, without the secret that is in its addresses."""
    faulty.redirect(faulty.host)
    with pytest.raises(RegistryAnswerWrong, match="more than 5 redirects") as raised:
        connect().read_blob(at(faulty.host), LAYER)
    assert "secret-of-the-cdn" not in raised.value.cause


def test_failures_behind_a_redirect_say_no_secret(
    faulty: FaultProxy, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """What a signed address has in its query is in no error, no observation and no log line."""
    seen: list[Exchange] = []
    with FaultProxy(faulty.upstream) as store:
        faulty.redirect(store.host)
        store.fail(500)
        with caplog.at_level("DEBUG", logger="runner"), pytest.raises(ReleaseError) as raised:
            connect(observe=seen.append).read_blob(at(faulty.host), LAYER)
    assert store.host in raised.value.cause
    assert "secret" not in f"{raised.value.cause} {raised.value.__cause__!r} {seen} {caplog.text}"
