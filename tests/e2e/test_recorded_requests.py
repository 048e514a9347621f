"""What a whole release sends, as proxies before its registries have recorded it: in which order, with which secrets."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from testbed.faults.marks import Found
from testbed.faults.proxy import FaultProxy
from testbed.faults.requests import kind_of
from tests.support.registry import PASSWORD, USERNAME, docker_registry

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.release_harness import ReleaseHarness


def test_a_release_to_a_registry_that_wants_a_password(harness: ReleaseHarness, tmp_path: Path) -> None:
    """The password stands in one header, for one host, and nowhere else; what has a tag is written before it."""
    secrets = {"password": PASSWORD}
    with docker_registry(tmp_path / "private", basic=True) as private, FaultProxy(private.host) as front:
        folder = tmp_path / "docker"
        folder.mkdir()
        login = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {front.host: {"auth": login}}}))
        front.mark(secrets)
        harness.proxy.mark(secrets)
        ended = harness.run("v1.2.3", "--registry", f"{front.host}/ack", extra={"DOCKER_CONFIG": str(folder)})
        assert ended.code == 0, ended.out
        marks = {mark for seen in front.requests for mark in seen.marks}
        assert marks == {Found("password", "header authorization")}
        assert all(seen.marks for seen in front.writes)
        assert [seen.number for seen in sorted(front.requests, key=lambda seen: seen.number)] == list(
            range(len(front.requests))
        )
        written = [(kind_of(seen.method, seen.path), seen.path) for seen in front.writes if seen.status == 201]
    assert not [seen for seen in harness.proxy.requests if seen.marks]
    tags = [place for place, (kind, _) in enumerate(written) if kind == "write a tag"]
    assert [written[place][1] for place in tags] == [
        "/v2/ack/controller/manifests/widget-v1.2.3",
        "/v2/ack/chart/manifests/widget-v1.2.3",
        "/v2/ack/widget-chart/manifests/1.2.3",
    ]
    image = [place for place, (_, path) in enumerate(written) if path.startswith("/v2/ack/controller/")]
    assert max(image) == tags[0]
    assert PASSWORD not in ended.out + "".join(file.read_text() for file in ended.artifacts.iterdir())
