from __future__ import annotations

import http.client
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from testbed.ecr_public.manifests import MOST_BYTES, digest_of
from tests.integration.testbed.ecr_public.asking import OCI_IMAGE, OCI_INDEX, Asker, image, index, request

NOWHERE = f"sha256:{'0' * 64}"
UNKNOWN = "The repository with name 'nowhere' does not exist in the registry with id '123456789012'"
REQUIRED = (
    "required for pushing image into repository with name 'app' in the registry with id '123456789012' do not exist"
)
MOST_TAGS = (
    "Adding tag 'one-more' to an image in the repository with name 'app' in registry with id '123456789012' exceeds "
    "the maximum allowed number of tags per image which is '1000'"
)
NOT_FOUND = (404, "MANIFEST_UNKNOWN", "Requested image not found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "nowhere/manifests/v1"),
        ("PUT", "nowhere/manifests/v1"),
        ("GET", f"nowhere/blobs/{NOWHERE}"),
        ("POST", "nowhere/blobs/uploads/"),
        ("PATCH", "nowhere/blobs/uploads/1"),
        ("PUT", f"nowhere/blobs/uploads/1?digest={NOWHERE}"),
        ("GET", "nowhere/tags/list"),
        ("GET", f"nowhere/referrers/{NOWHERE}"),
    ],
)
def test_a_repository_that_was_not_created(asker: Asker, method: str, path: str) -> None:
    """Nothing is read from or written to a repository that was not created; a push creates none."""
    assert asker.ask(method, path, b"{}" if method != "GET" else None, OCI_IMAGE).error == (
        404,
        "NAME_UNKNOWN",
        UNKNOWN,
    )
    assert asker.ecr.state.repositories.find("nowhere") is None


def test_another_alias(asker: Asker) -> None:
    """What is below another alias is another registry's."""
    answer = request(
        asker.ecr.host, "GET", "/v2/somebody/app/tags/list", headers={"Authorization": f"Bearer {asker.token}"}
    )
    assert answer.error[:2] == (404, "NAME_UNKNOWN")


def test_push_and_pull(asker: Asker) -> None:
    """What was pushed is read back byte for byte, by tag and by digest."""
    digest = asker.push("app", "v1", b"some content")
    for reference in ("v1", digest):
        answer = asker.get("app", reference)
        assert (answer.status, answer.headers["content-type"]) == (200, OCI_IMAGE)
        assert digest_of(answer.body) == digest


def test_the_digest_stands_in_head_only(asker: Asker) -> None:
    """HEAD of a manifest has its digest in a header, GET has not."""
    digest = asker.push("app", "v1")
    for reference in ("v1", digest):
        assert asker.head("app", reference).headers["docker-content-digest"] == digest
        assert "docker-content-digest" not in asker.get("app", reference).headers


def test_a_manifest_that_is_not_there(asker: Asker) -> None:
    """A tag or digest that is not there is 404 in ECR's words; HEAD has no words."""
    for reference in ("v1", NOWHERE):
        assert asker.get("app", reference).error == NOT_FOUND
        assert (asker.head("app", reference).status, asker.head("app", reference).body) == (404, b"")


def test_a_tag_moves(asker: Asker) -> None:
    """No tag is immutable: another manifest takes it."""
    first, second = asker.push("app", "v1", b"one"), asker.push("app", "v1", b"two")
    assert first != second
    assert asker.head("app", "v1").headers["docker-content-digest"] == second
    assert asker.get("app", first).status == 200


def test_layers_must_be_there(asker: Asker) -> None:
    """A manifest whose config or layer is not in the repository is refused with their digests."""
    missing = f"{digest_of(b'{}')}, {digest_of(b'content')}"
    assert asker.put("app", "v1", image(b"content")).error == (
        400,
        "MANIFEST_BLOB_UNKNOWN",
        f"Layers with digests '[{missing}]' {REQUIRED}",
    )


