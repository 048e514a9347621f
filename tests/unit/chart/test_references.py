from __future__ import annotations

import pytest

from runner.chart.references import alias_warnings, reference_warnings
from runner.oci.name import Name
from tests.support.charts import BASE, PRODUCTION, facts

IMAGE = f"{BASE}/s3-controller:1.2.3"


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        (None, []),
        (f'deploys "{IMAGE}".\nSee https://{BASE}/x\n', []),
        ("deploys {{ .Values.image.repository }}:{{ .Values.image.tag }}\n", []),
        ("deploys docker.io/library/busybox:1", []),
        (f"x\ndeploys {BASE}/s3-controller:1.2.2.\n", [f"2: names {BASE}/s3-controller:1.2.2"]),
        (f"{BASE}/controller:s3-v1.2.3 {IMAGE}", [f"1: names {BASE}/controller:s3-v1.2.3"]),
        (f"{IMAGE}-rc {IMAGE}4", [f"1: names {IMAGE}-rc", f"1: names {IMAGE}4"]),
    ],
)
def test_notes_that_name_another_image_are_told(notes: str | None, told: list[str]) -> None:
    """Only literal names in this registry count."""
    warnings = reference_warnings(facts(), PRODUCTION, None if notes is None else notes.encode(), None)
    assert warnings == tuple(f"helm/templates/NOTES.txt:{line}, but the values name {IMAGE}" for line in told)


@pytest.mark.parametrize(
    ("kustomization", "told"),
    [
        (None, []),
        ("resources: [a]", []),
        (f"images:\n- name: controller\n  newName: {BASE}/s3-controller\n  newTag: 1.2.3\n", []),
        ("images:\n- name: sidecar\n  newName: x\n  newTag: latest\n- text\n- newTag: x\n", []),
        (
            "images:\n- name: controller\n  newName: ack-s3-controller\n  newTag: latest\n",
            [f"2: names ack-s3-controller:latest, but the values name {IMAGE}"],
        ),
        ("images:\n- newTag: 1.2.3\n  name: controller\n", [f"3: names controller:1.2.3, but the values name {IMAGE}"]),
        (f"images: [{{name: controller, newName: {BASE}/s3-controller}}]", [f"1: names {BASE}/s3-controller:latest"]),
        ("images: [", [" cannot be read: line "]),
        ("images: [{name: controller, name: x}]", [" cannot be read: line 1: the key name is given twice"]),
    ],
)
def test_a_kustomization_with_another_image_is_told(kustomization: str | None, told: list[str]) -> None:
    """What kustomize would put in the place of the image controller is compared with the values."""
    body = None if kustomization is None else kustomization.encode()
    warnings = reference_warnings(facts(), PRODUCTION, None, body)
    assert len(warnings) == len(told)
    assert all(
        warning.startswith("config/controller/kustomization.yaml") and part in warning
        for warning, part in zip(warnings, told, strict=True)
    )


def test_the_kustomization_is_the_one_beside_the_chart() -> None:
    """In a repository of several services each has its own."""
    chart = facts(folder="services/s3/helm")
    (told,) = reference_warnings(chart, PRODUCTION, None, b"images: [{name: controller, newTag: x}]")
    assert told.startswith("services/s3/config/controller/kustomization.yaml:1: names controller:x")


def test_an_alias_of_another_name_cannot_be_a_dependency() -> None:
    """A name that Helm can pull, in a repository that is not called like the chart, is pointed out."""
    names = [Name.parse(f"registry.example/ack/{text}") for text in ("chart:s3-v1.2.3", "s3-chart:1.2.3")]
    [warning] = alias_warnings(facts(name="ack-s3-controller"), names)
    assert warning.startswith(
        "registry.example/ack/s3-chart:1.2.3 can be pulled and installed, but not used as a dependency"
    )
    assert alias_warnings(facts(name="s3-chart"), names) == ()


@pytest.mark.parametrize(
    ("tag", "pulls"), [("1.2.3", True), ("v1.2.3_b", True), ("1", True), ("3s-v1.2.3", False), ("v1.2.3.4", False)]
)
def test_aliases_that_helm_pulls(tag: str, *, pulls: bool) -> None:
    """A warning is given only of a name whose tag Helm reads as a version, with _ for +."""
    name = Name.parse(f"registry.example/ack/s3-chart:{tag}")
    assert bool(alias_warnings(facts(name="ack-s3-controller"), [name])) == pulls
