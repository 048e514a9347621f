"""The OCI manifest of a chart, byte for byte as ``helm push`` writes it, and annotations of our own on top.

Source: Helm's ``pkg/registry`` (config, layer, annotations) and ``pkg/chart`` (the order of the metadata's keys), of
3.21 and 4.2; the JSON is that of Go's ``encoding/json``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runner.oci.artifact import Artifact, Blob, FileSource
from runner.oci.manifest import (
    HELM_CHART,
    HELM_CONFIG,
    OCI_MANIFEST,
    SOURCE,
    TITLE,
    VERSION,
    Descriptor,
    Manifest,
    digest_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runner.chart.archive import PackagedChart

METADATA_KEYS = (
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
)
MAINTAINER_KEYS = ("name", "email", "url")
DEPENDENCY_KEYS = ("name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias")
DEPENDENCY_ALWAYS = ("name", "repository")

DESCRIPTION = "org.opencontainers.image.description"
URL = "org.opencontainers.image.url"
AUTHORS = "org.opencontainers.image.authors"

_GO_ESCAPES = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def go_json(document: Mapping[str, Any]) -> bytes:
    """Return compact JSON as Go writes it, keys in the order given: ``<``, ``>``, ``&`` and line separators escaped."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).translate(_GO_ESCAPES).encode()


def chart_config(metadata: Mapping[str, Any]) -> bytes:
    """Return the config blob: a chart's metadata in the order of Helm's struct, what is empty left out."""
    document = dict(metadata)
    document["deprecated"] = _true(metadata.get("deprecated"))
    document["annotations"] = dict(sorted((metadata.get("annotations") or {}).items()))
    document["maintainers"] = [_ordered(one, MAINTAINER_KEYS) for one in metadata.get("maintainers") or ()]
    document["dependencies"] = [_dependency(one) for one in metadata.get("dependencies") or ()]
    return go_json(_ordered(document, METADATA_KEYS))


def helm_annotations(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the manifest annotations that Helm makes of a chart's metadata, but for the time of creation.

    Chart.yaml's own annotations replace them, except for title and version.
    """
    sources: Sequence[str] = metadata.get("sources") or ()
    made = {
        DESCRIPTION: metadata.get("description"),
        TITLE: metadata.get("name"),
        VERSION: metadata.get("version"),
        URL: metadata.get("home"),
        SOURCE: sources[0] if sources else None,
        AUTHORS: ", ".join(_author(one) for one in metadata.get("maintainers") or ()),
    }
    annotations = {key: text for key, text in made.items() if text and text.strip()}
    own: Mapping[str, str] = metadata.get("annotations") or {}
    return annotations | {key: text for key, text in own.items() if key not in (TITLE, VERSION)}


def chart_artifact(packaged: PackagedChart, annotations: Mapping[str, str], folder: Path) -> Artifact:
    """Return a chart as it is published.

    Args:
        packaged: the chart.
        annotations: ours, which replace Helm's of the same key.
        folder: where the config blob is written, named by its digest.
    """
    body = chart_config(packaged.metadata)
    config = Descriptor(HELM_CONFIG, digest_of(body), len(body))
    layer = Descriptor(HELM_CHART, packaged.digest, packaged.size)
    file = folder / f"{config.digest.removeprefix('sha256:')}.json"
    file.write_bytes(body)
    document = {
        "schemaVersion": 2,
        "config": config.document(),
        "layers": [layer.document()],
        "annotations": dict(sorted((helm_annotations(packaged.metadata) | dict(annotations)).items())),
    }
    blobs = (Blob(config, FileSource(file)), Blob(layer, FileSource(packaged.archive)))
    return Artifact(Manifest(OCI_MANIFEST, go_json(document)), (), blobs)


def _ordered(document: Mapping[str, Any], keys: Sequence[str], always: Sequence[str] = ()) -> dict[str, Any]:
    return {key: document.get(key) or "" for key in keys if document.get(key) or key in always}


def _dependency(document: Mapping[str, Any]) -> dict[str, Any]:
    imported = [
        dict(sorted(one.items())) if isinstance(one, dict) else one for one in document.get("import-values") or ()
    ]
    typed = dict(document) | {"enabled": _true(document.get("enabled")), "import-values": imported}
    return _ordered(typed, DEPENDENCY_KEYS, DEPENDENCY_ALWAYS)


def _author(maintainer: Mapping[str, str]) -> str:
    email = maintainer.get("email")
    return f"{maintainer.get('name') or ''}{f' ({email})' if email else ''}"


def _true(text: str | None) -> bool:
    return text == "true"
