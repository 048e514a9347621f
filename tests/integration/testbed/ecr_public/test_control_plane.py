from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from testbed.ecr_public import model
from testbed.ecr_public.harness import ACCESS_KEY, SECRET_KEY
from testbed.ecr_public.manifests import digest_of
from testbed.ecr_public.operations import OPERATIONS
from tests.integration.testbed.ecr_public.asking import CONFIG, OCI_IMAGE, OCI_INDEX, Asker, image, index, request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.ecr_public.harness import EcrPublic

ACCOUNT = "123456789012"
ARN = f"arn:aws:ecr-public::{ACCOUNT}:repository/app"
DIGEST = f"sha256:{'1' * 64}"
POLICY = json.dumps({"Version": "2008-10-17", "Statement": []})
VALID: Mapping[str, Mapping[str, Any]] = {
    "BatchCheckLayerAvailability": {"repositoryName": "app", "layerDigests": [DIGEST]},
    "BatchDeleteImage": {"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]},
    "CompleteLayerUpload": {
        "repositoryName": "app",
        "uploadId": "6b2a7f9e-2b52-4f0c-9d3b-3b6f7d6a1c11",
        "layerDigests": [DIGEST],
    },
    "CreateRepository": {"repositoryName": "app"},
    "DeleteRepository": {"repositoryName": "app"},
    "DeleteRepositoryPolicy": {"repositoryName": "app"},
    "DescribeImageTags": {"repositoryName": "app"},
    "DescribeImages": {"repositoryName": "app"},
    "DescribeRegistries": {},
    "DescribeRepositories": {"repositoryNames": ["app"]},
    "GetAuthorizationToken": {},
    "GetRegistryCatalogData": {},
    "GetRepositoryCatalogData": {"repositoryName": "app"},
    "GetRepositoryPolicy": {"repositoryName": "app"},
    "InitiateLayerUpload": {"repositoryName": "app"},
    "ListTagsForResource": {"resourceArn": ARN},
    "PutImage": {"repositoryName": "app", "imageManifest": "{}"},
    "PutRegistryCatalogData": {"displayName": "ACK"},
    "PutRepositoryCatalogData": {"repositoryName": "app", "catalogData": {}},
    "SetRepositoryPolicy": {"repositoryName": "app", "policyText": POLICY},
    "TagResource": {"resourceArn": ARN, "tags": [{"Key": "a", "Value": "b"}]},
    "UntagResource": {"resourceArn": ARN, "tagKeys": ["a"]},
    "UploadLayerPart": {
        "repositoryName": "app",
        "uploadId": "6b2a7f9e-2b52-4f0c-9d3b-3b6f7d6a1c11",
        "partFirstByte": 0,
        "partLastByte": 1,
        "layerPartBlob": "eA==",
    },
}
REFUSED = {"CompleteLayerUpload", "InitiateLayerUpload", "UploadLayerPart"}
REGISTRY_WIDE = {"CreateRepository", "DescribeRegistries", "GetAuthorizationToken", "PutRegistryCatalogData"}


@pytest.fixture
def api(ecr: EcrPublic) -> Any:
    return ecr.client("ecr-public")


@pytest.fixture
def pushed(asker: Asker) -> str:
    """An image's digest, which is v1 of ``app``."""
    return asker.push("app", "v1")


def ask(
    ecr: EcrPublic, operation: str, given: object, *, key: str = ACCESS_KEY, region: str = "us-east-1"
) -> tuple[int, dict[str, Any]]:
    """Send a request as boto3 would, but for what boto3 itself refuses to send."""
    headers = {
        "X-Amz-Target": f"SpencerFrontendService.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    asked: Any = AWSRequest("POST", f"{ecr.endpoints['ecr-public']}/", data=body, headers=headers)
    SigV4Auth(Credentials(key, SECRET_KEY), "ecr-public", region).add_auth(asked)
    host = ecr.endpoints["ecr-public"].removeprefix("http://")
    answer = request(host, "POST", "/", body, dict(asked.headers.items()))
    return answer.status, answer.json


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_all_operations_are_known() -> None:
    """Every operation of botocore's model is here, and no other."""
    assert set(OPERATIONS) == set(model.operations()) == set(VALID)


@pytest.mark.parametrize("operation", sorted(VALID))
def test_a_valid_request(asker: Asker, operation: str) -> None:
    """Each operation answers something other than that it is invalid; layers are pushed elsewhere."""
    status, document = ask(asker.ecr, operation, VALID[operation])
    allowed = {
        "CreateRepository": "RepositoryAlreadyExistsException",
        "DeleteRepositoryPolicy": "RepositoryPolicyNotFoundException",
        "GetRepositoryCatalogData": "RepositoryCatalogDataNotFoundException",
        "GetRepositoryPolicy": "RepositoryPolicyNotFoundException",
        "PutImage": "InvalidParameterException",  # a manifest cannot be valid before there are layers
    } | dict.fromkeys(REFUSED, "UnsupportedCommandException")
    assert (status, document.get("__type")) == ((400, allowed[operation]) if operation in allowed else (200, None))


@pytest.mark.parametrize("operation", sorted(VALID))
def test_a_denied_operation(asker: Asker, operation: str) -> None:
    """Each operation can be denied, and is then refused in AWS's words."""
    asker.ecr.deny(f"ecr-public:{operation}")
    about = "resourceArn" in VALID[operation] or "repositoryName" in VALID[operation]
    status, document = ask(asker.ecr, operation, VALID[operation])
    assert (status, document["__type"]) == (400, "AccessDeniedException")
    assert document["message"] == (
        f"User: arn:aws:iam::{ACCOUNT}:user/prow is not authorized to perform: ecr-public:{operation} on resource: "
        f"{ARN if about else '*'} because no identity-based policy allows the ecr-public:{operation} action"
    )


@pytest.mark.parametrize("operation", sorted(VALID))
def test_another_region(asker: Asker, operation: str) -> None:
    """Each operation is refused in another region than the one that ECR Public is in."""
    _, document = ask(asker.ecr, operation, VALID[operation], region="us-west-2")
    assert document["__type"] == "UnsupportedCommandException"
    assert document["message"] == f"{operation} command is only supported in us-east-1."


@pytest.mark.parametrize("operation", sorted(set(VALID) - REGISTRY_WIDE - REFUSED - {"GetRegistryCatalogData"}))
def test_an_unknown_repository(ecr: EcrPublic, operation: str) -> None:
    """Each operation on a repository that was not created is refused with its name and the registry's id."""
    _, document = ask(ecr, operation, VALID[operation])
    assert document == {
        "__type": "RepositoryNotFoundException",
        "message": f"The repository with name 'app' does not exist in the registry with id '{ACCOUNT}'",
    }


JUDGED = sorted(operation for operation in VALID if "InvalidParameterException" in model.errors_of(operation))


@pytest.mark.parametrize("operation", JUDGED)
def test_a_parameter_that_the_model_does_not_have(asker: Asker, operation: str) -> None:
    """A request is judged by botocore's model, for each operation that has an error for it there."""
    _, document = ask(asker.ecr, operation, {**VALID[operation], "other": 1})
    assert document["__type"] == "InvalidParameterException"
    assert '"other"' in document["message"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, 'Missing required parameter in input: "repositoryName"'),
        ({"repositoryName": 1}, "Invalid type for parameter repositoryName"),
        ({"repositoryName": "x"}, "Invalid length for parameter repositoryName, value: 1, valid min length: 2"),
        ({"repositoryName": "x" * 206}, "less than or equal to 205"),
        ({"repositoryName": "Upper"}, "must satisfy regular expression"),
        ({"repositoryName": "app", "catalogData": {"description": "x" * 1025}}, "less than or equal to 1024"),
        ({"repositoryName": "app", "catalogData": {"aboutText": "x" * 25601}}, "less than or equal to 25600"),
        ({"repositoryName": "app", "catalogData": {"architectures": ["x"] * 51}}, "less than or equal to 50"),
        ({"repositoryName": "app", "catalogData": {"logoImageBlob": "?"}}, "logoImageBlob"),
        ({"repositoryName": "app", "catalogData": {"logoUrl": "x"}}, '"logoUrl"'),
        ([], "Invalid type"),
    ],
)
def test_an_invalid_request(ecr: EcrPublic, given: object, words: str) -> None:
    """Members, types, lengths and patterns are those of botocore's model; nothing is created."""
    status, document = ask(ecr, "CreateRepository", given)
    assert (status, document["__type"]) == (400, "InvalidParameterException")
    assert words in document["message"]
    assert not ecr.state.repositories.all()


