"""A decorated job without its pod: clonerefs, initupload, then entrypoint and sidecar together, here.

They are Prow's own, with the options that a pod gives them, so that the bucket holds afterwards what a pod's run leaves
there. What crier adds of a pod, podinfo.json, is missing; prowjob.json is written as crier does.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from testbed.job_inputs import checkout_folder, job_variables
from testbed.processes import ProgramFailed, started
from testbed.prow.deck import ADDRESS, view
from testbed.sample_controller import HOST, OWNER

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from testbed.processes import Argv
    from testbed.prow.storage import Storage
    from testbed.sample_controller import SampleRepository

SECOND = 10**9
TIMEOUT_SECONDS = 30 * 60.0
GRACE_SECONDS = 30
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Trigger:
    """What starts a run: the push of a tag or branch, or a pull request to a branch; as hook says it.

    Attributes:
        repository: where it is.
        ref: the tag or branch.
        job: the job's name.
        build_id: the run's.
        pull: the pull request's number; its head is ``refs/pull/NUMBER/head``.
    """

    repository: SampleRepository
    ref: str
    job: str
    build_id: str
    pull: int | None = None

    @property
    def kind(self) -> str:
        """The type of its job."""
        return "postsubmit" if self.pull is None else "presubmit"

    @property
    def run(self) -> str:
        """Where the run's files are in the bucket (pkg/pod-utils/gcs/target.go)."""
        above = "logs" if self.pull is None else f"pr-logs/pull/{OWNER}_{self.repository.name}/{self.pull}"
        return f"{above}/{self.job}/{self.build_id}"

    @property
    def refs(self) -> dict[str, Any]:
        """The refs of its ProwJob."""
        link = f"https://{HOST}/{OWNER}/{self.repository.name}"
        tags = self.repository.git("for-each-ref", "--format=%(refname)", f"refs/tags/{self.ref}")
        refs: dict[str, Any] = {
            "org": OWNER,
            "repo": self.repository.name,
            "repo_link": link,
            "base_ref": self.ref,
            "base_sha": self.repository.resolve(tags or f"refs/heads/{self.ref}"),
            "base_link": f"{link}/compare/{self.ref}",
            "clone_uri": self.repository.url,
        }
        if self.pull is not None:
            sha = self.repository.resolve(f"refs/pull/{self.pull}/head")
            pull = {"number": self.pull, "author": "octocat", "sha": sha, "link": f"{link}/pull/{self.pull}"}
            refs["pulls"] = [pull]
        return refs


def run_job(
    trigger: Trigger,
    argv: Sequence[str | Path],
    *,
    folder: Path,
    tools: Path,
    storage: Storage,
    environment: Mapping[str, str],
    decoration: Mapping[str, Any],
    timeout: float = TIMEOUT_SECONDS,
    abort_at: str | None = None,
) -> dict[str, Any]:
    """Run a job to its end, whatever that is, and return its ProwJob.

    Args:
        trigger: what it is for.
        argv: the job's command.
        folder: an empty one, for the clone and what stands in the pod's volumes.
        tools: the folder with Prow's programs.
        storage: the bucket.
        environment: what the job gets beside Prow's variables.
        decoration: the job's decoration_config; its times are only passed to the job.
        timeout: the job's, in seconds.
        abort_at: words in the log at which the job is aborted, as a kubelet ends the pod of an aborted job.

    Raises:
        ProgramFailed: one of Prow's programs failed.
    """
    refs, began = trigger.refs, _now()
    artifacts, clone_log = folder / "logs" / "artifacts", folder / "logs" / "clone.json"
    artifacts.mkdir(parents=True)
    workspace = folder / "go"
    specification = {
        "type": trigger.kind,
        "job": trigger.job,
        "buildid": trigger.build_id,
        "prowjobid": _name(trigger),
        "refs": refs,
        "decoration_config": {
            **{key: decoration[key] for key in ("timeout", "grace_period")},
            "gcs_configuration": {
                "bucket": storage.address,
                "path_strategy": "explicit",
                "job_url_prefix": f"{ADDRESS}/view/",
            },
        },
    }
    prow = {**job_variables(specification), "ARTIFACTS": str(artifacts)}
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "JOB_SPEC": prow["JOB_SPEC"]}
    upload = {
        "bucket": storage.address,
        "path_strategy": "explicit",
        "s3_credentials_file": str(storage.credentials),
        "dry_run": False,
    }
    entry = {
        "args": [str(argument) for argument in argv],
        "container_name": "test",
        "process_log": str(folder / "logs" / "process-log.txt"),
        "marker_file": str(folder / "logs" / "marker-file.txt"),
        "metadata_file": str(artifacts / "metadata.json"),
    }

    clone = {"src_root": str(workspace), "log": str(clone_log), "refs": [refs], **_AUTHOR}
    _call([tools / "clonerefs"], {**own, "CLONEREFS_OPTIONS": json.dumps(clone)}, folder / "clonerefs.log")
    _call(
        [tools / "initupload"],
        {**own, "INITUPLOAD_OPTIONS": json.dumps({**upload, "log": str(clone_log)})},
        folder / "initupload.log",
    )
    limits = {"timeout": int(timeout * SECOND), "grace_period": GRACE_SECONDS * SECOND}
    wrapped = {**entry, **limits, "artifact_dir": str(artifacts)}
    sidecar = {
        "gcs_options": {**upload, "items": [str(artifacts)]},
        "entries": [entry],
        "ignore_interrupts": decoration.get("upload_ignores_interrupts", False),
        **({"censoring_options": {}} if decoration.get("censor_secrets") else {}),
    }
    with (
        _running([tools / "sidecar"], {**own, "SIDECAR_OPTIONS": json.dumps(sidecar)}, folder / "sidecar.log") as last,
        _running(
            [tools / "entrypoint"],
            {**own, **environment, **prow, "ENTRYPOINT_OPTIONS": json.dumps(wrapped)},
            folder / "entrypoint.log",
            cwd=checkout_folder(workspace, trigger.repository),
        ) as job,
    ):
        if abort_at is not None:
            _wait_for(folder / "logs" / "process-log.txt", abort_at, job)
            for container in (job, last):
                container.terminate()
        last.wait()
    _check([tools / "sidecar"], last.returncode, folder / "sidecar.log")

    result = json.loads(storage.read(f"{trigger.run}/finished.json"))["result"].lower()
    prowjob = _prowjob(trigger, refs, argv, began=began, state=result, url=view(storage, trigger.run))
    storage.write(f"{trigger.run}/prowjob.json", json.dumps(prowjob).encode())
    return prowjob


