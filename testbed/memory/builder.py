"""A builder in memory: images of a few bytes, described as those that are published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.builders.archive import PROGRAM_MODE, Member, write_layer
from runner.builders.builder import BuiltImage
from runner.builders.image import PROGRAM, base_inputs, image_artifact
from runner.errors import BuildFailed
from testbed.memory.calls import Calls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runner.builders.builder import BuildRequest
    from runner.oci.manifest import Platform


class MemoryBuilder:
    """Builds without a compiler: the program is a line that says of which release it is.

    ``calls`` are about the service where it is known, else about the folder of the main package.

    Args:
        version: what its tool says of itself.
        warnings: what it says of every image.
    """

    name = "memory"

    def __init__(self, version: str = "1.0.0", warnings: tuple[str, ...] = ()) -> None:
        self.calls = Calls()
        self._version = version
        self._warnings = warnings

    def check(self) -> str:
        """As a builder does."""
        return self.calls.carry_out("check", "", lambda: self._version)

    def inspect(self, source: Path, main: str, platforms: Sequence[Platform]) -> None:  # noqa: ARG002 - the protocol
        """Check that the folder of the main package exists, and nothing else."""
        self.calls.carry_out("inspect", main, lambda: _refuse_missing(source, main))

    def build(self, request: BuildRequest) -> BuiltImage:
        """Lay the image out: the base, and the same kind of layer for each platform."""
        return self.calls.carry_out("build", request.service, lambda: self._built(request))

    def _built(self, request: BuildRequest) -> BuiltImage:
        _refuse_missing(request.source, request.main)
        request.folder.mkdir(parents=True, exist_ok=True)
        layers = {}
        for platform in request.platforms:
            program = f"{request.service} {request.version} {request.revision} {request.date} {platform}\n"
            layers[platform] = (write_layer((Member(PROGRAM, program.encode(), PROGRAM_MODE),), request.folder),)
        inputs = {
            "builder": self.name,
            "revision": request.revision,
            "source": request.source_url,
            "created": request.date,
            "version": request.version,
            "platforms": ",".join(map(str, request.platforms)),
            **base_inputs(request.base),
        }
        return BuiltImage(image_artifact(request, layers, inputs), inputs, self._warnings)


def _refuse_missing(source: Path, main: str) -> None:
    if not (source / main).is_dir():
        raise BuildFailed(f"there is no folder {main}")
