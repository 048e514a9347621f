"""What a run works with: the effects, opened once and handed to the stages that need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.tools import Session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.builders.builder import Builder
    from runner.chart.helm import Helm
    from runner.oci.registry import Registry
    from runner.run.publish import Destination


@dataclass(frozen=True)
class Tools(Session):
    """What is there once the request is read.

    ``children`` is the environment of every child; ``source`` where HEAD is exported to.
    """

    children: Mapping[str, str]
    source: Path
    registry: Registry
    helm: Helm
    builder: Builder
    destination: Destination
