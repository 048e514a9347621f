"""What a plan is made of: identities, artifacts with their names, entries, and what becomes of these."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.annotations import RELEASE_IMAGE
from runner.errors import AlreadyPublished
from runner.oci.manifest import OCI_INDEX, OCI_MANIFEST, REVISION, SOURCE, Manifest
from runner.oci.name import Name
from runner.published.observed import ABSENT, Published, PublishedChart, PublishedImage
from runner.run.plan.model import (
    HELD_BACK,
    Action,
    Attachment,
    DesiredArtifact,
    Entry,
    Identity,
    Kind,
    Plan,
    Publication,
    Target,
    for_folder,
    held_back,
)

HERE = Identity("a" * 40, "https://github.com/aws-controllers-k8s/s3-controller")
IMAGE = Name.parse("registry.example/ack/controller:s3-v1.2.3")
CHART = Name.parse("registry.example/ack/chart:s3-v1.2.3")
ALIAS = Name.parse("registry.example/ack/s3-chart:1.2.3")
SIGNATURE = Attachment(IMAGE.repository, "sha256:" + "1" * 64, "application/vnd.example.signature")
DIGEST = "sha256:" + "2" * 64


def image(**stated: str) -> PublishedImage:
    return PublishedImage(Manifest.write(OCI_INDEX, {"annotations": stated}))


def chart(**stated: str) -> PublishedChart:
    return PublishedChart(Manifest.write(OCI_MANIFEST, {"annotations": stated}))


def annotated(identity: Identity = HERE) -> dict[str, str]:
    """The annotations of what this identity published."""
    stated = {REVISION: identity.revision, SOURCE: identity.source}
    if identity.image_repository is not None:
        stated[RELEASE_IMAGE] = f"{identity.image_repository}@{DIGEST}"
    return stated


# --- identity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (image(**annotated()), None),
        (image(), "published without a revision (by another tool), so it cannot be shown to be this commit"),
        (image(**{SOURCE: HERE.source}), "published without a revision"),
        (
            image(**annotated(replace(HERE, revision="b" * 40))),
            "published from commit bbbbbbbbbbbb, but this run is at",
        ),
        (
            image(**annotated(replace(HERE, source="https://github.com/fork/s3-controller"))),
            "published from https://github.com/fork/s3-controller, but this run is from https://github.com/aws-controllers",
        ),
        (image(**{REVISION: HERE.revision}), "published from an unnamed repository, but this run is from"),
    ],
    ids=["same", "nothing stated", "no revision", "other commit", "fork", "no source"],
)
def test_how_artifacts_differ(found: Published, says: str | None) -> None:
    """Commit and repository decide, and words say which of them differs; without a commit nothing is the same."""
    difference = HERE.differs_from(found)
    assert difference is None if says is None else (difference or "").startswith(says)


@pytest.mark.parametrize("found", [chart(), chart(**annotated()), chart(**annotated(replace(HERE, revision="b" * 40)))])
def test_files_decide_where_they_were_compared(found: PublishedChart) -> None:
    """Once a chart's files were compared, they alone decide."""
    assert HERE.differs_from(found, same_files=True) is None
    assert HERE.differs_from(found, same_files=False) == (
        "published without a revision, and its files are not this commit's"
    )


def test_chart_of_another_image() -> None:
    """A chart of this very commit that deploys another repository's image is another chart; one without any is not."""
    ours = HERE.of_chart(IMAGE)
    theirs = replace(ours, image_repository="127.0.0.1:5000/staging/controller")
    assert ours == replace(HERE, image_repository="registry.example/ack/controller")
    assert ours.differs_from(chart(**annotated(ours))) is None
    assert ours.differs_from(chart(**annotated(HERE))) is None
    assert ours.differs_from(chart(**annotated(theirs))) == (
        "published for the image 127.0.0.1:5000/staging/controller, but this run is for registry.example/ack/controller"
    )
    assert HERE.differs_from(chart(**annotated(theirs))) is None, "nobody asks for an image"
    assert ours.differs_from(image(**annotated(theirs))) is None, "an image is of no other image"


identities = st.builds(
    Identity,
    st.sampled_from([HERE.revision, "b" * 40]),
    st.sampled_from([HERE.source, "https://github.com/fork/s3-controller"]),
    st.sampled_from(["registry.example/ack/controller", "127.0.0.1:5000/staging/controller"]),
)


@given(identities, identities)
def test_identity_of_what_it_published(one: Identity, other: Identity) -> None:
    """What an identity published is the same to an equal one and to no other."""
    assert (one.differs_from(chart(**annotated(other))) is None) is (one == other)


