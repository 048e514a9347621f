"""Images that jobs run, by a name that always means the same program."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from runner.oci.name import DIGEST, HOST, REPOSITORY_PATH, TAG


def _exact(text: str) -> str:
    name, at, digest = text.partition("@")
    host, _, rest = name.partition("/")
    repository, colon, tag = rest.partition(":")
    legal = HOST.fullmatch(host) and REPOSITORY_PATH.fullmatch(repository)
    if not legal or (colon and not TAG.fullmatch(tag)) or (at and not DIGEST.fullmatch(digest)):
        raise ValueError(f"{text!r} is neither HOST/REPOSITORY:TAG nor HOST/REPOSITORY@sha256:…")
    if not (colon or at):
        raise ValueError(f"{text!r} names neither a tag nor a digest, so a rerun could run another program")
    if tag == "latest" and not at:
        raise ValueError(f"{text!r} is not exact: name a version's tag or a digest")
    return text


ExactImage = Annotated[str, AfterValidator(_exact)]
"""``HOST/REPOSITORY:TAG`` or ``HOST/REPOSITORY@DIGEST``; never the tag ``latest``."""
