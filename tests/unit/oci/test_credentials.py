from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import CredentialsRefused
from runner.oci.credentials import Anonymous, Chain, DockerConfig, Login

if TYPE_CHECKING:
    from pathlib import Path

HOST = "registry.example:5000"
SECRET = "s3cr:et é"  # noqa: S105  # what must never show


def encoded(username: str = "me", password: str = SECRET) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def configured(folder: Path, document: object) -> DockerConfig:
    (folder / "config.json").write_text(json.dumps(document))
    return DockerConfig.find({"DOCKER_CONFIG": str(folder)})


@pytest.mark.parametrize(
    "key",
    [HOST, f"https://{HOST}", f"http://{HOST}/", f"https://{HOST}/v1/", f"{HOST}/v2/", "REGISTRY.example:5000"],
)
def test_keys_are_matched_by_host(tmp_path: Path, key: str) -> None:
    """A key counts for its host, whatever scheme and path older tools wrote around it."""
    login = configured(tmp_path, {"auths": {"other.example": {}, key: {"auth": encoded()}}}).login(HOST)
    assert login == Login("me", SECRET)


def test_an_exact_key_goes_first(tmp_path: Path) -> None:
    """Of two keys for one host, the one that is exactly the host is used, whatever their order."""
    auths = {f"https://{HOST}/v1/": {"auth": encoded("old")}, HOST: {"auth": encoded("new")}}
    assert configured(tmp_path, {"auths": auths}).login(HOST) == Login("new", SECRET)


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_is_known_by_all_its_names(tmp_path: Path, host: str) -> None:
    """Docker's own key for Docker Hub serves each host name that Docker Hub has."""
    auths = {"https://index.docker.io/v1/": {"auth": encoded()}}
    assert configured(tmp_path, {"auths": auths}).login(host) == Login("me", SECRET)


@pytest.mark.parametrize(
    "host", ["registry.example", "registry.example:5001", "example:5000", "x.registry.example:5000", "public.ecr.aws"]
)
def test_no_other_host_gets_a_login(tmp_path: Path, host: str) -> None:
    """A login counts for its exact host and port only."""
    assert configured(tmp_path, {"auths": {HOST: {"auth": encoded()}}}).login(host) is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": encoded()}, Login("me", SECRET)),
        ({"auth": encoded(password="x\0")}, Login("me", "x")),  # noqa: S106  # a padded entry, as docker writes it
        ({"username": "me", "password": SECRET}, Login("me", SECRET)),
        ({"auth": encoded("auth"), "username": "me", "password": "x"}, Login("auth", SECRET)),
        ({"identitytoken": "t"}, Login("", "", identity_token="t")),  # noqa: S106 - no secret
        (
            {"auth": encoded("00000000", ""), "identitytoken": "t"},
            Login("00000000", "", identity_token="t"),  # noqa: S106 - as docker writes it
        ),
        ({"registrytoken": "t"}, Login("", "", registry_token="t")),  # noqa: S106 - no secret
        ({}, None),
        ({"username": "me"}, None),
        ({"auth": ""}, None),
        ("text", None),
    ],
    ids=[
        *("auth", "padded auth", "username and password", "auth goes first", "identity", "identity and name", "token"),
        *("empty", "half", "empty auth", "no object"),
    ],
)
def test_each_form_of_an_entry_is_read(tmp_path: Path, entry: object, expected: Login | None) -> None:
    """An entry has auth, or username and password, or a token; one that has none of them is no login."""
    assert configured(tmp_path, {"auths": {HOST: entry}}).login(HOST) == expected


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"credHelpers": {HOST: "ecr-login"}}, "ecr-login"),
        ({"credHelpers": {f"https://{HOST}": "ecr-login"}, "auths": {HOST: {"auth": encoded()}}}, "ecr-login"),
        ({"credsStore": "desktop"}, "desktop"),
        ({"credsStore": "desktop", "auths": {HOST: {}}}, "desktop"),
        ({"auths": {HOST: {"auth": "%%%"}}}, "base64"),
        ({"auths": {HOST: {"auth": base64.b64encode(b"nocolon").decode()}}}, "base64"),
        ({"auths": {HOST: {"auth": 7}}}, "base64"),
        ({"auths": {HOST: {"identitytoken": f"a{SECRET}"}}}, "identitytoken of .* is not a token"),
        ({"auths": {HOST: {"registrytoken": f"{SECRET}\n"}}}, "registrytoken of .* is not a token"),
        ({"auths": {HOST: {"auth": encoded(), "registrytoken": [SECRET]}}}, "registrytoken of .* is not a token"),
        ({"credsStore": ["desktop"]}, "cannot be asked"),
    ],
    ids=[
        "helper",
        "helper before auths",
        "store",
        "store and empty entry",
        "no base64",
        "no colon",
        "number",
        "odd identity",
        "odd token",
        "list",
        "odd store",
    ],
)
def test_an_entry_that_cannot_be_used(tmp_path: Path, document: object, words: str) -> None:
    """Helpers that cannot be asked and broken entries are refused with the file's name, and without the secret."""
    with pytest.raises(CredentialsRefused, match=words) as raised:
        configured(tmp_path, document).login(HOST)
    assert str(tmp_path / "config.json") in raised.value.cause
    assert SECRET not in raised.value.cause + raised.value.remedy
    assert encoded() not in raised.value.cause + raised.value.remedy


