from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    HELM_CONFIG,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    Platform,
    digest_of,
)

DIGEST = digest_of(b"")
CONFIG = {"mediaType": OCI_CONFIG, "digest": DIGEST, "size": 0}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["linux/amd64", "linux/arm64", "linux/arm/v7", "darwin/arm64"]))
def test_platforms_survive_being_written_and_read(text: str) -> None:
    """A platform reads back from its text, and from its object in an index."""
    platform = Platform.parse(text)
    assert str(platform) == text
    assert Platform.read(platform.document()) == platform


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "linux/amd64/v1/x", "Linux/amd64", "linux/amd64 "])
def test_what_is_no_platform_is_refused(text: str) -> None:
    """A text that is not os/architecture[/variant] is a ValueError."""
    with pytest.raises(ValueError, match="is not a platform"):
        Platform.parse(text)


@given(
    st.builds(
        Descriptor,
        st.sampled_from([OCI_MANIFEST, HELM_CONFIG]),
        st.binary(max_size=8).map(digest_of),
        st.integers(min_value=0, max_value=2**40),
        st.none() | st.just(Platform("linux", "arm", "v7")),
        st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
    )
)
def test_descriptors_survive_being_written_and_read(descriptor: Descriptor) -> None:
    """A descriptor reads back from its JSON object unchanged."""
    assert Descriptor.read(json.loads(json.dumps(descriptor.document()))) == descriptor


@pytest.mark.parametrize(
    "change",
    [
        {"digest": None},
        {"digest": "sha256:12"},
        {"digest": f"sha512:{'0' * 128}"},
        {"digest": f"{DIGEST}/../x"},
        {"size": "0"},
        {"size": -1},
        {"size": True},
        {"mediaType": None},
        {"platform": "linux/amd64"},
        {"platform": {"os": "linux"}},
        {"platform": {"os": "linux", "architecture": 64}},
        {"annotations": ["a"]},
        {"annotations": {"a": 1}},
    ],
    ids=str,
)
def test_malformed_descriptors_are_refused(change: dict[str, Any]) -> None:
    """A descriptor with a missing or malformed part is a ValueError."""
    with pytest.raises(ValueError, match=r"not|JSON"):
        Descriptor.read({**CONFIG, **change})


def test_a_manifest_is_written_compactly_and_keeps_its_order() -> None:
    """Keys stay in the order given and non-ASCII stays UTF-8, so that the digest is reproducible."""
    manifest = Manifest.write(OCI_MANIFEST, {"b": 1, "a": "é"})
    assert manifest.body == '{"b":1,"a":"é"}'.encode()
    assert manifest.digest == digest_of(manifest.body)
    assert manifest.descriptor() == Descriptor(OCI_MANIFEST, manifest.digest, len(manifest.body))


@pytest.mark.parametrize(
    ("content_type", "document", "expected"),
    [
        (OCI_MANIFEST, {"config": CONFIG}, OCI_MANIFEST),
        (f"{OCI_MANIFEST}; charset=utf-8", {"config": CONFIG}, OCI_MANIFEST),
        (OCI_MANIFEST.upper(), {"config": CONFIG}, OCI_MANIFEST),
        (DOCKER_LIST, {"manifests": []}, DOCKER_LIST),
        ("application/json", {"mediaType": DOCKER_MANIFEST, "config": CONFIG}, DOCKER_MANIFEST),
        ("", {"config": CONFIG}, OCI_MANIFEST),
        ("text/plain; charset=utf-8", {"manifests": []}, OCI_INDEX),
    ],
)
def test_the_header_says_what_a_manifest_is(content_type: str, document: dict[str, Any], expected: str) -> None:
    """The Content-Type decides; where it is generic the body's mediaType does, and last its shape."""
    assert Manifest.read(content_type, json.dumps(document).encode()).media_type == expected


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (OCI_MANIFEST, b"<html>"),
        (OCI_MANIFEST, b"[]"),
        (OCI_MANIFEST, b""),
        (OCI_MANIFEST, b"\xff\xfe\x00"),
        (OCI_MANIFEST, b"[" * 100_000),
        (OCI_MANIFEST, b'{"config": null}'),
        (OCI_MANIFEST, b"{}"),
        (OCI_MANIFEST, json.dumps({"config": CONFIG, "layers": {}}).encode()),
        (OCI_MANIFEST, json.dumps({"config": CONFIG, "annotations": []}).encode() + b"x"),
        (OCI_MANIFEST, json.dumps({"config": CONFIG, "annotations": {"a": 1}}).encode()),
        (OCI_MANIFEST, json.dumps({"config": CONFIG, "mediaType": OCI_INDEX}).encode()),
        (OCI_INDEX, b'{"manifests": [1]}'),
        (OCI_INDEX, b'{"manifests": "x"}'),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", b'{"schemaVersion": 1}'),
        ("text/html", b"{}"),
        ("application/json", b'{"mediaType": "application/x", "config": {}}'),
    ],
    ids=[
        "html",
        "a list",
        "empty",
        "no UTF-8",
        "too deep",
        "config null",
        "no config",
        "layers no list",
        "more after it",
        "annotation no text",
        "another mediaType",
        "child no object",
        "manifests no list",
        "schema 1",
        "another type",
        "generic with another mediaType",
    ],
)
def test_what_is_no_manifest_is_refused(content_type: str, body: bytes) -> None:
    """A body that is no well-formed manifest of its media type is a ValueError, whatever is wrong with it."""
    with pytest.raises(ValueError, match=r".+"):
        Manifest.read(content_type, body)


