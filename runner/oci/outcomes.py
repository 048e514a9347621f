"""What becomes of an answer that is not the one wanted: the error that says who can do what about it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from runner.errors import (
    CredentialsRefused,
    NotVisibleYet,
    RegistryAnswerWrong,
    RegistryFailed,
    RegistryForbids,
    TagImmutable,
)
from runner.oci.meaning import READ, Meaning, codes_of, meaning_of, purpose_of
from runner.oci.messages import TransientFailure, Wait
from runner.oci.name import DIGEST
from runner.oci.problem import describe_status, read_errors
from runner.oci.transport import WAITS, describe_answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.errors import ReleaseError
    from runner.oci.manifest import Manifest
    from runner.oci.messages import Answer, Request

ABSENT_CODES = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"})
FORBIDDEN = (RegistryFailed, RegistryForbids, TagImmutable, CredentialsRefused)
"""What a refusal can become; a step that is optional goes on after any of them."""
REMEDIES = {
    Meaning.LIMIT: (
        "Raise the registry's quota or limit, or delete what nobody uses there any more; only then rerun the job."
    ),
    Meaning.POLICY: "Have the registry's administrator change or lift the rule named here; only then rerun the job.",
    Meaning.NO_REPOSITORY: "Create the repository in the registry, then rerun the job.",
    Meaning.UNKNOWN: (
        "Rerun the job: what is missing is sent again; if it happens again, the registry has lost what it accepted."
    ),
    Meaning.REFUSED: (
        "The registry refuses this request for good, and a rerun gets the same answer: check host and repository, and"
        " ask the registry's administrator."
    ),
}


def meaning(answer: Answer) -> Meaning:
    """What an answer of 400 or above means."""
    return meaning_of(answer.request, answer.status, answer.headers, answer.body)


def said(answer: Answer) -> str:
    """What was asked and what was answered, in one line without anything secret."""
    return f"{answer.request}: {describe_answer(answer.status, answer.headers, answer.body)}"


def failure_of(answer: Answer) -> ReleaseError | TransientFailure:
    """The error for an answer whose status is not one that was wanted."""
    found = meaning(answer) if answer.status >= HTTPStatus.BAD_REQUEST else Meaning.REFUSED
    if found in WAITS:
        described = describe_answer(answer.status, answer.headers, answer.body)
        return TransientFailure(answer.request, described, wait=WAITS[found])
    if found is Meaning.CREDENTIALS:
        return CredentialsRefused(said(answer))
    if found is Meaning.IMMUTABLE:
        return TagImmutable(said(answer))
    if found in {Meaning.LIMIT, Meaning.POLICY}:
        return RegistryForbids(said(answer), remedy=REMEDIES[found])
    reading_unknown = found in {Meaning.NO_REPOSITORY, Meaning.UNKNOWN} and purpose_of(answer.request) is READ
    return RegistryFailed(said(answer), remedy=None if reading_unknown else REMEDIES[found])


def expect(answer: Answer, statuses: Iterable[int]) -> Answer:
    """Return the answer; raise what ``failure_of`` gives when its status is not one of these."""
    if answer.status in statuses:
        return answer
    raise failure_of(answer)


def expect_digest(answer: Answer, digest: str) -> None:
    """Raise RegistryAnswerWrong when the registry states another digest for what it stored."""
    stated = answer.headers.get("Docker-Content-Digest", "")
    if DIGEST.fullmatch(stated) and stated != digest:
        raise RegistryAnswerWrong(f"{answer.request}: the registry says it stored {stated}, not {digest}")


def has_code(answer: Answer, codes: frozenset[str]) -> bool:
    """Whether one of the answer's error codes is among these, which are written without underscores."""
    return bool(codes_of(answer.body) & codes)


def is_absent(answer: Answer) -> bool:
    """Whether the answer says that there is no such thing: 404 with one of ``ABSENT_CODES``, and nothing else."""
    codes = {code for code, _ in read_errors(answer.body)}
    return answer.status == HTTPStatus.NOT_FOUND and not codes.isdisjoint(ABSENT_CODES)


def shown(found: Manifest | None, digest: str, before: str | None, request: Request, attempts: int | None) -> str:
    """The digest that a tag holds once it shows what was written, or what somebody else has written since.

    Raises:
        TransientFailure: it still answers ``request`` as before the write, or not at all.
    """
    if found is not None and (found.digest == digest or found.digest != before):
        return found.digest
    problem = f"written as {digest}, but still returns {'nothing' if found is None else found.digest}"
    raise TransientFailure(request, problem, wait=Wait.NOT_VISIBLE, error=NotVisibleYet, attempts=attempts)


def not_visible(answer: Answer) -> TransientFailure:
    """The failure for an answer that does not know what the registry has accepted."""
    described = describe_status(answer.status, answer.body)
    return TransientFailure(answer.request, described, wait=Wait.NOT_VISIBLE, error=NotVisibleYet)


def immutable(refusal: TagImmutable, held: str | None, replacing: str | None) -> TagImmutable:
    """The refusal, with what the tag holds and what to change."""
    holds = "it holds nothing that can be read" if held is None else f"it holds {held}"
    if replacing is None:
        return TagImmutable(f"{refusal.cause}; {holds}")
    return TagImmutable(
        f"{refusal.cause}; {holds}",
        remedy="Exempt the tags that move (those of stable) from tag immutability in the registry, then rerun the job.",
    )
