"""What a run works with: the effects, opened once and handed to the stations that need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.report.console import Log
    from runner.report.record import Record
    from runner.runtime.lifetime import Lifetime
    from runner.runtime.process import Run


@dataclass(frozen=True)
class Session:
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
