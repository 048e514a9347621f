"""The digests that a run wrote down in its ``record.json``. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runner.oci.name import DIGEST

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_digests(body: bytes) -> Mapping[str, str]:
    """Return the digest of each name that a record says of a release.

    Args:
        body: ``record.json``, of this version of the program or another.

    Raises:
        ValueError: it is no record, or it says no digest: a run that failed early has none.
    """
    try:
        document = json.loads(body)
        entries = [(entry["name"], entry["digest"]) for entry in document["entries"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("it is not a run's record.json") from None
    digests = {str(name): str(digest) for name, digest in entries if DIGEST.fullmatch(str(digest))}
    if not digests:
        raise ValueError("it says no digest: the run that it is of published nothing and found nothing")
    return digests
