"""Pods whose course is compared with the one that a real kubelet gives them.

``python -m hack.kubelet_oracle`` records their courses on a kubelet; the node's tests hold this node to what it
recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from testbed.node.pod_documents import decorated_pod, pod, shell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Document: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Until:
    """When a pod is as wanted: when it has ended, or when the one thing holds that is given.

    ``runs`` is a container that runs, ``waits`` a reason for which one waits, ``told`` the reason of an event.
    """

    runs: str = ""
    waits: str = ""
    told: str = ""


ENDED = Until()
FALLBACK = {"terminationMessagePolicy": "FallbackToLogsOnError"}
NOWHERE = "nobody.invalid/has:this"
"""An image that no machine has and no registry can give (RFC 2606 keeps the name free)."""

FACTS = r"""
exec 2>&1
echo "ids: $(id -u):$(id -g) $(id -G)"
grep -E '^(Cap...|NoNewPrivs|Seccomp|Umask):' /proc/self/status
echo "working folder: $(pwd) $(stat -c '%A %u %g' .)"
echo "root: $(awk '$2 == "/" {print $4}' /proc/mounts | cut -d, -f1)"
for path in /proc/sys /sys /dev/shm /dev/termination-log /etc/hosts /etc/hostname /etc/resolv.conf \
    /volumes/*; do
    options=$(awk -v path=$path '$2 == path {print $4}' /proc/mounts | tail -n 1 | tr , '\n' \
        | grep -E '^(ro|rw|nosuid|nodev|noexec)$' | xargs)
    echo "$path: $(stat -Lc '%A %u %g' $path) $options"
done
for path in $(find /volumes -mindepth 2 -not -path '*/..2*' | sort); do
    echo "$path: $(stat -c '%A %u %g' $path) $(readlink $path | sed 's/^[.][.]2.*/..VERSION/')"
done
for path in $(find -L /volumes -type f -not -path '*/..*' | sort); do
    echo "$path: $(stat -Lc '%A %u %g' $path) $(cat $path)"
done
for path in /here /volumes/empty/new /volumes/secret/new /volumes/map/new; do
    touch $path && echo "wrote $path: $(stat -c '%A %u %g' $path)"
