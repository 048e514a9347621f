"""``make demo``: release a sample controller to a registry on this machine, and show what was published.

Everything is real: the repository and its clones are git's, the image is compiled, the chart is helm's, and the
runner is started as Prow starts it. Nothing is left running. On disk are left the caches of Go, and what Go said where
tools had to be built.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hack.built_tool import ToolFailed, built_tool
from hack.terminal import Terminal
from testbed.go import go_caches
from testbed.job_inputs import checkout_folder, clone_as_prow, prow_environment
from testbed.paths import ROOT
from testbed.processes import ProgramFailed, end_on_signals, read, started
from testbed.registries import LocalRegistry, serve
from testbed.sample_controller import SampleRepository, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from testbed.processes import Argv

SERVICE = "widget"
VERSION = "1.2.3"
OLDEST_HELM = (3, 17)
LINE = 116
LOGS = ROOT / ".demo"
"""What Go says when tools are built."""

CONFIGURATION = """\
registry: {registry}
naming: seed
platforms: [linux/amd64, linux/arm64]
build:
  helm: {helm}
services:
  {service}: {{}}
"""


class DemoFailed(Exception):
    """Something did not come out as it should; the message says what."""


@dataclass(frozen=True)
class Demo:
    """What the steps of the demonstration share."""

    terminal: Terminal
    folder: Path
    helm: Path
    crane: Path
    registry: LocalRegistry
    repository: SampleRepository

    @property
    def environment(self) -> Mapping[str, str]:
        """What every program here gets: where programs are, and a home of its own."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "HELM_CACHE_HOME": str(home / "cache"),
            "HELM_CONFIG_HOME": str(home / "config"),
            "HELM_DATA_HOME": str(home / "data"),
        }


def main() -> int:
    """Run the demonstration; 0 when all came out as it should."""
    end_on_signals()
    began = time.monotonic()
    terminal = Terminal.of(sys.stdout, os.environ)
    try:
        with tempfile.TemporaryDirectory(prefix="ack-release-demo-") as temporary:
            _demonstrate(Path(temporary), terminal)
    except (DemoFailed, ProgramFailed, ToolFailed) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    terminal.say(f"\nDone in {time.monotonic() - began:.0f} s; nothing is left running.")
    return 0


def _demonstrate(folder: Path, terminal: Terminal) -> None:
    with terminal.step(f"helm and crane (what Go says of a first build is in {LOGS.relative_to(ROOT)})"):
        helm, crane = _find_helm(), _build("crane")
    with serve(crane, folder / "registry") as registry:
        with terminal.step(f"a controller repository with the tag v{VERSION} and the branch stable"):
            repository = make_repository(
                folder / "repository", service=SERVICE, registry=f"{registry.host}/demo", version=VERSION
            )
            repository.stable(VERSION)
        demo = Demo(terminal, folder, helm, crane, registry, repository)
        (folder / "jobs.yaml").write_text(
            CONFIGURATION.format(registry=repository.registry, helm=helm, service=SERVICE), encoding="utf-8"
        )

        release = _release(demo, f"v{VERSION}", f"tag v{VERSION}: image for two platforms, and chart")
        again = _release(demo, f"v{VERSION}", f"tag v{VERSION} once more: nothing is sent")
        stable = _release(demo, "stable", "branch stable: the chart alone")
        if again.writes:
            raise DemoFailed(f"the rerun sent {again.writes} write requests; it should send none")
        _show(demo, (release, again, stable))


@dataclass(frozen=True)
class Job:
    """A run of the runner: what it was for, its record, and the write requests that the registry had from it."""

    title: str
    record: Mapping[str, Any]
    writes: int


