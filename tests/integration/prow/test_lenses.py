"""The generated lenses in Prow's own Deck."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import yaml

from testbed.paths import ROOT
from testbed.prow.deck import ADDRESS, LENSES_PORT, PORT, of_folder, start_deck
from testbed.prow.job_configs import write_installation
from testbed.prow.lens_pages import PORT as LENS_PAGES_PORT
from testbed.prow.servers import PortTaken, Servers
from testbed.prow.storage import Storage
from tests.support.deck import fetch
from tests.support.tools import require_deck_pages, require_tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.exclusive


def start(servers: Servers, folder: Path) -> None:
    """Start Deck with the checked-in lenses and jobs, without a run to show."""
    (folder / "prowjobs.json").write_text('{"items": []}', encoding="utf-8")
    (folder / "credentials.json").write_text("{}", encoding="utf-8")
    start_deck(
        servers,
        require_tool("deck"),
        require_deck_pages(),
        Storage("127.0.0.1:1", "prow", folder / "credentials.json"),
        of_folder(folder),
        config=write_installation(folder, ROOT / "prowjobs" / "deck.yaml"),
        jobs=ROOT / "prowjobs" / "jobs",
    )


def test_deck_loads_the_lenses(tmp_path: Path) -> None:
    """Deck starts with the checked-in lenses and jobs, and says that it has each lens with its configuration."""
    with Servers(tmp_path) as servers:
        start(servers, tmp_path)
        servers.wait()
        loaded = fetch(f"{ADDRESS}/config")
    wanted = yaml.safe_load((ROOT / "prowjobs" / "deck.yaml").read_bytes())["deck"]["spyglass"]["lenses"]
    lenses = yaml.safe_load(loaded)["deck"]["spyglass"]["lenses"]
    assert [{key: one[key] for key in one if key != "remote_config"} for one in lenses] == wanted
    # The name that Deck shows comes from the lens itself: one that it does not know would have none.
    assert all(one["remote_config"]["title"] for one in lenses)


@pytest.mark.parametrize("port", [PORT, LENSES_PORT, LENS_PAGES_PORT])
def test_a_taken_port_is_named(tmp_path: Path, port: int) -> None:
    """A port that Deck needs and somebody has is an error with its number, before Deck is started."""
    with socket.create_server(("127.0.0.1", port)), Servers(tmp_path) as servers:
        with pytest.raises(PortTaken, match=f"port {port} is taken"):
            start(servers, tmp_path)
        assert not (tmp_path / "deck.log").exists()
