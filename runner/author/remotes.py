"""What a remote is called and holds: its repository on the host, its branches and its tags. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from runner.errors import UsageInvalid
from runner.source.event import DEFAULT_HOST
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFERRED = ("upstream", "origin")
"""Remotes that are taken where none is named: ``upstream`` is the canonical repository where ``origin`` is a fork."""

TAGS, BRANCHES = "refs/tags/", "refs/heads/"
PEELED = "^{}"
"""What git-ls-remote(1) puts behind a tag's name for the object that the tag peels to."""

_WITH_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[^@/]*@)?(?P<host>[^/]*)(?P<path>/.*)", re.IGNORECASE)
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>\[[^\]]+\]|[^/:]+):(?P<path>(?!//).+)")
_ON_A_HOST = frozenset({"https", "http", "ssh", "git", "git+ssh"})


@dataclass(frozen=True)
class Repository:
    """A repository on a host; ``url`` is where people see it, None where it is on no host that has pages."""

    host: str
    owner: str
    name: str
    url: str | None = None


@dataclass(frozen=True)
class RemoteRefs:
    """What a remote has.

    Attributes:
        default: the short name of the branch that its HEAD is; None where it has none.
        branches: each branch's commit, by its short name.
        tags: the commit of each tag, by its short name: what it peels to.
        objects: what each tag is itself: of an annotated tag the tag object.
    """

    default: str | None = None
    branches: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, str] = field(default_factory=dict)

    @property
    def released(self) -> tuple[ReleaseVersion, ...]:
        """The versions that have a release tag."""
        return tuple(version for tag in self.tags if (version := ReleaseVersion.of_tag(tag)) is not None)


def read_refs(listed: str) -> RemoteRefs:
    """Read what ``git ls-remote --symref`` prints."""
    default = None
    branches: dict[str, str] = {}
    objects: dict[str, str] = {}
    peeled: dict[str, str] = {}
    for line in listed.splitlines():
        what, separator, name = line.partition("\t")
        if not separator:
            continue
        if what.startswith("ref: "):
            if name == "HEAD" and what.startswith(f"ref: {BRANCHES}"):
                default = what.removeprefix(f"ref: {BRANCHES}")
        elif name.startswith(BRANCHES):
            branches[name.removeprefix(BRANCHES)] = what
        elif name.startswith(TAGS) and name.endswith(PEELED):
            peeled[name.removeprefix(TAGS).removesuffix(PEELED)] = what
        elif name.startswith(TAGS):
            objects[name.removeprefix(TAGS)] = what
    return RemoteRefs(default if default in branches else None, branches, objects | peeled, objects)


def read_repository(url: str) -> Repository:
    """Read whose repository a remote's address is of.

    Args:
        url: as git-fetch(1) takes it: with a scheme, as ``[USER@]HOST:PATH``, or a path.

    Raises:
        UsageInvalid: it names no owner and repository.
    """
    address = _WITH_SCHEME.fullmatch(url)
    scheme = address["scheme"].lower() if address else None
    if address is None and "://" not in url and not url.startswith(("/", ".")):
        address = _SCP.fullmatch(url)
        scheme = "ssh" if address else None
    host, path = (address["host"], address["path"]) if address else ("", url)
    *_, owner, name = ["", "", *(part for part in path.split("/") if part)]
    name = name.removesuffix(".git")
    if not owner or not name:
        raise UsageInvalid(
            f"the remote's address {without_user(url)} names no OWNER/REPOSITORY",
            remedy="Say which repository it is with --repo OWNER/NAME.",
        )
    if scheme not in _ON_A_HOST or not host:
        return Repository(DEFAULT_HOST, owner, name)
    # A port of SSH says nothing of where the pages are.
    host = host if scheme in {"https", "http"} else host.partition(":")[0]
    pages = "http" if scheme == "http" else "https"
    return Repository(host.lower(), owner, name, f"{pages}://{host.lower()}/{owner}/{name}")


def without_user(url: str) -> str:
    """A remote's address without user and password, for people."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def choose_remote(names: Sequence[str], wanted: str | None) -> str:
    """Return the remote that releases are made in: the one that is named, else upstream, origin or the only one.

    Raises:
        UsageInvalid: there is none of that name, none at all, or several and none is named.
    """
    if wanted is not None:
        if wanted not in names:
            raise UsageInvalid(
                f"the clone has no remote {wanted}; it has {', '.join(names) or 'none'}",
                remedy="Name one with --remote; git remote -v lists them.",
            )
        return wanted
    found = next((name for name in PREFERRED if name in names), names[0] if len(names) == 1 else None)
    if found is None:
        raise UsageInvalid(
            f"the clone has {'the remotes ' + ', '.join(names) if names else 'no remote'}, and it is not said which"
            " one releases are made in",
            remedy="Name it with --remote; git remote -v lists them.",
        )
    return found


def compare_url(base: Repository, base_branch: str, head: Repository, branch: str) -> str | None:
    """Return the page that opens a pull request, as GitHub has it; None where the repository has no pages."""
    if base.url is None:
        return None
    own = "" if (head.owner, head.name) == (base.owner, base.name) else f"{quote(head.owner)}:"
    return f"{base.url}/compare/{quote(base_branch)}...{own}{quote(branch)}?expand=1"
