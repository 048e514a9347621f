from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.annotations import RELEASE_IMAGE, RELEASE_PLATFORMS
from runner.errors import CredentialsRefused, RegistryAnswerWrong, RegistryFailed, ReleaseError
from runner.oci.manifest import (
    HELM_CHART,
    HELM_CONFIG,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REVISION,
    SOURCE,
    Manifest,
    Platform,
    digest_of,
)
from runner.oci.name import Name
from runner.published.observed import (
    ABSENT,
    Observation,
    PublishedChart,
    PublishedImage,
    is_platform,
    observe,
    observe_name,
    platform_of,
    unanswered,
)
from testbed.base_images import AMD64, ARM64, DOCKER, OCI, Form, base_layout, push, write_blob
from testbed.memory.calls import raising
from testbed.memory.registry import MemoryRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.oci.artifact import Artifact

NAME = Name.parse("registry.example/ns/controller:s3-v1.2.3")
ATTESTATION = Platform("unknown", "unknown")


def digest_at(digest: str) -> str:
    return f"{NAME.repository}@{digest}"


def annotated(
    annotations: Mapping[str, str], media_type: str = OCI_INDEX, found: tuple[Platform, ...] = ()
) -> PublishedImage:
    return PublishedImage(Manifest.write(media_type, {"annotations": annotations}), found)


def publish_plain(
    folder: Path,
    config: bytes = b'{"os": "linux", "architecture": "amd64"}',
    *,
    config_type: str = OCI_CONFIG,
    layer_type: str = OCI_LAYER,
    platforms: str = "linux/amd64",
) -> MemoryRegistry:
    """A registry that holds a plain manifest of this config under NAME."""
    registry = MemoryRegistry()
    blobs = write_blob(folder, config_type, config), write_blob(folder, layer_type, b"layer")
    described = [blob.descriptor.document() for blob in blobs]
    for blob in blobs:
        registry.send_blob(NAME.repository, blob)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": described[0],
        "layers": described[1:],
        "annotations": {RELEASE_PLATFORMS: platforms},
    }
    registry.put_manifest(NAME.repository, NAME.tag, Manifest.write(OCI_MANIFEST, document))
    return registry


def publish_index(platforms: str | None, *, entries: tuple[Platform | None, ...] = (AMD64, ARM64)) -> MemoryRegistry:
    """A registry that holds an index, released for these platforms, with an entry for each of ``entries``."""
    registry = MemoryRegistry()
    inner = Manifest.write(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
    registry.put_manifest(NAME.repository, inner.digest, inner)
    stated = {} if platforms is None else {"annotations": {RELEASE_PLATFORMS: platforms}}
    listed = [inner.descriptor(platform).document() for platform in entries]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed, **stated}
    registry.put_manifest(NAME.repository, NAME.tag, Manifest.write(OCI_INDEX, document))
    return registry


# --- one name ---------------------------------------------------------------------------------------------------------


def test_absent_name() -> None:
    """A name under which the registry has nothing is absent."""
    assert observe_name(NAME, MemoryRegistry()) is ABSENT


@pytest.mark.parametrize("form", [OCI, DOCKER], ids=["OCI", "Docker"])
def test_index(tmp_path: Path, form: Form) -> None:
    """Of an index the platforms are those that it lists, and nothing but itself is read."""
    registry, image = MemoryRegistry(), base_layout(tmp_path, form=form)
    push(registry.another(), NAME.repository, NAME.tag, image)
    assert observe_name(NAME, registry) == PublishedImage(image.root, (AMD64, ARM64))
    assert registry.calls.made == [("manifest", str(NAME))]


def test_entries_that_are_no_platform() -> None:
    """BuildKit's attestations and entries without a platform are no platforms of the image."""
    found = observe_name(NAME, publish_index(None, entries=(AMD64, ATTESTATION, None)))
    assert isinstance(found, PublishedImage)
    assert found.platforms == (AMD64,)


@pytest.mark.parametrize("form", [OCI, DOCKER], ids=["OCI", "Docker"])
def test_plain_image(tmp_path: Path, form: Form) -> None:
    """A plain manifest is for the one platform that its config states."""
    registry, image = MemoryRegistry(), base_layout(tmp_path, (ARM64,), form=form, single=True)
    push(registry, NAME.repository, NAME.tag, image)
    assert observe_name(NAME, registry) == PublishedImage(image.root, (ARM64,))


