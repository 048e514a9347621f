"""From an artifact to the commands that pull it: pure."""

from __future__ import annotations

import re

from runner.oci.connections import is_loopback
from runner.oci.name import DIGEST, Name

VERSION_FOR_HELM = re.compile(
    r"v?[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?",
)
"""A tag that Helm asks for as it is (Masterminds/semver NewVersion); for any other it searches among versions."""


def pull_commands(kind: str, name: str, digest: str | None) -> tuple[str, ...]:
    """Return commands that pull what a name holds: by the name where a client can do that, then by digest.

    Args:
        kind: ``image`` or ``chart``.
        name: ``HOST/REPOSITORY:TAG``; for anything else there are no commands.
        digest: what it holds, if known.
    """
    try:
        parsed = Name.parse(name)
    except ValueError:
        return ()
    by_digest = f"@{digest}" if digest and DIGEST.fullmatch(digest) else None
    if kind == "image":
        return tuple(f"docker pull {parsed.repository}{held}" for held in (f":{parsed.tag}", by_digest) if held)
    # Helm speaks TLS even to this machine unless it is told.
    plain = " --plain-http" if is_loopback(parsed.repository.host) else ""
    by_name = _by_name(parsed.tag, by_digest)
    return tuple(f"helm pull oci://{parsed.repository}{held}{plain}" for held in (by_name, by_digest) if held)


def _by_name(tag: str, by_digest: str | None) -> str | None:
    if VERSION_FOR_HELM.fullmatch(tag):
        return f" --version {tag}"
    # With both, Helm reads by digest and checks that the tag holds it.
    return f":{tag}{by_digest}" if by_digest else None
