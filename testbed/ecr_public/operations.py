"""The operations of ECR Public's API: what each does to the registry, and what it answers."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any, TypeAlias

from testbed.ecr_public.manifests import DIGEST, TAG, digest_of
from testbed.ecr_public.pushing import NotTaken, Why, take
from testbed.ecr_public.upstream import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from testbed.ecr_public.repositories import Image, Repository
    from testbed.ecr_public.state import State

NOT_TAKEN: Mapping[Why, str] = {
    Why.MANIFEST: "InvalidParameterException",
    Why.TAG: "InvalidParameterException",
    Why.DIGEST: "InvalidParameterException",  # a digest where a tag must be
    Why.LAYERS: "LayersNotFoundException",
    Why.IMAGES: "ReferencedImagesNotFoundException",
    Why.TAGS: "LimitExceededException",
}
MOST_LABELS = 50
PAGE = 100
"""How many a list has when the caller does not say."""

Document: TypeAlias = "dict[str, Any]"


class ApiError(Exception):
    """An operation is answered with an error of the model's, perhaps with members beside its message."""

    def __init__(self, code: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.code, self.members = code, members


def get_authorization_token(state: State, caller: str, _: Document) -> Document:
    """Give what can be exchanged for a bearer token, or used as one."""
    token, expires = state.tokens.issue_credential(caller, state.switches.credential_seconds)
    return {"authorizationData": {"authorizationToken": token, "expiresAt": expires}}


# --- repositories


def create_repository(state: State, _: str, given: Document) -> Document:
    """Make a repository, with catalogue data and tags if they are given."""
    name = given["repositoryName"]
    labels = _labels({}, given.get("tags", ()))
    with state.repositories.lock:
        if state.repositories.find(name) is None and len(state.repositories.all()) >= state.switches.most_repositories:
            raise ApiError(
                "LimitExceededException",
                f"The registry with id '{state.account.number}' already has the maximum allowed number of repositories "
                f"which is '{state.switches.most_repositories}'",
            )
        repository = state.repositories.create(name)
        if repository is None:
            raise ApiError(
                "RepositoryAlreadyExistsException",
                f"The repository with name '{name}' already exists in the registry with id '{state.account.number}'",
            )
        repository.labels = labels
        answer: Document = {"repository": _repository_document(state, repository), "catalogData": {}}
        if "catalogData" in given:
            repository.catalog = _stored(given["catalogData"])
            answer["catalogData"] = _shown(repository.catalog)
    return answer


def describe_repositories(state: State, _: str, given: Document) -> Document:
    """Describe the named repositories, or a page of all; one unknown name fails the whole call."""
    names = given.get("repositoryNames")
    if names:
        if "maxResults" in given or "nextToken" in given:
            raise ApiError(
                "InvalidParameterException", "maxResults and nextToken cannot be used together with repositoryNames"
            )
        found = [_named(state, {**given, "repositoryName": name}) for name in names]
        return {"repositories": [_repository_document(state, repository) for repository in found]}
    documents = [_repository_document(state, repository) for repository in reversed(state.repositories.all())]
    return _page("repositories", documents, given)


def delete_repository(state: State, _: str, given: Document) -> Document:
    """Remove a repository; one with images only by force."""
    with state.repositories.lock:
        repository = _named(state, given)
        if repository.images and not given.get("force"):
            raise ApiError(
                "RepositoryNotEmptyException",
                f"The repository with name '{repository.name}' in registry with id '{state.account.number}' cannot be "
                "deleted because it still contains images",
            )
        for digest in list(repository.images):
            _remove(state, repository, digest)
        state.repositories.remove(repository.name)
    return {"repository": _repository_document(state, repository)}


def get_repository_catalog_data(state: State, _: str, given: Document) -> Document:
    """Give what the gallery shows of a repository."""
    repository = _named(state, given)
    if repository.catalog is None:
        raise ApiError(
            "RepositoryCatalogDataNotFoundException",
            f"The catalog data for repository with name '{repository.name}' does not exist in the registry with id "
            f"'{state.account.number}'",
        )
    return {"catalogData": _shown(repository.catalog)}


def put_repository_catalog_data(state: State, _: str, given: Document) -> Document:
    """Replace what the gallery shows of a repository, all of it."""
    repository = _named(state, given)
    repository.catalog = _stored(given["catalogData"])
    return {"catalogData": _shown(repository.catalog)}


def get_repository_policy(state: State, _: str, given: Document) -> Document:
    """Give a repository's policy."""
    repository = _named(state, given)
    return _policy_document(state, repository, _policy(state, repository))


def set_repository_policy(state: State, _: str, given: Document) -> Document:
    """Set a repository's policy."""
    repository = _named(state, given)
    try:
        document = json.loads(given["policyText"])
    except ValueError:
        document = None
    if not isinstance(document, dict) or "Statement" not in document:
        raise ApiError(
            "InvalidParameterException",
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'",
        )
    repository.policy = given["policyText"]
    return _policy_document(state, repository, repository.policy)


def delete_repository_policy(state: State, _: str, given: Document) -> Document:
    """Remove a repository's policy."""
    repository = _named(state, given)
    answer = _policy_document(state, repository, _policy(state, repository))
    repository.policy = None
    return answer


# --- registries


def describe_registries(state: State, _: str, given: Document) -> Document:
    """Describe the account's registry, and its alias."""
    alias = {"name": state.alias, "status": "ACTIVE", "primaryRegistryAlias": True, "defaultRegistryAlias": False}
    registry = {
        "registryId": state.account.number,
        "registryArn": f"arn:aws:ecr-public::{state.account.number}:registry/{state.account.number}",
        "registryUri": f"{state.host}/{state.alias}",
        "verified": False,
        "aliases": [alias],
    }
    return _page("registries", [registry], given)


def get_registry_catalog_data(state: State, _: str, __: Document) -> Document:
    """Give what the gallery shows of the registry."""
    return {"registryCatalogData": {"displayName": state.display_name} if state.display_name else {}}


def put_registry_catalog_data(state: State, caller: str, given: Document) -> Document:
    """Replace what the gallery shows of the registry."""
    state.display_name = given.get("displayName", "")
    return get_registry_catalog_data(state, caller, given)


# --- images


def describe_images(state: State, _: str, given: Document) -> Document:
    """Describe the named images, or a page of all."""
    repository = _named(state, given)
    with state.repositories.lock:
        digests = [_identified(state, repository, image) for image in given.get("imageIds", ())]
        chosen = dict.fromkeys(digests) if digests else reversed(repository.images)
        documents = [_image_document(state, repository, repository.images[digest]) for digest in chosen]
    return _page("imageDetails", documents, given)


def describe_image_tags(state: State, _: str, given: Document) -> Document:
    """Describe a page of a repository's tags; no other operation says when a tag was written."""
    repository = _named(state, given)
    with state.repositories.lock:
        documents = []
        for name, tag in reversed(repository.tags.items()):
            image = repository.images[tag.digest]
            detail = {
                "imageDigest": image.digest,
                "imageSizeInBytes": image.size,
                "imagePushedAt": image.pushed,
                "imageManifestMediaType": image.media_type,
                **({} if image.artifact_type is None else {"artifactMediaType": image.artifact_type}),
            }
            documents.append({"imageTag": name, "createdAt": tag.created, "imageDetail": detail})
    return _page("imageTagDetails", documents, given)


def batch_delete_image(state: State, _: str, given: Document) -> Document:
    """Remove tags and images; what cannot be removed is among the failures of a successful answer."""
    repository = _named(state, given)
    removed, failures = [], []
    with state.repositories.lock:
        for image in given["imageIds"]:
            tag, digest = image.get("imageTag"), image.get("imageDigest")
            failure = _failure(repository, tag, digest)
            if failure is not None:
                failures.append({"imageId": image, "failureCode": failure[0], "failureReason": failure[1]})
            elif tag is None:
                tags = repository.tags_of(digest)
                _remove(state, repository, digest)
                removed += [{"imageDigest": digest, "imageTag": name} for name in tags] or [{"imageDigest": digest}]
            else:
                found = repository.tags[tag].digest
                state.repositories.untag(repository, tag)
                if found not in repository.images:
                    _forget(state, repository, found)
                removed.append({"imageDigest": found, "imageTag": tag})
    return {"imageIds": removed, "failures": failures}


def batch_check_layer_availability(state: State, _: str, given: Document) -> Document:
    """Say which layers a repository has."""
    repository = _named(state, given)
    layers, failures = [], []
    for digest in given["layerDigests"]:
        if DIGEST.fullmatch(digest):
            there = digest in repository.blobs
            layers.append({"layerDigest": digest, "layerAvailability": "AVAILABLE" if there else "UNAVAILABLE"})
        else:
            failures.append(
                {
                    "layerDigest": digest,
                    "failureCode": "InvalidLayerDigest",
                    "failureReason": f"Invalid layer digest: '{digest}'",
                }
            )
    return {"layers": layers, "failures": failures}


def put_image(state: State, _: str, given: Document) -> Document:
    """Take a manifest whose parts are there already, e.g. to give an image another tag."""
    repository = _named(state, given)
    text, tag = given["imageManifest"], given.get("imageTag")
    body = text.encode()
    kind = given.get("imageManifestMediaType") or _own_media_type(text)
    digest = digest_of(body)
    if given.get("imageDigest", digest) != digest:
        raise ApiError(
            "ImageDigestDoesNotMatchException",
            f"The provided digest '{given['imageDigest']}' does not match the digest '{digest}' of the image manifest",
        )
    with state.repositories.lock:
        written = repository.tags.get(tag) if tag is not None else None
        if digest in repository.images and (tag is None or (written is not None and written.digest == digest)):
            raise ApiError(
                "ImageAlreadyExistsException",
                f"Image with digest '{digest}' and tag '{tag or 'null'}' already exists in the repository with name "
                f"'{repository.name}' in registry with id '{state.account.number}'",
            )
        try:
            take(state, repository, body, kind, tag)
        except NotTaken as error:
            raise ApiError(NOT_TAKEN[error.why], str(error)) from None
    image = {
        "registryId": state.account.number,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": digest} | ({} if tag is None else {"imageTag": tag}),
        "imageManifest": text,
        "imageManifestMediaType": kind,
    }
    return {"image": image}


def unsupported(_: State, __: str, ___: Document) -> Document:
    """Refuse: layers are pushed to the other address, as all clients do."""
    raise ApiError("UnsupportedCommandException", "Not here: push layers through the registry's own address, /v2/")


# --- tags of resources


def tag_resource(state: State, _: str, given: Document) -> Document:
    """Add tags to a repository, or change them."""
    repository = _resource(state, given)
    repository.labels = _labels(repository.labels, given["tags"])
    return {}


def untag_resource(state: State, _: str, given: Document) -> Document:
    """Remove tags from a repository."""
    repository = _resource(state, given)
    for key in given["tagKeys"]:
        repository.labels.pop(key, None)
    return {}


def list_tags_for_resource(state: State, _: str, given: Document) -> Document:
    """List the tags of a repository."""
    repository = _resource(state, given)
    return {"tags": [{"Key": key, "Value": value} for key, value in reversed(repository.labels.items())]}


OPERATIONS: Mapping[str, Callable[[State, str, Document], Document]] = {
    "BatchCheckLayerAvailability": batch_check_layer_availability,
    "BatchDeleteImage": batch_delete_image,
    "CompleteLayerUpload": unsupported,
    "CreateRepository": create_repository,
    "DeleteRepository": delete_repository,
    "DeleteRepositoryPolicy": delete_repository_policy,
    "DescribeImageTags": describe_image_tags,
    "DescribeImages": describe_images,
    "DescribeRegistries": describe_registries,
    "DescribeRepositories": describe_repositories,
    "GetAuthorizationToken": get_authorization_token,
    "GetRegistryCatalogData": get_registry_catalog_data,
    "GetRepositoryCatalogData": get_repository_catalog_data,
    "GetRepositoryPolicy": get_repository_policy,
    "InitiateLayerUpload": unsupported,
    "ListTagsForResource": list_tags_for_resource,
    "PutImage": put_image,
    "PutRegistryCatalogData": put_registry_catalog_data,
    "PutRepositoryCatalogData": put_repository_catalog_data,
    "SetRepositoryPolicy": set_repository_policy,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "UploadLayerPart": unsupported,
}


def _named(state: State, given: Document) -> Repository:
    name, registry = given["repositoryName"], given.get("registryId", state.account.number)
    repository = state.repositories.find(name) if registry == state.account.number else None
    if repository is None:
        raise ApiError(
            "RepositoryNotFoundException",
            f"The repository with name '{name}' does not exist in the registry with id '{registry}'",
        )
    return repository


def _resource(state: State, given: Document) -> Repository:
    prefix = state.arn("")
    arn: str = given["resourceArn"]
    if not arn.startswith(prefix):
        raise ApiError(
            "InvalidParameterException",
            "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'",
        )
    return _named(state, {"repositoryName": arn.removeprefix(prefix)})


def _labels(there: Mapping[str, str], given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    labels = {**there, **{tag.get("Key", ""): tag.get("Value", "") for tag in given}}
    if any(not key or key.lower().startswith("aws:") for key in labels):
        raise ApiError(
            "InvalidTagParameterException",
            "Invalid parameter at 'tags' failed to satisfy constraint: 'Tag keys must not be empty or begin with aws:'",
        )
    if len(labels) > MOST_LABELS:
        raise ApiError("TooManyTagsException", f"A repository may have {MOST_LABELS} tags, not {len(labels)}")
    return labels


def _repository_document(state: State, repository: Repository) -> Document:
    return {
        "repositoryArn": state.arn(repository.name),
        "registryId": state.account.number,
        "repositoryName": repository.name,
        "repositoryUri": f"{state.host}/{state.alias}/{repository.name}",
        "createdAt": repository.created,
    }


def _stored(given: Document) -> Document:
    catalog = dict(given)
    if catalog.pop("logoImageBlob", None):
        catalog["logoUrl"] = f"https://logos.example/{uuid.uuid4()}.png"
    return catalog


def _shown(catalog: Document) -> Document:
    """Catalogue data as the API answers it: lists in another order than they were sent."""
    lists = {key: list(reversed(value)) for key, value in catalog.items() if isinstance(value, list)}
    return {**catalog, **lists, "marketplaceCertified": False}


def _policy(state: State, repository: Repository) -> str:
    if repository.policy is None:
        raise ApiError(
            "RepositoryPolicyNotFoundException",
            f"Repository policy does not exist for the repository with name '{repository.name}' in the registry with "
            f"id '{state.account.number}'",
        )
    return repository.policy


def _policy_document(state: State, repository: Repository, text: str) -> Document:
    return {"registryId": state.account.number, "repositoryName": repository.name, "policyText": text}


def _image_document(state: State, repository: Repository, image: Image) -> Document:
    document = {
        "registryId": state.account.number,
        "repositoryName": repository.name,
        "imageDigest": image.digest,
        "imageSizeInBytes": image.size,
        "imagePushedAt": image.pushed,
        "imageManifestMediaType": image.media_type,
    }
    if tags := repository.tags_of(image.digest):
        document["imageTags"] = list(reversed(tags))
    if image.artifact_type is not None:
        document["artifactMediaType"] = image.artifact_type
    return document


def _identified(state: State, repository: Repository, image: Mapping[str, str]) -> str:
    digest, tag = image.get("imageDigest"), image.get("imageTag")
    found = digest if digest in repository.images else None
    if tag is not None:
        written = repository.tags.get(tag)
        found = None if written is None or digest not in {None, written.digest} else written.digest
    if found is None:
        raise ApiError(
            "ImageNotFoundException",
            f"The image with imageId {{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}} does not exist "
            f"within the repository with name '{repository.name}' in the registry with id '{state.account.number}'",
        )
    return found


def _own_media_type(manifest: str) -> str:
    try:
        return str(json.loads(manifest)["mediaType"])
    except (KeyError, TypeError, ValueError):
        return ""


def _failure(repository: Repository, tag: str | None, digest: str | None) -> tuple[str, str] | None:
    """Why an image cannot be removed: code and reason; None: it can."""
    written = repository.tags.get(tag) if tag is not None else None
    indexes = repository.referring(digest) if tag is None and digest is not None else []
    request = "Invalid request parameters:"
    rules = (
        (tag is None and digest is None, "MissingDigestAndTag", f"{request} both tag and digest cannot be null"),
        (
            digest is not None and not DIGEST.fullmatch(digest),
            "InvalidImageDigest",
            f"{request} image digest should satisfy the regex",
        ),
        (
            tag is not None and not TAG.fullmatch(tag),
            "InvalidImageTag",
            f"{request} image tag should satisfy the regex",
        ),
        (
            written is None if tag is not None else digest not in repository.images,
            "ImageNotFound",
            "Requested image not found",
        ),
        (
            written is not None and digest not in {None, written.digest},
            "ImageTagDoesNotMatchDigest",
            f"{request} tag does not refer to the image digest",
        ),
        (
            bool(indexes),
            "ImageReferencedByManifestList",
            f"Requested image referenced by manifest list: [{', '.join(indexes)}]",
        ),
    )
    return next(((code, reason) for fails, code, reason in rules if fails), None)


def _remove(state: State, repository: Repository, digest: str) -> None:
    state.repositories.remove_image(repository, digest)
    _forget(state, repository, digest)


def _forget(state: State, repository: Repository, digest: str) -> None:
    ask(state.upstream, "DELETE", f"/v2/{state.alias}/{repository.name}/manifests/{digest}", {})


def _page(member: str, documents: list[Document], given: Document) -> Document:
    try:
        start = int(base64.b64decode(given.get("nextToken", ""), validate=True).decode() or "0")
    except ValueError:
        raise ApiError(
            "InvalidParameterException",
            "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'",
        ) from None
    end = start + given.get("maxResults", PAGE)
    more = {"nextToken": base64.b64encode(str(end).encode()).decode()} if end < len(documents) else {}
    return {member: documents[start:end], **more}
