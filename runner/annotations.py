"""The annotations of artifacts that are this program's own, beside those that the OCI image-spec names.

Builders and the chart packager write them; what is published is read by them. So they lie below both.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RELEASE_VERSION = "dev.ack.release.version"
RELEASE_IMAGE = "dev.ack.release.image"
RELEASE_INPUTS = "dev.ack.release.inputs"
"""All that an image's digest follows from, as ``inputs_text`` writes it."""
RELEASE_PLATFORMS = "dev.ack.release.platforms"
RELEASE_RESOLVED_VERSION = "dev.ack.release.resolved-version"


def inputs_text(inputs: Mapping[str, str]) -> str:
    """The inputs as one line of JSON, the same whatever their order."""
    return json.dumps(dict(inputs), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read_inputs_text(text: str) -> dict[str, str]:
    """The inputs that a text states; none where it states them in another way, as the digest that it once was."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {key: str(value) for key, value in found.items()} if isinstance(found, dict) else {}
