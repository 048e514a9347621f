from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.meaning import Meaning, codes_of, meaning_of, purpose_of, told_by_proxy
from runner.oci.messages import Request

HOST = "https://registry.example/v2/ns/chart"
TAG = Request("PUT", f"{HOST}/manifests/v1.2.3")
DIGEST = Request("PUT", f"{HOST}/manifests/sha256:{'0' * 64}")
UPLOAD = Request("PUT", f"{HOST}/blobs/uploads/1?_state=x")
BEGIN = Request("POST", f"{HOST}/blobs/uploads/")
READ = Request("GET", f"{HOST}/manifests/v1.2.3")
LATER = {"Retry-After": "3"}

IMMUTABLE, LIMIT, POLICY, CREDENTIALS = Meaning.IMMUTABLE, Meaning.LIMIT, Meaning.POLICY, Meaning.CREDENTIALS
RATE, SERVER, UNKNOWN, REFUSED = Meaning.RATE_LIMITED, Meaning.SERVER_ERROR, Meaning.UNKNOWN, Meaning.REFUSED


def body(code: str = "", message: str = "", detail: object = None) -> bytes:
    """An error body as the distribution-spec has it."""
    return json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]}).encode()


ECR_TAG = "The image tag 'v1' already exists in the 'r' repository and cannot be overwritten because it is immutable."
HARBOR_TAG = "Failed to process request due to 'chart:v1' configured as immutable."
HARBOR_QUOTA = (
    "adding 10.0 MiB of storage resource, which when updated to current usage of 99 MiB will exceed the configured"
    " upper limit of 100 MiB."
)
ECR_LIMIT = "The image exceeds the maximum allowed number of tags per image which is '1000'"
ECR_ROLE = "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: ecr:PutImage as no policy allows it"
ACR_LOCK = "The operation is disallowed on this registry, repository or image."
ECR_CHILDREN = "Images with digests '[sha256:1]' required for pushing image into repository with name 'r' do not exist"


