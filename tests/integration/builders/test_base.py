from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runner.builders.base import Base, resolve_base
from runner.errors import BaseImageUnusable, UsageInvalid
from runner.oci.artifact import FileSource, RemoteSource
from runner.oci.manifest import HELM_CONFIG, OCI_LAYER, OCI_MANIFEST, Platform, digest_of
from runner.oci.name import Repository
from testbed.base_images import AMD64, ARM64, BOTH, DOCKER, OCI, Form, base_layout, push, write_folder
from testbed.faults.proxy import FaultProxy
from tests.support.registry import crane_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runner.oci.artifact import Artifact
    from runner.oci.registry import Registry
    from testbed.registries import LocalRegistry

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    with crane_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def repository(running: LocalRegistry, tmp_path: Path) -> Repository:
    """One for each test."""
    return Repository(running.host, f"bases/{digest_of(str(tmp_path).encode()).removeprefix('sha256:')[:12]}")


@pytest.fixture(params=["registry", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path, registry: Registry, repository: Repository) -> Any:
    """Puts a layout where base images come from, and returns the reference to it."""

    def put(layout: Artifact) -> str:
        if request.param == "folder":
            return write_folder(tmp_path / "layout", layout)
        push(registry, repository, "1.2", layout)
        return f"{repository}:1.2"

    return put


def digests(base: Base, platform: Platform = AMD64) -> list[str]:
    return [layer.descriptor.digest for layer in base.images[platform].layers]


@pytest.mark.parametrize("form", [OCI, DOCKER], ids=["oci", "docker"])
def test_a_base_is_read_for_each_platform(
    tmp_path: Path, registry: Registry, place: Callable[[Artifact], str], form: Form
) -> None:
    """Config and layers of each platform are found, in OCI's media types, whichever family the base is of."""
    layout = base_layout(tmp_path / "base", form=form)
    reference = place(layout)
    base = resolve_base(reference, registry, BOTH)
    assert base.digest == layout.root.digest
    assert tuple(base.images) == BOTH
    for platform, child in zip(BOTH, layout.children, strict=True):
        image = base.images[platform]
        assert image.config["architecture"] == platform.architecture
        assert image.config["config"]["Env"] == ["PATH=/bin", "BASE=yes"]
        assert digests(base, platform) == [blob.digest for blob in child.blobs[1:]]
        assert {layer.descriptor.media_type for layer in image.layers} == {OCI_LAYER}
    source = base.images[AMD64].layers[0].source
    assert isinstance(source, FileSource if reference.startswith("oci:") else RemoteSource)


def test_a_tag_is_fixed_to_a_digest(tmp_path: Path, registry: Registry, repository: Repository) -> None:
    """A base named by tag is recorded by digest, and stays the same image when the tag moves."""
    first, second = base_layout(tmp_path / "a"), base_layout(tmp_path / "b", config={"Env": ["NEW=yes"]})
    push(registry, repository, "1.2", first)
    base = resolve_base(f"{repository}:1.2", registry, BOTH)
    assert base.reference == f"{repository}@{first.root.digest}"
    assert base.name == f"{repository}:1.2"
    push(registry, repository, "1.2", second)
    assert resolve_base(base.reference, registry, BOTH).digest == first.root.digest
    assert resolve_base(f"{repository}:1.2@{first.root.digest}", registry, BOTH) == base
    assert resolve_base(f"{repository}:1.2", registry, BOTH).digest == second.root.digest


def test_no_layer_is_fetched(tmp_path: Path, running: LocalRegistry, registry: Registry) -> None:
    """Of a base in a registry only manifests and configs are read."""
    layout = base_layout(tmp_path)
    with FaultProxy(running.host) as proxy:
        repository = Repository(proxy.host, "bases/unread")
        push(registry, repository, "1", layout)
        proxy.clear()
        base = resolve_base(f"{repository}:1", registry, BOTH)
        fetched = [seen.path for seen in proxy.requests]
    assert len(fetched) == 5
    assert not any(digest in path for path in fetched for platform in BOTH for digest in digests(base, platform))


@pytest.mark.parametrize("form", [OCI, DOCKER], ids=["oci", "docker"])
def test_a_manifest_without_index_serves_its_own_platform(
    tmp_path: Path, registry: Registry, place: Callable[[Artifact], str], form: Form
) -> None:
    """An image of one platform is a base for that platform and for no other."""
    reference = place(base_layout(tmp_path / "base", (ARM64,), form=form, single=True))
    assert len(digests(resolve_base(reference, registry, [ARM64]), ARM64)) == 1
    with pytest.raises(BaseImageUnusable, match="does not exist for linux/amd64; it exists for linux/arm64"):
        resolve_base(reference, registry, BOTH)


def test_a_variant_that_goes_without_saying_is_found(
    tmp_path: Path, registry: Registry, place: Callable[[Artifact], str]
) -> None:
    """A base for linux/arm64/v8 is one for linux/arm64."""
    reference = place(base_layout(tmp_path / "base", (AMD64, Platform("linux", "arm64", "v8"))))
    assert digests(resolve_base(reference, registry, [ARM64]), ARM64)


def test_a_missing_platform_is_named(tmp_path: Path, registry: Registry, place: Callable[[Artifact], str]) -> None:
    """The error says which platform is missing and which are there."""
    reference = place(base_layout(tmp_path / "base", (AMD64, Platform("linux", "s390x"))))
    with pytest.raises(
        BaseImageUnusable, match="does not exist for linux/arm64; it exists for linux/amd64, linux/s390x"
    ):
        resolve_base(reference, registry, BOTH)


@pytest.mark.parametrize(
    ("keywords", "problem"),
    [
        ({"stated": {ARM64: AMD64}}, "index says linux/arm64, but that image's config says linux/amd64"),
        ({"stated": {ARM64: Platform("windows", "arm64")}}, "says windows/arm64"),
        ({"layer_type": FOREIGN}, f"a layer of type '{FOREIGN}'"),
        ({"top": {"rootfs": {"type": "layers", "diff_ids": []}}}, "1 layers but 0 diff_ids"),
        ({"top": {"rootfs": None}}, "lists no diff_ids"),
        ({"top": {"os": None}}, "names no platform"),
        ({"form": Form(OCI.index, OCI_MANIFEST, HELM_CONFIG, OCI_LAYER)}, "so it is no container image"),
    ],
    ids=["architecture", "system", "foreign-layer", "diff-ids", "no-diff-ids", "no-system", "chart"],
)
def test_a_base_that_cannot_be_built_on_is_refused(
    tmp_path: Path, registry: Registry, place: Callable[[Artifact], str], keywords: dict[str, Any], problem: str
) -> None:
    """A base that contradicts itself, or that could not be published again, is refused with the reason."""
    reference = place(base_layout(tmp_path / "base", **keywords))
    with pytest.raises(BaseImageUnusable, match=problem) as caught:
        resolve_base(reference, registry, BOTH)
    assert reference.removesuffix(":1.2") in caught.value.cause


def test_layers_compressed_otherwise_stay_so(
    tmp_path: Path, registry: Registry, place: Callable[[Artifact], str]
) -> None:
    """A zstd layer keeps its media type."""
    base = resolve_base(place(base_layout(tmp_path / "base", layer_type=ZSTD)), registry, BOTH)
    assert [layer.descriptor.media_type for layer in base.images[AMD64].layers] == [ZSTD]


@pytest.mark.parametrize("reference", [":9.9", f"@{digest_of(b'absent')}"], ids=["tag", "digest"])
def test_an_absent_base_is_named(registry: Registry, repository: Repository, reference: str) -> None:
    """A base image that its registry does not have is the configuration's fault."""
    with pytest.raises(BaseImageUnusable, match=f"{repository}{reference} is not in its registry"):
        resolve_base(f"{repository}{reference}", registry, BOTH)


@pytest.mark.parametrize("reference", ["debian:12", "registry.example/base", "registry.example/base@sha256:1", ""])
def test_a_malformed_reference_is_a_usage_error(registry: Registry, reference: str) -> None:
    """A name without a registry, or without tag and digest, is refused before anything is asked."""
    with pytest.raises(UsageInvalid, match="base image"):
        resolve_base(reference, registry, BOTH)


def test_a_folder_is_the_same_base_wherever_it_lies(tmp_path: Path, registry: Registry) -> None:
    """Two copies of a layout folder give one digest, and no name that would say where they lie."""
    layout = base_layout(tmp_path / "base")
    one, other = (resolve_base(write_folder(tmp_path / name, layout), registry, BOTH) for name in ("a", "b"))
    assert one.digest == other.digest == layout.root.digest
    assert one.name is other.name is None


def test_a_damaged_folder_is_refused(tmp_path: Path, registry: Registry) -> None:
    """A layer that is not what its digest says is found before anything is built on it."""
    layout = base_layout(tmp_path / "base")
    reference = write_folder(tmp_path / "layout", layout)
    layer = layout.children[0].blobs[1]
    (tmp_path / "layout" / "blobs" / "sha256" / layer.digest.removeprefix("sha256:")).write_bytes(bytes(layer.size))
    with pytest.raises(BaseImageUnusable, match="has the digest"):
        resolve_base(reference, registry, BOTH)


def test_scratch_is_there_for_every_platform(registry: Registry) -> None:
    """Nothing at all needs no registry and no digest."""
    base = resolve_base("scratch", registry, BOTH)
    assert base.is_scratch
    assert base.reference == "scratch"
    assert (base.name, base.digest, base.repository) == (None, None, None)
    assert [base.images[platform].layers for platform in BOTH] == [(), ()]
