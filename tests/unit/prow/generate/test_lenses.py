from __future__ import annotations

import re

import pytest

from runner.prow.generate.lenses import HIGHLIGHTED, deck_config


@pytest.mark.parametrize(
    ("line", "highlighted"),
    [
        ("ERROR: the registry failed. Rerun. exit=7 code=registry-failed", True),
        ("RELEASED: s3 1.2.3 (release, 4 tags written)", True),
        ('12:00:00 level=info event="plan done" summary="planned, nothing was changed: 4 to publish, 0 to skip"', True),
        ("12:00:00 level=info event=started services=s3", True),
        ("12:00:00 level=info event=building service=s3 builder=go", True),
        ("77 services in order.", True),
        ("ERROR: 1 finding in 1 service of 77. Do for each finding what its row says, then run again. exit=5", True),
        ("Process did not finish before 1h0m0s timeout", True),
        ("Entrypoint received interrupt: terminated", True),
        ("12:00:00 level=info event=planned service=s3 action=publish", False),
        ('12:00:00 level=warning event=warning text="event=started"', False),
        ("  | go: an ERROR: of somebody else", False),
    ],
)
def test_deck_highlights_what_a_run_ends_with(line: str, highlighted: bool) -> None:  # noqa: FBT001 - a column
    """The lines that say what a run has begun and how it ended are highlighted, and no other."""
    assert any(re.search(pattern, line) for pattern in HIGHLIGHTED) is highlighted


@pytest.mark.parametrize(
    ("file", "lens"),
    [
        ("artifacts/release.html", "html"),
        ("artifacts/audit.html", "html"),
        ("artifacts/audit.json", None),
        ("artifacts/junit_release.xml", "junit"),
        ("artifacts/gallery.link.txt", "links"),
        ("build-log.txt", "buildlog"),
        ("finished.json", "metadata"),
        ("podinfo.json", "podinfo"),
        ("artifacts/helm-build-log.txt", None),
        ("artifacts/record.json", None),
    ],
)
def test_each_report_has_its_lens(file: str, lens: str | None) -> None:
    """Every file that a person should see has exactly one lens."""
    lenses = deck_config().deck.spyglass.lenses
    found = [one.lens.name for one in lenses if any(re.search(pattern, file) for pattern in one.required_files)]
    assert found == ([lens] if lens else [])


def test_lenses_in_the_order_of_the_page() -> None:
    """First stands what happened, then the run's own page, its steps and its log, and last where to look further."""
    names = [one.lens.name for one in deck_config().deck.spyglass.lenses]
    assert names == ["metadata", "html", "junit", "buildlog", "links", "podinfo"]


def test_only_the_log_is_configured() -> None:
    """The log's lens is told what to highlight; the others are told nothing."""
    configured = {one.lens.name: one.lens.config for one in deck_config().deck.spyglass.lenses if one.lens.config}
    assert configured == {"buildlog": {"highlight_regexes": list(HIGHLIGHTED)}}


@pytest.mark.parametrize(
    ("file", "lens"),
    [
        ("started.json", "metadata"),
        ("podinfo.json", "metadata"),
        ("prowjob.json", "metadata"),
        ("prowjob.json", "podinfo"),
    ],
)
def test_files_of_prow_itself(file: str, lens: str) -> None:
    """What Prow writes is given to the lenses that read it, whether they need it or not."""
    (found,) = (one for one in deck_config().deck.spyglass.lenses if one.lens.name == lens)
    assert any(re.search(pattern, file) for pattern in (*found.required_files, *(found.optional_files or ())))


@pytest.mark.parametrize(
    "file",
    [
        "artifacts/x/build-log.txt",
        "artifacts/release.html.txt",
        "artifacts/link.txt",
        "x.json",
        "x/artifacts/junit_release.xml",
    ],
)
def test_files_that_nobody_shows(file: str) -> None:
    """A file whose name only holds that of a report has no lens."""
    patterns = [pattern for one in deck_config().deck.spyglass.lenses for pattern in one.required_files]
    assert not any(re.search(pattern, file) for pattern in patterns)
