from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.mirror import document, verdict
from runner.config.naming import RegistryAddress
from runner.errors import MirrorDiffers
from runner.mirror.pipeline import Request
from runner.oci.name import Name
from runner.run.plan.model import Action, Entry, Kind, Plan
from runner.versions import ReleaseVersion
from tests.support.releases import config_of

NAME = Name.parse("mirror.example/ack/s3-chart:1.2.3")
DIGEST = "sha256:" + "0" * 64


def plan(*actions: Action) -> Plan:
    return Plan("s3", tuple(Entry(Kind.CHART, NAME, action, "why", DIGEST) for action in actions))


@pytest.mark.parametrize(
    ("actions", "dry_run", "words"),
    [
        ([Action.PUBLISH, Action.SKIP], False, "1 copied, 1 there already"),
        ([Action.PUBLISH, Action.PUBLISH], True, "2 would be copied, 0 there already"),
        ([Action.SKIP], False, "nothing to copy: all 1 are there"),
        ([Action.SKIP], True, "nothing to copy: all 1 are there"),
    ],
)
def test_verdict(actions: list[Action], dry_run: bool, words: str) -> None:  # noqa: FBT001 - a case of the table
    """The last line counts what was copied and what was there, and says so where nothing was done yet."""
    assert verdict(plan(*actions), dry_run=dry_run) == words


@pytest.mark.parametrize("target", [RegistryAddress("mirror.example", "ack"), Path("releases")], ids=str)
def test_document(target: RegistryAddress | Path) -> None:
    """A program reads what was copied from where to where, each entry, and the error where there is one."""
    config = config_of()
    request = Request(config.services["s3"], ReleaseVersion(1, 2, 3), config.registry, target)
    found = document(request, plan(Action.SKIP), dry_run=False)
    assert found == {
        "service": "s3",
        "version": "1.2.3",
        "from": "registry.example/ack",
        "to": str(target),
        "dry_run": False,
        "entries": [{"kind": "chart", "target": str(NAME), "action": "skip", "reason": "why", "digest": DIGEST}],
        "error": None,
    }
    refused = Plan("s3", (), error=MirrorDiffers("it holds another"))
    assert document(request, refused, dry_run=False)["error"] == {"code": "mirror-differs", "cause": "it holds another"}
