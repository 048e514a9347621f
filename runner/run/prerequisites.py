"""What all services of a run share before they are built: tools, the base image, the exported source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.builders.base import Base, resolve_base
from runner.errors import ReleaseError
from runner.report.record import SettingDocument
from runner.run.services import STOPS_THE_RUN
from runner.source.export import export

if TYPE_CHECKING:
    from runner.run.request import Request
    from runner.run.tools import Tools


def prepare_tools(request: Request, tools: Tools, *, build: bool) -> Base | ReleaseError | None:
    """Check tools, resolve the base image to a digest, and export HEAD.

    Args:
        request: what is asked for.
        tools: what it is done with.
        build: whether anything may be compiled.

    Returns:
        The base image; None when nothing is built; the error when it cannot be had: services that build nothing go on.

    Raises:
        ToolUnusable: helm, or go where something is built, is missing or too old.
    """
    record = tools.record
    with record.step("tools"):
        record.tool("helm", tools.helm.version())
        if build:
            record.tool(tools.builder.name, tools.builder.check())
    base: Base | ReleaseError | None = None
    if build:
        base = _base(request, tools)
    with record.step("export"):
        export(request.checkout, tools.source, tools.run, tools.children)
    return base


def _base(request: Request, tools: Tools) -> Base | ReleaseError:
    record = tools.record
    with record.step("base image") as step:
        try:
            base = resolve_base(request.settings.base_image, tools.registry, request.config.platforms)
        except ReleaseError as error:
            # A service that builds nothing goes on; for the others it is told where they need it.
            if error.exit_code in STOPS_THE_RUN:
                raise
            step.skip(f"cannot be had: {error.cause}")
            return error
    resolved = SettingDocument(value=base.reference, origin="resolved when planning")
    record.update(settings={**record.document.settings, "base image resolved": resolved})
    return base
