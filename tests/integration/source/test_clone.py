from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import (
    CheckoutMissing,
    HistoryMissing,
    NoReleaseMerged,
    NotARelease,
    ReleaseError,
    StableIsATag,
    TagMoved,
    ToolUnusable,
)
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children, Finished
from runner.runtime.workspace import child_environment
from runner.source.clone import Clone, Head, find_clone, open_clone
from runner.source.event import Event, read_event
from runner.source.route import ReleasePath, Route, StablePath, decide_route
from testbed.files import tree_of
from testbed.git import git
from testbed.origin import Origin, clone_refs, make_origin, push_environment
from testbed.processes import ProgramFailed
from testbed.sample_controller import OWNER
from tests.support.bundles import open_bundle

if TYPE_CHECKING:
    from pathlib import Path

STRANGER = 12345


@dataclass
class CloneHarness:
    """One test's folders, and the runner's own way to git in them; counts the programs that it starts."""

    folder: Path
    origin: Origin
    started: int = 0

    def __post_init__(self) -> None:
        self._run = Children(Lifetime()).run

    @property
    def root(self) -> Path:
        """Where clonerefs clones to."""
        return self.folder / "root"

    def environment(self, *safe: Path) -> dict[str, str]:
        """What the runner gives its children."""
        return child_environment({"PATH": os.environ["PATH"]}, self.folder / "work", safe)

    def run(self, argv: Any, **settings: Any) -> Finished:
        """Run a program as the runner does."""
        self.started += 1
        return self._run(argv, **settings)

    def event(self, ref: str, sha: str, **members: Any) -> Event:
        """What Prow says of a push of this ref."""
        return read_event(push_environment(self.origin, ref, sha, **members))

    def read(self, ref: str, sha: str, **clone: Any) -> Clone:
        """Clone as Prow does for a push, take the origin away, and read the clone as the runner does."""
        clone_refs(self.root, self.origin, ref, sha, **clone)
        return self.reread(ref, sha)

    def reread(self, ref: str, sha: str) -> Clone:
        """Read the clone once more; there is nothing to fetch from."""
        hidden = self.origin.folder.rename(self.origin.folder.with_name("hidden"))
        event = self.event(ref, sha)
        folder = find_clone(event, self.root, self.folder)
        try:
            return self.open(folder, event)
        finally:
            hidden.rename(self.origin.folder)

    def open(self, folder: Path, event: Event) -> Clone:
        """Read the clone in a folder."""
        return open_clone(folder, self.run, self.environment(folder), ref=event.base_ref, sha=event.base_sha)

    def route(self, ref: str, sha: str, **clone: Any) -> Route:
        """Decide the route of a push."""
        return decide_route(self.event(ref, sha), self.read(ref, sha, **clone).head)

    def refused(self, error: type[ReleaseError], ref: str, sha: str, **clone: Any) -> ReleaseError:
        """Return the refusal of a push."""
        with pytest.raises(error) as caught:
            self.route(ref, sha, **clone)
        return caught.value


@pytest.fixture
def harness(tmp_path: Path) -> CloneHarness:
    return CloneHarness(tmp_path, make_origin(tmp_path / "origin"))


@pytest.fixture
def origin(harness: CloneHarness) -> Origin:
    """A repository with the releases 1.2.3 (annotated), 1.10.0 (lightweight) and a commit after them on main."""
    harness.origin.commit("Begin", {"README.md": "# widget\n"})
    harness.origin.commit("Release 1.2.3", {"helm/Chart.yaml": "version: 1.2.3\n", "helm/values.yaml": "tag: 1.2.3\n"})
    harness.origin.tag("v1.2.3")
    harness.origin.commit("Release 1.10.0", {"helm/Chart.yaml": "version: 1.10.0\n"})
    harness.origin.tag("v1.10.0", annotated=False)
    harness.origin.commit("Go on", {"README.md": "# more\n"})
    return harness.origin


def stable(origin: Origin, at: str = "refs/tags/v1.2.3", **files: str) -> str:
    """Put one commit on top of a release on the branch stable."""
    origin.switch("stable", at)
    commit = origin.commit("Stable chart", {"helm/Chart.yaml": "version: v1-stable\n", **files})
    origin.git("checkout", "--quiet", "main")
    return commit


def test_an_annotated_tag_is_peeled(harness: CloneHarness, origin: Origin) -> None:
    """Of an annotated tag Prow gives the tag object, and the release is made of the commit behind it."""
    pushed, commit = origin.resolve("refs/tags/v1.2.3"), origin.resolve("refs/tags/v1.2.3^{commit}")
    clone = harness.read("v1.2.3", pushed)
    assert pushed != commit
    assert (clone.head.commit, clone.head.tag_commit, clone.head.branch_commit) == (commit, commit, commit)
    assert (clone.head.base_sha_commit, clone.head.base_sha_is_tag) == (commit, True)
    assert decide_route(harness.event("v1.2.3", pushed), clone.head) == ReleasePath("1.2.3")


