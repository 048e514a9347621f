"""Every report of a finished run, in one table.

What renders them is loaded with this module, which only the end of a run needs: the first log line waits for none.
"""

from __future__ import annotations

from runner.report.files import PROGRESS, Report
from runner.report.html import render_html
from runner.report.junit import render_junit
from runner.report.links import link_files

LAST = (
    Report.one("junit_release.xml", render_junit),
    Report.one("release.html", render_html),
    Report("*.link.txt", link_files),
)
"""What is written once, at the end."""

REPORTS = (*PROGRESS, *LAST)
