"""What a rendered chart would make a cluster pull."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.errors import ChartDisagrees

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TEMPLATE: Mapping[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where the pod's specification stands in each kind of workload (Kubernetes' API reference)."""


@dataclass(frozen=True)
class ContainerImage:
    """The image of one container: ``workload`` is KIND/NAME."""

    workload: str
    container: str
    image: str

    def __str__(self) -> str:
        return f"container {self.container} of {self.workload} uses {self.image or 'no image'}"


def container_images(documents: Iterable[Any]) -> tuple[ContainerImage, ...]:
    """Return the image of every container and init container, in the order of the documents."""
    return tuple(_images(documents))


def check_workload(documents: Iterable[Any], image: str) -> tuple[str, ...]:
    """Check that what the chart renders runs exactly this image.

    Args:
        documents: what ``helm template`` rendered, parsed.
        image: ``HOST/REPOSITORY:TAG`` of the image of this release.

    Returns:
        A sentence for each container of another repository: allowed, but worth checking.

    Raises:
        ChartDisagrees: no workload is rendered, none uses the image, or one uses another tag or a digest of the
            image's repository.
    """
    found = container_images(documents)
    repository = image_repository(image)
    wrong = tuple(
        f"{one}, not {image}" for one in found if one.image != image and image_repository(one.image) == repository
    )
    others = tuple(str(one) for one in found if image_repository(one.image) != repository)
    if wrong:
        raise ChartDisagrees(f"rendered, {wrong[0]}", detail=wrong)
    if not found:
        raise ChartDisagrees(f"the rendered chart has no workload that could run {image}")
    if len(others) == len(found):
        raise ChartDisagrees(f"no container of the rendered chart uses {image}; {others[0]}", detail=others)
    return others


def image_repository(image: str) -> str:
    """Return an image reference without its tag and digest."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def _images(documents: Iterable[Any]) -> Iterator[ContainerImage]:
    for document in documents:
        if not isinstance(document, dict):
            continue
        kind = str(document.get("kind"))
        if kind.endswith("List") and isinstance(document.get("items"), list):
            yield from _images(document["items"])
        elif kind in TEMPLATE:
            metadata = document.get("metadata")
            name = metadata.get("name") if isinstance(metadata, dict) else None
            yield from _containers(f"{kind}/{name}", document, TEMPLATE[kind])


def _containers(workload: str, document: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[ContainerImage]:
    specification: Any = document
    for key in path:
        specification = specification.get(key) if isinstance(specification, dict) else None
    if not isinstance(specification, dict):
        return
    for group in ("initContainers", "containers"):
        for container in specification.get(group) or ():
            if isinstance(container, dict):
                yield ContainerImage(workload, str(container.get("name")), str(container.get("image") or ""))
