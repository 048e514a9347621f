"""What a service's chart is made for: which definitions it must bring, and in which runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.run.clusters import clusters_of
from tests.support.stages import Asked, World

if TYPE_CHECKING:
    from pathlib import Path

CRD = b"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec: {group: b}\n"
BASE = "config/crd/bases/a.yaml"


def test_the_definitions_of_the_services_folder(tmp_path: Path) -> None:
    """Each service of a repository has its own, all of which its chart must have."""
    asked = Asked(services={"s3": "1.2.3", "sns": "1.2.3"}, edits={f"services/s3/{BASE}": CRD})
    inputs = asked.release()
    source = inputs.clone.export(tmp_path / "source")
    found = {name: clusters_of(inputs, one, source) for name, one in inputs.config.services.items()}
    assert found["s3"].crds.own == {f"services/s3/{BASE}": CRD}
    assert found["s3"].crds.complete
    assert found["sns"].crds.own == {}
    assert found["s3"].kube_versions == ()
    assert clusters_of(inputs, inputs.config.services["s3"], source, with_crds=False).crds.own == {}


@pytest.mark.parametrize("brought", [True, False])
def test_a_release_brings_its_definitions(tmp_path: Path, *, brought: bool) -> None:
    """A plan refuses a chart without them, exit 4, and takes one that has them."""
    edits = {BASE: CRD, **({"helm/crds/a.yaml": CRD} if brought else {})}
    document = World(tmp_path, Asked(edits=edits).release()).run(only_plan=True)
    assert [error.code for error in document.errors] == ([] if brought else ["crds-differ"])
    assert [error.exit for error in document.errors] == ([] if brought else [4])


def test_the_plan_notes_for_which_cluster_a_chart_is_rendered(tmp_path: Path) -> None:
    """A note, and no warning: there is nothing to do."""
    held = Asked().files("s3")["helm/Chart.yaml"] + b"kubeVersion: 1.36.0\n"
    document = World(tmp_path, Asked(edits={"helm/Chart.yaml": held}).release()).run(only_plan=True)
    assert "the chart is rendered for Kubernetes 1.36.0, as its kubeVersion is 1.36.0" in document.notes
    assert document.warnings == ()
