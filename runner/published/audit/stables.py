"""What is wrong with the stable charts of one service. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.annotations import RELEASE_RESOLVED_VERSION, RELEASE_VERSION
from runner.published.audit import kinds
from runner.published.audit.kinds import Finding, Kind
from runner.published.audit.releases import made_from, there
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runner.oci.name import Name
    from runner.published.audit.state import ServiceState
    from runner.published.observed import PublishedChart
    from runner.versions import StableChannel


def of_stable(state: ServiceState) -> Iterator[Finding]:
    """What is wrong with the stable charts: against their history, against the branch, and what they deploy."""
    head = state.refs.stable
    if not state.stable_names:
        if head is not None:
            yield _finding(state, kinds.STABLE_MISSING, None, (), f"the branch is at {head[:12]}")
        return
    moved = tuple(_of_each_name(state))
    yield from moved
    if head is None:
        made = [name for name, chart in _charts(state) if chart.revision]
        if made:
            yield _finding(state, kinds.STABLE_WITHOUT_BRANCH, None, made)
    elif not is_undecided(state):
        told = {name for one in moved if one.kind is not kinds.STABLE_IMAGE_MISSING for name in one.names}
        for channel, stale in _stale(state, head).items():
            if left := {name: commit for name, commit in stale.items() if str(name) not in told}:
                said = f"{made_from(next(iter(left.values())))}, the branch is at {head[:12]}"
                yield _finding(state, kinds.STABLE_STALE, channel, left, said)


def _of_each_name(state: ServiceState) -> Iterator[Finding]:
    for channel, names in state.stable_names.items():
        for name in names:
            chart = state.chart(name)
            if not state.has(name):
                newest = state.history(name)[-1]
                said = f"{newest.tag} was written, and the tag is missing"
                yield _finding(state, kinds.STABLE_MOVE_UNFINISHED, channel, (name,), said)
            elif chart is not None and (moved := _moved(state, name, chart)) is not None:
                yield _finding(state, moved[0], channel, (name,), moved[1])
            elif chart is not None and (missing := _image_missing(state, chart)):
                yield _finding(state, kinds.STABLE_IMAGE_MISSING, channel, (name,), f"{missing} is missing")


def _finding(
    state: ServiceState, kind: Kind, channel: StableChannel | None, names: Iterable[Name], found: str = ""
) -> Finding:
    return Finding(kind, state.service.name, str(channel or ""), tuple(map(str, names)), found)


def _moved(state: ServiceState, name: Name, chart: PublishedChart) -> tuple[Kind, str] | None:
    """What is wrong between a stable tag and its history: the kind, and what was found; None when nothing is."""
    history, at_newest = state.history(name), is_at_newest_move(state, name)
    if at_newest is None:
        if not chart.revision:
            return kinds.FORMER_STABLE, ""
        return kinds.STABLE_MOVED_OUTSIDE, f"it {made_from(chart.revision)}, and has no history"
    if at_newest:
        return None
    newest = history[-1].tag
    earlier = [one for one in history[:-1] if (held := state.chart(one)) is not None and held.digest == chart.digest]
    is_first = len(history) == 1 and not chart.revision
    if is_first or earlier[-1:] == list(history[-2:-1]) != []:
        return kinds.STABLE_MOVE_UNFINISHED, f"{newest} was written, and the tag holds what was there before"
    holds = f"holds what {earlier[-1].tag} was" if earlier else made_from(chart.revision)
    return kinds.STABLE_MOVED_OUTSIDE, f"it {holds}, the newest move is {newest}"


def is_at_newest_move(state: ServiceState, name: Name) -> bool | None:
    """Whether a stable tag holds its newest move; None where it has no history, or that was not read."""
    history, chart = state.history(name), state.chart(name)
    newest = state.chart(history[-1]) if history else None
    return None if newest is None or chart is None else newest.digest == chart.digest


def _image_missing(state: ServiceState, chart: PublishedChart) -> str | None:
    """The image that a stable chart deploys, where its name is not there."""
    version = ReleaseVersion.of_chart(chart.manifest.annotations.get(RELEASE_VERSION, ""))
    if version is None or chart.image_repository is None:
        return None
    names = [
        name for one in state.names(version) for name in one.images if str(name.repository) == chart.image_repository
    ]
    return str(names[0]) if names and not there(state, names) else None


def held_by(state: ServiceState) -> str:
    """The stable names that were read, in words."""
    return ", ".join(str(name) for name, _ in _charts(state))


def _charts(state: ServiceState) -> list[tuple[Name, PublishedChart]]:
    charts = ((name, state.chart(name)) for names in state.stable_names.values() for name in names)
    return [(name, chart) for name, chart in charts if chart is not None]


def _stale(state: ServiceState, head: str) -> Mapping[StableChannel, Mapping[Name, str]]:
    """The stable names that do not hold the branch's commit, with the commits that they hold.

    The branch is of one major: where a name of a major holds its commit, others of that major must, too; where none
    does, those of the highest major.
    """
    made = {
        channel: {name: chart.revision for name in names if (chart := state.chart(name)) is not None and chart.revision}
        for channel, names in state.stable_names.items()
    }
    current = [channel for channel, commits in made.items() if head in commits.values()]
    judged = current or [channel for channel in sorted(made) if made[channel]][-1:]
    return {channel: {name: said for name, said in made[channel].items() if said != head} for channel in judged}


def is_undecided(state: ServiceState) -> bool:
    """Whether only the content of the branch could tell if stable is up to date.

    A move to a commit whose chart is that of a release copies that release's chart, which names the release's commit.
    """
    head = state.refs.stable
    if head is None or head in state.refs.releases.values():
        return False
    stale = _stale(state, head)
    if any(chart.revision == head for _, chart in _charts(state)):
        return False
    charts = [chart for names in stale.values() for name in names if (chart := state.chart(name)) is not None]
    return bool(charts) and all(RELEASE_RESOLVED_VERSION not in chart.manifest.annotations for chart in charts)
