"""The plan of a release: every case a row, and properties over all of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.annotations import RELEASE_IMAGE, RELEASE_PLATFORMS
from runner.errors import AlreadyPublished
from runner.oci.manifest import OCI_INDEX, OCI_MANIFEST, REVISION, SOURCE, Manifest, Platform
from runner.oci.name import Name
from runner.published.former import Adoption
from runner.published.observed import ABSENT, Gone, Observation, Published, PublishedChart, PublishedImage
from runner.run.plan.model import Action, DesiredArtifact, Entry, Identity, Kind, Plan
from runner.run.plan.release import plan_release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THIS = Identity("a" * 40, "https://github.com/aws-controllers-k8s/s3-controller")
OTHER = Identity("b" * 40, THIS.source)
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
IMAGE = Name.parse("registry.example/ns/controller:s3-v1.2.3")
IMAGE_TOO = Name.parse("registry.example/ns/s3-controller:1.2.3")
CHART = Name.parse("registry.example/ns/chart:s3-v1.2.3")
CHART_TOO = Name.parse("registry.example/ns/s3-chart:1.2.3")
STAGED = Name.parse("127.0.0.1:5000/staging/controller:s3-v1.2.3")


def chart(identity: Identity | None = THIS, image: str | None = None) -> PublishedChart:
    """A published chart, released with an image of this digest; without ``identity`` as a tool without annotations."""
    stated = {REVISION: identity.revision, SOURCE: identity.source} if identity else {}
    if image is not None:
        stated[RELEASE_IMAGE] = f"registry.example/ns/controller@{image}"
    return PublishedChart(Manifest.write(OCI_MANIFEST, {"schemaVersion": 2, "annotations": stated}), "1.2.3")


def image(identity: Identity | None = THIS, platforms: str = "linux/amd64,linux/arm64") -> PublishedImage:
    """A published image; without ``identity`` as a tool without annotations publishes it."""
    stated = {REVISION: identity.revision, SOURCE: identity.source, RELEASE_PLATFORMS: platforms} if identity else {}
    return PublishedImage(Manifest.write(OCI_INDEX, {"schemaVersion": 2, "annotations": stated}), (AMD64, ARM64))


@dataclass(frozen=True)
class Case:
    """What is there, whether the charts without a revision hold the same files, and what is to happen in order."""

    observed: Mapping[Name, Observation]
    actions: Sequence[str]
    says: str = ""
    refused: bool = False
    same_files: Mapping[Name, bool] = field(default_factory=dict)
    adoptions: Mapping[Name, Adoption] = field(default_factory=dict)


TAKEN = Adoption((AMD64, ARM64), warnings=("a known flaw",))
HELD, C = image(), chart(image=image().digest)
PART = Gone("linux/arm64", "sha256:" + "5" * 64)
TORN, TORN_CHART = replace(HELD, gone=(PART,)), replace(C, gone=(Gone("the chart's archive", "sha256:66"), PART))
P, S, R = "publish", "skip", "refuse"

CASES = {
    "nothing is there": Case({}, (P, P, P, P), "not in the registry"),
    "everything is there": Case({IMAGE: HELD, IMAGE_TOO: HELD, CHART: C, CHART_TOO: C}, (S, S, S, S), "this commit"),
    "image without chart": Case({IMAGE: HELD, IMAGE_TOO: HELD}, (S, S, P, P)),
    "chart without image": Case({CHART: C, CHART_TOO: C}, (P, P, S, S), "its image is not"),
    "one image name is missing": Case(
        {IMAGE: HELD, CHART: C, CHART_TOO: C}, (S, P, S, S), f"will be copied from {IMAGE}"
    ),
    "the primary chart name is missing": Case(
        {IMAGE: HELD, IMAGE_TOO: HELD, CHART_TOO: C}, (S, S, P, S), f"will be copied from {CHART_TOO}"
    ),
    "image of another commit": Case(
        {IMAGE: image(OTHER)}, (R, S, S, S), "published from commit bbbbbbbbbbbb", refused=True
    ),
    "chart of another commit": Case(
        {IMAGE: HELD, IMAGE_TOO: HELD, CHART: chart(OTHER)},
        (S, S, R, S),
        "but this run is at commit aaaaaaaaaaaa",
        refused=True,
    ),
    "second name of another commit": Case(
        {IMAGE: HELD, IMAGE_TOO: image(OTHER)}, (S, R, S, S), str(IMAGE_TOO), refused=True
    ),
    "same commit of a fork": Case(
        {IMAGE: image(Identity(THIS.revision, "https://github.com/someone/s3-controller"))},
        (R, S, S, S),
        "someone/s3-controller",
        refused=True,
    ),
    "image of the former job": Case({IMAGE: image(None)}, (R, S, S, S), "without a revision", refused=True),
    "image of the former job that may be adopted": Case(
        {IMAGE: image(None), IMAGE_TOO: image(None)},
        (S, S, P, P),
        "its program was checked for linux/amd64, linux/arm64",
        adoptions={IMAGE: TAKEN, IMAGE_TOO: TAKEN},
    ),
    "further name of an adopted image": Case(
        {IMAGE: image(None)}, (S, P, P, P), f"will be copied from {IMAGE}", adoptions={IMAGE: TAKEN}
    ),
    "image of the former job that cannot be adopted": Case(
        {IMAGE: image(None)},
        (R, S, S, S),
        "cannot be adopted: its program for linux/arm64 is for amd64",
        refused=True,
        adoptions={IMAGE: Adoption(problem="its program for linux/arm64 is for amd64")},
    ),
    "image that an earlier run adopted": Case(
        {IMAGE: image(None), IMAGE_TOO: image(None), CHART: chart(image=image(None).digest)},
        (S, S, S, P),
        "adopted by an earlier run",
    ),
    "image of the former job, named by a chart of another commit": Case(
        {IMAGE: image(None), IMAGE_TOO: image(None), CHART: chart(OTHER, image=image(None).digest)},
        (R, R, R, S),
        "without a revision",
        refused=True,
    ),
    "another image of the former job than the one that was adopted": Case(
        {IMAGE: image(None), CHART: chart(image="sha256:" + "0" * 64)}, (R, S, S, S), "without a revision", refused=True
    ),
    "image of another commit that may be adopted": Case(
        {IMAGE: image(OTHER)}, (R, S, S, S), "published from commit", refused=True, adoptions={IMAGE: TAKEN}
    ),
    "chart of the former job with equal files": Case(
        {IMAGE: HELD, IMAGE_TOO: HELD, CHART: chart(None)}, (S, S, S, P), "equal files", same_files={CHART: True}
    ),
    "chart of the former job with other files": Case(
        {IMAGE: HELD, IMAGE_TOO: HELD, CHART: chart(None)},
        (S, S, R, S),
        "not this commit's",
        refused=True,
        same_files={CHART: False},
    ),
    "chart where an image belongs": Case({IMAGE: C}, (R, S, S, S), "published as a chart", refused=True),
    "image where a chart belongs": Case(
        {IMAGE: HELD, IMAGE_TOO: HELD, CHART: HELD}, (S, S, R, S), "published as an image", refused=True
    ),
    "part of the image gone": Case(
        {IMAGE: TORN, IMAGE_TOO: TORN, CHART: C, CHART_TOO: C},
        (P, P, S, S),
        f"already published from this commit, but {PART} of it is gone: will be built again, and restored if",
    ),
    "part of the image gone under one of its names": Case(
        {IMAGE: TORN, IMAGE_TOO: HELD, CHART: C, CHART_TOO: C}, (P, S, S, S), f"gone: will be copied from {IMAGE_TOO}"
    ),
    "part of the image gone, and a name absent": Case(
        {IMAGE: TORN, CHART: C, CHART_TOO: C}, (P, P, S, S), "not in the registry"
    ),
    "part of the image gone, and another digest whole": Case(
        {IMAGE: TORN, IMAGE_TOO: image(platforms="linux/amd64"), CHART: C, CHART_TOO: C},
        (P, S, S, S),
        "will be built again",
    ),
    "parts of the chart gone": Case(
        {IMAGE: HELD, IMAGE_TOO: HELD, CHART: TORN_CHART, CHART_TOO: TORN_CHART},
        (S, S, P, P),
        "and 1 more of its parts are gone: will be packaged again, and restored if its digest is the same",
    ),
    "part of the image gone, and a name of another commit": Case(
        {IMAGE: TORN, IMAGE_TOO: image(OTHER)}, (S, R, S, S), "held back", refused=True
    ),
    "fewer platforms than asked for": Case(
        {IMAGE: image(platforms="linux/amd64"), IMAGE_TOO: image(platforms="linux/amd64"), CHART: C, CHART_TOO: C},
        (S, S, S, S),
        "not for linux/arm64",
    ),
}


def everything(observed: Mapping[Name, Observation]) -> dict[Name, Observation]:
    """Fill in what the case leaves out: absent."""
    return {name: observed.get(name, ABSENT) for name in (IMAGE, IMAGE_TOO, CHART, CHART_TOO)}


ARTIFACTS = (
    DesiredArtifact(Kind.IMAGE, (IMAGE, IMAGE_TOO), THIS),
    DesiredArtifact(Kind.CHART, (CHART, CHART_TOO), THIS.of_chart(IMAGE)),
)


def decide(
    observed: Mapping[Name, Observation],
    same_files: Mapping[Name, bool] | None = None,
    adoptions: Mapping[Name, Adoption] | None = None,
) -> Plan:
    """Plan the release of this commit over what was observed."""
    return plan_release(
        "s3",
        ARTIFACTS,
        platforms=(AMD64, ARM64),
        observed=everything(observed),
        same_files=same_files or {},
        adoptions=adoptions or {},
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_case_gets_its_actions_and_says_why(case: Case) -> None:
    """Each state of the registry gives its actions, in the order of the names, with the reason in words."""
    plan = decide(case.observed, case.same_files, case.adoptions)
    assert tuple(entry.action.value for entry in plan.entries) == tuple(case.actions)
    assert all(entry.reason for entry in plan.entries)
    said = "\n".join(
        (*(entry.reason for entry in plan.entries), *plan.notes, *(plan.error.detail if plan.error else ()))
    )
    assert case.says in said
    image_made = any(one.copy_of is None for one in plan.to_publish(Kind.IMAGE))
    assert plan.error is not None or image_made is ARTIFACTS[0].is_nowhere(everything(case.observed))
    assert (plan.error is not None) is case.refused


def test_refusal_holds_back_the_rest_and_names_every_conflict() -> None:
    """A refused name is a conflict for the whole service: nothing else is published, and each conflict is listed."""
    plan = decide({IMAGE: image(OTHER), CHART: chart(OTHER)})
    assert isinstance(plan.error, AlreadyPublished)
    assert not plan.publishes
    assert [str(IMAGE) in plan.error.detail[0], str(CHART) in plan.error.detail[1]] == [True, True]
    assert "held back" in plan.entries[1].reason
    assert plan.entries[1].digest is None, "with a digest it would be told as published"


def test_staging_names_are_planned_like_any_other() -> None:
    """A staging registry's names are only names: its own content decides."""
    staged = DesiredArtifact(Kind.IMAGE, (STAGED,), THIS)
    plan = plan_release("s3", (staged,), platforms=(AMD64,), observed={STAGED: ABSENT})
    assert [entry.action for entry in plan.entries] == [Action.PUBLISH]


