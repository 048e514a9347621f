"""The URLs of a registry (distribution-spec, Endpoints), and those to which its answers point."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from runner.errors import RegistryAnswerWrong
from runner.oci.connections import base_url, is_loopback, origin
from runner.oci.name import DIGEST, TAG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.oci.messages import Request
    from runner.oci.name import Repository

LINK = re.compile(r'<(?P<target>[^<>]*)>(?P<parameters>(?:\s*;\s*[^\s=;,]+\s*=\s*(?:"[^"]*"|[^\s";,]*))*)')
REL_NEXT = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=\s*;|\s*$))', re.IGNORECASE)


def repository_url(repository: Repository) -> str:
    """The beginning of all URLs of a repository."""
    return f"{base_url(repository.host)}/v2/{repository.path}"


def manifest_url(repository: Repository, reference: str) -> str:
    """Where a manifest is, under a tag or its digest."""
    if not DIGEST.fullmatch(reference) and not TAG.fullmatch(reference):
        raise ValueError(f"{reference!r} is neither a tag nor a digest")
    return f"{repository_url(repository)}/manifests/{reference}"


def referrers_url(repository: Repository, digest: str) -> str:
    """Where a registry lists what is attached to a manifest."""
    if not DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is no digest")
    return f"{repository_url(repository)}/referrers/{digest}"


def blob_url(repository: Repository, digest: str) -> str:
    """Where a blob is."""
    return f"{repository_url(repository)}/blobs/{digest}"


def uploads_url(repository: Repository) -> str:
    """Where uploads begin."""
    return f"{repository_url(repository)}/blobs/uploads/"


def resolve(request: Request, host: str, location: str | None) -> str:
    """The absolute URL that an answer points to, which must use TLS unless it is on this machine.

    A registry behind a proxy that terminates TLS may answer ``http://`` and its own name; that becomes ``https://``.
    """
    if not location:
        raise RegistryAnswerWrong(f"{request}: the answer names no location")
    try:
        url = urljoin(request.url, location)
        scheme, name, _ = origin(url)
    except ValueError:
        raise RegistryAnswerWrong(f"{request}: the answer's location is not a URL") from None
    own = base_url(host)
    if scheme == "http" and own.startswith("https:") and urlsplit(url).netloc.lower() == host.lower():
        return f"https{url.removeprefix('http')}"
    if scheme != "https" and not (scheme == "http" and is_loopback(urlsplit(url).netloc) and is_loopback(host)):
        raise RegistryAnswerWrong(f"{request}: the answer's location is on {name} without TLS")
    return url


def next_link(headers: Iterable[str]) -> str | None:
    """The target of the Link header with ``rel="next"`` (RFC 8288), or None."""
    links = (match for header in headers for match in LINK.finditer(header))
    return next((link["target"] for link in links if REL_NEXT.search(link["parameters"])), None)
