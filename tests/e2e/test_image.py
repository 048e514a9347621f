"""The runner's own image: what a Prow job starts, run as strictly as a job may be."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from runner import __version__
from runner.oci.manifest import digest_of
from testbed.go import make_shared_cache
from testbed.job_inputs import checkout_folder
from testbed.paths import ROOT, TOOLS
from testbed.prow.images import bake_jobs
from testbed.registry_clients import crane
from testbed.release_harness import Ended, ReleaseHarness, open_harness
from testbed.runner_image import build_image
from tests.support.docker import DEBIAN_BASE
from tests.support.left_overs import SECRET, ExportedImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.docker_daemon import DockerDaemon
    from testbed.runner_image import Built

pytestmark = pytest.mark.exclusive

USER = 12345
JOBS = """\
registry: {registry}
platforms: [linux/amd64]
build: {{base_image: scratch}}
services: {{widget: {{}}}}
# {helm}
"""
GRACE_SECONDS = 15


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ReleaseHarness]:
    with open_harness(tmp_path, config=JOBS) as made:
        yield made


class Job:
    """One job of a harness, run in a container: any user, no home, a read-only root."""

    def __init__(self, daemon: DockerDaemon, image: str, harness: ReleaseHarness) -> None:
        self.daemon = daemon
        self.workspace, sha = harness.clone("v1.2.3")
        self.clone = checkout_folder(self.workspace, harness.repository)
        self.artifacts = harness.folder / f"artifacts-{harness.runs}"
        self.artifacts.mkdir()
        subprocess.run(["chmod", "-R", "a+rwX", self.workspace, self.artifacts], check=True, timeout=60)
        for folder in (harness.folder, *harness.folder.parents[:2]):
            folder.chmod(folder.stat().st_mode | 0o011)
        prow = {
            key: value
            for key, value in harness.environment("v1.2.3", sha).items()
            if key not in ("PATH", "TMPDIR", "GOCACHE", "GOMODCACHE", "GOPROXY")
        }
        environment = {**prow, "GOCACHE": "/cache"}
        mounts = {
            self.workspace: self.workspace,
            self.artifacts: self.artifacts,
            make_shared_cache(TOOLS / "go-cache-of-containers"): "/cache",
        }
        self.arguments = [
            *("--network", "host", "--read-only", "--tmpfs", "/tmp:mode=1777,exec", "--user", f"{USER}:{USER}"),  # noqa: S108 - the container's own
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--workdir", str(self.clone)),
            *(part for item in environment.items() for part in ("--env", "=".join(item))),
            *(part for here, there in mounts.items() for part in ("--volume", f"{here}:{there}")),
            image,
        ]

    def run(self, *command: str) -> Ended:
        """Run a command to its end."""
        finished = subprocess.run(
            ["docker", "run", "--rm", *self.arguments, *command],
            env=dict(self.daemon.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        return Ended(finished.returncode, finished.stdout, finished.stderr, self.artifacts)


@pytest.fixture
def job(docker: DockerDaemon, runner_image: Built, harness: ReleaseHarness) -> Job:
    image = "ack-release:local"
    bake_jobs(runner_image.tag, image, harness.config.read_text(), environment=docker.environment)
    return Job(docker, image, harness)


@pytest.mark.parametrize("before", [(), ("env", "--unset=HOME")], ids=["as started", "without HOME"])
def test_a_release_in_the_image(job: Job, harness: ReleaseHarness, before: tuple[str, ...]) -> None:
    """Any uid without a home, on a read-only root and without capabilities, releases by the jobs.yaml baked in."""
    ended = job.run(*before, "ack-release", "run")
    assert (ended.code, ended.errors) == (0, []), ended.out + ended.err
    assert ended.lines[-1].startswith("RELEASED: widget 1.2.3 (release, 3 tags written)")
    crane("validate", "--insecure", "--remote", f"{harness.host}/ack/controller:widget-v1.2.3")
    assert len(ended.page.css(".pulls code")) == 4
    settings = ended.record["settings"]
    assert settings["config"] == {"value": "/etc/ack-release/jobs.yaml", "from": "the runner's image"}
    assert settings["config digest"]["value"] == digest_of(harness.config.read_bytes())
    assert {path.stat().st_uid for path in ended.artifacts.iterdir()} == {USER}
    again = job.run(*before, "ack-release", "run")
    assert set(again.actions.values()) == {"skip"}


def test_a_stop_of_the_container(job: Job, harness: ReleaseHarness) -> None:
    """A container that has to stop in the middle of an upload ends with 9, in time, with whole reports."""
    harness.proxy.delay(60, method="PUT", path=r"/blobs/")
    container = job.daemon.docker("run", "--detach", *job.arguments, "ack-release", "run")
    try:
        deadline = time.monotonic() + 240
        while not harness.proxy.count("PUT", r"/blobs/"):
            assert time.monotonic() < deadline, job.daemon.docker("logs", container)
            time.sleep(0.1)
        began = time.monotonic()
        job.daemon.docker("stop", "--time", str(GRACE_SECONDS), container)
        assert time.monotonic() - began < GRACE_SECONDS
        state = json.loads(job.daemon.docker("inspect", "--format", "{{json .State}}", container))
        lines = job.daemon.docker("logs", container).splitlines()
    finally:
        job.daemon.docker("rm", "--force", container)
    assert state["ExitCode"] == 9
    assert lines[-1].startswith("ERROR:")
    assert "SIGTERM" in lines[-1]
    record = json.loads((job.artifacts / "record.json").read_text())
    assert record["exit"] == 9
    assert not [step for step in record["steps"] if step["outcome"] == "running"]


def test_the_programs(docker: DockerDaemon, runner_image: Built) -> None:
    """Program, git, helm and Go are there for any user, and the default command says how the image is used."""
    strict = ("run", "--rm", "--network", "none", "--read-only", "--user", "4711:4711", runner_image.tag)
    assert docker.docker(*strict, "ack-release", "--version") == f"ack-release, version {__version__}"
    assert "Exit codes" in docker.docker(*strict, "ack-release", "run", "--help")
    assert json.loads(docker.docker(*strict, "ack-release", "schema"))["title"]
    assert docker.docker(*strict, "git", "--version").startswith("git version 2.")
    assert docker.docker(*strict, "helm", "version", "--template", "{{.Version}}").startswith("v4.")
    assert docker.docker(*strict, "go", "version").startswith("go version go1.")
    assert docker.docker(*strict).startswith("Usage: ack-release")
    user = docker.docker("image", "inspect", "--format", "{{.Config.User}}", runner_image.tag)
    assert user == "65532:65532"


def test_no_left_overs(docker: DockerDaemon, runner_image: Built, tmp_path: Path) -> None:
    """Nothing of the build is left: no tool, cache, list or secret; and nobody but root may write what is ours."""
    image = ExportedImage.of(docker, runner_image.tag, tmp_path)
    assert image.left_overs() == []
    assert image.read("/etc/ack-release/jobs.yaml") == (ROOT / "config" / "jobs.yaml").read_bytes()
    assert {"/opt/ack-release/bin/ack-release", "/usr/local/bin/helm", "/usr/local/go/bin/go"} <= set(image.ours)
    packages = "/opt/ack-release/lib/"
    sources = {path for path in image.ours if path.startswith(packages) and path.endswith(".py")}
    compiled = {path for path in image.ours if path.startswith(packages) and path.endswith(".pyc")}
    runner = [path for path in sources if "/site-packages/runner/" in path]
    assert runner
    for path in runner:
        folder, _, name = path.rpartition("/")
        assert any(one.startswith(f"{folder}/__pycache__/{name[:-3]}.") for one in compiled), path


PLANTED = {
    "COPY pip.conf /etc/pip.conf": "/etc/pip.conf holds a secret",
    f"ENV INDEX=https://user:{SECRET}@index.example/": "the configuration holds a secret",
    f"RUN true {SECRET}": "the history holds a secret",
    "COPY program-1.0-py3-none-any.whl /opt/ack-release/": "/opt/ack-release/program-1.0-py3-none-any.whl is left over",
    "RUN mkdir -p /root/.cache/uv": "/root/.cache/uv is left over",
    "COPY . /context/": "/context/pip.conf is left over",
    "RUN touch /tmp/left": "/tmp/left is left over",  # noqa: S108 - the image's own
    "RUN mkdir -p /var/lib/apt/lists && touch /var/lib/apt/lists/list": "/var/lib/apt/lists/list is left over",
    "RUN mkdir /opt/ack-release/.git": "/opt/ack-release/.git is left over",
    "RUN chmod o+w /usr/local/bin/helm": "/usr/local/bin/helm can be written by others",
    "RUN chmod u+s /usr/local/go/bin/go": "/usr/local/go/bin/go changes the user or the group",
    "RUN chown 4711 /etc/ack-release/jobs.yaml": "/etc/ack-release/jobs.yaml belongs to 4711:0",
}
"""What a build could leave behind, as lines of a Dockerfile, and what the check then says."""


def test_what_is_left_over_is_found(docker: DockerDaemon, runner_image: Built, tmp_path: Path) -> None:
    """The check of left-overs finds each that is planted on top of the image, a secret of the context among them."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "program-1.0-py3-none-any.whl").touch()
    (context / "pip.conf").write_text(f"index-url = https://user:{SECRET}@index.example/\n")
    (context / "Dockerfile").write_text("\n".join((f"FROM {runner_image.tag}", "USER 0:0", *PLANTED, "")))
    docker.docker("build", "--quiet", "--network", "host", "--tag", "ack-release:planted", context)
    found = ExportedImage.of(docker, "ack-release:planted", tmp_path).left_overs()
    assert set(PLANTED.values()) <= set(found)


def test_two_builds_give_the_same_layers(docker: DockerDaemon, runner_image: Built) -> None:
    """A second build, from a context of its own and later, gives layers of the same content."""
    again = build_image("ack-release:again", base=DEBIAN_BASE, environment=docker.environment, cache=False)
    layers = [
        json.loads(docker.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", tag))
        for tag in (runner_image.tag, again.tag)
    ]
    assert len(layers[0]) > 4
    assert layers[0] == layers[1]
