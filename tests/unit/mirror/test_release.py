from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.errors import RegistryAnswerWrong, RegistryFailed, ReleaseIncomplete
from runner.mirror import release
from runner.mirror.release import attached_to, read_release, wanted_names
from runner.oci.manifest import OCI_INDEX, Manifest
from runner.oci.name import Name
from runner.oci.referrers import list_tag
from runner.published.observed import PublishedImage
from runner.run.plan.model import Action, Kind
from runner.run.publish.copy import published_artifact
from runner.versions import ReleaseVersion
from testbed.attachments import attached_to as an_attachment
from testbed.base_images import base_layout, push
from testbed.memory.calls import raising
from testbed.memory.registry import MemoryRegistry
from tests.support.releases import chart_in, config_of, publish_release

if TYPE_CHECKING:
    from pathlib import Path

    from runner.mirror.release import Part, Wanted
    from runner.oci.artifact import Artifact

VERSION = ReleaseVersion(1, 2, 3)
ALL = "[seed, repo-per-service-v, repo-per-service]"


def wanted(naming: str = "repo-per-service", *, stable: bool = False) -> Wanted:
    config = config_of(naming=naming)
    return wanted_names(config.services["s3"], VERSION, config.registry, stable=stable)


def read(registry: MemoryRegistry, naming: str = "repo-per-service", *, stable: bool = False) -> tuple[Part, ...]:
    return read_release(wanted(naming, stable=stable), registry)


def attach(registry: MemoryRegistry, name: Name, attached: Artifact) -> None:
    """Put an attachment beside its subject."""
    for blob in attached.blobs:
        registry.send_blob(name.repository, blob)
    registry.put_manifest(name.repository, attached.root.digest, attached.root)


def test_names_of_every_scheme() -> None:
    """A release is looked for under every accepted scheme, each name once, and stable only where it is asked for."""
    found = wanted(ALL)
    assert [str(name).removeprefix("registry.example/ack/") for name in found.images] == [
        "controller:s3-v1.2.3",
        "s3-controller:v1.2.3",
        "s3-controller:1.2.3",
    ]
    assert [str(name).removeprefix("registry.example/ack/") for name in found.charts] == [
        "chart:s3-v1.2.3",
        "s3-chart:1.2.3",
        "s3-chart:v1.2.3",
    ]
    assert found.stable == ()
    assert Name.parse("registry.example/ack/s3-chart:v1-stable") in wanted(ALL, stable=True).stable


def test_image_before_chart(tmp_path: Path) -> None:
    """The parts are the image and then the chart, each with the names that hold it, and with all of its blobs."""
    registry = MemoryRegistry()
    released = publish_release(tmp_path, registry, config_of(), stable=True)
    image, chart, stable = read(registry, stable=True)
    assert (image.kind, image.names, image.artifact.root) == (Kind.IMAGE, (released.image_name,), released.image.root)
    assert (chart.kind, chart.names, chart.artifact.root) == (Kind.CHART, (released.chart_name,), released.chart.root)
    assert (stable.names, stable.artifact.root) == ((released.stable_name,), released.chart.root)
    assert [one.where_other for one in (image, chart, stable)] == [Action.REFUSE, Action.REFUSE, Action.PUBLISH]
    assert {blob.descriptor.digest for blob in image.artifact.blobs} == {
        blob.descriptor.digest for blob in released.image.blobs
    }


def test_names_that_hold_the_same(tmp_path: Path) -> None:
    """All names that hold one digest are one part, so that it is copied once."""
    registry = MemoryRegistry()
    config = config_of(naming="seed")
    released = publish_release(tmp_path, registry, config)
    alias = Name.parse("registry.example/ack/s3-chart:1.2.3")
    push(registry, alias.repository, alias.tag, released.chart)
    _, chart = read(registry, "seed")
    assert chart.names == (released.chart_name, alias)


def test_attachments_are_followed(tmp_path: Path) -> None:
    """What is attached to the index, to a child, to the chart, and to an attachment is part of the release."""
    registry = MemoryRegistry()
    released = publish_release(tmp_path, registry, config_of())
    signature = an_attachment(tmp_path / "signature", released.image.root)
    sbom = an_attachment(tmp_path / "sbom", released.image.children[1], "an SBOM")
    countersigned = an_attachment(tmp_path / "on", sbom.root, "signed again")
    of_chart = an_attachment(tmp_path / "chart", released.chart.root, "the chart's")
    for one in (countersigned, sbom, signature):
        attach(registry, released.image_name, one)
    attach(registry, released.chart_name, of_chart)
    image, chart = read(registry)
    order = [one.root.digest for one in image.attached]
    assert set(order) == {one.root.digest for one in (signature, sbom, countersigned)}
    assert order.index(sbom.root.digest) < order.index(countersigned.root.digest)
    assert [one.root.digest for one in chart.attached] == [of_chart.root.digest]


def test_attachments_that_have_tags(tmp_path: Path) -> None:
    """What cosign's older tags attach is a part of its own, before what it is attached to, and never written over."""
    registry = MemoryRegistry()
    released = publish_release(tmp_path, registry, config_of())
    signature = an_attachment(tmp_path / "signature", released.chart.root)
    tag = f"{list_tag(released.image.root.digest)}.sig"
    push(registry, released.image_name.repository, tag, signature)
    tagged, image, _ = read(registry)
    assert tagged.names == (Name(released.image_name.repository, tag),)
    assert tagged.where_other is Action.SKIP
    assert image.names == (released.image_name,)