def test_chart_released_with_another_image_is_a_warning() -> None:
    """A chart whose annotation names another image than the one under the image's name is pointed out."""
    plan = decide({IMAGE: HELD, IMAGE_TOO: HELD, CHART: chart(image="sha256:" + "0" * 64), CHART_TOO: C})
    assert any("was released with image sha256:0000" in warning for warning in plan.warnings)


def test_names_of_one_release_with_two_digests_are_a_warning() -> None:
    """Two names that should be the same manifest and are not are left alone and pointed out."""
    plan = decide({IMAGE: HELD, IMAGE_TOO: image(platforms="linux/amd64"), CHART: C, CHART_TOO: C})
    assert any("the names of this release hold different content" in warning for warning in plan.warnings)
    assert not plan.publishes


observations = st.sampled_from([ABSENT, HELD, TORN, image(OTHER), image(None), image(platforms="linux/amd64")])
chart_observations = st.sampled_from([ABSENT, C, TORN_CHART, chart(OTHER), chart(None)])
states = st.fixed_dictionaries(
    {IMAGE: observations, IMAGE_TOO: observations, CHART: chart_observations, CHART_TOO: chart_observations}
)
comparisons = st.dictionaries(st.sampled_from([CHART, CHART_TOO]), st.booleans())


def compared(observed: Mapping[Name, Observation], same_files: Mapping[Name, bool]) -> dict[Name, bool]:
    """What was compared: only charts without a revision are."""
    return {name: same for name, same in same_files.items() if observed[name] == chart(None)}


