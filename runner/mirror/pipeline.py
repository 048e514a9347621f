"""``mirror``: read a release, look at where it goes, decide, and write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.config.aws import AwsSection, kind_of_host
from runner.config.naming import RegistryAddress
from runner.mirror.place import FolderPlace, RegistryPlace, placed
from runner.mirror.plan import plan_mirror
from runner.mirror.release import read_release, wanted_names
from runner.session import open_aws, open_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.aws.registry import AwsRegistry
    from runner.config.load import Service
    from runner.mirror.place import Place, Placed
    from runner.oci.name import Repository
    from runner.run.plan.model import Plan
    from runner.session import Session
    from runner.versions import ReleaseVersion


@dataclass(frozen=True)
class Request:
    """What is to be copied, and where to: a namespace of a registry, or a folder."""

    service: Service
    version: ReleaseVersion
    source: RegistryAddress
    target: RegistryAddress | Path
    stable: bool = False


def mirror(request: Request, session: Session, report: Callable[..., object], *, only_plan: bool) -> Plan:
    """Copy a release, with all that is attached to it; what is there already is not written again.

    Args:
        request: what, and where to.
        session: what it works in.
        report: called with what was done: an event in words, and its values.
        only_plan: whether nothing is written.

    Returns:
        What was decided for each name and each attachment; with its ``error`` set, nothing was written.

    Raises:
        ReleaseIncomplete: there is no whole release to copy.
        TagChanged, TagImmutable, RegistryFailed, CredentialsRefused, RegistryForbids, RunEnded and errors of AWS: it
            could not be read or written as a whole; a copy that is made again completes it.
    """
    target = request.target
    aws = _aws(request, session, only_plan=only_plan)
    registry = open_registry(session, aws)
    parts = read_release(
        wanted_names(request.service, request.version, request.source, stable=request.stable), registry
    )
    place: Place
    if isinstance(target, Path):
        place = FolderPlace(target, registry)
    else:
        place = RegistryPlace(registry, request.source, target, session.lifetime, report)
    copies = placed(parts, place)
    held = place.held(copies)
    plan = plan_mirror(request.service.name, copies, held)
    if plan.publishes and not only_plan:
        for one in (one for one in aws if isinstance(target, RegistryAddress) and one.host == target.host):
            one.prepare(dict.fromkeys(sorted({repository.path for repository in _repositories(copies)})))
        place.write(copies, held)
    return plan


def _aws(request: Request, session: Session, *, only_plan: bool) -> tuple[AwsRegistry, ...]:
    """The registries that want a login of AWS's, with whatever identity the caller has: everybody reads ECR Public."""
    kinds = {request.source.host: kind_of_host(request.source.host)}
    if isinstance(request.target, RegistryAddress):
        kinds[request.target.host] = kind_of_host(request.target.host)
    wanted = {
        host: kind for host, kind in kinds.items() if kind == "ecr" or (not only_plan and host != request.source.host)
    }
    return open_aws(session, AwsSection(), wanted, job="mirror", build=None)


def _repositories(copies: Sequence[Placed]) -> tuple[Repository, ...]:
    return tuple(dict.fromkeys(name.repository for _, names in copies for name in names))