def test_a_body_that_is_no_json(ecr: EcrPublic) -> None:
    """A body that is not JSON is refused as AWS refuses it."""
    assert ask(ecr, "CreateRepository", b"{")[1]["__type"] == "SerializationException"


def test_an_unknown_operation(ecr: EcrPublic) -> None:
    """An operation that the service does not have is refused."""
    assert ask(ecr, "ListImages", {}) == (400, {"__type": "UnknownOperationException"})


def test_without_a_signature(ecr: EcrPublic) -> None:
    """A request that is not signed is refused."""
    headers = {"X-Amz-Target": "SpencerFrontendService.GetAuthorizationToken", "Authorization": "Bearer x"}
    answer = request(ecr.endpoints["ecr-public"].removeprefix("http://"), "POST", "/", b"{}", headers)
    assert (answer.status, answer.json["__type"]) == (400, "MissingAuthenticationTokenException")


def test_an_unknown_key(ecr: EcrPublic) -> None:
    """A key that the account does not have, or no longer, is refused."""
    expected = (
        400,
        {
            "__type": "UnrecognizedClientException",
            "message": "The security token included in the request is invalid.",
        },
    )
    assert ask(ecr, "DescribeRegistries", {}, key="AKIAOTHER") == expected
    ecr.state.account.revoke(ACCESS_KEY)
    assert ask(ecr, "DescribeRegistries", {}) == expected