def test_another_hosts_helper_is_no_matter(tmp_path: Path) -> None:
    """A credential helper of another host does not stand in the way."""
    document = {"credHelpers": {"public.ecr.aws": "ecr-login"}, "auths": {HOST: {"auth": encoded()}}}
    assert configured(tmp_path, document).login(HOST) == Login("me", SECRET)


def test_the_store_is_only_asked_for_what_the_file_lacks(tmp_path: Path) -> None:
    """A login that stands in the file is used though a credential store is configured."""
    document = {"credsStore": "desktop", "auths": {HOST: {"auth": encoded()}}}
    assert configured(tmp_path, document).login(HOST) == Login("me", SECRET)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"DOCKER_CONFIG": "/a", "HOME": "/home/b"}, "/a/config.json"),
        ({"HOME": "/home/b"}, "/home/b/.docker/config.json"),
        ({"DOCKER_CONFIG": "", "HOME": "/home/b"}, "/home/b/.docker/config.json"),
        ({}, "no Docker config file (neither DOCKER_CONFIG nor HOME is set)"),
    ],
)
def test_the_file_is_where_docker_looks(environment: dict[str, str], expected: str) -> None:
    """DOCKER_CONFIG goes before HOME; with neither there is no file and no login."""
    found = DockerConfig.find(environment)
    assert str(found) == expected
    assert found.login(HOST) is None


@pytest.mark.parametrize("content", [b"{", b"\xff", b"nonsense"], ids=repr)
def test_a_broken_file_matters_only_when_a_login_is_asked_for(tmp_path: Path, content: bytes) -> None:
    """A config file that is not JSON is an error with its path once a registry wants a login, and not before."""
    (tmp_path / "config.json").write_bytes(content)
    config = DockerConfig.find({"DOCKER_CONFIG": str(tmp_path)})
    with pytest.raises(CredentialsRefused, match="it is not JSON"):
        config.login(HOST)


@given(st.dictionaries(st.text(max_size=8), st.none() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)))
def test_odd_documents_hold_no_login(document: dict[str, Any]) -> None:
    """Unknown keys and parts of the wrong type are passed over."""
    config = DockerConfig(None)
    config.__dict__["_document"] = {**document, "auths": document.get("auths"), "credsStore": None, "credHelpers": []}
    assert config.login(HOST) is None


def test_the_longest_path(tmp_path: Path) -> None:
    """Of several logins for one registry, that of the longest path counts which holds the repository."""
    auths = {key: {"auth": encoded(key[-1])} for key in (f"{HOST}/team/a", f"{HOST}/team/b", f"{HOST}/team", HOST)}
    config = configured(tmp_path, {"auths": auths})
    paths = ["team/b/image", "team/b", "team/a", "team/ab", "team", "teams/b", "other", ""]
    logins = [config.login(HOST, path) for path in paths]
    assert [login and login.username for login in logins] == ["b", "b", "a", "m", "m", "0", "0", "0"]


class Helpers:
    """Helpers that know these servers, and what they were asked."""

    def __init__(self, *servers: str) -> None:
        self.servers = servers
        self.asked: list[tuple[str, str]] = []

    def __call__(self, name: str, server: str) -> Login | None:
        """The login, if the server is known."""
        self.asked.append((name, server))
        return Login(name, SECRET) if server in self.servers else None


