"""Which releases of the former job are taken as they are: the rules of ``adopt`` in ``jobs.yaml``. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from runner.versions import VersionRange

ALL = "all"
"""What stands in the file in the place of a list."""


@dataclass(frozen=True)
class AdoptRule:
    """Services, and which of their versions may be adopted; None stands for all of them."""

    services: tuple[str, ...] | None
    versions: tuple[VersionRange, ...] | None

    def takes(self, service: str, version: str) -> bool:
        """Whether the release MAJOR.MINOR.PATCH of a service may be adopted."""
        release = ReleaseVersion.parse(version)
        return (self.services is None or service in self.services) and (
            self.versions is None or any(versions.contains(release) for versions in self.versions)
        )

    def __str__(self) -> str:
        services = f"{ALL} services" if self.services is None else " and ".join(self.services)
        versions = f"{ALL} versions" if self.versions is None else " or ".join(map(str, self.versions))
        return f"{services}: {versions}"


EVERYTHING = AdoptRule(None, None)
"""What ``--adopt-existing`` means."""
