"""A release of the former job that is taken as it is: whole runs before a real registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.base_images import AMD64, ARM64
from testbed.former_images import controller, former_image
from testbed.registry_clients import crane, rendered_images
from testbed.release_harness import ALIAS, CHART, IMAGE, ReleaseHarness
from tests.support.former import publish_former
from tests.support.refusals import check_refusal

if TYPE_CHECKING:
    from pathlib import Path


def test_a_release_of_the_former_job_is_adopted(harness: ReleaseHarness, helm: Path) -> None:
    """Refused with the way out; then taken by the option, its chart published; then complete without being asked."""
    image = former_image(harness.folder / "former", stated={ARM64: AMD64})
    publish_former(harness, image)
    refused = harness.run("v1.2.3")
    check_refusal(refused, 5, "already-published", "published without a revision")
    assert "adopt:" in refused.errors[0]
    assert "--adopt-existing" in refused.errors[0]
    planned = harness.run("v1.2.3", "--adopt-existing", "--json", command="plan")
    assert planned.code == 0
    assert [entry["action"] for entry in planned.plan["entries"]] == ["skip", "publish", "publish"]
    assert planned.plan["entries"][0]["reason"].startswith("adopted: ")
    assert harness.proxy.writes == ()
    ended = harness.run("v1.2.3", "--adopt-existing")
    assert (ended.code, ended.errors) == (0, [])
    assert ended.actions == {IMAGE: "skip", CHART: "publish", ALIAS: "publish"}
    assert harness.proxy.count("PUT|POST|PATCH", "/controller/") == 0
    assert crane("digest", "--insecure", f"{harness.host}/{IMAGE}").strip() == image.root.digest == ended.digests[IMAGE]
    assert [entry["adopted"] for entry in ended.record["entries"]] == [True, False, False]
    assert f"{harness.host}/{IMAGE}: the config of linux/arm64 says linux/amd64" in ended.record["warnings"]
    assert ended.metadata["image controller:widget-v1.2.3"].startswith("adopted (adopted: published without")
    assert "adopted" in ended.page.text()
    chart = json.loads(crane("manifest", "--insecure", f"{harness.host}/{CHART}"))
    assert chart["annotations"]["dev.ack.release.image"] == f"{harness.host}/ack/controller@{image.root.digest}"
    assert rendered_images(f"{harness.host}/ack/widget-chart", "1.2.3", helm, harness.folder) == {
        f"{harness.host}/{IMAGE}"
    }
    harness.proxy.clear()
    again = harness.run("v1.2.3")
    assert again.code == 0
    assert set(again.actions.values()) == {"skip"}
    assert harness.proxy.writes == ()
    harness.repository.stable("1.2.3")
    assert harness.run("stable").code == 0


@pytest.mark.parametrize("adopts", [True, False])
def test_jobs_yaml_says_what_is_adopted(harness: ReleaseHarness, *, adopts: bool) -> None:
    """A rule that takes the version adopts it; one that does not leaves the refusal as it was."""
    publish_former(harness, former_image(harness.folder / "former"))
    versions = "<=1.2.3" if adopts else "<1.2.3"
    config = harness.folder / "adopting.yaml"
    config.write_text(f'{harness.config.read_text("utf-8")}adopt: {{services: [widget], versions: ["{versions}"]}}\n')
    assert harness.run("v1.2.3", config=config).code == (0 if adopts else 5)


def test_a_program_for_another_platform_is_not_adopted(harness: ReleaseHarness) -> None:
    """An image whose arm64 program is one for amd64 is exit 5, says so, and nothing is written."""
    publish_former(harness, former_image(harness.folder / "former", programs={ARM64: controller("amd64")}))
    ended = harness.run("v1.2.3", "--adopt-existing")
    check_refusal(ended, 5, "already-published", "its program for linux/arm64 is for amd64")
    assert harness.proxy.writes == ()
