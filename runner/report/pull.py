"""From an artifact to the commands that pull it: pure."""

from __future__ import annotations

from runner.oci.connections import is_loopback
from runner.oci.name import DIGEST, Name
from runner.versions import is_read_by_helm


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
    # Helm speaks TLS even to this machine unless told otherwise.
    plain = " --plain-http" if is_loopback(parsed.repository.host) else ""
    by_name = _by_name(parsed.tag, by_digest)
    return tuple(f"helm pull oci://{parsed.repository}{held}{plain}" for held in (by_name, by_digest) if held)


def _by_name(tag: str, by_digest: str | None) -> str | None:
    # For any other text Helm searches among the tags that are versions.
    if is_read_by_helm(tag):
        return f" --version {tag}"
    # With both, Helm reads by digest and checks that the tag holds it.
    return f":{tag}{by_digest}" if by_digest else None
