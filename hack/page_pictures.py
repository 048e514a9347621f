"""``make pages``: take the pictures of release.html that stand in the docs, of runs that were really made.

A sample controller is released to registries on this machine, once well and once with each exit code that a run can
end with. Each time ports differ, and with them commits and digests, and what was measured; all else is the same.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.browser import BrowserMissing, Theme, browser
from testbed.job_inputs import checkout_folder, clone_as_prow, prow_environment
from testbed.paths import BUILT, ROOT
from testbed.processes import ProgramFailed, end_on_signals, read, started
from testbed.registries import serve, serve_docker_registry
from testbed.sample_controller import make_repository

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping

    from testbed.processes import Argv
    from testbed.sample_controller import SampleRepository

SERVICE = "widget"
PAGES = ROOT / "docs" / "pages"
PROGRAM = Path(sys.executable).parent / "ack-release"
WITH_A_BUG = """
import runner.run.release
def observe(*_):
    return {}["platform"]
runner.run.release.Desired.observe = observe
from runner.__main__ import main
main()
"""
"""The runner with a mistake in one of its functions."""

NOBODY = "nobody:$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n"
COLD_SECONDS = 1.5
"""How long after its chart a run is certainly compiling, where the cache is empty."""

MARGIN = 24
"""What is left below the last element, in CSS pixels."""

BOTTOM = "((where) => document.querySelector(where).getBoundingClientRect().bottom + scrollY)"
CONFIGURATION = """\
registry: {registry}
naming: seed
platforms: [linux/amd64, linux/arm64]
build:
  base_image: scratch
  helm: {helm}
services:
  {service}: {{}}
