from __future__ import annotations

import json

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import (
    CredentialsRefused,
    ExitCode,
    NotVisibleYet,
    RegistryAnswerWrong,
    RegistryFailed,
    RegistryForbids,
    ReleaseError,
    TagImmutable,
)
from runner.oci.manifest import OCI_MANIFEST, Manifest, digest_of
from runner.oci.messages import Answer, Request, TransientFailure, Wait
from runner.oci.outcomes import (
    FORBIDDEN,
    expect,
    expect_digest,
    failure_of,
    has_code,
    immutable,
    is_absent,
    not_visible,
    shown,
)

URL = "https://registry.example/v2/ns/chart"
TAG = Request("PUT", f"{URL}/manifests/v1.2.3")
BEGIN = Request("POST", f"{URL}/blobs/uploads/")
READ = Request("GET", f"{URL}/manifests/v1.2.3")


def answer(request: Request, status: int, code: str = "", message: str = "", **headers: str) -> Answer:
    """An answer with an error body."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answer(request, status, urllib3.HTTPHeaderDict(headers), body)


@pytest.mark.parametrize(
    ("said", "kind", "exit_code", "remedy"),
    [
        (answer(TAG, 400, "TAG_INVALID", "it is immutable"), TagImmutable, 5, "next version"),
        (answer(BEGIN, 413), RegistryForbids, 2, "quota or limit"),
        (answer(BEGIN, 403, "DENIED", "quota exceeded"), RegistryForbids, 2, "quota or limit"),
        (answer(TAG, 403, "DENIED", "image is not signed"), RegistryForbids, 2, "rule"),
        (answer(TAG, 403, "DENIED", "no"), CredentialsRefused, 8, "credentials"),
        (answer(TAG, 404, "NAME_UNKNOWN", "no"), RegistryFailed, 7, "Create the repository"),
        (answer(TAG, 400, "MANIFEST_BLOB_UNKNOWN", "no"), RegistryFailed, 7, "sent again"),
        (answer(BEGIN, 405, "UNSUPPORTED", "no"), RegistryFailed, 7, "for good"),
        (answer(READ, 404), RegistryFailed, 7, "for good"),
        (answer(READ, 301), RegistryFailed, 7, "for good"),
        (answer(READ, 404, "BLOB_UNKNOWN"), RegistryFailed, 7, "Rerun the job"),
    ],
)
def test_who_can_act(said: Answer, kind: type[ReleaseError], exit_code: int, remedy: str) -> None:
    """Each refusal becomes the error of whoever can do something about it, with a remedy that fits."""
    failure = failure_of(said)
    assert isinstance(failure, kind)
    assert failure.exit_code == exit_code
    assert remedy in failure.remedy


def test_words_of_the_registry() -> None:
    """The registry's own words stand in the line, in 300 characters and without what could forge another line."""
    failure = failure_of(answer(TAG, 400, "TAG_INVALID", "immutable\nERROR: \x1b[31m\u202e" + "x" * 500))
    assert isinstance(failure, TagImmutable)
    assert failure.cause.startswith(
        "PUT registry.example/v2/ns/chart/manifests/v1.2.3: HTTP 400 (TAG_INVALID: immutable "
    )
    assert failure.cause.isprintable()
    assert len(failure.cause) < 400


def test_words_of_a_proxy() -> None:
    """What a proxy on the way answers is told as the proxy's."""
    failure = failure_of(Answer(READ, 407, urllib3.HTTPHeaderDict(), b""))
    assert isinstance(failure, CredentialsRefused)
    assert "a proxy on the way answered HTTP 407" in failure.cause


@given(st.sampled_from([TAG, BEGIN, READ]), st.integers(300, 499), st.text(max_size=20), st.text(max_size=40))
def test_definite_refusals(request_: Request, status: int, code: str, message: str) -> None:
    """Whatever an answer says, it is transient, or an error by which a step that is optional is given up."""
    failure = failure_of(answer(request_, status, code, message))
    assert isinstance(failure, (TransientFailure, *FORBIDDEN))
    if isinstance(failure, ReleaseError):
        assert failure.exit_code in {ExitCode.USAGE, ExitCode.CONFLICT, ExitCode.REGISTRY_FAILED, ExitCode.CREDENTIALS}
        assert "once the registry answers" not in failure.remedy or "UNKNOWN" in code.upper() or "FOUND" in code.upper()