def test_layers_of_another_repository(asker: Asker) -> None:
    """A blob in one repository is not in another."""
    asker.ecr.create("other")
    asker.push("app", "v1", b"content")
    assert asker.ask("HEAD", f"other/blobs/{digest_of(b'content')}").status == 404
    assert asker.put("other", "v1", image(b"content")).error[1] == "MANIFEST_BLOB_UNKNOWN"


def test_children_must_be_there(asker: Asker) -> None:
    """An index whose children are not all in the same repository is refused with their digests."""
    asker.ecr.create("other")
    here, there = asker.push("app", "a"), asker.push("other", "b", b"other")
    assert asker.put("app", "v1", index(here, there), OCI_INDEX).error == (
        400,
        "MANIFEST_BLOB_UNKNOWN",
        f"Images with digests '[{there}]' {REQUIRED}",
    )
    assert asker.put("app", "v1", index(here), OCI_INDEX).status == 201


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", OCI_IMAGE),
        (b"[]", OCI_IMAGE),
        (b"{}", OCI_IMAGE),
        (b'{"manifests": [{}]}', OCI_INDEX),
        (image(b"x"), "application/json"),
        (image(b"x"), OCI_INDEX),
        (image(b"x", mediaType="application/vnd.oci.artifact.manifest.v1+json"), OCI_IMAGE),
    ],
)
def test_what_is_no_manifest(asker: Asker, body: bytes, kind: str) -> None:
    """What is no manifest of its type is 405 in ECR's words."""
    assert asker.put("app", "v1", body, kind).error == (
        405,
        "UNSUPPORTED",
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'",
    )


def test_the_largest_manifest(asker: Asker) -> None:
    """A manifest of 4 MiB is taken, a byte more is not."""
    digest = asker.push("app", "v1")
    small = json.loads(asker.get("app", digest).body)
    padding = MOST_BYTES - len(json.dumps({**small, "annotations": {"a": ""}}))
    largest = json.dumps({**small, "annotations": {"a": "x" * padding}}).encode()
    assert len(largest) == MOST_BYTES
    assert asker.put("app", "v2", largest).status == 201
    assert asker.put("app", "v3", largest + b" ").error[:2] == (405, "UNSUPPORTED")


def test_a_manifest_under_another_digest(asker: Asker) -> None:
    """A manifest is not taken under a digest that is not its own."""
    asker.push("app", "v1")
    assert asker.put("app", NOWHERE, asker.get("app", "v1").body).error[:2] == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("tag", ["a+b", "-a", "x" * 129])
def test_an_illegal_tag(asker: Asker, tag: str) -> None:
    """A tag outside the specification's grammar is refused."""
    asker.push("app", "v1")
    assert asker.put("app", tag, asker.get("app", "v1").body).error[:2] == (400, "TAG_INVALID")


def test_the_most_tags(asker: Asker) -> None:
    """An image has at most 1000 tags; writing one that it has is no further tag."""
    digest = asker.push("app", "v0")
    repository = asker.ecr.state.repositories.find("app")
    assert repository is not None
    for number in range(1, 1000):
        asker.ecr.state.repositories.put(repository, repository.images[digest], f"v{number}")
    manifest = asker.get("app", digest).body
    assert asker.put("app", "v999", manifest).status == 201
    assert asker.put("app", "one-more", manifest).error == (
        403,
        "DENIED",
        MOST_TAGS,
    )


@pytest.mark.parametrize("kind", ["HEAD", "GET"])
def test_a_blob_is_elsewhere(asker: Asker, kind: str) -> None:
    """A blob is answered by a redirect to another port, with a signature in the address."""
    asker.push("app", "v1", b"content")
    answer = asker.ask(kind, f"app/blobs/{digest_of(b'content')}")
    location = urlsplit(answer.headers["location"])
    assert answer.status == 307
    assert location.netloc == asker.ecr.state.cdn != asker.ecr.host
    assert "Signature=" in location.query


