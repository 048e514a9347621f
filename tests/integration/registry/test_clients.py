"""What other clients log in to, with what they write and read: crane, both helms, and credential helpers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from runner.errors import CredentialsRefused
from runner.oci.credentials import DockerConfig
from runner.oci.helper import CredentialHelpers
from runner.oci.manifest import digest_of
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from testbed.token_server import Accounts, TokenServer
from tests.integration.registry.sample import MANIFEST, at, publish
from tests.support.registry import PASSWORD, USERNAME, docker_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.oci.artifact import Blob
    from testbed.registries import LocalRegistry
    from tests.integration.registry.sample import Connect


@pytest.fixture(scope="module", params=["basic", "tokens"])
def closed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """A registry that wants USERNAME and PASSWORD, as Basic credentials or for its token service."""
    folder = tmp_path_factory.mktemp("closed")
    if request.param == "basic":
        with docker_registry(folder / "registry", basic=True) as registry:
            yield registry
        return
    accounts = Accounts({USERNAME: PASSWORD}, rights={None: {}})
    with (
        TokenServer(accounts, folder / "certificate") as service,
        docker_registry(folder / "registry", tokens=service.trust()) as registry,
    ):
        yield registry


@pytest.fixture
def blobs(layer: Blob, config: Blob) -> tuple[Blob, ...]:
    """What MANIFEST is made of."""
    return layer, config


@dataclass(frozen=True)
class Client:
    """A client with a configuration of its own; ``file`` is where it keeps logins, which is Docker's config file."""

    program: Path
    folder: Path

    @property
    def file(self) -> Path:
        """Docker's config file."""
        return self.folder / "config.json"

    @property
    def config(self) -> DockerConfig:
        """The same file, as this project reads it."""
        return DockerConfig.find({"DOCKER_CONFIG": str(self.folder)})

    def run(self, *arguments: str | Path, stdin: str = "", path: str = "") -> str:
        """Run it to its end, and return what it printed."""
        environment = {
            "PATH": f"{path}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder),
            "HELM_REGISTRY_CONFIG": str(self.file),
        }
        argv = [self.program, *arguments]
        ran = subprocess.run(
            argv, env=environment, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


def crane(folder: Path) -> Client:
    return Client(require_tool("crane"), folder)


def test_crane(closed: LocalRegistry, connect: Connect, tmp_path: Path, layer: Blob, config: Blob) -> None:
    """What crane's login writes serves to publish, and crane reads with it what was published."""
    client = crane(tmp_path)
    client.run("auth", "login", closed.host, "--username", USERNAME, "--password-stdin", stdin=PASSWORD)
    repository = at(closed.host, "by/crane")
    publish(connect(client.config), repository, layer, config)
    assert client.run("digest", f"{repository}:v1").strip() == MANIFEST.digest
    client.run("copy", f"{repository}:v1", f"{repository}:v2")
    assert connect(client.config).tags(repository) == ("v1", "v2")


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_helm(closed: LocalRegistry, connect: Connect, tmp_path: Path, helm: str) -> None:
    """What helm's login writes serves to read the chart that helm has pushed with it."""
    client = Client(require_tool(helm), tmp_path)
    login = ("registry", "login", closed.host, "--username", USERNAME, "--password-stdin", "--plain-http")
    client.run(*login, stdin=PASSWORD)
    client.run("create", tmp_path / "widget-chart")
    client.run("package", tmp_path / "widget-chart", "--destination", tmp_path)
    [archive] = tmp_path.glob("*.tgz")
    client.run("push", archive, f"oci://{closed.host}/by/{helm}", "--plain-http")
    registry = connect(client.config)
    name, _, version = archive.name.removesuffix(".tgz").rpartition("-")
    repository = at(closed.host, f"by/{helm}/{name}")
    manifest = registry.manifest(repository, version)
    assert manifest is not None
    assert digest_of(archive.read_bytes()) in manifest.body.decode()
    with pytest.raises(CredentialsRefused, match="none are configured"):
        connect().manifest(repository, version)


HELPER = """\
#!{python}
import json, os, sys
with open({seen!r}, "a") as seen:
    json.dump([sys.argv[1:], server := sys.stdin.read().strip(), sorted(os.environ)], seen)
    seen.write("\\n")
if server != {server!r}:
    print("credentials not found in native keychain")
    sys.exit(1)
{act}
print(json.dumps({{"ServerURL": server, "Username": {username!r}, "Secret": {secret!r}}}))
"""


@dataclass(frozen=True)
class HelperProgram:
    """A credential helper that is on a PATH of its own, for one server; it writes down how it was asked."""

    folder: Path
    server: str

    def write(self, name: str, *, secret: str = PASSWORD, act: str = "", username: str = USERNAME) -> None:
        """Write it; ``act`` is what it does beside answering."""
        text = HELPER.format(
            python=sys.executable,
            seen=str(self.folder / "seen"),
            server=self.server,
            act=act,
            username=username,
            secret=secret,
        )
        program = self.folder / f"docker-credential-{name}"
        program.write_text(text)
        program.chmod(0o755)

    @property
    def seen(self) -> list[tuple[list[str], str, list[str]]]:
        """Each time that it was asked: its arguments, the server, and the names of its environment."""
        return [json.loads(line) for line in (self.folder / "seen").read_text().splitlines()]

    def config(self, document: object, **environment: str) -> DockerConfig:
        """Docker's config file with this content, and helpers in this environment beside PATH."""
        (self.folder / "config.json").write_text(json.dumps(document))
        inherited = {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}", **environment}
        helpers = CredentialHelpers(Children(Lifetime()).run, inherited)
        return DockerConfig.find({"DOCKER_CONFIG": str(self.folder)}, helpers)


@pytest.mark.parametrize("form", ["credHelpers", "credsStore"])
def test_a_helper(closed: LocalRegistry, connect: Connect, tmp_path: Path, blobs: tuple[Blob, ...], form: str) -> None:
    """A helper's login serves as it serves crane, which asks it with the same words; it is asked once for all."""
    program = HelperProgram(tmp_path, closed.host)
    program.write("store")
    document = {"credHelpers": {closed.host: "store"}} if form == "credHelpers" else {"credsStore": "store"}
    registry = connect(program.config(document))
    for path in ("by/helper", "by/another"):
        publish(registry, at(closed.host, path), *blobs)
    assert crane(tmp_path).run("digest", f"{closed.host}/by/helper:v1", path=str(tmp_path)).strip() == MANIFEST.digest
    ours, *cranes = [(words, server) for words, server, _ in program.seen]
    assert ours == (["get"], closed.host)
    assert cranes[-1] == ours
    assert all(words == ["get"] and server.startswith(closed.host) for words, server in cranes)


def test_a_helpers_environment(closed: LocalRegistry, connect: Connect, tmp_path: Path, layer: Blob) -> None:
    """The helper of a cloud gets the identity that it needs; nothing else of the run's environment reaches a helper."""
    marked = {
        "HOME": str(tmp_path),
        "DOCKER_CONFIG": str(tmp_path),
        "JOB_SPEC": "{}",
        "GITHUB_TOKEN": "marked",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/marked",
        "AWS_REGION": "x",
    }
    program = HelperProgram(tmp_path, closed.host)
    for name, expected in (("ecr-login", {"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION"}), ("other", set[str]())):
        program.write(name)
        registry = connect(program.config({"credHelpers": {closed.host: name}}, **marked))
        registry.send_blob(at(closed.host), layer)
        assert set(program.seen[-1][2]) - {"LC_CTYPE"} == {"PATH", "HOME", "DOCKER_CONFIG", *expected}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Helpers are given one second."""
    monkeypatch.setattr("runner.oci.helper.SECONDS", 1.0)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("print('hunter2'); print('hunter2', file=sys.stderr); sys.exit(3)", "failed with exit code 3"),
        ("os.kill(os.getpid(), 9)", "failed with exit code -9"),
        ("print('hunter2')", "did not answer with a user name and a secret"),
        ("import time; time.sleep(60)", "did not answer within 1 s"),
    ],
    ids=["fails", "is killed", "prints more", "hangs"],
)
@pytest.mark.usefixtures("impatient")
def test_a_helper_that_does_not_serve(
    closed: LocalRegistry, connect: Connect, tmp_path: Path, act: str, words: str
) -> None:
    """A helper that fails, hangs or prints something else is told by name, and nothing that it printed is."""
    program = HelperProgram(tmp_path, closed.host)
    program.write("store", act=act)
    with pytest.raises(CredentialsRefused, match=f"docker-credential-store {words}") as raised:
        connect(program.config({"credsStore": "store"})).tags(at(closed.host))
    assert "hunter2" not in f"{raised.value.cause} {raised.value.detail} {raised.value.__cause__!r}"
    assert PASSWORD not in raised.value.cause


def test_a_helper_that_is_not_there(closed: LocalRegistry, connect: Connect, tmp_path: Path) -> None:
    """A helper that is missing, or has no login for this registry, is told as that."""
    program = HelperProgram(tmp_path, "another.example")
    with pytest.raises(CredentialsRefused, match="docker-credential-store is not on PATH"):
        connect(program.config({"credsStore": "store"})).tags(at(closed.host))
    program.write("store")
    with pytest.raises(CredentialsRefused, match="none are configured for it"):
        connect(program.config({"credsStore": "store"})).tags(at(closed.host))
