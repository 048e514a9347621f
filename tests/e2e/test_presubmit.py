"""A pull request checked before it is merged: what tagging it would release, or why it could not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.git import git
from testbed.monorepo import open_monorepo, rows, write
from testbed.presubmits import Presubmit, clone_by_prow, presubmit_environment
from testbed.release_harness import PROGRAM, Ended, ReleaseHarness, go_environment, run_program
from tests.support.bundles import open_bundle
from tests.support.registry import crane_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from testbed.sample_controller import Edit

WRITES = "POST|PUT|PATCH"
CHART = "helm/Chart.yaml"
VALUES = "helm/values.yaml"


@pytest.fixture(scope="module", autouse=True)
def _clonerefs() -> None:
    require_tool("clonerefs")


@pytest.fixture
def presubmit(harness: ReleaseHarness) -> Presubmit:
    return Presubmit(harness)


def check(ended: Ended, code: int, error: str) -> None:
    """A check that failed: one highlighted line, and the same error in the record."""
    assert ended.code == code, ended.out + ended.err
    assert [line for line in ended.errors if f"code={error}" in line], ended.out
    assert ended.record["error"]["code"] == error


def reason(ended: Ended) -> str:
    """Why the only service is released or not."""
    [row] = ended.record["services"]
    return str(row["reason"])


def test_a_release_is_planned_before_its_tag(presubmit: Presubmit, harness: ReleaseHarness) -> None:
    """A pull request with a new version gets the plan that the run of its tag would make, and nothing is written."""
    head = presubmit.open("1.3.0")
    ended = presubmit.plan()
    assert (ended.code, ended.errors) == (0, []), ended.out
    assert set(ended.actions) == {"ack/controller:widget-v1.3.0", "ack/chart:widget-v1.3.0", "ack/widget-chart:1.3.0"}
    assert set(ended.actions.values()) == {"publish"}
    assert reason(ended) == "there is no tag v1.3.0 yet"
    record = ended.record
    assert (record["as_tag"], record["version"], record["path"]) == ("from-chart", "1.3.0", "release")
    assert (record["ref"], record["settings"]["as tag"]["from"]) == ("main", "option --as-tag")
    assert record["commit"] not in {head, harness.repository.resolve("refs/heads/main")}
    assert record["pulls"] == [{"number": "1", "commit": head}]
    assert "pulls=1" in ended.lines[0]
    assert "as_tag=from-chart" in ended.lines[0]
    assert harness.proxy.count(WRITES) == 0
    planned = {step["name"] for step in record["steps"] if step["outcome"] == "passed"}
    assert {"chart", "export", "tools"} <= planned

    harness.repository.release("1.3.0")
    tagged = harness.run("v1.3.0", command="plan")
    assert tagged.record["entries"] == record["entries"]


def test_json_says_what_it_was_planned_as(presubmit: Presubmit) -> None:
    """The JSON document holds the option and each service's version."""
    presubmit.open("1.3.0")
    document = presubmit.plan("--json").plan
    assert document["as_tag"] == "from-chart"
    assert [(row["name"], row["version"]) for row in document["services"]] == [("widget", "1.3.0")]


def test_a_change_without_a_new_version_releases_nothing(presubmit: Presubmit, harness: ReleaseHarness) -> None:
    """A change of the code alone passes with the reason, asks the registry nothing and runs neither helm nor go."""
    presubmit.open(edits={"README.md": "# Better\n"})
    ended = presubmit.plan()
    assert (ended.code, ended.errors) == (0, []), ended.out
    assert reason(ended) == "v1.2.3 is already tagged, with this chart"
    assert ended.record["warnings"] == []
    assert "this change releases nothing" in ended.lines[-1]
    assert [line for line in ended.lines if "not released" in line and "v1.2.3 is already tagged" in line]
    assert ended.record["tools"] == {}
    assert harness.proxy.count() == 0


def test_a_change_of_the_chart_without_a_new_version_is_warned_of(presubmit: Presubmit) -> None:
    """A chart that changes under a released version passes, with a warning that this is not released."""
    presubmit.open(edits={VALUES: lambda text: f"{text}# more\n"})
    ended = presubmit.plan()
    assert (ended.code, ended.errors) == (0, []), ended.out
    [warning] = ended.record["warnings"]
    assert "the chart differs from that of v1.2.3" in warning
    assert f"until version in {CHART} is raised" in warning
    assert [line for line in ended.lines if warning[:40] in line]


