"""What all services of a run share before they are built: tools, the base image, the exported source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.builders.base import Base, resolve_base
from runner.errors import ReleaseError
from runner.report.record import SettingDocument
from runner.run.each_service import STOPS_THE_RUN

if TYPE_CHECKING:
    from pathlib import Path

    from runner.run.inputs import Inputs
    from runner.run.tools import Tools


@dataclass(frozen=True)
class Prerequisites:
    """What is there before any service is worked on.

    Attributes:
        source: the folder that holds the files of HEAD.
        base: the base image; None when nothing is built; the error when it cannot be used: services that build nothing
            go on.
    """

    source: Path
    base: Base | ReleaseError | None


def check_prerequisites(inputs: Inputs, tools: Tools, *, build: bool) -> Prerequisites:
    """Check tools, resolve the base image to a digest, and export HEAD.

    Args:
        inputs: what is asked for.
        tools: what it is done with.
        build: whether anything may be compiled.

    Raises:
        ToolUnusable: helm, or the builder's tool where something is built, is missing or too old.
    """
    record = tools.record
    with record.step("tools"):
        record.tool("helm", tools.helm.version())
        if build:
            record.tool(tools.builder.name, tools.builder.check())
    base = _base(inputs, tools) if build else None
    with record.step("export"):
        return Prerequisites(inputs.clone.export(tools.folder / "source"), base)


def _base(inputs: Inputs, tools: Tools) -> Base | ReleaseError:
    record = tools.record
    with record.step("base image") as step:
        try:
            base = resolve_base(inputs.settings.base_image, tools.registry, inputs.config.platforms)
        except ReleaseError as error:
            # A service that builds nothing goes on; for the others it is reported where they need it.
            if error.exit_code in STOPS_THE_RUN:
                raise
            step.skip(f"cannot be used: {error.cause}")
            return error
    resolved = SettingDocument(value=base.reference, origin="resolved when planning")
    record.update(settings={**record.document.settings, "base image resolved": resolved})
    return base
