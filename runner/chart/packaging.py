"""From a chart in the exported tree to a packaged chart that may be published: checked, linted, rendered, packaged."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from runner.chart.archive import PackagedChart, files_of, repack, same_files
from runner.chart.staging import rewrite_image
from runner.chart.workload import check_workload
from runner.errors import RegistryAnswerWrong
from runner.oci.manifest import HELM_CHART

if TYPE_CHECKING:
    from pathlib import Path

    from runner.chart.facts import ChartFacts
    from runner.chart.helm import Helm
    from runner.oci.manifest import Manifest
    from runner.oci.name import Name
    from runner.oci.registry import Registry


def package_chart(source: Path, facts: ChartFacts, image: Name, helm: Helm, folder: Path) -> PackagedChart:
    """Package a chart so that it deploys exactly this image.

    Args:
        source: the exported tree.
        facts: what the chart states; its image is production's.
        image: what the packaged chart names; another than production's makes it a staging chart.
        helm: lints, renders and packages.
        folder: an empty folder for what is made on the way.

    Raises:
        ChartUnusable: helm refuses it.
        ChartDisagrees: what it renders does not run exactly this image.
    """
    chart = folder / facts.name
    shutil.copytree(source / facts.folder, chart, symlinks=True)
    warnings: tuple[str, ...] = ()
    if str(image) != facts.image:
        warnings += rewrite_image(chart, facts, str(image.repository), image.tag)
    warnings += tuple(f"helm lint: {warning}" for warning in helm.lint(chart))
    warnings += check_workload(helm.render(chart), str(image))
    return repack(helm.package(chart, folder), folder / f"{facts.name}-{facts.version}.tgz", warnings)


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
    file = folder / f"{layer.digest.removeprefix('sha256:')}.tgz"
    registry.download_blob(name.repository, layer, file)
    try:
        return same_files(files_of(packaged.archive.read_bytes()), files_of(file.read_bytes()))
    except ValueError as error:
        raise RegistryAnswerWrong(f"{name} holds a chart that cannot be unpacked: {error}") from error
