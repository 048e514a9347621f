"""The services that a run releases: chosen, recorded, and logged in the first line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.config.settings import Options
from runner.errors import NothingInTag, ServiceUnknown, UsageInvalid
from runner.report.record import ServiceDocument
from runner.run.services import select_services
from tests.support.stages import COMMIT, PULLED, Asked, World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

THREE = {"ecr": "1.2.3", "s3": "1.2.3", "sns": "1.0.0"}
STAGING = Options(registry="127.0.0.1:5000/staging")


def rows(world: World) -> dict[str, tuple[bool, str | None]]:
    """What the record says of each service."""
    return {row.name: (row.selected, row.version) for row in world.record.document.services}


def test_every_service_is_recorded(tmp_path: Path) -> None:
    """Those that the tag releases are returned, and every service of the repository is recorded, with the reason."""
    world = World(tmp_path, Asked(services=THREE).release())
    selected = select_services(world.inputs, world.session)
    assert [(one.service.name, one.version) for one in selected] == [("ecr", "1.2.3"), ("s3", "1.2.3")]
    assert world.record.document.services == (
        ServiceDocument(name="ecr", selected=True, version="1.2.3", reason="its chart has the tag's version"),
        ServiceDocument(name="s3", selected=True, version="1.2.3", reason="its chart has the tag's version"),
        ServiceDocument(name="sns", selected=False, reason="its chart has v1.0.0"),
    )
    assert world.steps() == [("select", None, "passed")]


def test_line_that_a_release_starts_with(tmp_path: Path) -> None:
    """The first line says which services, the ref, the commit, the path, the version and the registry."""
    world = World(tmp_path, Asked(services=THREE, options=STAGING).release())
    world.record.update(path="release", version="1.2.3")
    select_services(world.inputs, world.session)
    assert world.told == [
        (
            "info",
            "started",
            {
                "services": "ecr,s3",
                "ref": "v1.2.3",
                "pulls": None,
                "as_tag": None,
                "commit": COMMIT,
                "path": "release",
                "version": "1.2.3",
                "registry": "127.0.0.1:5000/staging",
            },
        )
    ]


def test_line_that_stable_starts_with(tmp_path: Path) -> None:
    """On stable the version is that of the release which is merged, and every service with a chart moves."""
    gone = {"services/sns/helm/Chart.yaml": None}
    world = World(tmp_path, Asked(services=THREE, edits=gone).stable("1.3.0"))
    world.record.update(path="stable", version="1.3.0")
    selected = select_services(world.inputs, world.session)
    assert [(one.service.name, one.version) for one in selected] == [("ecr", "1.3.0"), ("s3", "1.3.0")]
    [line] = world.said("started")
    assert (line["services"], line["ref"], line["path"], line["version"]) == ("ecr,s3", "stable", "stable", "1.3.0")
    assert world.record.document.version == "1.3.0"


@pytest.mark.parametrize(
    ("services", "recorded", "told"),
    [
        ({"ecr": "1.2.4", "s3": "1.2.4", "sns": "1.0.0"}, "1.2.4", "1.2.4"),
        ({"ecr": "1.2.4", "s3": "1.3.0", "sns": "1.0.0"}, None, "1.2.4,1.3.0"),
        ({"ecr": "1.0.0", "s3": "1.0.0", "sns": "1.0.0"}, None, None),
    ],
    ids=["one version", "two versions", "nothing"],
)
def test_versions_of_a_change(
    tmp_path: Path, services: Mapping[str, str], recorded: str | None, told: str | None
) -> None:
    """A change has a version in the record only where its services agree; the line has all; none is no error."""
    asked = Asked(services=services)
    world = World(tmp_path, asked.proposed(tags={"v1.0.0": asked.held()}, pull="7"))
    world.record.update(as_tag="from-chart", path="release")
    selected = select_services(world.inputs, world.session)
    assert world.record.document.version == recorded
    [line] = world.said("started")
    assert line["version"] == told
    assert (line["pulls"], line["as_tag"], line["ref"]) == ("7", "from-chart", "main")
    assert line["services"] == (",".join(one.service.name for one in selected) or "none")
    assert PULLED not in line.values()


def test_what_a_change_does_not_release(tmp_path: Path) -> None:
    """A change has a line for each service that it does not release, but for those that failed: they have errors."""
    asked = Asked(services=THREE, edits={"services/ecr/helm/Chart.yaml": b"a: ["})
    world = World(tmp_path, asked.proposed(tags={"v1.0.0": asked.held()}))
    select_services(world.inputs, world.session)
    reason = "v1.0.0 is already tagged, with this chart"
    assert world.said("not released") == [{"service": "sns", "reason": reason}]
    assert [error.service for error in world.record.document.errors] == ["ecr"]
    assert rows(world) == {"ecr": (False, None), "s3": (True, "1.2.3"), "sns": (False, None)}


def test_what_was_asked_for_and_is_not_released(tmp_path: Path) -> None:
    """A service that --service names and the tag does not release has a line, and is no error; others have none."""
    world = World(tmp_path, Asked(services=THREE, options=Options(services=("sns",))).release())
    assert select_services(world.inputs, world.session) == ()
    assert world.said("not released") == [{"service": "sns", "reason": "its chart has v1.0.0"}]
    assert world.said("started")[0]["services"] == "none"
    assert rows(world) == {"ecr": (False, None), "s3": (False, None), "sns": (False, None)}


def test_warnings_follow_the_first_line(tmp_path: Path) -> None:
    """What was warned of before anything could be logged is logged right after the first line."""
    world = World(tmp_path, Asked().release())
    world.record.warn("the work tree differs")
    select_services(world.inputs, world.session)
    assert [(level, event) for level, event, _ in world.told] == [
        ("info", "started"),
        ("warning", "warning"),
    ]
    assert world.said("warning") == [{"text": "the work tree differs"}]


def test_tag_that_releases_nothing(tmp_path: Path) -> None:
    """A tag that no chart has is exit 4; each service's row is recorded before, and nothing is started."""
    world = World(tmp_path, Asked(services={"s3": "1.0.0", "sns": "1.0.0"}).release())
    with pytest.raises(NothingInTag):
        select_services(world.inputs, world.session)
    assert rows(world) == {"s3": (False, None), "sns": (False, None)}
    assert world.steps() == [("select", None, "failed")]
    assert world.told == []