def test_the_bearer_permission(ecr: EcrPublic, api: Any) -> None:
    """GetAuthorizationToken also needs sts:GetServiceBearerToken, on every resource."""
    ecr.deny("sts:GetServiceBearerToken")
    with pytest.raises(ClientError) as error:
        api.get_authorization_token()
    code, message = refusal(error)
    assert code == "AccessDeniedException"
    assert "is not authorized to perform: sts:GetServiceBearerToken on resource: * because" in message
    assert ecr.recorder.actions() == {"ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"}


def test_an_authorization_token(ecr: EcrPublic, api: Any) -> None:
    """The token is base64 of the user AWS and a password, one object and not a list, and says when it expires."""
    data = api.get_authorization_token()["authorizationData"]
    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:")
    assert data["expiresAt"].timestamp() == pytest.approx(ecr.state.clock() + 12 * 3600, abs=10)


def test_too_many_tokens(ecr: EcrPublic, api: Any) -> None:
    """More tokens in a second than the quota allows are refused as the API refuses: not 429."""
    ecr.switch(tokens_per_second=1)
    ecr.state.ticks = lambda: 1.0
    api.get_authorization_token()
    with pytest.raises(ClientError) as error:
        api.get_authorization_token()
    assert refusal(error) == ("ThrottlingException", "Rate exceeded")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_repository(ecr: EcrPublic, api: Any) -> None:
    """A repository is created once, described, and removed."""
    made = api.create_repository(repositoryName="team/app")["repository"]
    assert made["repositoryUri"] == f"{ecr.namespace}/team/app"
    assert made["repositoryArn"] == f"arn:aws:ecr-public::{ACCOUNT}:repository/team/app"
    with pytest.raises(api.exceptions.RepositoryAlreadyExistsException) as error:
        api.create_repository(repositoryName="team/app")
    words = f"The repository with name 'team/app' already exists in the registry with id '{ACCOUNT}'"
    assert refusal(error)[1] == words
    assert api.describe_repositories(repositoryNames=["team/app"])["repositories"] == [made]
    assert api.delete_repository(repositoryName="team/app")["repository"] == made
    assert api.describe_repositories()["repositories"] == []


