from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.chart.checks import check_release, check_stable, choose_scheme, image_version_of
from runner.errors import ChartDisagrees, StableDisagrees
from runner.versions import LARGEST_NUMBER
from tests.support.charts import BASE, CHART_NAMES, PRODUCTION, SCHEMES, SERVICES, TOO_LARGE, VERSIONS, facts

if TYPE_CHECKING:
    from runner.config.naming import Scheme


@pytest.mark.parametrize("name", ["s3-chart", "ack-s3-controller"])
@pytest.mark.parametrize("version", ["1.2.3", "v1.2.3"])
@pytest.mark.parametrize("app_version", ["1.2.3", "v1.2.3"])
def test_a_chart_of_the_release_agrees(name: str, version: str, app_version: str) -> None:
    """With or without v, under any of the names."""
    check_release(facts(name=name, version=version, app_version=app_version), "s3", "1.2.3", CHART_NAMES)


@pytest.mark.parametrize(
    ("changed", "problems"),
    [
        (
            {"version": "1.2.4"},
            ["helm/Chart.yaml:3: version is 1.2.4, the tag is v1.2.3: it should be 1.2.3 or v1.2.3"],
        ),
        ({"app_version": "vv1.2.3"}, ["helm/Chart.yaml:4: appVersion is vv1.2.3, the tag is v1.2.3"]),
        ({"version": "1.2.3-rc.1"}, ["version is 1.2.3-rc.1"]),
        ({"version": "1.2.3+x"}, ["version is 1.2.3+x"]),
        ({"version": "V1.2.3"}, ["version is V1.2.3"]),
        ({"version": "v0-stable"}, ["version is v0-stable"]),
        ({"version": TOO_LARGE, "app_version": f"v{TOO_LARGE}"}, [f"version is {TOO_LARGE}", f"is v{TOO_LARGE}"]),
        ({"version": f"{'1' * 5000}.0.0"}, ["version is 1111"]),
        ({"version": "1.2.\u0663"}, ["version is 1.2.\u0663"]),
        ({"name": "ecr-chart"}, ["helm/Chart.yaml:2: name is ecr-chart: it should be s3-chart or ack-s3-controller"]),
        ({"name": "x", "version": "1", "app_version": "2"}, ["name is x", "version is 1", "appVersion is 2"]),
        ({"version": "1", "lines": {}}, ["helm/Chart.yaml: version is 1"]),
    ],
    ids=str,
)
def test_a_chart_of_another_release_disagrees(changed: dict[str, Any], problems: list[str]) -> None:
    """Each disagreement says where, what it is and what it should be; the first is the cause."""
    with pytest.raises(ChartDisagrees) as refused:
        check_release(facts(**changed), "s3", "1.2.3", CHART_NAMES)
    assert len(refused.value.detail) == len(problems)
    assert all(problem in line for problem, line in zip(problems, refused.value.detail, strict=True))
    assert refused.value.cause == refused.value.detail[0]


@given(VERSIONS, VERSIONS)
def test_exactly_the_tags_version_agrees(stated: str, tag: str) -> None:
    """A chart passes for its own version and for no other."""
    chart = facts(version=f"v{stated}", app_version=stated)
    if stated == tag:
        check_release(chart, "s3", tag, CHART_NAMES)
    else:
        with pytest.raises(ChartDisagrees):
            check_release(chart, "s3", tag, CHART_NAMES)


@given(SERVICES, VERSIONS, st.sampled_from(SCHEMES))
def test_the_scheme_is_the_one_that_gives_the_values_image(service: str, version: str, scheme: Scheme) -> None:
    """Whatever the service and version, a scheme's own image leads back to it and to the version."""
    repository, _, tag = str(scheme.image_names(PRODUCTION, service, version)[0]).rpartition(":")
    chart = facts(image_repository=repository, image_tag=tag)
    assert choose_scheme(SCHEMES, PRODUCTION, service, version, chart) == scheme
    assert image_version_of(SCHEMES, PRODUCTION, service, chart) == (scheme, version)
    others = [other for other in SCHEMES if other != scheme]
    with pytest.raises(ChartDisagrees):
        choose_scheme(others, PRODUCTION, service, version, chart)
    with pytest.raises(ChartDisagrees):
        image_version_of(others, PRODUCTION, service, chart)


@pytest.mark.parametrize(
    ("repository", "tag"),
    [
        (f"{BASE}/s3-controller", "1.2.4"),
        (f"{BASE}/s3-controller", "latest"),
        (f"{BASE}/ecr-controller", "1.2.3"),
        (f"{BASE}/controller", "ecr-v1.2.3"),
        (f"{BASE}/controller", "s3-1.2.3"),
        ("public.ecr.aws/u2r4f3v7/s3-controller", "1.2.3"),
        ("aws-controllers-k8s/s3-controller", "1.2.3"),
    ],
)
def test_an_image_of_no_scheme_disagrees(repository: str, tag: str) -> None:
    """The detail lists what would be accepted, one line for each scheme."""
    with pytest.raises(ChartDisagrees) as refused:
        choose_scheme(SCHEMES, PRODUCTION, "s3", "1.2.3", facts(image_repository=repository, image_tag=tag))
    assert refused.value.cause == (
        f"helm/values.yaml:6: image.repository and image.tag name {repository}:{tag}, "
        "which is not an accepted image name for s3 1.2.3"
    )
    assert refused.value.detail == (
        f"seed accepts {BASE}/controller:s3-v1.2.3",
        f"repo-per-service-v accepts {BASE}/s3-controller:v1.2.3",
        f"repo-per-service accepts {BASE}/s3-controller:1.2.3",
    )