def test_a_lightweight_tag_is_a_release(harness: CloneHarness, origin: Origin) -> None:
    """Of a lightweight tag Prow gives the commit, and that is released."""
    pushed = origin.resolve("refs/tags/v1.10.0")
    clone = harness.read("v1.10.0", pushed)
    assert (clone.head.commit, clone.head.base_sha_commit, clone.head.base_sha_is_tag) == (pushed, pushed, False)
    assert decide_route(harness.event("v1.10.0", pushed), clone.head) == ReleasePath("1.10.0")


def test_a_tag_of_a_tag_is_peeled_to_its_commit(harness: CloneHarness, origin: Origin) -> None:
    """A tag that points at another tag object is followed to the commit."""
    pushed = origin.tag("v1.2.4", "v1.2.3")
    assert harness.route("v1.2.4", pushed) == ReleasePath("1.2.4")


def test_everything_is_read_of_head(harness: CloneHarness, origin: Origin) -> None:
    """Folder, time, history, tags and the clean work tree of a clone are read as they are."""
    commit = stable(origin)
    clone = harness.read("stable", commit)
    assert clone.folder == (harness.root / "src/github.com" / OWNER / "widget-controller").resolve()
    assert clone.head == Head(
        commit=commit,
        commit_time=datetime(2026, 1, 5, 14, tzinfo=UTC),
        tag_commit=None,
        branch_commit=commit,
        base_sha_commit=commit,
        base_sha_is_tag=False,
        shallow=False,
        has_tags=True,
        merged_tags=("v1.2.3",),
        trailers=(),
        changed=(),
    )


def test_stable_stands_for_the_highest_release_in_it(harness: CloneHarness, origin: Origin) -> None:
    """The version of stable is the highest release merged into it by its numbers, not the nearest or the newest tag."""
    origin.tag("v1.9.9", "main~3")
    assert harness.route("stable", stable(origin, "main")) == StablePath(1, "1.10.0")


def test_releases_beside_stable_do_not_count(harness: CloneHarness, origin: Origin) -> None:
    """A release that is not merged into stable is not what stable stands for."""
    assert harness.route("stable", stable(origin, "refs/tags/v1.2.3")) == StablePath(1, "1.2.3")


def test_other_tags_do_not_count_for_stable(harness: CloneHarness, origin: Origin) -> None:
    """Pre-releases and tags that are no semantic versions are passed over, however near or high they are."""
    commit = stable(origin)
    for name in ("v2.0.0-rc.1", "v2", "v2.0", "2.0.0", "v02.0.0", "nightly", "charts/v9.9.9", "v9.9.9+build"):
        origin.tag(name, commit)
    assert harness.route("stable", commit) == StablePath(1, "1.2.3")


@pytest.mark.parametrize("annotated", [True, False], ids=["annotated", "lightweight"])
def test_a_tag_called_stable_is_refused(harness: CloneHarness, origin: Origin, *, annotated: bool) -> None:
    """The push of a tag called stable moves nothing."""
    pushed = origin.tag("stable", "refs/tags/v1.2.3", annotated=annotated)
    error = harness.refused(StableIsATag, "stable", pushed)
    assert origin.resolve("refs/tags/v1.2.3^{commit}") in error.cause


def test_a_branch_stable_at_the_commit_of_a_tag_stable_is_refused(harness: CloneHarness, origin: Origin) -> None:
    """When branch and tag of that name are at one commit, nobody can tell which was pushed."""
    commit = stable(origin)
    origin.tag("stable", commit)
    harness.refused(StableIsATag, "stable", commit)


def test_a_stale_tag_stable_elsewhere_is_no_obstacle(harness: CloneHarness, origin: Origin) -> None:
    """A tag called stable at another commit does not stop the branch."""
    origin.tag("stable", "main~1")
    commit = stable(origin)
    assert harness.route("stable", commit) == StablePath(1, "1.2.3")


@pytest.mark.parametrize("ref", ["unstable", "stable-2", "release/v1.2.3", "v1.2", "main"])
def test_other_branches_are_refused(harness: CloneHarness, origin: Origin, ref: str) -> None:
    """A branch with another name is no release, however much it looks like one."""
    error = harness.refused(NotARelease, ref, origin.branch(ref) if ref != "main" else origin.resolve("HEAD"))
    assert ref in error.cause


@pytest.mark.parametrize("ref", ["v1.2.3-rc.1", "v1.2.3.4", "1.2.3", "nightly"])
def test_other_tags_are_refused(harness: CloneHarness, origin: Origin, ref: str) -> None:
    """A tag with another name is no release, pre-releases included."""
    assert ref in harness.refused(NotARelease, ref, origin.tag(ref)).cause


