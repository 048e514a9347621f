"""What the node tells of a pod beside its status."""

from __future__ import annotations

from testbed.node import events
from testbed.node.pod import Pod, read_pod
from testbed.node.pod_documents import pod, shell

TIME = "2026-01-01T00:00:00Z"


def job() -> Pod:
    document = pod("job", shell("test", "true", "i"), initContainers=[shell("clonerefs", "true", "i")])
    document["metadata"]["uid"] = "u-1"
    return read_pod(document)


def test_an_event_names_what_it_is_about() -> None:
    """An event is found by its pod, and names the container and the node; all that Deck shows of it is there."""
    test = job().spec.containers[0]
    document = events.document(events.started(test), job(), node="local", time=TIME)
    assert document["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "default",
        "name": "job",
        "uid": "u-1",
        "fieldPath": "spec.containers{test}",
    }
    shown = ("type", "reason", "message", "lastTimestamp", "count")
    assert [document[key] for key in shown] == ["Normal", "Started", "Container started", TIME, 1]
    assert document["source"] == {"component": "kubelet", "host": "local"}


def test_init_containers_have_another_path() -> None:
    """The path of an init container is another one, and an event about the pod has none."""
    first = events.document(events.stopping("clonerefs"), job(), node="local", time=TIME)
    assert first["involvedObject"]["fieldPath"] == "spec.initContainers{clonerefs}"
    whole = events.document(events.pod_ends("Evicted", "low on memory"), job(), node="local", time=TIME)
    assert "fieldPath" not in whole["involvedObject"]
    assert (whole["type"], whole["message"]) == ("Warning", "low on memory")
    assert events.pod_ends("DeadlineExceeded", "late").kind == "Normal"


def test_an_image_that_is_not_there() -> None:
    """Where an image is missing, the events name it, and the last one has the reason of the status."""
    test = job().spec.containers[0]
    for told, reason in (
        (events.image_never_pulled(test), "ErrImageNeverPull"),
        (events.image_not_pulled(test, "no registry"), "ErrImagePull"),
        (events.image_backs_off(test), "ImagePullBackOff"),
    ):
        assert told[-1] == events.failed(test, reason)
        assert all('"i"' in one.message for one in told[:-1])
