from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import RegistryAnswerWrong, RegistryFailed, RunEnded, TagChanged, UsageInvalid
from runner.oci.artifact import Artifact, Blob, RemoteSource
from runner.oci.layout import blob_path
from runner.oci.manifest import OCI_LAYER, REF_NAME, digest_of
from runner.oci.name import Name
from runner.published.observed import ABSENT, Observation, PublishedImage, unanswered
from runner.run.publish import READ_BACK_SECONDS, FolderDestination, RegistryDestination, published_artifact
from runner.runtime.lifetime import Lifetime
from testbed.base_images import BOTH, assemble, base_layout, push, write_blob
from testbed.memory.calls import Call, raising
from testbed.memory.registry import NO_ANSWER, MemoryRegistry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = Name.parse("registry.example/ns/controller:s3-v1.2.3")
TOO = Name.parse("registry.example/ns/controller:1.2.3")
OTHER = Name.parse("registry.example/ns/s3-controller:1.2.3")
TAG = f":{NAME.tag}"


class Waited(Lifetime):
    """A run in which waiting takes no time: it is noted, and a clock of its own goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, seconds: float) -> None:
        """Note a pause."""
        self.pauses.append(seconds)

    def now(self) -> float:
        """The time that was waited, in seconds."""
        return sum(self.pauses)


class Run:
    """A destination in one registry, and all that it does and tells."""

    def __init__(self, registry: MemoryRegistry | None = None) -> None:
        self.registry = registry or MemoryRegistry()
        self.lifetime = Waited()
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.written: list[Name] = []
        self.destination = RegistryDestination(
            self.registry,
            self.lifetime,
            lambda event, **values: self.told.append((event, values)),
            written=self.written.append,
            clock=self.lifetime.now,
        )

    def publish(self, artifact: Artifact, *names: Name, before: Observation = ABSENT) -> None:
        """Publish under these names, each of which held ``before`` when planning."""
        self.destination.publish(artifact, [(name, before) for name in names or (NAME,)])

    def holds(self, name: Name = NAME) -> str | None:
        """The digest under a name, as somebody else sees it."""
        manifest = self.registry.another().manifest(name.repository, name.tag)
        return None if manifest is None else manifest.digest

    def somebody_writes(self, artifact: Artifact, name: Name = NAME) -> Callable[[], None]:
        """What lets another run write this under a name."""
        return lambda: push(self.registry.another(), name.repository, name.tag, artifact)


def at(name: Name, digest: str) -> str:
    return f"{name.repository}@{digest}"


def artifact_in(folder: Path, text: str) -> Artifact:
    return base_layout(folder / text, top={"author": text})


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return artifact_in(tmp_path_factory.mktemp("image"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return artifact_in(tmp_path_factory.mktemp("image"), "theirs")


# --- what is written, and in which order ------------------------------------------------------------------------------


def test_order_of_writes(ours: Artifact) -> None:
    """Blobs, children, root by digest, read back, the tag read, written, read back: in this order, each once."""
    run = Run()
    run.publish(ours)
    blobs, manifests = run.registry.calls.made[: len(ours.blobs)], run.registry.calls.made[len(ours.blobs) :]
    assert sorted(blobs) == sorted(Call("send_blob", at(NAME, blob.descriptor.digest)) for blob in ours.blobs)
    assert manifests == [
        *(Call("put_manifest", at(NAME, manifest.digest)) for manifest in (*ours.children, ours.root)),
        Call("manifest", at(NAME, ours.root.digest)),
        Call("manifest", str(NAME)),
        Call("put_manifest", str(NAME)),
        Call("manifest", str(NAME)),
    ]
    assert run.holds() == ours.root.digest


def test_content_before_the_first_tag(ours: Artifact) -> None:
    """Each repository holds the whole artifact, sent once, before the first name is written; names keep their order."""
    run = Run()
    run.publish(ours, NAME, OTHER, TOO)
    written = run.registry.writes
    assert [call.about for call in written[-3:]] == [str(NAME), str(OTHER), str(TOO)]
    content = [at(name, digest) for name in (NAME, OTHER) for digest in digests(ours)]
    assert sorted(call.about for call in written[:-3]) == sorted(content)
    assert run.written == [NAME, OTHER, TOO]


def digests(artifact: Artifact) -> set[str]:
    manifests = {manifest.digest for manifest in (artifact.root, *artifact.children)}
    return manifests | {blob.descriptor.digest for blob in artifact.blobs}


def test_blob_that_stands_twice(ours: Artifact) -> None:
    """A blob that several platforms share is sent once."""
    run = Run()
    run.publish(Artifact(ours.root, ours.children, (*ours.blobs, *ours.blobs)))
    assert [call.method for call in run.registry.calls.made].count("send_blob") == len(ours.blobs)


def test_what_is_told(ours: Artifact) -> None:
    """Once the content is there it is reported how much was sent and how, then each name with its digest."""
    run = Run()
    run.somebody_writes(ours, OTHER)()
    first = ours.blobs[0]
    run.registry.send_blob(NAME.repository, first)
    mounted = Blob(ours.blobs[1].descriptor, RemoteSource(OTHER.repository))
    run.publish(Artifact(ours.root, ours.children, (first, mounted, *ours.blobs[2:])))
    assert run.told == [
        (
            "content sent",
            {
                "repository": "registry.example/ns/controller",
                "digest": ours.root.digest,
                "bytes": sum(blob.descriptor.size for blob in ours.blobs),
                "seconds": 0.0,
                "blobs_exists": 1,
                "blobs_mounted": 1,
                "blobs_uploaded": 2,
            },
        ),
        ("tag written", {"name": str(NAME), "digest": ours.root.digest}),
    ]


def test_name_that_holds_it_by_now(ours: Artifact, theirs: Artifact) -> None:
    """A name that an identical run wrote meanwhile is reported, not written, and is not verified by this run."""
    run = Run()
    run.registry.calls.intervene("manifest", run.somebody_writes(ours), about=TAG)
    run.publish(ours)
    assert run.told[-1] == ("tag already there", {"name": str(NAME), "digest": ours.root.digest})
    assert Call("put_manifest", str(NAME)) not in run.registry.writes
    assert run.written == []
    run.somebody_writes(theirs)()
    run.destination.finish()


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("survived", range(9))
def test_failure_anywhere(ours: Artifact, survived: int) -> None:
    """Whichever write fails, no name holds a part; a second run completes it and sends no blob again."""
    first = Run()
    for method in ("send_blob", "put_manifest"):
        first.registry.calls.intervene(method, lambda: _fail_after(first.registry, survived), times=None)
    with pytest.raises(RegistryFailed):
        first.publish(ours, NAME, TOO)
    for name in (NAME, TOO):
        assert first.holds(name) in {None, ours.root.digest}
        if first.holds(name):
            assert unanswered(name, ours.root, first.registry.another()) == ()
    second = Run(first.registry.another())
    second.publish(ours, NAME, TOO)
    assert {second.holds(NAME), second.holds(TOO)} == {ours.root.digest}
    blobs = [call for call in (*first.registry.writes, *second.registry.writes) if call.method == "send_blob"]
    assert len(blobs) == len(ours.blobs)


def _fail_after(registry: MemoryRegistry, survived: int) -> None:
    if len(registry.writes) >= survived:
        raise RegistryFailed("made by the test")


def test_blob_that_cannot_be_sent(ours: Artifact) -> None:
    """While a blob is missing no manifest is written."""
    run = Run()
    run.registry.calls.intervene("send_blob", raising(RegistryFailed("x")), about=ours.blobs[-1].descriptor.digest)
    with pytest.raises(RegistryFailed):
        run.publish(ours)
    assert {call.method for call in run.registry.writes} == {"send_blob"}


def test_root_that_does_not_answer(ours: Artifact) -> None:
    """Content that was sent but cannot be read back by digest gets no name."""
    run = Run()
    run.registry.calls.intervene("manifest", lambda: None, when="instead", about=ours.root.digest)
    with pytest.raises(RegistryAnswerWrong, match=f"{at(NAME, ours.root.digest)} was sent but cannot be read back"):
        run.publish(ours)
    assert run.holds() is None


def test_end_while_blobs_are_sent(ours: Artifact) -> None:
    """A run that is ended while blobs are sent writes no manifest."""
    run = Run()
    run.registry.calls.intervene("send_blob", lambda: run.lifetime.end("SIGTERM"))
    with pytest.raises(RunEnded, match="SIGTERM"):
        run.publish(ours)
    assert {call.method for call in run.registry.writes} == {"send_blob"}


def test_end_before_the_tag(ours: Artifact) -> None:
    """A run that is ended once its content is there writes no tag."""
    run = Run()
    run.registry.calls.intervene("manifest", lambda: run.lifetime.end("SIGTERM"), about=TAG)
    with pytest.raises(RunEnded, match="SIGTERM"):
        run.publish(ours)
    assert run.registry.writes[-1] == Call("put_manifest", at(NAME, ours.root.digest))
    assert run.holds() is None


# --- other writers ----------------------------------------------------------------------------------------------------


def test_written_by_somebody_before(ours: Artifact, theirs: Artifact) -> None:
    """What somebody wrote after this run planned is not written over, and both digests are named."""
    run = Run()
    run.registry.calls.intervene("manifest", run.somebody_writes(theirs), about=TAG)
    with pytest.raises(TagChanged, match=f"held nothing when this run planned, but now holds {theirs.root.digest}"):
        run.publish(ours)
    assert run.holds() == theirs.root.digest
    assert Call("put_manifest", str(NAME)) not in run.registry.writes


def test_written_by_somebody_directly_after(ours: Artifact, theirs: Artifact) -> None:
    """What somebody wrote over this run's tag is noticed at the read-back, and the name is not reported as written."""
    run = Run()
    run.registry.calls.intervene("manifest", run.somebody_writes(theirs), about=TAG, skip=1)
    with pytest.raises(TagChanged, match=f"{ours.root.digest} and holds {theirs.root.digest} directly after"):
        run.publish(ours)
    assert run.written == []
    assert run.lifetime.pauses == []


