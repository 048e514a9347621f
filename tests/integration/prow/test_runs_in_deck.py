"""What Prow's own Deck shows of runs: each lens of the generated configuration, read from its HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from selectolax.lexbor import LexborHTMLParser

from hack.deck_pictures import RELEASE_PAGE, fit, show_page
from testbed.browser import Browser, browser
from testbed.paths import BUILT
from testbed.prow.deck import ADDRESS
from testbed.prow.example_runs import EXAMPLE_RUNS, deck_with_example_runs
from testbed.prow.web import BELOW
from tests.support.deck import View, read_buildlog, read_html, read_junit, read_links, read_metadata, read_view
from tests.support.tools import require_deck_pages, require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.exclusive

PROGRAMS = ("crane", "helm4", "moto_server", "clonerefs", "initupload", "entrypoint", "sidecar", "deck")


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, View]]:
    """The pages of runs that ended in every way."""
    assert {require_tool(name).parent for name in PROGRAMS} == {BUILT}
    with deck_with_example_runs(tmp_path_factory.mktemp("deck"), require_deck_pages(), tools=BUILT) as addresses:
        yield {name: read_view(address) for name, address in addresses.items()}


def test_every_run_has_every_lens_that_it_leaves_files_for(views: Mapping[str, View]) -> None:
    """Each page has the lenses of the generated configuration, in the order that a reader needs them."""
    for view in views.values():
        assert tuple(view.lenses) == ("metadata", "html", "junit", "buildlog", "links")


def test_what_was_released_is_seen_at_once(views: Mapping[str, View]) -> None:
    """A green log is not folded away whole: its last highlighted line names all that was released, by digest."""
    for name, result, names in (
        ("released", "widget 1.2.3 (release, 3 tags written)", 3),
        ("released before", "widget 1.2.3 (release, nothing to send)", 3),
        ("stable moved", "widget 1.2.3 (stable, 4 tags written)", 4),
    ):
        log = read_buildlog(views[name])
        [*_, line] = log.highlighted
        assert line.startswith(f"RELEASED: {result} ")
        assert line.count("@sha256:") == names
        assert "event=started" in log.highlighted[0]


def test_a_green_run_is_told_in_cases_and_metadata(views: Mapping[str, View]) -> None:
    """Cases are the steps, each passed or skipped with its reason; metadata says what was released from where."""
    cases = read_junit(views["released"])
    assert not cases.failed
    assert {"run: checkout", "widget: build", "widget: publish chart", "run: verify"} <= set(cases.passed)
    assert read_junit(views["released before"]).skipped == ("widget: plan Reason: everything is published already",)
    told = read_metadata(views["released"])
    assert " passed after " in told.summary
    assert told.table["Result"] == "3 tags written"
    assert (told.table["ref"], told.table["version"]) == ("v1.2.3", "1.2.3")
    [*_, line] = read_buildlog(views["released"]).highlighted
    image = told.table["image controller:widget-v1.2.3"]
    assert image.startswith("written (not in the registry): ")
    assert image.rpartition(" ")[2] in line


def test_the_release_page_says_how_to_pull_what_was_released(views: Mapping[str, View]) -> None:
    """Deck frames release.html under its own title; it pulls by the digests that the build log's line has."""
    [(title, text)] = read_html(views["released"]).items()
    assert title == "Released: widget 1.2.3 is released"
    assert text.startswith("✓ Released widget 1.2.3 is released 3 tags written to ")
    [*_, line] = read_buildlog(views["released"]).highlighted
    image, chart, _ = line.split()[-3:]
    for command, name in (("docker pull ", image), ("helm pull oci://", chart)):
        repository, _, digest = name.partition("@")
        assert f"{command}{repository.rpartition(':')[0]}@{digest}" in text
    [title] = read_html(views["released before"])
    assert title == "Nothing to send: widget 1.2.3 is already released"
    [title] = read_html(views["stable moved"])
    assert title == "Released: widget stable moved to 1.2.3"


def test_the_release_page_leads_to_its_job(views: Mapping[str, View]) -> None:
    """The page of every run, a check's too, links to Deck's page of that very run, by the address that JOB_SPEC has."""
    for view in views.values():
        [frame] = view.lens("html").css("iframe")
        page = LexborHTMLParser(str(frame.attributes["srcdoc"]))
        [link] = [link for link in page.css(".facts a") if link.text().startswith("widget-release")]
        assert link.attributes["href"] == f"{ADDRESS}/view/{view.source}"
        assert link.attributes["target"] == "_blank"


def test_links_lead_to_the_commit_and_the_tag(views: Mapping[str, View]) -> None:
    """Each run links to the commit that was built and to the tag, whatever came of it."""
    repository = "https://github.com/aws-controllers-k8s/widget-controller"
    for name, tag in (("released", "v1.2.3"), ("stable moved", "v1.2.3"), ("does not compile", "v1.4.0")):
        commit = read_metadata(views[name]).table["commit"]
        assert read_links(views[name]) == {
            "Commit": f"{repository}/commit/{commit}",
            "Tag": f"{repository}/releases/tag/{tag}",
        }


