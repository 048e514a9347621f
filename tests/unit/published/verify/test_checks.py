from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.annotations import RELEASE_IMAGE, RELEASE_PLATFORMS, RELEASE_VERSION
from runner.chart.facts import ChartFacts
from runner.config.load import Service
from runner.config.naming import PRESETS, RegistryAddress
from runner.oci.manifest import OCI_INDEX, OCI_MANIFEST, REVISION, SOURCE, VERSION, Manifest, Platform, digest_of
from runner.published.observed import ABSENT, PublishedChart, PublishedImage
from runner.published.program import Program
from runner.published.verify.checks import Check, Result, check_release
from runner.published.verify.release import ChartContent, Part, Question, Release, scheme_by_chart, scheme_by_names
from runner.published.verify.report import error_of, verify_document
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.oci.name import Name
    from runner.published.observed import Observation

ADDRESS = RegistryAddress.parse("registry.example/ns")
COMMIT, OTHER = "c" * 40, "d" * 40
URL = "https://github.com/aws-controllers-k8s/s3-controller"
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
SCHEMES = ("seed", "repo-per-service-v", "repo-per-service")


def question(version: str = "1.2.3", **fields: Any) -> Question:
    """About a release of s3 under any scheme."""
    naming = tuple(PRESETS[label] for label in SCHEMES)
    asked = Question(
        service=Service("s3", "s3-controller", ".", "helm", "./cmd/controller", naming),
        version=ReleaseVersion.parse(version),
        address=ADDRESS,
        chart_names=("{service}-chart", "ack-{service}-controller"),
        platforms=(AMD64, ARM64),
        source="/aws-controllers-k8s/s3-controller",
    )
    return replace(asked, **fields)


def image(annotations: Mapping[str, str | None] | None = None, **stated: str | None) -> PublishedImage:
    """An index for both platforms; annotations may be replaced, and left out by None."""
    said: dict[str, str | None] = {
        REVISION: COMMIT,
        SOURCE: URL,
        VERSION: "v1.2.3",
        RELEASE_VERSION: "1.2.3",
        RELEASE_PLATFORMS: "linux/amd64,linux/arm64",
        **(annotations or {}),
        **stated,
    }
    children = [
        {"mediaType": OCI_MANIFEST, "digest": digest_of(str(one).encode()), "size": 1, "platform": one.document()}
        for one in (AMD64, ARM64)
    ]
    document = {"schemaVersion": 2, "manifests": children, "annotations": _present(said)}
    return PublishedImage(Manifest.write(OCI_INDEX, document), (AMD64, ARM64))


def chart(at: str, annotations: Mapping[str, str | None] | None = None) -> PublishedChart:
    """A chart that was released with the image at this ``REPOSITORY@DIGEST``."""
    said: dict[str, str | None] = {
        REVISION: COMMIT,
        SOURCE: URL,
        VERSION: "1.2.3",
        RELEASE_VERSION: "1.2.3",
        RELEASE_IMAGE: at,
        **(annotations or {}),
    }
    return PublishedChart(Manifest.write(OCI_MANIFEST, {"annotations": _present(said)}), "1.2.3")


def _present(said: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in said.items() if value is not None}


def part(platform: Platform, **fields: Any) -> Part:
    """A platform in order."""
    program = Program("bin/controller", platform.architecture, is_static=True)
    return replace(Part(platform, stated=platform, commits=(COMMIT,), program=program), **fields)


def release(label: str = "seed", version: str = "1.2.3", **fields: Any) -> Release:
    """A release in order, under this scheme; ``fields`` replace parts of it."""
    asked, scheme = question(version), PRESETS[label]
    stated = {VERSION: version, RELEASE_VERSION: version}
    published = image(stated)
    images, charts = asked.images(scheme), asked.charts(scheme)
    held = chart(f"{images[0].repository}@{published.digest}", stated)
    facts = ChartFacts("archive", "s3-chart", version, version, str(images[0].repository), images[0].tag)
    made = Release(
        asked,
        scheme,
        {**dict.fromkeys(images, published), **dict.fromkeys(charts, held)},
        (part(AMD64), part(ARM64)),
        ChartContent(facts),
    )
    return replace(made, **fields)


def failed(found: Release) -> list[str]:
    """The checks that fail."""
    return [check.name for check in check_release(found) if check.result is Result.FAILED]


def warned(found: Release) -> list[str]:
    """The checks that are warnings."""
    return [check.name for check in check_release(found) if check.result is Result.WARNING]


versions = st.tuples(*[st.integers(0, 30)] * 3).map(lambda numbers: ".".join(map(str, numbers)))