def apply(plan: Plan, observed: Mapping[Name, Observation]) -> dict[Name, Observation]:
    """What the registry holds once the plan is carried out."""
    fresh: dict[Kind, Observation] = {Kind.IMAGE: HELD, Kind.CHART: C}
    after = dict(observed)
    for entry in plan.entries:
        if entry.action is Action.PUBLISH and isinstance(entry.target, Name):
            after[entry.target] = observed[entry.copy_of] if entry.copy_of else fresh[entry.kind]
    return after


@given(states, comparisons)
def test_a_plan_that_is_carried_out_is_followed_by_a_plan_of_skips(
    observed: dict[Name, Observation], same_files: dict[Name, bool]
) -> None:
    """Whatever is there: after a plan without refusal is carried out, nothing is left to publish or refuse."""
    same = compared(observed, same_files)
    plan = decide(observed, same)
    if plan.error is None:
        after = apply(plan, observed)
        again = decide(after, {name: True for name, found in after.items() if found == chart(None)})
        assert [entry.action for entry in again.entries] == [Action.SKIP] * 4


@given(states, comparisons)
def test_no_plan_ever_changes_a_release_name_that_exists(
    observed: dict[Name, Observation], same_files: dict[Name, bool]
) -> None:
    """Whatever is there: a name that holds something is never published to, but for restoring just that."""
    plan = decide(observed, compared(observed, same_files))
    for entry in plan.entries:
        assert isinstance(entry.target, Name)
        found = observed[entry.target]
        if entry.action is Action.PUBLISH and isinstance(found, Published):
            assert (entry.restores, entry.digest) == (True, found.digest)
        assert entry.restores is (entry.action is Action.PUBLISH and isinstance(found, Published))


