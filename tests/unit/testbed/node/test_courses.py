"""The course of a pod as plain data."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.node.courses import event_line, trimmed_status

TIME = "2026-01-01T00:00:00Z"


def container(**state: Any) -> dict[str, Any]:
    said = {"name": "test", "ready": False, "started": False, "restartCount": 0, "lastState": {}, "image": "i"}
    return {**said, "imageID": "sha256:1", "resources": {}, "state": state}


def event(message: str, **about: str) -> dict[str, Any]:
    return {"type": "Warning", "reason": "Failed", "message": message, "involvedObject": about}


def test_what_a_status_keeps() -> None:
    """Phase, reason, conditions and containers stay; what depends on the runtime or the API's version goes."""
    status = {
        "phase": "Running",
        "observedGeneration": 1,
        "qosClass": "BestEffort",
        "startTime": TIME,
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "No", "message": "a b", "lastTransitionTime": TIME},
            {"type": "Initialized", "status": "True", "reason": None, "lastTransitionTime": TIME},
        ],
        "containerStatuses": [container(running={"startedAt": TIME})],
    }
    assert trimmed_status(status) == {
        "phase": "Running",
        "startTime": TIME,
        "conditions": {"Ready": "False No a b", "Initialized": "True"},
        "containerStatuses": [
            {
                "name": "test",
                "containerID": "none",
                "ready": False,
                "started": False,
                "restartCount": 0,
                "lastState": {},
                "state": {"running": {"startedAt": TIME}},
            }
        ],
    }


def test_a_condition_without_a_time_is_seen() -> None:
    """A condition that does not say since when it holds is told apart from one that does."""
    conditions = trimmed_status({"phase": "Pending", "conditions": [{"type": "Ready", "status": "True"}]})["conditions"]
    assert conditions == {"Ready": "True (without a time)"}


@pytest.mark.parametrize(
    ("kind", "reason", "message", "kept"),
    [
        (
            "terminated",
            "StartError",
            "failed to create containerd task: failed to create shim task: no /such: unknown",
            "failed to create shim task: no /such",
        ),
        ("terminated", "StartError", "failed to create shim task: no /such", "failed to create shim task: no /such"),
        ("terminated", "Error", "it failed: unknown", "it failed: unknown"),
        (
            "waiting",
            "ImagePullBackOff",
            'Back-off pulling image "i": ErrImagePull: no host',
            'Back-off pulling image "i": ErrImagePull: ',
        ),
    ],
)
def test_the_runtimes_own_words_go(kind: str, reason: str, message: str, kept: str) -> None:
    """Of what a runtime adds in its own words only what any runtime says is kept, and nothing of anybody else's."""
    status = {
        "phase": "Pending",
        "containerStatuses": [container(**{kind: {"reason": reason, "message": message}})],
    }
    assert trimmed_status(status)["containerStatuses"][0]["state"][kind]["message"] == kept


def test_events_on_a_line() -> None:
    """An event's line has type, reason, place and message."""
    assert event_line(event("no", fieldPath="spec.containers{a}")) == "Warning Failed, spec.containers{a}: no"
    assert event_line(event("no")) == "Warning Failed, the pod: no"
    assert event_line(event('Failed to pull image "i": no\nhost')).endswith('Failed to pull image "i": …')
