"""A clean-up removed parts of a released image or chart: the tag's rerun restores them, and stable goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.registry_clients import crane
from testbed.release_harness import CHART, IMAGE, ReleaseHarness, open_harness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPOSITORY = IMAGE.partition(":")[0]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ReleaseHarness]:
    with open_harness(tmp_path) as made:
        made.repository.stable("1.2.3")
        assert made.run("v1.2.3").code == 0
        yield made


def manifest(harness: ReleaseHarness, reference: str) -> dict[str, object]:
    document: dict[str, object] = json.loads(crane("manifest", "--insecure", f"{harness.host}/{reference}"))
    return document


def remove_platform(harness: ReleaseHarness, *architectures: str) -> list[str]:
    """Remove the manifests of these platforms, as a clean-up of untagged manifests does; return their digests."""
    children = manifest(harness, IMAGE)["manifests"]
    assert isinstance(children, list)
    gone = [one["digest"] for one in children if one["platform"]["architecture"] in architectures]
    assert len(gone) == len(architectures)
    for digest in gone:
        crane("delete", "--insecure", f"{harness.host}/{REPOSITORY}@{digest}")
    harness.proxy.clear()
    return gone


@pytest.mark.parametrize("architectures", [("arm64",), ("amd64", "arm64")], ids=["one", "all"])
def test_platforms_that_are_gone(harness: ReleaseHarness, architectures: tuple[str, ...]) -> None:
    """The plan says it, stable names what helps, the tag's rerun restores by digest alone, and stable moves."""
    before = crane("digest", "--insecure", f"{harness.host}/{IMAGE}")
    gone = remove_platform(harness, *architectures)
    refused = harness.run("stable")
    assert refused.code == 4
    assert "Rerun the job of the tag v1.2.3" in refused.errors[0]
    planned = harness.run("v1.2.3", command="plan")
    assert planned.code == 0
    assert planned.actions[IMAGE] == "publish"
    [reason] = [entry["reason"] for entry in planned.record["entries"] if entry["name"].endswith(IMAGE)]
    assert "gone: will be built again, and restored if its digest is the same" in reason or "parts are gone" in reason
    assert gone[0] in reason
    assert harness.proxy.writes == ()
    restored = harness.run("v1.2.3")
    assert restored.code == 0, restored.out
    assert restored.lines[-1].startswith("RELEASED: widget 1.2.3 (release, what was gone of 1 tag restored)")
    assert harness.proxy.count("PUT", r"/manifests/widget-v1\.2\.3$") == 0, "a release tag is never written again"
    assert crane("digest", "--insecure", f"{harness.host}/{IMAGE}") == before
    crane("validate", "--insecure", "--remote", f"{harness.host}/{IMAGE}")
    harness.proxy.clear()
    assert harness.run("v1.2.3").lines[-1].startswith("RELEASED: widget 1.2.3 (release, nothing to send)")
    assert harness.proxy.writes == ()
    assert harness.run("stable").code == 0


def test_another_base_gives_another_digest(harness: ReleaseHarness) -> None:
    """With other inputs nothing is written: exit 5 names both digests, and which input is not what it was."""
    digest = crane("digest", "--insecure", f"{harness.host}/{IMAGE}").strip()
    # What was just released serves as another base: it is for both platforms.
    crane("copy", "--insecure", f"{harness.host}/{IMAGE}", f"{harness.host}/ack/base:1")
    remove_platform(harness, "arm64")
    ended = harness.run("v1.2.3", "--base-image", f"{harness.host}/ack/base:1")
    assert ended.code == 5, ended.out
    [line] = ended.errors
    assert "code=release-not-restorable" in line
    assert digest in line
    assert "the base image's content was scratch and is sha256:" in line
    assert harness.proxy.writes == ()
    assert harness.run("v1.2.3").code == 0


def test_archive_of_the_chart_that_is_gone(harness: ReleaseHarness, tmp_path: Path) -> None:
    """A chart whose archive was removed cannot be pulled; the tag's rerun packages and restores it."""
    layers = manifest(harness, CHART)["layers"]
    assert isinstance(layers, list)
    digest = layers[0]["digest"]
    [blob] = [path for path in (tmp_path / "registry").rglob(digest.removeprefix("sha256:")) if path.is_file()]
    blob.unlink()
    harness.proxy.clear()
    ended = harness.run("v1.2.3")
    assert ended.code == 0, ended.out
    assert ended.lines[-1].startswith("RELEASED: widget 1.2.3 (release, what was gone of")
    assert "go" not in ended.record["tools"], "nothing is compiled for a chart"
    assert blob.is_file()
    assert harness.proxy.count("PUT", r"/manifests/(widget-v)?1\.2\.3$") == 0