def test_a_branch_named_like_a_release_is_refused(harness: CloneHarness, origin: Origin) -> None:
    """A branch v3.0.0 gives the same event and the same clone as a tag would, and is told apart."""
    assert "branch" in harness.refused(NotARelease, "v3.0.0", origin.branch("v3.0.0")).cause


def test_a_branch_named_like_an_older_tag_is_refused(harness: CloneHarness, origin: Origin) -> None:
    """A push to a branch v1.2.3 is not a release of the tag v1.2.3, which is at another commit."""
    error = harness.refused(TagMoved, "v1.2.3", origin.branch("v1.2.3", "main"))
    assert origin.resolve("refs/tags/v1.2.3^{commit}") in error.cause
    assert origin.resolve("refs/heads/main") in error.cause


def test_a_branch_beside_the_tag_does_not_confuse(harness: CloneHarness, origin: Origin) -> None:
    """When the repository also has a branch named like the tag, the tag is still what is released."""
    origin.branch("v1.2.3", "main")
    assert harness.route("v1.2.3", origin.resolve("refs/tags/v1.2.3")) == ReleasePath("1.2.3")


def test_a_tag_that_moved_since_the_push_is_refused(harness: CloneHarness, origin: Origin) -> None:
    """A rerun after the tag was moved finds the pushed commit checked out and the tag elsewhere."""
    pushed, first = origin.resolve("refs/tags/v1.2.3"), origin.resolve("refs/tags/v1.2.3^{commit}")
    origin.tag("v1.2.3", "main")
    error = harness.refused(TagMoved, "v1.2.3", pushed)
    assert first in error.cause
    assert origin.resolve("refs/heads/main") in error.cause


def test_a_tag_that_was_made_anew_on_its_commit_is_released(harness: CloneHarness, origin: Origin) -> None:
    """A rerun after the tag object was replaced, on the same commit, releases that commit."""
    pushed = origin.resolve("refs/tags/v1.2.3")
    origin.tag("v1.2.3", "v1.2.3^{commit}", annotated=False)
    assert harness.route("v1.2.3", pushed) == ReleasePath("1.2.3")


def test_a_tag_that_was_deleted_since_the_push_is_refused(harness: CloneHarness, origin: Origin) -> None:
    """A rerun after the tag was deleted releases nothing."""
    pushed = origin.resolve("refs/tags/v1.2.3")
    clone_refs(harness.root, origin, "v1.2.3", pushed)
    git(harness.root / "src" / origin.path, "tag", "--delete", "v1.2.3")
    with pytest.raises(TagMoved, match="no longer exists"):
        decide_route(harness.event("v1.2.3", pushed), harness.reread("v1.2.3", pushed).head)


def test_a_shallow_clone_cannot_tell_stable(harness: CloneHarness, origin: Origin) -> None:
    """With clone_depth the releases in stable are unknown: refused, even where a tag happens to be in reach."""
    commit = stable(origin)
    error = harness.refused(HistoryMissing, "stable", commit, depth=2)
    assert "shallow" in error.cause
    assert "clone_depth" in error.remedy


def test_a_shallow_clone_of_a_tag_is_enough(harness: CloneHarness, origin: Origin) -> None:
    """A tag needs no history."""
    clone = harness.read("v1.2.3", pushed := origin.resolve("refs/tags/v1.2.3"), depth=1)
    assert clone.head.shallow
    assert decide_route(harness.event("v1.2.3", pushed), clone.head) == ReleasePath("1.2.3")


def test_a_clone_without_tags_cannot_tell_stable(harness: CloneHarness, origin: Origin) -> None:
    """With skip_fetch_head no tags are cloned, and stable is refused with the remedy."""
    error = harness.refused(HistoryMissing, "stable", stable(origin), skip_fetch_head=True)
    assert "no tags" in error.cause
    assert "skip_fetch_head" in error.remedy


def test_a_clone_without_tags_cannot_tell_a_tag(harness: CloneHarness, origin: Origin) -> None:
    """With skip_fetch_head a release tag cannot be told from a branch, and the remedy names the setting."""
    annotated = harness.refused(HistoryMissing, "v1.2.3", origin.resolve("refs/tags/v1.2.3"), skip_fetch_head=True)
    assert "skip_fetch_head" in annotated.remedy


def test_a_lightweight_tag_that_was_not_cloned_is_refused(harness: CloneHarness, origin: Origin) -> None:
    """Without tags a lightweight tag looks like a branch; the remedy names both ways out."""
    error = harness.refused(NotARelease, "v1.10.0", origin.resolve("refs/tags/v1.10.0"), skip_fetch_head=True)
    assert "skip_fetch_head" in error.remedy


