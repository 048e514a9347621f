from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.chart.workload import TEMPLATE, ContainerImage, check_workload, container_images, image_repository
from runner.errors import ChartDisagrees

IMAGE = "public.ecr.aws/aws-controllers-k8s/s3-controller:1.2.3"
OTHER = "docker.io/library/busybox:1"


def workload(kind: str, *images: str | None, inits: tuple[str, ...] = ()) -> dict[str, Any]:
    """A workload whose containers have these images."""

    def containers(group: str, images: tuple[str | None, ...]) -> list[dict[str, Any]]:
        return [{"name": f"{group}{i}"} | ({"image": image} if image else {}) for i, image in enumerate(images)]

    specification: dict[str, Any] = {"containers": containers("c", images), "initContainers": containers("i", inits)}
    for key in reversed(TEMPLATE[kind]):
        specification = {key: specification}
    return {"kind": kind, "metadata": {"name": "n"}, **specification}


@pytest.mark.parametrize("kind", sorted(TEMPLATE))
def test_every_kind_of_workload_is_looked_into(kind: str) -> None:
    """Containers and init containers are found wherever a kind keeps its pod."""
    found = container_images([workload(kind, IMAGE, OTHER, inits=("a", "b"))])
    assert [(one.container, one.image) for one in found] == [("i0", "a"), ("i1", "b"), ("c0", IMAGE), ("c1", OTHER)]
    assert {one.workload for one in found} == {f"{kind}/n"}


@pytest.mark.parametrize(
    ("documents", "others"),
    [
        ([workload("Deployment", IMAGE)], ()),
        ([None, {"kind": "Role"}, "text", workload("Deployment", IMAGE)], ()),
        ([workload("Deployment", IMAGE, IMAGE, inits=(IMAGE,)), workload("CronJob", IMAGE)], ()),
        ([{"kind": "List", "items": [workload("Deployment", IMAGE)]}], ()),
        ([{"kind": "PodList", "items": [workload("Pod", IMAGE)]}], ()),
        ([workload("Deployment", IMAGE, OTHER)], (f"container c1 of Deployment/n uses {OTHER}",)),
        ([workload("Deployment", IMAGE), workload("Job", None)], ("container c0 of Job/n uses no image",)),
        ([workload("Deployment", IMAGE, f"mirror/{IMAGE}")], (f"container c1 of Deployment/n uses mirror/{IMAGE}",)),
    ],
    ids=["one", "other documents", "many", "list", "list of pods", "sidecar", "no image", "longer repository"],
)
def test_a_workload_with_the_image_passes(documents: list[Any], others: tuple[str, ...]) -> None:
    """Exactly the image, as often as it likes; containers of other repositories are warned of."""
    assert check_workload(documents, IMAGE) == others


@pytest.mark.parametrize(
    ("documents", "cause", "lines"),
    [
        ([], "the rendered chart has no workload", 0),
        ([None, {"kind": "Service"}, {"kind": "Deployment"}, {"kind": "Pod", "spec": []}], "has no workload", 0),
        ([{"kind": "Deployment", "spec": {"template": {"spec": {"containers": None}}}}], "has no workload", 0),
        (
            [workload("Deployment", OTHER, "x")],
            f"no container of the rendered chart uses {IMAGE}; container c0 of Deployment/n",
            2,
        ),
        ([workload("Deployment", IMAGE.replace("1.2.3", "1.2.4"))], "uses .*:1.2.4, not .*:1.2.3", 1),
        ([workload("Deployment", IMAGE, inits=(IMAGE.partition(":")[0],))], "container i0 of Deployment/n uses", 1),
        ([workload("Deployment", IMAGE, f"{IMAGE}@sha256:{'0' * 64}")], "container c1 of Deployment/n uses", 1),
        ([workload("Deployment", IMAGE), workload("Job", f"{IMAGE}-x", f"{IMAGE}-y")], "Job/n uses .*-x", 2),
    ],
    ids=["nothing", "no containers", "null", "other images", "other tag", "no tag", "digest", "two wrong"],
)
def test_any_other_use_is_refused(documents: list[Any], cause: str, lines: int) -> None:
    """No workload, none with the image, or one with another tag of its repository: the cause names the container."""
    with pytest.raises(ChartDisagrees, match=cause) as refused:
        check_workload(documents, IMAGE)
    assert len(refused.value.detail) == lines


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("a.b:5000/c/d:1", "a.b:5000/c/d"),
        ("a.b:5000/c/d", "a.b:5000/c/d"),
        ("a.b:5000/c/d:1@sha256:00", "a.b:5000/c/d"),
        ("a.b/c@sha256:00", "a.b/c"),
        ("busybox:1", "busybox"),
        ("", ""),
    ],
)
def test_the_repository_is_what_precedes_tag_and_digest(image: str, repository: str) -> None:
    """A port is no tag."""
    assert image_repository(image) == repository


@given(st.lists(st.tuples(st.sampled_from(sorted(TEMPLATE)), st.sampled_from([IMAGE, OTHER, IMAGE + "4", "x"]))))
def test_what_passes_runs_the_image_and_no_other_of_its_repository(uses: list[tuple[str, str]]) -> None:
    """A chart passes exactly when some container has the image and none has another of the same repository."""
    documents = [workload(kind, image) for kind, image in uses]
    images = [image for _, image in uses]
    try:
        others = check_workload(documents, IMAGE)
    except ChartDisagrees:
        assert IMAGE not in images or IMAGE + "4" in images
    else:
        assert IMAGE in images
        assert IMAGE + "4" not in images
        assert len(others) == len([image for image in images if image != IMAGE])


def test_an_image_says_where_it_is_used() -> None:
    """The sentence names workload, container and image."""
    assert str(ContainerImage("Pod/p", "c", "x:1")) == "container c of Pod/p uses x:1"
