"""An audit as a whole: all services read and judged, and what came of it as a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner import __version__
from runner.errors import ExitCode, FindingsLeft, worst
from runner.published.audit.decide import decide, undecided
from runner.published.audit.read import read_fleet
from runner.report.findings import AuditDocument, FindingDocument, FleetServiceDocument, UnreadDocument
from runner.report.words import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from runner.config.load import Service
    from runner.config.naming import RegistryAddress
    from runner.errors import ReleaseError
    from runner.oci.registry import Registry
    from runner.published.audit.kinds import Finding
    from runner.published.audit.read import Unread
    from runner.published.audit.state import ServiceState
    from runner.source.remote import RemoteRefs


@dataclass(frozen=True)
class Audit:
    """What was read, and what is wrong with it; ``findings`` include the former job's known flaws."""

    services: tuple[Service, ...]
    states: tuple[ServiceState, ...]
    unread: tuple[Unread, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    deep: bool

    @property
    def left(self) -> tuple[Finding, ...]:
        """What somebody must act on."""
        return tuple(finding for finding in self.findings if not finding.kind.former)

    @property
    def exit(self) -> ExitCode:
        """The exit code: 5 with findings, else that of the services that could not be read."""
        codes: list[int] = [one.error.exit_code for one in self.unread]
        return worst([*codes, *([ExitCode.CONFLICT] if self.left else [])])

    @property
    def error(self) -> ReleaseError | None:
        """What the command ends with; None when all was read and is in order."""
        if self.exit == ExitCode.DONE:
            return None
        if self.exit == FindingsLeft.exit_code:
            return FindingsLeft(verdict(self))
        first = next(one for one in self.unread if one.error.exit_code == self.exit)
        cause = f"{verdict(self)}; {first.service}: {first.error.cause}"
        return type(first.error)(cause, remedy=first.error.remedy, detail=first.error.detail)


def audit_services(
    services: Sequence[Service],
    address: RegistryAddress,
    *,
    list_refs: Callable[[str], RemoteRefs],
    registry: Registry,
    pace: Callable[[], object],
    deep: bool,
) -> Audit:
    """Read and judge services; arguments and errors are those of ``read_fleet``."""
    states, unread = read_fleet(services, address, list_refs=list_refs, registry=registry, pace=pace, deep=deep)
    return Audit(
        tuple(services),
        states,
        unread,
        tuple(finding for state in states for finding in decide(state)),
        tuple(note for state in states for note in undecided(state)),
        deep,
    )


def verdict(audit: Audit) -> str:
    """What came of an audit, in words, without a full stop."""
    concerned = len({finding.service for finding in audit.left})
    found = (
        f"{_count(len(audit.left), 'finding')} in {_count(concerned, 'service')} of {len(audit.services)}"
        if audit.left
        else f"{_count(len(audit.states), 'service')} in order"
    )
    unread = f", {_count(len(audit.unread), 'service')} could not be read" if audit.unread else ""
    former = len(audit.findings) - len(audit.left)
    counted = f"; {_count(former, 'known flaw')} of the former job (nothing to do)" if former else ""
    return f"{found}{unread}{counted}"


def audit_document(
    audit: Audit,
    *,
    address: RegistryAddress,
    base: str,
    began: datetime,
    seconds: float,
    requests: Mapping[str, int],
) -> AuditDocument:
    """Put an audit into a document.

    Args:
        audit: what was found.
        address: the registry.
        base: the address that the repositories are below.
        began: when it began, in UTC.
        seconds: how long it took.
        requests: how many requests the registry got, by what they asked for.
    """
    states = {state.service.name: state for state in audit.states}
    listed = {repository: tags for state in audit.states for repository, tags in state.tags.items()}
    return AuditDocument(
        runner=__version__,
        time=f"{began:%Y-%m-%dT%H:%M:%SZ}",
        seconds=round(seconds, 1),
        registry=str(address),
        repositories=base,
        deep=audit.deep,
        verdict=sentence(verdict(audit)),
        exit=int(audit.exit),
        services=tuple(_service(service, states.get(service.name), audit) for service in audit.services),
        findings=tuple(map(_finding, audit.left)),
        former=tuple(_finding(finding) for finding in audit.findings if finding.kind.former),
        unread=tuple(_unread(one) for one in audit.unread),
        notes=audit.notes,
        tags=sum(map(len, listed.values())),
        read=sum(len(state.manifests) for state in audit.states),
        requests=dict(requests),
    )


def _service(service: Service, state: ServiceState | None, audit: Audit) -> FleetServiceDocument:
    if state is None:
        return FleetServiceDocument(name=service.name, repository=service.repo, state="not read")
    mine = [finding for finding in audit.findings if finding.service == service.name]
    left = [finding for finding in mine if not finding.kind.former]
    tagged, published = max(state.refs.releases, default=None), max(state.published_versions, default=None)
    return FleetServiceDocument(
        name=service.name,
        repository=service.repo,
        state="findings" if left else "in order",
        tagged=None if tagged is None else str(tagged),
        published=None if published is None else str(published),
        versions=len(state.versions),
        stable=tuple(map(str, state.stable_names)),
        findings=len(left),
        former=len(mine) - len(left),
    )


def _finding(finding: Finding) -> FindingDocument:
    kind = finding.kind
    return FindingDocument(
        kind=kind.code,
        meaning=kind.sentence,
        service=finding.service,
        version=finding.version or None,
        names=finding.names,
        found=finding.found,
        who=kind.who,
        remedy=kind.remedy,
        repaired_by=kind.repaired_by,
    )


def _unread(one: Unread) -> UnreadDocument:
    error = one.error
    return UnreadDocument(
        service=one.service, code=error.code, cause=error.cause, remedy=error.remedy, exit=int(error.exit_code)
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
