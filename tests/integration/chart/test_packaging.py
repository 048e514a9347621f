"""Both majors of the real helm on charts that pack, but that no cluster could install or run, and on right ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from runner.chart.archive import files_of
from runner.chart.facts import read_chart_facts
from runner.chart.helm import Helm
from runner.chart.packaging import Clusters, package_chart, read_crds
from runner.errors import ChartUnusable, CrdsDiffer
from runner.oci.name import Name
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from testbed.files import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.chart.archive import PackagedChart

IMAGE = "public.ecr.aws/aws-controllers-k8s/s3-controller"
CHART = b"apiVersion: v2\nname: s3-chart\nversion: 1.2.3\nappVersion: 1.2.3\nicon: https://example.com/i.png\n"
DEPLOYMENT = b"""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}", annotations: {on: "{{ .Capabilities.KubeVersion }}"}}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers:
      - {name: controller, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}
"""
NAME = "buckets.s3.services.k8s.aws"
CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": NAME},
    "spec": {
        "group": "s3.services.k8s.aws",
        "names": {"kind": "Bucket", "plural": "buckets"},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}
BODY = yaml.safe_dump(CRD).encode()
BASE = f"config/crd/bases/{NAME}.yaml"
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * 'a'}\nsize 12345\n".encode()
TREE: Mapping[str, bytes] = {
    "helm/Chart.yaml": CHART,
    "helm/values.yaml": f"image:\n  repository: {IMAGE}\n  tag: 1.2.3\n".encode(),
    "helm/templates/deployment.yaml": DEPLOYMENT,
    f"helm/crds/{NAME}.yaml": BODY,
    BASE: BODY,
}


def package(
    helm: Path, folder: Path, changed: Mapping[str, bytes | None], *kube_versions: str, submodules: tuple[str, ...] = ()
) -> PackagedChart:
    """Package the chart of a changed tree; None leaves a file out."""
    tree = {path: body for path, body in {**TREE, **changed}.items() if body is not None}
    source = write_files(folder / "source", tree)
    for path in submodules:
        (source / path).mkdir(parents=True)
    facts = read_chart_facts("helm", tree["helm/Chart.yaml"], tree["helm/values.yaml"])
    caller = Helm(str(helm), Children(Lifetime()).run, {"PATH": os.environ["PATH"], "HOME": str(folder)})
    (folder / "made").mkdir()
    clusters = Clusters(kube_versions, read_crds(source, ".", complete=True))
    return package_chart(source, facts, Name.parse(f"{IMAGE}:1.2.3"), caller, folder / "made", clusters=clusters)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {f"helm/crds/{NAME}.yaml": None, "helm/templates/crd.yaml": BODY},
        {
            f"helm/crds/{NAME}.yaml": None,
            f"helm/charts/sub/crds/{NAME}.yaml": BODY,
            "helm/charts/sub/Chart.yaml": CHART.replace(b"s3-chart", b"sub"),
            "helm/Chart.yaml": CHART + b"dependencies: [{name: sub, version: 1.2.3}]\n",
        },
        {"helm/.helmignore": b"docs\n*.png\n", "helm/docs/a": LFS, "helm/crds/a.png": LFS},
        {"docs/picture.png": LFS, "config/crd/bases/other.yaml": LFS},
    ],
    ids=["usual", "template", "sub-chart", "ignored-pointers", "pointers-elsewhere"],
)
def test_right_charts_pass(helm: Path, tmp_path: Path, changed: Mapping[str, bytes | None]) -> None:
    """Definitions may stand where helm finds them, and pointers where it takes nothing from."""
    packaged = package(helm, tmp_path, changed)
    assert (packaged.warnings, packaged.notes) == ((), ())
    assert not any(b"git-lfs" in body for body in files_of(packaged.archive.read_bytes()).values())


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({f"helm/crds/{NAME}.yaml": None}, f"{NAME} of {BASE} is missing in helm/crds"),
        ({"helm/.helmignore": b"crds/\n"}, f".helmignore hides helm/crds/{NAME}.yaml"),
        ({"helm/.helmignore": b"*buckets*\n"}, f".helmignore hides helm/crds/{NAME}.yaml"),
        (
            {f"helm/crds/{NAME}.yaml": BODY.replace(b"Namespaced", b"Cluster")},
            f"{NAME} in helm/crds/{NAME}.yaml differs from {BASE}: spec.scope is 'Cluster', not 'Namespaced'",
        ),
        (
            {
                f"helm/crds/{NAME}.yaml": None,
                "helm/templates/crd.yaml": b"{{ if .Values.crds }}\n" + BODY + b"{{ end }}\n",
            },
            f"{NAME} of {BASE} is missing in helm/crds",
        ),
    ],
    ids=["missing", "hidden-folder", "hidden-file", "older", "not-rendered"],
)
def test_definitions_that_a_cluster_would_not_get(
    helm: Path, tmp_path: Path, changed: Mapping[str, bytes | None], cause: str
) -> None:
    """What helm packages and renders decides, not what is committed."""
    with pytest.raises(CrdsDiffer) as refused:
        package(helm, tmp_path, changed)
    assert cause in refused.value.cause


@pytest.mark.parametrize(
    ("changed", "submodules", "named"),
    [
        ({f"helm/crds/{NAME}.yaml": LFS}, (), f"helm/crds/{NAME}.yaml is a Git LFS pointer"),
        ({"helm/templates/a.yaml": LFS}, (), "helm/templates/a.yaml is a Git LFS pointer"),
        ({"helm/files/a.bin": LFS}, (), "helm/files/a.bin is a Git LFS pointer"),
        ({"helm/charts/sub-1.0.0.tgz": LFS}, (), "helm/charts/sub-1.0.0.tgz is a Git LFS pointer"),
        ({"helm/values.schema.json": LFS}, (), "helm/values.schema.json is a Git LFS pointer"),
        ({"helm/files/a": b"/annex/objects/MD5-s3--acbd\n"}, (), "helm/files/a is a pointer of git-annex"),
        ({}, ("helm/charts/sub",), "helm/charts/sub is a submodule"),
        ({}, ("helm/files/sub",), "helm/files/sub is a submodule"),
    ],
)
def test_charts_that_the_commit_does_not_hold_whole(
    helm: Path, tmp_path: Path, changed: Mapping[str, bytes], submodules: tuple[str, ...], named: str
) -> None:
    """A pointer that helm would package is named, wherever in the chart it stands."""
    with pytest.raises(ChartUnusable, match="the chart needs what is not there") as refused:
        package(helm, tmp_path, changed, submodules=submodules)
    assert f"{named}: the commit does not hold its content" in refused.value.cause


@pytest.mark.parametrize(
    ("constraint", "version"),
    [
        (">=1.35.0-0", "1.37.0"),
        (">=1.36", "1.37.0"),
        (">=1.38-0", "1.38.0"),
        ("~1.33.4", "1.33.4"),
        ("1.21 - 1.29", "1.29.0"),
        (">=1.20.0-0 <1.30.0-0 || >=1.35.0-0 <1.36.0-0", "1.35.0"),
        ("^1.37.2", "1.37.2"),
        ("<1.20", "1.19.0"),
    ],
)
def test_charts_of_other_clusters_are_rendered_for_one_of_these(
    helm: Path, tmp_path: Path, constraint: str, version: str
) -> None:
    """Whatever a constraint allows is found, the newest known version first, and told as a note."""
    packaged = package(helm, tmp_path, {"helm/Chart.yaml": CHART + f"kubeVersion: '{constraint}'\n".encode()})
    assert packaged.notes == (f"the chart is rendered for Kubernetes {version}, as its kubeVersion is {constraint}",)


@pytest.mark.parametrize("constraint", [">=1.30.0-0", "*", "1.x", "1.34.0", ">=1.30 <1.40"])
def test_the_usual_cluster_is_kept_where_it_is_allowed(helm4: Path, tmp_path: Path, constraint: str) -> None:
    """A constraint that takes it is worth no note."""
    packaged = package(helm4, tmp_path, {"helm/Chart.yaml": CHART + f"kubeVersion: '{constraint}'\n".encode()})
    assert packaged.notes == ()


@pytest.mark.parametrize("constraint", ["<0.1", ">1.35 <1.35", "not a version", ">=2.0.0"])
def test_a_constraint_that_nothing_meets(helm: Path, tmp_path: Path, constraint: str) -> None:
    """No version satisfies it, or it cannot be read: helm says so."""
    with pytest.raises(ChartUnusable, match=r"helm template refuses .*incompatible with Kubernetes v1\.34\.0"):
        package(helm, tmp_path, {"helm/Chart.yaml": CHART + f"kubeVersion: '{constraint}'\n".encode()})


def test_charts_are_rendered_for_every_configured_cluster(helm: Path, tmp_path: Path) -> None:
    """A template that one of them cannot take is refused, although the others can."""
    template = b'{{ if semverCompare "<1.36" .Capabilities.KubeVersion.Version }}{{ fail "too old" }}{{ end }}\n'
    with pytest.raises(ChartUnusable, match="too old"):
        package(helm, tmp_path / "both", {"helm/templates/a.yaml": template}, "1.36.0", "1.35.0")
    assert package(helm, tmp_path / "one", {"helm/templates/a.yaml": template}, "1.36.0", "1.37.0").warnings == ()
    chart = {"helm/Chart.yaml": CHART + b"kubeVersion: '>=1.36'\n", "helm/templates/a.yaml": template}
    assert package(helm, tmp_path / "allowed", chart, "1.35.0", "1.36.0").notes == (
        "the chart is not rendered for Kubernetes 1.35.0, as its kubeVersion is >=1.36",
    )


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"helm/templates/a.yaml": b"kind: ConfigMap\nmetadata: {name: a}\n"}, "ConfigMap/a has no apiVersion"),
        ({"helm/templates/a.yaml": DEPLOYMENT}, "the chart renders Deployment/ack-release twice"),
        ({"helm/templates/crd.yaml": BODY}, f"{NAME} stands in crds/{NAME}.yaml and is rendered by a template, too"),
        ({"helm/crds/more.yaml": b"{{ .Values.a }}: b\n"}, "crds/more.yaml"),
        (
            {
                "helm/.helmignore": b"service-account.yaml\n",
                "helm/values.yaml": TREE["helm/values.yaml"] + b"serviceAccount: {create: true}\n",
                "helm/templates/service-account.yaml": b"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ack}\n",
                "helm/templates/deployment.yaml": DEPLOYMENT.replace(
                    b"      containers:", b"      serviceAccountName: ack\n      containers:"
                ),
            },
            "Deployment/ack-release runs as the service account ack, which no template makes",
        ),
        ({"helm/Chart.yaml": CHART + b"type: library\n"}, "library"),
        ({"helm/values.schema.json": b'{"required": ["absent"]}'}, "absent"),
    ],
    ids=["no-version", "twice", "crd-twice", "crd-template", "account", "library", "schema"],
)
def test_charts_that_no_cluster_installs(helm: Path, tmp_path: Path, changed: Mapping[str, bytes], cause: str) -> None:
    """A chart that packs is not yet one that can be installed."""
    with pytest.raises((ChartUnusable, CrdsDiffer)) as refused:
        package(helm, tmp_path, changed)
    assert cause in refused.value.cause
    assert refused.value.exit_code == 4