_AUTHOR = {"git_user_name": "ci-robot", "git_user_email": "ci-robot@k8s.io"}


def _call(argv: Argv, environment: Mapping[str, str], log: Path) -> None:
    with _running(argv, environment, log) as child:
        child.wait()
    _check(argv, child.returncode, log)


def _check(argv: Argv, code: int, log: Path) -> None:
    if code:
        raise ProgramFailed(f"{argv[0]} ended with {code}:\n{log.read_text(encoding='utf-8')}")


@contextlib.contextmanager
def _running(
    argv: Argv, environment: Mapping[str, str], log: Path, *, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output, started(argv, env=environment, output=output, cwd=cwd) as child:
        yield child


def _wait_for(log: Path, words: str, job: subprocess.Popen[bytes]) -> None:
    while job.poll() is None and not (log.exists() and words in log.read_text(encoding="utf-8")):
        time.sleep(LOOK_SECONDS)


def _name(trigger: Trigger) -> str:
    return str(uuid5(NAMESPACE_URL, trigger.run))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _prowjob(
    trigger: Trigger, refs: Mapping[str, str], argv: Sequence[str | Path], *, began: str, state: str, url: str
) -> dict[str, Any]:
    name = _name(trigger)
    return {
        "apiVersion": "prow.k8s.io/v1",
        "kind": "ProwJob",
        "metadata": {
            "name": name,
            "namespace": "default",
            "creationTimestamp": began,
            "labels": {
                "created-by-prow": "true",
                "prow.k8s.io/type": trigger.kind,
                "prow.k8s.io/job": trigger.job,
                "prow.k8s.io/refs.org": OWNER,
                "prow.k8s.io/refs.repo": trigger.repository.name,
                "prow.k8s.io/refs.base_ref": trigger.ref,
            },
            "annotations": {"prow.k8s.io/job": trigger.job, "prow.k8s.io/context": trigger.job},
        },
        "spec": {
            "type": trigger.kind,
            "agent": "kubernetes",
            "cluster": "default",
            "namespace": "default",
            "job": trigger.job,
            "context": trigger.job,
            "refs": dict(refs),
            "report": True,
            "pod_spec": {"containers": [{"name": "test", "command": [str(argument) for argument in argv]}]},
        },
        "status": {
            "startTime": began,
            "pendingTime": began,
            "completionTime": _now(),
            "state": state,
            "description": {"success": "Job succeeded.", "failure": "Job failed.", "aborted": "Job aborted."}[state],
            "url": url,
            "pod_name": name,
            "build_id": trigger.build_id,
        },
    }
