"""Which services of the repository a run releases, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from runner.config.load import Config, parse_config
from runner.config.settings import Options, resolve_settings
from runner.errors import NothingInTag, ServiceUnknown
from runner.run.inputs import Inputs
from runner.run.selection import Selected, candidates, chart_file, check_any, select
from runner.source.clone import Clone, Head
from runner.source.event import read_event
from runner.source.route import ReleasePath, StablePath

MONOREPO = b"""\
registry: registry.example/ack
services:
  s3: {repo: community, path: "services/{service}"}
  sns: {repo: community, path: "services/{service}"}
  ecr: {}
"""


def no_program(*_: object, **__: object) -> NoReturn:
    """Nothing is asked of git."""
    raise AssertionError("a program was started")


def inputs(repository: str, route: ReleasePath | StablePath, services: tuple[str, ...] = ()) -> Inputs:
    """The inputs of a run for a push to a repository."""
    config: Config = parse_config(MONOREPO, Path("jobs.yaml"))
    ref = "stable" if isinstance(route, StablePath) else f"v{route.version}"
    event = read_event({"REPO_OWNER": "o", "REPO_NAME": repository, "PULL_BASE_REF": ref})
    head = Head(
        commit="a" * 40,
        commit_time=datetime(2026, 1, 1, tzinfo=UTC),
        tag_commit="a" * 40,
        branch_commit=None,
        base_sha_commit=None,
        base_sha_is_tag=False,
        shallow=False,
        has_tags=True,
        merged_tags=(),
        trailers=(),
        changed=(),
    )
    settings = resolve_settings(Options(services=services), {}, config)
    return Inputs(event, config, settings, Clone(Path("/nowhere"), head, {}, no_program), route)


def judge(asked: Inputs, **charts: str | None) -> dict[str, tuple[bool, str]]:
    """Select over these Chart.yaml texts, by service."""
    found = candidates(asked)
    files = {chart_file(one): None if (text := charts.get(one.name)) is None else text.encode() for one in found}
    rows = select(asked, found, files)
    check_any(asked, rows)
    return {row.service.name: (isinstance(row, Selected), row.reason) for row in rows}


RELEASE = ReleasePath("1.2.3")


def test_the_only_service_of_a_repository_is_always_judged() -> None:
    """A repository with one service releases it, whatever its chart says: disagreement is reported later."""
    assert judge(inputs("ecr-controller", RELEASE), ecr="version: 9.9.9\n")["ecr"][0]


def test_a_tag_releases_the_services_whose_chart_has_its_version() -> None:
    """Of several services those with the tag's version are released, with or without v; the others say theirs."""
    rows = judge(inputs("community", RELEASE), s3="version: v1.2.3\n", sns="version: 1.2.2\n")
    assert rows["s3"][0]
    assert rows["sns"] == (False, "its chart has 1.2.2")


@pytest.mark.parametrize(
    ("chart", "says"),
    [(None, "no services/sns/helm/Chart.yaml"), ("a: [", "cannot be read"), ("name: x\n", "no version")],
    ids=["no chart", "not YAML", "no version"],
)
def test_a_service_without_a_readable_version_is_not_in_the_tag(chart: str | None, says: str) -> None:
    """A service of several whose version cannot be read is left out, and the reason says why."""
    selected, reason = judge(inputs("community", RELEASE), s3="version: 1.2.3\n", sns=chart)["sns"]
    assert not selected
    assert says in reason


def test_a_tag_that_releases_nothing_is_refused_with_what_each_has() -> None:
    """A tag whose version no chart has is exit 4, listing every service's version."""
    with pytest.raises(NothingInTag) as caught:
        judge(inputs("community", RELEASE), s3="version: 1.0.0\n", sns="version: 2.0.0\n")
    assert caught.value.detail == ("s3: its chart has 1.0.0", "sns: its chart has 2.0.0")


def test_a_service_that_was_asked_for_and_is_not_in_the_tag_is_no_error() -> None:
    """With --service the others are left out, and one that is not in the tag is reported, not refused."""
    rows = judge(inputs("community", RELEASE, ("sns",)), s3="version: 1.2.3\n", sns="version: 1.0.0\n")
    assert rows == {"s3": (False, "not named by --service"), "sns": (False, "its chart has 1.0.0")}


def test_stable_moves_every_service_that_has_a_chart() -> None:
    """On stable each configured service with a chart is judged, and one without is left out."""
    rows = judge(inputs("community", StablePath(1, "1.2.3")), s3="version: v1-stable\n", sns=None)
    assert (rows["s3"][0], rows["sns"][0]) == (True, False)


def test_a_repository_without_services_is_unknown() -> None:
    """A repository in which no configured service lives is exit 2."""
    with pytest.raises(ServiceUnknown, match="nobody-controller"):
        candidates(inputs("nobody-controller", RELEASE))


def test_a_service_of_another_repository_is_named() -> None:
    """Asking for a service that lives elsewhere says where."""
    with pytest.raises(ServiceUnknown, match="lives in the repository community"):
        candidates(inputs("ecr-controller", RELEASE, ("s3",)))
