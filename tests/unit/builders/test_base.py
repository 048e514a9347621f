from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.builders.base import (
    CA_BUNDLE,
    LAYER_TYPES,
    Base,
    choose_manifest,
    read_config,
    same_platform,
    write_scratch_layer,
)
from runner.errors import BaseImageUnusable
from runner.oci.artifact import FileSource
from runner.oci.manifest import OCI_MANIFEST, Descriptor, Platform, digest_of

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = digest_of(b"")
ROOTFS = {"type": "layers", "diff_ids": [DIGEST]}
PLATFORMS = tuple(map(Platform.parse, ("linux/amd64", "linux/arm64", "linux/arm/v6", "linux/arm/v7", "windows/amd64")))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/amd64", "linux/amd64/v1", True),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm", "linux/arm/v6", False),
        ("linux/amd64", "linux/amd64/v3", False),
        ("linux/amd64", "linux/arm64", False),
        ("linux/amd64", "windows/amd64", False),
    ],
)
def test_a_variant_that_goes_without_saying_may_be_left_out(one: str, other: str, *, same: bool) -> None:
    """Two platforms are the same when they differ in an implied variant at most, whichever is asked first."""
    assert same_platform(Platform.parse(one), Platform.parse(other)) is same
    assert same_platform(Platform.parse(other), Platform.parse(one)) is same


@given(st.permutations(PLATFORMS), st.sampled_from(PLATFORMS))
def test_the_entry_of_the_platform_is_chosen(order: list[Platform], wanted: Platform) -> None:
    """Wherever it stands in the index, the entry of a platform is found, and attestations are not."""
    attestation = Descriptor(OCI_MANIFEST, DIGEST, 1, Platform("unknown", "unknown"))
    entries = [
        attestation,
        Descriptor(OCI_MANIFEST, DIGEST, 2),
        *(Descriptor(OCI_MANIFEST, DIGEST, 3, p) for p in order),
    ]
    chosen = choose_manifest(entries, wanted)
    assert chosen is not None
    assert chosen.platform == wanted
    assert choose_manifest([one for one in entries if one.platform != wanted], wanted) is None


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("registry.example/team/base:1.2", "registry.example/team/base"),
        ("127.0.0.1:5000/base", "127.0.0.1:5000/base"),
        ("127.0.0.1:5000/base:1.2", "127.0.0.1:5000/base"),
        (None, None),
    ],
)
def test_the_repository_is_the_name_without_its_tag(name: str | None, repository: str | None) -> None:
    """A port is no tag."""
    assert Base("exact", name, DIGEST, {}).repository == repository


def test_docker_types_become_oci_types_of_the_same_bytes() -> None:
    """A layer keeps its compression, whichever of the two families its type is of; OCI types stay."""
    for stored, written in LAYER_TYPES.items():
        assert written.startswith("application/vnd.oci.image.layer.v1.tar")
        assert stored.endswith("zstd") == written.endswith("zstd")
        assert stored.endswith("gzip") == written.endswith("gzip")
        assert LAYER_TYPES[written] == written


def test_a_config_without_settings_and_history_is_whole() -> None:
    """What a config may leave out, or set to null, is there and empty."""
    found = read_config(json.dumps({"rootfs": ROOTFS, "config": None}).encode(), "base")
    assert found == {"rootfs": ROOTFS, "config": {}, "history": []}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "not a JSON object"),
        ({}, "no diff_ids"),
        ({"rootfs": {"diff_ids": ["md5:1"]}}, "no diff_ids"),
        ({"rootfs": ROOTFS, "config": [1]}, "labels"),
        ({"rootfs": ROOTFS, "config": {"Labels": {"a": 1}}}, "labels"),
        ({"rootfs": ROOTFS, "config": {"Labels": ["a"]}}, "labels"),
        ({"rootfs": ROOTFS, "history": {"a": 1}}, "history"),
        ({"rootfs": ROOTFS, "history": ["a"]}, "history"),
    ],
    ids=["list", "empty", "digest", "settings", "label", "labels", "history", "entry"],
)
def test_a_malformed_config_is_refused(document: Any, problem: str) -> None:
    """What is built upon has the shape that the specification gives it."""
    with pytest.raises(BaseImageUnusable, match=problem):
        read_config(json.dumps(document).encode(), "base")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["rootfs", "diff_ids", "config", "Labels", "history"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    JSON
    | st.builds(
        lambda found: {"rootfs": ROOTFS, **found}, st.dictionaries(st.sampled_from(["config", "history"]), JSON)
    )
)
def test_any_config_is_read_or_refused(document: Any) -> None:
    """Any JSON document gives a config that can be built upon, or the one error for it."""
    try:
        found = read_config(json.dumps(document).encode(), "base")
    except BaseImageUnusable:
        return
    assert isinstance(found["config"], dict)
    assert all(isinstance(entry, dict) for entry in found["history"])


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000], ids=["empty", "cut", "binary", "deep"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """A config that cannot be parsed is the base image's fault."""
    with pytest.raises(BaseImageUnusable, match="not a JSON object"):
        read_config(body, "base")


def test_scratch_gets_certificates_users_and_a_place_for_temporary_files(tmp_path: Path) -> None:
    """On nothing at all a controller finds whom to trust, who it is, and where to write."""
    source = write_scratch_layer(tmp_path).blob.source
    assert isinstance(source, FileSource)
    with tarfile.open(source.path) as tar:
        names = tar.getnames()
        read = {name: stream.read().decode() for name in names if (stream := tar.extractfile(name))}
        temporary = tar.getmember("tmp")
    assert names.index("bin") < names.index("etc") < names.index("etc/ssl/certs") < names.index(CA_BUNDLE)
    assert (temporary.isdir(), temporary.mode) == (True, 0o1777)
    assert read[CA_BUNDLE].count("-----BEGIN CERTIFICATE-----") > 50
    users = {line.split(":")[0]: line.split(":")[2] for line in read["etc/passwd"].splitlines()}
    groups = {line.split(":")[0]: line.split(":")[2] for line in read["etc/group"].splitlines()}
    assert users == groups == {"root": "0", "nonroot": "1000"}
