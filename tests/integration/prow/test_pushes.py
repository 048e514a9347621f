"""Which pushes start which jobs: the generated configuration in Prow's own hook, with a real apiserver behind it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import kubernetes
import pytest
import yaml

from runner.prow.generate.files import prow_files
from runner.prow.generate.folder import write_folder
from testbed.prow.api_clients import client, create_namespace
from testbed.prow.components import Shared
from testbed.prow.documents import plugins
from testbed.prow.hook import Hook, start_hook
from testbed.prow.job_configs import IMAGE, with_prow, write_installation
from testbed.prow.prowjobs import PROWJOBS, define_prowjobs
from testbed.prow.servers import Servers
from testbed.sample_controller import OWNER
from tests.support.refs import OTHERS as NO_RELEASES
from tests.support.refs import READABLE, TOO_LARGE, starts_job
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAMESPACE = "events"
SERVICES = (
    's3: {}, anvil: {repo: tools, path: "services/{service}"}, bellows: {repo: tools, path: "services/{service}"}'
)
STARTING = ("refs/tags/v1.2.3", "refs/heads/stable")
OTHERS = (
    "refs/tags/v1.2.3-rc.1",
    "refs/tags/v1.2",
    "refs/tags/v01.2.3",
    "refs/tags/stable-2",
    "refs/heads/unstable",
    "refs/heads/stable-2",
    "refs/heads/release/v1.2.3",
    "refs/heads/main",
)
JOB_SECONDS = 20.0


@pytest.fixture(scope="module")
def api(kubeconfig: Path) -> Iterator[Any]:
    with client(kubeconfig) as made:
        define_prowjobs(made)
        create_namespace(made, NAMESPACE)
        yield made


@pytest.fixture
def listed(api: Any) -> Callable[[], list[dict[str, Any]]]:
    """Lists the ProwJobs that were started; whatever is left of another test is removed before."""
    objects = kubernetes.client.CustomObjectsApi(api)
    objects.delete_collection_namespaced_custom_object(*PROWJOBS, NAMESPACE, "prowjobs")

    def now() -> list[dict[str, Any]]:
        answer: Any = objects.list_namespaced_custom_object(*PROWJOBS, NAMESPACE, "prowjobs")
        items: list[dict[str, Any]] = answer["items"]
        return sorted(items, key=lambda job: (job["spec"]["job"], job["spec"]["refs"]["base_ref"]))

    return now


def send(tmp_path: Path, kubeconfig: Path, events: Callable[[Hook], None]) -> None:
    """Generate, start hook on what was generated, let it have the events, and wait until it has handled them."""
    folder = tmp_path / "prowjobs"
    write_folder(folder, prow_files(with_prow(services=SERVICES), folder))
    config = write_installation(tmp_path, folder / "deck.yaml", prowjob_namespace=NAMESPACE)
    file = tmp_path / "plugins.yaml"
    file.write_text(yaml.safe_dump(plugins(["s3-controller", "tools"])), encoding="utf-8")
    with Servers(tmp_path) as servers:
        shared = Shared(kubeconfig, config, folder / "jobs")
        running = start_hook(servers, tmp_path, require_tool("hook"), shared, file)
        servers.wait()
        events(running)


def started(jobs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(job["spec"]["job"], job["spec"]["refs"]["base_ref"]) for job in jobs]


def wait_for(listed: Callable[[], list[dict[str, Any]]], count: int) -> None:
    deadline = time.monotonic() + JOB_SECONDS
    while len(listed()) < count and time.monotonic() < deadline:
        time.sleep(0.1)


def test_only_release_tags_and_stable_start_jobs(
    tmp_path: Path, kubeconfig: Path, listed: Callable[[], list[dict[str, Any]]]
) -> None:
    """A release tag and stable start the release once each; pre-releases, look-alikes and other branches nothing."""

    def events(running: Hook) -> None:
        assert [running.push("s3-controller", ref, "a" * 40) for ref in (*OTHERS, *STARTING)] == [200] * 10
        wait_for(listed, 2)

    send(tmp_path, kubeconfig, events)
    jobs = listed()
    assert started(jobs) == [("s3-release", "stable"), ("s3-release", "v1.2.3")]
    spec = jobs[1]["spec"]
    assert (spec["type"], spec["cluster"], spec["max_concurrency"]) == ("postsubmit", "default", 1)
    assert spec["refs"] == {
        "org": OWNER,
        "repo": "s3-controller",
        "repo_link": f"https://github.com/{OWNER}/s3-controller",
        "base_ref": "v1.2.3",
        "base_sha": "a" * 40,
        "base_link": f"https://github.com/{OWNER}/s3-controller/compare/v1.2.3",
    }
    assert "report" not in spec, "no commit status is set"
    assert spec["rerun_auth_config"] == {"github_orgs": [OWNER]}
    assert (spec["decoration_config"]["timeout"], spec["decoration_config"]["grace_period"]) == ("1h0m0s", "1m30s")
    (container,) = spec["pod_spec"]["containers"]
    assert (container["image"], container["command"], container["args"]) == (IMAGE, ["ack-release"], ["run"])
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["pod_spec"]["securityContext"]["runAsNonRoot"] is True


def test_refs_on_the_edge_of_a_release(
    tmp_path: Path, kubeconfig: Path, listed: Callable[[], list[dict[str, Any]]]
) -> None:
    """Of tags with every fault, hook starts jobs for those of which the unit tests say that they start one."""
    tags = (*READABLE, *TOO_LARGE, *filter(None, NO_RELEASES))
    starting = sorted(filter(starts_job, tags))
    assert starting == sorted((*READABLE, *TOO_LARGE))

    def events(running: Hook) -> None:
        assert {running.push("s3-controller", f"refs/tags/{tag}", "d" * 40) for tag in tags} == {200}
        wait_for(listed, len(starting))

    send(tmp_path, kubeconfig, events)
    assert [ref for _, ref in started(listed())] == starting


def test_a_monorepos_tag_starts_a_job_for_each_service(
    tmp_path: Path, kubeconfig: Path, listed: Callable[[], list[dict[str, Any]]]
) -> None:
    """One tag of a repository with several services starts the release of each, which is given its service."""

    def events(running: Hook) -> None:
        assert running.push("tools", "refs/tags/v1.2.3", "b" * 40) == 200
        wait_for(listed, 2)

    send(tmp_path, kubeconfig, events)
    jobs = listed()
    assert started(jobs) == [("anvil-release", "v1.2.3"), ("bellows-release", "v1.2.3")]
    assert [job["spec"]["pod_spec"]["containers"][0]["args"] for job in jobs] == [
        ["run", "--service", "anvil"],
        ["run", "--service", "bellows"],
    ]


def test_an_event_that_is_signed_by_somebody_else_starts_nothing(
    tmp_path: Path, kubeconfig: Path, listed: Callable[[], list[dict[str, Any]]]
) -> None:
    """Hook refuses an event without GitHub's signature, so that those above were accepted for theirs."""

    def events(running: Hook) -> None:
        assert running.push("s3-controller", STARTING[0], "c" * 40, secret="another") == 403  # noqa: S106 - none

    send(tmp_path, kubeconfig, events)
    assert listed() == []
