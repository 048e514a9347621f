"""Asks git what a change would release once it is merged and tagged, and judges each service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.run.presubmit.decide import NO_TAGS, Chart, Judged, Tag, propose, read_version, tag_of, version_there
from runner.run.request import Selected
from runner.run.selection import chart_file, not_asked_for, without_chart
from runner.run.services import each_service
from runner.source.clone import read_files, resolve
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.config.load import Service
    from runner.run.request import Request
    from runner.tools import Session


def propose_services(
    request: Request,
    found: tuple[Service, ...],
    files: Mapping[str, bytes | None],
    session: Session,
    children: Mapping[str, str],
) -> tuple[Selected, ...]:
    """Say of each service whether merging and tagging HEAD releases it, and in which version.

    What is wrong with one chart is recorded for its service; the others are judged all the same.

    Args:
        request: what is asked for.
        found: the services that live in the repository.
        files: each service's Chart.yaml at HEAD, None where there is none.
        session: where errors and warnings are recorded.
        children: the environment of git.
    """
    wanted = request.settings.services or tuple(service.name for service in found)
    alone, checkout = len(found) == 1, request.checkout
    bodies = {service: files[chart_file(service)] for service in found if service.name in wanted}
    judged = tuple(service for service, body in bodies.items() if alone or body is not None)
    git = _Git(request, session, children)
    tags = git.tags({service: tag_of(version_there(service, bodies[service]) or "") for service in judged})
    released = [version for tag in checkout.merged_tags if (version := ReleaseVersion.of_tag(tag))] if alone else []

    def judge(service: Service) -> Judged:
        with session.record.step("select", service.name) as step:
            version = read_version(service, bodies[service])
            one = propose(Chart(service, version, git.touches(service, tags[service])), tags[service], released)
            if not one.row.selected:
                step.skip(one.row.reason)
            return one

    passed = each_service(judged, lambda service: service.name, judge, session.record, at_once=1)
    if not checkout.has_tags:
        session.record.warn(NO_TAGS)
    for one in passed:
        session.record.warn(*one.warnings)
    causes = {error.service: error.cause for error in session.record.document.errors}
    rows = {service.name: not_asked_for(service) for service in found if service not in bodies}
    rows |= {service.name: without_chart(service) for service in bodies if service not in judged}
    rows |= {service.name: Selected(service, None, causes.get(service.name, "")) for service in judged}
    rows |= {one.row.service.name: one.row for one in passed}
    return tuple(rows[service.name] for service in found)


class _Git:
    """What git knows of tags and of the folders of charts.

    Folders are compared by the ids of their trees: a clone without blobs has those.
    """

    def __init__(self, request: Request, session: Session, children: Mapping[str, str]) -> None:
        self._checkout = request.checkout
        self._base = request.checkout.base_sha_commit if request.event.pulls else None
        self._session = session
        self._children = children
        self._objects: dict[str, str | None] = {}

    def tags(self, names: Mapping[Service, str | None]) -> dict[Service, Tag | None]:
        """Return each service's tag, None where there is none of this name.

        Args:
            names: for each service the tag of its chart's version, None where it has none.
        """
        checkout, base = self._checkout, self._base
        asked = [_commit(name) for name in names.values() if name is not None]
        asked += [_folder(_commit(name), service) for service, name in names.items() if name is not None]
        asked += [_folder(commit, service) for service in names for commit in (checkout.commit, base) if commit]
        self._objects = resolve(checkout, asked, self._session.run, self._children)
        return {service: self._tag(service, name) for service, name in names.items()}

    def touches(self, service: Service, tag: Tag | None) -> bool:
        """Whether the change touches a service's chart; by hand, without a pull request, since the tag."""
        if self._base is None:
            return tag is None or not tag.same_chart
        return self._of_head(service) != self._objects[_folder(self._base, service)]

    def _tag(self, service: Service, name: str | None) -> Tag | None:
        commit = None if name is None else self._objects[_commit(name)]
        if name is None or commit is None:
            return None
        there = self._objects[_folder(_commit(name), service)]
        same = there == self._of_head(service)
        version = "" if there is None else None if same else self._version_at(commit, service)
        return Tag(commit, merged=name in self._checkout.merged_tags, same_chart=same, chart_version=version)

    def _version_at(self, commit: str, service: Service) -> str | None:
        file = chart_file(service)
        bodies = read_files(self._checkout, [file], self._session.run, self._children, at=commit)
        return version_there(service, bodies[file])

    def _of_head(self, service: Service) -> str | None:
        return self._objects[_folder(self._checkout.commit, service)]


def _commit(tag: str) -> str:
    return f"refs/tags/{tag}^{{commit}}"


def _folder(commit: str, service: Service) -> str:
    return f"{commit}:{service.chart_folder}"
