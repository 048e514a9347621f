"""What a run works with: the effects, opened once and handed to the stations that need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.build.builder import Builder
    from runner.chart.helm import Helm
    from runner.lifetime import Lifetime
    from runner.log import Log
    from runner.oci.registry import Registry
    from runner.process import Run
    from runner.publish import Destination
    from runner.record import Record


@dataclass(frozen=True)
class Surroundings:
    """What is there before anything is known of the release.

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


@dataclass(frozen=True)
class Means(Surroundings):
    """What is there once the request is read.

    ``children`` is the environment of every child; ``source`` where HEAD is exported to.
    """

    children: Mapping[str, str]
    source: Path
    registry: Registry
    helm: Helm
    builder: Builder
    destination: Destination
