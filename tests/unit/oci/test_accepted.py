from __future__ import annotations

import pytest

from runner.oci.accepted import Accepted
from runner.oci.manifest import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor, Manifest, digest_of
from runner.oci.name import Repository

HERE, THERE = Repository("registry.example", "a"), Repository("registry.example", "b")
LAYER, CONFIG = (Descriptor(kind, digest_of(kind.encode()), len(kind)) for kind in (OCI_LAYER, OCI_CONFIG))
IMAGE = Manifest.write(OCI_MANIFEST, {"schemaVersion": 2, "config": CONFIG.document(), "layers": [LAYER.document()]})
INDEX = Manifest.write(OCI_INDEX, {"schemaVersion": 2, "manifests": [IMAGE.descriptor().document()]})


def test_what_was_accepted() -> None:
    """A digest is known in the repository that accepted it, and in no other."""
    accepted = Accepted()
    accepted.add(HERE, LAYER.digest)
    assert (HERE, LAYER.digest) in accepted
    assert (HERE, CONFIG.digest) not in accepted
    assert (THERE, LAYER.digest) not in accepted


@pytest.mark.parametrize(
    ("digests", "manifest", "expected"),
    [
        ((LAYER.digest, CONFIG.digest), IMAGE, True),
        ((LAYER.digest,), IMAGE, False),
        ((), IMAGE, False),
        ((IMAGE.digest,), INDEX, True),
        ((LAYER.digest, CONFIG.digest), INDEX, False),
    ],
    ids=["all blobs", "one blob", "nothing", "all children", "no child"],
)
def test_what_a_manifest_refers_to(digests: tuple[str, ...], manifest: Manifest, *, expected: bool) -> None:
    """A manifest's blobs or children count only once all of them were accepted."""
    accepted = Accepted()
    for digest in digests:
        accepted.add(HERE, digest)
    assert accepted.has_all_of(HERE, manifest) is expected


def test_manifest_that_cannot_be_read() -> None:
    """Of a manifest whose references cannot be read nothing is known."""
    broken = Manifest.write(OCI_INDEX, {"schemaVersion": 2, "manifests": [{"digest": "x"}]})
    assert not Accepted().has_all_of(HERE, broken)
