from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.builders.elf import MACHINES
from runner.oci.manifest import OCI_INDEX, OCI_MANIFEST, REVISION, Manifest, Platform
from runner.oci.name import Name
from runner.published import former, program
from runner.published.former import Adoption, inspect_image
from runner.published.observed import PublishedImage, observe_name
from testbed.base_images import AMD64, ARM64, BOTH, DOCKER, OCI, Form, assemble, push, write_blob
from testbed.former_images import Entry, controller, former_image, layer_of
from testbed.memory.registry import MemoryRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from runner.oci.artifact import Artifact

NAME = Name.parse("registry.example/ack/s3-controller:1.2.3")
COMMIT = "a" * 40


def held(image: Artifact) -> MemoryRegistry:
    """A registry that holds an image under NAME."""
    registry = MemoryRegistry()
    push(registry.another(), NAME.repository, NAME.tag, image)
    return registry


def inspected(registry: MemoryRegistry) -> Adoption:
    """What is found in the image under NAME."""
    found = observe_name(NAME, registry.another())
    assert isinstance(found, PublishedImage)
    return inspect_image(NAME, found, COMMIT, registry)


def layered(folder: Path, *layers: Iterable[Entry], form: Form = OCI) -> Artifact:
    """An image for linux/amd64 with these layers, lowest first."""
    folder.mkdir(exist_ok=True)
    whole = assemble(folder, [(AMD64, AMD64.document(), write_blob(folder, form.layer, layer_of([])))], single=True)
    blobs = [write_blob(folder, form.layer, layer_of(entries)) for entries in layers]
    document = {**whole.root.document, "layers": [blob.descriptor.document() for blob in blobs]}
    return type(whole)(Manifest.write(OCI_MANIFEST, document), (), (whole.blobs[0], *blobs))


@pytest.mark.parametrize("form", [OCI, DOCKER], ids=["OCI", "Docker"])
def test_good_image(tmp_path: Path, form: Form) -> None:
    """An image whose programs are for their platforms can be taken, without a word."""
    assert inspected(held(former_image(tmp_path, form=form))) == Adoption(BOTH)


def test_config_that_says_another_platform(tmp_path: Path) -> None:
    """An arm64 config that says amd64 is a warning where the program itself is right."""
    found = inspected(held(former_image(tmp_path, stated={ARM64: AMD64})))
    assert found == Adoption(BOTH, warnings=(f"{NAME}: the config of linux/arm64 says linux/amd64",))


@pytest.mark.parametrize("single", [True, False], ids=["manifest", "index of one"])
def test_one_platform(tmp_path: Path, *, single: bool) -> None:
    """An image for one platform only can be taken, with a warning."""
    found = inspected(held(former_image(tmp_path, (ARM64,), single=single)))
    assert found == Adoption((ARM64,), warnings=(f"{NAME} is for one platform only, linux/arm64",))


@pytest.mark.parametrize("stated", [AMD64, ARM64], ids=["config is wrong as well", "config is right"])
def test_program_for_another_platform(tmp_path: Path, stated: Platform) -> None:
    """A program for another architecture than the platform's is a reason not to take the image."""
    image = former_image(tmp_path, programs={ARM64: controller("amd64")}, stated={ARM64: stated})
    assert inspected(held(image)).problem == "its program for linux/arm64 is for amd64"


def test_plain_image_whose_program_is_for_another_platform(tmp_path: Path) -> None:
    """Without an index it is the config that must agree with the program."""
    found = inspected(held(former_image(tmp_path, (AMD64,), programs={AMD64: controller("arm64")}, single=True)))
    assert found.problem == "its program for linux/amd64 is for arm64"


@given(st.sampled_from(sorted(MACHINES)), st.sampled_from(sorted(MACHINES)))
def test_any_two_architectures(tmp_path_factory: pytest.TempPathFactory, platform: str, machine: str) -> None:
    """Whatever the platform, the image is taken exactly where its program is for it."""
    wanted = Platform("linux", platform)
    image = former_image(tmp_path_factory.mktemp("image"), (wanted,), programs={wanted: controller(machine)})
    assert (inspected(held(image)).problem is None) == (platform == machine)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"#!/bin/sh\n", "not an ELF file"), (b"", "not an ELF file"), (b"\x7fELF", "not an ELF file")],
    ids=["script", "empty", "short"],
)
def test_program_that_is_none(tmp_path: Path, content: bytes, problem: str) -> None:
    """What is no program of its platform's format is not taken for one."""
    found = inspected(held(former_image(tmp_path, (AMD64,), programs={AMD64: content})))
    assert found.problem is not None
    assert found.problem.startswith("its program for linux/amd64 is none: ")
    assert problem in found.problem


