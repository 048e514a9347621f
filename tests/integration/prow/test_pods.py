"""The pods of generated jobs, decoded and judged by a real apiserver, and what Prow's own decoration knows."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes
import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from runner.config.decoration import NOT_HERE, VOLUMES, DecorationSection
from runner.prow.generate.document import to_yaml
from runner.prow.generate.jobs import job_config
from testbed.paths import ROOT
from testbed.processes import read
from testbed.prow.api_clients import client, create_namespace
from testbed.prow.job_configs import with_prow
from tests.integration.prow.test_jobs import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACE = "judged-pods"


@pytest.fixture(scope="module")
def api(kubeconfig: Path) -> Iterator[Any]:
    """The administrator's client of an apiserver that has the priority classes that the jobs name."""
    with client(kubeconfig) as made:
        create_namespace(made, NAMESPACE)
        scheduling: Any = kubernetes.client.SchedulingV1Api(made)
        for name in ("high", "low"):
            scheduling.create_priority_class({"metadata": {"name": name}, "value": 1})
        yield made


def judged(api: Any, spec: dict[str, Any], labels: dict[str, str] | None) -> dict[str, Any]:
    """Let the apiserver decode a pod's bytes strictly and judge it, and return its spec; nothing is created.

    The client's own models would leave out what they do not know. Prow names the container, too.
    """
    (container,) = spec["containers"]
    whole = {**spec, "containers": [{"name": "test", **container}]}
    request = api.param_serialize(
        method="POST",
        resource_path=f"/api/v1/namespaces/{NAMESPACE}/pods",
        query_params=[("dryRun", "All"), ("fieldValidation", "Strict")],
        header_params={"Content-Type": "application/json", "Accept": "application/json"},
        body={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "judged", "labels": labels}, "spec": whole},
        auth_settings=["BearerToken"],
    )
    answer = api.call_api(*request)
    body = json.loads(answer.read())
    assert isinstance(body, dict)
    if answer.status >= 400:
        raise ApiException(status=answer.status, reason=body["message"])
    decoded = body["spec"]
    assert isinstance(decoded, dict)
    return decoded


def jobs(prow: str) -> dict[str, dict[str, Any]]:
    """A service's release and its check, as Prow reads them."""
    loaded = yaml.safe_load(to_yaml(job_config(with_prow(" ".join(prow.split())))["s3-controller"]))
    found = (job for kind in ("postsubmits", "presubmits") for of in loaded[kind].values() for job in of)
    return {job["name"]: job for job in found}


@pytest.mark.parametrize("prow", ["", EVERYTHING], ids=["least", "all"])
@pytest.mark.parametrize("name", ["s3-release", "s3-release-check"])
def test_kubernetes_takes_the_pod(api: Any, prow: str, name: str) -> None:
    """A strict apiserver knows every field of a job's pod and takes all values."""
    job = jobs(prow)[name]
    decoded = judged(api, job["spec"], job.get("labels"))
    for key in ("nodeSelector", "imagePullSecrets", "priorityClassName"):
        assert decoded.get(key) == job["spec"].get(key)
    wanted = job["spec"].get("tolerations", ())
    assert [one for one in wanted if one in decoded.get("tolerations", ())] == list(wanted)


@pytest.mark.parametrize(
    "change",
    [
        {"tolerations": [{"key": "a", "operator": "In"}]},
        {"tolerations": [{"value": "b"}]},
        {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
        {"tolerations": [{"key": "a", "tolerationSeconds": 1}]},
        {"tolerations": [{"key": "a", "effect": "NoRun"}]},
        {"tolerations": [{"key": "a..b/c"}]},
        {"nodeSelector": {"pool": "a b"}},
        {"nodeSelector": {"a..b/c": "d"}},
        {"priorityClassName": "High"},
        {"node_selector": {"pool": "a"}},
    ],
    ids=str,
)
def test_kubernetes_refuses_what_jobs_yaml_refuses(api: Any, change: dict[str, Any]) -> None:
    """The rules of jobs.yaml are the apiserver's: it refuses a pod with each of these."""
    spec = {**jobs("")["s3-release"]["spec"], **change}
    with pytest.raises(ApiException) as raised:
        judged(api, spec, None)
    assert raised.value.status in {400, 403, 422}


def prows_source(*path: str) -> str:
    """A file of the pinned Prow."""
    folder = read(
        ["go", "-C", ROOT / "hack" / "tools" / "prow", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/prow"],
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    return Path(folder.strip()).joinpath(*path).read_text("utf-8")


def test_every_field_of_prows_decoration() -> None:
    """Each field of the pinned Prow's DecorationConfig can be set, or it is said what decides it instead."""
    types = prows_source("pkg", "apis", "prowjobs", "v1", "types.go")
    body = types.split("type DecorationConfig struct {")[1].split("\n}")[0]
    fields = set(re.findall(r'`json:"([a-z0-9_]+),omitempty"`', body))
    assert len(fields) > 20
    assert fields == set(DecorationSection.model_fields) | set(NOT_HERE)
    assert not set(DecorationSection.model_fields) & set(NOT_HERE)


def test_every_volume_of_prows_decoration() -> None:
    """A Secret whose name becomes a volume's cannot have the name of one that the pinned Prow adds to a pod."""
    source = prows_source("pkg", "pod-utils", "decorate", "podspec.go")
    names = set(
        re.findall(
            r'MountName += "([a-z0-9-]+)"|tmpVolume\("([a-z-]+)"\)|^\t\tName: +"([a-z-]+)"', source, re.MULTILINE
        )
    )
    found = {name for groups in names for name in groups if name}
    assert {"logs", "clonerefs-tmp", "cookiefile"} <= found
    assert found <= set(VOLUMES)
