"""``make bench``: how long the runner takes when there is nothing to compile, beside a bare start of Python.

Everything is real, as in the demo: a repository that is git's, charts that helm renders, a registry on this machine,
and the runner started as Prow starts it. The figures of one call belong together: each round measures all of them, so
that a machine that is slow for a while is slow for all, and ratios to the bare start hold where milliseconds do not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.go import go_caches
from testbed.job_inputs import checkout_folder, clone_as_prow, prow_environment
from testbed.paths import BUILT, ROOT
from testbed.processes import ProgramFailed, end_on_signals, started
from testbed.registries import serve
from testbed.sample_controller import CONFIGURATION, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from testbed.processes import Argv
    from testbed.sample_controller import SampleRepository

PROGRAM = Path(sys.executable).with_name("ack-release")
RELEASED, UNRELEASED = "1.2.3", "1.3.0"
FIRST_LINE_NAMES = (b" ref=", b" commit=", b" services=")
DEFAULT_RUNS = 11


class BenchFailed(Exception):
    """A run that was to be measured did something else than it should; the message says what."""


@dataclass(frozen=True)
class Measure:
    """Something that is timed. ``target`` is what its median may be, in milliseconds; None where nothing is asked."""

    key: str
    title: str
    target: float | None = None


BARE = Measure("bare", "bare Python start")
FIRST_LINE = Measure("first_line", "`run`, to its first log line", 250)
PLAN_COMPLETE = Measure("plan_complete", "`plan` of a complete release", 600)
PLAN_FRESH = Measure("plan_fresh", "`plan` of a fresh release")
RERUN = Measure("rerun", "`run` of a complete release", 1000)
STABLE = Measure("stable", "`run` that moves stable", 1500)
MEASURES = (BARE, FIRST_LINE, PLAN_COMPLETE, PLAN_FRESH, RERUN, STABLE)

Samples = dict[Measure, float]
"""Milliseconds."""


@dataclass(frozen=True)
class Machine:
    """Where the figures come from."""

    cpu: str
    cores: int
    python: str
    kernel: str

    @classmethod
    def this(cls) -> Machine:
        """Describe this machine; its cores are those that this process may use."""
        names = [
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ]
        return cls(
            cpu=names[0] if names else platform.machine(),
            cores=len(os.sched_getaffinity(0)),
            python=platform.python_version(),
            kernel=f"{platform.system()} {platform.release()}",
        )

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} cores, Python {self.python}, {self.kernel}"


@dataclass(frozen=True)
class Figure:
    """The median of a measure in milliseconds, and how many bare starts of Python that is."""

    key: str
    title: str
    milliseconds: float
    ratio: float
    target: float | None

    @property
    def is_missed(self) -> bool:
        """Whether it is over its target."""
        return self.target is not None and self.milliseconds > self.target


def main() -> int:
    """Measure and print; 1 when a target is missed and ``--check`` was given, or nothing could be measured."""
    options = _parse()
    end_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="ack-release-bench-") as temporary:
            rounds = list(_measure(Path(temporary), options.runs))
    except (BenchFailed, ProgramFailed) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    figures = summarize(rounds)
    machine = Machine.this()
    if options.json:
        document = {
            "machine": asdict(machine),
            "runs": options.runs,
            "figures": [{**asdict(figure), "missed": figure.is_missed} for figure in figures],
        }
        print(json.dumps(document, indent=2))
    else:
        print("\n".join((markdown if options.markdown else table)(figures, machine, options.runs)))
    missed = [figure for figure in figures if figure.is_missed]
    if options.check and missed:
        for figure in missed:
            print(
                f"bench: {figure.title}: {figure.milliseconds:.0f} ms, over its target of {figure.target:.0f} ms",
                file=sys.stderr,
            )
        return 1
    return 0


def summarize(rounds: Sequence[Samples]) -> tuple[Figure, ...]:
    """Return the median of each measure, and its ratio to the median bare start."""
    medians = {measure: statistics.median(samples[measure] for samples in rounds) for measure in MEASURES}
    return tuple(
        Figure(measure.key, measure.title, median, median / medians[BARE], measure.target)
        for measure, median in medians.items()
    )


def table(figures: Sequence[Figure], machine: Machine, runs: int) -> Iterator[str]:
    """The figures as lines for a terminal."""
    yield f"{machine}; medians of {runs} runs"
    yield f"{'':32}{'ms':>7}{'bare':>9}{'target':>9}"
    for figure in figures:
        target = "" if figure.target is None else f"{figure.target:.0f}"
        verdict = "  MISSED" if figure.is_missed else ""
        title = figure.title.replace("`", "")
        yield f"{title:32}{figure.milliseconds:7.0f}{figure.ratio:9.1f}{target:>9}{verdict}"


def markdown(figures: Sequence[Figure], machine: Machine, runs: int) -> Iterator[str]:
    """The figures as a section of docs/benchmark.md."""
    yield f"{machine}; medians of {runs} runs."
    yield ""
    yield "| what | ms | bare starts | target, ms |"
    yield "|---|---:|---:|---:|"
    for figure in figures:
        target = "" if figure.target is None else f"≤ {figure.target:.0f}{' (missed)' if figure.is_missed else ''}"
        yield f"| {figure.title} | {figure.milliseconds:.0f} | {figure.ratio:.1f} | {target} |"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hack.bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=DEFAULT_RUNS, help="how often each is measured [%(default)s]")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON document")
    form.add_argument("--markdown", action="store_true", help="print the section of docs/benchmark.md")
    parser.add_argument("--check", action="store_true", help="end with 1 when a target is missed")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs is at least 1")
    return options


def _measure(folder: Path, runs: int) -> Iterator[Samples]:
    with started([ROOT / "hack" / "build-tool", "crane", "helm4"], env=os.environ, output=sys.stderr.fileno()) as child:
        if child.wait() != 0:
            raise BenchFailed("crane and helm4 could not be built; the reason stands above")
    with serve(BUILT / "crane", folder / "registry") as registry:
        repository = make_repository(folder / "repository", registry=f"{registry.host}/bench", version=RELEASED)
        repository.release(UNRELEASED)
        (folder / "jobs.yaml").write_text(
            CONFIGURATION.format(registry=repository.registry, helm=BUILT / "helm4"), encoding="utf-8"
        )
        complete, fresh = (Job.clone(folder, repository, f"v{version}") for version in (RELEASED, UNRELEASED))
        _say(f"release v{RELEASED}, which the runs find complete")
        complete.time("run", "tags written")
        for number in range(runs):
            _say(f"round {number + 1} of {runs}")
            repository.stable(RELEASED, edits={"README.md": f"Round {number}.\n"})
            stable = Job.clone(folder, repository, "stable")
            first_line, rerun = complete.time("run", "nothing to send")
            yield {
                BARE: _bare_start(),
                FIRST_LINE: first_line,
                PLAN_COMPLETE: complete.time("plan", "0 to publish, 3 to skip")[1],
                PLAN_FRESH: fresh.time("plan", "3 to publish, 0 to skip")[1],
                RERUN: rerun,
                STABLE: stable.time("run", "tags written")[1],
            }


@dataclass(frozen=True)
class Job:
    """What Prow has made before the runner starts: a clone, and the environment."""

    jobs_file: Path
    workspace: Path
    checkout: Path
    environment: Mapping[str, str]

    @classmethod
    def clone(cls, folder: Path, repository: SampleRepository, ref: str) -> Job:
        """Clone a tag or branch into a workspace of its own below ``folder``."""
        workspace = Path(tempfile.mkdtemp(prefix="job-", dir=folder))
        checkout = checkout_folder(workspace, repository)
        sha = clone_as_prow(repository, ref, checkout)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(workspace),
            "TMPDIR": str(folder),
            "LC_ALL": "C.UTF-8",
            **go_caches(),
            **prow_environment(repository, ref, sha, artifacts=workspace / "artifacts"),
        }
        return cls(folder / "jobs.yaml", workspace, checkout, environment)

    def time(self, command: str, last_words: str) -> tuple[float, float]:
        """Run a command of the runner; return the milliseconds to its first line, and to its end.

        Args:
            command: ``run`` or ``plan``.
            last_words: what its last line must say: proof that what was timed is what was meant.

        Raises:
            BenchFailed: it failed, its first line does not say what is released, or it did something else.
        """
        argv: Argv = [PROGRAM, command, "--workspace", self.workspace, "--config", self.jobs_file]
        began = time.perf_counter()
        with started(argv, env=self.environment, output=subprocess.PIPE, cwd=self.checkout) as child:
            if child.stdout is None:
                raise ValueError("the child's output is a pipe")
            first = child.stdout.readline()
            at_first = time.perf_counter()
            rest = child.stdout.read()
            code = child.wait()
            at_end = time.perf_counter()
        lines = (first + rest).decode().splitlines() or [""]
        said = "\n".join(lines)
        if code != 0:
            raise BenchFailed(f"ack-release {command} ended with {code}; it printed:\n{said}")
        if not all(name in first for name in FIRST_LINE_NAMES):
            raise BenchFailed(f"the first line of {command} does not say ref, commit and services; it printed:\n{said}")
        if last_words not in lines[-1]:
            raise BenchFailed(f"the last line of {command} does not say {last_words!r}; it printed:\n{said}")
        return (at_first - began) * 1000, (at_end - began) * 1000


def _bare_start() -> float:
    began = time.perf_counter()
    with started([sys.executable, "-c", "pass"], env={"PATH": os.environ["PATH"]}, output=subprocess.DEVNULL) as child:
        child.wait()
        return (time.perf_counter() - began) * 1000


def _say(text: str) -> None:
    print(f"- {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
