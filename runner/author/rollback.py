"""Moves stable back to an earlier release: by a commit on the branch stable, so that git says what stable is and why.

The commit follows the one that stable is at and holds the files of the earlier release; its trailer
``Stable-Move: backwards`` lets the job move the stable chart back (``runner.run.stable``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.author.clone import Where, open_author_clone
from runner.author.commit import commit_as_author
from runner.author.decide import after_dry_run
from runner.author.numbering import read_version
from runner.author.outcome import NextStep, Outcome
from runner.author.planned import Planning, check_selected, plan_push
from runner.author.services import named_services, read_config
from runner.author.trial import open_trial
from runner.chart.yaml_text import Mapped, YamlInvalid
from runner.errors import CommitRefused, NotARelease, UsageInvalid
from runner.published.moves import read_histories
from runner.run.selection import chart_file
from runner.session import open_registry
from runner.source.route import STABLE
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runner.author.clone import AuthorClone
    from runner.author.outcome import Did, Output
    from runner.author.trial import Trial
    from runner.config.load import Service
    from runner.config.naming import RegistryAddress
    from runner.published.moves import History
    from runner.session import Session

TRAILER = "Stable-Move: backwards"
MOVES_READ = 20


@dataclass(frozen=True)
class Rollback:
    """What is asked for; the rest as in ``Preparation``.

    Attributes:
        service: whose stable chart moves back.
        version: to which release; None for what stable was before.
        address: where its stable names are.
        reason: why, for the commit's message.
        confirm: asks whether to go on; None where nobody is asked.
    """

    service: str
    version: str | None
    address: RegistryAddress
    reason: str | None = None
    where: Where = field(default_factory=Where)
    planning: Planning = field(default_factory=Planning)
    dry_run: bool = False
    confirm: Callable[[str], bool] | None = None
    arguments: Sequence[str] = ()


def roll_back(wanted: Rollback, session: Session, output: Output, pace: Callable[[], object]) -> Outcome | None:
    """Commit on the branch stable what moves the stable chart back, and push it.

    Args:
        wanted: what is asked for.
        session: what it works in.
        output: where the author sees what is done.
        pace: waits until one more manifest may be read.

    Returns:
        What was done; None where the plan has something against it, which is recorded.

    Raises:
        ReleaseError: it cannot be done; nothing was changed.
    """
    config = read_config(wanted.planning.config)
    clone = open_author_clone(session, wanted.where, output)
    [service] = named_services(config, clone.repository.name, [wanted.service])
    there = clone.refs.branches.get(STABLE)
    if there is None:
        raise NotARelease(f"{clone.remote} has no branch {STABLE}, so nothing can move back", remedy=_FORWARDS)
    version = _version(wanted, service, session, pace)
    commit = clone.refs.tags.get(version.tag)
    if commit is None:
        raise NotARelease(
            f"{clone.remote} has no tag {version.tag}",
            remedy="Name a version that is released; ack-release stable history lists what stable was.",
        )
    trial = open_trial(clone)
    trial.fetch(clone.remote, {f"refs/heads/{STABLE}": there})
    check_backwards(version, _chart_version(trial, service, there) or max(_merged(trial, clone, there), default=None))
    trial.check_out(there, STABLE)
    trial.take(commit, service.path)
    message = message_of(service.name, version, wanted.reason)
    trial.commit(message)
    if not trial.differing(there, trial.head()):
        return Outcome(
            "nothing",
            f"{STABLE} of {clone.remote} holds the files of {version.tag} for {service.name} already, at {there}",
            str(version),
            next=NextStep("rerun the job of the branch stable, if the stable chart is another"),
        )
    output.tell(f"planning {STABLE} at {version.tag} as its job would")
    if not plan_push(trial, STABLE, wanted.planning):
        return None
    check_selected([service], STABLE, session)

    def outcome(did: Did, words: str, made: str | None = None, following: NextStep | None = None) -> Outcome:
        return Outcome(did, words, str(version), (service.name,), f"refs/heads/{STABLE}", made, next=following)

    words = f"move {STABLE} of {service.name} back to {version.tag}, by a commit after {there[:12]}"
    if wanted.dry_run:
        return outcome("dry-run", f"would {words}", following=after_dry_run(wanted.arguments))
    if wanted.confirm is not None and not wanted.confirm(f"{words[0].upper()}{words[1:]}?"):
        return outcome("declined", f"{STABLE} stays where it is")
    made = commit_as_author(trial, there, message)
    if clone.git.line("log", "-1", "--format=%(trailers:key=Stable-Move,valueonly)", made) != "backwards":
        raise CommitRefused(
            "a hook of the clone changed the commit's message, which no longer says Stable-Move: backwards",
            remedy="Let the hook leave the last paragraph of the message alone, then run the command again.",
        )
    output.tell(f"pushing {STABLE} to {clone.remote}")
    clone.git.push(clone.remote, made, f"refs/heads/{STABLE}", before=there)
    following = NextStep("see on Prow's page how the job that this push starts moves the stable chart back")
    return outcome("done", words, made, following)


_FORWARDS = "Point stable at a later release with ack-release prepare --stable SERVICE VERSION."


def message_of(service: str, version: ReleaseVersion, reason: str | None) -> str:
    """The commit's message: what moves, why, and the trailer, which stands alone at the end. Pure.

    Raises:
        UsageInvalid: the reason has no words.
    """
    said = None if reason is None else " ".join(reason.split())
    if said == "":
        raise UsageInvalid("--reason has no words")
    return "\n\n".join(filter(None, (f"Move {STABLE} of {service} back to {version.tag}", said, TRAILER)))


def check_backwards(version: ReleaseVersion, current: ReleaseVersion | None) -> None:
    """Refuse what is no move backwards of the same stable chart. Pure.

    Args:
        version: where stable is to go.
        current: the release that the branch is at; None where it is at none.

    Raises:
        UsageInvalid: the version is newer than that, or of another major, whose stable chart has another name.
    """
    if current is None or version > current:
        raise UsageInvalid(
            f"{version.tag} is not before what {STABLE} is at, {current.tag if current else 'which is no release'}",
            remedy=_FORWARDS,
        )
    if version.major != current.major:
        raise UsageInvalid(
            f"{version.tag} is of another major than {current.tag}, which {STABLE} is at:"
            f" the stable chart of {current.major} would stay where it is",
            remedy=f"Choose a version of the major {current.major}; ack-release stable history lists them.",
        )


def previous_version(histories: Iterable[History]) -> ReleaseVersion | None:
    """Return what stable was before it became what it is: the last other version, if that is an earlier one. Pure."""
    held = [(move.moved, history) for history in histories for move in history.moves[:1] if move.is_current]
    if not held:
        return None
    _, newest = max(held, key=lambda one: one[0])
    current, *before = (ReleaseVersion.of_chart(move.version) for move in newest.moves)
    for version in before:
        # A chart that does not say its version may be the one that is looked for.
        if current is None or version is None:
            return None
        if version < current:
            return version
    return None


def _version(wanted: Rollback, service: Service, session: Session, pace: Callable[[], object]) -> ReleaseVersion:
    if wanted.version is not None:
        return read_version(wanted.version)
    histories = read_histories(service, wanted.address, open_registry(session), pace=pace, most=MOVES_READ)
    found = previous_version(histories)
    if found is None:
        raise UsageInvalid(
            f"the registry does not say what {STABLE} of {service.name} was before",
            remedy="Name the version: ack-release rollback SERVICE VERSION.",
        )
    return found


def _chart_version(trial: Trial, service: Service, commit: str) -> ReleaseVersion | None:
    """The version that the service's chart has in a commit; None where it has none that is a release's."""
    said = trial.git("show", f"{commit}:{chart_file(service)}", may_fail=True)
    try:
        found = Mapped.read(said.output).scalar("version") if said.ok else None
    except YamlInvalid:
        return None
    return None if found is None else ReleaseVersion.of_chart(found.text)


def _merged(trial: Trial, clone: AuthorClone, commit: str) -> tuple[ReleaseVersion, ...]:
    """The releases whose tags a commit contains."""
    tags = {tag: tagged for tag, tagged in clone.refs.tags.items() if ReleaseVersion.of_tag(tag) is not None}
    inside = (tag for tag, tagged in tags.items() if trial.contains(commit, tagged))
    return tuple(version for tag in inside if (version := ReleaseVersion.of_tag(tag)) is not None)
