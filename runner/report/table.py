"""Every report of a finished run, in one table.

What renders a report that only the end of a run needs is loaded when it is written: the first log line waits for none
of their libraries, and one that cannot be loaded keeps back no other.
"""

from __future__ import annotations

from runner.report.files import PROGRESS, Report
from runner.report.links import link_files

REPORTS = (
    *PROGRESS,
    Report.loaded("junit_release.xml", "runner.report.junit", "render_junit"),
    Report.loaded("release.html", "runner.report.html", "render_html"),
    Report("*.link.txt", link_files),
)
