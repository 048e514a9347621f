"""Registries in memory, with the meaning of the real client and of what it speaks to."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from runner.errors import RegistryAnswerWrong, RegistryFailed, TagChanged
from runner.oci.artifact import RemoteSource, read_file, verified
from runner.oci.messages import Request, TransientFailure
from runner.oci.name import DIGEST, TAG
from runner.oci.outcomes import shown
from runner.oci.patience import Patience
from runner.oci.registry import Registry, Sent
from runner.oci.retries import RetryPolicy, repeat
from runner.oci.transport import ANSWER_LIMIT
from testbed.memory.calls import Call, Calls
from testbed.memory.lifetime import MemoryLifetime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from runner.oci.artifact import Blob
    from runner.oci.manifest import Descriptor, Manifest
    from runner.oci.name import Repository

Result = TypeVar("Result")

RETRIES = RetryPolicy(attempts=4, first_pause=0.0)
NO_ANSWER = TransientFailure(Request("PUT", "https://registry.example/v2/"), "no answer within the time allowed")
"""What a call raises whose connection breaks: it is repeated, as the real client repeats it."""


@dataclass
class Content:
    """What a repository has: blobs and manifests by digest, and the digest that each tag holds."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class MemoryRegistry(Registry):
    """All registries, as one client sees them; every method is as in the real one.

    ``calls`` are this client's, about ``HOST/REPOSITORY``, ``…:TAG`` or ``…@DIGEST``; each attempt of a call that is
    repeated is one. ``writes`` are those that changed what is there, in the order in which they did. ``lifetime``
    notes the pauses between reads of a tag that does not show yet; they take no time.

    Args:
        held: what is there at the beginning, as ``contents`` gave it; nothing when left out.
        lists_referrers: whether these registries have the referrers API.
    """

    def __init__(self, held: Mapping[Repository, Content] | None = None, *, lists_referrers: bool = True) -> None:
        self.calls = Calls()
        self.writes: list[Call] = []
        self.lifetime = MemoryLifetime()
        self._patience = Patience(self.lifetime, clock=self.lifetime.now, chance=lambda: 0.0)
        self._lists_referrers = lists_referrers
        self._contents: dict[Repository, Content] = defaultdict(Content, _copied(held or {}))
        self._lock = threading.RLock()

    def another(self) -> MemoryRegistry:
        """Another client of the same registries, with calls and writes of its own: another run, or a test's look."""
        other = MemoryRegistry(lists_referrers=self._lists_referrers)
        other._contents, other._lock = self._contents, self._lock
        return other

    def without_credentials(self) -> MemoryRegistry:
        """Another client; nobody is asked for credentials here."""
        return self.another()

    def contents(self) -> dict[Repository, Content]:
        """All that is there now, as a copy; it is no call."""
        with self._lock:
            return _copied(self._contents)

    def forget(self, repository: Repository, reference: str) -> None:
        """Let a tag, or a blob or manifest by its digest, be gone, as whoever owns a registry can; it is no call."""
        with self._lock:
            content = self._contents[repository]
            found = [held for held in (content.tags, content.manifests, content.blobs) if reference in held]
            if not found:
                raise ValueError(f"{repository} has no {reference}")
            for held in found:
                del held[reference]

    def check_access(self, repository: Repository) -> None:
        """Let every client in."""
        self._repeated("check_access", str(repository), lambda _: None)

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Return what is under a tag or digest."""
        about = _about(repository, reference)
        return self._repeated("manifest", about, lambda _: self._found(repository, reference))

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """Return the tags, sorted."""
        return self._repeated("tags", str(repository), lambda _: tuple(sorted(self._contents[repository].tags)))

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...] | None:
        """Return what is attached to a manifest, by digest."""

        def step(_: int) -> tuple[Descriptor, ...] | None:
            if not self._lists_referrers:
                return None
            manifests = self._contents[repository].manifests
            return tuple(one.listed() for _, one in sorted(manifests.items()) if one.subject == digest)

        return self._repeated("referrers", f"{repository}@{digest}", step)

    def has_blob(self, repository: Repository, digest: str) -> bool:
        """Whether the repository has a blob."""
        about = f"{repository}@{digest}"
        return self._repeated("has_blob", about, lambda _: digest in self._contents[repository].blobs)

    def read_blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a small blob, verified."""
        about = f"{repository}@{descriptor.digest}"
        if descriptor.size > ANSWER_LIMIT:
            raise RegistryAnswerWrong(f"{about} has {descriptor.size} bytes, where at most {ANSWER_LIMIT} are read")
        return self._repeated("read_blob", about, lambda _: self._verified(repository, descriptor))

    def download_blob(self, repository: Repository, descriptor: Descriptor, path: Path) -> None:
        """Write a blob, verified."""
        about = f"{repository}@{descriptor.digest}"
        path.write_bytes(self._repeated("download_blob", about, lambda _: self._verified(repository, descriptor)))

    def scan_blob(
        self, repository: Repository, descriptor: Descriptor, scan: Callable[[Iterator[bytes]], Result]
    ) -> Result:
        """Return what a function makes of a blob's pieces."""
        about = f"{repository}@{descriptor.digest}"

        def step(_: int) -> Result:
            return scan(iter((self._verified(repository, descriptor),)))

        return self._repeated("scan_blob", about, step)

    def send_blob(self, repository: Repository, blob: Blob) -> Sent:
        """Make a blob present."""
        about = f"{repository}@{blob.descriptor.digest}"
        begun: list[Sent] = []

        def step(_: int) -> Sent:
            blobs = self._contents[repository].blobs
            if blob.descriptor.digest in blobs:
                return begun[-1] if begun else "exists"
            if isinstance(blob.source, RemoteSource):
                body = self._verified(blob.source.repository, blob.descriptor)
                begun.append("mounted" if blob.source.repository.host == repository.host else "uploaded")
            else:
                body = b"".join(read_file(blob.source, blob.descriptor))
                begun.append("uploaded")
            blobs[blob.descriptor.digest] = body
            self.writes.append(Call("send_blob", about))
            return begun[-1]

        return self._repeated("send_blob", about, step)

    def put_manifest(
        self, repository: Repository, reference: str, manifest: Manifest, *, replacing: str | None = None
    ) -> None:
        """Write a manifest, once all that it names is there."""
        about = _about(repository, reference)
        if DIGEST.fullmatch(reference) and reference != manifest.digest:
            raise ValueError(f"the manifest's digest is {manifest.digest}, not {reference}")

        def step(attempt: int) -> None:
            found = self._found(repository, reference) if attempt > 1 else None
            if found is not None and found.digest == manifest.digest:
                return
            if found is not None and found.digest != replacing:
                raise TagChanged(f"{about} was written by somebody else: it holds {found.digest}")
            content = self._contents[repository]
            _refuse_incomplete(content, manifest, _request("PUT", repository, f"manifests/{reference}"))
            content.manifests[manifest.digest] = manifest
            if not DIGEST.fullmatch(reference):
                content.tags[reference] = manifest.digest
            self.writes.append(Call("put_manifest", about))

        self._repeated("put_manifest", about, step)

    def await_tag(
        self, repository: Repository, tag: str, digest: str, *, before: str | None, attempts: int | None = None
    ) -> str:
        """Read a tag until it shows what was written; no time passes meanwhile."""
        about, request = _about(repository, tag), _request("GET", repository, f"manifests/{tag}")

        def step(_: int) -> str:
            found = self.calls.carry_out("manifest", about, lambda: self._found(repository, tag))
            return shown(found, digest, before, request, attempts)

        return repeat(step, RetryPolicy(), self._patience)

    def _repeated(self, method: str, about: str, step: Callable[[int], Result]) -> Result:
        """Carry a call out as often as the real client would."""

        def locked(attempt: int) -> Result:
            with self._lock:
                return step(attempt)

        return repeat(
            lambda attempt: self.calls.carry_out(method, about, lambda: locked(attempt)), RETRIES, self._patience
        )

    def _found(self, repository: Repository, reference: str) -> Manifest | None:
        content = self._contents[repository]
        return content.manifests.get(content.tags.get(reference, reference))

    def _verified(self, repository: Repository, descriptor: Descriptor) -> bytes:
        request = _request("GET", repository, f"blobs/{descriptor.digest}")
        body = self._contents[repository].blobs.get(descriptor.digest)
        if body is None:
            raise RegistryFailed(f"{request}: HTTP 404 (BLOB_UNKNOWN)")

        def wrong(problem: str) -> TransientFailure:
            return TransientFailure(request, problem, error=RegistryAnswerWrong)

        return b"".join(verified((body,), descriptor, wrong))


def _copied(contents: Mapping[Repository, Content]) -> dict[Repository, Content]:
    return {
        repository: Content(dict(content.blobs), dict(content.manifests), dict(content.tags))
        for repository, content in contents.items()
        if content != Content()
    }


def _about(repository: Repository, reference: str) -> str:
    if not DIGEST.fullmatch(reference) and not TAG.fullmatch(reference):
        raise ValueError(f"{reference!r} is neither a tag nor a digest")
    return f"{repository}{'@' if DIGEST.fullmatch(reference) else ':'}{reference}"


def _request(method: str, repository: Repository, place: str) -> Request:
    return Request(method, f"https://{repository.host}/v2/{repository.path}/{place}")


def _refuse_incomplete(content: Content, manifest: Manifest, request: Request) -> None:
    try:
        missing = [blob.digest for blob in manifest.blobs if blob.digest not in content.blobs]
        missing += [child.digest for child in manifest.children if child.digest not in content.manifests]
    except ValueError as error:
        raise RegistryFailed(f"{request}: HTTP 400 (MANIFEST_INVALID: {error})") from error
    if missing:
        raise RegistryFailed(f"{request}: HTTP 400 (MANIFEST_BLOB_UNKNOWN: {missing[0]})")
