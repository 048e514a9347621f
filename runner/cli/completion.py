"""What a shell is told that may stand at a place of the command line: services, release tags, jobs.

Click makes the rest (``_ACK_RELEASE_COMPLETE=bash_source ack-release``). Whoever presses a key waits for this: what
cannot be had soon is left out, and nothing is said about it.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runner.errors import ReleaseError
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import click

SECONDS: Final = 2.0
"""How long a program or a cluster may take to answer."""


def services(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """The services of jobs.yaml."""
    return beginning(begun, _services(context))


def releases(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """The release tags of the clone around the current folder, newest first."""
    found = sorted(filter(None, map(ReleaseVersion.of_tag, _tags())), reverse=True)
    return beginning(begun, (version.tag for version in found))


def soon(find: Callable[[], list[str]]) -> list[str]:
    """What is found within SECONDS; nothing where it takes longer, or cannot be found."""
    found: list[str] = []

    def work() -> None:
        with suppress(ReleaseError):
            found.extend(find())

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(SECONDS)
    return found


def _services(context: click.Context) -> Iterator[str]:
    from runner.cli.reading import jobs_of  # noqa: PLC0415 - only where it is asked for

    with suppress(ReleaseError):
        yield from sorted(jobs_of(context.params.get("config")).services)


def _tags() -> list[str]:
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    with suppress(OSError, TimeoutError, ReleaseError):
        return (
            Children(Lifetime())
            .run(("git", "tag", "--list", "v*"), env=environment, cwd=Path.cwd(), seconds=SECONDS)
            .stdout.split()
        )
    return []


def beginning(begun: str, words: Iterable[str]) -> list[str]:
    """The words that begin with what was typed, in their order."""
    return [word for word in words if word.startswith(begun)]