def test_a_stable_without_any_release_is_refused(harness: CloneHarness) -> None:
    """When tags are there, but none that is a release is merged into stable, nothing can be published."""
    harness.origin.commit("Begin", {"README.md": "x"})
    harness.origin.tag("v1.0.0-rc.1")
    commit = stable(harness.origin, "main")
    harness.refused(NoReleaseMerged, "stable", commit)


def test_a_repository_without_tags_is_refused(harness: CloneHarness) -> None:
    """A repository that never had a tag has no stable."""
    harness.origin.commit("Begin", {"README.md": "x"})
    harness.refused(HistoryMissing, "stable", stable(harness.origin, "main"))


@pytest.mark.parametrize("ref", ["v1.2.3", "stable"])
def test_a_blobless_clone_is_enough(harness: CloneHarness, origin: Origin, ref: str) -> None:
    """With blobless_fetch all is read offline: no object is fetched, and unknown commits are just unknown."""
    commit = stable(origin)
    pushed = commit if ref == "stable" else origin.resolve("refs/tags/v1.2.3")
    clone = harness.read(ref, pushed, blobless=True)
    assert decide_route(harness.event(ref, pushed), clone.head).version == "1.2.3"
    assert git(clone.folder, "rev-list", "--objects", "--all", "--missing=print").count("?") > 0
    assert clone.files(["README.md"]) == {"README.md": b"# widget\n"}
    assert clone.contains(origin.resolve("main~3"))
    assert not clone.contains("1" * 40)


def test_a_pushed_commit_that_is_not_in_the_clone_is_unknown(harness: CloneHarness, origin: Origin) -> None:
    """When the clone is not of this push, what was pushed is unknown and the refusal names both commits."""
    commit = stable(origin)
    clone_refs(harness.root, origin, "stable", commit)
    clone = harness.reread("stable", "1" * 40)
    assert clone.head.base_sha_commit is None
    with pytest.raises(NotARelease, match=f"(?s){'1' * 40}.*{commit}"):
        decide_route(harness.event("stable", "1" * 40), clone.head)


def test_a_clone_that_went_on_is_not_what_was_pushed(harness: CloneHarness, origin: Origin) -> None:
    """When somebody committed in the clone, HEAD is not what was pushed."""
    commit = stable(origin)
    folder = clone_refs(harness.root, origin, "stable", commit)
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Local")
    with pytest.raises(NotARelease, match=commit):
        decide_route(harness.event("stable", commit), harness.reread("stable", commit).head)


def test_without_a_commit_given_the_branch_must_be_checked_out(harness: CloneHarness, origin: Origin) -> None:
    """With the smallest environment, the branch stable of the clone is compared with HEAD."""
    folder = clone_refs(harness.root, origin, "stable", stable(origin))
    event = replace(harness.event("stable", "1" * 40), base_sha=None)
    assert decide_route(event, harness.open(folder, event).head) == StablePath(1, "1.2.3")
    git(folder, "checkout", "--quiet", "--detach", "HEAD~1")
    with pytest.raises(NotARelease):
        decide_route(event, harness.open(folder, event).head)


def test_replaced_and_grafted_history_is_not_believed(harness: CloneHarness, origin: Origin) -> None:
    """Replacement objects and grafts in the clone do not change what is merged into HEAD."""
    commit = stable(origin)
    folder = clone_refs(harness.root, origin, "stable", commit)
    main = origin.resolve("refs/heads/main")
    git(folder, "replace", commit, main)
    (folder / ".git/info/grafts").write_text(f"{commit} {main}\n")
    clone = harness.reread("stable", commit)
    assert (clone.head.commit, clone.head.merged_tags) == (commit, ("v1.2.3",))
    assert not clone.contains(main)


def test_trailers_are_those_of_git(harness: CloneHarness, origin: Origin) -> None:
    """Trailers are read from the end of HEAD's message only, in order, unfolded, with their colons."""
    origin.switch("stable", "refs/tags/v1.2.3")
    commit = origin.commit(
        "Move back\n\nNot-A-Trailer: here\n\nSome words.\n\n"
        "Stable-Move: backwards\nSee: https://example.invalid/x\nWhy: a long\n  story\n"
        "Signed-off-by: Ö <o@example.invalid>"
    )
    assert harness.read("stable", commit).head.trailers == (
        ("Stable-Move", "backwards"),
        ("See", "https://example.invalid/x"),
        ("Why", "a long story"),
        ("Signed-off-by", "Ö <o@example.invalid>"),
    )


