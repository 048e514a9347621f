"""The lenses of Deck, Prow's web page, that show what a release job, or an audit, leaves behind."""

from __future__ import annotations

from typing import Final

from runner.prow.generate.document import Deck, DeckConfig, LensConfig, LensFileConfig, Spyglass

HIGHLIGHTED: Final = (
    "^ERROR:",
    "^RELEASED:",
    "planned, nothing was changed",
    "^[0-9]+ services? in order",
    r"^[0-9:]+ level=info event=(?:started|building)\b",
    r"Process did not finish before .+ timeout",
    r"Entrypoint received interrupt",
)
"""What Deck highlights in a build log; it folds away whatever is not within five lines of such a line, so that a log
without one shows nothing (pkg/spyglass/lenses/buildlog): the end of a run, and what a run that goes on has begun. The
last two are Prow's own words (pkg/entrypoint/run.go)."""


def deck_config() -> DeckConfig:
    """Return the lenses for these jobs, in the order of the page."""
    return DeckConfig(
        deck=Deck(
            spyglass=Spyglass(
                lenses=(
                    LensFileConfig(
                        required_files=(r"^(?:started|finished)\.json$",),
                        optional_files=(r"^(?:podinfo|prowjob)\.json$",),
                        lens=LensConfig(name="metadata"),
                    ),
                    LensFileConfig(
                        required_files=(r"^artifacts/(?:release|audit)\.html$",), lens=LensConfig(name="html")
                    ),
                    LensFileConfig(required_files=(r"^artifacts/junit.*\.xml$",), lens=LensConfig(name="junit")),
                    LensFileConfig(
                        required_files=(r"^build-log\.txt$",),
                        lens=LensConfig(name="buildlog", config={"highlight_regexes": list(HIGHLIGHTED)}),
                    ),
                    LensFileConfig(required_files=(r"^artifacts/.*\.link\.txt$",), lens=LensConfig(name="links")),
                    LensFileConfig(
                        required_files=(r"^podinfo\.json$",),
                        optional_files=(r"^prowjob\.json$",),
                        lens=LensConfig(name="podinfo"),
                    ),
                )
            )
        )
    )
