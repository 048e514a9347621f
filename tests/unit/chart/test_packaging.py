from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.chart.archive import PackagedChart, files_of, pack
from runner.chart.crds import Expected
from runner.chart.facts import read_chart_facts
from runner.chart.packaging import Clusters, has_same_files, package_chart, read_crds
from runner.errors import ChartDisagrees, ChartUnusable, CrdsDiffer, RegistryAnswerWrong
from runner.oci.manifest import HELM_CHART, HELM_CONFIG, OCI_LAYER, OCI_MANIFEST, Manifest, digest_of
from runner.oci.name import Name
from testbed.base_images import write_blob
from testbed.memory.calls import raising
from testbed.memory.helm import MemoryHelm
from testbed.memory.registry import MemoryRegistry

if TYPE_CHECKING:
    from pathlib import Path

PRODUCTION = "public.ecr.aws/ack/s3-controller"
IMAGE = Name.parse(f"{PRODUCTION}:1.2.3")
STAGED = Name.parse("127.0.0.1:5000/staging/s3-controller:1.2.3")
FILES = {
    "Chart.yaml": b"apiVersion: v2\nname: s3-chart\nversion: 1.2.3\nappVersion: 1.2.3\n",
    "values.yaml": f"image:\n  repository: {PRODUCTION}\n  tag: 1.2.3\n".encode(),
    "templates/NOTES.txt": f"It runs {PRODUCTION}:1.2.3\n".encode(),
}
FACTS = read_chart_facts("services/s3/helm", FILES["Chart.yaml"], FILES["values.yaml"])
CHART = Name.parse("registry.example/ack/s3-chart:1.2.3")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for path, body in FILES.items():
        file = tmp_path / "tree" / FACTS.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    return tmp_path / "tree"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    return made


# --- packaging --------------------------------------------------------------------------------------------------------


def test_chart_for_production(source: Path, folder: Path) -> None:
    """A chart that names its image already is packaged with its files as they are, under its name and version."""
    helm = MemoryHelm()
    packaged = package_chart(source, FACTS, IMAGE, helm, folder)
    assert packaged.archive == folder / "s3-chart-1.2.3.tgz"
    files = files_of(packaged.archive.read_bytes())
    assert {path: body for path, body in files.items() if path != "Chart.yaml"} == {
        path: body for path, body in FILES.items() if path != "Chart.yaml"
    }
    assert (packaged.digest, packaged.warnings) == (digest_of(packaged.archive.read_bytes()), ())
    assert [call.method for call in helm.calls.made] == ["lint", "render", "package"]
    assert {call.about for call in helm.calls.made} == {"s3-chart"}


def test_chart_for_another_registry(source: Path, folder: Path) -> None:
    """A staging chart names the other image, in its copy alone, and is otherwise the same; notes name the rest."""
    packaged = package_chart(source, FACTS, STAGED, MemoryHelm(), folder)
    files = files_of(packaged.archive.read_bytes())
    assert read_chart_facts("helm", files["Chart.yaml"], files["values.yaml"]).image == str(STAGED)
    assert files["templates/NOTES.txt"] == FILES["templates/NOTES.txt"]
    assert packaged.warnings == ()
    assert packaged.notes == (f"services/s3/helm/templates/NOTES.txt:1: still names {PRODUCTION}:1.2.3",)
    assert (source / FACTS.folder / "values.yaml").read_bytes() == FILES["values.yaml"]


def test_same_chart_same_digest(source: Path, tmp_path: Path) -> None:
    """Packaged in another folder, the archive is the same."""
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        digests.add(package_chart(source, FACTS, IMAGE, MemoryHelm(), tmp_path / name).digest)
    assert len(digests) == 1


def test_warnings_in_order(source: Path, folder: Path) -> None:
    """Helm's warnings come first, marked as its own, then other images; what still names production needs nothing."""
    helm = MemoryHelm(warnings=("icon is missing",))
    proxy = {"name": "proxy", "image": "registry.example/proxy:2"}
    containers = [{"name": "controller", "image": str(STAGED)}, proxy]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": containers}}
    helm.calls.intervene("render", lambda: (pod,), when="instead")
    packaged = package_chart(source, FACTS, STAGED, helm, folder)
    assert packaged.notes == (f"services/s3/helm/templates/NOTES.txt:1: still names {PRODUCTION}:1.2.3",)
    assert packaged.warnings == (
        "helm lint: icon is missing",
        "container proxy of Pod/x uses registry.example/proxy:2",
    )


