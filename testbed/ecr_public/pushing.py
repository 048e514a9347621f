"""Taking a manifest, whichever way it comes: what is refused, and what is kept."""

from __future__ import annotations

import http.client
from enum import Enum, auto
from typing import TYPE_CHECKING

from testbed.ecr_public.manifests import DIGEST, MOST_BYTES, TAG, InvalidManifest, Manifest, read_manifest
from testbed.ecr_public.repositories import MOST_TAGS, Image, Repository, TooManyTags
from testbed.ecr_public.upstream import ask

if TYPE_CHECKING:
    from testbed.ecr_public.state import State


class Why(Enum):
    """Why a manifest is refused."""

    MANIFEST = auto()
    TAG = auto()
    DIGEST = auto()
    LAYERS = auto()
    IMAGES = auto()
    TAGS = auto()


class NotTaken(Exception):
    """A manifest is refused; the message is AWS's."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


def take(state: State, repository: Repository, body: bytes, media_type: str, reference: str | None) -> Manifest:
    """Take a manifest.

    Args:
        state: the registry.
        repository: where it goes.
        body: its bytes, which are kept as they are.
        media_type: what it is said to be.
        reference: a tag, or its digest; None: its digest, whatever it is.

    Raises:
        NotTaken: it is refused.
        ConnectionError: the registry behind refuses it, which takes whatever passes here.
    """
    if len(body) > MOST_BYTES:
        raise NotTaken(Why.MANIFEST, invalid(f"Member must have length less than or equal to {MOST_BYTES}"))
    try:
        manifest = read_manifest(body, media_type)
    except InvalidManifest as error:
        raise NotTaken(Why.MANIFEST, invalid(str(error))) from None
    if manifest.subject is not None and not state.switches.subjects:
        raise NotTaken(Why.MANIFEST, invalid("Invalid JSON syntax"))
    tag = _tag(manifest, reference)
    # All or nothing: who reads meanwhile finds neither a tag without its manifest nor a manifest without its children.
    with state.repositories.lock:
        _check_parts(state, repository, manifest)
        if tag is not None:
            _check_tags(state, repository, manifest.digest, tag)
        _keep(state, repository, manifest, body, tag)
    return manifest


def invalid(constraint: str, parameter: str = "ImageManifest") -> str:
    """AWS's words for a parameter that is not as it must be."""
    return f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"


def _tag(manifest: Manifest, reference: str | None) -> str | None:
    if reference is None or reference == manifest.digest:
        return None
    if DIGEST.fullmatch(reference):
        raise NotTaken(
            Why.DIGEST,
            f"The provided digest '{reference}' does not match the digest '{manifest.digest}' of the image manifest",
        )
    if not TAG.fullmatch(reference):
        raise NotTaken(Why.TAG, f"The tag '{reference}' is invalid.")
    return reference


def _check_parts(state: State, repository: Repository, manifest: Manifest) -> None:
    where = (
        f"required for pushing image into repository with name '{repository.name}' in the registry with id "
        f"'{state.account.number}' do not exist"
    )
    layers = [digest for digest in manifest.blobs if digest not in repository.blobs]
    images = [digest for digest in manifest.children if digest not in repository.images]
    for why, missing in ((Why.LAYERS, layers), (Why.IMAGES, images)):
        if missing:
            raise NotTaken(why, f"{why.name.title()} with digests '[{', '.join(missing)}]' {where}")


def _check_tags(state: State, repository: Repository, digest: str, tag: str) -> None:
    try:
        state.repositories.check_tag(repository, digest, tag)
    except TooManyTags:
        raise NotTaken(
            Why.TAGS,
            f"Adding tag '{tag}' to an image in the repository with name '{repository.name}' in registry with id "
            f"'{state.account.number}' exceeds the maximum allowed number of tags per image which is '{MOST_TAGS}'",
        ) from None


def _keep(state: State, repository: Repository, manifest: Manifest, body: bytes, tag: str | None) -> None:
    path = f"/v2/{state.alias}/{repository.name}/manifests/{manifest.digest}"
    status, answer, _ = ask(state.upstream, "PUT", path, {"content-type": manifest.media_type}, body)
    if status != http.client.CREATED:
        raise ConnectionError(f"the registry behind answers {status}: {answer.decode(errors='replace')}")
    switches = state.switches
    state.repositories.put(
        repository,
        Image(
            manifest.digest,
            manifest.media_type,
            manifest.artifact_type,
            manifest.size,
            pushed=0,
            children=manifest.children,
        ),
        tag,
        lag_seconds=switches.tag_lag_seconds,
        lag_reads=switches.tag_lag_reads,
        digest_reads=switches.manifest_lag_reads,
    )
