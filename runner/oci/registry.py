"""The registry client, written to the OCI distribution-spec 1.1 and to what real registries do.

Every operation is retried within the transport's limits. Before a write is retried, the registry is read: when an
answer is lost, the write may still have taken effect. Only a GET that is answered 404 with one of ``ABSENT_CODES``
counts as absent, and not even that where the registry has accepted what is asked for: then it is waited for.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from runner.errors import (
    CredentialsRefused,
    NotVisibleYet,
    RegistryAnswerWrong,
    RegistryFailed,
    TagChanged,
    TagImmutable,
)
from runner.foreign.documents import read_json
from runner.oci.accepted import Accepted
from runner.oci.addresses import blob_url, manifest_url, next_link, referrers_url, repository_url, resolve
from runner.oci.artifact import RemoteSource, read_file, verified
from runner.oci.auth import AUTHORIZATION, Authorization, Basic, no_credentials
from runner.oci.bearer import Bearer
from runner.oci.connections import base_url, same_host
from runner.oci.credentials import Anonymous
from runner.oci.manifest import MANIFEST_TYPES, Manifest, digest_of
from runner.oci.meaning import Meaning
from runner.oci.messages import Answer, Body, Request, TransientFailure, Wait
from runner.oci.name import DIGEST
from runner.oci.outcomes import (
    expect,
    expect_digest,
    failure_of,
    immutable,
    is_absent,
    meaning,
    not_visible,
    said,
    shown,
)
from runner.oci.problem import describe_status
from runner.oci.refusal import Refusal, refusal_of
from runner.oci.scope import Scope
from runner.oci.transport import ANSWER_LIMIT, wrong_content
from runner.oci.turns import ANONYMOUS_PULLS, COMPLETIONS, SlowHosts, Turns
from runner.oci.uploads import Sent, Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from runner.oci.artifact import Blob
    from runner.oci.credentials import Credentials
    from runner.oci.manifest import Descriptor
    from runner.oci.name import Repository
    from runner.oci.transport import Response, Transport

Result = TypeVar("Result")

__all__ = ["Registry", "Sent"]

REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
MAY_REFUSE = REFUSED | {HTTPStatus.BAD_REQUEST}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
REDIRECTS_FOLLOWED = 5
LIST_LIMIT = 64 * 1024 * 1024
"""Bytes of all pages of a list that are read; ECR allows 10,000 tags of up to 128 characters each."""
PAGE_WEIGHT = 4096
"""As how many bytes a page counts besides, so that empty ones come to an end, too."""
MANIFEST_WRITTEN = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED})
REPEATED_REDIRECTS = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})
"""Redirects after which a request is sent again with its method and body (RFC 9110, 15.4.8 and 15.4.9)."""
NO_HEAD = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})


class Registry:
    """A client for any registry: a repository names its host. Thread-safe.

    Each method may raise RegistryFailed, RegistryForbids, RegistryAnswerWrong, NotVisibleYet, CredentialsRefused,
    ProxyUnusable and RunEnded.

    Args:
        transport: sends and repeats requests.
        credentials: asked for a login when a host answers 401.
        completions: limits how many uploads end per second; ECR's limit when left out.
    """

    def __init__(self, transport: Transport, credentials: Credentials, completions: Turns | None = None) -> None:
        self._transport = transport
        self._accepted = Accepted()
        self._uploads = Uploads(
            self._exchange,
            self._has_blob,
            self._content,
            self._accepted,
            completions or Turns(transport.lifetime, COMPLETIONS),
        )
        self._authorization = Authorization(credentials, (Bearer(transport.exchange), Basic()))
        self._pulls = SlowHosts(lambda: Turns(transport.lifetime, ANONYMOUS_PULLS))
        self._writable: set[str] = set()
        self._probing = threading.Lock()

    def check_access(self, repository: Repository) -> None:
        """Ask a registry to let this client write to a repository, with the login for it where it wants one."""
        self._be_writable(repository)

    def without_credentials(self) -> Registry:
        """Another client of the same registries, over the same connections, that has no login for any host."""
        return Registry(self._transport, Anonymous())

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Return the manifest or index under this tag or digest, or None when it is absent.

        A host that refuses readers without a login since there were too many requests is read from more slowly.
        """

        def step(_: int) -> Manifest | None:
            try:
                with self._pulls.turn(repository.host):
                    return self._manifest(repository, reference)
            except TransientFailure as failure:
                if failure.wait is Wait.RATE_LIMITED and not self._authorization.has_login(Scope.pull(repository)):
                    self._pulls.slow_down(repository.host)
                raise

        return self._transport.retrying(step)

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """Return all tags of a repository in the registry's order; none when the repository is absent."""
        pages = self._pages(repository, f"{repository_url(repository)}/tags/list", is_absent)
        return tuple(dict.fromkeys(tag for answer in pages for tag in _tags(answer)))

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...] | None:
        """Return what the registry lists as attached to a manifest; None when it does not have such lists.

        Source: distribution-spec 1.1, Listing Referrers: 404 means that the registry does not implement it, and
        nothing else does.
        """
        pages = tuple(self._pages(repository, referrers_url(repository, digest), _is_not_found))
        if any(_is_not_found(answer) for answer in pages):
            return None
        found = (descriptor for answer in pages for descriptor in _attached(answer))
        return tuple({descriptor.digest: descriptor for descriptor in found}.values())

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
        return self._transport.retrying(lambda attempt: self._uploads.send(repository, blob, attempt, begun))

    def put_manifest(
        self, repository: Repository, reference: str, manifest: Manifest, *, replacing: str | None = None
    ) -> None:
        """Write these exact bytes under a tag or under their digest.

        After a failure the reference is read before another attempt, and nothing is sent if it holds them already. A
        refusal because the tag is immutable is none where the tag holds them already: ECR refuses equal content, too.

        Args:
            repository: where to write.
            reference: a tag, or the manifest's digest.
            manifest: the bytes, and their media type.
            replacing: the digest that the tag is expected to hold before; None when it should hold none.

        Raises:
            TagChanged: somebody else wrote the tag between two attempts.
            TagImmutable: the registry's rules do not let the tag be written.
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
            try:
                self._put_manifest(repository, reference, manifest)
            except TagImmutable as refusal:
                found = self._manifest(repository, reference)
                held = None if found is None else found.digest
                if held == manifest.digest:
                    return
                if attempt > 1 and held in {None, replacing}:
                    # An earlier attempt may have written it, and its answer was lost.
                    request = Request("GET", manifest_url(repository, reference))
                    raise TransientFailure(request, refusal.cause, wait=Wait.NOT_VISIBLE, error=NotVisibleYet) from None
                raise immutable(refusal, held, replacing) from None

        self._transport.retrying(step)
        self._accepted.add(repository, manifest.digest)

    def await_tag(
        self, repository: Repository, tag: str, digest: str, *, before: str | None, attempts: int | None = None
    ) -> str:
        """Wait until a tag that was written shows it, and return the digest that it holds then.

        Args:
            repository: where it was written.
            tag: the tag.
            digest: what was written.
            before: what the tag held before, and may hold for a while; None for nothing.
            attempts: how often it is read; for as long as the run waits for such things when left out.

        Raises:
            NotVisibleYet: it does not show what was written.
        """
        request = Request("GET", manifest_url(repository, tag))
        return self._transport.retrying(
            lambda _: shown(self._manifest(repository, tag), digest, before, request, attempts)
        )

    # --- one attempt each -------------------------------------------------------------------------------------------

    def _manifest(self, repository: Repository, reference: str) -> Manifest | None:
        request = Request("GET", manifest_url(repository, reference), {"Accept": ", ".join(MANIFEST_TYPES)})
        answer = self._exchange(request, Scope.pull(repository))
        if answer.status == HTTPStatus.NOT_FOUND and (repository, reference) in self._accepted:
            raise not_visible(answer)
        if is_absent(answer):
            return None
        expect(answer, {HTTPStatus.OK})
        digest = digest_of(answer.body)
        stated = answer.headers.get("Docker-Content-Digest", "")
        for wanted in (reference, stated):
            if DIGEST.fullmatch(wanted) and wanted != digest:
                problem = f"the manifest received has the digest {digest}, not {wanted}"
                raise wrong_content(answer.request, problem)
        try:
            return Manifest.read(answer.headers.get("Content-Type", ""), answer.body)
        except ValueError as error:
            raise wrong_content(answer.request, str(error)) from None

    def _pages(self, repository: Repository, url: str, is_none: Callable[[Answer], bool]) -> Iterator[Answer]:
        """The pages of a list, each of which links to the next; one that ``is_none`` is the last."""
        seen: set[str] = set()
        left = LIST_LIMIT
        following: str | None = url
        while following is not None:
            if following in seen:
                raise RegistryAnswerWrong(f"{Request('GET', url)}: a page links back to an earlier one")
            seen.add(following)
            answer = self._page(repository, Request("GET", following), is_none)
            left -= PAGE_WEIGHT + len(answer.body)
            if left < 0:
                raise RegistryAnswerWrong(f"{Request('GET', url)}: the list has no end: {len(seen)} pages were read")
            yield answer
            link = None if is_none(answer) else next_link(answer.headers.getlist("Link"))
            following = None if link is None else resolve(answer.request, repository.host, link)
            if following is not None and not same_host(following, repository.host):
                raise RegistryAnswerWrong(f"{answer.request}: the next page is on another host")

    def _page(self, repository: Repository, request: Request, is_none: Callable[[Answer], bool]) -> Answer:
        def step(_: int) -> Answer:
            answer = self._exchange(request, Scope.pull(repository))
            return answer if is_none(answer) else expect(answer, {HTTPStatus.OK})

        return self._transport.retrying(step)

    def _has_blob(self, repository: Repository, digest: str) -> bool:
        answer = self._exchange(Request("HEAD", blob_url(repository, digest)), Scope.pull(repository))
        if answer.status in NO_HEAD:
            # The answer to GET says the same; its content is not read.
            with self._open(Request("GET", blob_url(repository, digest)), Scope.pull(repository)) as response:
                body = response.read_error() if response.status >= HTTPStatus.BAD_REQUEST else b""
                answer = Answer(response.request, response.status, response.headers, body)
        if answer.status == HTTPStatus.NOT_FOUND:
            if (repository, digest) in self._accepted:
                raise not_visible(answer)
            return False
        expect(answer, {HTTPStatus.OK, *REDIRECTS})
        return True

    def _blob(self, repository: Repository, descriptor: Descriptor) -> Generator[bytes, None, None]:
        request = Request("GET", blob_url(repository, descriptor.digest))

        with self._get(request, Scope.pull(repository)) as response:
            if response.status != HTTPStatus.OK:
                answer = Answer(request, response.status, response.headers, response.read(ANSWER_LIMIT))
                if answer.status == HTTPStatus.NOT_FOUND and (repository, descriptor.digest) in self._accepted:
                    raise not_visible(answer)
                raise failure_of(answer)
            yield from verified(response.chunks(), descriptor, lambda problem: wrong_content(request, problem))

    def _content(self, blob: Blob) -> Generator[bytes, None, None]:
        if isinstance(blob.source, RemoteSource):
            return self._blob(blob.source.repository, blob.descriptor)
        return read_file(blob.source, blob.descriptor)

    def _put_manifest(self, repository: Repository, reference: str, manifest: Manifest) -> None:
        headers = {"Content-Type": manifest.media_type}
        request = Request("PUT", manifest_url(repository, reference), headers, Body.of(manifest.body))
        answer = self._exchange(request, Scope.push(repository))
        if (
            answer.status >= HTTPStatus.BAD_REQUEST
            and meaning(answer) in {Meaning.UNKNOWN, Meaning.NO_REPOSITORY}
            and self._accepted.has_all_of(repository, manifest)
        ):
            raise not_visible(answer)
        expect(answer, MANIFEST_WRITTEN)
        expect_digest(answer, manifest.digest)

    def _be_writable(self, repository: Repository) -> None:
        """Authenticate before the first body is sent: a registry may refuse it and close without reading all of it."""
        with self._probing:
            if repository.host not in self._writable:
                request = Request("GET", f"{base_url(repository.host)}/v2/")
                self._transport.retrying(lambda _: self._exchange(request, Scope.push(repository)))
                self._writable.add(repository.host)

    # --- authorised requests ----------------------------------------------------------------------------------------

    def _exchange(self, request: Request, scope: Scope) -> Answer:
        """Send, and follow the redirects that repeat the request; HEAD is not repeated, as a redirect answers it."""
        if request.method == "GET":
            with self._get(request, scope) as response:
                return Answer(request, response.status, response.headers, response.read(ANSWER_LIMIT))
        for _ in range(REDIRECTS_FOLLOWED + 1):
            with self._open(request, scope) as response:
                answer = Answer(request, response.status, response.headers, response.read(ANSWER_LIMIT))
            if request.method == "HEAD" or answer.status not in REPEATED_REDIRECTS:
                return answer
            request = redirected(answer, scope.host)
        raise RegistryAnswerWrong(f"{request}: more than {REDIRECTS_FOLLOWED} redirects")

    @contextlib.contextmanager
    def _get(self, request: Request, scope: Scope) -> Iterator[Response]:
        """Open, and follow redirects."""
        with contextlib.ExitStack() as stack:
            for _ in range(REDIRECTS_FOLLOWED + 1):
                response = stack.enter_context(self._open(request, scope))
                if response.status not in REDIRECTS:
                    yield response
                    return
                location = resolve(request, scope.host, response.headers.get("Location"))
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


def redirected(answer: Answer, host: str) -> Request:
    """The request that is sent after a redirect that repeats it.

    A blob may go to another host (storage behind the registry), as what is sent there is public content and carries no
    credentials; anything else would be written to a registry that nobody named.
    """
    request = answer.request
    location = resolve(request, host, answer.headers.get("Location"))
    moved = replace(request, url=location)
    uploading = request.method in {"PUT", "PATCH"} and "/blobs/uploads/" in request.path
    if not same_host(location, host) and not uploading:
        raise RegistryFailed(
            f"{said(answer)}: it sends the request to another host, {moved.host}",
            remedy=f"Name the registry that is to be written to: {host} leaves it to {moved.host}.",
        )
    return moved


def _tags(answer: Answer) -> tuple[str, ...]:
    """The tags on a page; none of a repository that is absent."""
    if is_absent(answer):
        return ()
    try:
        tags = read_json(answer.body)["tags"] or ()
    except (ValueError, KeyError, TypeError):
        tags = None
    if not isinstance(tags, (list, tuple)) or not all(isinstance(tag, str) for tag in tags):
        raise RegistryAnswerWrong(f"{answer.request}: the answer is not a list of tags")
    return tuple(tags)


def _attached(answer: Answer) -> tuple[Descriptor, ...]:
    """The descriptors on a page of referrers."""
    try:
        return Manifest.read(answer.headers.get("Content-Type", ""), answer.body).children
    except ValueError as error:
        raise RegistryAnswerWrong(f"{answer.request}: the answer is not a list of referrers: {error}") from None


def _is_not_found(answer: Answer) -> bool:
    return answer.status == HTTPStatus.NOT_FOUND


def _is_refused(answer: Answer) -> bool:
    """Whether an answer refuses who asks: 401 and 403, and what says so of the credentials that were sent."""
    return answer.status in REFUSED or _is_certain(answer)


def _is_certain(answer: Answer) -> bool:
    """Whether an answer says of the credentials that came with its request that they are refused."""
    return AUTHORIZATION in answer.request.headers and refusal_of(answer.status, answer.body) is Refusal.CERTAIN


def _refusal(answer: Answer, host: str, *, has_login: bool) -> Exception:
    """The error for an answer that refuses a request that was made on behalf of ``host``."""
    request = answer.request
    if not same_host(request.url, host):
        # Such an address is valid for a short time; the registry gives another when it is asked again.
        return TransientFailure(request, f"HTTP {answer.status} from an address that {host} gave", attempts=4)
    failure = failure_of(answer)
    if not isinstance(failure, CredentialsRefused) and not _is_certain(answer):
        return failure
    words = f"{request.method} {request.path}: {describe_status(answer.status, answer.body)}"
    if AUTHORIZATION not in request.headers:
        return CredentialsRefused(f"{host} refused a request without credentials: {words}")
    if not has_login:
        missing = no_credentials(host)
        return CredentialsRefused(f"{missing.cause}: {words}", remedy=missing.remedy)
    return CredentialsRefused(f"{host} refused the configured credentials: {words}")


def exhaust(pieces: Iterable[bytes]) -> None:
    """Read all that is left, and keep nothing: whoever gives the pieces verifies them at their end."""
    for _ in pieces:
        pass
