from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner.annotations import RELEASE_INPUTS, RELEASE_PLATFORMS, RELEASE_VERSION, inputs_text
from runner.builders.archive import Layer, Member, write_layer
from runner.builders.base import Base, BaseImage
from runner.builders.builder import BuildRequest
from runner.builders.image import base_inputs, image_artifact, image_config
from runner.oci.artifact import Blob, FileSource, RemoteSource
from runner.oci.manifest import (
    BASE_DIGEST,
    BASE_NAME,
    CREATED,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REVISION,
    SOURCE,
    VERSION,
    Descriptor,
    Platform,
    digest_of,
)
from runner.oci.name import Repository
from testbed.base_images import AMD64, ARM64, BOTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.oci.artifact import Artifact

REVISION_OF = "0123456789abcdef0123456789abcdef01234567"
URL = "https://github.com/aws-controllers-k8s/s3-controller"
HOME = Repository("registry.example", "team/base")
ROOT = digest_of(b"the base's index")
LOWEST = digest_of(b"the base's layer")
INPUTS = {"go": "1.26.8", "revision": REVISION_OF}


def base_of(config: Mapping[str, Any] | None = None, *, name: str | None = f"{HOME}:1.2") -> Base:
    """A base of one layer, in a registry; ``config`` is over what its documents have."""
    layer = Blob(Descriptor(OCI_LAYER, LOWEST, 10), RemoteSource(HOME))
    document = {"rootfs": {"diff_ids": [digest_of(b"tar")]}, "config": {}, "history": [], **(config or {})}
    images = {platform: BaseImage({**document, **platform.document()}, (layer,)) for platform in BOTH}
    return Base(f"{HOME}@{ROOT}", name, ROOT, images)


def request_for(folder: Path, base: Base | None = None, platforms: tuple[Platform, ...] = BOTH) -> BuildRequest:
    return BuildRequest(
        service="s3",
        source=folder,
        main="cmd/controller",
        version="v1.2.3",
        revision=REVISION_OF,
        created=datetime(2026, 8, 14, 1, 46, 38, tzinfo=timezone(timedelta(hours=2))),
        source_url=URL,
        platforms=platforms,
        base=base or base_of(),
        folder=folder,
    )


def layers_in(folder: Path) -> dict[Platform, tuple[Layer, ...]]:
    shared = write_layer([Member("bin/LICENSE", b"Apache")], folder)
    return {
        platform: (shared, write_layer([Member("bin/controller", str(platform).encode(), 0o755)], folder))
        for platform in BOTH
    }


def made(folder: Path, base: Base | None = None, platforms: tuple[Platform, ...] = BOTH) -> Artifact:
    return image_artifact(request_for(folder, base, platforms), layers_in(folder), INPUTS)


def configs(layout: Artifact) -> list[dict[str, Any]]:
    sources = {blob.descriptor.digest: blob.source for blob in layout.blobs}
    found = []
    for child in layout.children:
        source = sources[child.blobs[0].digest]
        assert isinstance(source, FileSource)
        found.append(json.loads(source.path.read_bytes()))
    return found


def only_config(config: Mapping[str, Any], **keywords: Any) -> dict[str, Any]:
    layer = Layer(Blob(Descriptor(OCI_LAYER, ROOT, 1), RemoteSource(HOME)), ROOT, "ack-release: add /bin/controller")
    return image_config(request_for(Path(), base_of(config, **keywords)), AMD64, [layer])


def test_the_index_says_what_was_released(tmp_path: Path) -> None:
    """The root is an index that carries revision, source, version, time, platforms and all inputs."""
    root = made(tmp_path).root
    assert root.media_type == root.document["mediaType"] == OCI_INDEX
    assert root.annotations == {
        REVISION: REVISION_OF,
        SOURCE: URL,
        VERSION: "v1.2.3",
        CREATED: "2026-08-13T23:46:38Z",
        RELEASE_VERSION: "1.2.3",
        RELEASE_PLATFORMS: "linux/amd64,linux/arm64",
        RELEASE_INPUTS: inputs_text(INPUTS),
    }


@pytest.mark.parametrize("platforms", [BOTH, BOTH[::-1], (ARM64,)], ids=["both", "turned", "one"])
def test_the_index_lists_the_platforms_in_order(tmp_path: Path, platforms: tuple[Platform, ...]) -> None:
    """Each platform has its entry, also where it is the only one, and each entry points at a child."""
    layout = made(tmp_path, platforms=platforms)
    assert [child.platform for child in layout.root.children] == list(platforms)
    assert [child.digest for child in layout.root.children] == [child.digest for child in layout.children]
    assert [child.size for child in layout.root.children] == [len(child.body) for child in layout.children]
    assert layout.root.annotations[RELEASE_PLATFORMS] == ",".join(map(str, platforms))


def test_manifests_say_what_they_stand_on(tmp_path: Path) -> None:
    """Each platform's manifest has OCI's type, the base's name with its tag, and the base's digest."""
    for child in made(tmp_path).children:
        assert child.media_type == child.document["mediaType"] == OCI_MANIFEST
        assert child.annotations[BASE_NAME] == f"{HOME}:1.2"
        assert child.annotations[BASE_DIGEST] == ROOT
        assert child.annotations[REVISION] == REVISION_OF


