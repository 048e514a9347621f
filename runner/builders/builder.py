"""The protocol of builders: requests and results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from runner.builders.base import Base
    from runner.oci.artifact import Artifact
    from runner.oci.manifest import Platform


@dataclass(frozen=True)
class BuildRequest:
    """One image to build.

    Attributes:
        service: the service's name, e.g. ``s3``.
        source: the exported tree, the repository's root.
        main: the folder of the main package, relative to ``source``.
        version: as in the image's tag, with ``v`` where naming has it.
        revision: the commit, 40 hexadecimal digits.
        created: the commit's time.
        source_url: the repository, ``https://HOST/OWNER/REPOSITORY``.
        platforms: what is built, in the index's order.
        base: what the image stands on.
        folder: where blobs are written; made when it is not there.
    """

    service: str
    source: Path
    main: str
    version: str
    revision: str
    created: datetime
    source_url: str
    platforms: tuple[Platform, ...]
    base: Base
    folder: Path

    @property
    def date(self) -> str:
        """The commit's time as RFC 3339 in UTC, to the second."""
        return f"{self.created.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class BuiltImage:
    """An image that may be published.

    ``inputs`` is all that its digest follows from; ``warnings`` are for the person at the Prow page.
    """

    artifact: Artifact
    inputs: Mapping[str, str]
    warnings: tuple[str, ...] = ()


class Pause(Protocol):
    """Waits before another attempt at what may go better then."""

    def __call__(self, seconds: float, why: str) -> object:
        """Wait, and say why; RunEnded where the run ends meanwhile."""
        ...


class Builder(Protocol):
    """Makes an image of an exported source tree."""

    @property
    def name(self) -> str:
        """The builder's name in settings and records."""
        ...

    def inspect(self, source: Path, main: str, platforms: Sequence[Platform]) -> None:
        """Check the source, without building, for what would make the build fail.

        Args:
            source: the exported tree, the repository's root.
            main: the folder of the main package, relative to ``source``.
            platforms: what will be built.

        Raises:
            BuildFailed, GoTooOld: it cannot be built.
        """

    def check(self) -> str:
        """Return the version of the tool that this builder calls; ToolUnusable when it is missing or too old."""
        ...

    def build(self, request: BuildRequest) -> BuiltImage:
        """Build an image for every platform; nothing is published.

        Raises:
            BuildFailed, GoTooOld, BinaryWrong, BaseImageUnusable: there is no image that may be published.
            OutOfMemory, ModulesUnavailable: there is none yet; a rerun may make one.
        """
        ...
