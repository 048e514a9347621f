from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.ecr_public.manifests import IMAGES, INDEXES, InvalidManifest, digest_of, read_manifest

OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:c", "size": 2}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:l", "size": 40}


def image(**more: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": CONFIG, "layers": [LAYER], **more}).encode()


def test_an_image() -> None:
    """Of an image, its blobs, their size with its own, and its config's kind are read."""
    body = image()
    manifest = read_manifest(body, OCI_IMAGE)
    assert manifest.digest == digest_of(body)
    assert manifest.blobs == {"sha256:c": 2, "sha256:l": 40}
    assert manifest.size == len(body) + 42
    assert (manifest.artifact_type, manifest.children, manifest.subject) == (CONFIG["mediaType"], (), None)


def test_an_artifact() -> None:
    """An artifact's own type goes before its config's, and its subject is read."""
    manifest = read_manifest(image(artifactType="application/x.sbom", subject={"digest": "sha256:s"}), OCI_IMAGE)
    assert (manifest.artifact_type, manifest.subject) == ("application/x.sbom", "sha256:s")


def test_an_index() -> None:
    """Of an index, its children are read."""
    body = json.dumps({"manifests": [{"digest": "sha256:a"}, {"digest": "sha256:b"}]}).encode()
    manifest = read_manifest(body, OCI_INDEX)
    assert (manifest.children, manifest.blobs) == (("sha256:a", "sha256:b"), {})


@pytest.mark.parametrize(("kind", "other"), [(OCI_IMAGE, OCI_INDEX), (OCI_INDEX, OCI_IMAGE)])
def test_another_type(kind: str, other: str) -> None:
    """A document that says that it is of another type is refused."""
    with pytest.raises(InvalidManifest):
        read_manifest(image(mediaType=other), kind)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["config", "layers", "manifests", "digest", "size", "mediaType", "subject"]) | st.text(),
            inner,
        )
    ),
    max_leaves=12,
)


@given(
    st.binary() | json_values.map(lambda value: json.dumps(value).encode()), st.sampled_from(sorted(IMAGES | INDEXES))
)
def test_anything(body: bytes, kind: str) -> None:
    """Whatever is pushed is a manifest or refused as none, and never an error of another kind."""
    with contextlib.suppress(InvalidManifest):
        assert read_manifest(body, kind).digest == digest_of(body)