def test_service_that_is_unknown(tmp_path: Path) -> None:
    """A service that is asked for and not configured is exit 2."""
    world = World(tmp_path, Asked(options=Options(services=("nothing",))).release())
    with pytest.raises(ServiceUnknown):
        select_services(world.inputs, world.session)


IMAGE_OF_ONE = [
    {"DOCKER_REPOSITORY": "registry.example/ack/controller"},
    {"AWS_SERVICE_DOCKER_IMG": "registry.example/ack/controller:s3-v1.2.3"},
]


@pytest.mark.parametrize("environment", IMAGE_OF_ONE)
def test_one_image_for_several_services(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """Variables that name one image are exit 2 where several services are released; the cause names these."""
    world = World(tmp_path, Asked(services=THREE, environment=environment).release())
    with pytest.raises(UsageInvalid, match=r"v1\.2\.3 releases ecr, s3$"):
        select_services(world.inputs, world.session)
    assert world.steps() == [("select", None, "failed")]


@pytest.mark.parametrize("environment", IMAGE_OF_ONE)
@pytest.mark.parametrize("options", [Options(services=("s3",)), Options(services=("sns",))], ids=["one", "none"])
def test_one_image_for_one_service(tmp_path: Path, environment: Mapping[str, str], options: Options) -> None:
    """Variables that name one image are right where at most one service of the repository is released."""
    world = World(tmp_path, Asked(services=THREE, environment=environment, options=options).release())
    selected = select_services(world.inputs, world.session)
    assert [one.service.name for one in selected] == [name for name in options.services if name == "s3"]
