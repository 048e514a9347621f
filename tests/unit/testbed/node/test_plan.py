"""How the node has containers made."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from testbed.node.plan import Bind, Launch, NotConfigured, check_not_root, plan_container
from testbed.node.pod import NotHonoured, Pod, read_pod
from testbed.node.pod_documents import pod, shell

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRETS = {"token": {"key": b"hidden"}}
MESSAGE = Path("/data/messages/test")


def planned(container: dict[str, Any], **spec: Any) -> Launch:
    document = pod("one", container, **spec)
    document["metadata"] |= {"uid": "u-1", "annotations": {"a/b": "noted"}}
    read: Pod = read_pod(document)

    def secrets(name: str) -> Mapping[str, bytes] | None:
        return SECRETS.get(name)

    return plan_container(
        read,
        read.spec.containers[0],
        volumes={"logs": Path("/data/logs")},
        message=MESSAGE,
        secrets=secrets,
        config_maps=lambda _: None,
    )


def variable(name: str, **origin: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": origin}


def test_command_and_arguments_take_the_places_of_the_images() -> None:
    """A command replaces the image's entrypoint, arguments its command, and what is not given is the image's own."""
    launch = planned({"name": "test", "image": "i", "command": ["a"], "args": ["b"]})
    assert (launch.entrypoint, launch.command) == (("a",), ("b",))
    launch = planned({"name": "test", "image": "i", "args": ["b"]})
    assert (launch.entrypoint, launch.command) == (None, ("b",))


def test_values_come_from_where_they_are_said_to() -> None:
    """Variables are taken from fields of the pod and from secrets, and later ones may name earlier ones."""
    env = [
        variable("NAME", fieldRef={"apiVersion": "v1", "fieldPath": "metadata.name"}),
        variable("LABEL", fieldRef={"fieldPath": "metadata.labels['prow.k8s.io/id']"}),
        variable("NOTE", fieldRef={"fieldPath": "metadata.annotations['a/b']"}),
        variable("TOKEN", secretKeyRef={"name": "token", "key": "key"}),
        variable("MAYBE", secretKeyRef={"name": "none", "key": "key", "optional": True}),
        {"name": "PATHS", "value": "$(NAME)/$(UNKNOWN)/$$(NAME)"},
    ]
    assert planned(shell("test", "true", "i", env=env)).environment == {
        "NAME": "one",
        "LABEL": "one",
        "NOTE": "noted",
        "TOKEN": "hidden",
        "PATHS": "one/$(UNKNOWN)/$(NAME)",
    }


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        ({"secretKeyRef": {"name": "token", "key": "k"}}, "couldn't find key k in Secret default/token"),
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
    ],
)
def test_what_is_missing_is_named(origin: dict[str, Any], why: str) -> None:
    """A secret, config map or key that is not there keeps the container from being made, and is named."""
    with pytest.raises(NotConfigured, match=why):
        planned(shell("test", "true", "i", env=[variable("V", **origin)]))


def test_a_field_that_is_not_given_out_is_refused() -> None:
    """A field of the pod that the node does not know is an error, not an empty value."""
    with pytest.raises(NotHonoured, match=r"status\.podIP"):
        planned(shell("test", "true", "i", env=[variable("V", fieldRef={"fieldPath": "status.podIP"})]))


def test_the_containers_own_security_wins() -> None:
    """User, group, groups, root, capabilities and profile are those of the container, else of the pod."""
    own = {
        "runAsUser": 7,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    whole = {
        "runAsUser": 1,
        "runAsGroup": 2,
        "runAsNonRoot": True,
        "fsGroup": 3,
        "supplementalGroups": [4, 3],
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    launch = planned(shell("test", "true", "i", securityContext=own), securityContext=whole)
    assert (launch.user, launch.groups, launch.must_not_be_root) == ("7:2", ("4", "3"), False)
    assert (launch.read_only_root, launch.capabilities_dropped) == (True, ("ALL",))
    assert launch.security_options == ("no-new-privileges",)
    launch = planned(shell("test", "true", "i"))
    assert (launch.user, launch.security_options) == ("", ("seccomp=unconfined",))
    with pytest.raises(NotConfigured, match="runAsGroup is specified without a runAsUser"):
        planned(shell("test", "true", "i"), securityContext={"runAsGroup": 2})


def test_root_is_named_where_it_must_not_be() -> None:
    """A container that must not be root and says it is, is refused; where the image says who it is, that is checked."""
    with pytest.raises(
        NotConfigured, match=r"container's runAsUser breaks .*\(pod: \"one_default\(u-1\)\", container: t"
    ):
        planned(shell("test", "true", "i", securityContext={"runAsNonRoot": True, "runAsUser": 0}))
    assert planned(shell("test", "true", "i", securityContext={"runAsNonRoot": True})).must_not_be_root
    assert not planned(shell("test", "true", "i")).must_not_be_root


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("", "image will run as root"),
        ("0", "image will run as root"),
        ("0:5", "image will run as root"),
        ("prow:prow", r"image has non-numeric user \(prow\), cannot verify user is non-root"),
        ("7:7", None),
    ],
)
def test_the_users_of_images(user: str, why: str | None) -> None:
    """An image's user that is root, or a name, is refused with a kubelet's words."""
    document = pod("one", shell("test", "true", "i"))
    document["metadata"]["uid"] = "u-1"
    expected = contextlib.nullcontext() if why is None else pytest.raises(NotConfigured, match=why)
    with expected:
        check_not_root(read_pod(document), "test", user)


@pytest.mark.parametrize("kind", [{"secret": {"secretName": "s"}}, {"configMap": {"name": "c"}}])
def test_what_can_only_be_read(kind: dict[str, Any]) -> None:
    """Secrets and config maps are mounted read-only, whatever a container asks for."""
    mounts = [{"name": "logs", "mountPath": "/logs"}]
    launch = planned(shell("test", "true", "i", volumeMounts=mounts), volumes=[{"name": "logs", **kind}])
    assert launch.binds[1].read_only


def test_mounts_and_limits() -> None:
    """The message file, volumes and parts of volumes are mounted; limits become bytes and billionths of a CPU."""
    mounts = [{"name": "logs", "mountPath": "/logs"}, {"name": "logs", "mountPath": "/a", "subPath": "a/b"}]
    mounts[1]["readOnly"] = True  # type: ignore[assignment]  # one of them is
    limits = {"limits": {"memory": "1Ki", "cpu": "1500m"}}
    launch = planned(shell("test", "true", "i", volumeMounts=mounts, resources=limits))
    assert launch.binds == (
        Bind(MESSAGE, "/dev/termination-log", read_only=False),
        Bind(Path("/data/logs"), "/logs", read_only=False),
        Bind(Path("/data/logs/a/b"), "/a", read_only=True),
    )
    assert (launch.limits.memory, launch.limits.nano_cpus) == (1024, 1_500_000_000)


@pytest.mark.parametrize(
    ("mount", "why"),
    [
        ({"name": "logs", "mountPath": "/a", "subPath": "../secret"}, r"subPath '\.\./secret' leaves its volume"),
        ({"name": "code", "mountPath": "/a"}, "no volume is called 'code'"),
    ],
)
def test_mounts_of_nothing_are_refused(mount: dict[str, str], why: str) -> None:
    """A mount outside its volume, or of a volume that the pod does not have, is an error."""
    with pytest.raises((NotHonoured, NotConfigured), match=why):
        planned(shell("test", "true", "i", volumeMounts=[mount]))