@pytest.mark.parametrize(
    ("request_", "status", "headers", "said", "expected"),
    [
        # a tag that may not be written again
        (TAG, 400, {}, body("TAG_INVALID", ECR_TAG), IMMUTABLE),
        (TAG, 400, {}, body("TAG_INVALID", ""), IMMUTABLE),
        (TAG, 400, {}, body("tag invalid", "no"), IMMUTABLE),
        (TAG, 412, {}, body("PRECONDITION", HARBOR_TAG), IMMUTABLE),
        (TAG, 412, {}, b"", IMMUTABLE),
        (TAG, 409, {}, b"", IMMUTABLE),
        (TAG, 409, {}, body("MANIFEST_INVALID", "tag v1 already exists"), IMMUTABLE),
        (TAG, 403, {}, body("DENIED", "tag v1 is immutable"), IMMUTABLE),
        (TAG, 403, {}, body("DENIED", "Not allowed to overwrite v1"), IMMUTABLE),
        (TAG, 400, {}, body("", "the tag can't be redeployed"), IMMUTABLE),
        (TAG, 400, {}, body("", "cannot redeploy v1"), IMMUTABLE),
        (TAG, 400, {}, body("MANIFEST_INVALID", "no", "manifest is configured as immutable"), IMMUTABLE),
        (TAG, 405, {}, body("DENIED", ACR_LOCK), IMMUTABLE),
        (TAG, 400, {}, json.dumps({"message": "tag is immutable"}).encode(), IMMUTABLE),
        (TAG, 400, {}, body("TAG_INVALID", "manifest tag did not match URI"), REFUSED),
        (DIGEST, 400, {}, body("TAG_INVALID", ""), REFUSED),
        (DIGEST, 409, {}, b"", REFUSED),
        (READ, 409, {}, body("X", "tag is immutable"), REFUSED),
        (TAG, 409, {}, body("CONFLICT", "Cannot modify immutable tag v1"), IMMUTABLE),
        (TAG, 400, {}, body("FAILED_PRECONDITION", "The repository has enabled tag immutability"), IMMUTABLE),
        (TAG, 400, {}, body("DENIED", "Cannot overwrite existing tag"), IMMUTABLE),
        (TAG, 422, {}, body("TAG_IMMUTABLE"), IMMUTABLE),
        (TAG, 403, {}, b"tag is immutable", IMMUTABLE),
        # a quota, a size, a number
        (BEGIN, 403, {}, body("DENIED", HARBOR_QUOTA), LIMIT),
        (TAG, 403, {}, body("DENIED", ECR_LIMIT), LIMIT),
        (TAG, 400, {}, body("DENIED", ECR_LIMIT), LIMIT),
        (UPLOAD, 413, {}, b"<html>Request Entity Too Large</html>", LIMIT),
        (UPLOAD, 412, {}, body("PRECONDITION", "quota exceeded"), LIMIT),
        (UPLOAD, 507, {}, b"", LIMIT),
        (BEGIN, 403, {}, body("QUOTA_EXCEEDED", ""), LIMIT),
        (BEGIN, 403, {}, body("DENIED", "project quota"), LIMIT),
        (BEGIN, 403, {}, body("DENIED", "insufficient storage"), LIMIT),
        (UPLOAD, 400, {}, body("BLOB_UPLOAD_INVALID", "blob too large"), LIMIT),
        (BEGIN, 403, {}, b"quota exceeded", LIMIT),
        (BEGIN, 403, {}, b"<html><title>Quota exceeded</title></html>", LIMIT),
        # another rule
        (TAG, 403, {}, body("DENIED", "image is not signed"), POLICY),
        (TAG, 412, {}, body("PROJECTPOLICYVIOLATION", "vulnerable"), POLICY),
        (READ, 412, {}, body("PROJECTPOLICYVIOLATION", "vulnerable"), POLICY),
        (BEGIN, 405, {}, body("UNSUPPORTED", "the registry is read-only"), POLICY),
        (BEGIN, 403, {}, body("DENIED", "repository is archived"), POLICY),
        (BEGIN, 402, {}, b"", POLICY),
        # wrong credentials, or none that allow it
        (TAG, 401, {}, b"", CREDENTIALS),
        (TAG, 401, LATER, b"", CREDENTIALS),
        (TAG, 403, {}, b"", CREDENTIALS),
        (TAG, 403, {}, body("DENIED", "requested access to the resource is denied"), CREDENTIALS),
        (TAG, 403, {}, body("DENIED", ECR_ROLE), CREDENTIALS),
        (
            TAG,
            403,
            {},
            body("DENIED", "Your authorization token has expired. Reauthenticate and try again."),
            CREDENTIALS,
        ),
        (TAG, 403, {}, body("DENIED", "it has expired by our policy"), CREDENTIALS),
        (READ, 404, {}, body("UNAUTHORIZED", ""), REFUSED),
        (READ, 400, {}, body("UNAUTHORIZED", ""), CREDENTIALS),
        (READ, 403, {}, body("DENIED", "tag is immutable"), CREDENTIALS),
        # later
        (READ, 429, {}, b"", RATE),
        (READ, 403, LATER, b"", RATE),
        (READ, 503, LATER, b"", RATE),
        (TAG, 403, LATER, body("DENIED", "quota of requests"), RATE),
        (TAG, 400, {}, body("TOOMANYREQUESTS", "Rate exceeded"), RATE),
        (TAG, 403, {}, body("DENIED", "Too Many Requests, slow down"), RATE),
        (READ, 403, {}, b"Rate limit exceeded", RATE),
        (READ, 408, {}, b"", SERVER),
        (READ, 500, {}, b"", SERVER),
        (READ, 502, {}, b"<html>", SERVER),
        (READ, 503, {}, b"", SERVER),
        (READ, 599, {}, b"", SERVER),
        # not there, perhaps not yet
        (TAG, 404, {}, body("NAME_UNKNOWN", "no such repository"), Meaning.NO_REPOSITORY),
        (TAG, 400, {}, body("MANIFEST_BLOB_UNKNOWN", "blob unknown"), UNKNOWN),
        (TAG, 404, {}, body("MANIFEST_BLOB_UNKNOWN", "blob unknown"), UNKNOWN),
        (TAG, 400, {}, body("BLOB_UNKNOWN", ""), UNKNOWN),
        (TAG, 404, {}, body("", ECR_CHILDREN), UNKNOWN),
        (UPLOAD, 404, {}, body("BLOB_UPLOAD_UNKNOWN", ""), UNKNOWN),
        (READ, 404, {}, body("MANIFEST_UNKNOWN", ""), UNKNOWN),
        # for good, nobody knows why
        (READ, 404, {}, b"", REFUSED),
        (READ, 400, {}, b"", REFUSED),
        (BEGIN, 405, {}, body("UNSUPPORTED", "The operation is unsupported."), REFUSED),
        (TAG, 400, {}, body("MANIFEST_INVALID", "bad"), REFUSED),
        (READ, 501, {}, b"", REFUSED),
    ],
)
def test_meanings(request_: Request, status: int, headers: dict[str, str], said: bytes, expected: Meaning) -> None:
    """Status, code, words and headers together say what a registry means, in the manner of each known one."""
    assert meaning_of(request_, status, headers, said) is expected


