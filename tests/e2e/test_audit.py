"""What runs publish, audited: in order after each, and what is broken by hand is named and repaired by a rerun."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.registry_clients import crane
from testbed.release_harness import ALIAS, PROGRAM, Ended, ReleaseHarness, go_environment, run_program

if TYPE_CHECKING:
    from pathlib import Path

STABLE = "ack/widget-chart:v1-stable"


def ask(harness: ReleaseHarness, *arguments: str) -> Ended:
    """Call a command that only reads."""
    environment = {**go_environment(), "DOCKER_CONFIG": str(harness.folder / "none")}
    argv: list[str | Path] = [PROGRAM, *arguments, "--config", harness.config, "--json"]
    return run_program(*argv, env=environment, cwd=harness.folder)


def found(harness: ReleaseHarness, *options: str) -> list[str]:
    """The kinds of what an audit finds, which its exit code agrees with."""
    base = harness.folder / "git"
    if not base.exists():
        base.mkdir()
        (base / harness.repository.name).symlink_to(harness.repository.folder, target_is_directory=True)
    ended = ask(harness, "audit", "--git-base", base.as_uri(), *options)
    document = json.loads(ended.out)
    assert (document["unread"], document["former"]) == ([], [])
    assert ended.code == (5 if document["findings"] else 0)
    return [finding["kind"] for finding in document["findings"]]


def test_a_service_through_its_life(harness: ReleaseHarness) -> None:
    """Tagged, released, stable, broken by hand and repaired by a rerun: each audit says what is so, and no more."""
    assert found(harness) == ["tag-without-image"]
    assert harness.run("v1.2.3").code == 0
    assert found(harness) == found(harness, "--deep") == []

    harness.repository.stable("1.2.3")
    assert found(harness) == ["stable-missing"]
    assert harness.run("stable").code == 0
    assert found(harness) == found(harness, "--deep") == []

    crane("tag", "--insecure", f"{harness.host}/{ALIAS}", "v1-stable")
    crane("delete", "--insecure", f"{harness.host}/{ALIAS}")
    assert found(harness) == ["names-missing", "stable-moved-outside-git"]
    [_, alias] = json.loads(ask(harness, "stable", "history", "widget").out)["stable"]
    assert (alias["name"], alias["outside"]) == (f"{harness.host}/{STABLE}", True)

    assert harness.run("v1.2.3").code == harness.run("stable").code == 0
    assert found(harness) == found(harness, "--deep") == []
    [_, alias] = json.loads(ask(harness, "stable", "history", "widget").out)["stable"]
    assert [move["current"] for move in alias["moves"]] == [True]
