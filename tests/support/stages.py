"""A whole run in memory: a clone, a registry, helm and a builder, a record and a log, and time that a test sets.

Use::

    world = World(tmp_path, release_inputs("seed"))
    document = world.run()
    assert world.tags() == {...}

Names are written out here as the naming schemes have them, so that tests do not take them from what they test.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest
import structlog
from structlog.testing import LogCapture

from runner.config.load import parse_config
from runner.config.settings import Options, resolve_settings
from runner.errors import ReleaseError
from runner.oci.name import Name
from runner.published.observed import Published, observe_name
from runner.report.record import Record, RecordDocument
from runner.run import pipeline, stages
from runner.run.inputs import Inputs
from runner.run.publish.copy import published_artifact
from runner.run.publish.layout import LayoutDestination
from runner.run.publish.registry import RegistryDestination
from runner.run.tools import Tools
from runner.session import Session
from runner.source.event import read_event
from runner.source.route import PresubmitPath, decide_route
from testbed.base_images import push
from testbed.memory.builder import MemoryBuilder
from testbed.memory.clone import Commit, History, MemoryClone
from testbed.memory.helm import MemoryHelm
from testbed.memory.lifetime import MemoryLifetime
from testbed.memory.registry import MemoryRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.oci.name import Repository
    from runner.report.console import Log
    from runner.source.route import Route
    from testbed.memory.registry import Content

OWNER = "aws-controllers-k8s"
PRODUCTION = "registry.example/ack"
COMMIT, RELEASED, PULLED = "a" * 40, "b" * 40, "c" * 40
"""HEAD of every run; what it follows, on stable the commit of a release; the head of a pull request merged into it."""

COMMITTED = datetime(2026, 8, 13, 23, 46, 38, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 12, 30, 15, tzinfo=UTC)
READS = ("check_access", "manifest", "tags", "has_blob", "read_blob", "download_blob")
WRITES = ("send_blob", "put_manifest")
"""The calls of a registry's client."""


@dataclass(frozen=True)
class Scheme:
    """The names of a preset, below the registry: ``v`` is what stands before the version in Chart.yaml."""

    v: str
    image: str
    charts: tuple[str, ...]
    stable: tuple[str, ...]

    def image_name(self, version: str = "1.2.3", service: str = "s3", registry: str = PRODUCTION) -> Name:
        """The image of a version."""
        return Name.parse(f"{registry}/{self.image.format(service=service, version=version)}")

    def chart_names(self, version: str = "1.2.3", service: str = "s3", registry: str = PRODUCTION) -> list[Name]:
        """The chart of a version, the primary name first."""
        texts = (template.format(service=service, version=version) for template in self.charts)
        return [Name.parse(f"{registry}/{text}") for text in texts]

    def stable_names(self, major: int = 1, service: str = "s3", registry: str = PRODUCTION) -> list[Name]:
        """The moving names, the primary one first."""
        texts = (template.format(service=service, major=major) for template in self.stable)
        return [Name.parse(f"{registry}/{text}") for text in texts]

    def release_names(self, version: str = "1.2.3", service: str = "s3", registry: str = PRODUCTION) -> list[Name]:
        """All names of a release, in the order in which they are written."""
        return [self.image_name(version, service, registry), *self.chart_names(version, service, registry)]


SCHEMES: Mapping[str, Scheme] = {
    "seed": Scheme(
        "v",
        "controller:{service}-v{version}",
        ("chart:{service}-v{version}", "{service}-chart:{version}"),
        ("chart:{service}-v{major}-stable", "{service}-chart:v{major}-stable"),
    ),
    "repo-per-service-v": Scheme(
        "v",
        "{service}-controller:v{version}",
        ("{service}-chart:v{version}",),
        ("{service}-chart:v{major}-stable",),
    ),
    "repo-per-service": Scheme(
        "",
        "{service}-controller:{version}",
        ("{service}-chart:{version}",),
        ("{service}-chart:v{major}-stable",),
    ),
}

every_scheme = pytest.mark.parametrize("scheme", SCHEMES)

CONFIGURATION = """\
registry: {production}
naming: {naming}
platforms: [linux/amd64, linux/arm64]
build: {{base_image: {base_image}, parallel: {parallel}}}
services:
"""