@pytest.mark.parametrize("gone", [0, 1])
def test_platform_that_does_not_answer(tmp_path: Path, gone: int) -> None:
    """One platform that answers is enough; the other is a warning, and what is checked is what answers."""
    image = former_image(tmp_path)
    registry = held(image)
    registry.forget(NAME.repository, image.children[gone].digest)
    found = inspected(registry)
    assert (found.platforms, found.problem) == ((BOTH[1 - gone],), None)
    assert found.warnings == (f"{NAME}: {NAME.repository}@{image.children[gone].digest} does not answer",)


def test_no_platform_answers(tmp_path: Path) -> None:
    """An image of which no platform answers cannot be taken."""
    image = former_image(tmp_path)
    registry = held(image)
    for child in image.children:
        registry.forget(NAME.repository, child.digest)
    problem = inspected(registry).problem
    assert problem == f"no platform of it answers: {NAME.repository}@{image.children[0].digest} is gone"


def test_index_of_nothing() -> None:
    """An index that lists no platform cannot be taken."""
    registry = MemoryRegistry()
    registry.put_manifest(
        NAME.repository, NAME.tag, Manifest.write(OCI_INDEX, {"mediaType": OCI_INDEX, "manifests": []})
    )
    assert inspected(registry).problem == "it is for no platform"


def test_commit_that_it_says(tmp_path: Path) -> None:
    """A label that names this very commit is fine; one that names another is a reason not to take the image."""
    same = inspected(held(former_image(tmp_path / "same", labels={REVISION: COMMIT})))
    other = inspected(held(former_image(tmp_path / "other", labels={REVISION: "b" * 40})))
    assert same.problem is None
    assert other.problem == "for linux/amd64 it says that it was made from commit bbbbbbbbbbbb"


@pytest.mark.parametrize(
    "layers",
    [
        [[Entry("bin/controller", controller("arm64"))], [Entry("bin/controller", controller("amd64"))]],
        [[Entry("bin/controller", controller("amd64"))], [Entry("etc/a", b"x")]],
        [[Entry("usr/bin/controller", controller("amd64"))], [Entry("bin", target="usr/bin")]],
        [[Entry("opt/run", controller("amd64"))], [Entry("bin/controller", target="../opt/run")]],
        [[Entry("opt/run", controller("amd64")), Entry("bin/controller", target="opt/run", kind=b"1")]],
        [[Entry("bin/other", b"x")], [Entry("bin/.wh..wh..opq"), Entry("bin/controller", controller("amd64"))]],
    ],
    ids=["hidden by another", "below another", "bin is a link", "link", "hard link", "opaque"],
)
def test_which_file_counts(tmp_path: Path, layers: list[list[Entry]]) -> None:
    """The file counts that a container would start: the highest one, also through links."""
    assert inspected(held(layered(tmp_path, *layers))).problem is None


@pytest.mark.parametrize(
    "layers",
    [
        [[Entry("bin/other", b"x")]],
        [[Entry("bin/controller", controller("amd64"))], [Entry("bin/.wh.controller")]],
        [[Entry("bin/controller", controller("amd64"))], [Entry(".wh.bin")]],
        [[Entry("bin/controller", target="controller")]],
        [[Entry("bin/controller", target="a"), Entry("bin/a", target="controller")]],
        [],
    ],
    ids=["none", "removed", "folder removed", "link to itself", "links in a ring", "no layers"],
)
def test_image_without_a_program(tmp_path: Path, layers: list[list[Entry]]) -> None:
    """An image in which nothing can be started cannot be taken, and links that lead nowhere end."""
    assert inspected(held(layered(tmp_path, *layers))).problem == "it has no /bin/controller for linux/amd64"