@given(st.sampled_from(SCHEMES), versions, st.booleans())
def test_a_release_in_order(label: str, version: str, is_known: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """Nothing fails and nothing is a warning, whatever scheme and version, with the tag's commit known or not."""
    found = release(label, version)
    found = replace(found, question=replace(found.question, commit=COMMIT if is_known else None))
    checks = check_release(found)
    assert {check.result for check in checks} <= {Result.PASSED, Result.NOTE}
    document = verify_document(found, checks)
    assert (document.exit, document.scheme, error_of(document)) == (0, label, None)


def with_image(found: Release, annotations: Mapping[str, str | None]) -> Release:
    """The same with another image, which its chart names."""
    changed = image(annotations)
    held = chart(f"{found.images[0].repository}@{changed.digest}")
    observed = {**found.observed, **dict.fromkeys(found.images, changed), **dict.fromkeys(found.charts, held)}
    return replace(found, observed=observed)


def with_chart(found: Release, annotations: Mapping[str, str | None]) -> Release:
    """The same with another chart."""
    assert found.image is not None
    held = chart(f"{found.images[0].repository}@{found.image.digest}", annotations)
    return replace(found, observed={**found.observed, **dict.fromkeys(found.charts, held)})


def with_facts(found: Release, **facts: Any) -> Release:
    """The same with another archive."""
    assert found.content is not None
    assert found.content.facts is not None
    return replace(found, content=ChartContent(replace(found.content.facts, **facts)))


def with_part(found: Release, **fields: Any) -> Release:
    """The same with another second platform."""
    return replace(found, parts=(found.parts[0], replace(found.parts[1], **fields)))


BREAKAGES: Mapping[str, Callable[[Release], Release]] = {
    "image": lambda found: replace(
        found, observed={**found.observed, found.images[0]: ABSENT}, parts=(), content=found.content
    ),
    "platforms": lambda found: with_part(found, answers=False),
    "config linux/arm64": lambda found: with_part(found, stated=AMD64),
    "program linux/arm64": lambda found: with_part(found, program=None, problem="it has no /bin/controller"),
    "image labels": lambda found: with_part(found, commits=(OTHER,)),
    "image source": lambda found: with_image(found, {SOURCE: "https://github.com/other/fork"}),
    "image version": lambda found: with_image(found, {RELEASE_VERSION: "1.2.4"}),
    "chart source": lambda found: with_chart(found, {SOURCE: None}),
    "chart version": lambda found: with_chart(found, {VERSION: "1.2.4"}),
    "one commit": lambda found: with_chart(found, {REVISION: OTHER}),
    "chart's image digest": lambda found: with_chart(found, {RELEASE_IMAGE: None}),
    "chart archive": lambda found: replace(found, content=ChartContent(problem="it is cut short")),
    "chart name": lambda found: with_facts(found, name="s3"),
    "Chart.yaml": lambda found: with_facts(found, app_version="1.2.4"),
    "chart's image": lambda found: with_facts(found, image_tag="latest"),
    "chart names": lambda found: replace(found, observed={**found.observed, found.charts[1]: ABSENT}),
    "record": lambda found: replace(found, recorded={str(found.images[0]): digest_of(b"other")}),
    "without credentials": lambda found: replace(found, anonymous={found.images[0]: "nothing"}),
    "scheme repo-per-service": lambda found: replace(
        found,
        observed={**found.observed, found.question.images(PRESETS["repo-per-service"])[0]: image({REVISION: OTHER})},
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_one_thing_broken(name: str) -> None:
    """Each single breakage fails exactly its check, and the document says so in its verdict, exit 5."""
    found = BREAKAGES[name](release())
    assert failed(found) == [name]
    document = verify_document(found, check_release(found))
    error = error_of(document)
    assert document.exit == 5
    assert f"({name})" in document.verdict
    assert error is not None
    assert [line.partition(":")[0] for line in error.detail] == [name]


@pytest.mark.parametrize(
    ("program", "result"),
    [
        (Program("bin/controller", "arm64", is_static=True), Result.PASSED),
        (Program("bin/controller", "arm64", is_static=None), Result.WARNING),
        (Program("bin/controller", "arm64", is_static=False), Result.FAILED),
        (Program("bin/controller", "amd64", is_static=True), Result.FAILED),
        (Program("bin/controller", "amd64", is_static=None), Result.FAILED),
    ],
)
def test_programs(program: Program, result: Result) -> None:
    """A program must be for its platform and need no loader; where that is not seen, it is a warning."""
    checks = {check.name: check.result for check in check_release(with_part(release(), program=program))}
    assert checks["program linux/arm64"] is result


def test_the_commit_of_the_tag() -> None:
    """Where the tag's commit is known, image and chart must be of it."""
    found = release()
    assert failed(replace(found, question=replace(found.question, commit=OTHER))) == ["image commit", "chart commit"]


def former(**fields: Any) -> Release:
    """A release of the former job, which wrote down nothing."""
    nothing = dict.fromkeys((REVISION, SOURCE, VERSION, RELEASE_VERSION, RELEASE_PLATFORMS, RELEASE_IMAGE))
    made = release("repo-per-service")
    observed: dict[Name, Observation] = {
        **dict.fromkeys(made.images, image(nothing)),
        **dict.fromkeys(made.charts, chart("", {**nothing, VERSION: "1.2.3"})),
    }
    parts = tuple(replace(one, commits=()) for one in made.parts)
    return replace(made, observed=observed, parts=parts, **fields)


def test_a_release_of_the_former_job() -> None:
    """It says no commit, which is a warning; what it does say must be right."""
    found = former()
    assert failed(found) == []
    assert warned(found) == ["image commit", "chart commit", "chart's image digest"]
    document = verify_document(found, check_release(found))
    assert (document.exit, document.verdict.endswith("3 known flaws of the former job.")) == (0, True)
    assert failed(with_facts(found, version="1.2.4")) == ["Chart.yaml"]


def test_flaws_of_the_former_job() -> None:
    """One platform, and a config that says amd64 where the program is right, are warnings; a wrong program is none."""
    found = former()
    assert "config linux/arm64" in warned(with_part(found, stated=AMD64))
    one = replace(found, parts=found.parts[:1])
    assert (failed(one), "platforms of the former job" in warned(one)) == ([], True)
    assert failed(with_part(found, program=Program("bin/controller", "amd64", is_static=True))) == [
        "program linux/arm64"
    ]
    none = replace(found, parts=tuple(replace(part, answers=False) for part in found.parts))
    assert failed(none) == ["platforms"]


def test_an_adopted_release() -> None:
    """An image of the former job that a chart of this program names by digest has that chart's commit."""
    found = former()
    assert found.image is not None
    held = chart(f"{found.images[0].repository}@{found.image.digest}")
    adopted = replace(found, observed={**found.observed, found.charts[0]: held})
    checks = {check.name: check.result for check in check_release(adopted)}
    assert (failed(adopted), checks["image commit"]) == ([], Result.NOTE)


def test_what_is_not_published() -> None:
    """Nothing is there: image and chart fail, and the verdict says it in one sentence."""
    found = Release(question(), PRESETS["seed"], {})
    assert failed(found) == ["image", "chart"]
    document = verify_document(found, check_release(found))
    assert document.verdict == "s3 1.2.3 is not published at registry.example/ns."
    assert (document.scheme, document.exit) == (None, 5)


@pytest.mark.parametrize(
    ("version", "said"), [("1.2.3", "v1-stable deploys 1.2.3: this release"), ("1.1.0", "v1-stable deploys 1.1.0")]
)
def test_stable(version: str, said: str) -> None:
    """What stable deploys is a note, whether it is this release or another one; its names must hold the same."""
    found = release("repo-per-service")
    [stable] = found.question.stables(found.scheme)
    held = chart("", {RELEASE_VERSION: version})
    found = replace(found, observed={**found.observed, stable: held})
    assert Check("stable", Result.NOTE, said, "any version of this major") in check_release(found)
    seed = release()
    first, second = seed.question.stables(seed.scheme)
    differing = {**seed.observed, first: held, second: chart("", {"note": "another"})}
    assert failed(replace(seed, observed=differing)) == ["stable names"]


def test_the_same_version_under_another_scheme() -> None:
    """From the same commit it is a note."""
    found = release()
    other = found.question.images(PRESETS["repo-per-service"])[0]
    checks = check_release(replace(found, observed={**found.observed, other: image()}))
    assert [check.result for check in checks if check.name == "scheme repo-per-service"] == [Result.NOTE]


@given(st.sampled_from(SCHEMES))
def test_scheme_of_a_release(label: str) -> None:
    """The scheme is the one under which the image is there, and the one whose image the chart's values name."""
    found = release(label)
    assert scheme_by_names(found.question, found.observed).label == label
    assert found.content is not None
    assert found.content.facts is not None
    named = scheme_by_chart(found.question, found.content.facts)
    assert named is not None
    assert named.label == label
    assert scheme_by_chart(found.question, replace(found.content.facts, image_tag="x")) is None
    charts = {name: held for name, held in found.observed.items() if isinstance(held, PublishedChart)}
    assert found.charts[0] in found.question.charts(scheme_by_names(found.question, charts))


def test_a_record_of_another_release() -> None:
    """A record that names nothing of this release shows nothing of it."""
    found = replace(release(), recorded={"registry.example/ns/controller:sns-v1.0.0": digest_of(b"x")})
    assert failed(found) == ["record"]
