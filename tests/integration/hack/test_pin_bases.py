"""Digests of base images are written where a registry answers, and invented nowhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hack.pin_bases import NotPinned, default_files, main, open_registry, pin, registry_digest
from runner.oci.credentials import DockerConfig, Login
from runner.oci.name import Repository
from runner.oci.registry import Registry
from runner.oci.transport import Transport
from runner.runtime.lifetime import Lifetime
from testbed.base_images import AMD64, base_layout, push
from testbed.faults.proxy import FaultProxy
from testbed.token_server import Accounts, TokenServer
from tests.support.registry import PASSWORD, USERNAME, crane_registry, docker_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = """\
registry: registry.example/ack   # where to
build:
  base_image: {base}  # below the binary
services: {{s3: {{}}}}
"""
DOCKERFILE = "# A base.\nARG BASE={base}\n\nFROM ${{BASE}} AS base\nRUN true\n"


class Bases:
    """A registry with base images, and files that name them."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder = folder
        self.host = host
        self.registry = Registry(Transport(Lifetime(60), {}), DockerConfig.find({"HOME": str(folder)}))

    def push(self, name: str, **config: object) -> str:
        """Push an image ``REPOSITORY:TAG``, and return its digest."""
        path, _, tag = name.partition(":")
        layout = base_layout(self.folder / "blobs", (AMD64,), config=config)
        push(self.registry, Repository(self.host, path), tag, layout)
        return layout.root.digest

    def write(self, name: str, text: str, base: str) -> Path:
        """Write a file that names a base."""
        file = self.folder / name
        file.write_text(text.format(base=base))
        return file

    def digest(self, name: str) -> str:
        """What pin-bases asks."""
        with open_registry({"HOME": str(self.folder), "DOCKER_CONFIG": str(self.folder)}) as registry:
            return registry_digest(name, registry)


@pytest.fixture
def bases(tmp_path: Path) -> Iterator[Bases]:
    with crane_registry(tmp_path / "registry") as registry:
        yield Bases(tmp_path, registry.host)


def test_digests_are_written_beside_their_tags(bases: Bases) -> None:
    """Each tag gets the digest that its registry answers; every other byte and the file's rights stay."""
    nonroot, python = bases.push("nonroot:1.0"), bases.push("docker/python:3.14.0-slim", User="7")
    jobs = bases.write("jobs.yaml", JOBS, f"{bases.host}/nonroot:1.0")
    dockerfile = bases.write("Dockerfile", DOCKERFILE, f"{bases.host}/docker/python:3.14.0-slim")
    dockerfile.chmod(0o640)
    first, second = pin((jobs, dockerfile), bases.digest)
    assert jobs.read_text() == JOBS.format(base=f"{bases.host}/nonroot:1.0@{nonroot}")
    assert dockerfile.read_text() == DOCKERFILE.format(base=f"{bases.host}/docker/python:3.14.0-slim@{python}")
    assert dockerfile.stat().st_mode & 0o777 == 0o640
    assert str(first) == f"{jobs}: {bases.host}/nonroot:1.0@{nonroot} (was not pinned)"
    assert (second.digest, second.before) == (python, None)


def test_a_tag_that_moved_gets_its_new_digest(bases: Bases) -> None:
    """A pinned base is asked for again: the same digest stays, a new one takes its place."""
    before = bases.push("base:1.0")
    jobs = bases.write("jobs.yaml", JOBS, f"{bases.host}/base:1.0")
    pin((jobs,), bases.digest)
    [same] = pin((jobs,), bases.digest)
    assert str(same).endswith("(unchanged)")
    after = bases.push("base:1.0", User="8")
    assert before != after
    [moved] = pin((jobs,), bases.digest)
    assert (moved.digest, moved.before) == (after, before)
    assert jobs.read_text() == JOBS.format(base=f"{bases.host}/base:1.0@{after}")


