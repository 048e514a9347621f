"""Prepares a release: its artifacts, checked as its job would, on a branch that is pushed and proposed for review.

Everything is tried in a copy of the clone first. Only what passed reaches the clone and the remote, the work tree last,
so a step that fails leaves both as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.author.artifacts import write_artifacts
from runner.author.clone import Where, list_remote, open_author_clone, repository_of
from runner.author.commit import commit_artifacts, remove_branch
from runner.author.decide import (
    Branch,
    BranchTask,
    after_dry_run,
    after_prepare,
    commit_message,
    judge_branch,
    release_branch,
    taken,
    to_push,
)
from runner.author.files import check_changed, release_patterns
from runner.author.git import WITHOUT_HOOKS
from runner.author.numbering import check_next, read_version
from runner.author.outcome import NextStep, Outcome
from runner.author.planned import Planning, check_selected, plan_as_tag
from runner.author.pull_request import GitHub, PullRequest
from runner.author.remotes import choose_remote, compare_url
from runner.author.services import named_services, read_config
from runner.author.trial import open_trial
from runner.author.view import tree_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.author.clone import AuthorClone
    from runner.author.outcome import Did, Output
    from runner.author.remotes import RemoteRefs, Repository
    from runner.author.trial import Trial
    from runner.config.load import Service
    from runner.session import Session
    from runner.versions import ReleaseVersion


@dataclass(frozen=True)
class Preparation:
    """What an author asks for.

    Attributes:
        services: whose artifacts are written, by name.
        version: of the release, as written.
        where: in which repository.
        planning: how it is checked.
        push_remote: where the branch is pushed to; None for the author's own fork, where they have one.
        dry_run: whether nothing is changed.
        push: whether the branch is pushed.
        propose: whether a pull request is opened.
        whole_diff: whether the whole difference is shown, and not only which files it is in.
        arguments: the command line that does the same without a dry run.
    """

    services: Sequence[str]
    version: str
    where: Where = field(default_factory=Where)
    planning: Planning = field(default_factory=Planning)
    push_remote: str | None = None
    dry_run: bool = False
    push: bool = True
    propose: bool = True
    whole_diff: bool = False
    arguments: Sequence[str] = ()


@dataclass(frozen=True)
class Destination:
    """Where the branch is pushed to: a remote, whose repository it is, and what it holds."""

    remote: str
    repository: Repository
    refs: RemoteRefs


@dataclass(frozen=True)
class Release:
    """A release that is prepared: its version, whose it is, and where its branch goes."""

    version: ReleaseVersion
    services: tuple[Service, ...]
    destination: Destination

    @property
    def branch(self) -> str:
        """The short name of its branch."""
        return release_branch(self.version)

    @property
    def words(self) -> str:
        """The branch, where it goes and what it holds."""
        names = ", ".join(service.name for service in self.services)
        return f"{self.branch} to {self.destination.remote}, with the artifacts of {names}"

    def outcome(
        self,
        did: Did,
        words: str,
        commit: str | None,
        *,
        next_step: NextStep,
        pull_request: str | None = None,
    ) -> Outcome:
        """What came of it."""
        return Outcome(
            did,
            words,
            version=str(self.version),
            services=tuple(service.name for service in self.services),
            ref=f"refs/heads/{self.branch}",
            commit=commit,
            pull_request=pull_request,
            next=next_step,
        )


def prepare_release(wanted: Preparation, session: Session, output: Output) -> Outcome | None:
    """Do steps 1 to 4 of the release process.

    Args:
        wanted: what is asked for.
        session: what it works in; what the plan has against the release is recorded in it.
        output: where the author sees artifacts and progress.

    Returns:
        What was done; None where the plan has something against it.

    Raises:
        ReleaseError: it cannot be done; clone and remote are as they were, unless the error says what is left.
    """
    version = read_version(wanted.version)
    config = read_config(wanted.planning.config)
    clone = open_author_clone(session, wanted.where, output)
    services = named_services(config, clone.repository.name, wanted.services)
    clone.check_clean()
    there = clone.refs.tags.get(version.tag)
    if there is not None:
        raise taken(version, there, clone.base_commit)
    check_next(version, clone.refs.released)
    release = Release(version, services, _destination(clone, wanted.push_remote))

    trial = open_trial(clone)
    trial.check_out(clone.base_commit, release.branch)
    write_artifacts(trial, services, version, config)
    trial.commit(commit_message(version))
    changed = trial.differing(clone.base_commit, "HEAD")
    check_changed(changed, release_patterns(services, config.prepare.files))
    _show_artifacts(trial, services, whole_diff=wanted.whole_diff)
    output.tell(f"planning {version.tag} as its job would")
    if not plan_as_tag(trial, version.tag, wanted.planning):
        return None
    check_selected(services, version.tag, session)

    if not changed:
        words = f"{clone.base} of {clone.remote} holds the artifacts of {version.tag} already"
        following = NextStep(f"pull {clone.base} and tag it", ("ack-release", "tag", version.tag))
        return release.outcome("nothing", words, clone.base_commit, next_step=following)
    task = judge_branch(release.branch, release.destination.remote, *_branches(trial, release))
    if wanted.dry_run and task is not BranchTask.NOTHING:
        words = f"would {task.value if wanted.push else BranchTask.COMMIT.value.partition(',')[0]}: {release.words}"
        return release.outcome("dry-run", words, None, next_step=after_dry_run(wanted.arguments))
    return _carry_out(task, trial, release, wanted)


def _show_artifacts(trial: Trial, services: Sequence[Service], *, whole_diff: bool) -> None:
    """Show each chart's files, and what differs from the base."""
    for service in services:
        for line in tree_lines(service.chart_folder, trial.files_in(service.chart_folder)):
            trial.clone.output.show(line)
        trial.clone.output.show("")
    how = ("--patch",) if whole_diff else ("--stat=80",)
    differs = trial.git("diff", "--no-renames", *how, trial.clone.base_commit, "HEAD", "--").stdout
    for line in (differs or "No file differs.\n").splitlines():
        trial.clone.output.show(line)
    trial.clone.output.show("")