def test_what_earlier_changes_did_to_the_chart_is_no_later_ones_warning(
    presubmit: Presubmit, harness: ReleaseHarness
) -> None:
    """A change of the code alone is not warned of the chart that was changed before."""
    harness.repository.commit("Change the chart", {VALUES: lambda text: f"{text}# more\n"})
    presubmit.open(edits={"README.md": "# Better\n"})
    ended = presubmit.plan()
    assert (ended.code, ended.record["warnings"]) == (0, [])
    assert reason(ended) == "v1.2.3 is already tagged: nothing is released until the version is raised"


def test_a_stable_chart_on_another_branch_releases_nothing(presubmit: Presubmit) -> None:
    """A pull request to main that gives the chart the version of stable's passes with the reason."""
    presubmit.open(edits={CHART: lambda text: text.replace("version: v1.2.3", "version: v1-stable", 1)})
    ended = presubmit.plan()
    assert (ended.code, ended.errors) == (0, []), ended.out
    assert "v1-stable" in reason(ended)


def test_a_change_of_stable_is_planned_as_its_move(presubmit: Presubmit, harness: ReleaseHarness) -> None:
    """A pull request to stable plans the move that its merge would be, and writes nothing."""
    assert harness.run("v1.2.3").code == 0
    harness.repository.stable("1.2.3")
    presubmit.base = "stable"
    presubmit.open(edits={VALUES: lambda text: f"{text}# more\n"})
    writes = harness.proxy.count(WRITES)
    ended = presubmit.plan()
    assert (ended.code, ended.errors) == (0, []), ended.out
    assert (ended.record["path"], ended.record["as_tag"], ended.record["version"]) == ("stable", "from-chart", "1.2.3")
    assert [name.rpartition(":")[2] for name in ended.actions if name.endswith("-stable")] == [
        "widget-v1-stable",
        "v1-stable",
    ]
    assert set(ended.actions.values()) == {"publish"}
    assert harness.proxy.count(WRITES) == writes


def test_a_change_of_stable_before_its_image_shows(presubmit: Presubmit, harness: ReleaseHarness) -> None:
    """A pull request to stable whose image is not in the registry is exit 4 before the merge."""
    harness.repository.stable("1.2.3")
    presubmit.base = "stable"
    presubmit.open(edits={VALUES: lambda text: f"{text}# more\n"})
    check(presubmit.plan(), 4, "stable-image-absent")


def test_a_change_that_would_move_stable_backwards_shows(presubmit: Presubmit, harness: ReleaseHarness) -> None:
    """A pull request to stable that points it at an older image is exit 5 before the merge."""
    harness.repository.release("1.3.0")
    for version in ("1.2.3", "1.3.0"):
        assert harness.run(f"v{version}").code == 0
    harness.repository.stable("1.3.0")
    assert harness.run("stable").code == 0
    harness.repository.stable("1.2.3")
    presubmit.base = "stable"
    presubmit.open(edits={VALUES: lambda text: f"{text}# more\n"})
    check(presubmit.plan(), 5, "stable-backwards")


@pytest.mark.parametrize(
    ("edits", "error", "says"),
    [
        pytest.param(
            {VALUES: lambda text: text.replace("widget-v1.3.0", "widget-v1.2.3")},
            "chart-disagrees",
            "widget-v1.2.3",
            id="values of the old image",
        ),
        pytest.param(
            {CHART: lambda text: text.replace("appVersion: v1.3.0", "appVersion: v1.2.3")},
            "chart-disagrees",
            "app",
            id="appVersion of the old release",
        ),
        pytest.param(
            {CHART: lambda text: text.replace("version: v1.3.0", "version: v1.3", 1)},
            "chart-disagrees",
            "MAJOR.MINOR.PATCH",
            id="a version of two numbers",
        ),
        pytest.param(
            {CHART: lambda text: text.replace("name: widget-chart", "name: gadget-chart")},
            "chart-disagrees",
            "gadget-chart",
            id="another name",
        ),
        pytest.param({CHART: "a: [\n"}, "chart-missing", "cannot be read", id="no YAML"),
        pytest.param({CHART: None}, "chart-missing", f"no {CHART}", id="no chart"),
        pytest.param(
            {"helm/templates/deployment.yaml": lambda text: text.replace("kind: Deployment", "kind: {{ fail `no` }}")},
            "chart-unusable",
            "helm",
            id="a template that fails",
        ),
    ],
)
def test_a_chart_that_could_not_be_released_shows(
    presubmit: Presubmit, edits: Mapping[str, Edit], error: str, says: str
) -> None:
    """A chart that disagrees with its own version, or that helm refuses, is exit 4 before the merge."""
    presubmit.open("1.3.0", edits=edits)
    ended = presubmit.plan()
    check(ended, 4, error)
    assert says in ended.errors[0]


