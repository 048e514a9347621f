"""``doctor``: all that is examined, in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.config.load import load_config
from runner.doctor.access import access
from runner.doctor.finding import Finding, failure
from runner.doctor.machine import machine
from runner.doctor.tools import tools
from runner.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.config.naming import RegistryAddress
    from runner.session import Session

Group = tuple[str, tuple[Finding, ...]]
"""The findings about one subject, and its name."""


def examine(session: Session, config_file: Path, registry: RegistryAddress | None) -> Iterator[Group]:
    """Examine everything, subject by subject; where jobs.yaml is wrong, nothing that depends on it.

    Args:
        session: what it works in.
        config_file: jobs.yaml.
        registry: the registry that is published to; jobs.yaml's own when None.
    """
    try:
        config = load_config(config_file)
    except ConfigurationInvalid as error:
        yield "configuration", (failure("jobs.yaml", error),)
        yield "machine", machine(session.environment, 1)
        return
    said = f"{config_file}: {len(config.services)} service{'s' * (len(config.services) != 1)}"
    yield "configuration", (Finding("jobs.yaml", "good", said),)
    yield "tools", tools(session, config.build, config.build.builder)
    yield "machine", machine(session.environment, config.build.parallel)
    yield "registry", access(session, config, registry or config.registry, config.build.base_image)