def test_written_by_somebody_at_the_end(ours: Artifact, theirs: Artifact) -> None:
    """At the end every name of this run is read once more, in the order in which it was written."""
    run = Run()
    run.publish(ours, OTHER, NAME)
    run.registry.calls.made.clear()
    run.destination.finish()
    assert run.registry.calls.made == [Call("manifest", str(OTHER)), Call("manifest", str(NAME))]
    run.somebody_writes(theirs)()
    with pytest.raises(
        TagChanged, match=f"{NAME} was written as .* but holds {theirs.root.digest} at the end of the run"
    ):
        run.destination.finish()


def test_name_that_is_gone_at_the_end(ours: Artifact) -> None:
    """A name that somebody removed is a conflict, too."""
    run = Run()
    run.publish(ours)
    run.registry.calls.intervene("manifest", lambda: None, when="instead", about=TAG)
    with pytest.raises(TagChanged, match="holds nothing at the end"):
        run.destination.finish()


def test_moving_name(ours: Artifact, theirs: Artifact) -> None:
    """A moving name is written over exactly what was observed under it, also when its write must be repeated."""
    run = Run()
    run.somebody_writes(theirs)()
    run.registry.calls.intervene("put_manifest", raising(NO_ANSWER), about=TAG)
    run.publish(ours, before=PublishedImage(theirs.root))
    assert run.holds() == ours.root.digest
    assert run.written == [NAME]


