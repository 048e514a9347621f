"""Moves the stable tags back in the registry alone, for emergencies: git then says something else, and audits tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.annotations import RELEASE_IMAGE
from runner.author.numbering import read_version
from runner.author.outcome import NextStep, Outcome
from runner.author.rollback import previous_version
from runner.author.services import read_config
from runner.aws.kind import registry_kind
from runner.config.load import service_named
from runner.errors import RegistryAnswerWrong, StableImageAbsent, UsageInvalid
from runner.oci.name import Name, Repository
from runner.published.moves import read_histories
from runner.published.observed import Observation, PublishedChart, observe_name
from runner.run.publish.copy import published_artifact
from runner.run.publish.registry import RegistryDestination
from runner.session import open_aws, open_registry
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runner.author.outcome import Did, Output
    from runner.author.rollback import Rollback
    from runner.oci.registry import Registry
    from runner.published.moves import History, Move
    from runner.session import Session

MOVES_READ = 100


@dataclass(frozen=True)
class Return:
    """A stable name, and the earlier move that it returns to."""

    name: Name
    move: Move

    @property
    def kept(self) -> Name:
        """The history name that holds the chart."""
        return Name(self.name.repository, self.move.tag)


def return_in_registry(wanted: Rollback, session: Session, output: Output, pace: Callable[[], object]) -> Outcome:
    """Let the stable names hold the chart of an earlier move again; no history tag is written, as no commit says it.

    Raises:
        ConfigurationInvalid, ServiceUnknown: jobs.yaml is wrong, or has no such service.
        UsageInvalid: stable never was at this version, or has it.
        StableImageAbsent: the image that the chart deploys is gone.
        TagChanged, RegistryFailed, CredentialsRefused, RunEnded and errors of AWS: not all of it was written.
    """
    config = read_config(wanted.planning.config)
    service = service_named(config, wanted.service)
    kind = registry_kind(wanted.address.host, config)
    # Whoever only reads asks AWS for a login where nobody may read without one.
    asks = kind == "ecr" or not wanted.dry_run
    aws = open_aws(session, config.aws, {wanted.address.host: kind} if asks else {}, job=None, build=None)
    registry = open_registry(session, aws)
    histories = read_histories(service, wanted.address, registry, pace=pace, most=MOVES_READ)
    version = read_version(wanted.version) if wanted.version is not None else previous_version(histories)
    if version is None:
        raise UsageInvalid(
            f"the registry does not say what stable of {service.name} was before",
            remedy="Name the version: ack-release rollback SERVICE VERSION --registry-only.",
        )
    returns = returns_to(version, histories, service.name)
    charts = {one: _chart(one, registry) for one in returns}
    names = ", ".join(str(one.name) for one in returns)
    words = f"let {names} hold {version.tag} again, in the registry alone"

    def outcome(did: Did, said: str, following: NextStep | None = None) -> Outcome:
        return Outcome(did, said, str(version), (service.name,), next=following)

    if wanted.dry_run:
        return outcome("dry-run", f"would {words}")
    if wanted.confirm is not None and not wanted.confirm(f"{words[0].upper()}{words[1:]}, which git does not say?"):
        return outcome("declined", "stable stays where it is")
    destination = RegistryDestination(registry, session.lifetime, session.log.info)
    for one, chart in charts.items():
        output.tell(f"writing {one.name}")
        before: Observation = observe_name(one.name, registry)
        destination.publish(published_artifact(one.kept, chart, registry), [(one.name, before)])
    destination.finish()
    following = NextStep(
        "make git say the same (ack-release rollback without --registry-only), before a job of stable runs"
    )
    return outcome("done", words, following)


def returns_to(version: ReleaseVersion, histories: Iterable[History], service: str) -> tuple[Return, ...]:
    """Choose for each stable name of the version's major the newest earlier move to it, unless it holds that. Pure.

    Raises:
        UsageInvalid: there is none, or every name holds it.
    """
    chosen, held = [], []
    for history in histories:
        fitting = [move for move in history.moves if ReleaseVersion.of_chart(move.version) == version and move.digest]
        if any(move.is_current for move in fitting):
            held.append(history.name)
        elif fitting:
            chosen.append(Return(history.name, fitting[0]))
    if held and not chosen:
        names = ", ".join(map(str, held))
        raise UsageInvalid(f"{names} holds {version.tag} already", remedy="There is nothing to do.")
    if not chosen:
        raise UsageInvalid(
            f"stable of {service} never was at {version.tag}",
            remedy="Choose a version that ack-release stable history lists.",
        )
    return tuple(chosen)


def _chart(one: Return, registry: Registry) -> PublishedChart:
    """The chart of an earlier move, whose image must be there."""
    found = observe_name(one.kept, registry)
    if not isinstance(found, PublishedChart):
        raise UsageInvalid(
            f"{one.kept} is gone", remedy="Choose another version; ack-release stable history lists them."
        )
    image = found.manifest.annotations.get(RELEASE_IMAGE, "")
    if image:
        path, _, digest = image.rpartition("@")
        try:
            there = registry.manifest(Repository.parse(path), digest)
        except ValueError as error:
            raise RegistryAnswerWrong(f"{one.kept} names no image that can be looked for: {error}") from error
        if there is None:
            raise StableImageAbsent(f"the image {image} of {one.kept} is not there")
    return found