@pytest.mark.parametrize(
    ("config", "version"),
    [({"name": "s3-chart", "appVersion": "v1.2.3"}, "v1.2.3"), ({"name": "s3-chart"}, "")],
    ids=["stated", "not stated"],
)
def test_chart(tmp_path: Path, config: dict[str, str], version: str) -> None:
    """A chart has the appVersion that its config states, possibly none."""
    body = json.dumps(config).encode()
    found = observe_name(NAME, publish_plain(tmp_path, body, config_type=HELM_CONFIG, layer_type=HELM_CHART))
    assert isinstance(found, PublishedChart)
    assert found.app_version == version


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (b"<html>", "Expecting value"),
        (b"\xff\xfe\xfd", "decode"),
        (b"[]", "the config is not a JSON object"),
        (b'"text"', "the config is not a JSON object"),
        (b"{}", "the image config has no 'os'"),
        (b'{"os": "linux"}', "the image config has no 'architecture'"),
        (b"[" * 100_000, "nested deeper"),
    ],
    ids=["html", "no text", "list", "text", "no platform", "half a platform", "too deep"],
)
def test_malformed_config(tmp_path: Path, config: bytes, problem: str) -> None:
    """A config that cannot be read is a wrong answer that names what holds it, never an absence."""
    with pytest.raises(RegistryAnswerWrong, match=f"{NAME} holds a manifest that cannot be read: .*{problem}"):
        observe_name(NAME, publish_plain(tmp_path, config))


@pytest.mark.parametrize("platforms", ["linux", "linux/amd64,", "Linux/AMD64", "linux/amd64 linux/arm64"])
def test_malformed_list_of_platforms(tmp_path: Path, platforms: str) -> None:
    """An image whose list of platforms cannot be read is a wrong answer, before anybody plans with it."""
    for registry in (publish_index(platforms), publish_plain(tmp_path, platforms=platforms)):
        with pytest.raises(RegistryAnswerWrong, match=r"cannot be read: .* is not a platform"):
            observe_name(NAME, registry)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["os", "architecture", "variant", "appVersion", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(json_values, st.sampled_from([OCI_CONFIG, HELM_CONFIG]))
def test_any_config_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, config: Any, config_type: str) -> None:
    """Whatever JSON stands in a config, a name is published or the answer is wrong; it is not absent, and no bug."""
    registry = publish_plain(tmp_path_factory.mktemp("plain"), json.dumps(config).encode(), config_type=config_type)
    try:
        found = observe_name(NAME, registry)
    except RegistryAnswerWrong:
        return
    assert isinstance(found, PublishedChart if config_type == HELM_CONFIG else PublishedImage)


@pytest.mark.parametrize("error", [RegistryFailed("HTTP 500"), RegistryAnswerWrong("cut"), CredentialsRefused("401")])
@pytest.mark.parametrize("method", ["manifest", "read_blob"])
def test_registry_that_fails(tmp_path: Path, method: str, error: ReleaseError) -> None:
    """Whatever goes wrong with the registry is passed on as it is, and is no absence."""
    registry = publish_plain(tmp_path)
    registry.calls.intervene(method, raising(error))
    with pytest.raises(type(error)) as raised:
        observe_name(NAME, registry)
    assert raised.value is error


# --- several names ----------------------------------------------------------------------------------------------------


def test_every_name_is_read_once(tmp_path: Path) -> None:
    """All names are observed, in the order in which they were first asked for, each read once."""
    registry, image = MemoryRegistry(), base_layout(tmp_path)
    push(registry.another(), NAME.repository, NAME.tag, image)
    names = [Name(NAME.repository, f"v{number}") for number in range(20)]
    found: dict[Name, Observation] = observe([*names, NAME, *names], registry)
    assert list(found) == [*names, NAME]
    assert found == {**dict.fromkeys(names, ABSENT), NAME: PublishedImage(image.root, (AMD64, ARM64))}
    assert sorted(registry.calls.made) == sorted(("manifest", str(name)) for name in (*names, NAME))


