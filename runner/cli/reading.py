"""What commands that read a registry have in common."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from runner.aws.kind import registry_kind
from runner.config.load import load_config
from runner.config.naming import RegistryAddress
from runner.config.settings import Options, config_file, find
from runner.published.pace import pace_of
from runner.session import has_login

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.cli.inspecting import Inspection
    from runner.config.load import Config

EXIT_CODES = """
\b
Exit codes:
  0  all is in order
  2  usage or configuration wrong
  5  something is not as it should be
  7  registry or git failed after retries: nothing is known of what it has
  8  credentials missing, expired or refused
"""

LONG_ID = re.compile(r"\b(?:sha256:)?([0-9a-f]{40,64})\b")
ID_LENGTH = 12


def jobs_of(config: Path | None) -> Config:
    """Read jobs.yaml: what ``--config`` names, else the default."""
    return load_config(Path(config_file(Options(config=config)).value))


def address_of(registry: str | None, jobs: Config) -> RegistryAddress:
    """The registry that is looked at; UsageInvalid when the option is malformed."""
    return RegistryAddress.parse(find("registry", Options(registry=registry), {}, jobs).value)


def pace_for(inspection: Inspection, address: RegistryAddress, jobs: Config) -> Callable[[], object]:
    """What waits so that the registry's limit of pulls is kept."""
    kind = registry_kind(address.host, jobs)
    return pace_of(kind, has_login=has_login(inspection.session, address.host), lifetime=inspection.lifetime)


def short_ids(text: str) -> str:
    """A text in which ids of commits and digests are cut to their first characters."""
    return LONG_ID.sub(lambda found: found[0][: found[0].index(found[1]) + ID_LENGTH], text)
