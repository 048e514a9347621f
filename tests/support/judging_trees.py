"""What must hold of a run over a repository, whatever it holds."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.support.odd_trees import Sample, odd_trees, run_odd

if TYPE_CHECKING:
    from pathlib import Path

    from runner.report.record import RecordDocument
    from tests.support.odd_trees import OddTree

CODES = frozenset({0, 2, 3, 4, 5, 6})
"""How a run may end that has a registry, time and memory."""

NAMES_A_FILE = frozenset({"chart-missing", "checkout-missing", "crds-differ"})
PYTHON = re.compile(r"\b\w+(?:Error|Exception)\b(?:\(|:)|Traceback|<class ")
"""A class of Python's, or what it prints of one."""


def judge(document: RecordDocument, odd: OddTree) -> None:
    """Check that a run came to an end of its own, and says why in words."""
    assert document.exit in CODES, (odd, document.errors)
    assert (document.exit == 0) is (not document.errors)
    for error in document.errors:
        assert error.cause, odd
        assert error.remedy, odd
        assert error.step, odd
        assert not PYTHON.search(error.cause), (odd, error)
        if error.code in NAMES_A_FILE:
            said = "\n".join((error.cause, *error.detail))
            assert re.search(r"[\w-]+\.\w+|/|LICENSE", said), (odd, error)


def judge_drawn(folder: Path, helm: Path, examples: int, part: int) -> Counter[int]:
    """Draw repositories from a seed, run each, and judge it; return how often each exit code came."""
    sample, codes = Sample.make(folder / "sample"), Counter[int]()

    @seed(part)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(odd_trees(sample))
    def check(odd: OddTree) -> None:
        document = run_odd(folder / f"run-{codes.total()}", sample, odd, helm)
        judge(document, odd)
        codes[int(document.exit or 0)] += 1

    check()
    return codes
