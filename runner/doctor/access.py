"""Registry, logins and AWS: whether they answer, whose logins are used, and until when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.aws.kind import registry_kind
from runner.builders.base import resolve_base
from runner.doctor.finding import Finding, failure
from runner.errors import CredentialsRefused, ReleaseError, RunEnded
from runner.oci.connections import is_loopback
from runner.session import docker_config, open_aws, open_registry

if TYPE_CHECKING:
    from runner.aws.registry import AwsRegistry
    from runner.config.load import Config
    from runner.config.naming import RegistryAddress
    from runner.doctor.finding import State
    from runner.oci.credentials import Login
    from runner.oci.name import Repository
    from runner.oci.registry import Registry
    from runner.session import Session

LOG_IN = "Releases need a login; plan, verify and audit do not where everybody may read. See docs/credentials.md."
ATTEMPTS = 3
"""How often a registry is asked: whoever waits for the answer wants to know that it is slow, too."""


def access(session: Session, config: Config, address: RegistryAddress, base_image: str) -> tuple[Finding, ...]:
    """Examine the registry that is published to, with the logins that a release would use.

    Args:
        session: what it works in.
        config: what jobs.yaml says.
        address: the registry.
        base_image: the base image's reference.
    """
    kind = registry_kind(address.host, config)
    aws = open_aws(session, config.aws, {address.host: kind}, job="doctor", build=None)
    registry = open_registry(session, aws, attempts=ATTEMPTS)
    repository = probe(config, address)
    if repository is None:
        return (Finding("registry", "warning", f"{config.path} has no service, so there is nothing to look for"),)
    login = from_aws(aws[0]) if aws else from_docker(session, repository)
    written = writing(registry, repository, has_login=login.state == "good")
    return (
        reading(registry, repository),
        login,
        *(() if written is None else (written,)),
        base(registry, base_image, config),
    )


def probe(config: Config, address: RegistryAddress) -> Repository | None:
    """The repository that is asked about: that of the first service's images; None without any service. Pure."""
    service = next(iter(config.services.values()), None)
    if service is None:
        return None
    return service.naming[0].image_names(address, service.name, "0.0.0")[0].repository


def reading(registry: Registry, repository: Repository) -> Finding:
    """Whether everybody can read the registry; what is asked for need not be there."""
    try:
        registry.without_credentials().tags(repository)
    except CredentialsRefused:
        return Finding("registry", "note", f"{repository.host} answers, and lets nobody read without a login")
    except RunEnded:
        raise
    except ReleaseError as error:
        return failure("registry", error)
    return Finding("registry", "good", f"{repository.host} answers, and lets everybody read")


def writing(registry: Registry, repository: Repository, *, has_login: bool) -> Finding | None:
    """Whether the registry lets whoever this is write to the repository; nothing is written.

    None where it wants a login and there is none, which is told already.
    """
    try:
        registry.check_access(repository)
    except RunEnded:
        raise
    except CredentialsRefused as error:
        return failure("registry's login", error) if has_login else None
    except ReleaseError as error:
        return failure("registry's login", error)
    how = "takes it" if has_login else "wants none"
    return Finding("registry's login", "good", f"{repository.host} {how} for {repository.path}")


def from_docker(session: Session, repository: Repository) -> Finding:
    """Which login Docker's configuration has for the repository: whose, and until when."""
    source = docker_config(session)
    try:
        login = source.login(repository.host, repository.path)
    except RunEnded:
        raise
    except ReleaseError as error:
        return failure("login", error)
    if login is None:
        # A registry on this machine rarely asks for one.
        state: State = "note" if is_loopback(repository.host) else "warning"
        return Finding("login", state, f"none for {repository.host} in {source}", LOG_IN)
    return Finding("login", "good", f"{whose(login)} from {source}{until(login.expires)}")


def from_aws(registry: AwsRegistry) -> Finding:
    """As whom AWS gives a login, and until when it is good; no repository is asked for or created."""
    try:
        login = registry.login(registry.host)
    except RunEnded:
        raise
    except ReleaseError as error:
        return failure("AWS", error)
    if login is None:
        raise TypeError(f"{registry.host} is not its own registry")
    return Finding("AWS", "good", f"{registry.identity} may log in to {registry.host}{until(login.expires)}")


def base(registry: Registry, reference: str, config: Config) -> Finding:
    """Whether the base image is there for every platform."""
    try:
        found = resolve_base(reference, registry, config.platforms)
    except RunEnded:
        raise
    except ReleaseError as error:
        return failure("base image", error)
    return Finding("base image", "good", found.reference)


def whose(login: Login) -> str:
    """The user name of a login with a password; a token has none that says anything. Pure."""
    return login.username if login.has_password and login.username else "a token"


def until(expires: float | None) -> str:
    """Until when, in words that continue a sentence; nothing where it does not end. Pure."""
    return "" if expires is None else f", until {datetime.fromtimestamp(expires, UTC):%Y-%m-%d %H:%M} UTC"
