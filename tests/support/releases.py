"""Published releases of a service that no builder made: an image, and a chart that says which image it deploys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.annotations import RELEASE_IMAGE
from runner.config.load import parse_config
from runner.oci.artifact import Artifact
from runner.oci.manifest import HELM_CHART, HELM_CONFIG, OCI_MANIFEST, Manifest
from testbed.base_images import base_layout, push, write_blob

if TYPE_CHECKING:
    from runner.config.load import Config
    from runner.oci.name import Name
    from runner.oci.registry import Registry


def config_of(registry: str = "registry.example/ack", naming: str = "repo-per-service") -> Config:
    """A configuration with the service s3."""
    return parse_config(
        f"registry: {registry}\nnaming: {naming}\nservices: {{s3: }}\n".encode(), Path("config/jobs.yaml")
    )


def chart_in(folder: Path, image: Name, digest: str, version: str) -> Artifact:
    """A chart of this version that was released with an image."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"name": f"{folder.name}-chart", "version": version, "appVersion": version}
    config = write_blob(folder, HELM_CONFIG, json.dumps(document).encode())
    layer = write_blob(folder, HELM_CHART, b"the archive of " + version.encode())
    root = Manifest.write(
        OCI_MANIFEST,
        {
            "schemaVersion": 2,
            "config": config.descriptor.document(),
            "layers": [layer.descriptor.document()],
            "annotations": {RELEASE_IMAGE: f"{image.repository}@{digest}"},
        },
    )
    return Artifact(root, (), (config, layer))


@dataclass(frozen=True)
class Released:
    """A release that is published: its artifacts, and the name of each."""

    image: Artifact
    chart: Artifact
    image_name: Name
    chart_name: Name
    stable_name: Name


def publish_release(
    folder: Path, registry: Registry, config: Config, version: str = "1.2.3", *, stable: bool = False
) -> Released:
    """Publish a version of s3 under its first scheme's primary names, and as stable's chart if that is asked for."""
    scheme, address = config.services["s3"].naming[0], config.registry
    image_name = scheme.image_names(address, "s3", version)[0]
    chart_name = scheme.chart_names(address, "s3", version)[0]
    stable_name = scheme.stable_names(address, "s3", int(version.partition(".")[0]))[0]
    image = base_layout(folder / f"image-{version}", top={"author": version})
    chart = chart_in(folder / f"chart-{version}", image_name, image.root.digest, version)
    push(registry, image_name.repository, image_name.tag, image)
    for name in (chart_name, *((stable_name,) if stable else ())):
        push(registry, name.repository, name.tag, chart)
    return Released(image, chart, image_name, chart_name, stable_name)
