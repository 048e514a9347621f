"""From what is known of a service to what is wrong with it, and to what must still be read for that. Pure.

Whether names are there is judged for every version by the registry's lists of tags. What they hold is judged where it
was read: of the newest version that is published and of the stable charts or, in a deep audit, of everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.published.audit.releases import of_version, there, used_schemes
from runner.published.audit.stables import held_by, is_at_newest_move, is_undecided, of_stable

if TYPE_CHECKING:
    from runner.oci.name import Name
    from runner.published.audit.kinds import Finding
    from runner.published.audit.state import ServiceState

MOVES_LOOKED_BACK = 10
"""How many earlier moves are read to find out whether a stable tag holds one of them."""


def to_read(state: ServiceState, *, deep: bool) -> tuple[Name, ...]:
    """The names whose manifests are wanted next; none when all is known that is needed.

    Args:
        state: what is known; call it again with what was read.
        deep: whether every name of every version is wanted.
    """
    versions = state.published_versions if deep else state.published_versions[-1:]
    wanted = [
        name
        for version in versions
        for names in used_schemes(state, version)
        for group in (names.images, names.charts)
        for name in there(state, group)[: None if deep else 1]
    ]
    for names in state.stable_names.values():
        for name in names:
            wanted += [name] if state.has(name) else []
            history = state.history(name)
            wanted += history if deep else (history[-1:] if state.has(name) else ())
            if state.chart(name) is not None and is_at_newest_move(state, name) is False:
                wanted += history[-MOVES_LOOKED_BACK:]
    return tuple(name for name in dict.fromkeys(wanted) if name not in state.manifests)


def decide(state: ServiceState) -> tuple[Finding, ...]:
    """What is wrong with a service, as far as it has been read: versions descending, then its stable charts."""
    return (
        *(finding for version in reversed(state.versions) for finding in of_version(state, version)),
        *of_stable(state),
    )


def undecided(state: ServiceState) -> tuple[str, ...]:
    """What cannot be told from outside, in words."""
    if not is_undecided(state):
        return ()
    said = (
        f"{held_by(state)} holds the chart of a release, and the branch stable is at another commit"
        f" ({str(state.refs.stable)[:12]}): whether that commit's chart is the same, only its job can tell"
    )
    return (f"{state.service.name}: {said}",)
