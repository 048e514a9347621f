"""What all services share before they are built: what is asked, in which order, and what its failure stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.errors import (
    BaseImageUnusable,
    CredentialsRefused,
    RegistryAnswerWrong,
    RegistryFailed,
    ReleaseError,
    RunEnded,
    ToolUnusable,
    UsageInvalid,
)
from runner.oci.name import Repository
from runner.report.record import SettingDocument
from runner.run.prerequisites import Prerequisites, check_prerequisites
from testbed.base_images import ARM64, BOTH, base_layout, push
from testbed.memory.calls import raising
from tests.support.stages import Asked, World

if TYPE_CHECKING:
    from pathlib import Path

BASE = Repository("registry.example", "base/static")
ON_BASE = Asked(base_image=f"{BASE}:1")


def check(world: World, *, build: bool) -> Prerequisites:
    return check_prerequisites(world.inputs, world.tools, build=build)


def test_nothing_is_built(tmp_path: Path) -> None:
    """Where nothing is built the builder's tool is not asked for, and the base image is not read."""
    world = World(tmp_path, ON_BASE.release())
    found = check(world, build=False)
    assert found.base is None
    assert (world.builder.calls.made, world.registry.calls.made) == ([], [])
    assert world.record.document.tools == {"helm": "4.2.4"}
    assert world.steps() == [("tools", None, "passed"), ("export", None, "passed")]


def test_something_is_built(tmp_path: Path) -> None:
    """Both tools' versions are recorded, and the base image as the digest that is built upon, beside other settings."""
    world = World(tmp_path, ON_BASE.release())
    layout = base_layout(tmp_path / "base")
    push(world.registry, BASE, "1", layout)
    setting = SettingDocument(value="x", origin="default")
    world.record.update(settings={"registry": setting})
    found = check(world, build=True)
    assert world.record.document.tools == {"helm": "4.2.4", "memory": "1.0.0"}
    assert world.steps() == [(name, None, "passed") for name in ("tools", "base image", "export")]
    assert not isinstance(found.base, ReleaseError)
    assert found.base is not None
    assert (found.base.digest, set(found.base.images)) == (layout.root.digest, set(BOTH))
    assert world.record.document.settings == {
        "registry": setting,
        "base image resolved": SettingDocument(value=f"{BASE}@{layout.root.digest}", origin="resolved when planning"),
    }


def test_source_is_head(tmp_path: Path) -> None:
    """What is compiled and packaged is what HEAD holds, in a folder of the run."""
    world = World(tmp_path, Asked(edits={"go.mod": b"module x\n"}).release())
    source = check(world, build=False).source
    assert source == world.tools.folder / "source"
    assert (source / "go.mod").read_bytes() == b"module x\n"
    assert (source / "helm" / "Chart.yaml").exists()


@pytest.mark.parametrize(
    ("tool", "build", "stops"), [("helm", False, True), ("builder", True, True), ("builder", False, False)]
)
def test_missing_tool(tmp_path: Path, tool: str, *, build: bool, stops: bool) -> None:
    """Without helm nothing goes on, and without the builder's tool nothing that builds; nothing is exported then."""
    world = World(tmp_path, Asked().release())
    error = ToolUnusable(f"no {tool}")
    calls, method = (world.helm.calls, "version") if tool == "helm" else (world.builder.calls, "check")
    calls.intervene(method, raising(error))
    if not stops:
        check(world, build=build)
        return
    with pytest.raises(ToolUnusable) as raised:
        check(world, build=build)
    assert raised.value is error
    assert world.steps() == [("tools", None, "failed")]
    assert not (world.tools.folder / "source").exists()


@pytest.mark.parametrize(
    "error",
    [RegistryFailed("no answer"), RegistryAnswerWrong("cut"), CredentialsRefused("401"), BaseImageUnusable("x")],
)
def test_base_image_that_cannot_be_used(tmp_path: Path, error: ReleaseError) -> None:
    """What is wrong with the base image is kept for those who need it; the step says why, and the run goes on."""
    world = World(tmp_path, ON_BASE.release())
    world.registry.calls.intervene("manifest", raising(error))
    found = check(world, build=True)
    assert found.base is error
    assert world.steps() == [("tools", None, "passed"), ("base image", None, "skipped"), ("export", None, "passed")]
    assert world.record.document.steps[1].reason == f"cannot be used: {error.cause}"
    assert "base image resolved" not in world.record.document.settings
    assert world.record.document.errors == (), "it is an error of services, not of the run"


def test_base_image_without_a_platform(tmp_path: Path) -> None:
    """A base image that lacks a platform of the configuration cannot be used."""
    world = World(tmp_path, ON_BASE.release())
    push(world.registry, BASE, "1", base_layout(tmp_path / "base", (ARM64,)))
    found = check(world, build=True)
    assert isinstance(found.base, BaseImageUnusable)
    assert "linux/amd64" in found.base.cause


@pytest.mark.parametrize("error", [UsageInvalid("malformed"), RunEnded("SIGTERM")])
def test_base_image_that_stops_the_run(tmp_path: Path, error: ReleaseError) -> None:
    """What is wrong with the whole run is raised there, and nothing is exported."""
    world = World(tmp_path, ON_BASE.release())
    world.registry.calls.intervene("manifest", raising(error))
    with pytest.raises(type(error)) as raised:
        check(world, build=True)
    assert raised.value is error
    assert world.steps()[-1] == ("base image", None, "failed")
    assert not (world.tools.folder / "source").exists()