@dataclass(frozen=True)
class Asked:
    """What a run is asked for, and what the commit holds.

    Attributes:
        scheme: how charts name images; a key of SCHEMES.
        services: the version of each service's chart; several live in one repository.
        edits: files of HEAD in place of what is there, by path; None for one that is not there.
        naming: what jobs.yaml accepts, as YAML.
        options: what the command line gives.
        environment: the process's, beside what Prow sets.
        base_image: what images are built on.
        parallel: how many services are worked on at once.
        trailers: those of HEAD's message.
    """

    scheme: str = "seed"
    services: Mapping[str, str] = field(default_factory=lambda: {"s3": "1.2.3"})
    edits: Mapping[str, bytes | None] = field(default_factory=dict)
    naming: str = "[seed, repo-per-service-v, repo-per-service]"
    options: Options = field(default_factory=Options)
    environment: Mapping[str, str] = field(default_factory=dict)
    base_image: str = "scratch"
    parallel: int = 2
    trailers: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> Scheme:
        """How everything is named."""
        return SCHEMES[self.scheme]

    def release(self, version: str = "1.2.3", *, commit: str = COMMIT) -> Inputs:
        """The inputs of the push of a tag."""
        history = History({commit: self._commit(self.held())}, commit, tags={f"v{version}": commit})
        return self.inputs(history, f"v{version}")

    def proposed(
        self,
        *,
        tags: Mapping[str, Mapping[str, bytes]] | None = None,
        base: Mapping[str, bytes] | None = None,
        pull: str | None = None,
    ) -> Inputs:
        """The inputs of a plan of HEAD as its charts have it.

        Args:
            tags: what is held at tags that HEAD contains; none when left out.
            base: what the branch main holds, into which the change is merged; what HEAD holds when left out.
            pull: the number of the pull request; None where there is none.
        """
        at = {name: f"{number:040x}" for number, name in enumerate(tags or {}, 1)}
        commits = {at[name]: Commit(held) for name, held in (tags or {}).items()}
        commits[RELEASED] = Commit(self.held() if base is None else base, parents=tuple(at.values()))
        commits[PULLED] = Commit(self.held(), parents=(RELEASED,))
        commits[COMMIT] = replace(self._commit(self.held()), parents=(RELEASED, PULLED))
        history = History(commits, COMMIT, tags=at, branches={"main": COMMIT})
        said = {"PULL_BASE_SHA": RELEASED} | ({"PULL_NUMBER": pull, "PULL_PULL_SHA": PULLED} if pull else {})
        return replace(self, environment={**self.environment, **said}).inputs(history, "main", PresubmitPath())

    def stable(
        self,
        resolved: str = "1.3.0",
        *,
        commit: str = COMMIT,
        after: Sequence[str] = (),
        time: datetime = COMMITTED,
        chart_version: str | None = None,
    ) -> Inputs:
        """The inputs of a push to stable, whose charts name images of the versions in ``services``.

        Args:
            resolved: the release that HEAD follows.
            commit: HEAD.
            after: further commits that HEAD contains.
            time: when HEAD was committed.
            chart_version: in Chart.yaml; by default ``v<major>-stable``.
        """
        held = self.held(chart_version or f"v{resolved.partition('.')[0]}-stable")
        before = {one: Commit({}) for one in (RELEASED, *after)}
        history = History(
            {**before, commit: replace(self._commit(held), parents=tuple(before), time=time)},
            commit,
            tags={f"v{resolved}": RELEASED},
            branches={"stable": commit},
        )
        return self.inputs(history, "stable")

    def inputs(self, history: History, ref: str, route: Route | None = None) -> Inputs:
        """The inputs of the push of a ref to a repository with this history; ``route`` of a plan that is none."""
        environment = {
            "REPO_OWNER": OWNER,
            "REPO_NAME": self.repository,
            "PULL_BASE_REF": ref,
            **self.environment,
        }
        event = read_event(environment, presubmit=route is not None)
        config = parse_config(self.configuration.encode(), Path("config/jobs.yaml"))
        settings = resolve_settings(self.options, environment, config)
        clone = MemoryClone.of(history, ref=ref, sha=event.base_sha)
        return Inputs(event, config, settings, clone, route or decide_route(event, clone.head))

    @property
    def repository(self) -> str:
        """The repository's name."""
        return "community" if len(self.services) > 1 else f"{next(iter(self.services))}-controller"

    @property
    def source(self) -> str:
        """The repository's address, as annotations have it."""
        return f"https://github.com/{OWNER}/{self.repository}"

    @property
    def configuration(self) -> str:
        """What jobs.yaml says."""
        head = CONFIGURATION.format(
            production=PRODUCTION, naming=self.naming, base_image=self.base_image, parallel=self.parallel
        )
        several = ' {repo: community, path: "services/{service}"}' if len(self.services) > 1 else " {}"
        return head + "".join(f"  {service}:{several}\n" for service in self.services)

    def folder(self, service: str) -> str:
        """Where a service's files are, with a slash at the end where it is not the top."""
        return f"services/{service}/" if len(self.services) > 1 else ""

    def files(self, service: str, chart_version: str | None = None) -> dict[str, bytes]:
        """The files of a service at HEAD: a chart that names the image of the service's version, and a program."""
        version = self.services[service]
        image = self.names.image_name(version, service)
        chart = {
            "apiVersion": "v1",
            "name": f"{service}-chart",
            "version": chart_version or f"{self.names.v}{version}",
            "appVersion": f"{self.names.v}{version}",
        }
        folder = self.folder(service)
        return {
            f"{folder}helm/Chart.yaml": "".join(f"{key}: {value}\n" for key, value in chart.items()).encode(),
            f"{folder}helm/values.yaml": f"image:\n  repository: {image.repository}\n  tag: {image.tag}\n".encode(),
            f"{folder}helm/templates/deployment.yaml": b"kind: Deployment\n",
            f"{folder}cmd/controller/main.go": b"package main\n",
        }

    def held(self, chart_version: str | None = None) -> dict[str, bytes]:
        """All files of HEAD; ``chart_version`` is that of every chart, by default the version of its service."""
        files: dict[str, bytes | None] = {}
        for service in self.services:
            files |= self.files(service, chart_version)
        return {path: body for path, body in {**files, **self.edits}.items() if body is not None}

    def _commit(self, files: Mapping[str, bytes]) -> Commit:
        return Commit(files, time=COMMITTED, trailers=self.trailers)