@pytest.mark.parametrize("now", ["nothing", "another"])
def test_moving_name_that_moved(ours: Artifact, theirs: Artifact, tmp_path: Path, now: str) -> None:
    """A moving name that holds something else than was observed, or nothing any more, is left alone."""
    run = Run()
    if now == "another":
        run.somebody_writes(artifact_in(tmp_path, "third"))()
    with pytest.raises(
        TagChanged, match=f"held {theirs.root.digest} when this run planned, but now holds (nothing|sha256)"
    ):
        run.publish(ours, before=PublishedImage(theirs.root))
    assert Call("put_manifest", str(NAME)) not in run.registry.writes


# --- registries that lag ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "meanwhile"), [("nothing", "nothing"), ("theirs", "theirs"), ("theirs", "nothing")])
def test_tag_that_lags(ours: Artifact, theirs: Artifact, before: str, meanwhile: str) -> None:
    """A tag that answers as before its write, or not at all, is read again after pauses that grow to five seconds."""
    run, held = Run(), {"nothing": None, "theirs": theirs.root}
    if before == "theirs":
        run.somebody_writes(theirs)()
    run.registry.calls.intervene("manifest", lambda: held[meanwhile], when="instead", about=TAG, skip=1, times=8)
    run.publish(ours, before=ABSENT if before == "nothing" else PublishedImage(theirs.root))
    assert run.lifetime.pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert run.written == [NAME]


def test_tag_that_never_answers(ours: Artifact) -> None:
    """A tag that does not answer within the time allowed is a wrong answer of the registry, not a conflict."""
    run = Run()
    run.registry.calls.intervene("manifest", lambda: None, when="instead", about=TAG, skip=1, times=None)
    with pytest.raises(RegistryAnswerWrong, match="but still returns nothing after 60 s"):
        run.publish(ours)
    assert READ_BACK_SECONDS <= run.lifetime.now() < READ_BACK_SECONDS + 5
    assert run.written == []


# --- what may go out --------------------------------------------------------------------------------------------------


def test_image_that_answers(ours: Artifact) -> None:
    """Of an image that is published nothing is missing; before, its index and each of its children are."""
    run = Run()
    everything = tuple(at(NAME, one.digest) for one in (ours.root, *ours.children))
    assert run.destination.missing(NAME, ours.root) == everything
    run.publish(ours)
    assert run.destination.missing(NAME, ours.root) == ()
    run.registry.calls.intervene("manifest", lambda: None, when="instead", about=ours.children[1].digest)
    assert run.destination.missing(NAME, ours.root) == everything[2:]


# --- published artifacts ----------------------------------------------------------------------------------------------


