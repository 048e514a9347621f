from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.config.naming import RegistryAddress
from runner.errors import UsageInvalid
from runner.mirror.place import FolderPlace, RegistryPlace, parse_place, placed
from runner.mirror.plan import plan_mirror
from runner.mirror.release import read_release, wanted_names
from runner.oci.layout import blob_path
from runner.oci.manifest import REF_NAME, digest_of
from runner.oci.name import Name
from runner.oci.referrers import Referrers
from runner.versions import ReleaseVersion
from testbed.attachments import attached_to
from testbed.base_images import push
from testbed.memory.lifetime import MemoryLifetime
from testbed.memory.registry import MemoryRegistry
from tests.support.releases import config_of, publish_release

if TYPE_CHECKING:
    from runner.mirror.place import Place
    from runner.mirror.release import Part
    from runner.run.plan.model import Plan
    from tests.support.releases import Released

CONFIG = config_of()
SOURCE = CONFIG.registry
TARGET = RegistryAddress.parse("mirror.example/a/b")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("registry.example/ack", RegistryAddress("registry.example", "ack")),
        ("registry.example", RegistryAddress("registry.example")),
        ("127.0.0.1:5000/a/b", RegistryAddress("127.0.0.1:5000", "a/b")),
        ("localhost/a", RegistryAddress("localhost", "a")),
        ("oci:releases", Path("releases")),
        ("oci:registry.example/ack", Path("registry.example/ack")),
        ("/srv/releases", Path("/srv/releases")),
        ("./releases", Path("./releases")),
        ("../releases", Path("../releases")),
        (".", Path()),
        ("releases", Path("releases")),
        ("localhost", RegistryAddress("localhost")),
    ],
)
def test_registry_or_folder(text: str, place: RegistryAddress | Path) -> None:
    """A folder begins with oci: or as no host does, or is one word that is none; anything else is a registry."""
    assert parse_place(text) == place


@pytest.mark.parametrize("text", ["releases/s3", "", "oci:", "https://registry.example/ack", "a.b/C"])
def test_neither(text: str) -> None:
    """What is neither a registry nor clearly a folder is refused, and the error says how a folder is written."""
    with pytest.raises(UsageInvalid, match="oci:DIR"):
        parse_place(text)


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture
def released(tmp_path: Path, registry: MemoryRegistry) -> Released:
    """A release with a signature of its image, and stable."""
    released = publish_release(tmp_path, registry, CONFIG, stable=True)
    signature = attached_to(tmp_path / "signature", released.image.root)
    for blob in signature.blobs:
        registry.send_blob(released.image_name.repository, blob)
    registry.put_manifest(released.image_name.repository, signature.root.digest, signature.root)
    return released


def parts(registry: MemoryRegistry) -> tuple[Part, ...]:
    wanted = wanted_names(CONFIG.services["s3"], ReleaseVersion(1, 2, 3), SOURCE, stable=True)
    return read_release(wanted, registry)


def copy(registry: MemoryRegistry, place: Place) -> Plan:
    copies = placed(parts(registry), place)
    held = place.held(copies)
    plan = plan_mirror("s3", copies, held)
    if plan.publishes:
        place.write(copies, held)
    return plan


def registry_place(registry: MemoryRegistry, target: RegistryAddress = TARGET) -> RegistryPlace:
    return RegistryPlace(registry, SOURCE, target, MemoryLifetime(), lambda *_, **__: None)


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize("target", ["mirror.example/a/b", "mirror.example", "registry.example/other"])
def test_names_in_a_registry(registry: MemoryRegistry, target: str) -> None:
    """Each name keeps its repository and tag below the other namespace."""
    place = registry_place(registry, RegistryAddress.parse(target))
    assert [str(name) for part in parts(registry) for name in map(place.name, part.names)] == [
        f"{target}/s3-controller:1.2.3",
        f"{target}/s3-chart:1.2.3",
        f"{target}/s3-chart:v1-stable",
    ]


def test_copy_to_a_registry(registry: MemoryRegistry, released: Released) -> None:
    """Image, attachments and charts are there with their digests; a second copy writes nothing."""
    copy(registry, registry_place(registry))
    for name, artifact in (("s3-controller:1.2.3", released.image), ("s3-chart:v1-stable", released.chart)):
        there = Name.parse(f"{TARGET}/{name}")
        manifest = registry.manifest(there.repository, there.tag)
        assert manifest is not None
        assert manifest.digest == artifact.root.digest
    image = Name.parse(f"{TARGET}/s3-controller:1.2.3").repository
    assert len(Referrers(registry).of(image, released.image.root.digest)) == 1
    again = registry.another()
    assert not copy(again, registry_place(again)).publishes
    assert again.writes == []