def test_reading_a_blob_elsewhere(asker: Asker) -> None:
    """The signed address gives the blob without credentials, refuses a request with any, and answers 401 to HEAD."""
    asker.push("app", "v1", b"content")
    location = urlsplit(asker.ask("GET", f"app/blobs/{digest_of(b'content')}").headers["location"])
    path = f"{location.path}?{location.query}"
    assert request(location.netloc, "GET", path).body == b"content"
    refused = request(location.netloc, "GET", path, headers={"Authorization": f"Bearer {asker.token}"})
    assert (refused.status, b"Only one auth mechanism allowed" in refused.body) == (400, True)
    assert request(location.netloc, "HEAD", path).status == 401


@pytest.mark.parametrize(
    ("pattern", "text"), [("Signature=[^&]+", "Signature=0"), (r"Expires=\d+", "Expires=1"), (r"\?.*", "")]
)
def test_an_address_that_was_not_signed(asker: Asker, pattern: str, text: str) -> None:
    """An address with another signature, another time or none gives nothing."""
    asker.push("app", "v1", b"content")
    location = urlsplit(asker.ask("GET", f"app/blobs/{digest_of(b'content')}").headers["location"])
    path = re.sub(pattern, text, f"{location.path}?{location.query}")
    assert request(location.netloc, "GET", path).status == 403


def test_blobs_without_redirects(asker: Asker) -> None:
    """With the switch, blobs are answered where they are asked for."""
    asker.ecr.switch(blob_redirects=False)
    asker.push("app", "v1", b"content")
    path = f"app/blobs/{digest_of(b'content')}"
    assert asker.ask("GET", path).body == b"content"
    assert asker.ask("HEAD", path).headers["content-length"] == "7"


def test_a_blob_that_is_not_there(asker: Asker) -> None:
    """A blob that is not there is 404, without a redirect."""
    assert asker.ask("GET", f"app/blobs/{NOWHERE}").error[:2] == (404, "BLOB_UNKNOWN")
    assert asker.ask("HEAD", f"app/blobs/{NOWHERE}").status == 404


def test_an_upload_in_parts(asker: Asker) -> None:
    """A blob is uploaded by PATCH and PUT, each to the address that was answered last."""
    started = asker.ask("POST", "app/blobs/uploads/")
    assert started.headers["location"].startswith(f"http://{asker.ecr.host}/v2/{asker.ecr.alias}/app/blobs/uploads/")
    part = asker.ask("PATCH", started.headers["location"], b"one two")
    assert part.status == 202
    done = asker.ask("PUT", f"{part.headers['location']}?digest={digest_of(b'one two')}")
    assert (done.status, done.headers["docker-content-digest"]) == (201, digest_of(b"one two"))


def test_an_upload_with_another_digest(asker: Asker) -> None:
    """A blob is not taken under a digest that is not its own."""
    started = asker.ask("POST", "app/blobs/uploads/")
    assert asker.ask("PUT", f"{started.headers['location']}?digest={NOWHERE}", b"x").status == 400
    assert asker.ask("HEAD", f"app/blobs/{NOWHERE}").status == 404


def test_an_upload_of_another_repository(asker: Asker) -> None:
    """An upload belongs to its repository."""
    asker.ecr.create("other")
    upload = asker.ask("POST", "app/blobs/uploads/").headers["location"].rpartition("/")[2]
    answer = asker.ask("PUT", f"other/blobs/uploads/{upload}?digest={digest_of(b'x')}", b"x")
    assert answer.error[:2] == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize(("switched", "status"), [(False, 202), (True, 201)])
def test_a_mount(asker: Asker, switched: bool, status: int) -> None:  # noqa: FBT001 - a parameter
    """A mount is answered by an upload, or with the switch by the blob itself."""
    asker.ecr.switch(mount=switched)
    asker.ecr.create("other")
    asker.push("other", "v1", b"content")
    path = f"app/blobs/uploads/?mount={digest_of(b'content')}&from={asker.ecr.alias}/other"
    answer = asker.ask("POST", path)
    assert answer.status == status
    found = asker.ask("HEAD", f"app/blobs/{digest_of(b'content')}").status
    assert found == (307 if switched else 404)


