"""Every test says in one sentence which behaviour it shows."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_every_test_states_its_behaviour() -> None:
    """Each test function has a docstring of one sentence that ends with a full stop."""
    without = []
    for file in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                text = ast.get_docstring(node) or ""
                if not text.strip().endswith("."):
                    without.append(f"{file.relative_to(TESTS)}:{node.lineno} {node.name}")
    assert not without, "\n".join(without)
