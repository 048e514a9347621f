"""Where things are in this project's work tree."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".tools"
"""What ``make setup`` and ``make tools`` made, and what tests keep from one run to the next."""
BUILT = TOOLS / "bin"
"""The programs of ``make tools``."""
DECK_PAGES = TOOLS / "deck-pages"
"""What Deck shows in a browser, as ``hack/build-deck-pages`` made it."""
