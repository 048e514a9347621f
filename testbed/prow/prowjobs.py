"""The cluster as Prow uses it: the kind ProwJob, as the pinned Prow defines it, and the objects of that kind."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes
import yaml
from kubernetes.client.exceptions import ApiException

from testbed.paths import ROOT
from testbed.processes import read

if TYPE_CHECKING:
    from collections.abc import Mapping

READY_SECONDS = 30.0
CONFLICT = 409
PROWJOBS = ("prow.k8s.io", "v1")
DEFINITION = "config/prow/cluster/prowjob-crd/prowjob_customresourcedefinition.yaml"


def prow_source() -> Path:
    """The folder of Prow's sources that its programs here were built from.

    Raises:
        ProgramFailed: go failed.
    """
    environment = {key: value for key, value in os.environ.items() if key.startswith(("GO", "PATH", "HOME"))}
    argv = ["go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/prow"]
    return Path(read(argv, env=environment, cwd=ROOT / "hack" / "tools" / "prow"))


def define_prowjobs(api: kubernetes.client.ApiClient) -> None:
    """Tell the apiserver what a ProwJob is, unless it knows, and wait until it takes some.

    Raises:
        ApiException: it does not take the definition.
    """
    definition = yaml.load((prow_source() / DEFINITION).read_bytes(), Loader=yaml.CSafeLoader)  # it is a safe loader
    try:
        kubernetes.client.ApiextensionsV1Api(api).create_custom_resource_definition(definition)
    except ApiException as error:
        if error.status != CONFLICT:
            raise
    objects: Any = kubernetes.client.CustomObjectsApi(api)
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            # A kind can be listed before discovery, which Prow's programs ask, knows of it.
            objects.get_api_resources(*PROWJOBS)
            objects.list_namespaced_custom_object(*PROWJOBS, "default", "prowjobs")
        except ApiException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


class ProwCluster:
    """One apiserver, as its administrator sees it."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._client = kubernetes.config.new_client_from_config(str(kubeconfig))
        self._objects: Any = kubernetes.client.CustomObjectsApi(self._client)
        # The client's types do not know that it takes plain JSON.
        self._core: Any = kubernetes.client.CoreV1Api(self._client)
        self._where = (*PROWJOBS, namespace, "prowjobs")
        self._namespace = namespace

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def prepare(self, secret: Mapping[str, Any]) -> None:
        """Define the kind ProwJob and create a Secret.

        Raises:
            ApiException: the apiserver refuses.
        """
        define_prowjobs(self._client)
        self._core.create_namespaced_secret(self._namespace, dict(secret))

    def jobs(self) -> list[dict[str, Any]]:
        """All ProwJobs, by name."""
        listed: list[dict[str, Any]] = self._objects.list_namespaced_custom_object(*self._where)["items"]
        return sorted(listed, key=lambda job: str(job["metadata"]["name"]))

    def job(self, name: str) -> dict[str, Any]:
        """One ProwJob.

        Raises:
            ApiException: there is none of this name.
        """
        found: dict[str, Any] = self._objects.get_namespaced_custom_object(*self._where, name)
        return found
