from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.errors import NotVisibleYet, RegistryAnswerWrong, RegistryFailed, RunEnded, TagChanged
from runner.oci.artifact import Artifact, Blob, RemoteSource
from runner.oci.messages import Wait
from runner.oci.patience import BUDGETS
from runner.oci.referrers import Referrers
from runner.published.observed import ABSENT, PublishedImage, unanswered
from testbed.attachments import attached_to
from testbed.memory.calls import Call, raising
from testbed.memory.registry import NO_ANSWER, MemoryRegistry

if TYPE_CHECKING:
    from pathlib import Path

from tests.support.publishing import NAME, OTHER, TAG, TOO, Run, artifact_in, at, digests

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
    assert [*run.written.items()] == [(name, ours.root.digest) for name in (NAME, OTHER, TOO)]


def test_attachments_before_the_tag(ours: Artifact, tmp_path: Path) -> None:
    """What is attached is sent to each repository and found there before the first name is written."""
    run = Run()
    index_signature = attached_to(tmp_path / "index", ours.root)
    child_signature = attached_to(tmp_path / "child", ours.children[0], "a child")
    attached = (index_signature, child_signature, attached_to(tmp_path / "on", index_signature.root, "countersigned"))
    run.destination.publish(ours, [(NAME, ABSENT), (OTHER, ABSENT)], attached=attached)
    assert [call.about for call in run.registry.writes[-2:]] == [str(NAME), str(OTHER)]
    for name in (NAME, OTHER):
        for one in attached:
            found = Referrers(run.registry).of(name.repository, one.root.subject or "")
            assert [entry.digest for entry in found] == [one.root.digest]


def test_attachments_are_not_sent_again(ours: Artifact, tmp_path: Path) -> None:
    """A second run writes nothing of an attachment that is there."""
    attached = attached_to(tmp_path / "index", ours.root)
    first = Run(MemoryRegistry(lists_referrers=False))
    first.destination.publish(ours, [(NAME, ABSENT)], attached=[attached])
    second = Run(first.registry.another())
    second.destination.publish(ours, [(NAME, ABSENT)], attached=[attached])
    assert [call for call in second.registry.writes if call.method == "send_blob"] == []
    assert all("@" in call.about for call in second.registry.writes)


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
    assert run.written == {}
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
    """What somebody wrote over this run's tag is noticed at the read-back, and the name no longer counts as written."""
    run = Run()
    run.registry.calls.intervene("manifest", run.somebody_writes(theirs), about=TAG, skip=1)
    with pytest.raises(TagChanged, match=f"{ours.root.digest} and holds {theirs.root.digest} directly after"):
        run.publish(ours)
    assert run.written == {NAME: None}
    assert run.registry.lifetime.pauses == []


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
    """A name that somebody removed is a conflict, too, once it is clear that the registry does not merely lag."""
    run = Run()
    run.publish(ours)
    run.registry.calls.intervene("manifest", lambda: None, when="instead", about=TAG, times=None)
    with pytest.raises(TagChanged, match="holds nothing at the end"):
        run.destination.finish()


@pytest.mark.parametrize("shown", ["nothing", "theirs"])
def test_name_that_lags_at_the_end(ours: Artifact, theirs: Artifact, shown: str) -> None:
    """A read at the end that shows the name as it was before this run is repeated before it counts."""
    run, held = Run(), {"nothing": None, "theirs": theirs.root}
    run.somebody_writes(theirs)()
    run.publish(ours, before=PublishedImage(theirs.root))
    run.registry.calls.intervene("manifest", lambda: held[shown], when="instead", about=TAG, times=3)
    run.destination.finish()


def test_moving_name(ours: Artifact, theirs: Artifact) -> None:
    """A moving name is written over exactly what was observed under it, also when its write must be repeated."""
    run = Run()
    run.somebody_writes(theirs)()
    run.registry.calls.intervene("put_manifest", raising(NO_ANSWER), about=TAG)
    run.publish(ours, before=PublishedImage(theirs.root))
    assert run.holds() == ours.root.digest
    assert run.written == {NAME: ours.root.digest}


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
    """A tag that answers as before its write, or not at all, is read again after pauses that double."""
    run, held = Run(), {"nothing": None, "theirs": theirs.root}
    if before == "theirs":
        run.somebody_writes(theirs)()
    run.registry.calls.intervene("manifest", lambda: held[meanwhile], when="instead", about=TAG, skip=1, times=8)
    run.publish(ours, before=ABSENT if before == "nothing" else PublishedImage(theirs.root))
    assert run.registry.lifetime.pauses[:5] == [0.25, 0.5, 1.0, 2.0, 4.0]
    assert run.registry.lifetime.now() == 0.25 + 0.5 + 1 + 2 + 4 + 8 + 10 + 10
    assert run.written == {NAME: ours.root.digest}


def test_tag_that_never_answers(ours: Artifact) -> None:
    """A tag that does not show in the time for that is told as pushed and not yet visible; it counts as written."""
    run = Run()
    run.registry.calls.intervene("manifest", lambda: None, when="instead", about=TAG, skip=1, times=None)
    with pytest.raises(NotVisibleYet, match=f"pushed, but not yet visible after 300 s: written as {ours.root.digest}"):
        run.publish(ours)
    assert run.registry.lifetime.now() == BUDGETS[Wait.NOT_VISIBLE]
    assert run.written == {NAME: ours.root.digest}


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
