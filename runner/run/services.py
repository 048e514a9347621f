"""The services that a run releases: selected, recorded with the reason for each, and logged in the first line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import UsageInvalid
from runner.report.record import ServiceDocument
from runner.run.presubmit.services import judge_services
from runner.run.selection import Selected, candidates, chart_file, check_any, select
from runner.source.route import PresubmitPath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.run.inputs import Inputs
    from runner.run.selection import Row
    from runner.session import Session


def select_services(inputs: Inputs, session: Session) -> tuple[Selected, ...]:
    """Return what this run releases; every service of the repository is recorded with the reason.

    Raises:
        ServiceUnknown, UsageInvalid: exit 2.
        NothingInTag: exit 4.
    """
    proposed = isinstance(inputs.route, PresubmitPath)
    with session.record.step("select"):
        found = candidates(inputs)
        files = inputs.clone.files(chart_file(service) for service in found)
        rows = judge_services(inputs, found, files, session) if proposed else select(inputs, found, files)
        for row in rows:
            session.record.set_service(_document(row))
        if not proposed:
            check_any(inputs, rows)
        selected = tuple(row for row in rows if isinstance(row, Selected))
        _check_single(inputs, selected)
    versions = {one.version for one in selected}
    if proposed:
        session.record.update(version=min(versions) if len(versions) == 1 else None)
    _tell(inputs, rows, selected, session)
    return selected


def _check_single(inputs: Inputs, selected: Sequence[Selected]) -> None:
    settings = inputs.settings
    if len(selected) > 1 and (settings.image is not None or settings.image_repository is not None):
        raise UsageInvalid(
            f"DOCKER_REPOSITORY and AWS_SERVICE_DOCKER_IMG name one image, but {inputs.ref} releases"
            f" {', '.join(one.service.name for one in selected)}"
        )


def _document(row: Row) -> ServiceDocument:
    version = row.version if isinstance(row, Selected) else None
    return ServiceDocument(name=row.service.name, selected=version is not None, version=version, reason=row.reason)


def _tell(inputs: Inputs, rows: Sequence[Row], selected: Sequence[Selected], session: Session) -> None:
    document = session.record.document
    session.log.info(
        "started",
        services=",".join(one.service.name for one in selected) or "none",
        ref=inputs.event.base_ref,
        pulls=",".join(pull.number for pull in inputs.event.pulls) or None,
        as_tag=document.as_tag,
        commit=inputs.clone.head.commit,
        path=document.path,
        version=",".join(sorted({one.version for one in selected})) or document.version,
        registry=str(inputs.settings.registry),
    )
    failed = {error.service for error in document.errors}
    proposed = isinstance(inputs.route, PresubmitPath)
    asked = set(inputs.settings.services) or {row.service.name for row in rows if proposed}
    for row in rows:
        if not isinstance(row, Selected) and row.service.name in asked - failed:
            session.log.info("not released", service=row.service.name, reason=row.reason)
    for warning in document.warnings:
        session.log.warning("warning", text=warning)
