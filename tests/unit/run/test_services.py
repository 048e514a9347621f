"""Each service on its own, and which services a run releases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.config.load import Config, parse_config
from runner.config.settings import Options, resolve_settings
from runner.errors import BuildFailed, NothingInTag, ReleaseError, RunEnded, ServiceUnknown, ToolUnusable
from runner.report.record import Record
from runner.run.request import Request
from runner.run.selection import candidates, chart_file, check_any, select
from runner.run.services import each_service
from runner.source.clone import Checkout
from runner.source.event import read_event
from runner.source.route import ReleasePath, StablePath

MONOREPO = b"""\
registry: registry.example/ack
services:
  s3: {repo: community, path: "services/{service}"}
  sns: {repo: community, path: "services/{service}"}
  ecr: {}
"""


def new_record() -> Record:
    """A record that nobody keeps."""
    return Record(lambda _: None)


def test_one_that_fails_does_not_stop_the_others() -> None:
    """The results of the others are returned in order, and the failure is recorded for its service."""
    record = new_record()

    def work(name: str) -> str:
        if name == "b":
            raise BuildFailed("no")
        return name.upper()

    assert each_service("abc", str, work, record, at_once=2) == ("A", "C")
    assert [(error.service, error.code) for error in record.document.errors] == [("b", "build-failed")]


def test_a_bug_stops_its_service_only() -> None:
    """An unexpected exception is recorded as a bug of its service."""
    record, none = new_record(), dict[str, str]()
    assert each_service(["a"], str, none.__getitem__, record, at_once=1) == ()
    assert record.document.errors[0].code == "bug"


@pytest.mark.parametrize("error", [ToolUnusable("no helm"), RunEnded("ended")], ids=["usage", "ended"])
def test_what_is_wrong_with_the_whole_run_is_raised(error: ReleaseError) -> None:
    """Exit 2, 3 and 9 are no matter of one service: they are raised once every service came to its end."""
    record, done = new_record(), []

    def work(name: str) -> None:
        done.append(name)
        if name == "a":
            raise error

    with pytest.raises(type(error)):
        each_service("ab", str, work, record, at_once=1)
    assert done == ["a", "b"]
    record.fail(error)
    services = [one.service for one in record.document.errors]
    assert services == ([None] if isinstance(error, RunEnded) else ["a"])


def test_services_are_worked_on_side_by_side_up_to_the_limit() -> None:
    """No more than the limit are under way at once, and the limit is used."""
    lock, meet = threading.Lock(), threading.Barrier(2)
    going, most = 0, 0

    def work(_: str) -> None:
        nonlocal going, most
        with lock:
            going += 1
            most = max(most, going)
        meet.wait(5)
        with lock:
            going -= 1

    each_service("abcd", str, work, new_record(), at_once=2)
    assert most == 2


def request(repository: str, route: ReleasePath | StablePath, services: tuple[str, ...] = ()) -> Request:
    """A request for a push to a repository."""
    config: Config = parse_config(MONOREPO, Path("jobs.yaml"))
    ref = "stable" if isinstance(route, StablePath) else f"v{route.version}"
    event = read_event({"REPO_OWNER": "o", "REPO_NAME": repository, "PULL_BASE_REF": ref})
    checkout = Checkout(
        folder=Path("/nowhere"),
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
    return Request(event, config, resolve_settings(Options(services=services), {}, config), checkout, route)


def judge(asked: Request, **charts: str | None) -> dict[str, tuple[bool, str]]:
    """Select over these Chart.yaml texts, by service."""
    found = candidates(asked)
    files = {chart_file(one): None if (text := charts.get(one.name)) is None else text.encode() for one in found}
    rows = select(asked, found, files)
    check_any(asked, rows)
    return {row.service.name: (row.selected, row.reason) for row in rows}


RELEASE = ReleasePath("1.2.3")


def test_the_only_service_of_a_repository_is_always_judged() -> None:
    """A repository with one service releases it, whatever its chart says: disagreement is told later."""
    assert judge(request("ecr-controller", RELEASE), ecr="version: 9.9.9\n")["ecr"][0]


def test_a_tag_releases_the_services_whose_chart_has_its_version() -> None:
    """Of several services those with the tag's version are released, with or without v; the others say theirs."""
    rows = judge(request("community", RELEASE), s3="version: v1.2.3\n", sns="version: 1.2.2\n")
    assert rows["s3"][0]
    assert rows["sns"] == (False, "its chart has 1.2.2")


@pytest.mark.parametrize(
    ("chart", "says"),
    [(None, "no services/sns/helm/Chart.yaml"), ("a: [", "cannot be read"), ("name: x\n", "no version")],
    ids=["no chart", "not YAML", "no version"],
)
def test_a_service_without_a_readable_version_is_not_in_the_tag(chart: str | None, says: str) -> None:
    """A service of several whose version cannot be read is left out, and the reason says why."""
    selected, reason = judge(request("community", RELEASE), s3="version: 1.2.3\n", sns=chart)["sns"]
    assert not selected
    assert says in reason


def test_a_tag_that_releases_nothing_is_refused_with_what_each_has() -> None:
    """A tag whose version no chart has is exit 4, listing every service's version."""
    with pytest.raises(NothingInTag) as caught:
        judge(request("community", RELEASE), s3="version: 1.0.0\n", sns="version: 2.0.0\n")
    assert caught.value.detail == ("s3: its chart has 1.0.0", "sns: its chart has 2.0.0")


def test_a_service_that_was_asked_for_and_is_not_in_the_tag_is_no_error() -> None:
    """With --service the others are left out, and one that is not in the tag is told, not refused."""
    rows = judge(request("community", RELEASE, ("sns",)), s3="version: 1.2.3\n", sns="version: 1.0.0\n")
    assert rows == {"s3": (False, "not asked for"), "sns": (False, "its chart has 1.0.0")}


def test_stable_moves_every_service_that_has_a_chart() -> None:
    """On stable each configured service with a chart is judged, and one without is left out."""
    rows = judge(request("community", StablePath(1, "1.2.3")), s3="version: v1-stable\n", sns=None)
    assert (rows["s3"][0], rows["sns"][0]) == (True, False)


def test_a_repository_without_services_is_unknown() -> None:
    """A repository in which no configured service lives is exit 2."""
    with pytest.raises(ServiceUnknown, match="nobody-controller"):
        candidates(request("nobody-controller", RELEASE))


def test_a_service_of_another_repository_is_named() -> None:
    """Asking for a service that lives elsewhere says where."""
    with pytest.raises(ServiceUnknown, match="lives in the repository community"):
        candidates(request("ecr-controller", RELEASE, ("s3",)))
