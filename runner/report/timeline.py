"""From the steps of a run to bars on a line: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.report.record import StepDocument


@dataclass(frozen=True)
class Bar:
    """Where a step is on the line; ``left`` and ``width`` in percent of the whole."""

    step: StepDocument
    left: float
    width: float


SHORT_SECONDS = 0.1
"""What takes less is of no interest beside what takes minutes."""

FEWEST_FOLDED = 2
"""Of fewer steps a row of their own says more."""


@dataclass(frozen=True)
class Folded:
    """Steps too short to look at, each of less than ``limit`` seconds, and their seconds in all."""

    bars: tuple[Bar, ...]
    seconds: float
    limit: float = SHORT_SECONDS


def fold(drawn: Sequence[Bar]) -> tuple[tuple[Bar, ...], Folded | None]:
    """Part the steps that are worth a row from those that took less than ``SHORT_SECONDS``, each in their order.

    A step that failed or has not ended is always worth one. None is folded where there are fewer than
    ``FEWEST_FOLDED`` of them.
    """
    short = tuple(bar for bar in drawn if _is_short(bar.step))
    if len(short) < FEWEST_FOLDED:
        return tuple(drawn), None
    kept = tuple(bar for bar in drawn if not _is_short(bar.step))
    return kept, Folded(short, sum(bar.step.seconds or 0.0 for bar in short))


def _is_short(step: StepDocument) -> bool:
    return step.outcome in {"passed", "skipped"} and step.seconds is not None and step.seconds < SHORT_SECONDS


def bars(steps: Sequence[StepDocument]) -> tuple[Bar, ...]:
    """Return a bar for each step, in their order."""
    offsets = _offsets(steps)
    span = span_seconds(steps) or 1.0
    return tuple(
        Bar(step, round(offset / span * 100, 2), round((step.seconds or 0.0) / span * 100, 2))
        for step, offset in zip(steps, offsets, strict=True)
    )


def span_seconds(steps: Sequence[StepDocument]) -> float:
    """The seconds from the first step's start to the end of the last."""
    ends = (offset + (step.seconds or 0.0) for step, offset in zip(steps, _offsets(steps), strict=True))
    return max(ends, default=0.0)


def _offsets(steps: Sequence[StepDocument]) -> list[float]:
    """Seconds from the earliest start to each step's; 0 for one that cannot be read."""
    starts = [_start(step) for step in steps]
    earliest = min((start for start in starts if start is not None), default=0.0)
    return [0.0 if start is None else start - earliest for start in starts]


def _start(step: StepDocument) -> float | None:
    try:
        return datetime.fromisoformat(step.started).timestamp()
    except ValueError:
        return None