@pytest.mark.parametrize("source", ["nowhere", "app"])
def test_a_mount_of_nothing(asker: Asker, source: str) -> None:
    """A mount of what is not in the other repository is an upload even where mounts are switched on."""
    asker.ecr.switch(mount=True)
    path = f"app/blobs/uploads/?mount={NOWHERE}&from={asker.ecr.alias}/{source}"
    assert asker.ask("POST", path).status == 202


def test_a_tag_that_lags_for_reads(asker: Asker) -> None:
    """For some reads after a write, a tag shows nothing, or what it showed before; its digest is there at once."""
    asker.ecr.switch(tag_lag_reads=2)
    first = asker.push("app", "v1", b"one")
    assert asker.head("app", first).status == 200
    assert [asker.head("app", "v1").status for _ in range(3)] == [404, 404, 200]
    second = asker.push("app", "v1", b"two")
    shown = [asker.head("app", "v1").headers["docker-content-digest"] for _ in range(3)]
    assert shown == [first, first, second]


def test_a_tag_that_lags_in_the_list(asker: Asker) -> None:
    """A tag that does not show yet is not in the list either."""
    asker.ecr.switch(tag_lag_reads=1)
    asker.push("app", "v1")
    assert [asker.ask("GET", "app/tags/list").json["tags"] for _ in range(2)] == [[], ["v1"]]


def test_a_tag_that_lags_for_a_time(asker: Asker) -> None:
    """For some time after a write, a tag shows nothing."""
    asker.ecr.switch(tag_lag_seconds=0.6)
    asker.push("app", "v1")
    assert asker.head("app", "v1").status == 404
    until = time.monotonic() + 10
    while asker.head("app", "v1").status != 200:
        assert time.monotonic() < until


def test_a_manifest_that_lags(asker: Asker) -> None:
    """With the switch, the first reads of a manifest by its digest do not find it; its tag does."""
    asker.ecr.switch(manifest_lag_reads=2)
    digest = asker.push("app", "v1")
    assert [asker.get("app", digest).status for _ in range(3)] == [404, 404, 200]
    assert asker.put("app", digest, asker.get("app", "v1").body).status == 201
    assert asker.get("app", digest).status == 200


@pytest.mark.parametrize("retry_after", [None, "1"])
def test_too_many_completions(asker: Asker, retry_after: str | None) -> None:
    """More uploads completed in a second than the quota allows are 429, with Retry-After if that is switched on."""
    asker.ecr.switch(completions_per_second=2, retry_after=retry_after)
    asker.ecr.state.ticks = lambda: 1.0
    answers = [asker.upload("app", f"{number}".encode()) for number in range(3)]
    assert [answer.status for answer in answers] == [201, 201, 429]
    assert answers[2].error == (429, "TOOMANYREQUESTS", "Rate exceeded")
    assert answers[2].headers.get("retry-after") == retry_after


def test_many_at_once(asker: Asker) -> None:
    """Whoever comes at once is served, in any number; exactly as many complete uploads as the quota allows."""
    asker.ecr.state.ticks = lambda: 1.0
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda number: asker.upload("app", b"%d" % number).status, range(24)))
    assert sorted(statuses) == [201] * 10 + [429] * 14
    completed = [call for call in asker.ecr.recorded if "ecr-public:CompleteLayerUpload" in call.actions]
    assert len(completed) == 24


def test_too_many_uploads_and_checks(asker: Asker) -> None:
    """Uploads started and blobs asked for have quotas of their own."""
    asker.ecr.switch(uploads_per_second=1, checks_per_second=2)
    asker.ecr.state.ticks = lambda: 1.0
    assert [asker.ask("POST", "app/blobs/uploads/").status for _ in range(2)] == [202, 429]
    assert [asker.ask("HEAD", f"app/blobs/{NOWHERE}").status for _ in range(3)] == [404, 404, 429]


