"""Whole runs: a registry that counts, a controller repository, and the program started as Prow starts it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selectolax.lexbor import LexborHTMLParser

from testbed.faults.proxy import FaultProxy
from testbed.go import go_caches
from testbed.job_inputs import checkout_folder, clone_as_prow, prow_environment
from testbed.programs import find_program
from testbed.registries import serve
from testbed.sample_controller import CONFIGURATION, SampleRepository, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROGRAM = Path(sys.executable).with_name("ack-release")
LIMIT_SECONDS = 240
IMAGE, CHART, ALIAS = "ack/controller:widget-v1.2.3", "ack/chart:widget-v1.2.3", "ack/widget-chart:1.2.3"
"""The names of what a release of the sample's first version writes."""


@cache
def go_environment() -> Mapping[str, str]:
    """Go's caches on this machine: runs share them, so that only the first one compiles the standard library."""
    go = find_program("go")
    return {**go_caches(go), "PATH": f"{go.parent}:{os.environ['PATH']}"}


@dataclass(frozen=True)
class Ended:
    """A run that came to its end, and what it left in its artifacts folder."""

    code: int
    out: str
    err: str
    artifacts: Path

    @property
    def lines(self) -> list[str]:
        """What it printed for the person at the Prow page."""
        return self.out.splitlines()

    @property
    def errors(self) -> list[str]:
        """The highlighted lines."""
        return [line for line in self.lines if line.startswith("ERROR:")]

    @property
    def record(self) -> dict[str, Any]:
        """record.json."""
        return self._json("record.json")

    @property
    def metadata(self) -> dict[str, Any]:
        """metadata.json."""
        return self._json("metadata.json")

    @property
    def junit(self) -> ET.Element:
        """junit_release.xml."""
        return ET.fromstring((self.artifacts / "junit_release.xml").read_text("utf-8"))  # noqa: S314 - our own file

    @property
    def page(self) -> LexborHTMLParser:
        """release.html."""
        return LexborHTMLParser((self.artifacts / "release.html").read_text("utf-8"))

    @property
    def plan(self) -> dict[str, Any]:
        """What ``plan --json`` printed."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def actions(self) -> dict[str, str]:
        """What the plan did with each name, by the name without its host."""
        return {entry["name"].partition("/")[2]: entry["action"] for entry in self.record["entries"]}

    @property
    def digests(self) -> dict[str, str]:
        """What each name holds, by the name without its host."""
        return {entry["name"].partition("/")[2]: entry["digest"] for entry in self.record["entries"]}

    def _json(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.artifacts / name).read_text("utf-8"))
        return document


@dataclass
class ReleaseHarness:
    """A repository, a registry behind a counting proxy, and a folder for the runs."""

    folder: Path
    repository: SampleRepository
    proxy: FaultProxy
    config: Path
    runs: int = field(default=0)
    program: Sequence[str | Path] = (PROGRAM,)

    @property
    def host(self) -> str:
        """The proxy's host and port."""
        return self.proxy.host

    def clone(self, ref: str) -> tuple[Path, str]:
        """Clone as clonerefs does into a new workspace; return it and PULL_BASE_SHA."""
        self.runs += 1
        workspace = self.folder / f"workspace-{self.runs}"
        return workspace, clone_as_prow(self.repository, ref, checkout_folder(workspace, self.repository))

    def environment(self, ref: str, sha: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a decorated postsubmit, with Go's caches."""
        artifacts = self.folder / f"artifacts-{self.runs}"
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            **go_environment(),
            "TMPDIR": str(temporary),
            **prow_environment(self.repository, ref, sha, artifacts=artifacts),
            **(extra or {}),
        }

    def run(
        self,
        ref: str,
        *options: str,
        command: str = "run",
        extra: Mapping[str, str] | None = None,
        config: Path | None = None,
        clone: tuple[Path, str] | None = None,
    ) -> Ended:
        """Clone, run to the end, and return what came of it."""
        with self.start(ref, *options, command=command, extra=extra, config=config, clone=clone) as running:
            return running.wait()

    @contextlib.contextmanager
    def start(
        self,
        ref: str,
        *options: str,
        command: str = "run",
        extra: Mapping[str, str] | None = None,
        config: Path | None = None,
        clone: tuple[Path, str] | None = None,
    ) -> Iterator[Running]:
        """Clone and start a run; it is killed at the end of the block if it still goes on."""
        workspace, sha = clone or self.clone(ref)
        environment = self.environment(ref, sha, extra)
        argv: list[str | Path] = [*self.program, command, "--config", config or self.config, *options]
        with start_program(*argv, env=environment, cwd=checkout_folder(workspace, self.repository)) as running:
            yield running


@dataclass(frozen=True)
class Running:
    """A run that goes on."""

    process: subprocess.Popen[str]
    artifacts: Path

    def wait(self, seconds: float = LIMIT_SECONDS) -> Ended:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=seconds)
        return Ended(self.process.returncode, out, err, self.artifacts)


def run_program(*argv: str | Path, env: Mapping[str, str], cwd: Path, seconds: float = LIMIT_SECONDS) -> Ended:
    """Run the program, or another that starts it, to its end."""
    with start_program(*argv, env=env, cwd=cwd) as running:
        return running.wait(seconds)


@contextlib.contextmanager
def start_program(*argv: str | Path, env: Mapping[str, str], cwd: Path) -> Iterator[Running]:
    """Start it with this environment, without the variables that are empty; it is killed at the end of the block."""
    with subprocess.Popen(
        argv,
        env={key: value for key, value in env.items() if value},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Running(process, cwd / (env.get("ARTIFACTS") or "artifacts"))
        finally:
            process.kill()


@contextlib.contextmanager
def open_harness(
    folder: Path, *, scheme: str = "seed", helm: str = "helm4", config: str = CONFIGURATION
) -> Iterator[ReleaseHarness]:
    """Make a harness whose production registry is a real one on this machine.

    Raises:
        ProgramMissing: crane, helm or go is not here.
    """
    with serve(find_program("crane"), folder / "registry") as registry, FaultProxy(registry.host) as proxy:
        address = f"{proxy.host}/ack"
        repository = make_repository(folder / "repository", registry=address, scheme=scheme)
        file = folder / "jobs.yaml"
        file.write_text(config.format(registry=address, helm=find_program(helm)), encoding="utf-8")
        yield ReleaseHarness(folder, repository, proxy, file)