def _destination(clone: AuthorClone, named: str | None) -> Destination:
    """Where branches go: to the remote that is named, else where the author's git pushes, else to their fork."""
    git = clone.git
    remotes = git("remote").stdout.split()
    configured = git.line("config", "remote.pushDefault")
    remote = choose_remote(remotes, named or configured or ("origin" if "origin" in remotes else clone.remote))
    if remote == clone.remote:
        return Destination(remote, clone.repository, clone.refs)
    return Destination(remote, repository_of(git, remote), list_remote(git, remote))


def _branches(trial: Trial, release: Release) -> tuple[Branch | None, Branch | None]:
    """The branch at the remote and in the clone, each compared with what was written now."""
    ref, destination = f"refs/heads/{release.branch}", release.destination
    there = destination.refs.branches.get(release.branch)
    if there is not None:
        trial.fetch(destination.remote, {ref: there})
    ours = trial.differing(trial.clone.base_commit, "HEAD")

    def compare(commit: str | None) -> Branch | None:
        if commit is None:
            return None
        # What was merged into the base since then does not count, unless a release file was.
        matters = ours | trial.changed_since_merge(commit, trial.clone.base_commit)
        return Branch(commit, trial.differing(commit, "HEAD") & matters)

    return compare(there), compare(trial.clone.local(ref))


def _carry_out(task: BranchTask, trial: Trial, release: Release, wanted: Preparation) -> Outcome:
    """Commit, push and propose what is left to be; a push that fails takes the branch back."""
    clone, branch, remote = trial.clone, release.branch, release.destination.remote
    made = None
    if task is BranchTask.COMMIT:
        clone.output.tell(f"committing on {branch}")
        made = commit_artifacts(trial, branch, commit_message(release.version))
    pushes = wanted.push and task is not BranchTask.NOTHING
    if pushes:
        clone.output.tell(f"pushing {branch} to {remote}")
        try:
            clone.git.push(remote, f"refs/heads/{branch}", f"refs/heads/{branch}", before=None)
        except BaseException:
            if made is not None:
                remove_branch(trial, branch, made)
            raise
    if made is not None:
        _check_out(clone, branch)
    commit = clone.local(f"refs/heads/{branch}") if task is not BranchTask.NOTHING else None
    commit = commit or release.destination.refs.branches.get(branch)
    if task is not BranchTask.NOTHING and not pushes:
        words = f"committed, not pushed: {release.words}"
        did: Did = "done" if made is not None else "nothing"
        return release.outcome(did, words, commit, next_step=to_push(remote, branch))
    url = _propose(clone, release) if wanted.propose and not wanted.dry_run else None
    page = compare_url(clone.repository, clone.base, release.destination.repository, branch)
    return release.outcome(
        "done" if pushes else "nothing",
        f"{'pushed' if pushes else 'pushed already, with these artifacts'}: {release.words}",
        commit,
        pull_request=url,
        next_step=after_prepare(release.version, clone.base, pull_request=url, page=page),
    )


def _check_out(clone: AuthorClone, branch: str) -> None:
    """Check the branch out, as step 1 of the release process does; it is pushed whether that works or not."""
    switched = clone.git(*WITHOUT_HOOKS, "switch", "--quiet", branch, may_fail=True)
    if not switched.ok:
        clone.output.warn(f"{branch} is not checked out here: {' '.join(switched.tail(1))}")


def _propose(clone: AuthorClone, release: Release) -> str | None:
    names = ", ".join(service.name for service in release.services)
    title = commit_message(release.version).capitalize()
    body = f"Release artifacts of {names} for {release.version.tag}."
    return GitHub(clone).open(PullRequest(release.destination.repository, release.branch, title, body))
