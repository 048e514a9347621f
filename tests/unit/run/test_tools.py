"""What a run works with: opened by what was asked for, without doing anything yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner.config.aws import AwsSection
from runner.config.load import parse_config
from runner.config.settings import Options
from runner.errors import ConfigurationInvalid, UsageInvalid
from runner.oci.layout import INDEX
from runner.oci.name import Name
from runner.published.observed import ABSENT
from runner.run.publish.layout import LayoutDestination
from runner.run.publish.registry import RegistryDestination
from runner.run.tools import Tools, open_tools, reads_anonymously
from runner.runtime.process import Finished
from testbed.base_images import base_layout
from tests.support.stages import Asked, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.config.aws import AwsKind
    from runner.run.inputs import Inputs

NAME = Name.parse("registry.example/ack/controller:s3-v1.2.3")


@dataclass
class Programs:
    """Starts nothing, notes what would be started, and answers for it."""

    started: list[tuple[str, Path | None, Mapping[str, str]]] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,  # noqa: ARG002 - as where programs are started
        stdin: bytes | None = None,  # noqa: ARG002 - as above
        log: Path | None = None,
        seconds: float | None = None,  # noqa: ARG002 - as above
        limit: int | None = None,  # noqa: ARG002 - as above
    ) -> Finished:
        """Answer with a version of helm, or of go."""
        self.started.append((str(argv[0]), log, env))
        return Finished(tuple(map(str, argv)), 0, "v4.2.4" if "helm" in str(argv[0]) else "go1.26.1", "", 0.0)


def open_with(world: World, **session: Any) -> Tools:
    environment = {"DOCKER_CONFIG": "/nowhere"}
    return open_tools(world.inputs, replace(world.session, environment=environment, **session), only_plan=False)


def test_a_registry_is_where_artifacts_go(tmp_path: Path) -> None:
    """Without a layout folder artifacts go to the registry, and the record names no folder."""
    world = World(tmp_path, Asked().release())
    tools = open_with(world)
    assert isinstance(tools.destination, RegistryDestination)
    assert world.record.document.layout_folder is None
    assert tools.now().tzinfo is not None
    assert (tools.record, tools.log, tools.folder) == (world.record, world.session.log, world.session.folder)


def test_a_folder_is_where_artifacts_go(tmp_path: Path) -> None:
    """With a layout folder artifacts go there; the record names it, and each name that was written."""
    layout = tmp_path / "new" / "layout"
    world = World(tmp_path, Asked(options=Options(to_layout=layout)).release())
    world.run(only_plan=True)
    again = World(tmp_path / "again", world.inputs)
    again.record.set_entries("s3", world.record.document.entries)
    tools = open_with(again)
    assert isinstance(tools.destination, LayoutDestination)
    assert again.record.document.layout_folder == str(layout)
    assert not layout.exists(), "nothing is written yet"
    tools.destination.publish(base_layout(tmp_path / "image"), [(NAME, ABSENT)])
    tools.destination.finish()
    assert (layout / INDEX).exists()
    assert [entry.name for entry in again.record.document.entries if entry.written] == [str(NAME)]


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, below: str) -> None:
    """A layout folder that cannot be made is exit 2 at once, and the cause names what stands in its way."""
    (tmp_path / "file").touch()
    world = World(tmp_path / "run", Asked(options=Options(to_layout=tmp_path / "file" / below)).release())
    with pytest.raises(UsageInvalid, match=rf"--to-layout: .*file.* cannot be written, since {tmp_path}/file cannot"):
        open_with(world)


@pytest.mark.parametrize("artifacts", [True, False])
def test_programs_are_those_of_the_configuration(tmp_path: Path, *, artifacts: bool) -> None:
    """Helm and go are those of jobs.yaml, with the clone's environment; their output is kept beside the reports."""
    world = World(tmp_path, Asked().release())
    build = replace(world.inputs.config.build, helm="/opt/helm", go="/opt/go")
    clone = replace(world.inputs.clone, environment={"HOME": "/nowhere/home"})
    world.inputs = replace(world.inputs, config=replace(world.inputs.config, build=build), clone=clone)
    programs, folder = Programs(), tmp_path / "artifacts" if artifacts else None
    tools = open_with(world, run=programs.run, artifacts=folder)
    assert programs.started == [], "opening tools starts nothing"
    tools.helm.version()
    tools.builder.check()
    environments = [env for *_, env in programs.started]
    assert [(program, log) for program, log, _ in programs.started] == [
        (f"/opt/{tool}", folder and folder / f"{tool}-build-log.txt") for tool in ("helm", "go")
    ]
    assert all(env["HOME"] == "/nowhere/home" and "DOCKER_CONFIG" not in env for env in environments)