def test_one_name_that_cannot_be_read() -> None:
    """When one of several names cannot be read, nothing is said of any."""
    registry = MemoryRegistry()
    registry.calls.intervene("manifest", raising(RegistryFailed("HTTP 500")), about=":v7", times=None)
    with pytest.raises(RegistryFailed):
        observe([Name(NAME.repository, f"v{number}") for number in range(12)], registry)


def test_no_names() -> None:
    """Of no names nothing is observed."""
    assert observe([], MemoryRegistry()) == {}


# --- what was found ---------------------------------------------------------------------------------------------------


def test_identity() -> None:
    """Commit, repository, and the image a chart was released with, are those of the annotations."""
    image = "registry.example:5000/ns/controller"
    digest = digest_of(b"image")
    found = PublishedChart(
        Manifest.write(
            OCI_MANIFEST,
            {"annotations": {REVISION: "c" * 40, SOURCE: "https://github.com/o/r", RELEASE_IMAGE: f"{image}@{digest}"}},
        )
    )
    assert (found.revision, found.source) == ("c" * 40, "https://github.com/o/r")
    assert (found.image_repository, found.image_digest) == (image, digest)
    assert found.digest == digest_of(found.manifest.body)


def test_identity_that_is_not_stated() -> None:
    """What has no annotations says nothing of commit, repository and image."""
    found = PublishedChart(Manifest.write(OCI_MANIFEST, {}))
    assert (found.revision, found.source, found.image_repository, found.image_digest) == (None,) * 4


@pytest.mark.parametrize(
    ("platforms", "released"),
    [
        (None, (AMD64,)),
        ("", (AMD64,)),
        ("linux/arm64", (ARM64,)),
        ("linux/arm64,linux/amd64,linux/arm/v7", (ARM64, AMD64, Platform("linux", "arm", "v7"))),
    ],
    ids=["not annotated", "empty", "another", "several"],
)
def test_released_for(platforms: str | None, released: tuple[Platform, ...]) -> None:
    """An image was released for the platforms of its annotation, else for those that were found."""
    annotations = {} if platforms is None else {RELEASE_PLATFORMS: platforms}
    assert annotated(annotations, found=(AMD64,)).released_for == released


# --- what does not answer ---------------------------------------------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> Artifact:
    return base_layout(tmp_path / "image")


def test_image_that_answers(image: Artifact) -> None:
    """Of an image that is there as a whole, nothing is unanswered; index and children are each asked for by digest."""
    registry = MemoryRegistry()
    push(registry.another(), NAME.repository, NAME.tag, image)
    assert unanswered(NAME, image.root, registry) == ()
    assert registry.calls.made == [
        ("manifest", digest_at(digest)) for digest in (image.root.digest, *(child.digest for child in image.children))
    ]


def test_children_that_do_not_answer(image: Artifact) -> None:
    """Each child that is not there is named, also where the index is."""
    registry = MemoryRegistry()
    push(registry, NAME.repository, NAME.tag, image)
    registry.calls.intervene("manifest", lambda: None, when="instead", about=image.children[1].digest)
    assert unanswered(NAME, image.root, registry) == (digest_at(image.children[1].digest),)


def test_image_that_is_nowhere(image: Artifact) -> None:
    """Of an image that was never published the index and every child are named, in this order."""
    digests = (image.root.digest, *(child.digest for child in image.children))
    assert unanswered(NAME, image.root, MemoryRegistry()) == tuple(map(digest_at, digests))


def test_plain_image_that_is_nowhere(image: Artifact) -> None:
    """A plain manifest has nothing but itself to answer."""
    assert unanswered(NAME, image.children[0], MemoryRegistry()) == (digest_at(image.children[0].digest),)


# --- platforms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "platform"),
    [
        ({"os": "linux", "architecture": "arm", "variant": "v7"}, Platform("linux", "arm", "v7")),
        ({"os": "linux", "architecture": "amd64", "rootfs": {}}, AMD64),
    ],
)
def test_platform_of_a_config(config: dict[str, Any], platform: Platform) -> None:
    """A config's platform is its os, architecture and, where it has one, variant."""
    assert platform_of(config) == platform


@pytest.mark.parametrize(("platform", "expected"), [(AMD64, True), (ATTESTATION, False), (None, False)], ids=str)
def test_what_is_a_platform(platform: Platform | None, *, expected: bool) -> None:
    """An entry is an image unless it has no platform, or the one of attestations."""
    assert is_platform(platform) is expected
