from __future__ import annotations

from typing import Any

import pytest
import yaml

from runner.chart.helm import NAMESPACE
from runner.chart.installable import HOOK, STORED_AT_MOST, check_installable
from runner.errors import ChartUnusable

ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ack"}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "ack", "namespace": NAMESPACE},
    "spec": {"template": {"spec": {"serviceAccountName": "ack"}}},
}
CREATES = {"values.yaml": b"serviceAccount: {create: true}\n"}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "a.b"},
    "spec": {"group": "b"},
}


def named(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


@pytest.mark.parametrize(
    ("files", "documents"),
    [
        ({}, []),
        ({}, [None, DEPLOYMENT]),
        (CREATES, [DEPLOYMENT, ACCOUNT]),
        ({"values.yaml": b"serviceAccount: {create: false}\n"}, [DEPLOYMENT]),
        ({"values.yaml": b"- a\n"}, [DEPLOYMENT]),
        (CREATES, [{**DEPLOYMENT, "spec": {"template": {"spec": {"serviceAccountName": "default"}}}}]),
        (CREATES, [{**DEPLOYMENT, "spec": None}]),
        ({}, [named(name="a"), named(name="b"), named(name="a", namespace="other")]),
        ({}, [named(generateName="a"), named(generateName="a")]),
        ({}, [named(name="a", annotations={HOOK: "pre-install"}), named(name="a", annotations={HOOK: "post-delete"})]),
        ({}, [named(name="a"), {**named(name="a"), "apiVersion": "example.com/v1"}]),
        ({}, [{"apiVersion": "v1", "kind": "List", "items": [named(name="a"), named(name="b")]}]),
        ({"crds/a.yaml": yaml.safe_dump(CRD).encode()}, [{**CRD, "metadata": {"name": "c.d"}}]),
    ],
)
def test_what_a_cluster_installs(files: dict[str, bytes], documents: list[Any]) -> None:
    """Objects with all that names them, each once, pass; so does an account that somebody else makes."""
    check_installable(files, documents, 100)


@pytest.mark.parametrize(
    ("files", "documents", "problem"),
    [
        ({}, ["text"], "the chart renders 'text', which is no object of Kubernetes"),
        ({}, [{"kind": "ConfigMap", "metadata": {"name": "a"}}], "rendered, ConfigMap/a has no apiVersion"),
        ({}, [{"apiVersion": "v1"}], "rendered, an object without kind/None has no kind and no metadata.name"),
        ({}, [named(name="a"), named(name="a", namespace=NAMESPACE)], "the chart renders ConfigMap/a twice"),
        (
            {},
            [{"apiVersion": "v1", "kind": "List", "items": [named(name="a")]}, named(name="a")],
            "the chart renders ConfigMap/a twice",
        ),
        (
            {"crds/a.yaml": yaml.safe_dump(CRD).encode()},
            [CRD],
            "a.b stands in crds/a.yaml and is rendered by a template, too: helm install refuses that",
        ),
        (
            CREATES,
            [DEPLOYMENT],
            (
                "Deployment/ack runs as the service account ack, which no template makes, although values.yaml has"
                " serviceAccount.create: true"
            ),
        ),
        (
            CREATES,
            [DEPLOYMENT, {**ACCOUNT, "metadata": {"name": "ack", "namespace": "other"}}],
            (
                "Deployment/ack runs as the service account ack, which no template makes, although values.yaml has"
                " serviceAccount.create: true"
            ),
        ),
    ],
)
def test_what_no_cluster_installs(files: dict[str, bytes], documents: list[Any], problem: str) -> None:
    """Each fault is told by the object that has it."""
    with pytest.raises(ChartUnusable) as refused:
        check_installable(files, documents, 100)
    assert refused.value.detail == (problem,)


def test_a_chart_that_helm_cannot_store() -> None:
    """A release stands in a Secret in base64, which is a third longer."""
    check_installable({}, [], STORED_AT_MOST * 3 // 4)
    with pytest.raises(ChartUnusable, match="Helm can store no release of more than 1048576"):
        check_installable({}, [], STORED_AT_MOST * 3 // 4 + 2)
