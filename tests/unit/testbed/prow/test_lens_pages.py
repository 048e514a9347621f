"""Deck's configuration with other addresses for its lenses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from testbed.paths import ROOT
from testbed.prow.deck import LENSES_PORT
from testbed.prow.lens_pages import LENSES, PORT, through_here

if TYPE_CHECKING:
    from collections.abc import Mapping


def lenses(configuration: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = configuration["deck"]["spyglass"]["lenses"]
    return found


def test_every_generated_lens_is_asked_through_here() -> None:
    """Each generated lens gets an address, and all that Deck then has to be told; nothing else changes."""
    generated = yaml.safe_load((ROOT / "prowjobs" / "deck.yaml").read_bytes())
    changed = lenses(through_here(generated))
    assert [one.pop("remote_config") for one in changed] == [
        {
            "endpoint": f"http://127.0.0.1:{PORT}/dynamic/{one['lens']['name']}",
            "title": LENSES[one["lens"]["name"]].title,
            "priority": LENSES[one["lens"]["name"]].priority,
            "hide_title": LENSES[one["lens"]["name"]].hide_title,
        }
        for one in lenses(generated)
    ]
    assert changed == lenses(generated)
    assert all("remote_config" not in one for one in lenses(generated))


def test_deck_takes_the_lenses_for_its_own() -> None:
    """Deck starts only lenses whose address begins with the one that it listens on."""
    ports = [PORT, LENSES_PORT]
    assert f"127.0.0.1:{ports[0]}".startswith(f"127.0.0.1:{ports[1]}")
    assert len(set(ports)) == 2


def test_configurations_without_lenses() -> None:
    """A configuration that has no lenses, or others, stays as it is."""
    for configuration in ({}, {"deck": {"spyglass": {"lenses": [{"lens": {"name": "coverage"}}]}}}):
        assert through_here(configuration) == configuration
