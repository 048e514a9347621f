"""Pods for the node: plain ones, and those that Prow makes of a decorated job (pkg/pod-utils/decorate/podspec.go)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SECOND = 10**9
LOGS = {"name": "logs", "mountPath": "/logs"}
TOOLS = {"name": "tools", "mountPath": "/tools"}
CODE = {"name": "code", "mountPath": "/home/prow/go"}
OUTPUT = {"name": "output", "mountPath": "/output"}


def pod(name: str, *containers: Mapping[str, Any], **spec: object) -> dict[str, Any]:
    """A pod that is run once."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"prow.k8s.io/id": name}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": list(containers),
            **spec,
        },
    }


def shell(name: str, script: str, image: str, **more: object) -> dict[str, Any]:
    """A container that runs a shell script."""
    return {"name": name, "image": image, "command": ["/bin/sh", "-c"], "args": [script], **more}


def decorated_pod(
    name: str,
    *,
    images: Mapping[str, str],
    image: str,
    argv: Sequence[str],
    repository: str,
    sha: str,
    output: Path,
    timeout: int = 60,
    grace: int = 5,
    security: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The pod of a decorated postsubmit that copies its results to a folder instead of a bucket.

    Args:
        name: the ProwJob's.
        images: of Prow's programs.
        image: the job's own.
        argv: the job's command.
        repository: what is cloned.
        sha: the commit.
        output: the folder on this machine.
        timeout: the job's, in seconds.
        grace: its grace period, in seconds.
        security: the security context of the job's container.
    """
    refs = {"org": "org", "repo": "repo", "base_ref": "main", "base_sha": sha, "clone_uri": repository}
    job = json.dumps({"type": "postsubmit", "job": "release", "buildid": "1", "prowjobid": name, "refs": refs})
    storage = {"path_strategy": "explicit", "local_output_dir": "/output", "dry_run": False}
    entry = {
        "args": list(argv),
        "container_name": "test",
        "process_log": "/logs/process-log.txt",
        "marker_file": "/logs/marker-file.txt",
        "metadata_file": "/logs/artifacts/metadata.json",
    }
    clone = {
        "src_root": "/home/prow/go",
        "log": "/logs/clone.json",
        "git_user_name": "ci-robot",
        "git_user_email": "ci-robot@k8s.io",
        "refs": [refs],
    }
    wrapped = {"timeout": timeout * SECOND, "grace_period": grace * SECOND, "artifact_dir": "/logs/artifacts", **entry}
    sidecar = {
        "gcs_options": {"items": ["/logs/artifacts"], **storage},
        "entries": [entry],
        "censoring_options": {},
        # Else it races with itself: it uploads at once what there is, and again when the job has ended.
        "ignore_interrupts": True,
    }

    def utility(called: str, program: str, mounts: list[Any], *args: str, **environment: object) -> dict[str, Any]:
        return {
            "name": called,
            "image": images[program],
            "args": list(args),
            "env": [
                {"name": key, "value": value if isinstance(value, str) else json.dumps(value)}
                for key, value in environment.items()
            ],
            "volumeMounts": mounts,
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }

    tmp = {"name": "clonerefs-tmp", "mountPath": "/tmp"}  # noqa: S108  # the path in the container
    return pod(
        name,
        {
            "name": "test",
            "image": image,
            "command": ["/tools/entrypoint"],
            "env": [
                {"name": "ARTIFACTS", "value": "/logs/artifacts"},
                {"name": "JOB_SPEC", "value": job},
                {"name": "ENTRYPOINT_OPTIONS", "value": json.dumps(wrapped)},
            ],
            "volumeMounts": [LOGS, TOOLS, CODE],
            "workingDir": "/home/prow/go/src/github.com/org/repo",
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": dict(security or {}),
        },
        utility("sidecar", "sidecar", [LOGS, OUTPUT], SIDECAR_OPTIONS=sidecar, JOB_SPEC=job),
        initContainers=[
            utility("clonerefs", "clonerefs", [LOGS, CODE, tmp], CLONEREFS_OPTIONS=clone),
            utility(
                "initupload",
                "initupload",
                [LOGS, OUTPUT],
                INITUPLOAD_OPTIONS={**storage, "log": "/logs/clone.json"},
                JOB_SPEC=job,
            ),
            utility("place-entrypoint", "entrypoint", [TOOLS], "--copy-mode-only"),
        ],
        securityContext={"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532},
        terminationGracePeriodSeconds=grace * 5 // 4,
        volumes=[
            *({"name": name, "emptyDir": {}} for name in ("logs", "tools", "code", "clonerefs-tmp")),
            {"name": "output", "hostPath": {"path": str(output)}},
        ],
    )
