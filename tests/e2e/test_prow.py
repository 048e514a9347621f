"""Releases as Prow runs them: the push's event, hook, plank, a pod with Prow's own utilities, the bucket, Deck."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from runner.config.kubernetes import seconds
from testbed.node.worker import evict
from testbed.prow.documents import NAMESPACE, STANDARD
from testbed.registry_clients import crane
from testbed.sample_controller import slow_to_compile
from tests.support.prow_harness import LOOK_SECONDS, container
from tests.support.waiting import until

if TYPE_CHECKING:
    from testbed.sample_controller import SampleRepository
    from tests.support.prow_harness import ProwHarness

pytestmark = pytest.mark.exclusive

MAIN = "cmd/controller/main.go"
TAG = "refs/tags/v1.2.3"
STABLE = "refs/heads/stable"
GRACE_SECONDS = seconds(STANDARD.grace_period)
KERNELS = ("/proc", "/sys", "/dev")
"""What the kernel itself writes into, and dockerd gives every container."""
PROWS = {"/logs", "/tools", "/home/prow/go"}
"""What Prow mounts for its own programs."""
ARTIFACTS = {f"artifacts/{name}" for name in ("record.json", "metadata.json", "junit_release.xml", "release-log.jsonl")}
OF_PROW = {"started.json", "finished.json", "build-log.txt", "clone-records.json", "prowjob.json", "podinfo.json"}


def test_a_tag_then_stable(prow: ProwHarness) -> None:
    """The push of a tag releases image and chart, and that of stable moves the chart; both say so in finished.json."""
    repository = prow.repository()
    released = prow.release(repository, TAG)
    finished = released.json("finished.json")
    assert (released.state, finished["result"], finished["passed"]) == ("success", "SUCCESS", True), released.lines
    assert finished["revision"] == repository.resolve(TAG), "the tag object"
    metadata = finished["metadata"]
    assert metadata["commit"] == repository.resolve(f"{TAG}^{{commit}}")
    assert (metadata["ref"], metadata["version"], metadata["path"]) == ("v1.2.3", "1.2.3", "release")
    assert metadata == released.json("artifacts/metadata.json")
    assert released.keys >= ARTIFACTS | OF_PROW
    assert released.lines[-1].startswith(f"RELEASED: {repository.service} 1.2.3 (release, 3 tags written)")
    crane("validate", "--insecure", "--remote", ":".join(repository.image("1.2.3")))

    repository.stable("1.2.3")
    moved = prow.release(repository, STABLE)
    finished = moved.json("finished.json")
    assert (moved.state, finished["result"]) == ("success", "SUCCESS"), moved.lines
    assert (finished["metadata"]["path"], finished["metadata"]["ref"]) == ("stable", "stable")
    assert moved.lines[-1].startswith(f"RELEASED: {repository.service} ")
    assert crane("digest", "--insecure", f"{prow.prow.place.registry}/{repository.service}-chart:v1-stable")


def test_unstable_starts_nothing(prow: ProwHarness) -> None:
    """A push to a branch that is only like stable starts no job, while the tag that is pushed after it starts one."""
    repository = prow.repository()
    repository.git("branch", "unstable")
    prow.prow.push(repository, "refs/heads/unstable")
    released = prow.release(repository, TAG)
    assert [job["metadata"]["name"] for job in prow.jobs(repository)] == [released.name]


def test_a_release_that_fails(prow: ProwHarness) -> None:
    """A controller that does not compile is FAILURE: the last line says cause and remedy, and nothing was written."""
    repository = prow.repository(version=None)
    repository.release("1.2.3", edits={MAIN: lambda text: text.replace("<-ended", "missing(<-ended)")})
    failed = prow.release(repository, TAG)
    finished = failed.json("finished.json")
    assert (failed.state, finished["result"], finished["passed"]) == ("failure", "FAILURE", False)
    errors = [line for line in failed.lines if line.startswith("ERROR:")]
    assert errors == failed.lines[-1:]
    assert "undefined: missing" in errors[0]
    assert failed.json("artifacts/record.json")["exit"] == 6
    assert "undefined: missing" in failed.read("artifacts/junit_release.xml")
    assert not prow.proxy.writes


def test_the_pod_runs_as_its_job_says(prow: ProwHarness) -> None:
    """Every process of the job has the user, groups and rights of the generated job, on a root that it cannot write."""
    repository = prow.repository()
    held = prow.proxy.hold(method="PUT", path=r"/blobs/")
    name = prow.started(repository, prow.prow.push(repository, TAG))
    until(held.reached.is_set)
    spec = generated_pod(prow, repository)
    of_pod, of_container = spec["securityContext"], spec["containers"][0]["securityContext"]
    found = prow.processes(name)
    assert found[0].argv[:1] == ["/tools/entrypoint"]
    assert any("ack-release" in part for process in found for part in process.argv[:2])
    for process in found:
        status = process.status
        assert set(status["Uid"].split()) == {str(of_pod["runAsUser"])} != {"0"}
        assert set(status["Gid"].split()) == {str(of_pod["runAsGroup"])} != {"0"}
        assert set(status["Groups"].split()) == {str(of_pod["fsGroup"])}
        assert of_container["capabilities"] == {"drop": ["ALL"]}
        assert {status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert (of_container["allowPrivilegeEscalation"], status["NoNewPrivs"]) == (False, "1")
        assert (of_pod["seccompProfile"], status["Seccomp"]) == ({"type": "RuntimeDefault"}, "2"), "2 is a filter"
        assert of_container["readOnlyRootFilesystem"] is True
        assert "ro" in process.mounts["/"]
    mounts = found[0].mounts
    writable = {path for path, options in mounts.items() if "rw" in options and not path.startswith(KERNELS)}
    mounted = {mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    assert writable == mounted | PROWS
    assert spec["automountServiceAccountToken"] is False
    assert not [path for path in mounts if "kubernetes.io" in path]
    for path in mounted:
        assert (found[0].folder / "root" / path[1:]).stat().st_gid == of_pod["fsGroup"]
    uid = prow.pod(name)["metadata"]["uid"]
    host = container(prow.daemon, uid, "test")["HostConfig"]
    assert (of_container["privileged"], host["Privileged"]) == (False, False)
    assert host["GroupAdd"] == [str(of_pod["fsGroup"])], "here it is the user's own group, too"
    assert prow.pod(name)["spec"]["containers"][0]["securityContext"] == of_container
    assert prow.pod(name)["spec"]["securityContext"] == of_pod
    held.let_go(forward=True)
    assert prow.ended(name).state == "success"


def generated_pod(prow: ProwHarness, repository: SampleRepository) -> dict[str, Any]:
    """What the generated job says of its pod."""
    file = prow.prow.folder / "prowjobs" / "jobs" / f"{repository.name}.yaml"
    (jobs,) = yaml.safe_load(file.read_text())["postsubmits"].values()
    spec: dict[str, Any] = jobs[0]["spec"]
    return spec


KILLED_AT = {
    "before the image's first blob": ("PUT", r"/blobs/"),
    "before the image's name": ("PUT", r"controller/manifests/[a-z0-9]+-v"),
    "before the chart's last name": ("PUT", r"-chart/manifests/"),
}


@pytest.mark.parametrize("point", KILLED_AT)
def test_a_pod_that_is_killed(prow: ProwHarness, point: str) -> None:
    """A pod that is evicted in the middle of a release is run again by Prow, and the release is complete."""
    repository = prow.repository()
    method, path = KILLED_AT[point]
    held = prow.proxy.hold(method=method, path=path)
    name = prow.started(repository, prow.prow.push(repository, TAG))
    until(held.reached.is_set)
    first = prow.prow.cluster.job(name)["status"]["build_id"]
    evict(prow.pods, NAMESPACE, name)
    until(lambda: prow.prow.cluster.job(name)["status"]["build_id"] != first, pause=LOOK_SECONDS)
    held.let_go(forward=False)
    released = prow.ended(name)
    assert released.state == "success", released.lines
    record = released.json("artifacts/record.json")
    for entry in record["entries"]:
        assert crane("digest", "--insecure", entry["name"]).strip() == entry["digest"]
    written = [seen.path for seen in prow.proxy.requests if seen.method == "PUT" and seen.status == 201]
    names = [path for path in written if "/manifests/" in path and "sha256:" not in path]
    assert len(names) == len(set(names)) == len(record["entries"]), "each name was written once"


def test_a_runner_that_is_killed(prow: ProwHarness) -> None:
    """A runner that the kernel kills is FAILURE, and Deck's rerun completes the release with what is missing."""
    repository = prow.repository()
    held = prow.proxy.hold(method="PUT", path=r"-chart/manifests/")
    name = prow.started(repository, prow.prow.push(repository, TAG))
    until(held.reached.is_set)
    for process in prow.processes(name)[1:]:
        os.kill(process.id, signal.SIGKILL)
    failed = prow.ended(name)
    held.let_go(forward=False)
    assert (failed.state, failed.json("finished.json")["result"]) == ("failure", "FAILURE")
    prow.proxy.clear()
    again = prow.ended(prow.rerun(name))
    assert again.state == "success", again.lines
    actions = {entry["name"]: entry["action"] for entry in again.json("artifacts/record.json")["entries"]}
    assert actions[":".join(repository.image("1.2.3"))] == "skip"
    assert "publish" in actions.values()
    assert not prow.proxy.count("(PUT|POST|PATCH)", "controller/")


