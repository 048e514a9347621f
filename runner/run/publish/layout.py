"""Publishing to an OCI image layout folder: collected first, written as a whole at the end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from runner.errors import UsageInvalid
from runner.oci.layout import write_layout_folder
from runner.runtime.storage import storage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from runner.oci.artifact import Artifact
    from runner.oci.manifest import Manifest
    from runner.oci.name import Name
    from runner.oci.registry import Registry
    from runner.published.observed import Observation


class LayoutDestination:
    """Collects artifacts and writes them as one OCI image layout folder at the end.

    Args:
        folder: where to.
        registry: where content that is not on this machine is fetched.
        written: called with each name that the folder holds, and its digest.
    """

    def __init__(
        self, folder: Path, registry: Registry, *, written: Callable[[Name, str], object] = lambda *_: None
    ) -> None:
        self._folder = folder
        self._registry = registry
        self._tell_written = written
        self._lock = threading.Lock()
        self._entries: list[tuple[Name, Artifact]] = []
        self._attached: dict[str, Artifact] = {}

    reads_files_at_the_end = True

    def publish(
        self,
        artifact: Artifact,
        names: Sequence[tuple[Name, Observation]],
        *,
        attached: Sequence[Artifact] = (),
    ) -> None:
        """Remember the artifact under its names, and what is attached to it."""
        with self._lock:
            self._entries.extend((name, artifact) for name, _ in names)
            self._attached.update((one.root.digest, one) for one in attached)

    def missing(self, image: Name, manifest: Manifest) -> tuple[str, ...]:  # noqa: ARG002 - nothing is asked of a folder
        """Nothing is missing: what the folder holds is written as a whole."""
        return ()

    def finish(self) -> None:
        """Write the folder, with one entry per name, in the order of the names; nothing when nothing was built."""
        if not self._entries:
            return
        try:
            write_layout_folder(
                self._folder,
                sorted(self._entries, key=lambda entry: entry[0]),
                self._registry,
                attached=tuple(self._attached.values()),
            )
        except OSError as error:
            raise storage_error(error, self._folder) or UsageInvalid(
                f"--to-layout: {self._folder} cannot be written: {error.strerror}"
            ) from error
        for name, artifact in self._entries:
            self._tell_written(name, artifact.root.digest)
