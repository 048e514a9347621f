"""What a command works with: its session, and the tools that are opened in it, each on its own.

A tool's module is loaded when the tool is opened, and not before: the first log line waits for none of them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

from runner.builders.table import BUILDERS
from runner.report.words import log_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from runner.aws.registry import AwsRegistry
    from runner.builders.builder import Builder
    from runner.chart.helm import Helm
    from runner.config.aws import AwsKind, AwsSection
    from runner.oci.credentials import Credentials, DockerConfig
    from runner.oci.messages import Exchange
    from runner.oci.patience import Waiting
    from runner.oci.registry import Registry
    from runner.report.console import Log
    from runner.report.record import Record
    from runner.runtime.lifetime import Lifetime
    from runner.runtime.process import Run


@dataclass(frozen=True)
class Session:
    """What every command has, before it has read or opened anything.

    ``environment`` is the process's own; ``folder`` the work folder, removed at the end; ``artifacts`` the folder for
    reports, None when it cannot be written.
    """

    environment: Mapping[str, str]
    lifetime: Lifetime
    run: Run
    record: Record
    log: Log
    folder: Path
    artifacts: Path | None


def open_registry(
    session: Session,
    logins: Iterable[Credentials] = (),
    *,
    attempts: int | None = None,
    observe: Callable[[Exchange], object] | None = None,
) -> Registry:
    """Return a client of registries; its requests are logged.

    Args:
        session: what it works in.
        logins: where it looks for logins before it looks into Docker's configuration.
        attempts: how often a request is made at most; as often as a run's patience allows when left out.
        observe: given each request once it is answered.
    """
    from runner.oci.credentials import Chain
    from runner.oci.patience import Patience
    from runner.oci.registry import Registry
    from runner.oci.retries import RetryPolicy
    from runner.oci.transport import Transport

    exchanges = Exchanges(session.log)

    def tell(exchange: Exchange) -> None:
        exchanges.tell(exchange)
        if observe is not None:
            observe(exchange)

    make = Transport if attempts is None else partial(Transport, retries=RetryPolicy(attempts=attempts))
    transport = make(
        session.lifetime,
        session.environment,
        patience=Patience(session.lifetime, tell=exchanges.waiting),
        observe=tell,
    )
    return Registry(transport, Chain((*logins, docker_config(session))))


def has_login(session: Session, host: str) -> bool:
    """Whether Docker's configuration has a login for a registry; CredentialsRefused where it cannot be read."""
    return docker_config(session).login(host) is not None


def docker_config(session: Session) -> DockerConfig:
    """Return the logins of Docker's configuration, with its credential helpers."""
    from runner.oci.credentials import DockerConfig
    from runner.oci.helper import CredentialHelpers

    return DockerConfig.find(session.environment, CredentialHelpers(session.run, session.environment))


def open_aws(
    session: Session, section: AwsSection, kinds: Mapping[str, AwsKind], *, job: str | None, build: str | None
) -> tuple[AwsRegistry, ...]:
    """Return AWS's registries, which share an identity; AWS is asked when one of them is used first.

    Args:
        session: what they work in.
        section: jobs.yaml's section.
        kinds: what each host is to AWS; hosts that are none of AWS's are left out.
        job: the name of Prow's job, for the name of the role's session.
        build: its build's id, for the same.
    """
    if set(kinds.values()) <= {"none"}:
        return ()
    from runner.aws.boto import Clients
    from runner.aws.calls import Caller
    from runner.aws.identity import Identity, region_of, session_name
    from runner.aws.registry import AwsRegistry

    caller, report = Caller(session.lifetime), session.log.info
    region = region_of(section, session.environment)
    clients = Clients(region, session.environment)
    identity = Identity(section, region, session_name(job, build), caller, clients, report=report)
    return tuple(
        AwsRegistry(kind, host, identity, caller, report=report) for host, kind in kinds.items() if kind != "none"
    )


def open_helm(session: Session, program: str, environment: Mapping[str, str]) -> Helm:
    """Return what calls helm.

    Args:
        session: what helm is started in; its output goes into ``helm-build-log.txt`` of the artifacts folder.
        program: a name on PATH, or a path.
        environment: helm's whole environment.
    """
    from runner.chart.helm import Helm

    return Helm(program, session.run, environment, _output_file(session, "helm"))


def open_builder(session: Session, name: str, programs: Mapping[str, str], environment: Mapping[str, str]) -> Builder:
    """Return the builder of this name, one of ``BUILDERS``.

    Args:
        session: what its programs are started in; their output goes into ``NAME-build-log.txt`` of the artifacts
            folder.
        name: as in the settings.
        programs: the programs that jobs.yaml names under ``build``, by key.
        environment: the whole environment of those programs.
    """

    def pause(seconds: float, why: str) -> None:
        session.log.warning("trying again", tool=name, problem=why, seconds=seconds)
        session.lifetime.wait(seconds)

    return BUILDERS[name](programs, session.run, environment, _output_file(session, name), pause)


class Exchanges:
    """Logs requests: each for programs, and for people the first that a host does not answer as it should, and waits.

    Args:
        log: where to.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._told: set[str] = set()

    def tell(self, exchange: Exchange) -> None:
        """Log one request."""
        self._log.debug("request", **asdict(exchange))
        if exchange.problem and exchange.host not in self._told:
            self._told.add(exchange.host)
            self._log.warning("a request failed", host=exchange.host, problem=exchange.problem)

    def waiting(self, waiting: Waiting) -> None:
        """Log what the run waits for, until when, and for how long it goes on waiting for such things."""
        self._log.info(
            "waiting for a registry",
            host=waiting.host,
            reason=waiting.wait.value,
            problem=waiting.problem,
            seconds=round(waiting.seconds),
            seconds_left=round(waiting.left),
        )


def _output_file(session: Session, tool: str) -> Path | None:
    return None if session.artifacts is None else session.artifacts / log_name(tool)
