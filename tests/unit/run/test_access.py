"""What must be there before anything is built: credentials, repositories, and a registry that lets the run in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import pytest

from runner.config.catalog import Catalog, CatalogData, read_catalog
from runner.config.settings import Options
from runner.errors import (
    AwsFailed,
    AwsPermissionMissing,
    AwsSettingWrong,
    CredentialsRefused,
    RegistryFailed,
    ReleaseError,
)
from runner.oci.name import Repository
from runner.run.access import Planned, written_repositories
from runner.run.plan.model import Action, Entry, Kind, Plan
from testbed.memory.calls import raising
from tests.support.stages import PRODUCTION, SCHEMES, Asked, World, every_scheme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runner.aws.registry import AwsRegistry
    from runner.oci.name import Name
    from runner.run.inputs import Inputs

HOST = PRODUCTION.partition("/")[0]
CATALOG = b"""
image: {description: "image of {service}"}
chart: {description: "chart of {service}"}
shared_images: {description: all images}
shared_charts: {description: all charts}
"""


@dataclass
class Registries:
    """A registry of AWS's in memory; ``prepared`` is what it was asked for, by path."""

    host: str = HOST
    error: ReleaseError | None = None
    prepared: list[Mapping[str, CatalogData | None]] = field(default_factory=list)

    def prepare(self, repositories: Mapping[str, CatalogData | None]) -> None:
        """Remember, or fail."""
        self.prepared.append(repositories)
        if self.error is not None:
            raise self.error


@dataclass(frozen=True)
class Item:
    """One service's plan."""

    service: object
    plan: Plan


def catalog() -> Catalog:
    found, problems = read_catalog(CATALOG, ["s3"])
    assert not problems
    return cast("Catalog", found)


def planned(inputs: Inputs, kinds: Mapping[Kind, Sequence[Name]], action: Action = Action.PUBLISH) -> Planned:
    """The plan of the service s3 in which these names are all published."""
    entries = tuple(Entry(kind, name, action, "because") for kind, names in kinds.items() for name in names)
    return cast("Planned", Item(inputs.config.services["s3"], Plan("s3", entries)))


def described(inputs: Inputs, *plans: Planned) -> dict[str, str | None]:
    """The description of each repository that is written to, by its path."""
    found = written_repositories(inputs, plans)
    return {one.path: None if data is None else data.description for one, data in found.items()}


def with_catalog(inputs: Inputs) -> Inputs:
    return replace(inputs, config=replace(inputs.config, catalog=catalog()))


# --- which repositories, and what is said of them ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("seed", {"ack/controller": "all images", "ack/chart": "all charts", "ack/s3-chart": "chart of s3"}),
        ("repo-per-service", {"ack/s3-controller": "image of s3", "ack/s3-chart": "chart of s3"}),
        ("repo-per-service-v", {"ack/s3-controller": "image of s3", "ack/s3-chart": "chart of s3"}),
    ],
)
def test_repositories_of_a_release(scheme: str, expected: dict[str, str]) -> None:
    """A repository of one service is described for that service, and one of all services for all of them."""
    inputs = with_catalog(Asked(scheme).release())
    names = SCHEMES[scheme]
    plan = planned(inputs, {Kind.IMAGE: [names.image_name()], Kind.CHART: names.chart_names()})
    assert described(inputs, plan) == expected


@every_scheme
def test_repositories_of_a_move(scheme: str) -> None:
    """A move of stable needs the repositories of its charts, whose history stands in the same."""
    inputs = with_catalog(Asked(scheme).stable())
    names = SCHEMES[scheme].stable_names()
    assert described(inputs, planned(inputs, {Kind.CHART: names})) == {
        name.repository.path: "all charts" if name.repository.path == "ack/chart" else "chart of s3" for name in names
    }


def test_without_a_catalog() -> None:
    """Without a catalog nothing is said of any repository."""
    inputs = Asked().release()
    assert described(inputs, planned(inputs, {Kind.IMAGE: [SCHEMES["seed"].image_name()]})) == {"ack/controller": None}


@pytest.mark.parametrize("action", [Action.SKIP, Action.REFUSE])
def test_what_is_not_written(action: Action) -> None:
    """A name that is not written needs no repository."""
    inputs = Asked().release()
    assert described(inputs, planned(inputs, {Kind.IMAGE: [SCHEMES["seed"].image_name()]}, action)) == {}


def test_images_beside_charts() -> None:
    """A repository that holds images and charts is described by its images, whichever come first in the plan."""
    inputs = with_catalog(Asked("repo-per-service").release())
    name = SCHEMES["repo-per-service"].image_name()
    for kinds in ((Kind.IMAGE, Kind.CHART), (Kind.CHART, Kind.IMAGE)):
        plan = planned(inputs, {kind: [name] for kind in kinds})
        assert described(inputs, plan) == {"ack/s3-controller": "image of s3"}