def test_a_dirty_tree_is_listed_and_left_as_it_is(harness: CloneHarness, origin: Origin) -> None:
    """Changed, new, renamed and removed paths are named as they are; files are read at HEAD; nothing is written."""
    pushed = origin.resolve("refs/tags/v1.2.3")
    folder = clone_refs(harness.root, origin, "v1.2.3", pushed)
    (folder / "helm/Chart.yaml").write_text("version: 6.6.6\n")
    git(folder, "mv", "helm/values.yaml", "moved.yaml")
    os.utime(folder / "README.md", (1, 1))
    (folder / "new folder").mkdir()
    (folder / "new folder/äö\n.txt").write_text("x")
    before = tree_of(folder / ".git")
    clone = harness.reread("v1.2.3", pushed)
    assert sorted(clone.head.changed) == ["helm/Chart.yaml", "helm/values.yaml", "moved.yaml", "new folder/"]
    files = clone.files(["helm/Chart.yaml", "moved.yaml"])
    assert files == {"helm/Chart.yaml": b"version: 1.2.3\n", "moved.yaml": None}
    assert tree_of(folder / ".git") == before
    assert decide_route(harness.event("v1.2.3", pushed), clone.head) == ReleasePath("1.2.3")


def test_a_clone_is_opened_without_a_push(harness: CloneHarness, origin: Origin) -> None:
    """Who asks of no push learns what HEAD is, and nothing of a ref."""
    folder = clone_refs(harness.root, origin, "v1.2.3", origin.resolve("refs/tags/v1.2.3"))
    head = open_clone(folder, harness.run, harness.environment(folder)).head
    assert head.commit == origin.resolve("refs/tags/v1.2.3^{commit}")
    assert (head.tag_commit, head.branch_commit, head.base_sha_commit, head.base_sha_is_tag) == (
        None,
        None,
        None,
        False,
    )
    assert head.merged_tags == ("v1.2.3",)


def test_the_list_of_changes_has_an_end(harness: CloneHarness, origin: Origin) -> None:
    """Of very many changes the first are named."""
    pushed = origin.resolve("refs/tags/v1.2.3")
    folder = clone_refs(harness.root, origin, "v1.2.3", pushed)
    for number in range(50):
        (folder / f"new-{number:02}").touch()
    assert harness.reread("v1.2.3", pushed).head.changed == tuple(f"new-{number:02}" for number in range(20))


@pytest.mark.parametrize("ours", ["artifacts", "out/deep/layout", ":(glob)*", "a b/[x]", "ä"])
@pytest.mark.parametrize("beside", [False, True])
def test_what_this_program_writes_is_no_change(
    harness: CloneHarness, origin: Origin, ours: str, *, beside: bool
) -> None:
    """Folders of ours do not count, however deep and however named; what is beside them does."""
    folder = clone_refs(harness.root, origin, "v1.2.3", origin.resolve("refs/tags/v1.2.3"))
    (folder / ours).mkdir(parents=True)
    (folder / ours / "record.json").touch()
    if beside:
        (folder / ours).with_name("else").touch()
    head = open_clone(folder, harness.run, harness.environment(folder), ours=[folder / ours, folder.parent]).head
    assert bool(head.changed) is beside


def test_the_clone_itself_is_no_folder_of_ours(harness: CloneHarness, origin: Origin) -> None:
    """Who writes a layout into the top of the clone still learns what differs there."""
    folder = clone_refs(harness.root, origin, "v1.2.3", origin.resolve("refs/tags/v1.2.3"))
    (folder / "new").touch()
    assert open_clone(folder, harness.run, harness.environment(folder), ours=[folder]).head.changed == ("new",)


def test_times_of_a_copied_tree_are_no_change(harness: CloneHarness, origin: Origin) -> None:
    """Files with other times and the same content are not reported as changed."""
    pushed = origin.resolve("refs/tags/v1.2.3")
    folder = clone_refs(harness.root, origin, "v1.2.3", pushed)
    os.utime(folder / "README.md", (1, 1))
    assert harness.reread("v1.2.3", pushed).head.changed == ()


@pytest.mark.parametrize(
    "configuration",
    [
        pytest.param({"core.fsmonitor": "{spy}"}, id="fsmonitor"),
        pytest.param({"gpg.program": "{spy}", "log.showSignature": "true"}, id="signatures"),
        pytest.param({"core.pager": "{spy}", "pager.rev-list": "true", "pager.status": "true"}, id="pager"),
        pytest.param(
            {"core.sshCommand": "{spy}", "remote.x.url": "ssh://x/y", "remote.x.promisor": "true"}, id="remote"
        ),
        pytest.param(
            {"i18n.logOutputEncoding": "latin1", "status.relativePaths": "false", "color.ui": "always"}, id="output"
        ),
        pytest.param({"status.showUntrackedFiles": "no", "core.excludesFile": os.devnull}, id="untracked"),
    ],
)
def test_the_clones_configuration_runs_nothing_and_changes_nothing(
    harness: CloneHarness, origin: Origin, tmp_path: Path, configuration: dict[str, str]
) -> None:
    """No program that the clone's configuration names is started, and what is read stays the same."""
    commit = stable(origin)
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
    spy.chmod(0o755)
    folder = clone_refs(harness.root, origin, "stable", commit)
    (folder / "new.txt").touch()
    plain = harness.reread("stable", commit)
    for key, value in configuration.items():
        git(folder, "config", key, value.format(spy=spy))
    assert harness.reread("stable", commit) == plain
    assert plain.head.changed == ("new.txt",)
    assert not plain.contains("1" * 40)
    assert not (tmp_path / "called").exists()