def test_program_elsewhere(tmp_path: Path) -> None:
    """Where there is no /bin/controller, what the entrypoint names counts."""
    folder = tmp_path / "image"
    folder.mkdir()
    config = {**AMD64.document(), "config": {"Entrypoint": ["/manager", "--flag"]}}
    layer = write_blob(folder, OCI.layer, layer_of([Entry("manager", controller("amd64"))]))
    assert inspected(held(assemble(folder, [(AMD64, config, layer)]))).problem is None


@pytest.mark.parametrize("entrypoint", [None, "text", [], [1], ["controller"], {"a": 1}])
def test_entrypoint_of_any_shape(tmp_path: Path, entrypoint: Any) -> None:
    """An entrypoint that is malformed or no path changes nothing: a controller's program has one place."""
    assert inspected(held(former_image(tmp_path, entrypoint=entrypoint))).problem is None


@pytest.mark.parametrize("config", [{"config": []}, {"config": {"Labels": []}}, {"config": {"Labels": {REVISION: 1}}}])
def test_config_of_any_shape(tmp_path: Path, config: Mapping[str, Any]) -> None:
    """A config whose parts have other shapes than they should is read as one without them."""
    layer = write_blob(tmp_path, OCI.layer, layer_of([Entry("bin/controller", controller("amd64"))]))
    assert inspected(held(assemble(tmp_path, [(AMD64, {**AMD64.document(), **config}, layer)]))).problem is None


def test_config_that_cannot_be_read(tmp_path: Path) -> None:
    """A config that is no object is a reason not to take the image: nothing can be said of it."""
    image = former_image(tmp_path)
    broken = write_blob(tmp_path, OCI.config, b"[]")
    registry = held(image)
    registry.send_blob(NAME.repository, broken)
    document = {**image.children[0].document, "mediaType": OCI_MANIFEST, "config": broken.descriptor.document()}
    child = Manifest.write(OCI_MANIFEST, document)
    listed = [child.descriptor(AMD64).document()]
    root = Manifest.write(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed})
    registry.put_manifest(NAME.repository, child.digest, child)
    registry.put_manifest(NAME.repository, NAME.tag, root)
    assert inspected(registry).problem == "its config for linux/amd64 cannot be read: the config is not a JSON object"


def test_platform_that_is_an_index() -> None:
    """An index in the place of a platform's image cannot be taken."""
    registry = MemoryRegistry()
    inner = Manifest.write(OCI_INDEX, {"mediaType": OCI_INDEX, "manifests": []})
    registry.put_manifest(NAME.repository, inner.digest, inner)
    document = {"mediaType": OCI_INDEX, "manifests": [inner.descriptor(AMD64).document()]}
    registry.put_manifest(NAME.repository, NAME.tag, Manifest.write(OCI_INDEX, document))
    assert inspected(registry).problem == "what it has for linux/amd64 is another index"


def test_image_for_too_many_platforms(tmp_path: Path) -> None:
    """An index that lists one platform after the other is not read without end."""
    platforms = [Platform("linux", "amd64", f"v{number}") for number in range(former.PLATFORM_LIMIT + 1)]
    problem = inspected(held(former_image(tmp_path, platforms))).problem
    assert problem == "it is for 17 platforms, and at most 16 are checked"


def test_image_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers larger than the limit are not fetched, and not unpacked, over all platforms together."""
    registry = held(former_image(tmp_path))
    [first, *_] = [child.digest for child in former_image(tmp_path).children]
    size = registry.contents()[NAME.repository].manifests[first].blobs[1].size
    monkeypatch.setattr(program, "STORED_LIMIT", 2 * size - 1)
    problem = inspected(registry).problem
    assert problem == "its layers for linux/arm64 cannot be read: its layers are larger than what is read of an image"
    assert [call.method for call in registry.calls.made].count("scan_blob") == 1
    monkeypatch.undo()
    monkeypatch.setattr(program, "UNPACKED_LIMIT", 1024)
    assert inspected(registry).problem is not None


def test_what_is_read(tmp_path: Path) -> None:
    """From the top layer down only as much is read as is needed to find the program, and nothing is written."""
    image = layered(tmp_path, [Entry("etc/a", b"x" * 9000)], [Entry("bin/controller", controller("amd64"))])
    registry = held(image)
    assert inspected(registry).problem is None
    scanned = [call.about for call in registry.calls.made if call.method == "scan_blob"]
    assert scanned == [f"{NAME.repository}@{image.blobs[-1].descriptor.digest}"]
    assert registry.writes == []