# --- artifacts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "found", "says"),
    [
        (Kind.IMAGE, chart(**annotated()), "published as a chart, but this run publishes the image there"),
        (Kind.CHART, image(**annotated()), "published as an image, but this run publishes the chart there"),
        (Kind.IMAGE, image(**annotated()), None),
        (Kind.CHART, chart(**annotated()), None),
    ],
)
def test_kind_of_an_artifact(kind: Kind, found: Published, says: str | None) -> None:
    """An image is no chart, nor the other way, even from the same commit; nothing makes up for that."""
    artifact = DesiredArtifact(kind, (IMAGE,), HERE)
    assert artifact.differs_from(found) == says
    assert artifact.differs_from(found, same_files=True) == says


@pytest.mark.parametrize("there", list(product([False, True], repeat=3)))
def test_what_is_published_of_an_artifact(there: tuple[bool, bool, bool]) -> None:
    """What the first name holds counts that holds anything, in the order of the names."""
    names = (CHART, ALIAS, IMAGE)
    found = [chart(number=str(number)) for number in range(3)]
    observed = {name: one if held else ABSENT for name, one, held in zip(names, found, there, strict=True)}
    first = DesiredArtifact(Kind.CHART, names, HERE).published(observed)
    assert first == next((one for one, held in zip(found, there, strict=True) if held), None)


# --- plans ------------------------------------------------------------------------------------------------------------

targets: st.SearchStrategy[Target] = st.sampled_from([IMAGE, CHART, ALIAS, SIGNATURE])
entries = st.builds(
    Entry,
    kind=st.sampled_from(Kind),
    target=targets,
    action=st.sampled_from(Action),
    reason=st.sampled_from(["one", "two"]),
    digest=st.sampled_from([None, DIGEST]),
    copy_of=st.sampled_from([None, ALIAS]),
    restores=st.booleans(),
)
plans = st.builds(
    Plan,
    service=st.just("s3"),
    entries=st.lists(entries, max_size=6).map(tuple),
    warnings=st.just(("look",)),
    notes=st.just(("worth knowing",)),
    error=st.sampled_from([None, AlreadyPublished("x")]),
)


@given(plans)
def test_names_to_publish(plan: Plan) -> None:
    """Names of a kind that are to be written keep their order and their source; an attachment is no name."""
    for kind in Kind:
        assert plan.to_publish(kind) == tuple(
            Publication(entry.target, entry.copy_of, entry.restores)
            for entry in plan.entries
            if (entry.kind, entry.action) == (kind, Action.PUBLISH) and entry.target in (IMAGE, CHART, ALIAS)
        )


@pytest.mark.parametrize("target", [IMAGE, SIGNATURE])
@pytest.mark.parametrize("action", Action)
def test_whether_a_plan_publishes(target: Target, action: Action) -> None:
    """A plan publishes when any entry does, be it of an attachment."""
    skipped = Entry(Kind.IMAGE, CHART, Action.SKIP, "")
    assert Plan("s3", (skipped, Entry(Kind.IMAGE, target, action, ""))).publishes is (action is Action.PUBLISH)
    assert not Plan("s3", ()).publishes


@given(plans, st.dictionaries(st.sampled_from(Kind), st.just("sha256:" + "3" * 64)))
def test_digests_of_what_was_published(plan: Plan, digests: dict[Kind, str]) -> None:
    """What was published has the digest that was known before, else that of its kind, or none; nothing else changes."""
    after = plan.with_digests(digests)
    for entry, before in zip(after.entries, plan.entries, strict=True):
        published = before.action is Action.PUBLISH and before.digest is None
        assert entry == (replace(before, digest=digests.get(before.kind)) if published else before)
    assert replace(after, entries=()) == replace(plan, entries=())


@given(plans)
def test_plan_for_a_folder(plan: Plan) -> None:
    """Of what goes into a folder it is not said that the registry was asked; nothing else changes."""
    after = for_folder(plan)
    for entry, before in zip(after.entries, plan.entries, strict=True):
        if before.action is Action.PUBLISH:
            assert entry.reason == "goes into the layout folder; the registry was not read"
            before = replace(before, reason=entry.reason)  # noqa: PLW2901 - what may differ is made equal
        assert entry == before
    assert replace(after, entries=()) == replace(plan, entries=())


@given(plans)
def test_what_is_held_back(plan: Plan) -> None:
    """What would be published is skipped, without a digest, since it holds none; all else stays, in its order."""
    after = held_back(plan.entries)
    for entry, before in zip(after, plan.entries, strict=True):
        held = replace(before, action=Action.SKIP, reason=HELD_BACK, digest=None, restores=False)
        assert entry == (held if before.action is Action.PUBLISH else before)


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        (DIGEST, f"application/vnd.example.signature of registry.example/ack/controller@{DIGEST}"),
        (None, "application/vnd.example.signature of registry.example/ack/controller@the digest that the build gives"),
    ],
)
def test_attachment_in_words(subject: str | None, says: str) -> None:
    """An attachment says what it is and of which digest, or that the build will tell."""
    assert str(replace(SIGNATURE, subject=subject)) == says