def test_a_version_that_is_published_already_shows(presubmit: Presubmit, harness: ReleaseHarness) -> None:
    """A version without a tag whose names hold another commit's content is exit 5 before the merge."""
    harness.repository.release("1.3.0")
    assert harness.run("v1.3.0").code == 0
    harness.repository.git("reset", "--quiet", "--hard", "refs/tags/v1.2.3")
    harness.repository.git("tag", "--delete", "v1.3.0")
    presubmit.open("1.3.0")
    ended = presubmit.plan()
    check(ended, 5, "already-published")
    assert "refuse" in set(ended.actions.values())


def test_a_version_whose_tag_is_elsewhere_shows(presubmit: Presubmit, harness: ReleaseHarness) -> None:
    """A version that another branch released with another chart is exit 5: its tag cannot be pushed again."""
    harness.repository.release("1.3.0", edits={VALUES: lambda text: f"{text}# other\n"})
    harness.repository.git("reset", "--quiet", "--hard", "refs/tags/v1.2.3")
    presubmit.open("1.3.0")
    ended = presubmit.plan()
    check(ended, 5, "version-taken")
    assert "v1.3.0 is already tagged at " in ended.errors[0]


def test_a_check_that_is_repeated_after_the_release(presubmit: Presubmit, harness: ReleaseHarness) -> None:
    """The same pull request checked again, once it is merged and tagged, releases nothing more."""
    base = harness.repository.resolve("refs/heads/main")
    presubmit.open("1.3.0")
    harness.repository.git("merge", "--quiet", "--no-ff", "--message", "Merge", "refs/heads/change-1")
    harness.repository.git("tag", "v1.3.0")
    presubmit.refs = {"base_sha": base}
    ended = presubmit.plan()
    assert (ended.code, ended.errors) == (0, []), ended.out
    assert reason(ended) == "v1.3.0 is already tagged, with this chart"


def test_a_version_below_the_highest_is_warned_of(presubmit: Presubmit) -> None:
    """A new version below one that the branch holds passes with a warning."""
    presubmit.open("1.2.0")
    ended = presubmit.plan()
    assert (ended.code, ended.errors) == (0, []), ended.out
    assert [warning for warning in ended.record["warnings"] if "v1.2.0 would come after v1.2.3" in warning]


def test_a_wrong_configuration_shows(presubmit: Presubmit, harness: ReleaseHarness) -> None:
    """What is wrong with jobs.yaml is exit 2 before the merge."""
    harness.config.write_text("registri: h.example/n\n")
    presubmit.open("1.3.0")
    check(presubmit.plan(), 2, "configuration-invalid")


def test_a_given_version_is_planned(presubmit: Presubmit) -> None:
    """With a version, HEAD is planned as if that tag stood on it: a chart of another version is exit 4."""
    presubmit.open("1.3.0")
    fits = presubmit.plan(as_tag="1.3.0")
    assert (fits.code, fits.record["as_tag"], set(fits.actions.values())) == (0, "v1.3.0", {"publish"}), fits.out
    check(presubmit.plan(as_tag="v1.4.0"), 4, "chart-disagrees")
    check(presubmit.plan(as_tag="v1.2.3"), 5, "version-taken")
    check(presubmit.plan(as_tag="v1.4"), 2, "usage-invalid")


def test_pull_requests_are_checked_together(presubmit: Presubmit) -> None:
    """A batch of pull requests, which Prow merges one after the other, is planned as a whole."""
    presubmit.open("1.3.0")
    presubmit.open(edits={"NEWS.md": "More\n"})
    ended = presubmit.plan()
    assert (ended.code, ended.record["version"]) == (0, "1.3.0"), ended.out
    assert "pulls=1,2" in ended.lines[0]


