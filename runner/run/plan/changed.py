"""What of a release is not what it was when it was published: why building it again gives another digest. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.annotations import RELEASE_INPUTS, read_inputs_text
from runner.errors import ReleaseNotRestorable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.oci.manifest import Manifest
    from runner.oci.name import Name
    from runner.published.observed import Published

WORDS: Mapping[str, str] = {
    "go": "Go",
    "base": "the base image's content",
    "base_name": "the base image",
    "platforms": "the platforms",
    "builder": "the builder",
    "compressor": "the compressor",
    "ca_bundle": "the CA certificates",
    "main": "the main package",
}
"""What the inputs are called, where their keys do not say it."""

NOTHING_RECORDED = "all recorded inputs are the same, so another version of the runner makes something else of them"
ONLY_A_DIGEST = "the inputs, of which only a digest was recorded"


def check_restored(name: Name, found: Published, made: Manifest) -> None:
    """Refuse to restore what is published with something else.

    Args:
        name: what holds it.
        found: what is there, and what of it is gone.
        made: what was built or packaged again.

    Raises:
        ReleaseNotRestorable: the digests differ; its detail is what changed.
    """
    if made.digest == found.digest:
        return
    changed = tuple(what_changed(found.manifest, made)) or (NOTHING_RECORDED,)
    raise ReleaseNotRestorable(
        f"{name} holds {found.digest}, of which {found.gone[0].what} is gone, and its commit gives {made.digest} now:"
        f" {'; '.join(changed)}",
        detail=(*(f"gone: {part}" for part in found.gone), *(f"changed: {change}" for change in changed)),
    )


def what_changed(before: Manifest, now: Manifest) -> Iterator[str]:
    """What differs between what two manifests say of their origin: inputs first, then annotations, each in words."""
    were, are = dict(before.annotations), dict(now.annotations)
    stated = were.pop(RELEASE_INPUTS, None), are.pop(RELEASE_INPUTS, None)
    inputs, inputs_now = (read_inputs_text(text or "") for text in stated)
    if inputs:
        yield from _differences(inputs, inputs_now)
    elif stated[0] != stated[1]:
        yield ONLY_A_DIGEST
    yield from _differences(were, are)


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for key in dict.fromkeys((*WORDS, *before, *now)):
        if before.get(key) != now.get(key):
            yield f"{WORDS.get(key, key)} was {_value(before, key)} and is {_value(now, key)}"


def _value(of: Mapping[str, str], key: str) -> str:
    return of.get(key) or "not given"
