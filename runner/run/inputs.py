"""The beginning of a run: reads what is asked for, and opens what it is done with. Nothing is written.

The first log line says what is released. Nothing that comes after it is imported before it.
"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from runner.config.load import load_config
from runner.config.settings import Options, config_file, resolve_settings
from runner.errors import UsageInvalid
from runner.report.record import PullDocument, ServiceDocument, SettingDocument
from runner.run.presubmit.services import propose_services
from runner.run.request import Chosen, Request, Selected
from runner.run.selection import candidates, chart_file, check_any, select
from runner.run.tools import Tools
from runner.runtime.workspace import child_environment
from runner.source.clone import find_checkout, is_ancestor, read_checkout, read_files, resolve
from runner.source.event import read_event
from runner.source.route import (
    FROM_CHART,
    ProposedPath,
    ReleasePath,
    StablePath,
    check_proposal,
    decide_route,
    propose_route,
    read_as_tag,
)
from runner.tools import Session, open_builder, open_helm, open_registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runner.oci.name import Name
    from runner.source.clone import Checkout
    from runner.source.event import Event


def read_request(options: Options, session: Session) -> Request:
    """Read event, configuration, checkout and route.

    Raises:
        EventInvalid, ConfigurationInvalid, UsageInvalid, CheckoutMissing, ToolUnusable: exit 2.
        NotARelease, TagMoved, StableIsATag, HistoryMissing, NoReleaseMerged: exit 3.
        VersionTaken: exit 5.
    """
    record = session.record
    with record.step("event"):
        proposed = None if options.as_tag is None else read_as_tag(options.as_tag)
        event = read_event(session.environment, proposal=proposed is not None)
        record.update(
            as_tag=_as_tag(proposed),
            ref=event.base_ref,
            source=event.source,
            pulls=tuple(PullDocument(number=pull.number, commit=pull.sha) for pull in event.pulls),
        )
    with record.step("configuration"):
        file = config_file(options)
        config = load_config(Path(file.value))
        settings = resolve_settings(options, session.environment, config)
        table = {"config": file, **settings.table}
        record.update(
            registry=str(settings.registry),
            settings={key: SettingDocument(value=one.value, origin=one.origin) for key, one in table.items()},
        )
    with record.step("checkout"):
        folder = find_checkout(event, options.workspace, Path.cwd())
        checkout = read_checkout(
            folder, event, session.run, child_environment(session.environment, session.folder, [folder])
        )
        record.update(commit=checkout.commit)
        ours = [path for path in (session.artifacts, options.to_layout) if path is not None]
        changed = [path for path in checkout.changed if not _is_ours(folder / path, ours)]
        if changed:
            record.warn(f"the work tree differs from HEAD and is not read: {', '.join(changed)}")
    with record.step("route"):
        route = decide_route(event, checkout) if proposed is None else propose_route(proposed, event, checkout)
        record.update(
            path="stable" if isinstance(route, StablePath) else "release",
            version=None if isinstance(route, ProposedPath) else route.version,
        )
        if proposed is not None:
            _check_proposal(proposed, event, checkout, session)
    return Request(event, config, settings, checkout, route)


def open_tools(request: Request, session: Session) -> Tools:
    """Open what the run works with."""
    from runner.run.publish import FolderDestination, RegistryDestination  # noqa: PLC0415 - after the first log line

    children = child_environment(session.environment, session.folder, [request.checkout.folder])
    registry = open_registry(session)
    build, settings = request.config.build, request.settings
    session.record.update(layout_folder=str(settings.to_layout) if settings.to_layout else None)

    def written(name: Name) -> None:
        session.record.written(str(name))

    destination = (
        RegistryDestination(registry, session.lifetime, session.log.info, written=written)
        if settings.to_layout is None
        else FolderDestination(_writable(settings.to_layout), registry, written=written)
    )
    return Tools(
        **{field.name: getattr(session, field.name) for field in fields(Session)},
        children=children,
        source=session.folder / "source",
        registry=registry,
        helm=open_helm(session, build.helm, children),
        builder=open_builder(session, settings.builder, build.programs, children),
        destination=destination,
    )


def choose_services(request: Request, session: Session) -> tuple[Chosen, ...]:
    """Return what this run releases; every service of the repository is recorded with the reason.

    Raises:
        ServiceUnknown, UsageInvalid: exit 2.
        NothingInTag: exit 4.
    """
    with session.record.step("select"):
        found = candidates(request)
        children = child_environment(session.environment, session.folder, [request.checkout.folder])
        files = read_files(request.checkout, [chart_file(service) for service in found], session.run, children)
        proposed = isinstance(request.route, ProposedPath)
        rows = propose_services(request, found, files, session, children) if proposed else select(request, found, files)
        chosen = tuple(Chosen(row.service, row.version) for row in rows if row.version is not None)
        for row in rows:
            session.record.set_service(_service_row(row))
        if not proposed:
            check_any(request, rows)
        settings = request.settings
        if len(chosen) > 1 and (settings.image is not None or settings.image_repository is not None):
            raise UsageInvalid(
                f"DOCKER_REPOSITORY and AWS_SERVICE_DOCKER_IMG name one image, and {request.ref} releases"
                f" {', '.join(one.service.name for one in chosen)}"
            )
    versions = {one.version for one in chosen}
    if proposed:
        session.record.update(version=min(versions) if len(versions) == 1 else None)
    session.log.info(
        "started",
        services=",".join(one.service.name for one in chosen) or "none",
        ref=request.event.base_ref,
        pulls=",".join(pull.number for pull in request.event.pulls) or None,
        as_tag=session.record.document.as_tag,
        commit=request.checkout.commit,
        path=session.record.document.path,
        version=",".join(sorted(versions)) or session.record.document.version,
        registry=str(settings.registry),
    )
    failed = {error.service for error in session.record.document.errors}
    asked = set(settings.services) or {row.service.name for row in rows if proposed}
    for row in rows:
        if row.version is None and row.service.name in asked - failed:
            session.log.info("not released", service=row.service.name, reason=row.reason)
    for warning in session.record.document.warnings:
        session.log.warning(warning)
    return chosen


def read_chart_files(request: Request, paths: Sequence[str], tools: Tools) -> dict[str, bytes | None]:
    """Return these files as they are at HEAD, None for those that are not there."""
    return read_files(request.checkout, paths, tools.run, tools.children)


def _writable(folder: Path) -> Path:
    existing = next(above for above in (folder.absolute(), *folder.absolute().parents) if above.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UsageInvalid(f"--to-layout: {folder} cannot be written, since {existing} cannot")
    return folder


def _is_ours(path: Path, ours: Iterable[Path]) -> bool:
    return any(path.resolve() in {folder.resolve(), *folder.resolve().parents} for folder in ours)


def _service_row(row: Selected) -> ServiceDocument:
    return ServiceDocument(name=row.service.name, selected=row.selected, version=row.version, reason=row.reason)


def _as_tag(proposed: ReleasePath | ProposedPath | None) -> str | None:
    if proposed is None:
        return None
    return f"v{proposed.version}" if isinstance(proposed, ReleasePath) else FROM_CHART


def _check_proposal(route: ReleasePath | ProposedPath, event: Event, checkout: Checkout, session: Session) -> None:
    children = child_environment(session.environment, session.folder, [checkout.folder])
    commits = [*filter(None, [event.base_sha]), *(pull.sha for pull in event.pulls)]
    contained = {commit for commit in commits if is_ancestor(checkout, commit, session.run, children)}
    tag = f"refs/tags/v{route.version}^{{commit}}" if isinstance(route, ReleasePath) else None
    found = resolve(checkout, [tag], session.run, children)[tag] if tag else None
    check_proposal(route, event, checkout, contained, found)
