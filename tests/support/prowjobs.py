"""ProwJobs in a real apiserver: their definition from Prow's module, and an API client that acts as somebody."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes
import yaml
from kubernetes.client.exceptions import ApiException

from hack.processes import Argv, read
from tests.support.tools import ROOT, require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

READY_SECONDS = 30.0
CONFLICT = 409
PROWJOBS = ("prow.k8s.io", "v1")


def prow_source() -> Path:
    """The folder of Prow's sources that its programs here were built from."""
    environment = {key: value for key, value in os.environ.items() if key.startswith(("GO", "PATH", "HOME"))}
    argv: Argv = [require_tool("go"), "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/prow"]
    return Path(read(argv, env=environment, cwd=ROOT / "hack" / "tools" / "prow"))


@contextlib.contextmanager
def client(kubeconfig: Path, *, user: str | None = None, group: str | None = None) -> Iterator[Any]:
    """An API client of the administrator, or of the user in this group, as whom the administrator acts."""
    made = kubernetes.config.new_client_from_config(str(kubeconfig))
    if user is not None:
        made.set_default_header("Impersonate-User", user)
    if group is not None:
        made.set_default_header("Impersonate-Group", group)
    try:
        yield made
    finally:
        made.close()


def define_prowjobs(api: Any) -> None:
    """Tell the apiserver what a ProwJob is, and wait until it takes some."""
    path = prow_source() / "config/prow/cluster/prowjob-crd/prowjob_customresourcedefinition.yaml"
    definition = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    try:
        kubernetes.client.ApiextensionsV1Api(api).create_custom_resource_definition(definition)
    except ApiException as error:
        if error.status != CONFLICT:
            raise
    objects = kubernetes.client.CustomObjectsApi(api)
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            objects.list_namespaced_custom_object(*PROWJOBS, "default", "prowjobs")
        except ApiException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def create_namespace(api: Any, name: str) -> None:
    """Make a namespace unless it is there."""
    try:
        core: Any = kubernetes.client.CoreV1Api(api)
        core.create_namespace({"metadata": {"name": name}})
    except ApiException as error:
        if error.status != CONFLICT:
            raise
