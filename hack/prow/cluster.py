"""What Prow needs in the cluster before it starts: the kind ProwJob, as the pinned Prow defines it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import kubernetes
import yaml
from kubernetes.client.exceptions import ApiException

from hack.processes import read
from hack.sample_controller import ROOT

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