def test_stable_waits_for_the_release(prow: ProwHarness) -> None:
    """A push to stable while the tag is being released has no pod until that has ended, and then succeeds."""
    repository = prow.repository()
    repository.stable("1.2.3")
    held = prow.proxy.hold(method="PUT", path=r"/blobs/")
    first = prow.started(repository, prow.prow.push(repository, TAG))
    second = prow.started(repository, prow.prow.push(repository, STABLE))
    until(held.reached.is_set)
    assert prow.pods.pod(NAMESPACE, second) is None
    assert prow.prow.cluster.job(second)["status"]["state"] == "triggered"
    held.let_go(forward=True)
    ended = [prow.ended(name) for name in (first, second)]
    assert [job.state for job in ended] == ["success", "success"], ended[1].lines
    assert ended[0].document["status"]["completionTime"] <= ended[1].document["status"]["pendingTime"]


def test_a_rerun_through_deck(prow: ProwHarness) -> None:
    """Deck's rerun of a release is another ProwJob that succeeds, writes nothing, and says so."""
    repository = prow.repository()
    released = prow.release(repository, TAG)
    prow.proxy.clear()
    again = prow.ended(prow.rerun(released.name))
    assert again.name != released.name
    assert (again.state, again.json("finished.json")["result"]) == ("success", "SUCCESS"), again.lines
    assert {entry["action"] for entry in again.json("artifacts/record.json")["entries"]} == {"skip"}
    assert prow.proxy.requests
    assert not prow.proxy.writes


