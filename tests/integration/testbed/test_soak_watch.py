"""The watch over a registry finds each thing that must never be there, and nothing where all is well."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runner.annotations import RELEASE_IMAGE
from runner.oci.manifest import OCI_INDEX, digest_of
from testbed.faults.proxy import FaultProxy
from testbed.soak.contents import Contents, Reader, Stored
from testbed.soak.watch import RegistryWatch
from tests.support.registry import crane_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.registries import LocalRegistry

IMAGE_TYPE = "application/vnd.oci.image.manifest.v1+json"
BLOB = b"a blob that is there"


def manifest(*, blob: str = digest_of(BLOB), **more: Any) -> Stored:
    """A manifest of one layer."""
    document = {"schemaVersion": 2, "mediaType": IMAGE_TYPE, "layers": [{"digest": blob, "size": 1}], **more}
    return Stored(IMAGE_TYPE, json.dumps(document).encode())


def chart_of(host: str, image: str) -> Stored:
    """A chart that was released with this image."""
    return manifest(annotations={RELEASE_IMAGE: f"{host}/{image}"})


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[LocalRegistry]:
    """A registry that has one blob, and an image under a tag."""
    with crane_registry(tmp_path / "registry") as made:
        Contents.nothing(tmp_path / "nothing").write(made.host, tmp_path / "registry" / "blobs")
        folder = tmp_path / "registry" / "blobs" / "sha256"
        folder.mkdir(exist_ok=True)
        (folder / digest_of(BLOB).removeprefix("sha256:")).write_bytes(BLOB)
        with Reader(made.host) as reader:
            reader.put("ack/controller", "v1.2.3", manifest())
        yield made


@pytest.fixture
def watch(registry: LocalRegistry) -> Iterator[RegistryWatch]:
    """A watch that has seen the image."""
    made = RegistryWatch(registry.host)
    made.look("first")
    yield made
    made.close()


def found(watch: RegistryWatch, registry: LocalRegistry, repository: str, tag: str, stored: Stored) -> list[str]:
    """What the watch finds after a write through a proxy."""
    with FaultProxy(registry.host) as proxy:
        proxy.watch(watch)
        with Reader(proxy.host) as client:
            client.put(repository, tag, stored)
    return watch.violations


def test_all_is_well(watch: RegistryWatch, registry: LocalRegistry) -> None:
    """A chart whose image answers, and another release, are no violation; every write is looked at."""
    chart = chart_of(registry.host, f"ack/controller@{manifest().digest}")
    assert found(watch, registry, "ack/chart", "v1.2.3", chart) == []
    assert found(watch, registry, "ack/controller", "v1.2.4", manifest(annotations={"a": "b"})) == []
    assert watch.looked == 3


def test_a_chart_without_its_image(watch: RegistryWatch, registry: LocalRegistry) -> None:
    """A chart's tag before the image that it names."""
    [said] = found(watch, registry, "ack/chart", "v1.2.3", chart_of(registry.host, f"ack/controller@sha256:{'a' * 64}"))
    assert "ack/chart:v1.2.3 lacks ack/controller@sha256:aaaa" in said
    assert said.startswith("after PUT /v2/ack/chart/manifests/v1.2.3")


def test_a_chart_whose_image_lacks_a_layer(watch: RegistryWatch, registry: LocalRegistry) -> None:
    """The image's manifest answers, and a layer of it does not."""
    broken = manifest(blob=f"sha256:{'b' * 64}")
    with Reader(registry.host) as reader:
        reader.put("ack/controller", broken.digest, broken)
    [said] = found(watch, registry, "ack/chart", "v1.2.3", chart_of(registry.host, f"ack/controller@{broken.digest}"))
    assert f"lacks ack/controller@sha256:{'b' * 64}" in said


def test_a_tag_on_a_missing_blob(watch: RegistryWatch, registry: LocalRegistry) -> None:
    """A manifest has a tag before its layer is there."""
    [said] = found(watch, registry, "ack/controller", "v1.2.4", manifest(blob=f"sha256:{'c' * 64}"))
    assert f"ack/controller:v1.2.4 lacks ack/controller@sha256:{'c' * 64}" in said


def test_a_tag_on_an_index_whose_child_lacks_a_layer(watch: RegistryWatch, registry: LocalRegistry) -> None:
    """What an index lists must be whole, too."""
    broken = manifest(blob=f"sha256:{'d' * 64}")
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{"digest": broken.digest, "size": 1}]}
    with Reader(registry.host) as reader:
        reader.put("ack/controller", broken.digest, broken)
    [said] = found(watch, registry, "ack/controller", "v1.2.4", Stored(OCI_INDEX, json.dumps(index).encode()))
    assert f"lacks ack/controller@sha256:{'d' * 64}" in said


@pytest.mark.parametrize("tag", ["v1.2.3", "v1-stable-20261128T031743Z-457eac8"])
def test_a_tag_that_never_changes(watch: RegistryWatch, registry: LocalRegistry, tag: str) -> None:
    """A release's tag, and one of stable's history, hold what they held."""
    assert found(watch, registry, "ack/controller", tag, manifest()) == []
    [said] = found(watch, registry, "ack/controller", tag, manifest(annotations={"other": "content"}))
    assert f"ack/controller:{tag} held {manifest().digest}" in said


@pytest.mark.parametrize("tag", ["v1-stable", "widget-v1-stable"])
def test_a_tag_that_moves(watch: RegistryWatch, registry: LocalRegistry, tag: str) -> None:
    """Only stable moves."""
    assert found(watch, registry, "ack/controller", tag, manifest()) == []
    assert found(watch, registry, "ack/controller", tag, manifest(annotations={"other": "content"})) == []


def test_contents_put_into_another_registry(registry: LocalRegistry, tmp_path: Path) -> None:
    """What is read from one registry and written to another is the same there, and whole."""
    contents = Contents.read(registry.host, tmp_path / "registry" / "blobs", tmp_path / "copy")
    assert contents.tags == {"ack/controller:v1.2.3": manifest().digest}
    with crane_registry(tmp_path / "other") as other:
        contents.write(other.host, tmp_path / "other" / "blobs")
        with Reader(other.host) as reader:
            assert reader.tags() == contents.tags
        watch = RegistryWatch(other.host)
        watch.look("after copying")
        watch.close()
        assert watch.violations == []