def test_repository_of_a_staging_release() -> None:
    """In another registry's namespace, too, a repository of all services is told from a service's own."""
    options = Options(registry="127.0.0.1:5000/team/staging")
    inputs = with_catalog(Asked(options=options).release())
    names = SCHEMES["seed"].release_names(registry="127.0.0.1:5000/team/staging")
    plan = planned(inputs, {Kind.IMAGE: names[:1], Kind.CHART: names[1:]})
    assert described(inputs, plan) == {
        "team/staging/controller": "all images",
        "team/staging/chart": "all charts",
        "team/staging/s3-chart": "chart of s3",
    }


# --- in a run ---------------------------------------------------------------------------------------------------------


def world_with(folder: Path, registries: Registries, inputs: Inputs) -> World:
    world = World(folder, inputs)
    world.tools = replace(world.tools, aws=(cast("AwsRegistry", registries),))
    return world


def test_before_anything_is_built(tmp_path: Path) -> None:
    """Every repository that is written to is made sure of in one step, before anything is built."""
    registries = Registries()
    world = world_with(tmp_path, registries, with_catalog(Asked().release()))
    built: list[int] = []
    world.builder.calls.intervene("build", lambda: built.append(len(registries.prepared)))
    assert world.run().exit == 0
    [prepared] = registries.prepared
    assert set(prepared) == {"ack/controller", "ack/chart", "ack/s3-chart"}
    assert built == [1]
    names = [name for name, *_ in world.steps()]
    assert names.index("chart") < names.index("access") < names.index("build")
    assert names.count("access") == 1


def test_every_registry_is_asked_once(tmp_path: Path) -> None:
    """Each registry that is written to lets the run in before anything is built, whether it is AWS's or not."""
    world = World(tmp_path, Asked(services={"s3": "1.2.3", "sns": "1.2.3"}).release())
    assert world.run().exit == 0
    asked = [call.about for call in world.registry.calls.made if call.method == "check_access"]
    assert [repository.split("/")[0] for repository in asked] == [HOST]


def test_other_registries_of_aws(tmp_path: Path) -> None:
    """A registry of AWS's in which nothing is written is asked for nothing."""
    registries = Registries(host="public.ecr.aws")
    assert world_with(tmp_path, registries, Asked().release()).run().exit == 0
    assert registries.prepared == []


@pytest.mark.parametrize(
    "error",
    [AwsPermissionMissing("no"), AwsFailed("no answer"), AwsSettingWrong("no role")],
    ids=lambda error: error.code,
)
def test_aws_refuses(tmp_path: Path, error: ReleaseError) -> None:
    """Where AWS does not give what is needed, the run ends with its exit code, and nothing was built or written."""
    world = world_with(tmp_path, Registries(error=error), Asked(services={"s3": "1.2.3", "sns": "1.2.3"}).release())
    document = world.run()
    assert document.exit == error.exit_code
    assert [(one.code, one.service, one.step) for one in document.errors] == [(error.code, None, "access")]
    assert "build" not in {call.method for call in world.builder.calls.made}
    assert world.registry.writes == []


@pytest.mark.parametrize(
    "error", [CredentialsRefused("401"), RegistryFailed("no answer")], ids=lambda error: error.code
)
def test_registry_refuses(tmp_path: Path, error: ReleaseError) -> None:
    """A registry that does not let the run in ends it before anything is built."""
    world = World(tmp_path, Asked().release())
    world.registry.calls.intervene("check_access", raising(error), times=None)
    assert world.run().exit == error.exit_code
    assert "build" not in {call.method for call in world.builder.calls.made}
    assert world.steps()[-1] == ("access", None, "failed")


def test_nothing_to_publish(tmp_path: Path) -> None:
    """A run that has nothing to publish asks for no repository."""
    first = World(tmp_path / "first", Asked().release())
    assert first.run().exit == 0
    registries = Registries()
    second = World(tmp_path / "second", Asked().release(), first.registry)
    second.tools = replace(second.tools, aws=(cast("AwsRegistry", registries),))
    assert second.run().exit == 0
    assert registries.prepared == []
    assert "access" not in {name for name, *_ in second.steps()}


@pytest.mark.parametrize("into_a_folder", [True, False])
def test_neither_plan_nor_folder(tmp_path: Path, *, into_a_folder: bool) -> None:
    """A plan and a layout folder need no access: no registry is asked to let them in."""
    options = Options(to_layout=tmp_path / "layout") if into_a_folder else Options()
    registries = Registries()
    world = world_with(tmp_path / "run", registries, Asked(options=options).release())
    assert world.run(only_plan=not into_a_folder).exit == 0
    assert registries.prepared == []
    assert "check_access" not in {call.method for call in world.registry.calls.made}
    assert "access" not in {name for name, *_ in world.steps()}


def test_repositories_are_of_the_host_that_they_name() -> None:
    """A repository on another host than the registry's is nobody's shared repository."""
    inputs = with_catalog(Asked().release())
    name = replace(SCHEMES["seed"].image_name(), repository=Repository("other.example", "ack/controller"))
    assert described(inputs, planned(inputs, {Kind.IMAGE: [name]})) == {"ack/controller": "image of s3"}
