"""What the node takes of a pod, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.node.pod import NotHonoured, Pod, read_pod
from testbed.node.pod_documents import pod, shell


def given(document: dict[str, Any]) -> Pod:
    document["metadata"]["uid"] = "u-1"
    return read_pod(document)


def test_what_the_apiserver_adds_is_taken() -> None:
    """A pod with all the apiserver's defaults is taken, and what has a meaning here is kept."""
    read = given(
        pod(
            "one",
            shell("test", "true", "image", resources={"limits": {"memory": "64Mi", "cpu": "500m"}}),
            dnsPolicy="ClusterFirst",
            enableServiceLinks=True,
            priority=0,
            preemptionPolicy="PreemptLowerPriority",
            schedulerName="default-scheduler",
            serviceAccountName="default",
            serviceAccount="default",
            tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
            securityContext={},
            terminationGracePeriodSeconds=7,
        )
    )
    assert read.spec.termination_grace_period_seconds == 7
    assert read.spec.containers[0].resources.limits["memory"] == 64 * 1024**2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"hostPID": True}, "spec.hostPID"),
        ({"restartPolicy": "Always"}, "spec.restartPolicy"),
        ({"automountServiceAccountToken": True}, "spec.automountServiceAccountToken"),
        ({"nodeSelector": {"disk": "ssd"}}, "spec.nodeSelector"),
        ({"volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]}, "spec.volumes.0.nfs"),
        ({"volumes": [{"name": "v"}]}, "spec.volumes.0: .*one of emptyDir, secret, configMap, hostPath"),
        ({"initContainers": [shell("i", "true", "image", restartPolicy="Always")]}, "initContainers.0.restartPolicy"),
        ({"containers": [shell("c", "true", "image", livenessProbe={})]}, "containers.0.livenessProbe"),
        ({"containers": [shell("c", "true", "image", securityContext={"privileged": True})]}, "privileged"),
    ],
)
def test_what_is_not_honoured_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    """A pod that asks for what the node does not do is refused, and the field is named."""
    document = pod("one", shell("test", "true", "image"))
    document["spec"] |= change
    with pytest.raises(NotHonoured, match=rf"this node does not honour .*{named}"):
        given(document)