done
mkdir /volumes/empty/folder && echo "made /volumes/empty/folder: $(stat -c '%A %u %g' /volumes/empty/folder)"
echo "first process: $(tr '\0' ' ' </proc/1/cmdline | head -c 10)"
env | grep -v '^PWD=\|^SHLVL=\|^_=\|^OLDPWD=' | sed 's/^HOSTNAME=.*/HOSTNAME=HOST/' | sort
"""
"""What a container can see of how it was made, a line each: nothing that follows from the machine."""


@dataclass(frozen=True)
class Scenario:
    """A pod, and what is done with it.

    ``until`` says when the pod is as wanted. ``deleted`` is the grace period in seconds with which it is deleted then;
    None leaves it. ``objects`` are there before it. ``untold`` names containers whose logs differ each time.
    """

    pod: Document
    until: Until = ENDED
    deleted: int | None = None
    objects: tuple[Document, ...] = ()
    untold: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.pod["metadata"]["name"])


@dataclass(frozen=True)
class Setting:
    """What the scenarios need of where they run: images by name, a served repository with a commit, and a folder."""

    image: str
    utilities: Mapping[str, str]
    repository: str
    sha: str
    folder: Path


def scenarios(setting: Setting) -> tuple[Scenario, ...]:
    """All scenarios."""
    image = setting.image
    return (
        *_ends(image),
        *_inits(image),
        *_waits(image),
        *_ended_from_outside(image),
        *_facts(setting),
        *_decorated(setting),
    )


def _one(name: str, script: str, image: str, *, more: Mapping[str, Any] | None = None, **spec: object) -> Document:
    return pod(name, shell("test", script, image, **(more or {})), **spec)


def _ends(image: str) -> Sequence[Scenario]:
    memory = {"resources": {"limits": {"memory": "32Mi"}}}
    pods = [
        _one("succeeds", "echo begun; sleep 4; echo done >&2", image),
        _one("fails", "echo it broke; exit 3", image, more=FALLBACK),
        _one("fails-quietly", "echo it broke; exit 3", image),
        _one("says", "echo mine >/dev/termination-log; echo log", image, more=FALLBACK),
        _one("says-much", "head -c 9999 /dev/zero | tr '\\0' x >/dev/termination-log", image),
        _one("logs-much", "seq -f 'line %g' 100; exit 1", image, more=FALLBACK),
        _one("logs-wide", "head -c 40000 /dev/zero | tr '\\0' x; exit 1", image, more=FALLBACK),
        _one("logs-without-end", "printf 'first\\nlast'; exit 1", image, more=FALLBACK),
        _one("killed", "sh -c 'kill -9 $$'; exit $?", image),
        _one("out-of-memory", "exec python3 -c 'bytearray(200 << 20)'", image, more=memory),
        _one("no-folder", "pwd", image, more={"workingDir": "/no/such"}),
        pod("unstartable", {"name": "test", "image": image, "command": ["/no/such"]}),
        pod("one-of-two-fails", shell("test", "exit 5", image), shell("side", "sleep 5", image)),
    ]
    return [Scenario(one) for one in pods]


def _inits(image: str) -> Sequence[Scenario]:
    shared = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    first = [shell(f"init-{n}", f"sleep 3; echo {n} >>/shared/log", image, **shared) for n in (1, 2)]
    both = (shell("test", "sleep 3; cat /shared/log", image, **shared), shell("side", "sleep 3", image, **shared))
    volumes = [{"name": "shared", "emptyDir": {}}]
    failing = [shell(name, script, image, **FALLBACK) for name, script in (("b", "true"), ("a", "echo no; exit 4"))]
    waiting = pod("init-runs", shell("test", "true", image), initContainers=[shell("init", "exec sleep 600", image)])
    return [
        Scenario(pod("init-then-both", *both, initContainers=first, volumes=volumes)),
        Scenario(
            pod(
                "init-fails",
                shell("test", "true", image),
                initContainers=[*failing, shell("c", "true", image)],
            )
        ),
        Scenario(waiting, Until(runs="init"), deleted=1),
    ]


def _waits(image: str) -> Sequence[Scenario]:
    def variable(name: str, **origin: object) -> Document:
        return _one(name, "true", image, more={"env": [{"name": "V", "valueFrom": origin}]})

    def volume(name: str, **source: object) -> Document:
        mounted = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
        return _one(name, "true", image, more=mounted, volumes=[{"name": "v", **source}])

    objects = (_config_map("waited-for"), _secret("waited-for"))
    config_error, not_mounted = Until(waits="CreateContainerConfigError"), Until(told="FailedMount")
    none, no_key = {"name": "none", "key": "k"}, {"name": "waited-for", "key": "none"}
    items = [{"key": "none", "path": "p"}]
    return [
        Scenario(pod("no-image", shell("test", "true", NOWHERE)), Until(waits="ImagePullBackOff")),
        Scenario(
            pod("never-pulled", shell("test", "true", NOWHERE, imagePullPolicy="Never")),
            Until(waits="ErrImageNeverPull"),
        ),
        Scenario(variable("no-secret-for-a-variable", secretKeyRef=none), config_error),
        Scenario(variable("no-map-for-a-variable", configMapKeyRef=none), config_error),
        Scenario(variable("no-secret-key-for-a-variable", secretKeyRef=no_key), config_error, objects=objects),
        Scenario(variable("no-map-key-for-a-variable", configMapKeyRef=no_key), config_error, objects=objects),
        Scenario(volume("no-secret-for-a-volume", secret={"secretName": "none"}), not_mounted),
        Scenario(volume("no-map-for-a-volume", configMap={"name": "none"}), not_mounted),
        Scenario(
            volume("no-secret-key-for-a-volume", secret={"secretName": "waited-for", "items": items}),
            not_mounted,
            objects=objects,
        ),
        Scenario(
            volume("no-map-key-for-a-volume", configMap={"name": "waited-for", "items": items}),
            not_mounted,
            objects=objects,
        ),
        Scenario(volume("no-host-folder", hostPath={"path": "/no/such", "type": "Directory"}), not_mounted),
        Scenario(volume("no-host-file", hostPath={"path": "/no/such", "type": "File"}), not_mounted),
        Scenario(_one("volumes-nobody-mounts", "true", image, volumes=[{"name": "v", "secret": {"secretName": "no"}}])),
        Scenario(_one("must-not-be-root", "true", image, securityContext={"runAsNonRoot": True}), config_error),
        Scenario(
            _one("is-root-and-must-not", "true", image, securityContext={"runAsNonRoot": True, "runAsUser": 0}),
            config_error,
        ),
    ]


def _ended_from_outside(image: str) -> Sequence[Scenario]:
    ends = "trap 'echo asked; exit {code}' TERM; while :; do sleep 0.1; done"
    runs = Until(runs="test")
    full = {"volumeMounts": [{"name": "full", "mountPath": "/full"}]}
    return [
        Scenario(_one("deadline", "exec sleep 600", image, activeDeadlineSeconds=6, terminationGracePeriodSeconds=1)),
        Scenario(
            _one(
                "folder-over-its-limit",
                "head -c 3000000 /dev/zero >/full/x; exec sleep 600",
                image,
                more=full,
                volumes=[{"name": "full", "emptyDir": {"sizeLimit": "1Mi"}}],
            ),
            # A kubelet has no log of a pod that it evicted.
            untold=("test",),
        ),
        Scenario(_one("deleted-succeeds", ends.format(code=0), image), runs, deleted=30),
        Scenario(_one("deleted-fails", ends.format(code=9), image, more=FALLBACK), runs, deleted=30),
        Scenario(_one("deleted-does-not-end", "trap '' TERM; while :; do sleep 0.1; done", image), runs, deleted=3),
    ]


def _facts(setting: Setting) -> Sequence[Scenario]:
    image = setting.image
    (setting.folder / "given").mkdir(exist_ok=True)
    (setting.folder / "given" / "file").write_text("from the host\n", encoding="utf-8")
    kept = {"secretName": "facts", "items": [{"key": "k", "path": "a/b", "mode": 0o440}]}
    volumes: dict[str, Document] = {
        "empty": {"emptyDir": {}},
        "memory": {"emptyDir": {"medium": "Memory"}},
        "secret": {"secret": {"secretName": "facts", "defaultMode": 0o400}},
        "map": {"configMap": {"name": "facts"}},
        "items": {"secret": kept},
        "host": {"hostPath": {"path": str(setting.folder / "given"), "type": "Directory"}},
        "none": {"secret": {"secretName": "none", "optional": True}},
    }
    more: dict[str, Document] = {"map": {"readOnly": True}, "host": {"readOnly": True}}
    mounts = [
        *({"name": name, "mountPath": f"/volumes/{name}", **more.get(name, {})} for name in volumes),
        {"name": "empty", "mountPath": "/volumes/part", "subPath": "a/new/part"},
        {"name": "secret", "mountPath": "/volumes/key", "subPath": "k"},
    ]
    env = [
        {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "facts", "key": "k"}}},
        {"name": "FROM_MAP", "valueFrom": {"configMapKeyRef": {"name": "facts", "key": "k"}}},
        {"name": "NOT_THERE", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "k", "optional": True}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "SPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['prow.k8s.io/id']"}}},
        {"name": "NO_LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['no']"}}},
        {"name": "ACCOUNT", "valueFrom": {"fieldRef": {"fieldPath": "spec.serviceAccountName"}}},
        {"name": "LATER", "value": "$(FROM_MAP) $(UNKNOWN) $$(FROM_MAP) $$"},
    ]

    def facts(name: str, own: Document | None = None, whole: Document | None = None, folder: str = "") -> Scenario:
        looks = {"env": env, "volumeMounts": mounts, "securityContext": own or {}, "workingDir": folder}
        return Scenario(
            _one(
                name,
                FACTS,
                image,
                more=looks,
                volumes=[{"name": key, **source} for key, source in volumes.items()],
                securityContext=whole or {},
            ),
            objects=(_secret("facts"), _config_map("facts")),
        )

    strict = {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    network = {"capabilities": {"add": ["NET_ADMIN"], "drop": ["CHOWN"]}}
    return [
        facts("sees-as-root"),
        facts("sees-as-prow-strictly", strict, {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532}),
        facts("sees-as-user", whole={"runAsUser": 1234}),
        facts("sees-as-groups", whole={"runAsUser": 1, "runAsGroup": 2, "fsGroup": 4321, "supplementalGroups": [8, 7]}),
        facts("sees-with-capabilities", network),
        facts("sees-as-user-with-capabilities", {"runAsUser": 99, **network}),
        facts("sees-in-a-new-folder", whole={"runAsUser": 1234}, folder="/made/here"),
    ]


def _decorated(setting: Setting) -> Sequence[Scenario]:
    waits = "trap 'echo ended by INT; exit 9' INT; trap '' TERM; echo begun; while :; do sleep 0.1; done"
    scripts = {
        "job-succeeds": "cat hello; sleep 3; echo kept >$ARTIFACTS/kept.txt",
        "job-fails": "cat hello; exit 7",
        "job-is-aborted": waits,
    }

    def job(name: str) -> Document:
        output = setting.folder / name
        output.mkdir(exist_ok=True)
        output.chmod(0o777)
        return decorated_pod(
            name,
            images=setting.utilities,
            image=setting.image,
            argv=["/bin/sh", "-c", scripts[name]],
            repository=setting.repository,
            sha=setting.sha,
            output=output,
        )

    untold = ("clonerefs", "initupload", "place-entrypoint", "sidecar")
    return [
        Scenario(job("job-succeeds"), untold=untold),
        Scenario(job("job-fails"), untold=untold),
        Scenario(job("job-is-aborted"), Until(runs="sidecar"), deleted=30, untold=untold),
    ]


def _secret(name: str) -> Document:
    return {"kind": "Secret", "metadata": {"name": name}, "stringData": {"k": "hidden", "other": "kept"}}


def _config_map(name: str) -> Document:
    return {"kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "open", "d-e_f.txt": "line"}}
