"""What was published is read once more without credentials: whole runs before real registries."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from testbed.release_harness import ALIAS, CHART, IMAGE, Ended, ReleaseHarness
from tests.support.refusals import check_refusal
from tests.support.registry import PASSWORD, USERNAME, docker_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = (IMAGE, CHART, ALIAS)


@pytest.fixture
def private(harness: ReleaseHarness) -> Iterator[str]:
    """The host of a registry that wants a login for everything."""
    with docker_registry(harness.folder / "private", basic=True) as registry:
        yield registry.host


def release(harness: ReleaseHarness, host: str, anonymous: str) -> Ended:
    """Release to a registry with its login, and with this word as ``verify.anonymous``; empty for none."""
    folder = harness.folder / "docker"
    folder.mkdir(exist_ok=True)
    login = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))
    config = harness.folder / "verify.yaml"
    said = f"verify: {{anonymous: {anonymous}}}\n" if anonymous else ""
    config.write_text(harness.config.read_text("utf-8") + said)
    extra = {"DOCKER_CONFIG": str(folder)}
    return harness.run("v1.2.3", "--registry", f"{host}/ack", extra=extra, config=config)


def test_a_registry_that_is_not_public(harness: ReleaseHarness, private: str) -> None:
    """Published, but refused to users: exit 8 names it and the way out, and every report has the digests."""
    ended = release(harness, private, "true")
    check_refusal(ended, 8, "not-public", "cannot be pulled without credentials")
    assert "verify: {anonymous: false}" in ended.errors[0]
    assert PASSWORD not in ended.out + ended.err
    entries = ended.record["entries"]
    assert [(entry["name"], entry["written"]) for entry in entries] == [(f"{private}/{name}", True) for name in NAMES]
    assert all(entry["digest"].startswith("sha256:") for entry in entries)
    assert ended.record["error"]["detail"] == [
        detail
        for name in NAMES
        for detail in ended.record["error"]["detail"]
        if detail.startswith(f"{private}/{name}: ")
    ]
    assert f"@{entries[0]['digest']}" in ended.metadata["image controller:widget-v1.2.3"]


@pytest.mark.parametrize("anonymous", ["false", ""])
def test_a_registry_that_need_not_be_public(harness: ReleaseHarness, private: str, anonymous: str) -> None:
    """Where jobs.yaml switches it off, and by default where the registry is not ECR Public, nobody is asked."""
    assert release(harness, private, anonymous).code == 0


def test_a_registry_that_is_public(harness: ReleaseHarness) -> None:
    """Each name, and the first platform of the image, is read once more by somebody who has no login."""
    ended = release(harness, harness.host, "true")
    assert (ended.code, ended.errors) == (0, [])
    [line] = [line for line in ended.lines if "read without credentials" in line]
    assert all(f"{harness.host}/{name}" in line for name in NAMES)
    last = [seen.path.rpartition("/manifests/")[2] for seen in harness.proxy.requests][-4:]
    tags = [name.rpartition(":")[2] for name in NAMES]
    assert [last[0], *last[2:]] == tags
    assert last[1].startswith("sha256:")


def test_a_registry_whose_users_see_it_later(harness: ReleaseHarness) -> None:
    """What does not show at once is waited for, and the run ends well."""
    harness.proxy.intervene(
        lambda: harness.proxy.fail(404, method="GET", path="/manifests/", times=3, code="MANIFEST_UNKNOWN"),
        method="GET",
        path=f"/{ALIAS.replace(':', '/manifests/')}$",
        skip=3,
    )
    ended = release(harness, harness.host, "true")
    assert (ended.code, ended.errors) == (0, [])
    assert [seen.status for seen in harness.proxy.requests][-7:].count(404) == 3
