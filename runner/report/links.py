"""From the record to addresses that a person may want to open: pure, and only where they are known.

Prow's links lens (pkg/spyglass/lenses/links) reads one address from each ``<name>.link.txt`` and shows that name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from runner.builders.table import BUILDERS
from runner.oci.name import Name
from runner.report.words import is_published, log_name
from runner.versions import release_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.report.record import RecordDocument

SAFE_ADDRESS = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%-]+)+")
"""What an address may be: nothing in it needs an escape in HTML, however often that is decoded."""

LOGGED = ("helm", *BUILDERS)
"""The tools of which a run that has asked for their version has a log."""

GALLERY_OF = "public.ecr.aws"
_SOURCE = re.compile(r"https://(?:github\.com|gitlab\.com)(?:/[A-Za-z0-9._-]+)+")
_COMMIT = {"github.com": "commit", "gitlab.com": "-/commit"}
_PULL = {"github.com": "pull", "gitlab.com": "-/merge_requests"}
_TAG = {"github.com": "releases/tag", "gitlab.com": "-/tags"}


def link_files(document: RecordDocument) -> dict[str, str]:
    """Return the files for Prow's links lens, by name."""
    return {f"{name}.link.txt": f"{address}\n" for name, address in _links(document) if address}


def source_address(source: str | None) -> str | None:
    """Where a repository can be seen; None where that is not known."""
    found = _SOURCE.fullmatch(source or "")
    return None if found is None or ".." in found[0] else found[0]


def commit_address(source: str | None, commit: str | None) -> str | None:
    """Where a commit of a repository can be seen; None where that is not known."""
    return _below(source, _COMMIT, commit)


def pull_address(source: str | None, number: str) -> str | None:
    """Where a pull request to a repository can be seen; None where that is not known."""
    return _below(source, _PULL, number)


def tag_address(source: str | None, tag: str | None) -> str | None:
    """Where a tag of a repository can be seen; None where that is not known."""
    return _below(source, _TAG, tag)


def gallery_address(name: str) -> str | None:
    """The page of an image or chart in the gallery of ECR Public; None for another registry."""
    try:
        repository = Name.parse(name).repository
    except ValueError:
        return None
    if repository.host != GALLERY_OF or "/" not in repository.path:
        return None
    return f"https://gallery.ecr.aws/{repository.path}"


def job_address(document: RecordDocument) -> str | None:
    """Where Deck shows the run's job; None where that is not known."""
    page = document.job.page if document.job is not None else None
    return page if page is not None and SAFE_ADDRESS.fullmatch(page) else None


def files_beside(document: RecordDocument) -> tuple[str, ...]:
    """The files that certainly lie in the folder of the reports: the record, and the logs of the tools that were used.

    A link to one of them is right only where the page is read from that folder or bucket. In Deck's frame a relative
    address is Deck's own, and where the bucket can be read Deck alone knows.
    """
    return ("record.json", *(log_name(tool) for tool in LOGGED if tool in document.tools))


def _below(source: str | None, places: Mapping[str, str], what: str | None) -> str | None:
    address = source_address(source)
    if address is None or not what:
        return None
    return f"{address}/{places[address.split('/')[2]]}/{quote(what, safe='', errors='replace')}"


def _links(document: RecordDocument) -> Iterator[tuple[str, str | None]]:
    for label, kind in (("gallery", "image"), ("chart", "chart")):
        pages = _pages(document, kind)
        for service, page in pages.items():
            yield label if len(set(pages.values())) == 1 else f"{label}-of-{service}", page
    for pull in document.pulls:
        name = "pull-request" if len(document.pulls) == 1 else f"pull-request-{pull.number}"
        yield name, pull_address(document.source, pull.number)
    if not document.pulls:
        yield "commit", commit_address(document.source, document.commit)
    if document.as_tag is None and document.version is not None:
        yield "tag", tag_address(document.source, release_tag(document.version))


def _pages(document: RecordDocument, kind: str) -> dict[str, str]:
    """The page of each service's first name of this kind that is in its registry."""
    pages: dict[str, str] = {}
    for entry in document.entries:
        page = gallery_address(entry.name) if entry.kind == kind and is_published(document, entry) else None
        if page is not None:
            pages.setdefault(entry.service, page)
    return pages
