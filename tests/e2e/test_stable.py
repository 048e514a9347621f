"""The stable path from end to end: chart only, behind an image that answers, forwards only."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from testbed.registry_clients import crane
from testbed.release_harness import ReleaseHarness, open_harness
from tests.support.refusals import check_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STABLE, ALIAS = "ack/chart:widget-v1-stable", "ack/widget-chart:v1-stable"
HISTORY = re.compile(r"(?:ack/chart:widget-v1-stable|ack/widget-chart:v1-stable)-\d{8}T\d{6}Z-[0-9a-f]{7}")


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ReleaseHarness]:
    with open_harness(tmp_path) as made:
        assert made.run("v1.2.3").code == 0
        made.proxy.clear()
        yield made


def test_stable_moves_the_chart_and_builds_nothing(harness: ReleaseHarness) -> None:
    """A push to stable publishes the branch's chart under the moving names with a history each; no image is touched."""
    harness.repository.stable("1.2.3")
    ended = harness.run("stable")
    assert (ended.code, ended.errors) == (0, []), ended.out
    moving = {name for name in ended.actions if not HISTORY.fullmatch(name)}
    assert moving == {STABLE, ALIAS}
    assert len(ended.actions) == 4
    assert len(set(ended.digests.values())) == 1
    assert harness.proxy.count("PUT", r"/ack/controller/") == 0
    chart = json.loads(crane("manifest", "--insecure", f"{harness.host}/{STABLE}"))
    annotations = chart["annotations"]
    assert annotations["dev.ack.release.version"] == "1.2.3"
    assert annotations["dev.ack.release.resolved-version"] == "1.2.3"
    assert annotations["org.opencontainers.image.version"] == "v1-stable"
    assert "go" not in ended.record["tools"]


def test_stable_twice_sends_nothing_the_second_time(harness: ReleaseHarness) -> None:
    """A rerun of a stable that was moved writes nothing, not even history."""
    harness.repository.stable("1.2.3")
    first = harness.run("stable")
    harness.proxy.clear()
    again = harness.run("stable")
    assert again.code == 0
    assert harness.proxy.writes == ()
    assert set(again.actions.values()) == {"skip"}
    assert again.digests[STABLE] == first.digests[STABLE]


def test_stable_of_a_plain_version_tags_the_release_chart_itself(harness: ReleaseHarness) -> None:
    """A branch at the release commit packages the release's own chart, so that very manifest becomes stable."""
    harness.repository.git("branch", "stable", "refs/tags/v1.2.3^{commit}")
    ended = harness.run("stable")
    assert ended.code == 0, ended.out
    released = crane("digest", "--insecure", f"{harness.host}/ack/chart:widget-v1.2.3").strip()
    assert ended.digests[STABLE] == ended.digests[ALIAS] == released
    harness.proxy.clear()
    assert harness.run("stable").code == 0
    assert harness.proxy.writes == ()


def test_stable_does_not_move_backwards(harness: ReleaseHarness) -> None:
    """An older image on stable is exit 5 and writes nothing; the old chart's job, rerun, moves nothing back."""
    harness.repository.stable("1.2.3")
    old = harness.clone("stable")
    harness.repository.release("1.3.0")
    assert harness.run("v1.3.0").code == 0
    harness.repository.stable("1.3.0")
    assert harness.run("stable").code == 0
    harness.proxy.clear()
    ended = harness.run("stable", clone=old)
    check_refusal(ended, 5, "stable-backwards", "newer than this chart")
    assert harness.proxy.writes == ()


def test_stable_moves_backwards_when_the_commit_asks_for_it(harness: ReleaseHarness) -> None:
    """A commit with the trailer Stable-Move: backwards that follows the published one moves stable back."""
    harness.repository.release("1.3.0")
    assert harness.run("v1.3.0").code == 0
    harness.repository.stable("1.3.0")
    assert harness.run("stable").code == 0
    harness.repository.git("checkout", "--quiet", "stable")
    older = {
        "helm/Chart.yaml": lambda text: text.replace("appVersion: v1.3.0", "appVersion: v1.2.3"),
        "helm/values.yaml": lambda text: text.replace("widget-v1.3.0", "widget-v1.2.3"),
    }
    harness.repository.commit("Go back to 1.2.3\n\nStable-Move: backwards", older)
    harness.repository.git("checkout", "--quiet", "main")
    ended = harness.run("stable")
    assert ended.code == 0, ended.out
    assert any("moves backwards" in note for note in ended.record["notes"])
    chart = json.loads(crane("manifest", "--insecure", f"{harness.host}/{STABLE}"))
    assert chart["annotations"]["dev.ack.release.version"] == "1.2.3"
    assert harness.run("stable").code == 0


@pytest.mark.parametrize("written", [1, 2, 3])
def test_a_move_that_was_cut_short_is_finished_with_the_same_history(harness: ReleaseHarness, written: int) -> None:
    """Ended after any of its tags, a move is completed by a rerun, which reuses the history that is there."""
    harness.repository.stable("1.2.3")
    harness.proxy.fail(403, method="PUT", path=r"/manifests/[^/:]*$", skip=written)
    assert harness.run("stable").code == 8
    harness.proxy.clear()
    ended = harness.run("stable")
    assert ended.code == 0, ended.out
    for repository, name in (("chart", "widget-v1-stable"), ("widget-chart", "v1-stable")):
        tags = crane("ls", "--insecure", f"{harness.host}/ack/{repository}").split()
        assert [tag for tag in tags if tag == name] == [name]
        assert len([tag for tag in tags if tag.startswith(f"{name}-2")]) == 1


def test_an_image_newer_than_the_resolved_release_is_refused(harness: ReleaseHarness) -> None:
    """A chart on stable whose image is newer than the newest release merged is exit 4."""
    change = {
        "helm/Chart.yaml": lambda text: text.replace("appVersion: v1.2.3", "appVersion: v1.9.0"),
        "helm/values.yaml": lambda text: text.replace("widget-v1.2.3", "widget-v1.9.0"),
    }
    harness.repository.stable("1.2.3", edits=change)
    check_refusal(harness.run("stable"), 4, "stable-disagrees", "newer than the newest release merged")
    assert harness.proxy.writes == ()


def test_stable_in_a_layout_folder_looks_the_image_up(harness: ReleaseHarness, tmp_path: Path) -> None:
    """With --to-layout the image must answer in the registry, the chart goes to the folder, and nothing is sent."""
    harness.repository.stable("1.2.3")
    folder = tmp_path / "layout"
    ended = harness.run("stable", "--to-layout", str(folder))
    assert ended.code == 0, ended.out
    assert harness.proxy.writes == ()
    assert harness.proxy.count("GET", r"/ack/controller/manifests/") > 0
    names = [
        entry["annotations"]["org.opencontainers.image.ref.name"]
        for entry in json.loads((folder / "index.json").read_text())["manifests"]
    ]
    assert f"{harness.host}/{STABLE}" in names