@pytest.mark.parametrize(
    ("document", "expected", "asked"),
    [
        ({"credHelpers": {HOST: "a"}, "auths": {HOST: {"auth": encoded()}}}, "a", [("a", HOST)]),
        ({"credHelpers": {HOST: "none"}, "credsStore": "b"}, None, [("none", HOST)]),
        ({"credHelpers": {"public.ecr.aws": "a"}, "credsStore": "b"}, "b", [("b", HOST)]),
        ({"credHelpers": {HOST: ""}, "credsStore": "b"}, "b", [("b", HOST)]),
        ({"credsStore": "b", "auths": {HOST: {}}}, "b", [("b", HOST)]),
        ({"credsStore": "b", "auths": {HOST: {"auth": encoded()}}}, "me", []),
        ({"credHelpers": {f"{HOST}/team": "a", HOST: "b"}}, "a", [("a", HOST)]),
        ({"credHelpers": {f"{HOST}/other": "a"}}, None, []),
    ],
    ids=["helper first", "helper has none", "another's", "empty", "store", "file before store", "path", "other path"],
)
def test_helpers(tmp_path: Path, document: object, expected: str | None, asked: list[tuple[str, str]]) -> None:
    """The registry's helper goes before the file's own login, and that before the store; only one is asked."""
    (tmp_path / "config.json").write_text(json.dumps(document))
    helpers = Helpers(*([] if "none" in str(document) else [HOST]))
    login = DockerConfig.find({"DOCKER_CONFIG": str(tmp_path)}, helpers).login(HOST, "team/image")
    assert (login and login.username) == expected
    assert helpers.asked == asked


def test_the_helper_of_docker_hub(tmp_path: Path) -> None:
    """A helper is asked for Docker Hub by the address under which docker keeps that login."""
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {"docker.io": "a"}}))
    helpers = Helpers("https://index.docker.io/v1/")
    assert DockerConfig(tmp_path / "config.json", helpers).login("registry-1.docker.io", "library/a") is not None


class Source:
    """Logins for named hosts, and for whom it was asked."""

    def __init__(self, **logins: Login) -> None:
        self.logins = logins
        self.asked: list[str] = []

    def login(self, host: str, repository: str = "") -> Login | None:
        """The login that is named for this host."""
        assert repository in {"", "team/image"}
        self.asked.append(host)
        return self.logins.get(host)


def test_the_order_of_a_chain() -> None:
    """The first source with a login for the host wins, and those after it are not asked."""
    first, second, third = Source(a=Login("me", "1")), Source(a=Login("me", "2"), b=Login("me", "3")), Source()
    chain = Chain((first, second, third))
    assert [chain.login(host) for host in ("a", "b", "c")] == [Login("me", "1"), Login("me", "3"), None]
    assert [source.asked for source in (first, second, third)] == [["a", "b", "c"], ["b", "c"], ["c"]]


@given(st.lists(st.sets(st.sampled_from("ab")), max_size=4), st.sampled_from("abc"))
def test_any_chain(sources: list[set[str]], host: str) -> None:
    """A chain has what its first source with a login for that host has, and nothing where none has one."""
    chain = Chain(tuple(Source(**{h: Login(h, str(i)) for h in hosts}) for i, hosts in enumerate(sources)))
    having = [i for i, hosts in enumerate(sources) if host in hosts]
    assert chain.login(host) == (Login(host, str(having[0])) if having else None)


def test_a_source_that_cannot_be_read(tmp_path: Path) -> None:
    """A source that cannot be read ends the search: nothing that comes after it is used in its place."""
    broken, after = configured(tmp_path, {"credsStore": "desktop"}), Source(**{HOST: Login("me", SECRET)})
    with pytest.raises(CredentialsRefused, match="desktop"):
        Chain((Anonymous(), broken, after)).login(HOST)
    assert not after.asked


def test_a_login_does_not_show() -> None:
    """Neither user name nor password stand in the representation of a login, or of a chain that has it."""
    login = Login("me", SECRET, 1_800_000_000.0)
    assert repr(login) == "Login(expires=1800000000.0)"
    tokens = Login("me", SECRET, identity_token=SECRET, registry_token=SECRET)
    assert repr(tokens) == "Login(expires=None)"
    assert {SECRET, encoded()} <= set(tokens.secrets)
    assert SECRET not in repr(Chain((Source(a=login),)))