def test_the_chart_comes_last(registry: MemoryRegistry, released: Released) -> None:
    """No chart has a name before its image has one, so that an interrupted copy can be installed or is not there."""
    registry.writes.clear()
    copy(registry, registry_place(registry))
    tags = [call.about for call in registry.writes if call.method == "put_manifest" and "@" not in call.about]
    assert tags == [f"{TARGET}/s3-controller:1.2.3", f"{TARGET}/s3-chart:1.2.3", f"{TARGET}/s3-chart:v1-stable"]
    assert released.image_name.tag == "1.2.3"


def entries(folder: Path) -> list[tuple[str | None, str]]:
    listed = json.loads((folder / "index.json").read_bytes())["manifests"]
    return [(entry.get("annotations", {}).get(REF_NAME), entry["digest"]) for entry in listed]


def test_copy_to_a_folder(registry: MemoryRegistry, released: Released, tmp_path: Path) -> None:
    """A folder holds all content, under the release's own names; a second copy leaves it as it is."""
    folder = tmp_path / "copy"
    copy(registry, FolderPlace(folder, registry))
    named = {name: digest for name, digest in entries(folder) if name}
    assert named == {
        str(released.image_name): released.image.root.digest,
        str(released.chart_name): released.chart.root.digest,
        str(released.stable_name): released.chart.root.digest,
    }
    assert len(entries(folder)) == 4
    for part in parts(registry):
        for artifact in (part.artifact, *part.attached):
            for digest in [artifact.root.digest, *(blob.descriptor.digest for blob in artifact.blobs)]:
                assert digest_of(blob_path(folder, digest).read_bytes()) == digest
    before = (folder / "index.json").read_bytes()
    assert not copy(registry, FolderPlace(folder, registry)).publishes
    assert (folder / "index.json").read_bytes() == before


def test_several_releases_in_a_folder(registry: MemoryRegistry, released: Released, tmp_path: Path) -> None:
    """What a folder holds of other releases stays, and stable moves in it."""
    folder = tmp_path / "copy"
    copy(registry, FolderPlace(folder, registry))
    old = dict(entries(folder))
    newer = publish_release(tmp_path, registry, CONFIG, "1.3.0", stable=True)
    wanted = wanted_names(CONFIG.services["s3"], ReleaseVersion(1, 3, 0), SOURCE, stable=True)
    place = FolderPlace(folder, registry)
    copies = placed(read_release(wanted, registry), place)
    place.write(copies, place.held(copies))
    found = dict(entries(folder))
    assert found[str(released.image_name)] == old[str(released.image_name)]
    assert found[str(newer.image_name)] == newer.image.root.digest
    assert found[str(newer.stable_name)] == newer.chart.root.digest
    assert None in found
    assert len(entries(folder)) == 6


def test_a_folder_that_is_damaged(registry: MemoryRegistry, released: Released, tmp_path: Path) -> None:
    """A layout that cannot be read is the caller's to replace: exit 2, before anything is written."""
    folder = tmp_path / "copy"
    copy(registry, FolderPlace(folder, registry))
    blob_path(folder, released.chart.root.digest).write_bytes(b"{}")
    with pytest.raises(UsageInvalid, match="cannot be used") as raised:
        copy(registry, FolderPlace(folder, registry))
    assert str(folder) in raised.value.remedy


def test_a_name_that_differs(registry: MemoryRegistry, released: Released, tmp_path: Path) -> None:
    """A name of the release that holds something else refuses the copy, and nothing is written."""
    other = publish_release(tmp_path / "other", MemoryRegistry(), CONFIG, "1.3.0")
    there = Name.parse(f"{TARGET}/s3-controller:1.2.3")
    push(registry, there.repository, there.tag, other.image)
    registry.writes.clear()
    plan = copy(registry, registry_place(registry))
    assert plan.error is not None
    assert plan.error.code == "mirror-differs"
    assert released.image.root.digest in plan.error.cause
    assert registry.writes == []
