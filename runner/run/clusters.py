"""What a service's chart is made for: the clusters' versions, and the definitions that its controller works with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.chart.crds import Expected
from runner.chart.packaging import Clusters, read_crds
from runner.config.load import services_in

if TYPE_CHECKING:
    from pathlib import Path

    from runner.config.load import Service
    from runner.run.inputs import Inputs


def clusters_of(inputs: Inputs, service: Service, source: Path, *, with_crds: bool = True) -> Clusters:
    """Say what a service's chart is made for.

    Services of one repository that share their folder share its definitions, so none needs to have all of them.

    Args:
        inputs: what is asked for.
        service: whose chart it is.
        source: the exported tree.
        with_crds: whether the tree's definitions are those of the chart's controller.
    """
    beside = [one for one in services_in(inputs.config, service.repo) if one.path == service.path]
    crds = read_crds(source, service.path, complete=len(beside) == 1) if with_crds else Expected()
    return Clusters(inputs.config.kube_versions, crds)