def test_an_abort_through_deck_in_the_middle_of_a_compile(prow: ProwHarness) -> None:
    """Deck's abort is ABORTED within the grace period, with the reports and no process left; a rerun completes."""
    repository = prow.repository(version=None)
    repository.release("1.2.3", edits=slow_to_compile())
    name = prow.started(repository, prow.prow.push(repository, TAG))
    until(
        lambda: any("compile" in Path(one.argv[0]).name for one in prow.processes(name) if one.argv), pause=LOOK_SECONDS
    )
    running = prow.processes(name)
    uid = prow.pod(name)["metadata"]["uid"]
    began = time.monotonic()
    aborted = prow.abort(name)
    assert time.monotonic() - began < GRACE_SECONDS
    assert (aborted.state, aborted.json("finished.json")["result"]) == ("aborted", "ABORTED")
    assert not [one for one in running if one.argv]
    assert not prow.daemon.docker("ps", "--all", "--quiet", "--filter", f"name={uid}")
    assert aborted.json("artifacts/record.json")["exit"] == 9
    [error] = [line for line in aborted.lines if line.startswith("ERROR:")]
    assert f"during build of {repository.service}." in error
    assert error in aborted.lines[-3:], "what follows is the entrypoint's"
    assert not prow.proxy.writes
    again = prow.ended(prow.rerun(name))
    assert (again.state, again.json("finished.json")["result"]) == ("success", "SUCCESS"), again.lines