def _release(demo: Demo, ref: str, title: str) -> Job:
    number = len(list(demo.folder.glob("job-*"))) + 1
    place = demo.folder / f"job-{number}"
    artifacts = place / "artifacts"
    artifacts.mkdir(parents=True)
    caches = go_caches()
    with demo.terminal.step(title):
        checkout = checkout_folder(place, demo.repository)
        sha = clone_as_prow(demo.repository, ref, checkout)
        before = demo.registry.writes()
        environment = {
            **demo.environment,
            **caches,
            **prow_environment(demo.repository, ref, sha, artifacts=artifacts, build_id=str(number)),
        }
        argv: Argv = [
            *(Path(sys.executable).parent / "ack-release", "run", "--workspace", place),
            *("--config", demo.folder / "jobs.yaml", "--base-image", "scratch"),
        ]
        log = place / "build-log.txt"
        with log.open("wb") as output, started(argv, env=environment, output=output, cwd=checkout) as child:
            code = child.wait()
    printed = log.read_text(encoding="utf-8")
    if code != 0:
        raise DemoFailed(f"ack-release run ended with {code} for {ref}; it printed:\n{printed}")
    for line in printed.splitlines():
        if line.startswith("RELEASED:"):
            shown = textwrap.shorten(line, LINE, placeholder=" ...", break_on_hyphens=False)
            demo.terminal.say(f"  {demo.terminal.painted('good', shown)}")
    record = json.loads((artifacts / "record.json").read_text(encoding="utf-8"))
    return Job(title, record, demo.registry.writes() - before)


def _show(demo: Demo, jobs: Sequence[Job]) -> None:
    entries = {entry["name"]: entry for job in jobs for entry in job.record["entries"]}
    with demo.terminal.step("what the registry has, and what helm makes of the chart"):
        published = [
            (entry["kind"], name, _digest(demo, name, entry["digest"]), _platforms(demo, name))
            for name, entry in entries.items()
        ]
        image = next(name for kind, name, *_ in published if kind == "image")
        _crane(demo, "validate", "--remote", image)
        # helm pulls a chart only from a repository of the chart's own name.
        pulled = [_pull(demo, name, image) for name in entries if f"/{SERVICE}-chart:" in name]
    for title, rows in (
        ("Write requests that the registry had:", [(f"{job.writes:3}", job.title) for job in jobs]),
        ("Published:", published),
        (f"Pulled with helm {_helm_version(demo.helm)} and rendered:", pulled),
    ):
        demo.terminal.say()
        demo.terminal.say(title, "strong")
        for line in _table(rows):
            demo.terminal.say(line)


def _digest(demo: Demo, name: str, recorded: str) -> str:
    digest = _crane(demo, "digest", name)
    if digest != recorded:
        raise DemoFailed(f"the registry has {digest} under {name}; the record says {recorded}")
    return digest


def _crane(demo: Demo, command: str, *arguments: str) -> str:
    return read([demo.crane, command, "--insecure", *arguments], env=demo.environment)


def _platforms(demo: Demo, name: str) -> str:
    manifest = json.loads(_crane(demo, "manifest", name))
    platforms = [child["platform"] for child in manifest.get("manifests", ())]
    return ", ".join(f"{platform['os']}/{platform['architecture']}" for platform in platforms)


def _pull(demo: Demo, name: str, image: str) -> tuple[str, str]:
    """Pull a chart by its tag, render it, and return its name and the image that its workload runs."""
    reference, _, tag = name.rpartition(":")
    folder = Path(tempfile.mkdtemp(dir=demo.folder))
    read(
        [demo.helm, "pull", f"oci://{reference}", "--version", tag, "--plain-http", "--destination", folder],
        env=demo.environment,
    )
    (archive,) = folder.iterdir()
    rendered = read([demo.helm, "template", SERVICE, archive], env=demo.environment)
    images = set(re.findall(r"^\s*image: (\S+)$", rendered, re.MULTILINE))
    if images != {image}:
        raise DemoFailed(f"the chart {name} deploys {sorted(images)}, not {image}")
    return name, f"deploys {image}"


def _find_helm() -> Path:
    found = shutil.which("helm")
    if found and (version := _helm_version(Path(found))) and _numbers(version) >= OLDEST_HELM:
        return Path(found)
    return _build("helm4")


def _helm_version(helm: Path) -> str:
    try:
        return read([helm, "version", "--template", "{{.Version}}"], env={"PATH": os.environ["PATH"], "HOME": "/"})
    except (OSError, ProgramFailed):
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _build(tool: str) -> Path:
    return built_tool(tool, LOGS / f"build-{tool}.log")


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the cells of each column below one another."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


if __name__ == "__main__":
    sys.exit(main())
