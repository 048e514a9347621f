"""What the clone knows of charts' folders and of the tags of their versions, as values.

Folders are compared by the ids of their trees: a clone without blobs has those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.run.presubmit.decide import Tag, tag_of, version_there
from runner.run.selection import chart_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.config.load import Service
    from runner.source.clone import Clone


@dataclass(frozen=True)
class ChartAtHead:
    """A service's chart in a change.

    Attributes:
        service: whose it is.
        body: its Chart.yaml; None where there is none.
        tag: the tag of its version; None when there is none yet.
        touched: whether the change touches the chart's folder; by hand, without a pull request, since the tag.
    """

    service: Service
    body: bytes | None
    tag: Tag | None
    touched: bool


def read_charts(clone: Clone, bodies: Mapping[Service, bytes | None], *, base: str | None) -> tuple[ChartAtHead, ...]:
    """Ask the clone, at once for all services, what became of their charts.

    Args:
        clone: the base with the change merged into it.
        bodies: each service's Chart.yaml at HEAD, None where there is none.
        base: the commit that pull requests are merged into; None without pull requests.
    """
    tags = {service: tag_of(version_there(service, body) or "") for service, body in bodies.items()}
    named = [(service, tag) for service, tag in tags.items() if tag is not None]
    objects = clone.resolve(
        [
            *(_commit(tag) for _, tag in named),
            *(_folder(_commit(tag), service) for service, tag in named),
            *(_folder(commit, service) for service in bodies for commit in (clone.head.commit, base) if commit),
        ]
    )

    def read(service: Service, body: bytes | None) -> ChartAtHead:
        head = objects[_folder(clone.head.commit, service)]
        name = tags[service]
        commit = None if name is None else objects[_commit(name)]
        tag = None
        if name is not None and commit is not None:
            there = objects[_folder(_commit(name), service)]
            same = there == head
            version = "" if there is None else None if same else _version_at(clone, commit, service)
            tag = Tag(commit, merged=name in clone.head.merged_tags, same_chart=same, chart_version=version)
        since_tag = tag is None or not tag.same_chart
        return ChartAtHead(
            service, body, tag, touched=since_tag if base is None else head != objects[_folder(base, service)]
        )

    return tuple(read(service, body) for service, body in bodies.items())


def _version_at(clone: Clone, commit: str, service: Service) -> str | None:
    file = chart_file(service)
    return version_there(service, clone.files([file], at=commit)[file])


def _commit(tag: str) -> str:
    return f"refs/tags/{tag}^{{commit}}"


def _folder(commit: str, service: Service) -> str:
    return f"{commit}:{service.chart_folder}"
