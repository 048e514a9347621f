"""What Deck, Prow's page, says of a job that would be run again with today's configuration."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import yaml

from runner.errors import LatestUnusable
from runner.oci.problem import describe, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.prow.operate.prowjob import ProwJob

    Propose = Callable[[ProwJob], object]

SECONDS: Final = 30
LIMIT: Final = 4 * 1024 * 1024
"""The most bytes of an answer that are read."""


def proposed(job: ProwJob, deck: str | None) -> object:
    """Return the ProwJob that Deck would create with today's configuration; reading that creates nothing.

    Only Prow has its configuration; Deck gives it to whoever may see its page (cmd/deck/rerun.go).

    Args:
        job: the old one.
        deck: Deck's address; where Prow says that the job's page is when left out.

    Raises:
        LatestUnusable: it cannot be asked, or its answer cannot be read.
    """
    address = deck or job.deck
    if address is None:
        raise LatestUnusable(f"{job.name} does not say where Prow's page is")
    if not address.startswith(("http://", "https://")):
        raise LatestUnusable(f"{address} is no address of a page")
    asked = f"{address.rstrip('/')}/rerun?{urlencode({'mode': 'latest', 'prowjob': job.name})}"
    try:
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:  # noqa: S310 - the scheme is looked at above
            text = answer.read(LIMIT)
        return yaml.safe_load(text)
    except urllib.error.HTTPError as refused:
        with refused:
            said = printable(refused.read(LIMIT).decode(errors="replace"))
        raise LatestUnusable(f"Prow's page at {address} refuses: {said or refused.code}") from refused
    except (OSError, ValueError) as error:
        raise LatestUnusable(f"Prow's page at {address} cannot be asked: {describe(error)}") from error
    except yaml.YAMLError as error:
        raise LatestUnusable(f"Prow's page at {address} does not answer with YAML") from error
