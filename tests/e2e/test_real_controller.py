"""A real controller, released for real: s3-controller v1.10.0 for both platforms, its chart pulled with either helm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.git import GitRepository, git
from testbed.origin import clone_refs
from testbed.paths import ROOT
from testbed.registry_clients import crane, rendered_images
from testbed.release_harness import PROGRAM, Ended, go_environment, run_program
from testbed.sample_controller import PRODUCTION
from tests.support.bundles import open_bundle
from tests.support.registry import crane_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMPILE_SECONDS = 1200
"""A cold compile for two platforms takes minutes on a small machine."""


def release(workspace: Path, ref: str, config: Path, *options: str, helm: str = "helm4") -> Ended:
    """Run the program on the clone."""
    artifacts = workspace / f"artifacts-{ref}-{helm}"
    tools = workspace / f"bin-{helm}"
    tools.mkdir(exist_ok=True)
    (tools / "helm").unlink(missing_ok=True)
    (tools / "helm").symlink_to(require_tool(helm))
    environment = {
        **go_environment(),
        "TMPDIR": str(workspace),
        "PATH": f"{tools}:{go_environment()['PATH']}",
        "REPO_OWNER": "aws-controllers-k8s",
        "REPO_NAME": "s3-controller",
        "PULL_BASE_REF": ref,
        "ARTIFACTS": str(artifacts),
    }
    return run_program(
        *(PROGRAM, "run", "--config", config, "--base-image", "scratch", "--workspace", workspace),
        *options,
        env=environment,
        cwd=workspace,
        seconds=COMPILE_SECONDS,
    )


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    with crane_registry(tmp_path / "registry") as registry:
        yield registry.host


@pytest.mark.timeout(COMPILE_SECONDS * 2)
def test_s3_controller_is_released_as_staging_and_as_production(tmp_path: Path, host: str) -> None:
    """The real v1.10.0 is released as staging; a commit on top, whose chart names this registry, as production."""
    workspace = tmp_path / "workspace"
    origin = open_bundle("s3", tmp_path / "origin")
    folder = clone_refs(workspace, origin, "v1.10.0", origin.resolve("refs/tags/v1.10.0"))
    staged = release(workspace, "v1.10.0", ROOT / "config" / "jobs.yaml", "--registry", f"{host}/staging")
    assert staged.code == 0, staged.out
    assert staged.record["staging"] is True
    assert staged.digests.keys() == {"staging/s3-controller:1.10.0", "staging/s3-chart:1.10.0"}
    crane("validate", "--insecure", "--remote", f"{host}/staging/s3-controller:1.10.0")
    for helm in ("helm3", "helm4"):
        images = rendered_images(f"{host}/staging/s3-chart", "1.10.0", require_tool(helm), tmp_path)
        assert images == {f"{host}/staging/s3-controller:1.10.0"}

    for file in ("Chart.yaml", "values.yaml", "templates/NOTES.txt"):
        path = folder / "helm" / file
        path.write_text(path.read_text("utf-8").replace("1.10.0", "1.10.1").replace(PRODUCTION, f"{host}/ack"))
    GitRepository(folder).commit_all("Release v1.10.1 to a registry of its own")
    git(folder, "tag", "--annotate", "--message", "v1.10.1", "v1.10.1")
    git(folder, "checkout", "--quiet", "-b", "v1.10.1")
    config = tmp_path / "own.yaml"
    config.write_text(f"registry: {host}/ack\nservices:\n  s3: {{}}\n")
    released = release(workspace, "v1.10.1", config)
    assert released.code == 0, released.out
    assert released.record["staging"] is False
    crane("validate", "--insecure", "--remote", f"{host}/ack/s3-controller:1.10.1")
    index = json.loads(crane("manifest", "--insecure", f"{host}/ack/s3-controller:1.10.1"))
    for child in index["manifests"]:
        manifest = json.loads(crane("manifest", "--insecure", f"{host}/ack/s3-controller@{child['digest']}"))
        settings = json.loads(crane("blob", "--insecure", f"{host}/ack/s3-controller@{manifest['config']['digest']}"))
        assert settings["architecture"] == child["platform"]["architecture"]
        assert settings["config"]["User"] == "1000"
        assert settings["config"]["Entrypoint"] == ["/bin/controller"]
    again = release(workspace, "v1.10.1", config, helm="helm3")
    assert set(again.actions.values()) == {"skip"}
    assert again.digests == released.digests
