"""What is made of the API's answers; what a real API answers is in tests/integration/prow/test_operate.py."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from kubernetes.client.exceptions import ApiException

from runner.errors import ClusterFailed, ClusterPermissionMissing, JobUnknown, RunEnded
from runner.prow.operate import cluster as module
from runner.prow.operate.cluster import ATTEMPTS, EXPIRED, Cluster
from runner.prow.operate.kubeconfig import Reached
from runner.prow.operate.prowjob import read_prowjob
from runner.report.console import Outlet, open_log
from runner.runtime.lifetime import Lifetime
from testbed.memory.prowjobs import prowjob

if TYPE_CHECKING:
    from collections.abc import Callable

JOB = read_prowjob(prowjob("one"))


class Api:
    """Gives its answers in their order, whatever it is asked: one is returned, or raised where it is an error."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., object]:
        def answer(*_: object, **__: object) -> object:
            self.asked.append(name)
            given = self.answers.pop(0)
            if isinstance(given, BaseException):
                raise given
            return given

        return answer


def failed(status: int, said: str = "no") -> ApiException:
    error = ApiException(status=status, reason=said)
    error.body = json.dumps({"message": said})
    return error


class Waits(Lifetime):
    """A lifetime whose waits take no time."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, seconds: float) -> None:
        """Remember how long it would have been."""
        self.waited.append(seconds)
        self.check()


def asking(monkeypatch: pytest.MonkeyPatch, api: Api, *, pods: bool = True) -> tuple[Cluster, Waits]:
    """A cluster whose API answers so."""
    monkeypatch.setattr("kubernetes.client.CustomObjectsApi", lambda _: api)
    monkeypatch.setattr("kubernetes.client.CoreV1Api", lambda _: api)
    reached, lifetime = Reached(None, "local", None), Waits()
    log = open_log(Outlet(io.StringIO()), None)
    return (
        Cluster(
            reached,
            lambda _: reached if pods else None,
            namespace="prow",
            pod_namespace="pods",
            lifetime=lifetime,
            log=log,
        ),
        lifetime,
    )


def test_a_long_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that comes in pages is read to its end."""
    first = {"items": [prowjob("a"), prowjob("b")], "metadata": {"continue": "next", "resourceVersion": "7"}}
    last = {"items": [prowjob("c")], "metadata": {"resourceVersion": "7"}}
    cluster, _ = asking(monkeypatch, Api(first, last))
    jobs, version = cluster.jobs()
    assert ([job.name for job in jobs], version) == (["a", "b", "c"], "7")


def test_what_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure that may pass is asked again, with pauses."""
    api = Api(failed(503), urllib3.exceptions.ProtocolError("broken"), prowjob("one"))
    cluster, lifetime = asking(monkeypatch, api)
    assert cluster.job("one") == JOB
    assert lifetime.waited == [1.0, 2.0]


@pytest.mark.parametrize("failure", [failed(500), urllib3.exceptions.ProtocolError("broken"), ConnectionResetError()])
def test_what_does_not_pass(monkeypatch: pytest.MonkeyPatch, failure: BaseException) -> None:
    """A failure that stays is an error after some attempts."""
    api = Api(*[failure] * ATTEMPTS)
    cluster, _ = asking(monkeypatch, api)
    with pytest.raises(ClusterFailed, match="local"):
        cluster.jobs()
    assert api.answers == []


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is not asked again."""
    api = Api(failed(403))
    with pytest.raises(ClusterPermissionMissing):
        asking(monkeypatch, api)[0].jobs()
    assert len(api.asked) == 1


def test_a_job_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the cluster does not know is told with the namespace."""
    with pytest.raises(JobUnknown, match="no job one in the namespace prow of local"):
        asking(monkeypatch, Api(failed(404)))[0].job("one")


def test_an_answer_that_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose creation was not answered is not made twice: it is there under its name."""
    api = Api(urllib3.exceptions.ProtocolError("broken"), failed(409), prowjob("one"))
    cluster, _ = asking(monkeypatch, api)
    assert cluster.create(prowjob("one")) == JOB
    assert [name.partition("_")[0] for name in api.asked] == ["create", "create", "get"]


def test_a_change_that_came_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that somebody else has changed is not changed."""
    cluster, _ = asking(monkeypatch, Api(failed(409), prowjob("one")))
    assert cluster.patch("one", {}) is None
    assert cluster.patch("one", {}) == JOB


def test_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod is given as the API has it; one that is gone, or in a cluster that is not known, is None."""
    cluster, _ = asking(monkeypatch, Api(SimpleNamespace(data=b'{"kind": "Pod"}'), failed(404)))
    assert cluster.pod(JOB) == {"kind": "Pod"}
    assert cluster.pod(JOB) is None
    api = Api()
    cluster, _ = asking(monkeypatch, api, pods=False)
    assert cluster.pod(JOB) is None
    assert cluster.pod_log(JOB, follow=False) is None
    assert api.asked == []


def streamed(*chunks: bytes, error: Exception | None = None) -> Any:
    def stream(_: int) -> Any:
        yield from chunks
        if error is not None:
            raise error

    return SimpleNamespace(stream=stream)


def test_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log's lines are whole, however they come, and whatever its bytes are."""
    api = Api(streamed(b"a\nb", b"c\n\xff", b"\nend"), failed(400), failed(404))
    cluster, _ = asking(monkeypatch, api)
    assert list(cluster.pod_log(JOB, follow=False) or ()) == ["a", "bc", "\ufffd", "end"]
    assert cluster.pod_log(JOB, follow=True) is None
    assert cluster.pod_log(JOB, follow=True) is None


def test_a_log_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that breaks is an error after the lines that have come."""
    api = Api(streamed(b"a\n", error=urllib3.exceptions.ProtocolError("broken")))
    lines = asking(monkeypatch, api)[0].pod_log(JOB, follow=True)
    assert lines is not None
    assert next(lines) == "a"
    with pytest.raises(ClusterFailed):
        next(lines)


def watching(monkeypatch: pytest.MonkeyPatch, *events: object) -> list[Any]:
    class Watched:
        def stream(self, *_: object, **__: object) -> Any:
            for event in events:
                if isinstance(event, Exception):
                    raise event
                yield event

    monkeypatch.setattr(module, "Watch", Watched)
    return list(asking(monkeypatch, Api())[0].changes("1"))


def test_what_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change is given with the version after it; a version that is too old ends the watch and says so."""
    document = prowjob("one")
    document["metadata"]["resourceVersion"] = "9"
    event = {"type": "MODIFIED", "raw_object": document}
    assert watching(monkeypatch, event) == [("MODIFIED", JOB, "9")]
    assert watching(monkeypatch, event, failed(410))[-1] == (EXPIRED, None, "")


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (failed(403), ClusterPermissionMissing),
        (failed(500), ClusterFailed),
        (urllib3.exceptions.ProtocolError("broken"), ClusterFailed),
    ],
)
def test_a_watch_that_fails(monkeypatch: pytest.MonkeyPatch, failure: Exception, error: type[Exception]) -> None:
    """A watch that is refused or breaks is an error."""
    with pytest.raises(error):
        watching(monkeypatch, failure)


def test_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked once the command was ended."""
    api = Api()
    cluster, lifetime = asking(monkeypatch, api)
    lifetime.end("SIGINT")
    with pytest.raises(RunEnded):
        cluster.jobs()
    assert api.asked == []