def test_by_hand_on_a_branch(presubmit: Presubmit) -> None:
    """Three variables and a clone are enough to check a branch before its pull request."""
    presubmit.open("1.3.0")
    folder, variables = presubmit.clone()
    smallest = {key: variables[key] for key in ("REPO_OWNER", "REPO_NAME", "PULL_BASE_REF")}
    ended = presubmit.plan(clone=(folder, smallest))
    assert (ended.code, set(ended.actions.values())) == (0, {"publish"}), ended.out


def test_a_clone_without_blobs(presubmit: Presubmit, harness: ReleaseHarness) -> None:
    """A clone that has only HEAD's files, as Prow makes it with blobless_fetch, tells the same."""
    harness.repository.git("config", "uploadpack.allowFilter", "true")
    harness.repository.commit("Describe", {CHART: lambda text: f"{text}# earlier\n"})
    presubmit.refs = {"blobless_fetch": True}
    presubmit.open(edits={VALUES: lambda text: f"{text}# more\n"})
    clone = presubmit.clone()
    harness.repository.folder.rename(harness.folder / "gone")
    ended = presubmit.plan(clone=clone)
    assert (ended.code, ended.errors) == (0, []), ended.out
    assert "the chart differs" in ended.record["warnings"][0]


def test_a_clone_without_its_history(presubmit: Presubmit, harness: ReleaseHarness) -> None:
    """A shallow clone cannot say what is released already, which is exit 3 with the remedy."""
    presubmit.open("1.3.0")
    folder, variables = presubmit.clone()
    shallow = harness.folder / "shallow"
    git(harness.folder, "clone", "--quiet", "--depth=1", f"file://{folder}", str(shallow))
    smallest = {key: variables[key] for key in ("REPO_OWNER", "REPO_NAME", "PULL_BASE_REF")}
    check(presubmit.plan(clone=(shallow, smallest)), 3, "history-missing")


def test_a_clone_of_something_else(presubmit: Presubmit) -> None:
    """A HEAD that does not contain the pull request is exit 3."""
    presubmit.open("1.3.0")
    folder, variables = presubmit.clone()
    git(folder, "checkout", "--quiet", "--detach", "refs/tags/v1.2.3")
    ended = presubmit.plan(clone=(folder, variables))
    check(ended, 3, "not-a-release")
    assert "pull request 1" in ended.errors[0]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_pull_request_is_not_released(presubmit: Presubmit, command: str) -> None:
    """A run, or a plan without the option, refuses a presubmit, and says how a pull request is checked."""
    presubmit.open("1.3.0")
    ended = presubmit.plan(as_tag="", command=command)
    check(ended, 2, "event-invalid")
    assert "plan --as-tag from-chart" in ended.errors[0]


def test_a_run_has_no_such_option(presubmit: Presubmit) -> None:
    """Only plan has --as-tag: a run with it is exit 2."""
    presubmit.open("1.3.0")
    ended = presubmit.plan(command="run")
    assert ended.code == 2
    assert "--as-tag" in ended.err


@pytest.fixture
def several(tmp_path: Path) -> Iterator[Presubmit]:
    """A repository of several services; v1.1.0 released bellows and chisel, v1.2.3 anvil."""
    with open_monorepo(tmp_path, "anvil", "bellows", "chisel", "drill") as harness:
        write(harness, {"bellows": "1.1.0", "chisel": "1.1.0"})
        harness.repository.git("tag", "v1.1.0")
        write(harness, {"anvil": "1.2.3"})
        harness.repository.git("tag", "v1.2.3")
        yield Presubmit(harness)


def test_each_service_has_its_own_version(several: Presubmit) -> None:
    """Of several services those with a new version are planned, each under its own; the others say why not."""
    several.open(bellows="1.3.0", chisel="1.4.0")
    ended = several.plan()
    assert (ended.code, ended.errors) == (0, []), ended.out
    assert rows(ended.record) == {
        "anvil": (False, "v1.2.3 is already tagged, with this chart"),
        "bellows": (True, "there is no tag v1.3.0 yet"),
        "chisel": (True, "there is no tag v1.4.0 yet"),
        "drill": (False, "no services/drill/helm/Chart.yaml in this commit"),
    }
    assert set(ended.actions) == {
        *("ack/bellows-controller:v1.3.0", "ack/bellows-chart:v1.3.0"),
        *("ack/chisel-controller:v1.4.0", "ack/chisel-chart:v1.4.0"),
    }
    assert ended.record["version"] is None
    assert "version=1.3.0,1.4.0" in ended.lines[0]