@pytest.mark.parametrize("method", ["lint", "render", "package"])
def test_helm_that_refuses(source: Path, folder: Path, method: str) -> None:
    """What helm refuses is not packaged, and nothing is asked of helm after that."""
    helm = MemoryHelm()
    helm.calls.intervene(method, raising(ChartUnusable("as asked")))
    with pytest.raises(ChartUnusable, match="as asked"):
        package_chart(source, FACTS, IMAGE, helm, folder)
    assert helm.calls.made[-1].method == method
    assert not list(folder.glob("*.tgz"))


def test_chart_that_runs_another_image(source: Path, folder: Path) -> None:
    """A chart whose templates do not use its values is not packaged."""
    helm = MemoryHelm()
    pod = {"kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"image": f"{PRODUCTION}:1.2.2"}]}}
    helm.calls.intervene("render", lambda: (pod,), when="instead")
    with pytest.raises(ChartDisagrees, match=rf"uses {PRODUCTION}:1\.2\.2, not {IMAGE}"):
        package_chart(source, FACTS, IMAGE, helm, folder)
    assert helm.calls.made[-1].method == "render"


def test_links_stay_links(source: Path, folder: Path) -> None:
    """A link is a link in the copy, too: what it points at is for lint to judge, and not in the chart already."""
    (source / "secret").write_text("x")
    (source / FACTS.folder / "file").symlink_to("../../../secret")
    helm, seen = MemoryHelm(), list[bool]()
    helm.calls.intervene("lint", lambda: seen.append((folder / "s3-chart" / "file").is_symlink()))
    helm.calls.intervene("lint", raising(ChartUnusable("a link")))
    with pytest.raises(ChartUnusable, match="a link"):
        package_chart(source, FACTS, IMAGE, helm, folder)
    assert seen == [True]


def test_chart_for_several_clusters(source: Path, folder: Path) -> None:
    """The chart is linted and rendered for each version, packaged once, and a warning of each is given once."""
    helm = MemoryHelm(warnings=("icon is missing",))
    packaged = package_chart(source, FACTS, IMAGE, helm, folder, clusters=Clusters(("1.35.0", "1.36.0")))
    assert packaged.warnings == ("helm lint: icon is missing",)
    assert [call.method for call in helm.calls.made] == ["lint", "render", "lint", "render", "package"]


def test_chart_for_newer_clusters_only(source: Path, folder: Path) -> None:
    """A chart that its kubeVersion keeps from the usual cluster is rendered for one that it allows, with a note."""
    file = source / FACTS.folder / "Chart.yaml"
    file.write_bytes(file.read_bytes() + b"kubeVersion: 1.37.0\n")
    packaged = package_chart(source, FACTS, IMAGE, MemoryHelm(), folder)
    assert packaged.notes == ("the chart is rendered for Kubernetes 1.37.0, as its kubeVersion is 1.37.0",)


CRD = b"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec: {group: b}\n"


def write(folder: Path, body: bytes) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_bytes(body)


def test_definitions_of_the_repository(source: Path, folder: Path) -> None:
    """What config/crd has is read by its path in the repository; other files, pointers and links outwards are not."""
    bases = source / "services/s3/config/crd/bases"
    write(bases / "a.yaml", CRD)
    write(bases / "README.md", b"a")
    write(
        bases / "pointer.yaml", f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * 'a'}\nsize 1\n".encode()
    )
    write(source.parent / "secret.yaml", b"a: b")
    (bases / "link.yaml").symlink_to(source.parent / "secret.yaml")
    write(source / "services/s3/config/crd/common/bases/c.json", b"{}")
    write(source / "services/s3/config/crd/kustomization.yaml", b"patches: []\n")
    expected = read_crds(source, "services/s3", complete=True)
    assert expected.own == {"services/s3/config/crd/bases/a.yaml": CRD}
    assert expected.common == {"services/s3/config/crd/common/bases/c.json": b"{}"}
    assert (expected.complete, expected.patched) == (True, True)
    assert read_crds(source, ".", complete=False) == Expected(complete=False)
    with pytest.raises(
        CrdsDiffer, match=r"a\.b of services/s3/config/crd/bases/a\.yaml is missing in services/s3/helm/crds"
    ):
        package_chart(source, FACTS, IMAGE, MemoryHelm(), folder, clusters=Clusters(crds=expected))


