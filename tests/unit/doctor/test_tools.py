from __future__ import annotations

import io
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.config.load import BuildConfig
from runner.doctor.tools import engine, tools, version_of
from runner.errors import ToolUnusable
from runner.report.console import Outlet, open_log
from runner.report.record import Record
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Finished
from runner.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

BUILD = BuildConfig("go", "scratch", "go", "helm", 1)
SAID = {"git": "git version 2.39.5\n", "helm": "v4.2.4\n", "go": "go1.26.8\n"}


class Programs:
    """Programs that say these versions; one that says None is not there."""

    def __init__(self, **said: str | None) -> None:
        self.said = {**SAID, **said}

    def run(self, argv: Sequence[str | Path], **_: object) -> Finished:
        """Let a program say its version."""
        words = self.said[str(argv[0])]
        if words is None:
            raise FileNotFoundError(2, "No such file or directory")
        return Finished(tuple(map(str, argv)), 0, words, "", 0.0)


def session(programs: Programs) -> Session:
    log = open_log(Outlet(io.StringIO()), None)
    return Session({}, Lifetime(), programs.run, Record(lambda _: None), log, Path("/nowhere"), None)


def test_versions() -> None:
    """Each program is named with its version, and the builder with its name."""
    found = {finding.about: finding for finding in tools(session(Programs()), BUILD, "go")}
    assert {name: found[name].found.partition(" ")[0] for name in ("git", "helm", "go", "builder")} == {
        "git": "2.39.5",
        "helm": "4.2.4",
        "go": "1.26.8",
        "builder": "go",
    }
    assert {found[name].state for name in ("git", "helm", "go")} == {"good"}


def test_programs_that_are_missing_or_old() -> None:
    """A program that is missing, too old, or says nothing, fails a release with 2; the others are examined."""
    programs = Programs(git=None, helm="v3.2.0\n", go="hello\n")
    found = {finding.about: finding for finding in tools(session(programs), BUILD, "go")}
    for name, words in (("git", "cannot be started"), ("helm", "3.17 or newer"), ("go", "prints no version")):
        assert (found[name].state, found[name].exit) == ("bad", 2)
        assert words in found[name].found
        assert found[name].remedy
    assert tools(session(Programs(git="hello\n")), BUILD, "go")[0].state == "bad"


def test_a_program_elsewhere() -> None:
    """A program that jobs.yaml names by its path is told by its name, and with that path."""
    found = version_of("/opt/helm-4/helm", {"PATH": "/usr/bin"}, lambda: "4.2.4")
    assert (found.about, found.found) == ("helm", "4.2.4 at /opt/helm-4/helm")


def test_an_error_of_its_own() -> None:
    """What a program's check says is what is found."""

    def check() -> str:
        raise ToolUnusable("it is broken", remedy="Repair it.")

    found = version_of("go", {}, check)
    assert (found.found, found.remedy) == ("it is broken", "Repair it.")


def test_engines(tmp_path: Path) -> None:
    """An engine is noted where its socket is, and nobody needs one."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        found = engine("docker", {"DOCKER_HOST": f"unix://{path}"})
    assert str(path) in found.found
    absent = engine("docker", {"DOCKER_HOST": f"unix://{tmp_path}/none"})
    elsewhere = engine("docker", {"DOCKER_HOST": "tcp://engine.example:2375"})
    too_long = engine("docker", {"DOCKER_HOST": f"unix:///{'x' * 5000}"})
    assert "tcp://engine.example:2375 is not looked at" in elsewhere.found
    assert {found.state, absent.state, elsewhere.state, too_long.state} == {"note"}
    assert replace(found, found=absent.found) == absent
