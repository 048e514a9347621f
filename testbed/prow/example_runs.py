"""Runs as an operator meets them, and Deck showing them: releases, a move of stable, checks, and what fails.

Everything is real but the pod: the runner, its registry, Prow's programs around it, the bucket, and Deck.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from runner.prow.generate.folder import write_folder
from testbed import registries
from testbed.paths import BUILT
from testbed.processes import read
from testbed.prow.deck import ADDRESS, of_folder, start_deck
from testbed.prow.documents import Place, generated_files, installation, jobs_yaml
from testbed.prow.images import PROGRAMS
from testbed.prow.job_without_pod import TIMEOUT_SECONDS, Trigger, run_job
from testbed.prow.servers import Servers
from testbed.prow.storage import serve as serve_storage
from testbed.sample_controller import make_repository, slow_to_compile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from testbed.sample_controller import Edit, SampleRepository

SERVICE = "widget"
VALUES = "helm/values.yaml"
FIRST_BUILD_ID = 2026112600001


@dataclass(frozen=True)
class ExampleRun:
    """A run: what started it, how long it may take, and where in its log it is aborted."""

    ref: str
    pull: int | None = None
    timeout: float = TIMEOUT_SECONDS
    abort_at: str | None = None


EXAMPLE_RUNS: Mapping[str, ExampleRun] = {
    "released": ExampleRun("v1.2.3"),
    "released before": ExampleRun("v1.2.3"),
    "stable moved": ExampleRun("stable"),
    "wrong image": ExampleRun("v1.3.0"),
    "does not compile": ExampleRun("v1.4.0"),
    "too slow": ExampleRun("v1.5.0", timeout=8),
    "aborted": ExampleRun("v1.5.0", abort_at="event=building"),
    "check passed": ExampleRun("main", pull=1),
    "check failed": ExampleRun("main", pull=2),
}
"""By what comes of them; they are made one after another."""


def make_example_repository(folder: Path, registry: str) -> SampleRepository:
    """Make the repository with every ref that an example needs."""
    repository = make_repository(folder, service=SERVICE, registry=registry)
    repository.stable("1.2.3")

    def other_image(values: Edit) -> str:
        assert isinstance(values, str)  # noqa: S101 - the text of a file that is there
        return re.sub(r"widget-v[0-9.]+", "widget-v1.2.3", values)

    repository.release("1.3.0", edits={VALUES: other_image})
    repository.release("1.4.0", edits={"cmd/controller/main.go": lambda text: text.replace("flag.Parse()", "Parse()")})
    repository.release("1.5.0", edits=slow_to_compile(12_000))
    _open_pull(repository, 1, "1.6.0", {})
    _open_pull(repository, 2, "1.6.0", {VALUES: other_image})
    return repository


def _open_pull(repository: SampleRepository, number: int, version: str, edits: Mapping[str, Edit]) -> None:
    """Open a pull request to main with the release artifacts of a version, and these edits."""
    repository.git("checkout", "--quiet", "-B", f"change-{number}", "refs/heads/main")
    repository.write_release(version)
    head = repository.commit(f"Release artifacts for release v{version}", edits)
    repository.git("update-ref", f"refs/pull/{number}/head", head)
    repository.git("checkout", "--quiet", "main")


@contextlib.contextmanager
def deck_with_example_runs(folder: Path, pages: Path, *, tools: Path = BUILT) -> Iterator[Mapping[str, str]]:
    """Make all runs, then run Deck until the end of the block; give the address of each run's page.

    Args:
        folder: an empty one.
        pages: what ``hack/build-deck-pages`` made.
        tools: the folder of built programs.

    Raises:
        PortTaken: a port of Deck's is taken.
        ServerFailed: Deck does not start.
        ProgramFailed: one of Prow's programs failed.
    """
    with (
        registries.serve(tools / "crane", folder / "registry") as registry,
        serve_storage(tools / "moto_server", folder / "storage") as storage,
        Servers(folder) as servers,
    ):
        repository = make_example_repository(folder / "repository", f"{registry.host}/ack")
        place = Place(
            registry=repository.registry,
            image="localhost/ack-release:local",
            utility_images={program: f"prow-{program}:local" for program in PROGRAMS},
            bucket=storage.address,
            repositories="https://github.com",
            deck=ADDRESS,
            cache=folder / "cache",
            cpus=2,
        )
        text = jobs_yaml(place, [SERVICE])
        (folder / "jobs.yaml").write_text(text, encoding="utf-8")
        generated = generated_files(text, folder / "jobs.yaml", place)
        write_folder(folder / "prowjobs", generated)
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump(installation(place, generated["deck.yaml"])), encoding="utf-8")

        environment = _environment(folder, tools)
        jobs = yaml.safe_load(generated[f"jobs/{repository.name}.yaml"])
        prowjobs = {}
        for number, (name, run) in enumerate(EXAMPLE_RUNS.items()):
            own = folder / name.replace(" ", "-")
            own.mkdir()
            [job] = next(iter(jobs["postsubmits" if run.pull is None else "presubmits"].values()))
            program = [Path(sys.executable).parent / "ack-release", *job["spec"]["containers"][0]["args"]]
            prowjobs[name] = run_job(
                Trigger(repository, run.ref, job["name"], str(FIRST_BUILD_ID + number), run.pull),
                [*program, "--config", folder / "jobs.yaml"],
                folder=own,
                tools=tools,
                storage=storage,
                environment=environment,
                decoration=job["decoration_config"],
                timeout=run.timeout,
                abort_at=run.abort_at,
            )
        data = folder / "data"
        data.mkdir()
        (data / "prowjobs.json").write_text(json.dumps({"items": list(prowjobs.values())}), encoding="utf-8")
        start_deck(
            servers,
            tools / "deck",
            pages,
            storage,
            of_folder(data),
            config=config,
            jobs=folder / "prowjobs" / "jobs",
        )
        servers.wait()
        yield {name: prowjob["status"]["url"] for name, prowjob in prowjobs.items()}


def _environment(folder: Path, tools: Path) -> Mapping[str, str]:
    """What the runner's image has, and a cache of Go that is not empty."""
    programs, temporary = folder / "bin", folder / "tmp"
    programs.mkdir()
    temporary.mkdir()
    (programs / "helm").symlink_to(tools.resolve() / "helm4")
    cache, modules = read(["go", "env", "GOCACHE", "GOMODCACHE"], env=os.environ).split()
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TMPDIR": str(temporary),
        "GOCACHE": cache,
        "GOMODCACHE": modules,
    }