def test_a_check_says_what_the_merge_would_release(views: Mapping[str, View]) -> None:
    """The page of a check that passed shows the plan's line, the plan, and where the pull request is."""
    view = views["check passed"]
    [*_, line] = read_buildlog(view).highlighted
    assert line.endswith('event="plan done" summary="planned, nothing was changed: 3 to publish, 0 to skip"')
    [(title, text)] = read_html(view).items()
    assert title == "Planned: widget 1.6.0 can be released"
    assert "controller:widget-v1.6.0○ to publishnot in the registry" in text
    assert not read_junit(view).failed
    assert read_metadata(view).table["pull request"].startswith("1 at ")
    # The commit that Prow merges for the check is in no repository.
    assert read_links(view) == {"Pull request": "https://github.com/aws-controllers-k8s/widget-controller/pull/1"}


@dataclass(frozen=True)
class Failure:
    """A run that fails, in the words of its page: where, why, what to do, what stands near that, and its title."""

    where: str
    cause: str
    remedy: str
    near: str
    title: str


FAILURES: Mapping[str, Failure] = {
    "wrong image": Failure(
        "widget: describe",
        "helm/values.yaml:3: image.repository and image.tag name ",
        "Regenerate the release artifacts for this version, commit them, and tag that commit",
        near="seed accepts ",
        title="Refused: widget 1.3.0 was refused",
    ),
    "does not compile": Failure(
        "widget: build",
        "cmd/controller does not compile for linux/amd64: cmd/controller/main.go:16:2: undefined: Parse",
        "Repair the source, commit, and tag that commit with the next version.",
        near="cmd/controller/main.go:16:2: undefined: Parse",
        title="Failed: widget 1.4.0 was not released",
    ),
    "too slow": Failure(
        "widget: build",
        "the run was ended by SIGINT during build of widget",
        "Rerun the job: it completes the release, and what is published is not sent again.",
        near=f"Process did not finish before {EXAMPLE_RUNS['too slow'].timeout:.0f}s timeout",
        title="Stopped: The release of widget 1.5.0 was stopped",
    ),
    "aborted": Failure(
        "widget: build",
        "the run was ended by SIG",
        "Rerun the job: it completes the release, and what is published is not sent again.",
        near="Entrypoint received interrupt: terminated",
        title="Stopped: The release of widget 1.5.0 was stopped",
    ),
    "check failed": Failure(
        "widget: describe",
        "helm/values.yaml:3: image.repository and image.tag name ",
        "Regenerate the release artifacts for this version, commit them, and tag that commit",
        near="seed accepts ",
        title="Refused: widget 1.6.0 cannot be released",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_log_says_what_where_and_what_to_do(views: Mapping[str, View], name: str) -> None:
    """Who reads only the lines that are not folded sees the error highlighted, with step, cause and remedy."""
    log, failure = read_buildlog(views[name]), FAILURES[name]
    [error] = [line for line in log.highlighted if line.startswith("ERROR: ")]
    assert failure.cause in error
    assert failure.remedy in error
    service, _, step = failure.where.partition(": ")
    assert f"service={service}" in error
    assert f"step={step}" in error or f"during {step} of {service}" in error
    [number] = [number for number, line in log.shown.items() if line == error]
    assert any(
        failure.near in log.shown.get(beside, "") for beside in range(number - 5, number + 6) if beside != number
    )
    assert not [line for line in log.shown.values() if line.startswith("RELEASED:")]


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_step_is_told_in_cases_and_metadata(views: Mapping[str, View], name: str) -> None:
    """One case failed, with cause and remedy; metadata begins with them, and with the step."""
    failure, cases, told = FAILURES[name], read_junit(views[name]), read_metadata(views[name])
    [(case, text)] = cases.failed.items()
    assert case == failure.where
    assert failure.cause in text
    assert failure.remedy in text
    assert "<nil>" not in text
    assert " failed after " in told.summary
    rows = list(told.table)
    assert rows[2:6] == ["Cause", "Remedy", "Result", "Step"]
    assert failure.cause in told.table["Cause"]
    assert failure.remedy in told.table["Remedy"]
    service, _, step = failure.where.partition(": ")
    assert told.table["Step"] == f"{step} of {service}"


@pytest.mark.parametrize("name", FAILURES)
def test_the_release_page_of_a_failure_begins_with_cause_and_remedy(views: Mapping[str, View], name: str) -> None:
    """Before anything of the plan and the steps, release.html says what went wrong where, and what to do."""
    failure = FAILURES[name]
    service, _, step = failure.where.partition(": ")
    [(title, text)] = read_html(views[name]).items()
    assert title == failure.title
    first = text.partition("This run")[0]
    assert f"What went wrong at {step} of {service} {failure.cause}" in first
    assert f"What to do now {failure.remedy}" in first


@pytest.fixture(scope="module")
def chromium(views: Mapping[str, View]) -> Iterator[Browser]:
    """A browser that reaches nothing but this machine, as a person's without internet."""
    assert views
    require_tool("chromium")
    require_tool("chromedriver")
    with browser("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", log_requests=True) as made:
        yield made


def path_of(address: str) -> str:
    """The path in an address."""
    return urlsplit(address).path


@pytest.mark.parametrize("page", ["jobs", "run"])
def test_pages_need_no_other_host(chromium: Browser, views: Mapping[str, View], page: str) -> None:
    """A page and the lenses in it ask this machine alone for what they need, and get all of it, icons and styles."""
    chromium.requests()
    show_page(chromium, ADDRESS if page == "jobs" else f"{ADDRESS}/view/{views['does not compile'].source}")
    requests = [one for one in chromium.requests() if one.address.startswith("http")]
    got = {one.address for one in requests if one.problem is None}
    # The page asks for a lens twice where its place changes while it loads; the first request is then given up.
    assert [one for one in requests if one.address not in got] == []
    assert {urlsplit(address).hostname for address in got} == {"127.0.0.1"}
    hosts = {path.removeprefix(BELOW).split("/")[1] for path in map(path_of, got) if path.startswith(f"{BELOW}/")}
    assert hosts == {"fonts.googleapis.com", "code.getmdl.io"}


def test_lenses_have_their_icons_and_styles(chromium: Browser, views: Mapping[str, View]) -> None:
    """In the frame of a lens the styles are applied, and an icon's name is drawn as the icon, which is square."""
    show_page(chromium, f"{ADDRESS}/view/{views['does not compile'].source}")
    for lens in ("metadata", "html", "junit", "buildlog", "links"):
        frame = f"document.querySelector('iframe[data-lens-name={lens}]').contentDocument"
        loaded = chromium.value(f"[...{frame}.styleSheets].filter((one) => one.cssRules.length).length")
        assert loaded >= 4
        families = chromium.value(f"[...{frame}.fonts].map((one) => one.family.replaceAll('\"', ''))")
        assert {"Roboto", "Material Icons"} <= set(families)
    icon = f"{RELEASE_PAGE}.querySelector('.material-icons')"
    width, height = (chromium.value(f"{icon}.getBoundingClientRect().{size}") for size in ("width", "height"))
    assert width == pytest.approx(height, abs=1)


def test_the_list_of_jobs_is_filled_in(chromium: Browser) -> None:
    """Deck's own script writes a row for each run, in Deck's own style, with a link to the run's page."""
    show_page(chromium, ADDRESS)
    rows = chromium.value("[...document.querySelectorAll('#builds tbody tr')].map(row => row.innerText)")
    assert len(rows) == len(EXAMPLE_RUNS)
    assert all("widget-release" in row for row in rows)
    assert chromium.value("document.querySelectorAll('#builds a[href*=\"/view/s3/prow/logs/\"]').length")
    # Deck's indigo would come from another host, as would the font of its text and that of its icons.
    assert chromium.value("getComputedStyle(document.querySelector('header')).backgroundColor") == "rgb(63, 81, 181)"
    for font in ("Roboto", "Material Icons"):
        assert chromium.value(
            f"[...document.fonts].some(one => one.family.includes('{font}') && one.status === 'loaded')"
        )


def test_hidden_lines_are_shown_when_asked_for(chromium: Browser, views: Mapping[str, View]) -> None:
    """Each lens appears in its frame, and the build log's script fetches the lines that were folded away."""
    view = views["stable moved"]
    show_page(chromium, f"{ADDRESS}/view/{view.source}")
    frame = "document.querySelector(\"iframe[data-lens-name='buildlog']\").contentDocument"
    lines = f"{frame}.querySelectorAll('.linetext').length"
    before = chromium.value(lines)
    assert "step=access" not in chromium.value(f"{frame}.body.innerText")
    chromium.value(f"{frame}.querySelector('.show-all-button').click()")
    fit(chromium)
    assert chromium.value(lines) == before + sum(read_buildlog(view).folded) - 1
    assert "step=access" in chromium.value(f"{frame}.body.innerText")


def test_the_release_page_opens_as_high_as_it_is(chromium: Browser, views: Mapping[str, View]) -> None:
    """A click on its title opens release.html in Deck's page; all of it is seen, and nothing scrolls sideways."""
    show_page(chromium, f"{ADDRESS}/view/{views['released'].source}")
    frame = "document.querySelector('iframe[data-lens-name=html]').contentDocument.querySelector('iframe')"
    assert chromium.value(f"{frame}.getBoundingClientRect().height") == 0
    chromium.value(f"{RELEASE_PAGE}.click()")
    fit(chromium)
    height, needed = (
        chromium.value(f"{frame}.{size}")
        for size in ("getBoundingClientRect().height", "contentDocument.documentElement.scrollHeight")
    )
    assert 500 < needed <= height
    assert chromium.value(f"{frame}.contentDocument.documentElement.scrollWidth <= {frame}.clientWidth")


def test_every_example_is_judged(views: Mapping[str, View]) -> None:
    """Each run that is made is one that these tests judge."""
    assert set(views) == set(EXAMPLE_RUNS) == {"released", "released before", "stable moved", "check passed", *FAILURES}