def test_definitions_at_the_root(source: Path, folder: Path) -> None:
    """A service at the repository's root has them there, and a chart that brings them passes."""
    write(source / "config/crd/bases/a.yaml", CRD)
    write(source / FACTS.folder / "crds/a.yaml", CRD)
    expected = read_crds(source, ".", complete=True)
    assert expected.own == {"config/crd/bases/a.yaml": CRD}
    assert package_chart(source, FACTS, IMAGE, MemoryHelm(), folder, clusters=Clusters(crds=expected)).warnings == ()


# --- comparing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def packaged(source: Path, folder: Path) -> PackagedChart:
    return package_chart(source, FACTS, IMAGE, MemoryHelm(), folder)


def published(folder: Path, archive: bytes, media_type: str = HELM_CHART) -> tuple[MemoryRegistry, Manifest]:
    """A registry that holds this archive as the layer of a chart, and the chart's manifest."""
    registry = MemoryRegistry()
    blobs = write_blob(folder, HELM_CONFIG, b"{}"), write_blob(folder, media_type, archive)
    for blob in blobs:
        registry.send_blob(CHART.repository, blob)
    config, layer = (blob.descriptor.document() for blob in blobs)
    return registry.another(), Manifest.write(OCI_MANIFEST, {"config": config, "layers": [layer]})


def test_same_archive(packaged: PackagedChart, folder: Path) -> None:
    """The very same archive is known by its digest, and not fetched."""
    registry, manifest = published(folder, packaged.archive.read_bytes())
    assert has_same_files(packaged, CHART, manifest, registry, folder)
    assert registry.calls.made == []


def test_same_files_in_another_archive(packaged: PackagedChart, source: Path, folder: Path) -> None:
    """The same files in the archive that helm itself makes are the same."""
    archive = MemoryHelm().package(source / FACTS.folder, folder).read_bytes()
    assert digest_of(archive) != packaged.digest
    registry, manifest = published(folder, archive)
    assert has_same_files(packaged, CHART, manifest, registry, folder)
    assert [call.method for call in registry.calls.made] == ["download_blob"]


@pytest.mark.parametrize(
    "changes",
    [{"values.yaml": b"image: {}\n"}, {"more": b""}, {"templates/NOTES.txt": b""}],
    ids=["values", "more", "notes"],
)
def test_other_files(packaged: PackagedChart, folder: Path, changes: dict[str, bytes]) -> None:
    """One file that differs or that only one of them has makes another chart."""
    registry, manifest = published(folder, pack("s3-chart", {**FILES, **changes}))
    assert not has_same_files(packaged, CHART, manifest, registry, folder)


def test_what_is_no_chart(packaged: PackagedChart, folder: Path) -> None:
    """A manifest without a chart's layer is a wrong answer that names what holds it."""
    registry, manifest = published(folder, packaged.archive.read_bytes(), OCI_LAYER)
    with pytest.raises(
        RegistryAnswerWrong, match=rf"{CHART} does not hold a chart: it has no layer of type {OCI_CHART}"
    ):
        has_same_files(packaged, CHART, manifest, registry, folder)


OCI_CHART = HELM_CHART.replace("+", r"\+").replace(".", r"\.")


@pytest.mark.parametrize("archive", [b"<html>", pack("a", FILES)[:-10]], ids=["no archive", "cut"])
def test_what_cannot_be_unpacked(packaged: PackagedChart, folder: Path, archive: bytes) -> None:
    """An archive that cannot be unpacked is a wrong answer, and no other chart."""
    registry, manifest = published(folder, archive)
    with pytest.raises(RegistryAnswerWrong, match=f"{CHART} holds a chart that cannot be unpacked: it is"):
        has_same_files(packaged, CHART, manifest, registry, folder)
