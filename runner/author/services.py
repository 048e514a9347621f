"""Whose release it is: the services that an author names, and what jobs.yaml says of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.config.load import load_config, service_named, services_in
from runner.config.settings import Options, config_file
from runner.errors import ServiceUnknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.config.load import Config, Service


def read_config(file: Path | None) -> Config:
    """Read jobs.yaml: the file that is named, else the one that every command reads."""
    return load_config(Path(config_file(Options(config=file)).value))


def named_services(config: Config, repository: str, names: Sequence[str]) -> tuple[Service, ...]:
    """Return the services that an author names, each once.

    Raises:
        ServiceUnknown: one of them is not in jobs.yaml, or lives in another repository.
    """
    here = services_in(config, repository)
    found = tuple(service_named(config, name) for name in dict.fromkeys(names))
    for service in found:
        if service not in here:
            raise ServiceUnknown(
                f"the service {service.name} lives in the repository {service.repo}, not in {repository}",
                remedy="Start the command inside your clone of that repository, or say which one this is with --repo.",
            )
    return found