def test_too_many_anonymous_pulls(asker: Asker) -> None:
    """With the switch, anonymous pulls have a quota; who is logged in has none."""
    asker.ecr.switch(anonymous_pulls_per_second=1)
    asker.ecr.state.ticks = lambda: 1.0
    asker.push("app", "v1")
    anyone = Asker.anonymous(asker.ecr)
    assert [anyone.get("app", "v1").status for _ in range(2)] == [200, 429]
    assert [asker.get("app", "v1").status for _ in range(2)] == [200, 200]


def test_too_many_pulls_of_an_account(asker: Asker) -> None:
    """With the switch, pulls of an account have a quota of their own."""
    asker.ecr.switch(account_pulls_per_second=2)
    asker.ecr.state.ticks = lambda: 1.0
    asker.push("app", "v1")
    assert [asker.get("app", "v1").status for _ in range(3)] == [200, 200, 429]
    assert Asker.anonymous(asker.ecr).get("app", "v1").status == 200


def test_pages_of_tags(asker: Asker) -> None:
    """A list of tags comes in pages, of which each but the last names the next one."""
    for number in range(5):
        asker.push("app", f"v{number}")
    pages, path = [], "app/tags/list?n=2"
    while path:
        answer = asker.ask("GET", path)
        pages.append(answer.json["tags"])
        found = re.fullmatch('<(/v2/[^>]+)>; rel="next"', answer.headers.get("link", ""))
        path = f"http://{asker.ecr.host}{found[1]}" if found else ""
    assert pages == [["v0", "v1"], ["v2", "v3"], ["v4"]]


@pytest.mark.parametrize("n", ["0", "1001", "x"])
def test_a_page_of_a_wrong_size(asker: Asker, n: str) -> None:
    """A page is of 1 to 1000 tags."""
    assert asker.ask("GET", f"app/tags/list?n={n}").error[:2] == (405, "UNSUPPORTED")


def test_an_empty_repository(asker: Asker) -> None:
    """A repository without images has an empty list of tags and no referrers."""
    assert asker.ask("GET", "app/tags/list").json == {"name": f"{asker.ecr.alias}/app", "tags": []}
    assert asker.ask("GET", f"app/referrers/{NOWHERE}").json["manifests"] == []


def subject_of(digest: str) -> dict[str, object]:
    return {"mediaType": OCI_IMAGE, "digest": digest, "size": 1}


def test_referrers(asker: Asker) -> None:
    """What refers to a manifest is listed, and its push is answered with the subject."""
    digest = asker.push("app", "v1")
    manifest = image(b"content", subject=subject_of(digest), artifactType="application/x.signature")
    answer = asker.put("app", digest_of(manifest), manifest)
    assert answer.headers["oci-subject"] == digest
    [found] = asker.ask("GET", f"app/referrers/{digest}").json["manifests"]
    assert found["digest"] == digest_of(manifest)


def test_without_referrers(asker: Asker) -> None:
    """With the switch, the referrers API is not there, and a push says nothing of its subject."""
    asker.ecr.switch(referrers=False)
    digest = asker.push("app", "v1")
    manifest = image(b"content", subject=subject_of(digest))
    assert "oci-subject" not in asker.put("app", digest_of(manifest), manifest).headers
    assert asker.ask("GET", f"app/referrers/{digest}").status == 404


def test_without_subjects(asker: Asker) -> None:
    """With the switch, a manifest with a subject is 405."""
    asker.ecr.switch(subjects=False)
    digest = asker.push("app", "v1")
    manifest = image(b"content", subject=subject_of(digest))
    assert asker.put("app", digest_of(manifest), manifest).error[:2] == (405, "UNSUPPORTED")


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "app/manifests/v1"), ("POST", "app/blobs/x"), ("PUT", "app/tags/list")]
)
def test_what_is_not_supported(asker: Asker, method: str, path: str) -> None:
    """What ECR Public has no operation for is 405."""
    assert asker.ask(method, path).error[:2] == (405, "UNSUPPORTED")