def hosts_of_aws(world: World, *, only_plan: bool = False) -> list[str]:
    session = replace(world.session, environment={"DOCKER_CONFIG": "/nowhere"})
    return [registry.host for registry in open_tools(world.inputs, session, only_plan=only_plan).aws]


def with_kind(asked: Asked, kind: AwsKind | None) -> Inputs:
    inputs = asked.release()
    return replace(inputs, config=replace(inputs.config, aws=AwsSection(kind=kind)))


@pytest.mark.parametrize("kind", ["ecr-public", "ecr"])
def test_registries_of_aws(tmp_path: Path, kind: AwsKind) -> None:
    """A registry that the configuration says is AWS's is asked as such; nobody is asked for anything yet."""
    assert hosts_of_aws(World(tmp_path, with_kind(Asked(), kind))) == ["registry.example"]


@pytest.mark.parametrize("only_plan", [False, True])
def test_catalog_that_is_not_there(tmp_path: Path, *, only_plan: bool) -> None:
    """Where AWS is to be asked for repositories, a run and its plan end for a missing catalog; nowhere else."""
    absent = ConfigurationInvalid("jobs.yaml:4: aws.catalog: no such file")

    def lacking(kind: AwsKind) -> World:
        inputs = with_kind(Asked(), kind)
        return World(tmp_path / kind, replace(inputs, config=replace(inputs.config, catalog_absent=absent)))

    with pytest.raises(ConfigurationInvalid, match="no such file"):
        hosts_of_aws(lacking("ecr-public"), only_plan=only_plan)
    assert hosts_of_aws(lacking("none"), only_plan=only_plan) == []


@pytest.mark.parametrize("kind", ["none", None])
def test_registry_that_is_not_aws(tmp_path: Path, kind: AwsKind | None) -> None:
    """Of any other registry AWS is not asked."""
    assert hosts_of_aws(World(tmp_path, with_kind(Asked(), kind))) == []


def test_plan_and_folder_without_aws(tmp_path: Path) -> None:
    """A plan and a run into a layout folder have no registry of AWS's, so that AWS is asked for nothing."""
    assert hosts_of_aws(World(tmp_path / "a", with_kind(Asked(), "ecr-public")), only_plan=True) == []
    into_a_folder = Asked(options=Options(to_layout=tmp_path / "layout"))
    assert hosts_of_aws(World(tmp_path / "b", with_kind(into_a_folder, "ecr-public"))) == []


def test_image_in_a_registry_of_aws(tmp_path: Path) -> None:
    """An image that the environment puts into another registry of AWS's needs that one, too."""
    private = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
    environment = {"DOCKER_REPOSITORY": f"{private}/ack/controller"}
    asked = Asked(options=Options(registry="127.0.0.1:5000/ack"), environment=environment)
    assert hosts_of_aws(World(tmp_path, with_kind(asked, "ecr-public"))) == ["127.0.0.1:5000", private]


@pytest.mark.parametrize(
    ("config", "host", "anonymous"),
    [
        ("", "public.ecr.aws", True),
        ("", "registry.example", False),
        ("aws: {kind: ecr-public}", "registry.example", True),
        ("aws: {kind: ecr-public}", "other.example", False),
        ("aws: {kind: none}", "public.ecr.aws", False),
        ("verify: {anonymous: false}", "public.ecr.aws", False),
        ("verify: {anonymous: true}", "registry.example", True),
        ("verify: {}", "public.ecr.aws", True),
    ],
)
def test_who_reads_without_credentials(config: str, host: str, *, anonymous: bool) -> None:
    """What ECR Public holds is read once more as its users do; jobs.yaml can ask for it elsewhere, or for none."""
    body = f"registry: registry.example/ack\nservices: {{s3: }}\n{config}\n".encode()
    assert reads_anonymously(host, parse_config(body, Path("jobs.yaml"))) is anonymous
