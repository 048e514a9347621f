"""Points the branch stable at a release, once the job that its push starts would move the stable chart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.author.clone import Where, open_author_clone
from runner.author.decide import Stable, StableTask, after_dry_run, judge_stable
from runner.author.numbering import read_version
from runner.author.outcome import NextStep, Outcome
from runner.author.planned import Planning, check_selected, plan_push, released_services
from runner.author.services import named_services, read_config
from runner.author.trial import open_trial
from runner.errors import NotARelease, UsageInvalid
from runner.source.route import STABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.author.outcome import Did, Output
    from runner.author.trial import Trial
    from runner.session import Session


@dataclass(frozen=True)
class StableMove:
    """What an author asks for: which release stable is to be at; the rest as in ``Preparation``."""

    services: Sequence[str]
    version: str
    where: Where = field(default_factory=Where)
    planning: Planning = field(default_factory=Planning)
    dry_run: bool = False
    arguments: Sequence[str] = ()


def move_stable(wanted: StableMove, session: Session, output: Output) -> Outcome | None:
    """Push the commit of a release to the branch stable, forwards and without force.

    Returns:
        What was done; None where the plan has something against it, which is recorded.

    Raises:
        ReleaseError: it cannot be done; nothing was changed.
    """
    if wanted.planning.offline:
        raise UsageInvalid(
            "--offline and --stable exclude each other: stable moves only to an image that the registry has",
            remedy="Leave --offline out.",
        )
    version = read_version(wanted.version)
    config = read_config(wanted.planning.config)
    clone = open_author_clone(session, wanted.where, output)
    services = named_services(config, clone.repository.name, wanted.services)
    commit = clone.refs.tags.get(version.tag)
    if commit is None:
        raise NotARelease(
            f"{clone.remote} has no tag {version.tag}",
            remedy="Release that version first, or name one that is released; git ls-remote --tags lists them.",
        )
    there = clone.refs.branches.get(STABLE)
    trial = open_trial(clone)
    task = judge_stable(version, commit, clone.remote, _stable(trial, there, commit) if there else None)

    def outcome(did: Did, words: str, moved: Sequence[str], next_step: NextStep | None) -> Outcome:
        return Outcome(did, words, str(version), tuple(moved), f"refs/heads/{STABLE}", commit, next=next_step)

    if task is StableTask.NOTHING:
        names = [service.name for service in services]
        return outcome("nothing", f"{STABLE} of {clone.remote} holds {version.tag}, at {there}", names, None)
    trial.check_out(commit, STABLE)
    output.tell(f"planning {STABLE} at {version.tag} as its job would")
    if not plan_push(trial, STABLE, wanted.planning):
        return None
    check_selected(services, STABLE, session)
    moved = released_services(session)
    words = f"{task.value}, {f'from {there} ' if there else ''}to {version.tag}, {commit}: {', '.join(moved)}"
    if wanted.dry_run:
        return outcome("dry-run", f"would {words}", moved, after_dry_run(wanted.arguments))
    output.tell(f"pushing {STABLE} to {clone.remote}")
    clone.git.push(clone.remote, commit, f"refs/heads/{STABLE}", before=there)
    following = NextStep("see on Prow's page how the job that this push starts moves the stable chart")
    return outcome("done", words, moved, following)


def _stable(trial: Trial, there: str, commit: str) -> Stable:
    """The branch stable of the remote, beside the release's commit."""
    trial.fetch(trial.clone.remote, {f"refs/heads/{STABLE}": there})
    return Stable(
        there,
        ahead=trial.contains(commit, there),
        behind=trial.contains(there, commit),
        same_files=not trial.differing(there, commit),
    )
