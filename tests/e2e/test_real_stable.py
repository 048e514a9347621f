"""The real ``stable`` branches, as staging: refused before their image is there, published behind the former job's."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from runner.builders.archive import Member, write_layer
from runner.builders.elf import MACHINES, Elf
from runner.oci.credentials import DockerConfig
from runner.oci.name import Repository
from runner.oci.registry import Registry
from runner.oci.transport import Transport
from runner.runtime.lifetime import Lifetime
from testbed.base_images import AMD64, ARM64, DOCKER, OCI, Form, assemble, of_type, push
from testbed.executables import program
from testbed.faults.proxy import FaultProxy
from testbed.origin import clone_refs, push_environment
from testbed.paths import ROOT
from testbed.registry_clients import crane, crane_bytes, rendered_images
from testbed.release_harness import PROGRAM, Ended, go_environment, run_program
from tests.support.bundles import open_bundle
from tests.support.refusals import check_refusal
from tests.support.registry import crane_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.oci.artifact import Artifact
    from runner.oci.manifest import Platform

IMAGES = {"s3": "v0.1.4", "ecr": "v0.1.5"}
"""By service, the tag of the image that its branch's chart names."""
PROGRAM_PATH = "bin/controller"


@dataclass
class StagedBranch:
    """The branch of one controller, cloned as Prow does, and a registry that counts what is written to it."""

    service: str
    clone: Path
    workspace: Path
    environment: dict[str, str]
    proxy: FaultProxy

    @property
    def registry(self) -> str:
        """What is written to."""
        return f"{self.proxy.host}/staging"

    @property
    def image(self) -> str:
        """The image that must be there."""
        return f"{self.registry}/{self.service}-controller:{IMAGES[self.service]}"

    @property
    def stable(self) -> str:
        """The name that moves, as records have it here: without the host."""
        return f"staging/{self.service}-chart:v0-stable"

    def run(self) -> Ended:
        """Run the postsubmit with the checked-in configuration."""
        artifacts = self.workspace / "artifacts"
        shutil.rmtree(artifacts, ignore_errors=True)
        argv: list[str | Path] = [
            *(PROGRAM, "run", "--config", ROOT / "config" / "jobs.yaml"),
            *("--workspace", self.workspace, "--registry", self.registry),
        ]
        return run_program(*argv, env={**self.environment, "ARTIFACTS": str(artifacts)}, cwd=self.clone)

    def publish_image(self, layout: Artifact) -> None:
        """Put an image where the chart expects it, and forget the requests that this took."""
        repository, _, tag = self.image.rpartition(":")
        registry = Registry(Transport(Lifetime(60), {}), DockerConfig(None))
        push(registry, Repository.parse(repository), tag, layout)
        self.proxy.clear()


@pytest.fixture(params=sorted(IMAGES))
def staged(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StagedBranch]:
    service: str = request.param
    origin = open_bundle(service, tmp_path / "origin")
    sha = origin.resolve("refs/heads/stable")
    workspace = tmp_path / "workspace"
    clone = clone_refs(workspace, origin, "stable", sha)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "helm").symlink_to(require_tool("helm4"))
    environment = {
        **go_environment(),
        **push_environment(origin, "stable", sha),
        "PATH": f"{programs}:{go_environment()['PATH']}",
    }
    with crane_registry(tmp_path / "registry") as registry, FaultProxy(registry.host) as proxy:
        yield StagedBranch(service, clone, workspace, environment, proxy)


def former_image(folder: Path, form: Form, *platforms: Platform) -> Artifact:
    """An image as the former job made it: no annotations, and every config says amd64.

    One platform gives a plain manifest, several an index. The program of each is built for its true platform.
    """
    images = []
    for platform in platforms:
        layer = write_layer([Member(PROGRAM_PATH, program(MACHINES[platform.architecture]), mode=0o755)], folder)
        config = {
            **AMD64.document(),
            "config": {"Entrypoint": [f"/{PROGRAM_PATH}"], "User": "1000"},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
        }
        images.append((platform, config, of_type(layer.blob, form.layer)))
    return assemble(folder, images, form=form, single=len(platforms) == 1)