@pytest.mark.parametrize("path", ["/v2/_catalog", "/nothing", "/v2/x/y"])
def test_other_pages(asker: Asker, path: str) -> None:
    """Other addresses are 404."""
    answer = request(asker.ecr.host, "GET", path, headers={"Authorization": f"Bearer {asker.token}"})
    assert answer.error[:2] == (404, "NOT_FOUND")


def push_step(asker: Asker, action: str) -> tuple[int, str, str] | int:
    """Push step by step up to the action, and return what that was answered."""
    steps = {}
    steps["BatchCheckLayerAvailability"] = asker.ask("HEAD", f"app/blobs/{NOWHERE}")
    steps["InitiateLayerUpload"] = started = asker.ask("POST", "app/blobs/uploads/")
    location = started.headers.get("location", "")
    if location:
        steps["UploadLayerPart"] = part = asker.ask("PATCH", location, b"x")
        if part.status == 202:
            steps["CompleteLayerUpload"] = asker.ask("PUT", f"{location}?digest={digest_of(b'x')}")
    steps["PutImage"] = asker.put("app", "v1", image(b"x"))
    answer = steps[action]
    return answer.error if answer.body else answer.status


@pytest.mark.parametrize(
    "action",
    ["BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"],
)
def test_a_denied_action(asker: Asker, action: str) -> None:
    """Each action of a push can be denied: 403 in ECR's words, for this identity alone."""
    arn = "arn:aws:sts::123456789012:assumed-role/publisher/run"
    asker.ecr.deny(f"ecr-public:{action}", ":assumed-role/publisher/")
    role = Asker.logged_in(asker.ecr, arn)
    words = (
        f"User: {arn} is not authorized to perform: ecr-public:{action} on resource: "
        "arn:aws:ecr-public::123456789012:repository/app because no identity-based policy allows the "
        f"ecr-public:{action} action"
    )
    denied = push_step(role, action)
    assert denied == (403 if action == "BatchCheckLayerAvailability" else (403, "DENIED", words))
    allowed = push_step(asker, action)
    assert (allowed[0] if isinstance(allowed, tuple) else allowed) != 403


def test_what_is_recorded(asker: Asker) -> None:
    """Requests are recorded in their order, with identity, action and the headers that carry secrets."""
    asker.ecr.recorder.clear()
    asker.push("app", "v1", b"content")
    asker.get("app", "v1")
    calls = asker.ecr.recorded
    assert [(call.method, call.actions) for call in calls] == [
        *[
            ("POST", ("ecr-public:InitiateLayerUpload",)),
            ("PUT", ("ecr-public:UploadLayerPart", "ecr-public:CompleteLayerUpload")),
        ]
        * 2,
        ("PUT", ("ecr-public:PutImage",)),
        ("GET", ()),
    ]
    assert {call.identity for call in calls} == {"arn:aws:iam::123456789012:user/prow"}
    assert {tuple(call.secrets.items()) for call in calls} == {(("authorization", f"Bearer {asker.token}"),)}
    assert all(call.holds(asker.token) for call in calls)
    assert calls[4].holds(digest_of(b"content"))
    assert not any(call.holds("something else") for call in calls)


def test_a_refusal_leaves_the_connection_usable(asker: Asker) -> None:
    """A body that is refused is read to its end, so that the next request on the connection is understood."""
    connection = http.client.HTTPConnection(asker.ecr.host, timeout=10)
    headers = {"Authorization": f"Bearer {asker.token}"}
    for _ in range(2):
        connection.request("PUT", f"/v2/{asker.ecr.alias}/nowhere/manifests/v1", b"x" * 300_000, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 404
    connection.close()
