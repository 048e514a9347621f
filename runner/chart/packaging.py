"""From a chart in the exported tree to a packaged chart that may be published: checked, linted, rendered, packaged."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runner.chart.archive import ARCHIVE_LIMIT, PackagedChart, files_of, repack, same_files
from runner.chart.crds import COMMON_FOLDER, CRD_FOLDER, OWN_FOLDER, SUFFIXES, Brought, Expected, check_crds, is_patched
from runner.chart.facts import CHART_FILE
from runner.chart.held import check_held
from runner.chart.installable import check_installable
from runner.chart.kubernetes import Chosen, choose_versions
from runner.chart.staging import rewrite_image
from runner.chart.workload import check_workload
from runner.chart.yaml_text import Mapped, YamlInvalid
from runner.errors import RegistryAnswerWrong
from runner.oci.manifest import HELM_CHART
from runner.pointers import pointer_in, real_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.chart.facts import ChartFacts
    from runner.chart.helm import Helm
    from runner.oci.manifest import Manifest
    from runner.oci.name import Name
    from runner.oci.registry import Registry


@dataclass(frozen=True)
class Clusters:
    """What the clusters that a chart is for are like.

    ``kube_versions`` are theirs, empty where jobs.yaml has none; ``crds`` is what they must learn from the chart.
    """

    kube_versions: tuple[str, ...] = ()
    crds: Expected = field(default_factory=Expected)


def package_chart(
    source: Path, facts: ChartFacts, image: Name, helm: Helm, folder: Path, *, clusters: Clusters | None = None
) -> PackagedChart:
    """Package a chart so that it deploys exactly this image.

    Args:
        source: the exported tree.
        facts: what the chart states; its image is production's.
        image: what the packaged chart names; another than production's makes it a staging chart.
        helm: lints, renders and packages.
        folder: an empty folder for what is made on the way.
        clusters: what it is made for.

    Raises:
        ChartUnusable: helm refuses it, a cluster would, or the commit only points to a part of it.
        ChartDisagrees: what it renders does not run exactly this image.
        CrdsDiffer: it does not install what the controller works with.
    """
    clusters = clusters or Clusters()
    chart = folder / facts.name
    shutil.copytree(source / facts.folder, chart, symlinks=True)
    check_held(chart, facts.folder, helm, folder)
    warnings: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    if str(image) != facts.image:
        named = rewrite_image(chart, facts, str(image.repository), image.tag)
    chosen = _choose(chart, clusters.kube_versions, helm, folder)
    rendered = []
    for version in chosen.versions:
        warnings += tuple(f"helm lint: {warning}" for warning in helm.lint(chart, version))
        documents = helm.render(chart, version)
        warnings += check_workload(documents, str(image))
        rendered.append(documents)
    packaged = repack(helm.package(chart, folder), folder / f"{facts.name}-{facts.version}.tgz")
    files = files_of(packaged.archive.read_bytes())
    committed = _files(source, facts.folder)
    for documents in rendered:
        check_installable(files, documents, packaged.size)
        warnings += check_crds(clusters.crds, Brought(facts.folder, files, committed, documents))
    return replace(packaged, warnings=tuple(dict.fromkeys(warnings)), notes=(*named, *chosen.notes))


def read_crds(source: Path, path: str, *, complete: bool) -> Expected:
    """Read the definitions that a service's controller works with from the exported tree; none where it has none.

    Args:
        source: the exported tree.
        path: the service's folder in it.
        complete: whether the service's chart must have all of them.
    """
    return Expected(
        own=_definitions(source, f"{path}/{OWN_FOLDER}"),
        common=_definitions(source, f"{path}/{COMMON_FOLDER}"),
        complete=complete,
        patched=any(is_patched(body) for body in _files(source, f"{path}/{CRD_FOLDER}", "kustomization.y*ml").values()),
    )


def _definitions(source: Path, folder: str) -> dict[str, bytes]:
    # What only points to a definition is not compared: nothing of it is published.
    return {
        f"{folder}/{file}".removeprefix("./"): body
        for file, body in _files(source, folder).items()
        if file.endswith(SUFFIXES) and pointer_in(body) is None
    }


def _files(source: Path, folder: str, pattern: str = "**/*") -> Mapping[str, bytes]:
    """The files in a folder of the tree by their path in it; what a link takes from elsewhere is not read."""
    root, top = source.resolve(), source / folder
    files = (path for path in sorted(top.glob(pattern)) if path.is_file() and real_path(path).is_relative_to(root))
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in files}


def _choose(chart: Path, configured: tuple[str, ...], helm: Helm, folder: Path) -> Chosen:
    try:
        stated = Mapped.read((chart / CHART_FILE).read_bytes()).scalar("kubeVersion")
    except (OSError, YamlInvalid):
        # Helm says better what is wrong with the file.
        stated = None
    constraint = "" if stated is None else stated.text
    return choose_versions(constraint, configured, lambda text, versions: helm.allowed(text, versions, folder))


def has_same_files(packaged: PackagedChart, name: Name, manifest: Manifest, registry: Registry, folder: Path) -> bool:
    """Whether a published chart holds the same files as the one packaged here.

    Raises:
        RegistryAnswerWrong: what is published has no chart layer, or one that cannot be unpacked.
    """
    layer = next((blob for blob in manifest.blobs if blob.media_type == HELM_CHART), None)
    if layer is None:
        raise RegistryAnswerWrong(f"{name} does not hold a chart: it has no layer of type {HELM_CHART}")
    if layer.digest == packaged.digest:
        return True
    if layer.size > ARCHIVE_LIMIT:
        raise RegistryAnswerWrong(f"{name} holds a chart of {layer.size} bytes, and Helm loads {ARCHIVE_LIMIT} at most")
    file = folder / f"{layer.digest.removeprefix('sha256:')}.tgz"
    registry.download_blob(name.repository, layer, file)
    try:
        return same_files(files_of(packaged.archive.read_bytes()), files_of(file.read_bytes()))
    except ValueError as error:
        raise RegistryAnswerWrong(f"{name} holds a chart that cannot be unpacked: {error}") from error
