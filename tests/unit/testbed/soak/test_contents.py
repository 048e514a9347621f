from __future__ import annotations

from testbed.soak.contents import Stored, comparable

FIRST, SECOND = "20261128T031743Z", "20261128T031744Z"


def test_history_at_other_times() -> None:
    """Two registries are alike when they differ only in when stable was moved; how often it was moved counts."""
    one = {"ack/chart:v1-stable": "a", f"ack/chart:v1-stable-{FIRST}-457eac8": "a"}
    other = {"ack/chart:v1-stable": "a", f"ack/chart:v1-stable-{SECOND}-457eac8": "a"}
    assert comparable(one) == comparable(other)
    assert comparable(one) != comparable({**one, **other})
    assert comparable(one) != comparable({**one, "ack/chart:v1-stable": "b"})
    assert comparable(one) != comparable({**one, "ack/chart:1.2.3": "a"})


def test_what_a_manifest_lists() -> None:
    """An index lists children; a manifest its config and layers."""
    index = Stored("application/vnd.oci.image.index.v1+json", b'{"manifests":[{"digest":"sha256:1"}]}')
    image = Stored("x", b'{"config":{"digest":"sha256:2"},"layers":[{"digest":"sha256:3"}]}')
    assert (index.children, index.blobs) == (("sha256:1",), ())
    assert (image.children, image.blobs) == ((), ("sha256:2", "sha256:3"))
