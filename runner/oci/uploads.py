"""Sending blobs: looked for first, mounted where the registry does that, otherwise uploaded as one body.

Looking and mounting save time and are never required: whatever definite answer they get, the blob is uploaded, and only
what the upload is answered can end the step.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlsplit

from runner.oci.addresses import resolve, uploads_url
from runner.oci.artifact import RemoteSource
from runner.oci.meaning import Meaning
from runner.oci.messages import Body, Request, TransientFailure, Wait
from runner.oci.outcomes import FORBIDDEN, expect, expect_digest, has_code, meaning
from runner.oci.scope import Scope
from runner.oci.transport import describe_answer, wrong_content

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from runner.oci.accepted import Accepted
    from runner.oci.artifact import Blob
    from runner.oci.messages import Answer
    from runner.oci.name import Repository
    from runner.oci.turns import Turns

Sent = Literal["exists", "mounted", "uploaded"]

UPLOAD_LOST = frozenset({"BLOBUPLOADUNKNOWN", "BLOBUPLOADINVALID"})
DAMAGED = frozenset({"DIGESTINVALID", "SIZEINVALID"})
BLOB_WRITTEN = frozenset({HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})
OPTIONAL_ATTEMPTS = 2
"""How often an optional step is tried while the registry answers that it has failed itself."""
LOST_ATTEMPTS = 8
EMPTY = Body.of(b"")


class Uploads:
    """Makes single attempts to send blobs; thread-safe.

    Args:
        exchange: sends a request with what its scope needs.
        has_blob: asks whether a repository has a blob.
        content: opens a blob's content, verified.
        accepted: what registries are known to have; what is sent is added.
        completions: limits how many uploads end per second.
    """

    def __init__(
        self,
        exchange: Callable[[Request, Scope], Answer],
        has_blob: Callable[[Repository, str], bool],
        content: Callable[[Blob], Generator[bytes, None, None]],
        accepted: Accepted,
        completions: Turns,
    ) -> None:
        self._exchange = exchange
        self._has_blob = has_blob
        self._content = content
        self._accepted = accepted
        self._completions = completions

    def send(self, repository: Repository, blob: Blob, attempt: int, begun: list[Sent]) -> Sent:
        """Send a blob unless the repository has it.

        Args:
            repository: where to.
            blob: what.
            attempt: the number of this attempt.
            begun: what earlier attempts began; this one adds what it begins.
        """
        digest = blob.descriptor.digest
        done = self._send(repository, blob, attempt, begun)
        self._accepted.add(repository, digest)
        return done

    def _send(self, repository: Repository, blob: Blob, attempt: int, begun: list[Sent]) -> Sent:
        digest = blob.descriptor.digest
        if (repository, digest) in self._accepted or self._is_there(repository, digest, attempt):
            return begun[-1] if begun else "exists"
        location = None
        source = blob.source
        if (
            isinstance(source, RemoteSource)
            and source.repository.host == repository.host
            and attempt <= OPTIONAL_ATTEMPTS
        ):
            begun.append("mounted")
            is_mounted, location = self._mount(repository, source.repository, digest)
            if is_mounted:
                return "mounted"
        begun.append("uploaded")
        self._upload(repository, location or self._begin(repository), blob)
        return "uploaded"

    def _is_there(self, repository: Repository, digest: str, attempt: int) -> bool:
        try:
            return self._has_blob(repository, digest)
        except FORBIDDEN:
            return False
        except TransientFailure as failure:
            if attempt <= OPTIONAL_ATTEMPTS or failure.wait is Wait.RATE_LIMITED:
                raise
            return False

    def _mount(self, repository: Repository, source: Repository, digest: str) -> tuple[bool, str | None]:
        """Mount a blob; whether that succeeded, else the location to upload it to, where the answer names one."""
        query = f"mount={quote(digest, safe=':')}&from={quote(source.path, safe='/')}"
        request = Request("POST", f"{uploads_url(repository)}?{query}", body=EMPTY)
        try:
            answer = self._exchange(request, Scope.push(repository, source=source))
        except FORBIDDEN:
            return False, None
        if answer.status == HTTPStatus.CREATED:
            return True, None
        location = answer.headers.get("Location") if answer.status == HTTPStatus.ACCEPTED else None
        return False, location and resolve(answer.request, repository.host, location)

    def _begin(self, repository: Repository) -> str:
        answer = self._exchange(Request("POST", uploads_url(repository), body=EMPTY), Scope.push(repository))
        expect(answer, {HTTPStatus.ACCEPTED})
        return resolve(answer.request, repository.host, answer.headers.get("Location"))

    def _upload(self, repository: Repository, location: str, blob: Blob) -> None:
        joiner = "&" if urlsplit(location).query else "?"
        url = f"{location}{joiner}digest={quote(blob.descriptor.digest, safe=':')}"
        headers = {"Content-Type": "application/octet-stream"}
        body = Body(blob.descriptor.size, lambda: self._content(blob))
        with self._completions.turn():
            answer = self._exchange(Request("PUT", url, headers, body), Scope.push(repository))
        if answer.status >= HTTPStatus.BAD_REQUEST and meaning(answer) in {Meaning.UNKNOWN, Meaning.REFUSED}:
            described = describe_answer(answer.status, answer.headers, answer.body)
            if has_code(answer, UPLOAD_LOST):
                raise TransientFailure(answer.request, described, attempts=LOST_ATTEMPTS)
            if has_code(answer, DAMAGED):
                raise wrong_content(answer.request, described)
        expect(answer, BLOB_WRITTEN)
        expect_digest(answer, blob.descriptor.digest)
