"""A release copied between real registries, and into a folder that other tools read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runner.oci.credentials import Anonymous
from runner.oci.name import Name
from runner.oci.referrers import Referrers
from runner.oci.registry import Registry
from runner.oci.transport import Transport
from runner.runtime.lifetime import Lifetime
from testbed.attachments import attached_to
from testbed.paths import ROOT
from testbed.registries import serve_referrers_registry
from testbed.release_harness import PROGRAM
from tests.support.pages import commands_of
from tests.support.registry import crane_registry, docker_registry
from tests.support.releases import config_of, publish_release
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.registries import LocalRegistry
    from tests.support.releases import Released


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Transport(Lifetime(), {}) as transport:
        yield Registry(transport, Anonymous())


@pytest.fixture
def source(tmp_path: Path) -> Iterator[LocalRegistry]:
    """A registry that lists what is attached."""
    with serve_referrers_registry(require_tool("registry"), tmp_path / "source") as server:
        yield server


@pytest.fixture
def jobs(tmp_path: Path, source: LocalRegistry) -> Path:
    path = tmp_path / "jobs.yaml"
    path.write_text(f"registry: {source.host}/ack\nnaming: repo-per-service\nservices: {{s3: }}\n", encoding="utf-8")
    return path


@pytest.fixture
def released(tmp_path: Path, registry: Registry, source: LocalRegistry) -> Released:
    """A release with stable, a signature of its index and an SBOM of a child."""
    released = publish_release(tmp_path, registry, config_of(f"{source.host}/ack"), stable=True)
    repository = released.image_name.repository
    for subject, text in ((released.image.root, "signature"), (released.image.children[0], "sbom")):
        attached = attached_to(tmp_path / text, subject, text)
        for blob in attached.blobs:
            registry.send_blob(repository, blob)
        registry.put_manifest(repository, attached.root.digest, attached.root)
    return released


def mirror(jobs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runner", "mirror", "s3", "v1.2.3", "--config", str(jobs), *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(jobs.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("kind", ["crane", "docker"])
def test_between_registries(tmp_path: Path, registry: Registry, jobs: Path, released: Released, kind: str) -> None:
    """Another maker's registry, which lists no attachments itself, gets all of it with equal digests, once."""
    serve = {"crane": crane_registry, "docker": docker_registry}[kind]
    with serve(tmp_path / "target") as target:
        to = f"{target.host}/mirror/of"
        planned = mirror(jobs, "--to", to, "--stable", "--dry-run")
        assert planned.returncode == 0, planned.stderr
        assert registry.tags(Name.parse(f"{to}/s3-chart:x").repository) == ()
        assert mirror(jobs, "--to", to, "--stable").returncode == 0
        for name, artifact in (
            ("s3-controller:1.2.3", released.image),
            ("s3-chart:1.2.3", released.chart),
            ("s3-chart:v1-stable", released.chart),
        ):
            there = Name.parse(f"{to}/{name}")
            manifest = registry.manifest(there.repository, there.tag)
            assert manifest is not None
            assert manifest.digest == artifact.root.digest
            assert all(registry.has_blob(there.repository, blob.descriptor.digest) for blob in artifact.blobs)
        image = Name.parse(f"{to}/s3-controller:1.2.3").repository
        for subject in (released.image.root, released.image.children[0]):
            [listed] = Referrers(registry).of(image, subject.digest)
            assert registry.manifest(image, listed.digest) is not None
        again = mirror(jobs, "--to", to, "--stable", "--json")
        document = json.loads(again.stdout)
        assert {entry["action"] for entry in document["entries"]} == {"skip"}
        assert len(document["entries"]) == 5


def test_into_a_folder(tmp_path: Path, registry: Registry, jobs: Path, released: Released) -> None:
    """Crane reads the folder as a layout, and pushes an image from it with the same digest."""
    folder = tmp_path / "copy"
    copied = mirror(jobs, "--to", f"oci:{folder}")
    assert copied.returncode == 0, copied.stderr
    assert "copied" in copied.stdout
    crane = require_tool("crane")
    with crane_registry(tmp_path / "target") as target:
        to = f"{target.host}/all:folder"
        argv = [str(crane), "push", "--insecure", "--index", str(folder), to]
        pushed = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert pushed.returncode == 0, pushed.stderr
        there = Name.parse(to)
        manifest = registry.manifest(there.repository, released.image.root.digest)
        assert manifest is not None


@pytest.mark.usefixtures("released")
def test_the_page(tmp_path: Path, jobs: Path) -> None:
    """Every command of docs/mirror.md runs as it is printed there, where config/jobs.yaml is."""
    (tmp_path / "config").mkdir()
    jobs.rename(tmp_path / "config" / "jobs.yaml")
    with crane_registry(tmp_path / "target") as target:
        commands = commands_of("mirror.md", {"registry.example/ack": f"{target.host}/ack"})
        assert len(commands) == 4
        for command in commands:
            ended = subprocess.run(
                ["sh", "-c", command],
                cwd=tmp_path,
                env={"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / "releases" / "index.json").exists()


def test_refused(tmp_path: Path, registry: Registry, jobs: Path, released: Released) -> None:
    """A place that holds something else is exit 5 with both digests on the last line, and stays as it was."""
    with crane_registry(tmp_path / "target") as target:
        config = config_of(f"{target.host}/ack")
        other = publish_release(tmp_path / "other", registry, config, "1.2.3")
        refused = mirror(jobs, "--to", f"{target.host}/ack", "--json")
        # What the registry holds came from the same fixed content, so it is the chart that differs: it names its image
        # in another registry.
        assert refused.returncode == 5
        assert "code=mirror-differs" in refused.stderr
        assert other.chart.root.digest in refused.stderr
        assert released.chart.root.digest in refused.stderr
        found = registry.manifest(other.chart_name.repository, other.chart_name.tag)
        assert found is not None
        assert found.digest == other.chart.root.digest
        assert json.loads(refused.stdout)["error"]["code"] == "mirror-differs"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--to", "no/where"], "usage-invalid"),
        (["--to", "oci:x", "--stable", "--color", "sometimes"], "usage-invalid"),
    ],
)
def test_mistakes(jobs: Path, arguments: list[str], code: str) -> None:
    """A mistake on the command line is exit 2, before any registry is asked."""
    result = mirror(jobs, *arguments)
    assert result.returncode == 2
    assert f"code={code}" in result.stderr