@given(states, comparisons)
def test_what_is_restored(observed: dict[Name, Observation], same_files: dict[Name, bool]) -> None:
    """Whatever is there: exactly this commit's content of which a part is gone is restored, from a whole of its digest.

    Where there is none, it is made; what says no commit never is.
    """
    plan = decide(observed, compared(observed, same_files))
    if plan.error is not None:
        assert not any(entry.restores for entry in plan.entries)
        return
    for entry in plan.entries:
        assert isinstance(entry.target, Name)
        found = observed[entry.target]
        assert entry.restores is (isinstance(found, Published) and bool(found.gone))
        if entry.restores and entry.copy_of is not None:
            assert isinstance(found, Published)
            source = observed[entry.copy_of]
            assert isinstance(source, Published)
            assert (source.digest, source.gone) == (found.digest, ())
    made = any(one.copy_of is None for one in plan.to_publish(Kind.IMAGE))
    assert made is ARTIFACTS[0].is_nowhere(observed)


@given(states)
def test_what_is_looked_at(observed: dict[Name, Observation]) -> None:
    """Whether a part is gone is asked of what says this commit, and of nothing else."""
    for artifact in ARTIFACTS:
        assert artifact.to_look_at(observed) == tuple(
            name
            for name in artifact.names
            if isinstance(found := observed[name], Published) and found.revision == THIS.revision
        )


