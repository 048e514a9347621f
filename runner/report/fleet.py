"""``audit.html``: all services on one page that needs nothing but itself; safe in Prow's frame as ``html`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runner.report.html import NOT_IN_A_TITLE, TITLE_LENGTH, template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.report.findings import AuditDocument

TONES: Final[Mapping[str, str]] = {"in order": "good", "findings": "failed", "not read": "refused"}
"""How the page shows the state of a service."""

BY_NAMES: Final = "Of older versions only the names were looked at."
BY_EVERYTHING: Final = "Everything that is published was read."


def render_fleet(document: AuditDocument) -> str:
    """Return the page's text."""
    state = "findings" if document.findings else "not read" if document.unread else "in order"
    word = {"in order": "In order", "findings": "Findings", "not read": "Not all was read"}[state]
    return template("audit.html.jinja").render(
        document=document,
        title=NOT_IN_A_TITLE.sub("", f"{word}: {document.verdict}")[:TITLE_LENGTH],
        tone=TONES[state],
        tones=TONES,
        word=word,
        depth=BY_EVERYTHING if document.deep else BY_NAMES,
    )
