from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import CredentialsRefused, RegistryAnswerWrong, RegistryFailed, RegistryForbids
from runner.oci.accepted import Accepted
from runner.oci.artifact import Blob, RemoteSource
from runner.oci.manifest import OCI_LAYER, Descriptor, digest_of
from runner.oci.messages import Answer, Request, TransientFailure, Wait
from runner.oci.name import Repository
from runner.oci.turns import COMPLETIONS, Turns
from runner.oci.uploads import LOST_ATTEMPTS, Uploads
from testbed.memory.lifetime import MemoryLifetime

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from runner.oci.scope import Scope
from runner.oci.uploads import Sent

CONTENT = b"layer"
LAYER = Descriptor(OCI_LAYER, digest_of(CONTENT), len(CONTENT))
HOST = "registry.example"
HERE, THERE, ELSEWHERE = Repository(HOST, "here"), Repository(HOST, "there"), Repository("other.example", "there")
FILE = Blob(LAYER, RemoteSource(ELSEWHERE))
SAME_HOST = Blob(LAYER, RemoteSource(THERE))

BEGUN = (202, "", {"Location": "/v2/here/blobs/uploads/1?state=x"})
WRITTEN: tuple[int, str, dict[str, str]] = (201, "", {})


class Served:
    """Answers in order, to the requests that are noted."""

    def __init__(self, *script: Exception | tuple[int, str, dict[str, str]], has: bool | Exception = False) -> None:
        self.script = list(script)
        self.has = has
        self.asked: list[str] = []
        self.accepted = Accepted()
        self.lifetime = MemoryLifetime()
        completions = Turns(self.lifetime, COMPLETIONS, clock=self.lifetime.now)
        self.uploads = Uploads(self.exchange, self.has_blob, self.content, self.accepted, completions)
        self.begun: list[Sent] = []

    def exchange(self, request: Request, scope: Scope) -> Answer:  # noqa: ARG002
        """Note the request, and give the next answer."""
        self.asked.append(f"{request.method} {request.url.partition(HOST)[2]}")
        next_one = self.script.pop(0)
        if isinstance(next_one, Exception):
            raise next_one
        status, code, headers = next_one
        body = f'{{"errors": [{{"code": "{code}"}}]}}'.encode() if code else b""
        return Answer(request, status, urllib3.HTTPHeaderDict(headers), body)

    def has_blob(self, repository: Repository, digest: str) -> bool:  # noqa: ARG002
        """Note that it was asked."""
        self.asked.append("HEAD")
        if isinstance(self.has, Exception):
            raise self.has
        return self.has

    def content(self, blob: Blob) -> Generator[bytes, None, None]:  # noqa: ARG002
        """The blob."""
        yield CONTENT

    def send(self, blob: Blob = FILE, attempt: int = 1) -> Sent:
        """One attempt."""
        return self.uploads.send(HERE, blob, attempt, self.begun)


BEGIN = "POST /v2/here/blobs/uploads/"
MOUNT = f"POST /v2/here/blobs/uploads/?mount={LAYER.digest}&from=there"
PUT = f"PUT /v2/here/blobs/uploads/1?state=x&digest={LAYER.digest}"
REQUEST = Request("HEAD", f"https://{HOST}/v2/here/blobs/x")


def test_blob_that_is_there() -> None:
    """What the repository has is not sent, and is known from then on without asking."""
    served = Served(has=True)
    assert [served.send(), served.send()] == ["exists", "exists"]
    assert served.asked == ["HEAD"]


def test_upload() -> None:
    """What it does not have is sent as one body, and is known from then on."""
    served = Served(BEGUN, WRITTEN)
    assert served.send() == "uploaded"
    assert served.asked == ["HEAD", BEGIN, PUT]
    assert (HERE, LAYER.digest) in served.accepted


@pytest.mark.parametrize(
    "refusal",
    [CredentialsRefused("403"), RegistryFailed("405"), RegistryForbids("policy")],
    ids=["credentials", "no HEAD", "policy"],
)
def test_look_up_that_is_refused(refusal: Exception) -> None:
    """A look-up is never required: where it is refused, the blob is sent."""
    served = Served(BEGUN, WRITTEN, has=refusal)
    assert served.send() == "uploaded"
    assert served.asked == ["HEAD", BEGIN, PUT]


def test_look_up_that_fails_again_and_again() -> None:
    """A look-up whose registry fails is repeated, and then given up; a host that wishes a pause always gets it."""
    served = Served(BEGUN, WRITTEN, has=TransientFailure(REQUEST, "HTTP 500"))
    for attempt in (1, 2):
        with pytest.raises(TransientFailure):
            served.send(attempt=attempt)
    assert served.send(attempt=3) == "uploaded"
    served = Served(has=TransientFailure(REQUEST, "HTTP 429", wait=Wait.RATE_LIMITED))
    with pytest.raises(TransientFailure):
        served.send(attempt=9)


def test_mount() -> None:
    """A blob of another repository of the host is mounted where the registry does that."""
    served = Served(WRITTEN)
    assert served.send(SAME_HOST) == "mounted"
    assert served.asked == ["HEAD", MOUNT]


def test_mount_that_becomes_an_upload() -> None:
    """Where a mount is answered by an upload's location, the blob goes there."""
    served = Served(BEGUN, WRITTEN)
    assert served.send(SAME_HOST) == "uploaded"
    assert served.asked == ["HEAD", MOUNT, PUT]


