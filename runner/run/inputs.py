"""What a run is asked for: event, configuration, clone and route, each read once. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from runner.config.load import load_config
from runner.config.settings import DEFAULT_ARTIFACTS, Options, config_file, resolve_settings
from runner.oci.manifest import CREATED, REVISION, SOURCE
from runner.report.record import JobDocument, PullDocument, SettingDocument
from runner.run.plan.model import Identity
from runner.runtime.workspace import child_environment
from runner.source.clone import find_clone, open_clone
from runner.source.event import read_event
from runner.source.route import (
    FROM_CHART,
    PresubmitPath,
    ReleasePath,
    StablePath,
    check_presubmit,
    decide_route,
    presubmit_route,
    read_as_tag,
)

if TYPE_CHECKING:
    from datetime import datetime

    from runner.config.load import Config
    from runner.config.settings import Settings
    from runner.session import Session
    from runner.source.clone import Clone
    from runner.source.event import Event
    from runner.source.route import Route


@dataclass(frozen=True)
class Inputs:
    """All that decides what a run does, up to the route."""

    event: Event
    config: Config
    settings: Settings
    clone: Clone
    route: Route

    @cached_property
    def identity(self) -> Identity:
        """Commit and repository: what makes an artifact this release's."""
        return Identity(self.clone.head.commit, self.event.source)

    @property
    def ref(self) -> str:
        """The ref that is released: the one that was pushed, or the tag that HEAD is planned as."""
        return self.route.tag if isinstance(self.route, ReleasePath) else self.event.base_ref

    @property
    def created(self) -> datetime:
        """The commit's time: the only time that goes into artifacts."""
        return self.clone.head.commit_time

    @property
    def annotations(self) -> dict[str, str]:
        """What every chart of this run carries: commit, repository and the commit's time in RFC 3339, UTC."""
        return {
            REVISION: self.identity.revision,
            SOURCE: self.identity.source,
            CREATED: f"{self.created:%Y-%m-%dT%H:%M:%SZ}",
        }


def read_inputs(options: Options, session: Session) -> Inputs:
    """Read event, configuration, clone and route.

    Raises:
        EventInvalid, ConfigurationInvalid, UsageInvalid, CheckoutMissing, ToolUnusable: exit 2.
        NotARelease, TagMoved, StableIsATag, HistoryMissing, NoReleaseMerged: exit 3.
        VersionTaken: exit 5.
    """
    record = session.record
    with record.step("event"):
        proposed = None if options.as_tag is None else read_as_tag(options.as_tag)
        event = read_event(session.environment, presubmit=proposed is not None)
        record.update(
            as_tag=_as_tag(proposed),
            ref=event.base_ref,
            source=event.source,
            pulls=tuple(PullDocument(number=pull.number, commit=pull.sha) for pull in event.pulls),
            job=JobDocument(name=event.job, build=event.build_id, page=event.page) if event.job else None,
        )
    with record.step("configuration"):
        file = config_file(options)
        config = load_config(Path(file.value))
        settings = resolve_settings(options, session.environment, config)
        record.update(
            registry=str(settings.registry),
            settings={key: SettingDocument(value=one.value, origin=one.origin) for key, one in settings.table.items()},
        )
    with record.step("checkout"):
        folder = find_clone(event, options.workspace, Path.cwd())
        environment = child_environment(session.environment, session.folder, [folder])
        # The folder of reports in its default place, too: an earlier run may have left it.
        ours = [folder / DEFAULT_ARTIFACTS, *filter(None, (session.artifacts, options.to_layout))]
        clone = open_clone(folder, session.run, environment, ref=event.base_ref, sha=event.base_sha, ours=ours)
        record.update(commit=clone.head.commit)
        if clone.head.changed:
            record.warn(f"the work tree differs from HEAD and is ignored: {', '.join(clone.head.changed)}")
    with record.step("route"):
        head = clone.head
        route = decide_route(event, head) if proposed is None else presubmit_route(proposed, event, head)
        record.update(
            path="stable" if isinstance(route, StablePath) else "release",
            version=None if isinstance(route, PresubmitPath) else route.version,
        )
        if proposed is not None:
            _check_presubmit(proposed, event, clone)
    return Inputs(event, config, settings, clone, route)


def _as_tag(proposed: ReleasePath | PresubmitPath | None) -> str | None:
    if proposed is None:
        return None
    return proposed.tag if isinstance(proposed, ReleasePath) else FROM_CHART


def _check_presubmit(route: ReleasePath | PresubmitPath, event: Event, clone: Clone) -> None:
    commits = [*filter(None, [event.base_sha]), *(pull.sha for pull in event.pulls)]
    contained = {commit for commit in commits if clone.contains(commit)}
    tag = f"refs/tags/{route.tag}^{{commit}}" if isinstance(route, ReleasePath) else None
    found = clone.resolve([tag])[tag] if tag else None
    check_presubmit(route, event, clone.head, contained, found)