def test_a_tree_of_another_user_is_read(harness: CloneHarness, origin: Origin) -> None:
    """Git's refusal of a tree that another user owns does not stop the runner, and the tree is not dirty for it."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a tree to another user")
    pushed = origin.resolve("refs/tags/v1.2.3")
    folder = clone_refs(harness.root, origin, "v1.2.3", pushed)
    give_away(folder)
    with pytest.raises(ProgramFailed, match="dubious ownership"):
        git(folder, "status")
    clone = harness.reread("v1.2.3", pushed)
    assert decide_route(harness.event("v1.2.3", pushed), clone.head) == ReleasePath("1.2.3")
    assert clone.head.changed == ()
    plain = harness.run(["git", "status", "--short"], env=harness.environment(folder), cwd=folder)
    assert (plain.stdout, plain.stderr) == ("", "")


def give_away(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.lchown(path, STRANGER, STRANGER)


def test_few_programs_are_started(harness: CloneHarness, origin: Origin) -> None:
    """A clone is read by four calls of git, and files by one, however many they are; by two where some are absent."""
    clone = harness.read("v1.2.3", origin.resolve("refs/tags/v1.2.3"))
    assert harness.started == 4
    clone.files([f"file-{number}" for number in range(100)])
    assert harness.started == 6


def test_files_are_read_at_head(harness: CloneHarness, origin: Origin) -> None:
    """Bytes are those of the commit; links are followed inside it; what is no file there is None."""
    origin.commit(
        "Files",
        {"binary": b"\x00\xff\r\n\n", "empty": b"", "with space": "x missing", "no-end": "blob 5", "deep/er/file": "y"},
    )
    (origin.folder / "link").symlink_to("deep/er/file")
    (origin.folder / "out").symlink_to("/etc/hostname")
    (origin.folder / "nowhere").symlink_to("gone")
    (origin.folder / "loop").symlink_to("loop")
    origin.commit("Links")
    clone = harness.read("v2.0.0", origin.tag("v2.0.0"))
    expected: dict[str, bytes | None] = {
        "binary": b"\x00\xff\r\n\n",
        "gone": None,
        "empty": b"",
        "with space": b"x missing",
        "deep": None,
        "deep/er/file": b"y",
        "deep/er/file/further": None,
        "link": b"y",
        "out": None,
        "nowhere": None,
        "loop": None,
        "../outside": None,
        "a\nb": None,
        "": None,
        "no-end": b"blob 5",
    }
    assert clone.files([*expected, "empty"]) == expected
    assert clone.files([]) == {}


@pytest.mark.parametrize(
    ("name", "answer"),
    [("HEAD", True), ("HEAD~1", True), ("main~3", True), ("main", False), ("refs/tags/v1.10.0", False)],
)
def test_ancestors_are_known(harness: CloneHarness, origin: Origin, name: str, *, answer: bool) -> None:
    """A commit in HEAD's history, HEAD included, is an ancestor, and another is not."""
    clone = harness.read("v1.2.3", origin.resolve("refs/tags/v1.2.3"))
    folder = clone.folder if name.startswith("HEAD") else origin.folder
    commit = git(folder, "rev-parse", name)
    assert clone.contains(commit) is answer


@pytest.mark.parametrize("name", ["HEAD", "main", "--help", "", "1" * 40, "1" * 39, "v1.2.3", "1" * 64])
def test_what_is_no_known_commit_is_no_ancestor(harness: CloneHarness, origin: Origin, name: str) -> None:
    """Only full commit ids are taken: an annotation in a registry may hold anything."""
    clone = harness.read("v1.2.3", origin.resolve("refs/tags/v1.2.3"))
    assert not clone.contains(name)


def test_without_git_the_remedy_says_so(harness: CloneHarness, origin: Origin, tmp_path: Path) -> None:
    """A runner without git on its PATH is refused with that reason."""
    folder = clone_refs(harness.root, origin, "v1.2.3", pushed := origin.resolve("refs/tags/v1.2.3"))
    with pytest.raises(ToolUnusable, match="git") as caught:
        open_clone(folder, harness.run, {"PATH": str(tmp_path)}, ref="v1.2.3", sha=pushed)
    assert "PATH" in caught.value.remedy