@given(
    st.sampled_from([TAG, DIGEST, UPLOAD, BEGIN, READ]),
    st.integers(400, 599),
    st.dictionaries(st.sampled_from(["Retry-After", "Via"]), st.text(max_size=3)),
    st.binary(max_size=50) | st.builds(body, st.text(max_size=9), st.text(max_size=30), st.text(max_size=9)),
)
def test_any_answer_has_a_meaning(request_: Request, status: int, headers: dict[str, str], said: bytes) -> None:
    """Every answer has one meaning; reading a registry never meets a rule that is about writing."""
    found = meaning_of(request_, status, headers, said)
    assert found in Meaning
    if request_ is READ:
        assert found not in {IMMUTABLE, LIMIT}
    if status == 401:
        assert found is CREDENTIALS
    if status == 429:
        assert found is RATE


@given(st.sampled_from([TAG, DIGEST, UPLOAD, BEGIN, READ]), st.integers(400, 499), st.text(max_size=30))
def test_definite_refusals_are_no_outage(request_: Request, status: int, message: str) -> None:
    """No answer between 400 and 499 is taken for an outage, but for 408 and 425, whatever its words are."""
    found = meaning_of(request_, status, {}, body("DENIED", message))
    assert (found is SERVER) == (status in {408, 425})


@pytest.mark.parametrize(
    ("request_", "expected"),
    [(TAG, "write tag"), (DIGEST, "write"), (UPLOAD, "write"), (BEGIN, "write"), (READ, "read")],
)
def test_purposes(request_: Request, expected: str) -> None:
    """Only a PUT of a manifest under a tag writes a tag."""
    assert purpose_of(request_).value == expected


def test_codes_in_any_spelling() -> None:
    """Codes are compared without regard to case, underscores, hyphens and spaces."""
    assert codes_of(body("tag invalid")) == codes_of(body("TAG_INVALID")) == codes_of(body("Tag-Invalid"))


@pytest.mark.parametrize(
    ("status", "headers", "said", "expected"),
    [
        (407, {}, b"", True),
        (502, {"Via": "1.1 squid"}, b"<html>", True),
        (504, {"Via": "1.1 squid"}, b"", True),
        (502, {}, b"", False),
        (503, {"Via": "1.1 cdn"}, b"", False),
        (502, {"Via": "1.1 cdn"}, body("UNKNOWN"), False),
        (403, {"Proxy-Status": "gw; error=http_request_denied"}, b"", True),
        (403, {"Proxy-Status": "gw; received-status=403"}, b"", False),
        (404, {"Via": "1.1 cdn"}, b"", False),
    ],
)
def test_what_a_proxy_says(status: int, headers: dict[str, str], said: bytes, *, expected: bool) -> None:
    """An answer is a proxy's own where it says so; what it passes on from the registry is the registry's."""
    assert told_by_proxy(status, headers, said) is expected