@pytest.mark.parametrize(
    "answer",
    [
        *((status, "", {}) for status in (200, 202, 301, 400, 404, 405, 409, 422, 501)),
        (400, "UNSUPPORTED", {}),
        (404, "NAME_UNKNOWN", {}),
        CredentialsRefused("403"),
        RegistryForbids("policy"),
    ],
    ids=str,
)
def test_mount_that_is_refused(answer: Exception | tuple[int, str, dict[str, str]]) -> None:
    """Whatever definite answer a mount gets, the blob is uploaded."""
    served = Served(answer, BEGUN, WRITTEN)
    assert served.send(SAME_HOST) == "uploaded"
    assert served.asked == ["HEAD", MOUNT, BEGIN, PUT]


def test_mount_that_fails_again_and_again() -> None:
    """A mount that the registry fails to answer is tried twice, and then the blob is uploaded."""
    failure = TransientFailure(REQUEST, "HTTP 500")
    served = Served(failure, failure, BEGUN, WRITTEN)
    for attempt in (1, 2):
        with pytest.raises(TransientFailure):
            served.send(SAME_HOST, attempt)
    assert served.send(SAME_HOST, 3) == "uploaded"
    assert served.asked[-3:] == ["HEAD", BEGIN, PUT]


def test_blob_found_after_a_lost_answer() -> None:
    """A blob that is found on another attempt was sent by the one before."""
    served = Served(BEGUN, TransientFailure(REQUEST, "reset"))
    with pytest.raises(TransientFailure):
        served.send()
    served.has = True
    assert served.send(attempt=2) == "uploaded"


@pytest.mark.parametrize("code", ["BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"])
def test_upload_that_is_forgotten(code: str) -> None:
    """An upload that the registry has forgotten is begun anew, but not for ever."""
    served = Served(BEGUN, (404, code, {}))
    with pytest.raises(TransientFailure) as raised:
        served.send()
    assert raised.value.attempts == LOST_ATTEMPTS


@pytest.mark.parametrize("code", ["DIGEST_INVALID", "SIZE_INVALID"])
def test_upload_that_was_damaged(code: str) -> None:
    """A body that arrived as another one is sent again; if that lasts, it is a wrong answer and no outage."""
    served = Served(BEGUN, (400, code, {}))
    with pytest.raises(TransientFailure) as raised:
        served.send()
    assert raised.value.error is RegistryAnswerWrong


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ([(413, "", {})], RegistryForbids, "HTTP 413"),
        ([(404, "NAME_UNKNOWN", {})], RegistryFailed, "NAME_UNKNOWN"),
        ([(202, "", {})], RegistryAnswerWrong, "names no location"),
        ([BEGUN, (400, "BLOB_UPLOAD_INVALID: too large", {})], RegistryForbids, "too large"),
        ([BEGUN, (403, "QUOTA_EXCEEDED", {})], RegistryForbids, "QUOTA_EXCEEDED"),
        ([BEGUN, (201, "", {"Docker-Content-Digest": digest_of(b"x")})], RegistryAnswerWrong, "it stored"),
    ],
    ids=["size", "no repository", "no location", "size of an upload", "quota", "other digest"],
)
def test_upload_that_is_refused(
    script: list[tuple[int, str, dict[str, str]]], error: type[Exception], words: str
) -> None:
    """What the upload itself is answered ends the step, and nothing counts as accepted."""
    served = Served(*script)
    with pytest.raises(error, match=words):
        served.send()
    assert (HERE, LAYER.digest) not in served.accepted


def test_uploads_per_second() -> None:
    """Uploads end at the pace that the registry allows, over all repositories."""
    served = Served(*[BEGUN, WRITTEN] * 25)
    for number in range(25):
        served.uploads.send(Repository(HOST, f"r{number}"), FILE, 1, [])
    assert served.lifetime.now() == 2.0


@given(st.lists(st.sampled_from(["500", "202", "403", "201"]), max_size=4), st.sampled_from(["fails", "answers"]))
def test_optional_steps_never_end_it(answers: list[str], look_up: str) -> None:
    """Whatever look-up and mount are answered, the blob is there in the end."""
    kinds: dict[str, Callable[[], Exception | tuple[int, str, dict[str, str]]]] = {
        "500": lambda: TransientFailure(REQUEST, "HTTP 500"),
        "202": lambda: BEGUN,
        "403": lambda: CredentialsRefused("403"),
        "201": lambda: WRITTEN,
    }
    served = Served(has=TransientFailure(REQUEST, "HTTP 500") if look_up == "fails" else False)
    mounts = [kinds[answer]() for answer in answers]

    def exchange(request: Request, scope: Scope) -> Answer:
        mounting = "mount=" in request.url and mounts
        served.script = [mounts.pop(0) if mounting else BEGUN if request.method == "POST" else WRITTEN]
        return served.exchange(request, scope)

    pace = Turns(served.lifetime, COMPLETIONS, clock=served.lifetime.now)
    served.uploads = Uploads(exchange, served.has_blob, served.content, served.accepted, pace)
    for attempt in range(1, 6):
        try:
            served.send(SAME_HOST, attempt)
        except TransientFailure:
            continue
        break
    assert (HERE, LAYER.digest) in served.accepted
