from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runner.chart.archive import pack
from runner.config.load import Service
from runner.config.naming import PRESETS, RegistryAddress
from runner.errors import CredentialsRefused, RegistryFailed
from runner.oci.manifest import HELM_CHART, HELM_CONFIG, OCI_MANIFEST, Manifest
from runner.oci.name import Name
from runner.published.verify import read
from runner.published.verify.read import read_release
from runner.published.verify.release import Question, Release
from runner.versions import ReleaseVersion
from testbed.base_images import AMD64, ARM64, push, write_blob
from testbed.executables import program
from testbed.former_images import former_image
from testbed.memory.calls import raising
from testbed.memory.registry import MemoryRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ADDRESS = RegistryAddress.parse("registry.example/ns")
SCHEMES = ("seed", "repo-per-service-v", "repo-per-service")
QUESTION = Question(
    service=Service("s3", "s3-controller", ".", "helm", "./cmd/controller", tuple(PRESETS[one] for one in SCHEMES)),
    version=ReleaseVersion(1, 2, 3),
    address=ADDRESS,
    chart_names=("{service}-chart",),
    platforms=(AMD64, ARM64),
    source="/aws-controllers-k8s/s3-controller",
)
IMAGE = Name.parse("registry.example/ns/s3-controller:1.2.3")
CHART = Name.parse("registry.example/ns/s3-chart:1.2.3")
CHART_YAML = b"apiVersion: v1\nname: s3-chart\nversion: 1.2.3\nappVersion: 1.2.3\n"
VALUES_YAML = b"image:\n  repository: registry.example/ns/s3-controller\n  tag: 1.2.3\n"
FILES: Mapping[str, bytes] = {"Chart.yaml": CHART_YAML, "values.yaml": VALUES_YAML}


def publish_chart(registry: MemoryRegistry, folder: Path, archive: bytes, *, layer: str = HELM_CHART) -> None:
    """Let CHART hold a chart with this archive."""
    config = json.dumps({"name": "s3-chart", "version": "1.2.3", "appVersion": "1.2.3"}).encode()
    blobs = write_blob(folder, HELM_CONFIG, config), write_blob(folder, layer, archive)
    for blob in blobs:
        registry.send_blob(CHART.repository, blob)
    described = [blob.descriptor.document() for blob in blobs]
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described[0], "layers": described[1:]}
    registry.put_manifest(CHART.repository, CHART.tag, Manifest.write(OCI_MANIFEST, document))


@pytest.fixture
def registry(tmp_path: Path) -> MemoryRegistry:
    """A registry with an image and a chart of the former job."""
    made = MemoryRegistry()
    push(made, IMAGE.repository, IMAGE.tag, former_image(tmp_path, labels={"org.opencontainers.image.revision": "abc"}))
    publish_chart(made, tmp_path, pack("s3-chart", FILES))
    return made


def test_a_release(registry: MemoryRegistry) -> None:
    """Names, platforms, programs, commits and the chart's facts are read, and nothing is written."""
    found = read_release(QUESTION, client := registry.another(), anonymous=registry.another())
    assert (found.scheme.label, found.image is not None, found.chart is not None) == ("repo-per-service", True, True)
    assert [(str(part.platform), str(part.stated), part.commits) for part in found.parts] == [
        ("linux/amd64", "linux/amd64", ("abc",)),
        ("linux/arm64", "linux/arm64", ("abc",)),
    ]
    assert [part.program and (part.program.architecture, part.program.is_static) for part in found.parts] == [
        ("amd64", True),
        ("arm64", True),
    ]
    assert found.content is not None
    assert found.content.facts is not None
    assert found.content.facts.image == str(IMAGE)
    assert set(found.anonymous or ()) == {IMAGE, CHART}
    assert client.writes == []


def test_programs(tmp_path: Path) -> None:
    """What cannot be read of a platform is said of it, and the others are read all the same."""
    registry = MemoryRegistry()
    dynamic = program(segment_type=3)
    image = former_image(tmp_path, programs={AMD64: dynamic, ARM64: b"#!/bin/sh"})
    push(registry, IMAGE.repository, IMAGE.tag, image)
    first, second = read_release(QUESTION, registry).parts
    assert first.program is not None
    assert first.program.is_static is False
    assert second.program is None
    assert "its program for linux/arm64 is none" in second.problem


def test_a_platform_that_is_gone(registry: MemoryRegistry) -> None:
    """A platform whose manifest is not there does not answer."""
    image = read_release(QUESTION, registry).image
    assert image is not None
    registry.forget(IMAGE.repository, image.manifest.children[0].digest)
    assert [part.answers for part in read_release(QUESTION, registry).parts] == [False, True]


@pytest.mark.parametrize(
    ("archive", "layer", "said"),
    [
        (b"no archive", HELM_CHART, "not gzip"),
        (pack("s3-chart", {"Chart.yaml": CHART_YAML}), HELM_CHART, "no values.yaml"),
        (pack("s3-chart", {**FILES, "values.yaml": b"image: {}"}), HELM_CHART, "image.repository is missing"),
        (pack("s3-chart", {**FILES, "Chart.yaml": b"["}), HELM_CHART, "cannot be read"),
        (pack("s3-chart", FILES), "application/x-other", "no layer of type"),
    ],
)
def test_archives(tmp_path: Path, archive: bytes, layer: str, said: str) -> None:
    """A chart whose archive is not one is no error: it is what the check of it will say."""
    registry = MemoryRegistry()
    publish_chart(registry, tmp_path, archive, layer=layer)
    content = read_release(QUESTION, registry).content
    assert content is not None
    assert said in content.problem


def test_a_large_archive(registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that is larger than any chart is not read."""
    monkeypatch.setattr(read, "ARCHIVE_LIMIT", 10)
    content = read_release(QUESTION, registry).content
    assert content is not None
    assert "at most 10 are read" in content.problem


def test_nothing_published() -> None:
    """A release that is not there is read as that."""
    found = read_release(QUESTION, MemoryRegistry(), anonymous=MemoryRegistry())
    assert (found.image, found.chart, found.content, found.parts, found.anonymous) == (None, None, None, (), {})


def test_a_registry_that_does_not_answer(registry: MemoryRegistry) -> None:
    """Nothing is taken as absent because it could not be read."""
    registry.calls.intervene("manifest", raising(RegistryFailed("down")), about=str(CHART))
    with pytest.raises(RegistryFailed):
        read_release(QUESTION, registry)


def test_somebody_without_credentials(registry: MemoryRegistry) -> None:
    """A refusal is what they are shown; another failure says nothing of that, and ends it."""
    anyone = registry.another()
    anyone.calls.intervene("manifest", raising(CredentialsRefused("no")), about=str(IMAGE))
    found: Release = read_release(QUESTION, registry, anonymous=anyone)
    assert found.anonymous is not None
    assert found.anonymous[IMAGE] == "a refusal (no)"
    anyone.calls.intervene("manifest", raising(RegistryFailed("down")), about=str(IMAGE))
    with pytest.raises(RegistryFailed):
        read_release(QUESTION, registry, anonymous=anyone)
