from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from runner.doctor.access import base, from_docker, probe, reading, until, whose, writing
from runner.errors import BaseImageUnusable, CredentialsRefused, RegistryFailed, RunEnded
from runner.oci.credentials import Login
from runner.oci.name import Repository
from runner.report.console import Outlet, open_log
from runner.report.record import Record
from runner.runtime.lifetime import Lifetime
from runner.session import Session
from testbed.base_images import base_layout, push
from testbed.memory.calls import raising
from testbed.memory.registry import MemoryRegistry
from tests.support.releases import config_of

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Repository("registry.example", "ack/s3-controller")


class Unreadable(MemoryRegistry):
    """A registry that answers whoever has no login with an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def without_credentials(self) -> MemoryRegistry:
        """A client whose reads of tags end with that error."""
        other = self.another()
        other.calls.intervene("tags", raising(self.error), when="instead", times=None)
        return other


def no_program(*_: object, **__: object) -> NoReturn:
    raise AssertionError("no program is started")


def session(docker: Path | None) -> Session:
    environment = {} if docker is None else {"DOCKER_CONFIG": str(docker)}
    log = open_log(Outlet(io.StringIO()), None)
    return Session(environment, Lifetime(), no_program, Record(lambda _: None), log, Path("/nowhere"), None)


def test_what_is_asked_about() -> None:
    """The repository of the first service's images is asked about, in the registry that is published to."""
    config = config_of()
    assert probe(config, config.registry) == HERE
    assert probe(replace(config, services={}), config.registry) is None


def test_reading() -> None:
    """A registry that everybody can read is good, one that asks for a login noted, one that is away fails a release."""
    assert reading(MemoryRegistry(), HERE).state == "good"
    private = reading(Unreadable(CredentialsRefused("log in")), HERE)
    assert (private.state, private.exit) == ("note", 0)
    away = reading(Unreadable(RegistryFailed("no answer")), HERE)
    assert (away.state, away.exit, away.found) == ("bad", 7, "no answer")


def test_writing() -> None:
    """A login that is refused fails a release with 8; nothing is written to find out."""
    registry = MemoryRegistry()
    for has_login, words in ((True, "takes it"), (False, "wants none")):
        found = writing(registry, HERE, has_login=has_login)
        assert found is not None
        assert (found.state, words in found.found) == ("good", True)
    registry.calls.intervene("check_access", raising(CredentialsRefused("expired")), when="instead", times=None)
    refused = writing(registry, HERE, has_login=True)
    assert refused is not None
    assert (refused.state, refused.exit) == ("bad", 8)
    assert writing(registry, HERE, has_login=False) is None
    assert registry.writes == []


def docker_config(folder: Path, document: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return folder


def test_login_of_docker(tmp_path: Path) -> None:
    """Whose login it is, and in which file, but never a secret; a token is called one."""
    secret = base64.b64encode(b"robot:correct horse").decode()
    config = docker_config(tmp_path, {"auths": {"registry.example": {"auth": secret}}})
    found = from_docker(session(config), HERE)
    assert (found.state, found.found) == ("good", f"robot from {config}/config.json")
    config = docker_config(tmp_path, {"auths": {"registry.example": {"identitytoken": "very-secret"}}})
    found = from_docker(session(config), HERE)
    assert found.found == f"a token from {config}/config.json"


def test_no_login(tmp_path: Path) -> None:
    """No login is a warning with a remedy, since plan does without; for a registry on this machine it is a note."""
    config = docker_config(tmp_path, {})
    missing = from_docker(session(config), HERE)
    assert (missing.state, missing.exit) == ("warning", 0)
    assert "plan" in missing.remedy
    assert from_docker(session(None), HERE).state == "warning"
    assert from_docker(session(config), Repository("127.0.0.1:5000", "x")).state == "note"


def test_a_file_that_is_broken(tmp_path: Path) -> None:
    """Credentials that cannot be read fail a release with 8, and the file is named."""
    found = from_docker(session(docker_config(tmp_path, "{")), HERE)
    assert (found.state, found.exit) == ("bad", 8)
    assert str(tmp_path) in found.found


def test_base_image(tmp_path: Path) -> None:
    """A base image that is there is named by its digest; one that is not fails a release with 6."""
    config, registry = config_of(), MemoryRegistry()
    image = base_layout(tmp_path)
    push(registry, Repository("registry.example", "base"), "v1", image)
    found = base(registry, "registry.example/base:v1", config)
    assert (found.state, found.found) == ("good", f"registry.example/base@{image.root.digest}")
    missing = base(registry, "registry.example/base:v2", config)
    assert (missing.state, missing.exit) == ("bad", BaseImageUnusable.exit_code)


@pytest.mark.parametrize("ask", ["reading", "writing", "base"])
def test_a_signal(ask: str) -> None:
    """The end of the command is nobody's finding."""
    registry = Unreadable(RunEnded("the run was ended"))
    for method in ("check_access", "manifest"):
        registry.calls.intervene(method, raising(RunEnded("the run was ended")), when="instead", times=None)
    asked: dict[str, Callable[[], object]] = {
        "reading": lambda: reading(registry, HERE),
        "writing": lambda: writing(registry, HERE, has_login=True),
        "base": lambda: base(registry, "registry.example/base:v1", config_of()),
    }
    with pytest.raises(RunEnded):
        asked[ask]()


def test_words() -> None:
    """Until when a login is good is told in UTC, and not at all where it does not end."""
    assert until(None) == ""
    assert until(1_800_000_000) == ", until 2027-01-15 08:00 UTC"
    assert whose(Login("robot", "secret")) == "robot"
    assert whose(Login("", "", registry_token="x")) == "a token"  # noqa: S106 - nobody's token
