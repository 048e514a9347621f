"""``doctor``: all that is examined, in its order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.config.load import load_config
from runner.config.naming import RegistryAddress
from runner.config.settings import Options, config_file, find
from runner.doctor.access import access
from runner.doctor.finding import Finding, failure
from runner.doctor.machine import machine
from runner.doctor.tools import tools
from runner.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.session import Session

Group = tuple[str, tuple[Finding, ...]]
"""The findings about one subject, and its name."""


def examine(session: Session, options: Options) -> Iterator[Group]:
    """Examine everything, subject by subject; where jobs.yaml is wrong, nothing that depends on it.

    Args:
        session: what it works in.
        options: the command line's; what it leaves out is found as ``run`` finds it.
    """
    file = Path(config_file(options).value)
    try:
        config = load_config(file)
    except ConfigurationInvalid as error:
        yield "configuration", (failure("jobs.yaml", error),)
        yield "machine", machine(session.environment, 1)
        return
    said = f"{file}: {len(config.services)} service{'s' * (len(config.services) != 1)}"
    yield "configuration", (Finding("jobs.yaml", "good", said),)
    yield "tools", tools(session, config.build, config.build.builder)
    yield "machine", machine(session.environment, config.build.parallel)
    registry = find("registry", options, session.environment, config).value
    yield "registry", access(session, config, RegistryAddress.parse(registry), config.build.base_image)