@given(st.sampled_from([OCI_MANIFEST, OCI_INDEX, "application/json", ""]), json_values)
def test_any_json_is_a_manifest_or_a_value_error(content_type: str, value: object) -> None:
    """No JSON from a registry raises anything but ValueError, and what is accepted can be read in all its parts."""
    body = json.dumps(value).encode()
    try:
        manifest = Manifest.read(content_type, body)
    except ValueError:
        return
    assert manifest.body == body
    assert manifest.children == () or manifest.is_index
    assert isinstance(manifest.annotations, dict)


def test_config_comes_before_layers() -> None:
    """A manifest's blobs are its config and then its layers; an index has none, and children instead."""
    layer = {**CONFIG, "digest": digest_of(b"layer"), "size": 5}
    manifest = Manifest.write(OCI_MANIFEST, {"config": CONFIG, "layers": [layer, layer]})
    assert [blob.document() for blob in manifest.blobs] == [CONFIG, layer, layer]
    assert manifest.children == ()
    index = Manifest.write(OCI_INDEX, {"manifests": [manifest.descriptor(Platform("linux", "amd64")).document()]})
    assert index.blobs == ()
    assert [(str(child.platform), child.digest) for child in index.children] == [("linux/amd64", manifest.digest)]


# --- what is attached -------------------------------------------------------------------------------------------------

SUBJECT = Descriptor(OCI_MANIFEST, digest_of(b"subject"), 7)


def attached(**values: object) -> Manifest:
    config = Descriptor(OCI_CONFIG, digest_of(b"{}"), 2).document()
    return Manifest.write(OCI_MANIFEST, {"schemaVersion": 2, "config": config, "layers": [], **values})


def test_subject() -> None:
    """A manifest says by digest what it is attached to; most are attached to nothing."""
    assert attached(subject=SUBJECT.document()).subject == SUBJECT.digest
    assert attached().subject is None


@pytest.mark.parametrize("subject", [1, "sha256:1", {}, {"digest": "x"}], ids=repr)
def test_subject_that_is_none(subject: object) -> None:
    """A subject that is no descriptor is malformed."""
    with pytest.raises(ValueError, match="descriptor"):
        _ = attached(subject=subject).subject


def test_type_of_an_artifact() -> None:
    """The type is what a manifest says it is, else that of its config; a list names it with its annotations."""
    stated = attached(artifactType="application/spdx+json", annotations={"a": "b"})
    assert stated.artifact_type == "application/spdx+json"
    assert attached().artifact_type == OCI_CONFIG
    listed = stated.listed()
    assert listed.document() == {
        "mediaType": OCI_MANIFEST,
        "digest": stated.digest,
        "size": len(stated.body),
        "artifactType": "application/spdx+json",
        "annotations": {"a": "b"},
    }
    assert Descriptor.read(listed.document()) == listed


def test_type_that_is_no_text() -> None:
    """A type that is not a string is malformed, in a manifest and in a list."""
    with pytest.raises(ValueError, match="artifactType"):
        _ = attached(artifactType=1).artifact_type
    with pytest.raises(ValueError, match="artifactType"):
        Descriptor.read({**SUBJECT.document(), "artifactType": 1})
