"""The registry client, written to the OCI distribution-spec 1.1 and to what real registries do.

Every operation is retried within the transport's limits. Before a write is retried, the registry is read: when an
answer is lost, the write may still have taken effect. Only a GET that is answered 404 with one of ``ABSENT_CODES``
counts as absent.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from runner.errors import CredentialsRefused, RegistryAnswerWrong, RegistryFailed, TagChanged, TagImmutable
from runner.oci.artifact import RemoteSource, read_file, verified
from runner.oci.auth import AUTHORIZATION, Authorization, Basic, no_credentials
from runner.oci.bearer import Bearer
from runner.oci.connections import base_url, is_loopback, origin, same_host
from runner.oci.credentials import Anonymous
from runner.oci.manifest import MANIFEST_TYPES, Manifest, digest_of
from runner.oci.messages import Answer, Body, Request, TransientFailure
from runner.oci.name import DIGEST, TAG
from runner.oci.problem import describe_status, read_errors
from runner.oci.refusal import Refusal, refusal_of
from runner.oci.scope import Scope
from runner.oci.transport import ANSWER_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from runner.oci.artifact import Blob
    from runner.oci.credentials import Credentials
    from runner.oci.manifest import Descriptor
    from runner.oci.name import Repository
    from runner.oci.transport import Response, Transport

Result = TypeVar("Result")
Sent = Literal["exists", "mounted", "uploaded"]

ABSENT_CODES = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"})
UPLOAD_LOST = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"})
REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
MAY_REFUSE = REFUSED | {HTTPStatus.BAD_REQUEST}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
REDIRECTS_FOLLOWED = 5
BLOB_WRITTEN = frozenset({HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})
MANIFEST_WRITTEN = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED})

LINK = re.compile(r'<(?P<target>[^>]*)>(?P<parameters>(?:\s*;\s*[^\s=;,]+\s*=\s*(?:"[^"]*"|[^\s";,]*))*)')
REL_NEXT = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=\s*;|\s*$))', re.IGNORECASE)


class Registry:
    """A client for any registry: a repository names its host. Thread-safe.

    Each method may raise RegistryFailed, RegistryAnswerWrong, CredentialsRefused and RunEnded.

    Args:
        transport: sends and repeats requests.
        credentials: asked for a login when a host answers 401.
    """

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport = transport
        self._authorization = Authorization(credentials, (Bearer(transport.exchange), Basic()))
        self._writable: set[str] = set()
        self._probing = threading.Lock()

    def check_access(self, repository: Repository) -> None:
        """Ask a registry to let this client write to a repository, with the login for it where it wants one."""
        self._be_writable(repository)

    def without_credentials(self) -> Registry:
        """Another client of the same registries, over the same connections, that has no login for any host."""
        return Registry(self._transport, Anonymous())

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Return the manifest or index under this tag or digest, or None when it is absent."""
        return self._transport.retrying(lambda _: self._manifest(repository, reference))

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """Return all tags of a repository in the registry's order; none when the repository is absent."""
        tags: dict[str, None] = {}
        seen: set[str] = set()
        url: str | None = f"{_repository_url(repository)}/tags/list"
        while url is not None:
            if url in seen:
                raise RegistryAnswerWrong(f"the tags of {repository} have a page that links back to an earlier one")
            seen.add(url)
            page, url = self._tags_page(repository, Request("GET", url))
            tags |= dict.fromkeys(page)
        return tuple(tags)

    def has_blob(self, repository: Repository, digest: str) -> bool:
        """Whether the repository has this blob. A redirect means that it does, and is not followed."""
        return self._transport.retrying(lambda _: self._has_blob(repository, digest))

    def read_blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a blob, verified, of at most 4 MiB, such as a config."""
        if descriptor.size > ANSWER_LIMIT:
            raise RegistryAnswerWrong(
                f"{repository}@{descriptor.digest} has {descriptor.size} bytes, and at most {ANSWER_LIMIT} are read"
            )
        return self._transport.retrying(lambda _: b"".join(self._blob(repository, descriptor)))

    def download_blob(self, repository: Repository, descriptor: Descriptor, path: Path) -> None:
        """Write a blob, verified, to ``path``, which appears only once it is complete."""

        def step(_: int) -> None:
            partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            try:
                with partial.open("xb") as file, contextlib.closing(self._blob(repository, descriptor)) as chunks:
                    file.writelines(chunks)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

        self._transport.retrying(step)

    def scan_blob(
        self, repository: Repository, descriptor: Descriptor, scan: Callable[[Iterator[bytes]], Result]
    ) -> Result:
        """Return what a function makes of a blob's pieces, once the whole blob is verified; nothing of it is kept.

        Args:
            repository: where the blob is.
            descriptor: which one.
            scan: given the pieces in order, of which it need not take all; called anew where a read is repeated. The
                ValueError that it raises is passed on if the blob is what its digest says.
        """

        def step(_: int) -> Result:
            with contextlib.closing(self._blob(repository, descriptor)) as pieces:
                try:
                    result = scan(pieces)
                except ValueError:
                    exhaust(pieces)
                    raise
                exhaust(pieces)
                return result

        return self._transport.retrying(step)

    def send_blob(self, repository: Repository, blob: Blob) -> Sent:
        """Make sure that a repository has a blob.

        If the repository has it, nothing is sent. A blob of another repository on the same host is mounted, if the
        registry does that. Otherwise it is streamed, from its file or from the registry that has it.

        Returns:
            Which of these was done.
        """
        self._be_writable(repository)
        begun: list[Sent] = []

        def step(_: int) -> Sent:
            if self._has_blob(repository, blob.descriptor.digest):
                return begun[-1] if begun else "exists"
            location = None
            if isinstance(blob.source, RemoteSource) and blob.source.repository.host == repository.host:
                begun.append("mounted")
                location = self._mount(repository, blob.source.repository, blob.descriptor.digest)
                if location is None:
                    return "mounted"
            location = location or self._begin_upload(repository)
            begun.append("uploaded")
            self._upload(repository, location, blob)
            return "uploaded"

        return self._transport.retrying(step)

    def put_manifest(
        self, repository: Repository, reference: str, manifest: Manifest, *, replacing: str | None = None
    ) -> None:
        """Write these exact bytes under a tag or under their digest.

        After a failure the reference is read before another attempt, and nothing is sent if it holds them already.

        Args:
            repository: where to write.
            reference: a tag, or the manifest's digest.
            manifest: the bytes, and their media type.
            replacing: the digest that the tag is expected to hold before; None when it should hold none.

        Raises:
            TagChanged: somebody else wrote the tag between two attempts.
            TagImmutable: the tag is there, and the registry changes none that is.
        """
        if DIGEST.fullmatch(reference) and reference != manifest.digest:
            raise ValueError(f"the manifest's digest is {manifest.digest}, not {reference}")
        self._be_writable(repository)

        def step(attempt: int) -> None:
            if attempt > 1:
                found = self._manifest(repository, reference)
                if found is not None and found.digest == manifest.digest:
                    return
                if found is not None and found.digest != replacing:
                    raise TagChanged(f"{repository}:{reference} was written by somebody else: it holds {found.digest}")
            self._put_manifest(repository, reference, manifest)

        self._transport.retrying(step)

    # --- one attempt each -------------------------------------------------------------------------------------------

    def _manifest(self, repository: Repository, reference: str) -> Manifest | None:
        request = Request("GET", _manifest_url(repository, reference), {"Accept": ", ".join(MANIFEST_TYPES)})
        answer = self._exchange(request, Scope.pull(repository))
        if answer.status == HTTPStatus.NOT_FOUND and _codes(answer) & ABSENT_CODES:
            return None
        _expect(answer, {HTTPStatus.OK})
        digest = digest_of(answer.body)
        stated = answer.headers.get("Docker-Content-Digest", "")
        for wanted in (reference, stated):
            if DIGEST.fullmatch(wanted) and wanted != digest:
                problem = f"the manifest received has the digest {digest}, not {wanted}"
                raise TransientFailure(answer.request, problem, error=RegistryAnswerWrong)
        try:
            return Manifest.read(answer.headers.get("Content-Type", ""), answer.body)
        except ValueError as error:
            raise TransientFailure(answer.request, str(error), error=RegistryAnswerWrong) from None

    def _tags_page(self, repository: Repository, request: Request) -> tuple[tuple[str, ...], str | None]:
        """One page of tags, and the URL of the next."""

        def step(_: int) -> Answer:
            answer = self._exchange(request, Scope.pull(repository))
            if answer.status == HTTPStatus.NOT_FOUND and _codes(answer) & ABSENT_CODES:
                return answer
            return _expect(answer, {HTTPStatus.OK})

        answer = self._transport.retrying(step)
        if answer.status == HTTPStatus.NOT_FOUND:
            return (), None
        try:
            tags = json.loads(answer.body)["tags"] or ()
        except (ValueError, KeyError, TypeError):
            tags = None
        if not isinstance(tags, (list, tuple)) or not all(isinstance(tag, str) for tag in tags):
            raise RegistryAnswerWrong(f"{request}: the answer is not a list of tags")
        following = next_link(answer.headers.getlist("Link"))
        if following is None:
            return tuple(tags), None
        url = _resolve(request, repository.host, following)
        if not same_host(url, repository.host):
            raise RegistryAnswerWrong(f"{request}: the next page of tags is on another host")
        return tuple(tags), url

    def _has_blob(self, repository: Repository, digest: str) -> bool:
        answer = self._exchange(Request("HEAD", _blob_url(repository, digest)), Scope.pull(repository))
        _expect(answer, {HTTPStatus.OK, HTTPStatus.NOT_FOUND, *REDIRECTS})
        return answer.status != HTTPStatus.NOT_FOUND

    def _blob(self, repository: Repository, descriptor: Descriptor) -> Generator[bytes, None, None]:
        request = Request("GET", _blob_url(repository, descriptor.digest))

        def wrong(problem: str) -> TransientFailure:
            return TransientFailure(request, problem, error=RegistryAnswerWrong)

        with self._get(request, Scope.pull(repository)) as response:
            if response.status != HTTPStatus.OK:
                _expect(Answer(request, response.status, response.headers, response.read(ANSWER_LIMIT)), set())
            yield from verified(response.chunks(), descriptor, wrong)

    def _mount(self, repository: Repository, source: Repository, digest: str) -> str | None:
        """Mount a blob; None when that succeeded, else the location to upload it to instead."""
        query = f"mount={quote(digest, safe=':')}&from={quote(source.path, safe='/')}"
        request = Request("POST", f"{_uploads_url(repository)}?{query}", body=EMPTY)
        answer = self._exchange(request, Scope.push(repository, source=source))
        _expect(answer, {HTTPStatus.CREATED, HTTPStatus.ACCEPTED})
        return None if answer.status == HTTPStatus.CREATED else self._location(repository, answer)

    def _begin_upload(self, repository: Repository) -> str:
        request = Request("POST", _uploads_url(repository), body=EMPTY)
        answer = self._exchange(request, Scope.push(repository))
        _expect(answer, {HTTPStatus.ACCEPTED})
        return self._location(repository, answer)

    @staticmethod
    def _location(repository: Repository, answer: Answer) -> str:
        return _resolve(answer.request, repository.host, answer.headers.get("Location"))

    def _upload(self, repository: Repository, location: str, blob: Blob) -> None:
        joiner = "&" if urlsplit(location).query else "?"
        url = f"{location}{joiner}digest={quote(blob.descriptor.digest, safe=':')}"
        headers = {"Content-Type": "application/octet-stream"}
        body = Body(blob.descriptor.size, lambda: self._content(blob))
        answer = self._exchange(Request("PUT", url, headers, body), Scope.push(repository))
        if answer.status >= HTTPStatus.BAD_REQUEST and _codes(answer) & UPLOAD_LOST:
            raise TransientFailure(answer.request, describe_status(answer.status, answer.body))
        _expect(answer, BLOB_WRITTEN)
        _expect_digest(answer, blob.descriptor.digest)

    def _content(self, blob: Blob) -> Generator[bytes, None, None]:
        if isinstance(blob.source, RemoteSource):
            return self._blob(blob.source.repository, blob.descriptor)
        return read_file(blob.source, blob.descriptor)

    def _put_manifest(self, repository: Repository, reference: str, manifest: Manifest) -> None:
        headers = {"Content-Type": manifest.media_type}
        request = Request("PUT", _manifest_url(repository, reference), headers, Body.of(manifest.body))
        answer = self._exchange(request, Scope.push(repository))
        if not DIGEST.fullmatch(reference):
            _refuse_immutable(answer, f"{repository}:{reference}")
        _expect(answer, MANIFEST_WRITTEN)
        _expect_digest(answer, manifest.digest)

    def _be_writable(self, repository: Repository) -> None:
        """Authenticate before the first body is sent: a registry may refuse it and close without reading all of it."""
        with self._probing:
            if repository.host not in self._writable:
                request = Request("GET", f"{base_url(repository.host)}/v2/")
                self._transport.retrying(lambda _: self._exchange(request, Scope.push(repository)))
                self._writable.add(repository.host)

    # --- authorised requests ----------------------------------------------------------------------------------------

    def _exchange(self, request: Request, scope: Scope) -> Answer:
        opened = self._get(request, scope) if request.method == "GET" else self._open(request, scope)
        with opened as response:
            return Answer(request, response.status, response.headers, response.read(ANSWER_LIMIT))

    @contextlib.contextmanager
    def _get(self, request: Request, scope: Scope) -> Iterator[Response]:
        """Open, and follow redirects."""
        with contextlib.ExitStack() as stack:
            for _ in range(REDIRECTS_FOLLOWED + 1):
                response = stack.enter_context(self._open(request, scope))
                if response.status not in REDIRECTS:
                    yield response
                    return
                location = _resolve(request, scope.host, response.headers.get("Location"))
                request = Request("GET", location, request.headers)
                stack.close()
        raise RegistryAnswerWrong(f"{request}: more than {REDIRECTS_FOLLOWED} redirects")

    @contextlib.contextmanager
    def _open(self, request: Request, scope: Scope) -> Iterator[Response]:
        """Open, authorised for ``scope``; a request that is refused is authorised again at most once."""
        with contextlib.ExitStack() as stack:
            for last in (False, True):
                sent = self._authorization.authorize(request, scope)
                response = stack.enter_context(self._transport.open(sent))
                if response.status not in MAY_REFUSE:
                    yield response
                    return
                answer = Answer(sent, response.status, response.headers, response.read_error())
                stack.close()
                if not last and self._authorization.rejected(answer, scope):
                    continue
                if _is_refused(answer):
                    raise _refusal(answer, scope.host, has_login=self._authorization.has_login(scope))
                yield response
                return


EMPTY = Body.of(b"")


def exhaust(pieces: Iterable[bytes]) -> None:
    """Read all that is left, and keep nothing: whoever gives the pieces verifies them at their end."""
    for _ in pieces:
        pass


def next_link(headers: Iterable[str]) -> str | None:
    """The target of the Link header with ``rel="next"`` (RFC 8288), or None."""
    links = (match for header in headers for match in LINK.finditer(header))
    return next((link["target"] for link in links if REL_NEXT.search(link["parameters"])), None)


def _repository_url(repository: Repository) -> str:
    return f"{base_url(repository.host)}/v2/{repository.path}"


def _manifest_url(repository: Repository, reference: str) -> str:
    if not DIGEST.fullmatch(reference) and not TAG.fullmatch(reference):
        raise ValueError(f"{reference!r} is neither a tag nor a digest")
    return f"{_repository_url(repository)}/manifests/{reference}"


def _blob_url(repository: Repository, digest: str) -> str:
    return f"{_repository_url(repository)}/blobs/{digest}"


def _uploads_url(repository: Repository) -> str:
    return f"{_repository_url(repository)}/blobs/uploads/"


def _resolve(request: Request, host: str, location: str | None) -> str:
    """The absolute URL that an answer points to, which must use TLS unless it is on this machine.

    A registry behind a proxy that terminates TLS may answer ``http://`` and its own name; that becomes ``https://``.
    """
    if not location:
        raise RegistryAnswerWrong(f"{request}: the answer names no location")
    try:
        url = urljoin(request.url, location)
        scheme, name, _ = origin(url)
    except ValueError:
        raise RegistryAnswerWrong(f"{request}: the answer's location is not a URL") from None
    own = base_url(host)
    if scheme == "http" and own.startswith("https:") and urlsplit(url).netloc.lower() == host.lower():
        return f"https{url.removeprefix('http')}"
    if scheme != "https" and not (scheme == "http" and is_loopback(urlsplit(url).netloc) and is_loopback(host)):
        raise RegistryAnswerWrong(f"{request}: the answer's location is on {name} without TLS")
    return url


def _codes(answer: Answer) -> frozenset[str]:
    return frozenset(code for code, _ in read_errors(answer.body))


def _is_refused(answer: Answer) -> bool:
    """Whether an answer refuses who asks: 401 and 403, and what says so of the credentials that were sent."""
    return answer.status in REFUSED or (
        AUTHORIZATION in answer.request.headers and refusal_of(answer.status, answer.body) is Refusal.CERTAIN
    )


def _refusal(answer: Answer, host: str, *, has_login: bool) -> Exception:
    """The error for an answer that refuses a request that was made on behalf of ``host``."""
    request = answer.request
    if not same_host(request.url, host):
        # Such an address is valid for a short time; the registry gives another when it is asked again.
        return TransientFailure(request, f"HTTP {answer.status} from an address that {host} gave")
    said = f"{request.method} {request.path}: {describe_status(answer.status, answer.body)}"
    if AUTHORIZATION not in request.headers:
        return CredentialsRefused(f"{host} refused a request without credentials: {said}")
    if not has_login:
        missing = no_credentials(host)
        return CredentialsRefused(f"{missing.cause}: {said}", remedy=missing.remedy)
    return CredentialsRefused(f"{host} refused the configured credentials: {said}")


def _expect(answer: Answer, statuses: Iterable[int]) -> Answer:
    """Return the answer; raise RegistryFailed when its status is not one of these."""
    if answer.status in statuses:
        return answer
    writing = answer.request.method not in {"GET", "HEAD"}
    remedy = None
    if writing and "NAME_UNKNOWN" in _codes(answer):
        remedy = "Create the repository in the registry, then rerun the job."
    raise RegistryFailed(f"{answer.request}: {describe_status(answer.status, answer.body)}", remedy=remedy)


def _refuse_immutable(answer: Answer, name: str) -> None:
    """Raise TagImmutable when a registry refuses to change a tag that is there.

    ECR answers 400 and TAG_INVALID, Harbor 412 and PRECONDITION; both say it in the message. TAG_INVALID alone is
    something else, a tag that does not match its URL (distribution-spec 1.0).
    """
    if answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED} and any(
        "immutable" in message.lower() for _, message in read_errors(answer.body)
    ):
        raise TagImmutable(f"{name} cannot be written: {describe_status(answer.status, answer.body)}")


def _expect_digest(answer: Answer, digest: str) -> None:
    """Raise RegistryAnswerWrong when the registry states another digest for what it stored."""
    stated = answer.headers.get("Docker-Content-Digest", "")
    if DIGEST.fullmatch(stated) and stated != digest:
        raise RegistryAnswerWrong(f"{answer.request}: the registry says it stored {stated}, not {digest}")
