"""Every builder by its name, and how it is opened.

What reads options and jobs.yaml asks for the names, long before anything is built; so a builder's module is loaded
when it is opened, and not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.builders.builder import Builder, Pause
    from runner.runtime.process import Run


class Opener(Protocol):
    """How a builder is opened."""

    def __call__(
        self, programs: Mapping[str, str], run: Run, environment: Mapping[str, str], log: Path | None, pause: Pause
    ) -> Builder:
        """Return the builder; nothing is started or looked for yet.

        Args:
            programs: the programs that jobs.yaml names under ``build``, by key: each a name on PATH, or a path.
            run: how a program is started.
            environment: the whole environment of the programs that the builder starts.
            log: a file to which their output is appended.
            pause: waits before another attempt.
        """
        ...


def _go(
    programs: Mapping[str, str], run: Run, environment: Mapping[str, str], log: Path | None, pause: Pause
) -> Builder:
    from runner.builders.go import GoBuilder

    return GoBuilder(programs["go"], run, environment, log, pause=pause)


BUILDERS: Mapping[str, Opener] = {"go": _go}