def test_a_service_that_joins_a_tag_too_late(several: Presubmit) -> None:
    """A version whose tag is there, and released other services only, is exit 5 for the service that takes it."""
    several.open(bellows="1.2.3", chisel="1.4.0")
    ended = several.plan()
    check(ended, 5, "version-taken")
    assert "the chart of bellows has 1.1.0" in ended.errors[0]
    assert {name: selected for name, (selected, _) in rows(ended.record).items() if selected} == {"chisel": True}


def test_one_bad_chart_hides_no_other(several: Presubmit) -> None:
    """A chart that cannot be read is exit 4, and the other services are planned all the same."""
    several.open(chisel="1.4.0", edits={"services/bellows/helm/Chart.yaml": "a: [\n"})
    ended = several.plan()
    check(ended, 4, "chart-missing")
    assert ended.record["error"]["service"] == "bellows"
    assert "ack/chisel-chart:v1.4.0" in ended.actions


def test_a_given_version_that_no_chart_has(several: Presubmit) -> None:
    """With a version, a repository of several services is planned as its tag: one that releases nothing is exit 4."""
    several.open(bellows="1.3.0")
    check(several.plan(as_tag="v9.9.9"), 4, "nothing-in-tag")
    ended = several.plan(as_tag="v1.3.0")
    assert (ended.code, {name for name, (selected, _) in rows(ended.record).items() if selected}) == (0, {"bellows"})


def test_only_what_is_asked_for_is_checked(several: Presubmit) -> None:
    """With --service the others are not judged, whatever their charts say."""
    several.open(chisel="1.4.0", edits={"services/bellows/helm/Chart.yaml": "a: [\n"})
    ended = several.plan("--service", "anvil")
    assert (ended.code, ended.errors) == (0, []), ended.out
    assert rows(ended.record)["bellows"] == (False, "not named by --service")
    assert "this change releases nothing" in ended.lines[-1]


def test_a_repository_without_releases(several: Presubmit) -> None:
    """Where no tag is, every chart counts as new, and a warning says so."""
    for tag in ("v1.1.0", "v1.2.3"):
        several.repository.git("tag", "--delete", tag)
    several.open(edits={"README.md": "# Better\n"})
    ended = several.plan()
    assert (ended.code, len(ended.actions)) == (0, 6), ended.out
    assert [warning for warning in ended.record["warnings"] if "no tags" in warning]


REAL = """\
registry: public.ecr.aws/aws-controllers-k8s
naming: [seed, repo-per-service-v, repo-per-service]
platforms: [linux/amd64]
build: {{base_image: scratch, helm: {helm}}}
services: {{s3: {{}}, ecr: {{}}}}
"""


@pytest.mark.parametrize(("service", "version"), [("s3", "1.10.0"), ("ecr", "1.8.1")])
def test_a_real_release_as_its_pull_request(tmp_path: Path, service: str, version: str) -> None:
    """A real controller's release, proposed on the commit before it, is planned; once it is tagged, nothing is."""
    origin = open_bundle(service, tmp_path / "origin")
    config = tmp_path / "jobs.yaml"
    config.write_text(REAL.format(helm=require_tool("helm4")))
    head = origin.resolve(f"refs/tags/v{version}^{{commit}}")
    refs = {
        "org": origin.owner,
        "repo": origin.name,
        "repo_link": f"https://{origin.path}",
        "clone_uri": origin.url,
        "base_ref": "main",
        "base_sha": origin.resolve(f"{head}^"),
        "pulls": [{"number": 1, "author": "somebody", "sha": head}],
    }
    tagged, untagged = tmp_path / "tagged", tmp_path / "untagged"
    clone_by_prow(tagged, refs)
    origin.git("tag", "--delete", f"v{version}")
    clone_by_prow(untagged, refs)
    with crane_registry(tmp_path / "registry") as registry:
        ended = [
            run_program(
                *(PROGRAM, "plan", "--as-tag", "from-chart", "--config", config),
                *("--registry", f"{registry.host}/staging", "--artifacts", root / "artifacts"),
                env={**go_environment(), **presubmit_environment(refs), "ARTIFACTS": str(root / "artifacts")},
                cwd=root / "src" / origin.path,
            )
            for root in (tagged, untagged)
        ]
    assert [one.code for one in ended] == [0, 0], [one.out for one in ended]
    assert reason(ended[0]) == f"v{version} is already tagged, with this chart"
    assert (ended[1].record["version"], set(ended[1].actions.values())) == (version, {"publish"})