def test_our_layers_stand_on_the_base(tmp_path: Path) -> None:
    """The base's layer is lowest and stays where it is; the files that platforms share are one blob."""
    layout = made(tmp_path)
    amd64, arm64 = ([blob.digest for blob in child.blobs[1:]] for child in layout.children)
    assert amd64[0] == arm64[0] == LOWEST
    assert amd64[1] == arm64[1]
    assert amd64[2] != arm64[2]
    digests = [blob.descriptor.digest for blob in layout.blobs]
    assert len(digests) == len(set(digests)) == 6
    assert [blob.source for blob in layout.blobs if blob.descriptor.digest == LOWEST] == [RemoteSource(HOME)]


def test_each_manifest_is_whole(tmp_path: Path) -> None:
    """Every blob that a manifest names is in the layout, with the same size, and files hold what they should."""
    layout = made(tmp_path)
    blobs = {blob.descriptor.digest: blob for blob in layout.blobs}
    for named in (named for child in layout.children for named in child.blobs):
        blob = blobs[named.digest]
        assert blob.descriptor == named
        if isinstance(blob.source, FileSource):
            body = blob.source.path.read_bytes()
            assert (digest_of(body), len(body)) == (named.digest, named.size)


def test_configs_name_their_true_platform(tmp_path: Path) -> None:
    """Architecture and system of each config are those of its entry in the index."""
    assert [(one["os"], one["architecture"]) for one in configs(made(tmp_path))] == [
        ("linux", "amd64"),
        ("linux", "arm64"),
    ]


def test_a_config_follows_the_contract(tmp_path: Path) -> None:
    """User, entrypoint, folder, labels and time are as controllers have them."""
    for document in configs(made(tmp_path)):
        assert document["created"] == "2026-08-13T23:46:38Z"
        assert document["config"] == {
            "User": "1000",
            "Entrypoint": ["/bin/controller"],
            "WorkingDir": "/",
            "Labels": {
                BASE_NAME: str(HOME),
                CREATED: "2026-08-13T23:46:38Z",
                REVISION: REVISION_OF,
                SOURCE: URL,
                VERSION: "v1.2.3",
            },
        }


def test_a_config_keeps_what_its_base_sets_but_not_its_command() -> None:
    """Environment, labels and the like come from the base; its user, command and entrypoint do not."""
    settings = {
        "Env": ["PATH=/usr/bin"],
        "Labels": {"maintainer": "someone", SOURCE: "https://elsewhere", BASE_NAME: "debian"},
        "StopSignal": "SIGINT",
        "Cmd": ["sh"],
        "Entrypoint": ["init"],
        "User": "0",
        "WorkingDir": "/root",
        "Image": "sha256:x",
        "Volumes": None,
    }
    found = only_config({"config": settings})["config"]
    assert found.pop("Labels") == {
        "maintainer": "someone",
        BASE_NAME: str(HOME),
        CREATED: "2026-08-13T23:46:38Z",
        REVISION: REVISION_OF,
        SOURCE: URL,
        VERSION: "v1.2.3",
    }
    assert found == {
        "Env": ["PATH=/usr/bin"],
        "StopSignal": "SIGINT",
        "User": "1000",
        "Entrypoint": ["/bin/controller"],
        "WorkingDir": "/",
    }


def test_a_base_without_a_name_gives_none() -> None:
    """On a base from a folder, what that base says of its own base is dropped, not passed on as ours."""
    labels = only_config({"config": {"Labels": {BASE_NAME: "debian", BASE_DIGEST: ROOT}}}, name=None)["config"][
        "Labels"
    ]
    assert labels.keys().isdisjoint({BASE_NAME, BASE_DIGEST})


@pytest.mark.parametrize(
    ("history", "first"),
    [
        ([{"created_by": "base"}], [{"created_by": "base"}]),
        (
            [{"created_by": "base"}, {"created_by": "ENV", "empty_layer": True}],
            [{"created_by": "base"}, {"created_by": "ENV", "empty_layer": True}],
        ),
        ([], [{"comment": "layer of the base image"}]),
        ([{"created_by": "a"}, {"created_by": "b"}], [{"comment": "layer of the base image"}]),
    ],
    ids=["fits", "with-empty", "none", "too-long"],
)
def test_history_has_an_entry_for_each_layer(history: list[Any], first: list[Any]) -> None:
    """The base's history is kept where it fits its layers, else filled in; ours follows."""
    document = only_config({"history": history})
    assert document["history"] == [
        *first,
        {"created": "2026-08-13T23:46:38Z", "created_by": "ack-release: add /bin/controller"},
    ]
    filled = [entry for entry in document["history"] if not entry.get("empty_layer")]
    assert len(filled) == len(document["rootfs"]["diff_ids"])


def test_the_same_request_gives_the_same_image_anywhere(tmp_path: Path) -> None:
    """The folder, the time zone of the time and the order of the inputs do not show in the digest."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    request = request_for(elsewhere)
    moved = replace(request, created=request.created.astimezone(UTC))
    other = image_artifact(moved, layers_in(elsewhere), dict(reversed(INPUTS.items())))
    assert other.root.digest == made(tmp_path).root.digest


@pytest.mark.parametrize(
    ("base", "wanted"),
    [
        (Base(f"{HOME}@{ROOT}", f"{HOME}:1", ROOT, {}), {"base": ROOT, "base_name": f"{HOME}:1"}),
        (Base(f"oci:/a/folder@{ROOT}", None, ROOT, {}), {"base": ROOT}),
        (Base("scratch", None, None, {}), {"base": "scratch"}),
    ],
    ids=["registry", "folder", "scratch"],
)
def test_a_base_is_an_input_by_its_digest(base: Base, wanted: dict[str, str]) -> None:
    """What counts is the base's content and name; where a folder lies does not."""
    assert base_inputs(base) == wanted