@given(states, comparisons)
def test_a_copy_is_made_only_of_what_is_this_commits(
    observed: dict[Name, Observation], same_files: dict[Name, bool]
) -> None:
    """Whatever is there: what a name is copied from holds this very commit's artifact."""
    same = compared(observed, same_files)
    for entry in decide(observed, same).entries:
        if entry.copy_of is not None:
            held = observed[entry.copy_of]
            assert isinstance(held, Published)
            assert THIS.differs_from(held, same_files=same.get(entry.copy_of)) is None


def test_who_can_adopt_is_told_how() -> None:
    """Where images of the former job are all that is in the way, the remedy names the key; elsewhere it does not."""
    other_chart: dict[Name, Observation] = {IMAGE: image(None), CHART: chart(OTHER)}
    refused = Adoption(problem="no")
    for plan, told in (
        (decide({IMAGE: image(None)}), True),
        (decide({IMAGE: image(None), IMAGE_TOO: image(None)}), True),
        (decide(other_chart), False),
        (decide({IMAGE: image(OTHER)}), False),
        (decide({IMAGE: image(None)}, adoptions={IMAGE: refused}), False),
    ):
        assert isinstance(plan.error, AlreadyPublished)
        assert ("adopt:" in plan.error.remedy and "--adopt-existing" in plan.error.remedy) is told


def test_what_is_said_of_an_adopted_image() -> None:
    """Its entry is marked, and its flaws are warnings; nothing else is marked, and nothing is when it is refused."""
    plan = decide({IMAGE: image(None)}, adoptions={IMAGE: TAKEN})
    assert [entry.adopted for entry in plan.entries] == [True, False, False, False]
    assert "a known flaw" in plan.warnings
    assert not any(entry.adopted for entry in decide({IMAGE: image(None)}).entries)


adopted = st.dictionaries(st.sampled_from([IMAGE, IMAGE_TOO]), st.sampled_from([TAKEN, Adoption(problem="no")]))


@given(states, comparisons, adopted)
def test_what_adoption_can_do(
    observed: dict[Name, Observation], same_files: dict[Name, bool], adoptions: dict[Name, Adoption]
) -> None:
    """Whatever is there: adoption writes to no name that holds something, and takes nothing that says a commit."""
    same = compared(observed, same_files)
    plan, without = decide(observed, same, adoptions), decide(observed, same)
    for kind in Kind:
        assert all(one.restores or observed[one.name] is ABSENT for one in plan.to_publish(kind))
    for entry, before in zip(plan.entries, without.entries, strict=True):
        assert isinstance(entry.target, Name)
        found = observed[entry.target]
        if entry.adopted:
            assert isinstance(found, PublishedImage)
            assert not found.revision
            assert adoptions[entry.target].problem is None
        elif entry.action is Action.SKIP and isinstance(found, Published):
            assert before.action is Action.SKIP
        if before.action is Action.REFUSE and before.kind is Kind.CHART:
            assert entry.action is Action.REFUSE


def test_entries_are_values() -> None:
    """Two entries that say the same are equal, so plans can be compared."""
    assert Entry(Kind.IMAGE, IMAGE, Action.SKIP, "x") == Entry(Kind.IMAGE, IMAGE, Action.SKIP, "x")