@pytest.mark.parametrize("state", ["no commit", "broken"])
def test_a_clone_that_git_cannot_read_is_refused(harness: CloneHarness, origin: Origin, state: str) -> None:
    """A clone without a commit, or that is damaged, is refused with git's own words, not looked for further up."""
    pushed = origin.resolve("refs/tags/v1.2.3")
    clone_refs(harness.folder, origin, "v1.2.3", pushed, path_alias="outer")
    folder = harness.folder / "src/outer/widget-controller"
    folder.mkdir()
    git(folder, "init", "--quiet")
    if state == "broken":
        (folder / ".git/HEAD").unlink()
    with pytest.raises(CheckoutMissing, match="widget-controller") as caught:
        harness.open(folder, harness.event("v1.2.3", pushed))
    assert caught.value.detail


def test_a_linked_work_tree_is_a_checkout(harness: CloneHarness, origin: Origin) -> None:
    """A work tree that git worktree added is read like the clone that it belongs to."""
    pushed = origin.resolve("refs/tags/v1.2.3")
    folder = clone_refs(harness.root, origin, "main", origin.resolve("refs/heads/main"), depth=1)
    git(folder, "worktree", "add", "--quiet", "--detach", str(harness.folder / "linked"), pushed)
    event = harness.event("v1.2.3", pushed)
    found = find_clone(event, harness.folder / "linked", harness.folder)
    clone = harness.open(found, event)
    assert (clone.head.shallow, clone.head.changed) == (True, ())
    assert decide_route(event, clone.head) == ReleasePath("1.2.3")


@pytest.fixture
def two(harness: CloneHarness, origin: Origin) -> tuple[Path, Path]:
    """The clones of the pushed repository and of one that extra_refs puts beside it."""
    other = make_origin(harness.folder / "other", name="test-infra")
    sha = other.commit("Begin", {"config/jobs.yaml": "registry: example.invalid/x\n"})
    main = clone_refs(harness.root, origin, "v1.2.3", origin.resolve("refs/tags/v1.2.3"))
    return main, clone_refs(harness.root, other, "main", sha)


def both(harness: CloneHarness, *, refs: dict[str, Any] | None = None) -> Event:
    other = Origin(harness.folder / "other", OWNER, "test-infra")
    sha = harness.origin.resolve("refs/tags/v1.2.3")
    return read_event(push_environment(harness.origin, "v1.2.3", sha, other, refs=refs))


@pytest.mark.parametrize("start", ["main", "main/helm", "beside", "beside/config"])
def test_of_two_clones_side_by_side_the_pushed_one_is_found(
    harness: CloneHarness, two: tuple[Path, Path], start: str
) -> None:
    """From inside either clone, the one that the event names is found."""
    which, _, below = start.partition("/")
    current = {"main": two[0], "beside": two[1]}[which] / below
    assert find_clone(both(harness), None, current) == two[0]


@pytest.mark.parametrize("workspace", ["root", "root/src/github.com/owner", "clone"])
def test_the_workspace_is_tried_in_three_ways(harness: CloneHarness, two: tuple[Path, Path], workspace: str) -> None:
    """--workspace may be clonerefs' root, the folder that the clone stands in, or the clone."""
    folder = {"root": harness.root, "root/src/github.com/owner": two[0].parent, "clone": two[0]}[workspace]
    assert find_clone(both(harness), folder, two[1]) == two[0]


def test_a_path_alias_is_where_the_clone_is(harness: CloneHarness, origin: Origin) -> None:
    """With path_alias the clone is found there, from the root and from inside it."""
    pushed = origin.resolve("refs/tags/v1.2.3")
    folder = clone_refs(harness.root, origin, "v1.2.3", pushed, path_alias="k8s.io/widget")
    event = both(harness, refs={"path_alias": "k8s.io/widget"})
    assert find_clone(event, harness.root, harness.folder) == folder
    assert find_clone(event, None, folder / "helm") == folder


def test_clones_side_by_side_outside_clonerefs_root_are_found(harness: CloneHarness, two: tuple[Path, Path]) -> None:
    """Where the clones stand in any one folder, the one that extra_refs does not name is found from the other."""
    for folder in two:
        folder.rename(harness.folder / f"flat-{folder.name}")
    flat = harness.folder / "flat"
    flat.mkdir()
    for folder in two:
        (harness.folder / f"flat-{folder.name}").rename(flat / folder.name)
    assert find_clone(both(harness), None, flat / "test-infra") == flat / "widget-controller"
    assert find_clone(both(harness), None, flat) == flat / "widget-controller"
    assert find_clone(both(harness), flat, harness.folder) == flat / "widget-controller"


