"""Which files belong to a release."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.author.files import SHOWN_AT_MOST, check_changed, fits, release_patterns
from runner.config.load import Service
from runner.config.naming import PRESETS
from runner.config.schema import PrepareSection
from runner.errors import OtherFilesChanged

NAMES = st.text(st.characters(exclude_characters="/*\0", exclude_categories=["Cs"]), min_size=1, max_size=5)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def service(name: str = "s3", path: str = ".", chart: str = "helm") -> Service:
    return Service(name, f"{name}-controller", path, chart, "cmd/controller", (PRESETS["seed"],))


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("helm/**", "helm/Chart.yaml", True),
        ("helm/**", "helm/templates/deployment.yaml", True),
        ("helm/**", "helm", False),
        ("helm/**", "helmet/Chart.yaml", False),
        ("helm/**", "other/helm/Chart.yaml", False),
        ("apis/*/x.yaml", "apis/v1/x.yaml", True),
        ("apis/*/x.yaml", "apis/v1/v2/x.yaml", False),
        ("apis/*/x.yaml", "apis/x.yaml", False),
        ("apis/**/x.yaml", "apis/x.yaml", True),
        ("apis/**/x.yaml", "apis/v1/v2/x.yaml", True),
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),
        ("a.b", "axb", False),
        ("a[bc]?", "a[bc]?", True),
        ("a[bc]?", "abx", False),
        ("**", "any/file", True),
        ("config/*", "config/.hidden", True),
        ("helm/**", "helm/a\nb", True),
    ],
)
def test_fits(pattern: str, path: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """One star stays within a name, two cross folders, and every other character stands for itself."""
    assert fits(path, pattern) is expected


@given(PATHS)
def test_a_path_fits_itself(path: str) -> None:
    """A path without a star is a pattern that only it fits."""
    assert fits(path, path)
    assert not fits(f"{path}x", path)
    assert not fits(f"x/{path}", path)


@given(PATHS, PATHS)
def test_everything_below_fits(folder: str, path: str) -> None:
    """Whatever is below a folder fits the folder with two stars; a file beside it never does."""
    assert fits(f"{folder}/{path}", f"{folder}/**")
    assert not fits(f"{folder}x/{path}", f"{folder}/**")
    assert not fits(f"x{folder}", f"{folder}/**")


@given(st.lists(PATHS, max_size=30), st.lists(st.sampled_from(["a/**", "*", "b/*/c"]) | PATHS, min_size=1, max_size=3))
def test_check_changed(changed: list[str], patterns: list[str]) -> None:
    """It passes exactly if every file fits some pattern; a refusal lists a bounded number of those that do not."""
    others = {path for path in changed if not any(fits(path, pattern) for pattern in patterns)}
    if not others:
        check_changed(changed, patterns)
        return
    with pytest.raises(OtherFilesChanged) as refused:
        check_changed(changed, patterns)
    assert refused.value.cause.startswith(min(others))
    listed = set(refused.value.detail) & others
    assert len(listed) == min(len(others), SHOWN_AT_MOST)


DEFAULT = PrepareSection().files


@pytest.mark.parametrize(
    "path",
    [
        "helm/Chart.yaml",
        "helm/crds/a.yaml",
        "config/controller/kustomization.yaml",
        "apis/v1/ack-generate-metadata.yaml",
    ],
)
def test_what_real_releases_change(path: str) -> None:
    """By default a release is what the commits of real releases change, and nothing else of the repository."""
    for one in (service(), service(path="services/s3")):
        patterns = release_patterns([one], DEFAULT)
        check_changed([path if one.path == "." else f"{one.path}/{path}"], patterns)
        for other in ("go.mod", "pkg/version/version.go", "apis/v1/types.go", "config/rbac/role.yaml", "README.md"):
            with pytest.raises(OtherFilesChanged, match=re.escape(other)):
                check_changed([other], patterns)


def test_patterns_of_several_services() -> None:
    """Each service has patterns of its own, filled in and normalised; a common one stands once."""
    services = [service("s3", "services/s3"), service("sns", "services/sns", "chart/helm")]
    assert release_patterns(services, ["{chart}/**", "{path}/./x-{service}", "LICENSE"]) == (
        *("services/s3/helm/**", "services/s3/x-s3", "LICENSE"),
        *("services/sns/chart/helm/**", "services/sns/x-sns"),
    )
    with pytest.raises(OtherFilesChanged, match=r"services/ecr/helm/Chart\.yaml"):
        check_changed(["services/ecr/helm/Chart.yaml"], release_patterns(services, DEFAULT))