@pytest.mark.parametrize("name", ["absent:1.0", "base:2.0"])
def test_a_tag_that_is_not_there_changes_nothing(bases: Bases, name: str) -> None:
    """One base without a digest is refused by name, and no file is changed, not even that of another base."""
    bases.push("base:1.0")
    files = (
        bases.write("Dockerfile", DOCKERFILE, f"{bases.host}/base:1.0"),
        bases.write("jobs.yaml", JOBS, f"{bases.host}/{name}"),
    )
    texts = [file.read_text() for file in files]
    with pytest.raises(NotPinned, match=f"{name}, so nothing was changed: its registry has no such tag"):
        pin(files, bases.digest)
    assert [file.read_text() for file in files] == texts


def test_a_registry_that_does_not_answer_changes_nothing(bases: Bases) -> None:
    """Where nobody answers, or with an error, no digest is written."""
    bases.push("base:1.0")
    with FaultProxy(bases.host) as proxy:
        proxy.fail(403)
        jobs = bases.write("jobs.yaml", JOBS, f"{proxy.host}/base:1.0")
        text = jobs.read_text()
        with pytest.raises(NotPinned, match=r"base:1\.0.*made by the test"):
            pin((jobs,), bases.digest)
    with pytest.raises(NotPinned, match=r"base:1\.0.*refused"):
        pin((jobs,), bases.digest)
    assert jobs.read_text() == text


def test_a_registry_that_wants_tokens(tmp_path: Path) -> None:
    """A base is read with the login of Docker's config file, and for nobody without one."""
    accounts = Accounts({USERNAME: PASSWORD}, rights={None: {}})
    with (
        TokenServer(accounts, tmp_path / "certificate") as service,
        docker_registry(tmp_path / "registry", tokens=service.trust()) as server,
    ):
        (tmp_path / "home" / ".docker").mkdir(parents=True)
        auth = Login(USERNAME, PASSWORD).basic.removeprefix("Basic ")
        config = json.dumps({"auths": {server.host: {"auth": auth}}})
        (tmp_path / "home" / ".docker" / "config.json").write_text(config)
        bases = Bases(tmp_path / "home", server.host)
        digest = bases.push("base:1.0")
        with open_registry({"HOME": str(tmp_path / "home")}) as registry:
            assert registry_digest(f"{server.host}/base:1.0", registry) == digest
        with open_registry({}) as registry, pytest.raises(NotPinned, match="none are configured"):
            registry_digest(f"{server.host}/base:1.0", registry)


@pytest.mark.parametrize("base", ["scratch", "oci:base", "registry.example/base"])
def test_a_base_without_a_tag_is_not_pinned(bases: Bases, base: str) -> None:
    """A file whose base has no tag is named, and nobody is asked for anything."""
    jobs = bases.write("jobs.yaml", JOBS, base)
    with pytest.raises(NotPinned, match=r"no base with a tag is named in .*jobs\.yaml"):
        pin((jobs,), bases.digest)


def test_the_project_names_bases_that_can_be_pinned() -> None:
    """Each file of the project that names a base is found, and has a tag to ask for."""
    asked: list[str] = []

    def stop(name: str) -> str:
        asked.append(name)
        raise NotPinned(name)

    with pytest.raises(NotPinned):
        pin(default_files(), stop)
    assert [file.name for file in default_files()][:2] == ["jobs.yaml", "Dockerfile"]
    assert asked


def test_the_command_says_what_it_did(bases: Bases, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints a line for each base; where one has no digest it prints why, and ends with 1."""
    digest = bases.push("base:1.0")
    jobs = bases.write("jobs.yaml", JOBS, f"{bases.host}/base:1.0")
    assert main([str(jobs)]) == 0
    assert capsys.readouterr().out == f"{jobs}: {bases.host}/base:1.0@{digest} (was not pinned)\n"
    absent = bases.write("Dockerfile", DOCKERFILE, f"{bases.host}/base:2.0")
    assert main([str(jobs), str(absent)]) == 1
    out, said = capsys.readouterr()
    assert out == ""
    assert said.startswith(f"pin-bases: no digest could be read for {bases.host}/base:2.0")
    assert main([str(bases.folder / "nowhere")]) == 1
