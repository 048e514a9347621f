"""The generated lenses in Prow's own Deck."""

from __future__ import annotations

import contextlib
import http.client
import os
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from hack.processes import Argv, started
from hack.prow.cluster import prow_source
from tests.support.prow import write_installation
from tests.support.tools import ROOT, require_tool

if TYPE_CHECKING:
    from pathlib import Path

PORT = 8080
READY_SECONDS = 60.0


@pytest.mark.exclusive
def test_deck_loads_the_lenses(tmp_path: Path) -> None:
    """Deck starts with the checked-in lenses and jobs, and says that it has each lens with its configuration."""
    config = write_installation(tmp_path, ROOT / "prowjobs" / "deck.yaml")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "prowjobs.json").write_text('{"items": []}', encoding="utf-8")
    source = prow_source()
    argv: Argv = [
        require_tool("deck"),
        f"--config-path={config}",
        f"--job-config-path={ROOT / 'prowjobs' / 'jobs'}",
        f"--pregenerated-data={tmp_path / 'data'}",
        "--spyglass",
        f"--spyglass-files-location={source / 'pkg/spyglass/lenses'}",
        f"--static-files-location={source / 'cmd/deck/static'}",
        f"--template-files-location={source / 'cmd/deck/template'}",
    ]
    with (
        (tmp_path / "deck.log").open("wb") as log,
        started(argv, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, output=log) as child,
    ):
        deadline = time.monotonic() + READY_SECONDS
        while (loaded := _config()) is None:
            assert child.poll() is None, (tmp_path / "deck.log").read_text()[-4000:]
            assert time.monotonic() < deadline
            time.sleep(0.1)
    wanted = yaml.safe_load((ROOT / "prowjobs" / "deck.yaml").read_bytes())["deck"]["spyglass"]["lenses"]
    lenses = yaml.safe_load(loaded)["deck"]["spyglass"]["lenses"]
    assert [{key: one[key] for key in one if key != "remote_config"} for one in lenses] == wanted
    # The name that Deck shows comes from the lens itself: one that it does not know would have none.
    assert all(one["remote_config"]["title"] for one in lenses)


def _config() -> bytes | None:
    try:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)) as asked:
            asked.request("GET", "/config")
            answer = asked.getresponse()
            return answer.read() if answer.status == http.client.OK else None
    except OSError:
        return None
