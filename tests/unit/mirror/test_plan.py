from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.mirror.plan import Held, plan_mirror
from runner.mirror.release import Part
from runner.oci.artifact import Artifact
from runner.oci.manifest import OCI_CONFIG, OCI_MANIFEST, Descriptor, Manifest, digest_of
from runner.oci.name import Name
from runner.published.observed import ABSENT, PublishedChart, PublishedImage
from runner.run.plan.model import Action, Attachment, Kind

if TYPE_CHECKING:
    from runner.published.observed import Observation

IMAGE = Name.parse("mirror.example/ack/s3-controller:1.2.3")
ALIAS = Name.parse("mirror.example/ack/controller:s3-v1.2.3")
CHART = Name.parse("mirror.example/ack/s3-chart:1.2.3")
STABLE = Name.parse("mirror.example/ack/s3-chart:v1-stable")
NAMES = (IMAGE, ALIAS, CHART, STABLE)


def manifest(text: str, subject: Manifest | None = None) -> Manifest:
    config = Descriptor(OCI_CONFIG, digest_of(text.encode()), len(text))
    document = {"schemaVersion": 2, "config": config.document(), "layers": []}
    return Manifest.write(OCI_MANIFEST, document | ({"subject": subject.descriptor().document()} if subject else {}))


OURS, OTHER = manifest("ours"), manifest("other")
SIGNATURE = Artifact(manifest("signature", OURS), (), ())
ARTIFACT = Artifact(OURS, (), ())
PARTS = (
    (Part(Kind.IMAGE, (IMAGE, ALIAS), ARTIFACT, (SIGNATURE,)), (IMAGE, ALIAS)),
    (Part(Kind.CHART, (CHART,), ARTIFACT), (CHART,)),
    (Part(Kind.CHART, (STABLE,), ARTIFACT, where_other=Action.PUBLISH), (STABLE,)),
)


def observed(name: Name, found: Manifest | None) -> Observation:
    if found is None:
        return ABSENT
    return PublishedImage(found) if name in {IMAGE, ALIAS} else PublishedChart(found)


def held(*found: Manifest | None, attached: bool = False) -> Held:
    """What the place holds under NAMES, and whether the signature is attached in both of the image's repositories."""
    listed = frozenset({SIGNATURE.root.digest}) if attached else frozenset()
    return Held(
        {name: observed(name, one) for name, one in zip(NAMES, found, strict=True)},
        {(name.repository, OURS.digest): listed for name in (IMAGE, ALIAS)},
    )


def test_an_empty_place() -> None:
    """Everything is written: attachments in each repository before the names, the image before the chart."""
    plan = plan_mirror("s3", PARTS, held(None, None, None, None))
    assert [entry.action for entry in plan.entries] == [Action.PUBLISH] * 6
    first, second, *names = [entry.target for entry in plan.entries]
    assert isinstance(first, Attachment)
    assert isinstance(second, Attachment)
    assert {first.repository, second.repository} == {IMAGE.repository, ALIAS.repository}
    assert names == list(NAMES)
    assert plan.error is None


def test_a_place_that_has_all() -> None:
    """A copy that is there is skipped whole, and the plan publishes nothing."""
    plan = plan_mirror("s3", PARTS, held(OURS, OURS, OURS, OURS, attached=True))
    assert {entry.action for entry in plan.entries} == {Action.SKIP}
    assert not plan.publishes


def test_an_attachment_that_is_missing() -> None:
    """A copy whose attachments are missing gets these, and its names are skipped."""
    plan = plan_mirror("s3", PARTS, held(OURS, OURS, OURS, OURS))
    assert [entry.action for entry in plan.entries] == [Action.PUBLISH] * 2 + [Action.SKIP] * 4


def test_stable_moves() -> None:
    """Stable may hold something else and then moves; the reason says from what."""
    *_, entry = plan_mirror("s3", PARTS, held(OURS, OURS, OURS, OTHER, attached=True)).entries
    assert (entry.action, entry.digest) == (Action.PUBLISH, OURS.digest)
    assert OTHER.digest in entry.reason


def test_what_somebody_attached_there() -> None:
    """What is attached to the copy by a tag of its digest stays, and is no reason to refuse the copy."""
    part = Part(Kind.IMAGE, (IMAGE,), ARTIFACT, where_other=Action.SKIP)
    plan = plan_mirror("s3", [(part, (IMAGE,))], Held({IMAGE: observed(IMAGE, OTHER)}, {}))
    [entry] = plan.entries
    assert (entry.action, entry.digest, plan.error) == (Action.SKIP, OTHER.digest, None)
    assert OTHER.digest in entry.reason


@pytest.mark.parametrize("place", range(3))
def test_a_name_that_differs(place: int) -> None:
    """A name of the release that holds something else refuses the copy whole, naming both digests."""
    found = [None if number != place else OTHER for number in range(3)]
    plan = plan_mirror("s3", PARTS, held(*found, None))
    assert {entry.action for entry in plan.entries} == {Action.SKIP, Action.REFUSE}
    assert plan.error is not None
    assert str(NAMES[place]) in plan.error.cause
    assert OTHER.digest in plan.error.cause
    assert OURS.digest in plan.error.cause
    assert not plan.publishes


@given(found=st.lists(st.sampled_from([None, OURS, OTHER]), min_size=4, max_size=4), attached=st.booleans())
def test_any_place(found: list[Manifest | None], *, attached: bool) -> None:
    """Whatever is there: a release's name is never written over, and what is not refused ends up as the release."""
    plan = plan_mirror("s3", PARTS, held(*found, attached=attached))
    differs = OTHER in found[:3]
    assert (plan.error is not None) == differs
    by_target = {entry.target: entry for entry in plan.entries}
    for name, one in zip(NAMES, found, strict=True):
        entry = by_target[name]
        if entry.action is Action.PUBLISH:
            assert not differs
            assert one is None or name == STABLE
            assert entry.digest == OURS.digest
        elif not differs:
            assert one is OURS