@pytest.mark.parametrize(
    ("changed", "cause", "detail"),
    [
        ({"image_tag": "latest"}, "not an accepted image name for s3", "s3-controller:1.2.3 for 1.2.3"),
        ({"image_tag": "1.2"}, "not an accepted image name for s3", "s3-controller:1.2.3 for 1.2.3"),
        ({"image_tag": TOO_LARGE, "app_version": TOO_LARGE}, "not an accepted image name for s3", "1.2.3 for 1.2.3"),
        ({"image_tag": "111111111111111111111.0.0"}, "not an accepted image name for s3", "1.2.3 for 1.2.3"),
        (
            {"image_tag": "01.2.3", "app_version": "v0.9.0"},
            "not an accepted image name",
            "s3-controller:0.9.0 for 0.9.0",
        ),
        ({"image_tag": "x", "app_version": "x"}, "not an accepted image name", "s3-controller:1.2.3 for 1.2.3"),
        ({"image_tag": "a b"}, "which is not a valid image name", None),
        ({"image_repository": "Upper/Case"}, "which is not a valid image name", None),
    ],
)
def test_a_stable_image_without_a_version_disagrees(changed: dict[str, str], cause: str, detail: str | None) -> None:
    """What is no accepted name for any version is refused; the detail has an example for each scheme."""
    with pytest.raises(ChartDisagrees, match=cause) as refused:
        image_version_of(SCHEMES, PRODUCTION, "s3", facts(**changed))
    assert len(refused.value.detail) == (0 if detail is None else len(SCHEMES))
    assert detail is None or refused.value.detail[-1].endswith(detail)


@pytest.mark.parametrize("version", ["v1-stable", "1-stable", "1.2.3", "v1.2.3", "1.9.9", "1.0.0"])
@pytest.mark.parametrize("app_version", ["1.2.3", "v1.2.3"])
def test_a_stable_chart_agrees(version: str, app_version: str) -> None:
    """Its own version is the channel's name or a plain one of the same major; appVersion is the image's."""
    check_stable(
        facts(version=version, app_version=app_version),
        "s3",
        CHART_NAMES,
        major=1,
        resolved_version="1.10.0",
        image_version="1.2.3",
    )


@pytest.mark.parametrize(
    ("changed", "resolved", "image", "problems"),
    [
        ({"version": "v0-stable"}, "1.3.0", "1.2.3", ["version is v0-stable: it should be v1-stable or a version 1."]),
        ({"version": "stable"}, "1.3.0", "1.2.3", ["helm/Chart.yaml:3: version is stable"]),
        ({"version": "111111111111111111111-stable"}, "1.3.0", "1.2.3", ["version is 111111111111111111111-stable"]),
        ({"version": f"1.2.{LARGEST_NUMBER + 1}"}, "1.3.0", "1.2.3", ["version is 1.2.18446744073709551616"]),
        ({"app_version": TOO_LARGE}, "1.3.0", "1.2.3", ["appVersion is 18446744073709551616.2.3, but"]),
        ({"version": "v1-stable-2"}, "1.3.0", "1.2.3", ["version is v1-stable-2"]),
        ({"version": "2.0.0"}, "1.3.0", "1.2.3", ["version is 2.0.0"]),
        ({"version": "1.2.3-rc.1"}, "1.3.0", "1.2.3", ["version is 1.2.3-rc.1"]),
        ({"app_version": "1.2.4"}, "1.3.0", "1.2.3", ["appVersion is 1.2.4, but helm/values.yaml:7: image.tag names"]),
        ({}, "1.2.2", "1.2.3", ["image.tag names 1.2.3, which is newer than the newest release merged, v1.2.2"]),
        ({"app_version": "1.10.0"}, "1.9.0", "1.10.0", ["names 1.10.0, which is newer"]),
        ({"app_version": "0.9.0"}, "1.2.3", "0.9.0", ["image.tag names 0.9.0, .* its major should be 1"]),
        ({"app_version": "2.0.0"}, "1.2.3", "2.0.0", ["image.tag names 2.0.0, .* its major should be 1"]),
        ({"name": "x"}, "1.3.0", "1.2.3", ["name is x: it should be s3-chart or ack-s3-controller"]),
        (
            {"name": "x", "version": "9.9.9", "app_version": "8.8.8"},
            "1.2.0",
            "1.2.3",
            ["name is x", "version is 9.9.9", "appVersion is 8.8.8", "newer"],
        ),
    ],
)
def test_a_stable_chart_that_disagrees_is_refused(
    changed: dict[str, str], resolved: str, image: str, problems: list[str]
) -> None:
    """Majors that differ, an image newer than the resolved tag, another name: all are there, the first in the cause."""
    with pytest.raises(StableDisagrees) as refused:
        check_stable(facts(**changed), "s3", CHART_NAMES, major=1, resolved_version=resolved, image_version=image)
    assert len(refused.value.detail) == len(problems)
    for problem, line in zip(problems, refused.value.detail, strict=True):
        assert all(part in line for part in problem.split(".*"))
    assert refused.value.cause == refused.value.detail[0]


@given(VERSIONS, VERSIONS)
def test_stable_takes_no_image_newer_than_the_tag(image: str, resolved: str) -> None:
    """Numbers are compared as numbers, and another major never passes."""
    numbers, bound = ([int(part) for part in version.split(".")] for version in (image, resolved))
    chart = facts(version=f"v{bound[0]}-stable", app_version=image)
    try:
        check_stable(chart, "s3", CHART_NAMES, major=bound[0], resolved_version=resolved, image_version=image)
    except StableDisagrees:
        assert numbers[0] != bound[0] or numbers > bound
    else:
        assert numbers[0] == bound[0]
        assert numbers <= bound