"""


class PagesFailed(Exception):
    """A run did not end as it should, or a program is missing; the message says which."""


@dataclass(frozen=True)
class Picture:
    """A picture: of which run, in which theme, how many CSS pixels wide, and down to which element (None: the end)."""

    run: str
    theme: Theme = "light"
    width: int = 900
    until: str | None = "aside"


PICTURES: Mapping[str, Picture] = {
    "released": Picture("released", width=1600, until=None),
    "released-narrow": Picture("released", theme="dark", width=400, until="main > section"),
    "rerun": Picture("rerun", theme="dark", width=1280, until=".plan"),
    "stable": Picture("stable", width=1280, until=".plan"),
    **{f"exit-{code}": Picture(f"exit {code}") for code in range(1, 10)},
}
"""By the names of their files."""


@dataclass(frozen=True)
class SampleRuns:
    """Where runs are made: a repository, a registry, and what both need."""

    folder: Path
    repository: SampleRepository
    helm: Path

    def run(
        self,
        name: str,
        ref: str,
        *,
        code: int = 0,
        program: Argv = (PROGRAM,),
        registry: str | None = None,
        configuration: str = CONFIGURATION,
        extra: Mapping[str, str] | None = None,
        meanwhile: Callable[[subprocess.Popen[bytes], Path], None] = lambda *_: None,
    ) -> Path:
        """Make a run and return its page.

        Args:
            name: of the run.
            ref: what was pushed.
            code: how it has to end.
            program: the runner.
            registry: another one than the configuration's.
            configuration: jobs.yaml.
            extra: of the environment.
            meanwhile: given the run and its log, while it goes on.

        Raises:
            PagesFailed: it ended otherwise.
        """
        print(f"- {name}", flush=True)
        place = self.folder / name.replace(" ", "-")
        artifacts, temporary = place / "artifacts", place / "tmp"
        artifacts.mkdir(parents=True)
        temporary.mkdir()
        checkout = checkout_folder(place, self.repository)
        sha = clone_as_prow(self.repository, ref, checkout)
        jobs = place / "jobs.yaml"
        filled = configuration.format(registry=self.repository.registry, helm=self.helm, service=SERVICE)
        jobs.write_text(filled, encoding="utf-8")
        environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(temporary),
            **_go_caches(),
            **prow_environment(self.repository, ref, sha, artifacts=artifacts),
            **(extra or {}),
        }
        argv: Argv = [*program, "run", "--config", jobs, *(("--registry", registry) if registry else ())]
        log = place / "build-log.txt"
        with log.open("wb") as output, started(argv, env=environment, output=output, cwd=checkout) as child:
            meanwhile(child, log)
            ended = child.wait()
        if ended != code:
            raise PagesFailed(f"{name}: the run ended with {ended}, not {code}:\n{log.read_text(encoding='utf-8')}")
        return artifacts / "release.html"


def main() -> int:
    """Make all pictures; 0 when each run ended as it should."""
    end_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="ack-release-pages-") as temporary:
            take(make_runs(Path(temporary)), PAGES)
    except (PagesFailed, ProgramFailed, BrowserMissing) as error:
        print(f"\nThe pictures could not be made: {error}", file=sys.stderr)
        return 1
    print(f"drew {len(PICTURES)} pictures into {PAGES.relative_to(ROOT)}")
    return 0


def take(pages: Mapping[str, Path], target: Path) -> None:
    """Take every picture of these pages."""
    with browser() as chromium:
        for name, picture in PICTURES.items():
            chromium.show(pages[picture.run].as_uri(), width=picture.width, theme=picture.theme)
            end = chromium.value(f"{BOTTOM}('{picture.until}')") if picture.until else None
            chromium.picture(target / f"{name}.png", height=None if end is None else round(end) + MARGIN)


def make_runs(folder: Path) -> Mapping[str, Path]:
    """Make every run, and return the page of each.

    Raises:
        PagesFailed: one did not end as it should.
    """
    pages = {}
    with serve(_tool("crane"), folder / "registry") as registry:
        repository = make_repository(folder / "repository", service=SERVICE, registry=f"{registry.host}/ack")
        _make_refs(repository)
        sample = SampleRuns(folder, repository, _tool("helm4"))
        pages["released"] = sample.run("released", "v1.2.3")
        pages["rerun"] = sample.run("rerun", "v1.2.3")
        pages["stable"] = sample.run("stable", "stable")
        pages["exit 1"] = sample.run("exit 1", "v1.2.3", code=1, program=(sys.executable, "-c", WITH_A_BUG))
        misspelt = CONFIGURATION.replace("platforms:", "platform:")
        pages["exit 2"] = sample.run("exit 2", "v1.2.3", code=2, configuration=misspelt)
        pages["exit 3"] = sample.run("exit 3", "v1.3.0-rc.1", code=3)
        pages["exit 4"] = sample.run("exit 4", "v1.3.0", code=4)
        pages["exit 6"] = sample.run("exit 6", "v1.4.0", code=6)
        cold = {"GOCACHE": str(folder / "cold")}
        pages["exit 9"] = sample.run("exit 9", "v1.5.0", code=9, extra=cold, meanwhile=_abort)
        _move_tag(repository)
        pages["exit 5"] = sample.run("exit 5", "v1.2.3", code=5)
        with serve_docker_registry(_program("docker-registry"), folder / "guarded", accounts=NOBODY) as guarded:
            pages["exit 8"] = sample.run("exit 8", "v1.5.0", code=8, registry=f"{guarded.host}/ack")
    # The registry is gone now.
    pages["exit 7"] = sample.run("exit 7", "v1.5.0", code=7)
    return pages


def _make_refs(repository: SampleRepository) -> None:
    """Make what is pushed: a good release, the stable branch, and what cannot be released."""
    repository.stable("1.2.3")
    repository.git("tag", "v1.3.0-rc.1")
    wrong_tag = {"helm/values.yaml": lambda text: text.replace("widget-v1.3.0", "widget-v1.2.3")}
    repository.release("1.3.0", edits=wrong_tag)
    misspelt = {"cmd/controller/main.go": lambda text: text.replace("flag.Parse()", "flag.Prase()")}
    repository.release("1.4.0", edits=misspelt)
    repository.release("1.5.0")


def _move_tag(repository: SampleRepository) -> None:
    """Tag another commit with a version that is released already."""
    repository.git("tag", "--delete", "v1.2.3")
    repository.release("1.2.3", edits={"README.md": "# Another commit\n"})


def _abort(child: subprocess.Popen[bytes], log: Path) -> None:
    """End a run as Prow's abort does, in the middle of its compile."""
    while child.poll() is None and not re.search("step=chart ", log.read_text(encoding="utf-8")):
        time.sleep(0.05)
    time.sleep(COLD_SECONDS)
    for number in (signal.SIGINT, signal.SIGTERM):
        child.send_signal(number)


def _go_caches() -> Mapping[str, str]:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    caches: Mapping[str, str] = json.loads(read(["go", "env", "-json", "GOCACHE", "GOMODCACHE"], env=environment))
    return caches


def _tool(name: str) -> Path:
    with started([ROOT / "hack" / "build-tool", name], env=os.environ, output=sys.stdout.fileno()) as child:
        if child.wait() != 0:
            raise PagesFailed(f"{name} could not be built; the reason stands above")
    return BUILT / name


def _program(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise PagesFailed(f"{name} is not on PATH: apt-get install {name}")
    return Path(found)


if __name__ == "__main__":
    sys.exit(main())
