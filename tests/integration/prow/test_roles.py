"""What the generated roles allow and what they do not, by a real apiserver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kubernetes
import pytest
from kubernetes.client.exceptions import ApiException

from runner.prow.generate.document import to_yaml
from runner.prow.generate.roles import access
from testbed.prow.api_clients import apply_roles, client, create_namespace
from testbed.prow.job_configs import with_prow
from testbed.prow.prowjobs import PROWJOBS, define_prowjobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JOBS, PODS = "operated-jobs", "operated-pods"
FORBIDDEN = 403
JOB = {
    "apiVersion": "prow.k8s.io/v1",
    "kind": "ProwJob",
    "metadata": {"name": "one"},
    "spec": {"type": "postsubmit", "agent": "kubernetes", "job": "s3-release", "refs": {"org": "o", "repo": "r"}},
    "status": {"state": "triggered", "startTime": "2026-01-01T00:00:00Z"},
}
POD = {"metadata": {"name": "one"}, "spec": {"containers": [{"name": "test", "image": "a.b/c:1"}]}}


class As:
    """Somebody's calls; each gives the apiserver's status."""

    def __init__(self, api: Any) -> None:
        self.objects: Any = kubernetes.client.CustomObjectsApi(api)
        self.core: Any = kubernetes.client.CoreV1Api(api)

    def jobs(self, call: str, *arguments: Any, namespace: str = JOBS, **options: Any) -> int:
        """Call a method of the client about ProwJobs."""
        return status_of(lambda: getattr(self.objects, call)(*PROWJOBS, namespace, "prowjobs", *arguments, **options))

    def pods(self, call: str, *arguments: Any, namespace: str = PODS, **options: Any) -> int:
        """Call a method of the client about pods, or about what else a namespace holds."""
        return status_of(lambda: getattr(self.core, call)(*arguments, namespace, **options))


def status_of(call: Callable[[], object]) -> int:
    try:
        call()
    except ApiException as error:
        return int(error.status)
    return 200


@pytest.fixture(scope="module")
def applied(kubeconfig: Path) -> Iterator[Path]:
    """The roles for alice and for a group, as kubectl would apply them, with a ProwJob and a pod to act on."""
    prow = with_prow(
        f"prowjob_namespace: {JOBS}, pod_namespace: {PODS}, operators: {{users: [alice], groups: [operators]}}"
    ).prow
    assert prow is not None
    with client(kubeconfig) as api:
        define_prowjobs(api)
        for namespace in (JOBS, PODS):
            create_namespace(api, namespace)
        apply_roles(api, to_yaml(*access(prow)))
        administrator = As(api)
        assert administrator.jobs("create_namespaced_custom_object", JOB) == 200
        administrator.core.create_namespaced_pod(PODS, POD)
        yield kubeconfig
        # A node that other tests start on this apiserver must not find it.
        administrator.core.delete_namespaced_pod("one", PODS, grace_period_seconds=0)


@pytest.fixture(params=[{"user": "alice"}, {"user": "bob", "group": "operators"}], ids=["by user", "by group"])
def operator(applied: Path, request: pytest.FixtureRequest) -> Iterator[As]:
    with client(applied, **request.param) as api:
        yield As(api)


@pytest.fixture
def stranger(applied: Path) -> Iterator[As]:
    with client(applied, user="mallory") as api:
        yield As(api)


def test_an_operator_can_list_follow_rerun_and_abort(operator: As) -> None:
    """All that the operator's commands ask of ProwJobs works: list, get, watch, create, and the patch of an abort."""
    assert operator.jobs("list_namespaced_custom_object") == 200
    assert operator.jobs("get_namespaced_custom_object", "one") == 200
    assert operator.jobs("list_namespaced_custom_object", watch=True, timeout_seconds=1, _preload_content=False) == 200
    again = {**JOB, "metadata": {"generateName": "again-"}}
    assert operator.jobs("create_namespaced_custom_object", again) == 200
    aborted = {"status": {"state": "aborted", "description": "by hand"}}
    assert operator.jobs("patch_namespaced_custom_object", "one", aborted) == 200


def test_an_operator_can_read_a_pod_and_its_log(operator: As) -> None:
    """A pod's state and its log are given; the log of one that waits for a node is empty."""
    assert operator.pods("read_namespaced_pod", "one") == 200
    assert operator.pods("read_namespaced_pod_log", "one") == 200


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("delete_namespaced_custom_object", ("one",)),
        ("delete_collection_namespaced_custom_object", ()),
        ("replace_namespaced_custom_object", ("one", JOB)),
    ],
)
def test_an_operator_can_neither_remove_nor_replace_jobs(operator: As, call: str, arguments: tuple[Any, ...]) -> None:
    """Verbs that no command needs are refused."""
    assert operator.jobs(call, *arguments) == FORBIDDEN


def test_an_operator_can_do_nothing_else(operator: As) -> None:
    """Pods can be neither listed nor removed, Secrets not read, and no other namespace is open."""
    assert operator.pods("list_namespaced_pod") == FORBIDDEN
    assert operator.pods("delete_namespaced_pod", "one") == FORBIDDEN
    assert operator.pods("create_namespaced_pod", body=POD) == FORBIDDEN
    assert operator.pods("list_namespaced_secret") == FORBIDDEN
    assert operator.pods("read_namespaced_pod", "one", namespace=JOBS) == FORBIDDEN
    assert operator.jobs("list_namespaced_custom_object", namespace=PODS) == FORBIDDEN


def test_somebody_else_can_do_nothing(stranger: As) -> None:
    """Who is not named is refused what operators may do, so that it is the roles that allow it."""
    assert stranger.jobs("list_namespaced_custom_object") == FORBIDDEN
    assert stranger.jobs("patch_namespaced_custom_object", "one", {"status": {"state": "aborted"}}) == FORBIDDEN
    assert stranger.pods("read_namespaced_pod", "one") == FORBIDDEN
    assert stranger.pods("read_namespaced_pod_log", "one") == FORBIDDEN
