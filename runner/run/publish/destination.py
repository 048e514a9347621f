"""What a destination of artifacts offers to the stages of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.oci.artifact import Artifact
    from runner.oci.manifest import Manifest
    from runner.oci.name import Name
    from runner.published.observed import Observation


class Destination(Protocol):
    """Where artifacts go: a registry, or a folder."""

    @property
    def reads_files_at_the_end(self) -> bool:
        """Whether the files of artifacts are read in ``finish``, and must be there until then."""
        ...

    def publish(
        self,
        artifact: Artifact,
        names: Sequence[tuple[Name, Observation]],
        *,
        attached: Sequence[Artifact] = (),
    ) -> None:
        """Let every name hold this artifact, once what is attached to it is there.

        Args:
            artifact: the artifact.
            names: the names in order, each with what was observed under it when planning.
            attached: what is attached to the artifact or to a part of it, each after its own subject.
        """
        ...

    def missing(self, image: Name, manifest: Manifest) -> tuple[str, ...]:
        """Say what of an image does not answer by digest; a chart goes out only when this is empty."""
        ...

    def finish(self) -> None:
        """Called once, when everything was published."""
        ...