def machine_of(image: str, digest: str, folder: Path) -> int:
    """The machine for which the program in an image's manifest is built, read from the registry."""
    repository = image.rpartition(":")[0]
    manifest = json.loads(crane("manifest", "--insecure", f"{repository}@{digest}"))
    archive = folder / "layer.tar.gz"
    archive.write_bytes(crane_bytes("blob", "--insecure", f"{repository}@{manifest['layers'][0]['digest']}"))
    unpacked = subprocess.run(["tar", "-xzOf", archive, PROGRAM_PATH], check=True, capture_output=True, timeout=30)
    return Elf(unpacked.stdout).machine.number


def check_published(staged: StagedBranch, ended: Ended, folder: Path) -> None:
    """Check that the chart is at the moving name with one history, and that either helm gets the staged image."""
    assert (ended.code, ended.errors) == (0, []), ended.out
    assert ended.lines[-1].startswith(f"RELEASED: {staged.service} ")
    assert ended.record["staging"] is True
    assert ended.record["services"][0]["scheme"] == "repo-per-service-v"
    names = sorted(ended.actions, key=len)
    assert names[0] == staged.stable
    assert [name.startswith(f"{staged.stable}-2") for name in names] == [False, True]
    assert len(set(ended.digests.values())) == 1
    for helm in ("helm3", "helm4"):
        chart = f"{staged.registry}/{staged.service}-chart"
        images = rendered_images(chart, "v0-stable", require_tool(helm), folder)
        assert images == {staged.image}


def check_rerun(staged: StagedBranch, first: Ended) -> None:
    """Check that the same run once more writes nothing and finds the same."""
    staged.proxy.clear()
    again = staged.run()
    assert again.code == 0, again.out
    assert staged.proxy.writes == ()
    assert set(again.actions.values()) == {"skip"}
    assert again.digests[staged.stable] == first.digests[staged.stable]


def test_it_is_refused_while_its_image_is_not_there(staged: StagedBranch) -> None:
    """A real branch, whose image is not in the registry, is exit 4 with the image's name, and nothing is written."""
    ended = staged.run()
    check_refusal(ended, 4, "stable-image-absent", f"ERROR: {staged.image} ")
    assert staged.proxy.writes == ()
    assert staged.proxy.count("GET", rf"/{staged.service}-controller/manifests/") > 0


@pytest.mark.parametrize("form", [OCI, DOCKER], ids=["oci", "docker"])
def test_an_image_for_one_platform_is_enough(staged: StagedBranch, form: Form, tmp_path: Path) -> None:
    """Behind a plain amd64 manifest without annotations the chart is published, with a warning of the one platform."""
    staged.publish_image(former_image(tmp_path, form, AMD64))
    ended = staged.run()
    check_published(staged, ended, tmp_path)
    assert f"{staged.image} is for one platform only, linux/amd64" in ended.record["warnings"]
    check_rerun(staged, ended)


@pytest.mark.parametrize("form", [OCI, DOCKER], ids=["oci", "docker"])
def test_an_index_with_a_wrong_config_is_enough(staged: StagedBranch, form: Form, tmp_path: Path) -> None:
    """Behind an index whose arm64 config says amd64 the chart is published, with a warning of that config."""
    layout = former_image(tmp_path, form, AMD64, ARM64)
    staged.publish_image(layout)
    assert machine_of(staged.image, layout.children[1].digest, tmp_path) == MACHINES["arm64"].number
    ended = staged.run()
    check_published(staged, ended, tmp_path)
    assert f"{staged.image}: the config of linux/arm64 says linux/amd64" in ended.record["warnings"]
    check_rerun(staged, ended)


def test_an_index_with_a_child_that_is_gone_is_enough(staged: StagedBranch, tmp_path: Path) -> None:
    """Of the former job's index one platform must answer: the one that is gone is a warning."""
    layout = former_image(tmp_path, OCI, AMD64, ARM64)
    staged.publish_image(layout)
    gone = layout.children[1].digest
    staged.proxy.fail(404, code="MANIFEST_UNKNOWN", method="GET", path=rf"/manifests/{gone}")
    ended = staged.run()
    assert ended.code == 0, ended.out
    repository = staged.image.rpartition(":")[0]
    assert f"{staged.image}: {repository}@{gone} does not answer" in ended.record["warnings"]
