"""What is decided for a service goes into the record and the log in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.report.record import EntryDocument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.run.plan.model import Plan
    from runner.run.request import Desired, Request
    from runner.run.tools import Means
    from runner.tools import Surroundings


def record_desired(request: Request, desired: Iterable[Desired], means: Means) -> None:
    """Record the scheme of each service, the charts' warnings, and whether this is a staging release."""
    staging = request.settings.is_staging
    for one in desired:
        staging = staging or str(one.images[0]) != one.facts.image
        row = next(row for row in means.record.document.services if row.name == one.service.name)
        means.record.set_service(row.model_copy(update={"scheme": one.scheme.label}))
        warn(means, one.service.name, *one.warnings)
    means.record.update(staging=staging)
    if staging:
        settings = request.settings
        means.log.info("staging release", registry=str(settings.registry), production=str(settings.production))


def record_plan(plan: Plan, means: Means) -> None:
    """Record and log a plan: every entry with its reason, warnings and notes.

    Raises:
        ReleaseError: the plan's own, when it refuses a name.
    """
    record_entries(plan, means)
    warn(means, plan.service, *plan.warnings)
    note(means, plan.service, *plan.notes)
    for entry in plan.entries:
        means.log.info(
            "planned",
            service=plan.service,
            action=entry.action.value,
            name=str(entry.name),
            reason=entry.reason,
            digest=entry.digest,
        )
    if plan.error is not None:
        raise plan.error


def warn(means: Surroundings, service: str, *texts: str) -> None:
    """Record and log what wants a look."""
    means.record.warn(*texts)
    for text in texts:
        means.log.warning(text, service=service)


def note(means: Surroundings, service: str, *texts: str) -> None:
    """Record and log what is worth knowing and needs nothing done."""
    means.record.note(*texts)
    for text in texts:
        means.log.info(text, service=service)


def record_entries(plan: Plan, means: Means) -> None:
    """Record what each name of a plan holds or will hold."""
    means.record.set_entries(plan.service, entry_documents(plan))


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