def test_published_artifact_is_the_same(ours: Artifact) -> None:
    """What is published is described with every manifest and every blob, all in its repository."""
    run = Run()
    run.publish(ours)
    found = published_artifact(NAME, PublishedImage(ours.root), run.registry)
    assert (found.root, found.children) == (ours.root, ours.children)
    assert {blob.descriptor.digest for blob in found.blobs} == {blob.descriptor.digest for blob in ours.blobs}
    assert len(found.blobs) == len(ours.blobs)
    assert {blob.source for blob in found.blobs} == {RemoteSource(NAME.repository)}


def test_published_artifact_that_shares(tmp_path: Path) -> None:
    """A blob that several platforms share stands once in what is published."""
    layer = write_blob(tmp_path, OCI_LAYER, b"shared")
    image = assemble(tmp_path, [(platform, platform.document(), layer) for platform in BOTH])
    run = Run()
    run.publish(image)
    found = published_artifact(NAME, PublishedImage(image.root), run.registry)
    assert [blob.descriptor.digest for blob in found.blobs].count(layer.descriptor.digest) == 1
    assert len(found.blobs) == 3


def test_published_artifact_without_index(ours: Artifact) -> None:
    """A plain manifest has no children, and its own config and layers."""
    found = published_artifact(NAME, PublishedImage(ours.children[0]), MemoryRegistry())
    assert (found.root, found.children) == (ours.children[0], ())
    assert [blob.descriptor for blob in found.blobs] == list(ours.children[0].blobs)


def test_published_artifact_is_copied(ours: Artifact) -> None:
    """Published again under another name, its blobs are mounted and every digest stays."""
    run = Run()
    run.publish(ours)
    run.publish(published_artifact(NAME, PublishedImage(ours.root), run.registry), OTHER)
    assert run.holds(OTHER) == ours.root.digest
    assert run.told[2][1]["blobs_mounted"] == len(ours.blobs)


def test_published_artifact_that_is_not_whole(ours: Artifact) -> None:
    """An index of which a child is gone cannot be copied, and the child is named."""
    run = Run()
    run.publish(ours)
    gone = ours.children[1].digest
    run.registry.calls.intervene("manifest", lambda: None, when="instead", about=gone)
    with pytest.raises(RegistryAnswerWrong, match=f"{at(NAME, gone)} is listed by a published index"):
        published_artifact(NAME, PublishedImage(ours.root), run.registry)


# --- folders ----------------------------------------------------------------------------------------------------------


def test_folder_is_written_at_the_end(ours: Artifact, theirs: Artifact, tmp_path: Path) -> None:
    """A folder has one entry for each name, sorted, in whatever order published; names are reported once it is done."""
    registry, told = MemoryRegistry(), list[Name]()
    folder = FolderDestination(tmp_path / "out", registry, written=told.append)
    folder.publish(ours, [(OTHER, ABSENT), (NAME, ABSENT)])
    folder.publish(theirs, [(TOO, ABSENT)])
    assert (folder.missing(NAME, ours.root), told, (tmp_path / "out").exists()) == ((), [], False)
    folder.finish()
    listed = json.loads((tmp_path / "out" / "index.json").read_bytes())["manifests"]
    assert [(one["annotations"][REF_NAME], one["digest"]) for one in listed] == [
        (str(TOO), theirs.root.digest),
        (str(NAME), ours.root.digest),
        (str(OTHER), ours.root.digest),
    ]
    assert told == [OTHER, NAME, TOO]
    assert registry.calls.made == []


def test_folder_fetches_what_is_remote(ours: Artifact, tmp_path: Path) -> None:
    """Blobs that are only in a registry are in the folder afterwards."""
    registry = MemoryRegistry()
    push(registry.another(), NAME.repository, NAME.tag, ours)
    folder = FolderDestination(tmp_path, registry)
    folder.publish(published_artifact(NAME, PublishedImage(ours.root), registry.another()), [(NAME, ABSENT)])
    folder.finish()
    assert all(digest_of(blob_path(tmp_path, digest).read_bytes()) == digest for digest in digests(ours))
    assert {call.method for call in registry.calls.made} == {"download_blob"}


def test_folder_of_nothing(tmp_path: Path) -> None:
    """When nothing was built no folder is made."""
    FolderDestination(tmp_path / "out", MemoryRegistry()).finish()
    assert not (tmp_path / "out").exists()


def test_folder_that_cannot_be_written(ours: Artifact, tmp_path: Path) -> None:
    """A file in the folder's place is a wrong option, with the system's reason, and no name is reported as written."""
    (tmp_path / "out").write_text("")
    told: list[Name] = []
    folder = FolderDestination(tmp_path / "out", MemoryRegistry(), written=told.append)
    folder.publish(ours, [(NAME, ABSENT)])
    with pytest.raises(UsageInvalid, match=r"--to-layout: .*/out cannot be written: (Not a directory|File exists)"):
        folder.finish()
    assert told == []
