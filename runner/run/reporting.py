"""What is decided for a service goes into the record and the log in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.report.record import EntryDocument

if TYPE_CHECKING:
    from runner.run.plan.model import Plan
    from runner.session import Session


def tell_plan(plan: Plan, session: Session) -> None:
    """Record and log a plan as a step of its own: every entry with its reason, warnings and notes.

    Raises:
        ReleaseError: the plan's own, when it refuses a target.
    """
    with session.record.step("plan", plan.service) as step:
        record_entries(plan, session)
        warn(session, plan.service, *plan.warnings)
        note(session, plan.service, *plan.notes)
        for entry in plan.entries:
            session.log.info(
                "planned",
                service=plan.service,
                action=entry.action.value,
                name=str(entry.target),
                reason=entry.reason,
                digest=entry.digest,
            )
        if plan.error is not None:
            raise plan.error
        if not plan.publishes:
            step.skip("everything is published already")


def warn(session: Session, service: str, *texts: str) -> None:
    """Record and log what needs attention."""
    session.record.warn(*texts)
    for text in texts:
        session.log.warning("warning", service=service, text=text)


def note(session: Session, service: str, *texts: str) -> None:
    """Record and log what is worth knowing and needs nothing done."""
    session.record.note(*texts)
    for text in texts:
        session.log.info("note", service=service, text=text)


def record_entries(plan: Plan, session: Session) -> None:
    """Record what each target of a plan holds or will hold."""
    session.record.set_entries(plan.service, entry_documents(plan))


def entry_documents(plan: Plan) -> tuple[EntryDocument, ...]:
    """The plan's entries in the record's words."""
    return tuple(
        EntryDocument(
            service=plan.service,
            kind=entry.kind.value,
            name=str(entry.target),
            action=entry.action.value,
            reason=entry.reason,
            digest=entry.digest,
            restores=entry.restores,
            adopted=entry.adopted,
        )
        for entry in plan.entries
    )