def test_the_most_repositories(ecr: EcrPublic, api: Any) -> None:
    """The quota of repositories ends creation, but not its answer that one is there."""
    ecr.switch(most_repositories=1)
    api.create_repository(repositoryName="one")
    with pytest.raises(api.exceptions.LimitExceededException):
        api.create_repository(repositoryName="two")
    with pytest.raises(api.exceptions.RepositoryAlreadyExistsException):
        api.create_repository(repositoryName="one")


def test_one_unknown_name_fails_all(ecr: EcrPublic, api: Any) -> None:
    """Of several names that are described, one that is unknown fails the whole call."""
    ecr.create("one")
    with pytest.raises(api.exceptions.RepositoryNotFoundException):
        api.describe_repositories(repositoryNames=["one", "two"])


def test_pages_of_repositories(ecr: EcrPublic, api: Any) -> None:
    """A list comes in pages, which boto3's paginator reads; not in the order of creation."""
    names = [f"app-{number}" for number in range(5)]
    ecr.create(*names)
    pages = list(api.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["repositories"]) for page in pages] == [2, 2, 1]
    listed = [repository["repositoryName"] for page in pages for repository in page["repositories"]]
    assert sorted(listed) == names != listed


@pytest.mark.parametrize("given", [{"nextToken": "?"}, {"repositoryNames": ["app"], "maxResults": 1}])
def test_a_page_that_cannot_be(asker: Asker, given: dict[str, Any]) -> None:
    """A token that was not answered is refused, and so are pages of named repositories."""
    assert ask(asker.ecr, "DescribeRepositories", given)[1]["__type"] == "InvalidParameterException"


def test_another_registry(ecr: EcrPublic, api: Any) -> None:
    """Another account's registry has no such repository."""
    ecr.create("app")
    with pytest.raises(api.exceptions.RepositoryNotFoundException) as error:
        api.describe_images(repositoryName="app", registryId="210987654321")
    assert refusal(error)[1].endswith("in the registry with id '210987654321'")


def test_catalogue_data_at_creation(api: Any) -> None:
    """Catalogue data is set with the repository; lists are answered in another order than they were sent."""
    data = {"description": "An app", "architectures": ["x86-64", "ARM 64"], "operatingSystems": ["Linux"]}
    made = api.create_repository(repositoryName="app", catalogData=data)["catalogData"]
    shown = api.get_repository_catalog_data(repositoryName="app")["catalogData"]
    assert shown == made == {**data, "architectures": ["ARM 64", "x86-64"], "marketplaceCertified": False}


def test_catalogue_data_is_replaced(ecr: EcrPublic, api: Any) -> None:
    """Writing catalogue data replaces all of it; before, there is none."""
    ecr.create("app")
    with pytest.raises(api.exceptions.RepositoryCatalogDataNotFoundException):
        api.get_repository_catalog_data(repositoryName="app")
    api.put_repository_catalog_data(repositoryName="app", catalogData={"description": "a", "aboutText": "b"})
    api.put_repository_catalog_data(repositoryName="app", catalogData={"usageText": "c", "logoImageBlob": b"png"})
    shown = api.get_repository_catalog_data(repositoryName="app")["catalogData"]
    assert shown.pop("logoUrl").startswith("https://")
    assert shown == {"usageText": "c", "marketplaceCertified": False}


def test_the_registry(ecr: EcrPublic, api: Any) -> None:
    """The registry has one alias, which is active."""
    [registry] = api.describe_registries()["registries"]
    assert registry["registryUri"] == ecr.namespace
    assert [(alias["name"], alias["status"]) for alias in registry["aliases"]] == [(ecr.alias, "ACTIVE")]
    assert api.get_registry_catalog_data()["registryCatalogData"] == {}
    api.put_registry_catalog_data(displayName="ACK")
    assert api.get_registry_catalog_data()["registryCatalogData"] == {"displayName": "ACK"}