class World:
    """One run of these inputs, and all that it works with.

    ``told`` are the lines of the log: level, event and values.

    Args:
        folder: an empty one for this run.
        inputs: what is asked for.
        registry: what is there already; empty when left out.
        now: when this run happens.
    """

    def __init__(
        self, folder: Path, inputs: Inputs, registry: MemoryRegistry | None = None, *, now: datetime = NOW
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.inputs = inputs
        self.registry = MemoryRegistry() if registry is None else registry.another()
        self.helm, self.builder = MemoryHelm(), MemoryBuilder()
        self.lifetime = MemoryLifetime()
        self._lines = LogCapture()
        self.record = Record(lambda _: None, clock=lambda: 0.0, now=lambda: now)
        log = structlog.wrap_logger(None, processors=[self._lines], wrapper_class=structlog.BoundLogger)
        self.session = Session({}, self.lifetime, no_program, self.record, cast("Log", log), folder / "work", None)
        to_layout = inputs.settings.to_layout
        destination = (
            RegistryDestination(self.registry, self.lifetime, log.info, written=self._written, clock=self.lifetime.now)
            if to_layout is None
            else LayoutDestination(to_layout, self.registry, written=self._written)
        )
        self.tools = Tools(
            **vars(self.session),
            registry=self.registry,
            helm=self.helm,
            builder=self.builder,
            destination=destination,
            now=lambda: now,
        )

    def run(self, *, only_plan: bool = False) -> RecordDocument:
        """Run the whole pipeline, and return the record as it is at the end."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipeline, "read_inputs", lambda *_: self.inputs)
            patch.setattr(stages, "open_tools", lambda *_, **__: self.tools)
            try:
                pipeline.release(Options(), self.session, only_plan=only_plan)
            except ReleaseError as error:
                self.record.fail(error)
        return self.record.close()

    @property
    def told(self) -> list[tuple[str, str, dict[str, Any]]]:
        """The lines of the log."""
        return [
            (line["log_level"], line["event"], {key: line[key] for key in line if key not in {"log_level", "event"}})
            for line in self._lines.entries
        ]

    def said(self, event: str) -> list[dict[str, Any]]:
        """The values of each line of an event."""
        return [values for _, found, values in self.told if found == event]

    def steps(self) -> list[tuple[str, str | None, str]]:
        """The record's steps: name, service, outcome."""
        return [(step.name, step.service, step.outcome) for step in self.record.document.steps]

    def contents(self) -> dict[Repository, Content]:
        """All that the registries hold."""
        return self.registry.contents()

    def tags(self) -> dict[str, str]:
        """The digest under every name that there is."""
        return tags_in(self.registry)

    def _written(self, name: Name, digest: str | None) -> None:
        self.record.written(str(name), digest)


def tags_in(registry: MemoryRegistry) -> dict[str, str]:
    """The digest under every name that there is."""
    return {
        f"{repository}:{tag}": digest
        for repository, content in registry.contents().items()
        for tag, digest in content.tags.items()
    }


def copy(registry: MemoryRegistry, source: Name, target: Name) -> None:
    """Let a name hold what another one holds."""
    found = observe_name(source, registry.another())
    assert isinstance(found, Published), f"{source} holds nothing"
    push(registry.another(), target.repository, target.tag, published_artifact(source, found, registry.another()))


def no_program(*_: object, **__: object) -> NoReturn:
    """What starts programs: none is started."""
    raise AssertionError("a program was started")


class Killed(BaseException):
    """The process is gone: nothing of the program sees this."""


def kill_at(registry: MemoryRegistry, number: int) -> None:
    """Let the process be gone when it is about to write for this time, counted from 0."""
    begun: list[None] = []

    def count() -> None:
        begun.append(None)
        if len(begun) > number:
            raise Killed

    for method in WRITES:
        registry.calls.intervene(method, count, times=None)


def at_call(registry: MemoryRegistry, number: int, act: Callable[[], object]) -> None:
    """Do something right before a call of this client, whichever it is, counted from 0."""
    begun: list[None] = []

    def count() -> None:
        begun.append(None)
        if len(begun) == number + 1:
            act()

    for method in (*READS, *WRITES):
        registry.calls.intervene(method, count, times=None)


def later(seconds: float = 3600.0) -> datetime:
    """A time after NOW."""
    return NOW + timedelta(seconds=seconds)
