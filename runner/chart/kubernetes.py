"""For which versions of Kubernetes a chart is rendered. Pure; helm itself judges a chart's constraint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.chart.helm import KUBERNETES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NEWEST_MINOR = 37
"""Of Kubernetes 1, the newest that is released (https://kubernetes.io/releases)."""

_LATEST_MINOR, _LATEST_PATCH = 99, 40


@dataclass(frozen=True)
class Chosen:
    """The versions to render a chart for, and what is worth a note about that."""

    versions: tuple[str, ...]
    notes: tuple[str, ...] = ()


def candidates() -> tuple[str, ...]:
    """Return the versions that a chart may be rendered for when KUBERNETES is not allowed, the preferred one first.

    These are the first of each minor that is known, from the newest down, then their patches, then the same of minors
    that may follow, from the nearest up.
    """
    known, later = range(NEWEST_MINOR, -1, -1), range(NEWEST_MINOR + 1, _LATEST_MINOR + 1)
    return tuple(version for minors in (known, later) for version in (*_firsts(minors), *_patches(minors)))


def _firsts(minors: range) -> Iterator[str]:
    return (f"1.{minor}.0" for minor in minors)


def _patches(minors: range) -> Iterator[str]:
    return (f"1.{minor}.{patch}" for minor in minors for patch in range(1, _LATEST_PATCH + 1))


def choose_versions(
    constraint: str, configured: Sequence[str], allowed: Callable[[str, Sequence[str]], Sequence[str]]
) -> Chosen:
    """Choose what a chart is rendered for.

    Where nothing fits, the answer is what was asked for: helm refuses it then, in its own words.

    Args:
        constraint: ``kubeVersion`` of Chart.yaml, empty where it has none.
        configured: ``chart.kube_versions`` of jobs.yaml, empty where nothing is set.
        allowed: which of some versions the constraint allows.
    """
    wanted = tuple(configured) or (KUBERNETES,)
    if not constraint:
        return Chosen(wanted)
    fitting = tuple(allowed(constraint, wanted))
    if fitting:
        left_out = [version for version in wanted if version not in fitting]
        return Chosen(fitting, _left_out(constraint, left_out))
    if configured:
        return Chosen(wanted)
    found = next(iter(allowed(constraint, candidates())), None)
    if found is None:
        return Chosen(wanted)
    return Chosen((found,), (f"the chart is rendered for Kubernetes {found}, as its kubeVersion is {constraint}",))


def _left_out(constraint: str, versions: Sequence[str]) -> tuple[str, ...]:
    if not versions:
        return ()
    return (f"the chart is not rendered for Kubernetes {', '.join(versions)}, as its kubeVersion is {constraint}",)
