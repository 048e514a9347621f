"""Deck as an operator uses it: a release that runs, one that has ended, and a click on Rerun."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from hack.deck_pictures import show_page
from testbed.browser import Browser, browser
from tests.support.deck import (
    fetch,
    read_buildlog,
    read_html,
    read_junit,
    read_links,
    read_metadata,
    read_podinfo,
    read_view,
)
from tests.support.prow_harness import LOOK_SECONDS
from tests.support.tools import require_tool
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.sample_controller import SampleRepository
    from tests.support.prow_harness import ProwHarness

pytestmark = pytest.mark.exclusive

TAG = "refs/tags/v1.2.3"


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """A browser that reaches nothing but this machine."""
    require_tool("chromium")
    require_tool("chromedriver")
    with browser("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1") as made:
        yield made


def answered(address: str) -> str | None:
    """What Deck answers, or nothing as long as it has not read of the job, which it does twice a minute."""
    try:
        return fetch(address)
    except AssertionError:
        return None


def named(prow: ProwHarness, repository: SampleRepository) -> set[str]:
    """The names of a repository's ProwJobs."""
    return {str(job["metadata"]["name"]) for job in prow.jobs(repository)}


def test_a_release_that_runs(prow: ProwHarness) -> None:
    """While a release runs, Deck shows the log as far as it is, and that the release is still running."""
    repository = prow.repository()
    held = prow.proxy.hold(method="PUT", path=r"/blobs/")
    name = prow.started(repository, prow.prow.push(repository, TAG))
    until(held.reached.is_set)
    job = prow.prow.cluster.job(name)
    query = urlencode({"job": job["spec"]["job"], "id": job["status"]["build_id"]})
    log = until(lambda: answered(f"{prow.prow.place.deck}/log?{query}"), pause=LOOK_SECONDS)
    assert f"event=started services={repository.service} ref=v1.2.3" in log
    assert "RELEASED:" not in log
    view = read_view(job["status"]["url"])
    started, building = read_buildlog(view).highlighted
    assert "event=started" in started
    assert "event=building" in building
    assert " is still running " in read_metadata(view).summary
    held.let_go(forward=True)
    assert prow.ended(name).lines[-1].startswith("RELEASED:")


def test_a_release_that_has_ended(prow: ProwHarness) -> None:
    """Every lens of the generated configuration is there, and tells of the same release."""
    repository = prow.repository()
    released = prow.release(repository, TAG)
    view = read_view(released.document["status"]["url"])
    assert tuple(view.lenses) == ("metadata", "html", "junit", "buildlog", "links", "podinfo")
    commit = repository.resolve(f"{TAG}^{{commit}}")
    assert read_metadata(view).table["commit"] == commit
    assert list(read_html(view)) == [f"Released: {repository.service} 1.2.3 is released"]
    assert f"{repository.service}: publish chart" in read_junit(view).passed
    assert read_buildlog(view).highlighted[-1] == released.lines[-1]
    assert read_links(view)["Commit"].endswith(f"/{repository.name}/commit/{commit}")
    containers = read_podinfo(view)
    assert {"test", "sidecar", "clonerefs", "initupload", "place-entrypoint"} == set(containers)
    assert all("with exit code 0" in container["Status"] for container in containers.values())
    assert containers["test"]["Image"] == prow.prow.place.image
    assert containers["test"]["Decorated Command"] == "ack-release run"


def test_rerun_by_a_click(prow: ProwHarness, chromium: Browser) -> None:
    """The Rerun button of a release's page starts the job again, which then has nothing to send."""
    repository = prow.repository()
    released = prow.release(repository, TAG)
    address = str(released.document["status"]["url"])
    until(lambda: f'"{released.name}"' in fetch(address), pause=LOOK_SECONDS)
    show_page(chromium, address)
    chromium.value("[...document.querySelectorAll('#header-title i')].find(one => one.innerText === 'refresh').click()")
    chromium.value("document.querySelector('#rerun .modal-content a button').click()")
    again = prow.ended(until(lambda: next(iter(named(prow, repository) - {released.name}), None), pause=LOOK_SECONDS))
    assert again.state == "success"
    assert "nothing to send" in again.lines[-1]