def test_what_was_wanted() -> None:
    """An answer with a status that was wanted is returned, whatever it says."""
    wanted = answer(READ, 404, "X")
    assert expect(wanted, {404}) is wanted
    with pytest.raises(RegistryFailed):
        expect(wanted, {200})


def test_another_digest_than_was_sent() -> None:
    """A registry that says it stored another digest is wrong; one that says nothing, or no digest, is not."""
    mine, other = digest_of(b"mine"), digest_of(b"other")
    for stated in (mine, "", "nonsense"):
        expect_digest(answer(TAG, 201, **{"Docker-Content-Digest": stated}), mine)
    with pytest.raises(RegistryAnswerWrong, match=f"it stored {other}, not {mine}"):
        expect_digest(answer(TAG, 201, **{"Docker-Content-Digest": other}), mine)


def test_codes_of_an_answer() -> None:
    """A code is found in whatever spelling it came."""
    assert has_code(answer(TAG, 404, "Blob_Upload_Unknown"), frozenset({"BLOBUPLOADUNKNOWN"}))
    assert not has_code(answer(TAG, 404, "X"), frozenset({"BLOBUPLOADUNKNOWN"}))


REQUEST = Request("GET", "https://registry.example/v2/a/manifests/v1")
OLD, NEW, OTHER = (Manifest.write(OCI_MANIFEST, {"schemaVersion": 2, "text": text}) for text in ("o", "n", "x"))


@pytest.mark.parametrize(
    ("found", "before", "expected"),
    [(NEW, None, NEW), (NEW, OLD, NEW), (OTHER, None, OTHER), (OTHER, OLD, OTHER), (OLD, None, OLD), (NEW, NEW, NEW)],
    ids=["new", "moved", "other for new", "other for moved", "old that was not there", "the same"],
)
def test_tag_that_shows_something(found: Manifest, before: Manifest | None, expected: Manifest) -> None:
    """A tag shows what was written, or what somebody else has written since; both are returned."""
    assert shown(found, NEW.digest, before.digest if before else None, REQUEST, None) == expected.digest


@given(st.sampled_from([None, OLD]), st.none() | st.integers(1, 9))
def test_tag_that_does_not_show_yet(found: Manifest | None, attempts: int | None) -> None:
    """A tag that is as before its write is waited for as something that is not visible yet."""
    with pytest.raises(TransientFailure, match="still returns") as raised:
        shown(found, NEW.digest, OLD.digest, REQUEST, attempts)
    assert (raised.value.wait, raised.value.error) == (Wait.NOT_VISIBLE, NotVisibleYet)
    assert raised.value.attempts == attempts


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (answer(READ, 404, "MANIFEST_UNKNOWN"), True),
        (answer(READ, 404, "NAME_UNKNOWN"), True),
        (answer(READ, 404, "NOT_FOUND"), True),
        (answer(READ, 404, "manifest_unknown"), False),
        (answer(READ, 404, "MANIFESTUNKNOWN"), False),
        (answer(READ, 404), False),
        (answer(READ, 400, "MANIFEST_UNKNOWN"), False),
    ],
)
def test_absent(said: Answer, *, expected: bool) -> None:
    """Absent is 404 with one of three codes as the specification spells them, and nothing else."""
    assert is_absent(said) is expected


def test_not_visible() -> None:
    """An answer that does not know what was accepted is waited for as what is not visible yet."""
    failure = not_visible(answer(READ, 404, "MANIFEST_UNKNOWN", "no"))
    assert (failure.wait, failure.error) == (Wait.NOT_VISIBLE, NotVisibleYet)
    assert failure.problem == "HTTP 404 (MANIFEST_UNKNOWN: no)"


@pytest.mark.parametrize("held", [None, OLD.digest])
@pytest.mark.parametrize("replacing", [None, OLD.digest])
def test_immutable_tag(held: str | None, replacing: str | None) -> None:
    """The error says what the tag holds; where it was to move, to exempt it, else to release the next version."""
    error = immutable(TagImmutable("HTTP 400 (TAG_INVALID)"), held, replacing)
    assert error.cause == f"HTTP 400 (TAG_INVALID); it holds {held or 'nothing that can be read'}"
    assert ("next version" if replacing is None else "Exempt") in error.remedy