def test_a_policy(ecr: EcrPublic, api: Any) -> None:
    """A repository's policy is set, read and removed; text that is no policy is refused."""
    ecr.create("app")
    with pytest.raises(api.exceptions.RepositoryPolicyNotFoundException):
        api.get_repository_policy(repositoryName="app")
    for text in ("{", "[]", "{}"):
        with pytest.raises(api.exceptions.InvalidParameterException):
            api.set_repository_policy(repositoryName="app", policyText=text)
    assert api.set_repository_policy(repositoryName="app", policyText=POLICY)["policyText"] == POLICY
    assert api.get_repository_policy(repositoryName="app")["policyText"] == POLICY
    assert api.delete_repository_policy(repositoryName="app")["policyText"] == POLICY
    with pytest.raises(api.exceptions.RepositoryPolicyNotFoundException):
        api.delete_repository_policy(repositoryName="app")


def test_tags_of_a_repository(api: Any) -> None:
    """Tags are set at creation, changed, listed in another order, and removed."""
    api.create_repository(repositoryName="app", tags=[{"Key": "a", "Value": "1"}])
    api.tag_resource(resourceArn=ARN, tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
    assert api.list_tags_for_resource(resourceArn=ARN)["tags"] == [
        {"Key": "b", "Value": "3"},
        {"Key": "a", "Value": "2"},
    ]
    api.untag_resource(resourceArn=ARN, tagKeys=["a", "c"])
    assert api.list_tags_for_resource(resourceArn=ARN)["tags"] == [{"Key": "b", "Value": "3"}]


def test_tags_that_cannot_be(ecr: EcrPublic, api: Any) -> None:
    """Keys that AWS keeps for itself, more than 50 tags, and what is no repository are refused."""
    ecr.create("app")
    with pytest.raises(api.exceptions.InvalidTagParameterException):
        api.tag_resource(resourceArn=ARN, tags=[{"Key": "aws:a", "Value": "1"}])
    with pytest.raises(api.exceptions.TooManyTagsException):
        api.tag_resource(resourceArn=ARN, tags=[{"Key": f"a{number}", "Value": "1"} for number in range(51)])
    with pytest.raises(api.exceptions.InvalidParameterException):
        api.list_tags_for_resource(resourceArn=f"arn:aws:s3:::{'x' * 10}")
    assert api.list_tags_for_resource(resourceArn=ARN)["tags"] == []


def test_images(asker: Asker, api: Any, pushed: str) -> None:
    """Images are described with all their tags, in no order, and their kinds; one without tags has no imageTags."""
    asker.put("app", "v2", asker.get("app", "v1").body)
    asker.put("app", digest_of(index(pushed)), index(pushed), OCI_INDEX)
    listed, image = api.describe_images(repositoryName="app")["imageDetails"]
    assert (image["imageDigest"], image["imageTags"]) == (pushed, ["v2", "v1"])
    assert (image["imageManifestMediaType"], image["artifactMediaType"]) == (OCI_IMAGE, CONFIG)
    assert (listed["imageDigest"], listed["imageManifestMediaType"]) == (digest_of(index(pushed)), OCI_INDEX)
    assert not {"imageTags", "artifactMediaType"} & set(listed)


def test_named_images(asker: Asker, api: Any, pushed: str) -> None:
    """Images are described by tag or digest; one that is not there fails the call in AWS's words."""
    for name in ({"imageTag": "v1"}, {"imageDigest": pushed}, {"imageTag": "v1", "imageDigest": pushed}):
        [image] = api.describe_images(repositoryName="app", imageIds=[name])["imageDetails"]
        assert image["imageDigest"] == pushed
    assert asker.head("app", "v1").status == 200
    for name in ({"imageTag": "v2"}, {"imageDigest": DIGEST}, {"imageTag": "v1", "imageDigest": DIGEST}):
        with pytest.raises(api.exceptions.ImageNotFoundException) as error:
            api.describe_images(repositoryName="app", imageIds=[name])
        assert refusal(error)[1] == (
            f"The image with imageId {{imageDigest:'{name.get('imageDigest', 'null')}', "
            f"imageTag:'{name.get('imageTag', 'null')}'}} does not exist within the repository with name 'app' in the "
            f"registry with id '{ACCOUNT}'"
        )


def test_image_tags(ecr: EcrPublic, api: Any, pushed: str) -> None:
    """Tags are described with the time at which they were written."""
    [tag] = api.describe_image_tags(repositoryName="app")["imageTagDetails"]
    assert (tag["imageTag"], tag["imageDetail"]["imageDigest"]) == ("v1", pushed)
    assert tag["createdAt"].timestamp() == pytest.approx(ecr.state.clock(), abs=60)


def test_a_repository_that_is_not_empty(asker: Asker, api: Any, pushed: str) -> None:
    """A repository with images is removed by force only, and one of the same name is then empty."""
    with pytest.raises(api.exceptions.RepositoryNotEmptyException):
        api.delete_repository(repositoryName="app")
    assert asker.get("app", pushed).status == 200
    api.delete_repository(repositoryName="app", force=True)
    asker.ecr.create("app")
    assert asker.get("app", pushed).status == 404


def test_removing_a_tag(asker: Asker, api: Any, pushed: str) -> None:
    """Removing a tag leaves the image, until it was the last one."""
    asker.put("app", "v2", asker.get("app", "v1").body)
    gone = api.batch_delete_image(repositoryName="app", imageIds=[{"imageTag": "v1"}])
    assert (gone["imageIds"], gone["failures"]) == ([{"imageDigest": pushed, "imageTag": "v1"}], [])
    assert (asker.get("app", "v1").status, asker.get("app", "v2").status) == (404, 200)
    api.batch_delete_image(repositoryName="app", imageIds=[{"imageTag": "v2"}])
    assert asker.get("app", pushed).status == 404


def test_removing_an_image(asker: Asker, api: Any, pushed: str) -> None:
    """Removing an image by its digest removes all its tags."""
    asker.put("app", "v2", asker.get("app", "v1").body)
    gone = api.batch_delete_image(repositoryName="app", imageIds=[{"imageDigest": pushed}])["imageIds"]
    assert {image["imageTag"] for image in gone} == {"v1", "v2"}
    assert [asker.get("app", name).status for name in ("v1", "v2", pushed)] == [404, 404, 404]


def test_what_cannot_be_removed(asker: Asker, api: Any, pushed: str) -> None:
    """What cannot be removed is among the failures of an answer that is a success."""
    asker.put("app", "index", index(pushed), OCI_INDEX)
    names = [
        {},
        {"imageDigest": "sha256:x"},
        {"imageTag": "a+b"},
        {"imageTag": "v9"},
        {"imageTag": "v1", "imageDigest": DIGEST},
        {"imageDigest": pushed},
    ]
    failures = api.batch_delete_image(repositoryName="app", imageIds=names)["failures"]
    assert [failure["imageId"] for failure in failures] == names
    assert [failure["failureCode"] for failure in failures] == [
        "MissingDigestAndTag",
        "InvalidImageDigest",
        "InvalidImageTag",
        "ImageNotFound",
        "ImageTagDoesNotMatchDigest",
        "ImageReferencedByManifestList",
    ]
    assert asker.get("app", pushed).status == 200


def test_layers(asker: Asker, api: Any) -> None:
    """Layers are said to be available or not; what is no digest is a failure."""
    asker.upload("app", b"x")
    answer = api.batch_check_layer_availability(repositoryName="app", layerDigests=[digest_of(b"x"), DIGEST, "md5:00"])
    assert [layer["layerAvailability"] for layer in answer["layers"]] == ["AVAILABLE", "UNAVAILABLE"]
    assert [failure["failureCode"] for failure in answer["failures"]] == ["InvalidLayerDigest"]


def test_another_tag_for_an_image(asker: Asker, api: Any, pushed: str) -> None:
    """An image is given another tag through the API, byte for byte, and once only."""
    manifest = asker.get("app", "v1").body.decode()
    answer = api.put_image(repositoryName="app", imageManifest=manifest, imageTag="v2", imageDigest=pushed)["image"]
    assert answer["imageId"] == {"imageDigest": pushed, "imageTag": "v2"}
    assert answer["imageManifestMediaType"] == OCI_IMAGE
    assert asker.get("app", "v2").body.decode() == manifest
    for tag in ({"imageTag": "v2"}, {}):
        with pytest.raises(api.exceptions.ImageAlreadyExistsException) as error:
            api.put_image(repositoryName="app", imageManifest=manifest, **tag)
        assert refusal(error)[1] == (
            f"Image with digest '{pushed}' and tag '{tag.get('imageTag', 'null')}' already exists in the repository "
            f"with name 'app' in registry with id '{ACCOUNT}'"
        )


def test_a_tag_moves_through_the_api(asker: Asker, api: Any, pushed: str) -> None:
    """A tag that another image has is taken from it: no tag is immutable."""
    other = asker.push("app", "v2", b"other")
    api.put_image(repositoryName="app", imageManifest=asker.get("app", pushed).body.decode(), imageTag="v2")
    assert asker.head("app", "v2").headers["docker-content-digest"] == pushed != other


def test_a_manifest_without_its_type(asker: Asker, api: Any, pushed: str) -> None:
    """A manifest that does not say its own type, as a chart's, needs it beside it."""
    document = json.loads(asker.get("app", pushed).body)
    del document["mediaType"]
    given = {"repositoryName": "app", "imageManifest": json.dumps(document)}
    with pytest.raises(api.exceptions.InvalidParameterException, match="'Invalid JSON syntax'"):
        api.put_image(**given)
    image = api.put_image(**given, imageManifestMediaType=OCI_IMAGE)["image"]
    assert asker.get("app", image["imageId"]["imageDigest"]).status == 200


def test_manifests_that_cannot_be_put(asker: Asker, api: Any, pushed: str) -> None:
    """Layers and children must be there, the digest must be the manifest's, and a tag must be one."""
    manifest = asker.get("app", pushed).body.decode()
    refusals = {
        "LayersNotFoundException": {"imageManifest": image(b"nowhere").decode()},
        "ReferencedImagesNotFoundException": {"imageManifest": index(DIGEST).decode()},
        "ImageDigestDoesNotMatchException": {"imageManifest": manifest, "imageDigest": DIGEST},
        "InvalidParameterException": {"imageManifest": manifest, "imageTag": "a+b"},
    }
    for code, given in refusals.items():
        with pytest.raises(ClientError) as error:
            api.put_image(repositoryName="app", **given)
        assert refusal(error)[0] == code


def test_the_most_tags_through_the_api(asker: Asker, api: Any, pushed: str) -> None:
    """An image that has all the tags it may have gets no other."""
    repository = asker.ecr.state.repositories.find("app")
    assert repository is not None
    for number in range(2, 1001):
        asker.ecr.state.repositories.put(repository, repository.images[pushed], f"v{number}")
    manifest = asker.get("app", pushed).body.decode()
    with pytest.raises(api.exceptions.LimitExceededException, match="tags per image which is '1000'"):
        api.put_image(repositoryName="app", imageManifest=manifest, imageTag="one-more")


def test_errors_are_the_models() -> None:
    """An error that the model does not have for an operation cannot be made, nor one with another member."""
    assert model.error_document("PutImage", "LayersNotFoundException", "words", {}) == {
        "__type": "LayersNotFoundException",
        "message": "words",
    }
    with pytest.raises(ValueError, match="CreateRepository does not answer ImageNotFoundException"):
        model.error_document("CreateRepository", "ImageNotFoundException", "", {})
    with pytest.raises(ValueError, match="LayersNotFoundException has no other"):
        model.error_document("PutImage", "LayersNotFoundException", "", {"other": 1})


def test_answers_are_the_models() -> None:
    """An answer with a member that the model does not have is noticed."""
    model.check_answer("DescribeRepositories", {"repositories": []})
    with pytest.raises(model.InvalidRequest):
        model.check_answer("DescribeRepositories", {"repositories": [{"name": "app"}]})