def test_attachment_that_is_an_index(tmp_path: Path) -> None:
    """An attachment may be an index; what it lists is part of it."""
    registry = MemoryRegistry()
    released = publish_release(tmp_path, registry, config_of())
    parts = base_layout(tmp_path / "parts", top={"author": "an attachment"})
    listed = [child.descriptor().document() for child in parts.children]
    subject = released.image.root.descriptor().document()
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed, "subject": subject}
    index = Manifest.write(OCI_INDEX, document)
    repository = released.image_name.repository
    push(registry, repository, "parts", parts)
    registry.put_manifest(repository, index.digest, index)
    image, _ = read(registry)
    [attached] = image.attached
    assert attached.root.digest == index.digest
    assert [child.digest for child in attached.children] == [child.digest for child in parts.children]
    assert {blob.descriptor.digest for blob in attached.blobs} == {blob.descriptor.digest for blob in parts.blobs}


def test_attachments_in_a_circle(tmp_path: Path) -> None:
    """A list that names what it is a list of, or one thing twice, is followed once."""
    registry = MemoryRegistry(lists_referrers=False)
    released = publish_release(tmp_path, registry, config_of())
    signature = an_attachment(tmp_path / "signature", released.image.root)
    attach(registry, released.image_name, signature)
    entries = [one.listed().document() for one in (signature.root, released.image.root, signature.root)]
    for subject in (released.image.root.digest, signature.root.digest):
        index = Manifest.write(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
        registry.put_manifest(released.image_name.repository, list_tag(subject), index)
    image, _ = read(registry)
    assert [one.root.digest for one in image.attached] == [signature.root.digest]


def test_too_many_attachments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More attachments than anybody needs are a wrong answer, and are not all read."""
    monkeypatch.setattr(release, "MOST_ATTACHED", 3)
    registry = MemoryRegistry()
    released = publish_release(tmp_path, registry, config_of())
    for number in range(5):
        attach(registry, released.image_name, an_attachment(tmp_path / "a", released.image.root, str(number)))
    with pytest.raises(RegistryAnswerWrong, match="more than 3 attachments"):
        read(registry)


def test_attachment_that_is_gone(tmp_path: Path) -> None:
    """An attachment that is listed and does not answer is a wrong answer, so a copy never silently lacks it."""
    registry = MemoryRegistry(lists_referrers=False)
    released = publish_release(tmp_path, registry, config_of())
    signature = an_attachment(tmp_path / "signature", released.image.root)
    index = Manifest.write(
        OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [signature.root.listed().document()]}
    )
    repository = released.image_name.repository
    # The list may be written before what it lists: an index whose children are absent is refused by real registries,
    # which is why it is put there past the check.
    registry.calls.intervene(
        "manifest", lambda: index, when="instead", about=f":{list_tag(released.image.root.digest)}", times=None
    )
    artifact = published_artifact(released.image_name, _published(registry, released.image_name), registry)
    with pytest.raises(RegistryAnswerWrong, match="listed as attached, but cannot be read"):
        attached_to(repository, artifact, registry)


def _published(registry: MemoryRegistry, name: Name) -> PublishedImage:
    manifest = registry.manifest(name.repository, name.tag)
    assert manifest is not None
    return PublishedImage(manifest)


@pytest.mark.parametrize("missing", ["image", "chart"])
def test_half_a_release(tmp_path: Path, missing: str) -> None:
    """A release without its image or its chart is not copied, and the error says what is missing."""
    registry = MemoryRegistry()
    released = publish_release(tmp_path, registry, config_of())
    name = released.image_name if missing == "image" else released.chart_name
    registry.forget(name.repository, name.tag)
    with pytest.raises(ReleaseIncomplete, match=f"has no {missing}"):
        read(registry)


def test_chart_of_another_image(tmp_path: Path) -> None:
    """A chart that was released with an image which no name holds any more is not copied."""
    registry = MemoryRegistry()
    released = publish_release(tmp_path, registry, config_of())
    other = chart_in(tmp_path / "other", released.image_name, released.chart.root.digest, "1.2.3")
    push(registry, released.chart_name.repository, released.chart_name.tag, other)
    with pytest.raises(ReleaseIncomplete, match="was released with the image"):
        read(registry)


def test_stable_of_another_version(tmp_path: Path) -> None:
    """Stable is copied with the version that it is of, and with no other."""
    registry = MemoryRegistry()
    publish_release(tmp_path, registry, config_of())
    with pytest.raises(ReleaseIncomplete, match="stable is not published"):
        read(registry, stable=True)
    publish_release(tmp_path, registry, config_of(), "1.3.0", stable=True)
    with pytest.raises(ReleaseIncomplete, match=r"is of version 1\.3\.0, and not of 1\.2\.3"):
        read(registry, stable=True)
    assert len(read(registry)) == 2


def test_a_registry_that_fails(tmp_path: Path) -> None:
    """What cannot be read ends the copy, and never counts as not attached."""
    registry = MemoryRegistry()
    publish_release(tmp_path, registry, config_of())
    registry.calls.intervene("referrers", raising(RegistryFailed("HTTP 405")))
    with pytest.raises(RegistryFailed, match="405"):
        read(registry)