def test_another_repositorys_clone_is_not_taken_for_the_pushed_one(
    harness: CloneHarness, two: tuple[Path, Path]
) -> None:
    """Inside an extra clone whose neighbour is missing, nothing is found rather than the wrong one."""
    two[0].rename(harness.folder / "away")
    with pytest.raises(CheckoutMissing) as caught:
        find_clone(both(harness), None, two[1])
    assert any(str(two[0]) in line for line in caught.value.detail)


def test_the_current_clone_is_taken_under_any_name(harness: CloneHarness, origin: Origin) -> None:
    """Without extra_refs, the clone around the current folder is meant, whatever its folder is called."""
    pushed = origin.resolve("refs/tags/v1.2.3")
    folder = clone_refs(harness.root, origin, "v1.2.3", pushed)
    renamed = folder.rename(harness.folder / "my clone")
    assert find_clone(harness.event("v1.2.3", pushed), None, renamed / "helm") == renamed


def test_an_empty_folder_is_no_checkout(harness: CloneHarness, origin: Origin) -> None:
    """Folders that are no work tree are passed over, and the refusal lists where a clone was looked for."""
    event = harness.event("v1.2.3", origin.resolve("refs/tags/v1.2.3"))
    (harness.root / "src" / origin.path).mkdir(parents=True)
    with pytest.raises(CheckoutMissing, match=f"{OWNER}/{origin.name}") as caught:
        find_clone(event, harness.root, harness.folder)
    assert len(caught.value.detail) == 3
    assert "--workspace" in caught.value.remedy


def test_a_workspace_behind_a_link_is_resolved(harness: CloneHarness, two: tuple[Path, Path]) -> None:
    """The folder that is found has no symbolic links in it, as git compares its safe.directory with."""
    link = harness.folder / "link"
    link.symlink_to(harness.root)
    assert find_clone(both(harness), link, harness.folder) == two[0].resolve()


@pytest.mark.parametrize(("service", "version"), [("s3", "0.1.4"), ("ecr", "0.1.5")])
def test_real_stable_branches_resolve(harness: CloneHarness, service: str, version: str) -> None:
    """The stable branches of real controllers stand for the v0 release that they were cut from."""
    real = CloneHarness(harness.folder, open_bundle(service, harness.folder / "real"))
    assert real.route("stable", real.origin.resolve("refs/heads/stable")) == StablePath(0, version)


def test_real_releases_are_released(harness: CloneHarness) -> None:
    """A real annotated tag and a real lightweight one take the release path in a clone of the whole history."""
    origin = open_bundle("s3", harness.folder / "real")
    for tag, kind in (("v1.10.0", "tag"), ("v0.0.3", "commit")):
        pushed = origin.resolve(f"refs/tags/{tag}")
        assert origin.git("cat-file", "-t", pushed) == kind
        assert CloneHarness(harness.folder / tag, origin).route(tag, pushed) == ReleasePath(tag[1:])


def test_objects_are_named_by_tag_commit_and_folder(harness: CloneHarness, origin: Origin) -> None:
    """Tags give their commits, folders of any commit their trees, and what is not there nothing."""
    clone = harness.read("v1.10.0", origin.resolve("refs/tags/v1.10.0"))
    names = (
        "refs/tags/v1.2.3^{commit}",
        "refs/tags/v1.2.3^{commit}:helm",
        f"{clone.head.commit}:helm",
        "refs/tags/v9.9.9^{commit}",
        "refs/tags/v9.9.9^{commit}:helm",
        f"{clone.head.commit}:services/s3/helm",
    )
    found = clone.resolve(names)
    assert found == {name: origin.resolve(name) for name in names[:3]} | dict.fromkeys(names[3:])
    assert len(set(found.values())) == 4


def test_files_of_another_commit(harness: CloneHarness, origin: Origin) -> None:
    """A file is read as it is at another commit; None where it is not there."""
    clone = harness.read("v1.10.0", origin.resolve("refs/tags/v1.10.0"))
    at = origin.resolve("refs/tags/v1.2.3^{commit}")
    files = clone.files(["helm/Chart.yaml", "new"], at=at)
    assert files == {"helm/Chart.yaml": b"version: 1.2.3\n", "new": None}


def test_other_commits_of_a_clone_without_blobs(harness: CloneHarness, origin: Origin) -> None:
    """A blobless clone has the trees of every commit, and of other commits no files; nothing is fetched for either."""
    clone = harness.read("v1.10.0", origin.resolve("refs/tags/v1.10.0"), blobless=True)
    at = origin.resolve("refs/tags/v1.2.3^{commit}")
    origin.folder.rename(origin.folder.with_name("gone"))
    folder = f"{at}:helm"
    assert clone.resolve([folder])[folder] is not None
    assert clone.files(["helm/Chart.yaml"], at=at) == {"helm/Chart.yaml": None}
