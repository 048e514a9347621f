"""What is decided for a service goes into the record and the log in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.report.record import EntryDocument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.run.plan.model import Plan
    from runner.run.request import Desired, Request
    from runner.run.tools import Tools
    from runner.tools import Session


def record_desired(request: Request, desired: Iterable[Desired], tools: Tools) -> None:
    """Record the scheme of each service, the charts' warnings, and whether this is a staging release."""
    staging = request.settings.is_staging
    for one in desired:
        staging = staging or str(one.images[0]) != one.facts.image
        row = next(row for row in tools.record.document.services if row.name == one.service.name)
        tools.record.set_service(row.model_copy(update={"scheme": one.scheme.label}))
        warn(tools, one.service.name, *one.warnings)
    tools.record.update(staging=staging)
    if staging:
        settings = request.settings
        tools.log.info("staging release", registry=str(settings.registry), production=str(settings.production))


def record_plan(plan: Plan, tools: Tools) -> None:
    """Record and log a plan: every entry with its reason, warnings and notes.

    Raises:
        ReleaseError: the plan's own, when it refuses a name.
    """
    record_entries(plan, tools)
    warn(tools, plan.service, *plan.warnings)
    note(tools, plan.service, *plan.notes)
    for entry in plan.entries:
        tools.log.info(
            "planned",
            service=plan.service,
            action=entry.action.value,
            name=str(entry.name),
            reason=entry.reason,
            digest=entry.digest,
        )
    if plan.error is not None:
        raise plan.error


def warn(tools: Session, service: str, *texts: str) -> None:
    """Record and log what wants a look."""
    tools.record.warn(*texts)
    for text in texts:
        tools.log.warning(text, service=service)


def note(tools: Session, service: str, *texts: str) -> None:
    """Record and log what is worth knowing and needs nothing done."""
    tools.record.note(*texts)
    for text in texts:
        tools.log.info(text, service=service)


def record_entries(plan: Plan, tools: Tools) -> None:
    """Record what each name of a plan holds or will hold."""
    tools.record.set_entries(plan.service, entry_documents(plan))


def entry_documents(plan: Plan) -> tuple[EntryDocument, ...]:
    """The plan's entries in the record's words."""
    return tuple(
        EntryDocument(
            service=plan.service,
            kind=entry.kind.value,
            name=str(entry.name),
            action=entry.action.value,
            reason=entry.reason,
            digest=entry.digest,
        )
        for entry in plan.entries
    )
