"""What a command works with: its session, and the tools that are opened in it, each on its own.

A tool's module is loaded when the tool is opened, and not before: the first log line waits for none of them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from runner.builders.table import BUILDERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.builders.builder import Builder
    from runner.chart.helm import Helm
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


def open_registry(session: Session) -> Registry:
    """Return a client of registries, with the credentials of Docker's configuration; its requests are logged."""
    from runner.oci.credentials import Chain, DockerConfig
    from runner.oci.patience import Patience
    from runner.oci.registry import Registry
    from runner.oci.transport import Transport

    exchanges = Exchanges(session.log)
    transport = Transport(
        session.lifetime,
        session.environment,
        patience=Patience(session.lifetime, tell=exchanges.waiting),
        observe=exchanges.tell,
    )
    return Registry(transport, Chain((DockerConfig.find(session.environment),)))


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
    return BUILDERS[name](programs, session.run, environment, _output_file(session, name))


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
    return None if session.artifacts is None else session.artifacts / f"{tool}-build-log.txt"
