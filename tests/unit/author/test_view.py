"""The files of a folder, drawn as a tree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.author.view import tree_lines

NAMES = st.text(st.characters(categories=["L", "N"], codec="utf-8"), min_size=1, max_size=4)


def test_tree() -> None:
    """Folders stand before what is in them, indented, with a corner at the last of each."""
    assert tree_lines("helm", ["values.yaml", "templates/b.yaml", "Chart.yaml", "templates/a.yaml"]) == (
        "helm",
        "├── Chart.yaml",
        "├── templates",
        "│   ├── a.yaml",
        "│   └── b.yaml",
        "└── values.yaml",
    )
    assert tree_lines("helm", []) == ("helm",)


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=12))
def test_every_name_is_shown(paths: list[str]) -> None:
    """Each file and each folder has one line, below the folder that it is in."""
    places = {tuple(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 2)}
    lines = tree_lines("top", paths)[1:]
    shown = sorted((line.index("── ") // 4, line.partition("── ")[2]) for line in lines)
    assert shown == sorted((len(place) - 1, place[-1]) for place in places)
