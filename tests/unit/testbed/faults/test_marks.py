from __future__ import annotations

import base64
import itertools
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.faults.marks import SHORTEST, Found, Marks

SECRET = "mark of the password/+?="  # noqa: S105 - of these tests
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=SHORTEST)


@given(SECRETS, st.binary(max_size=40), st.binary(max_size=40))
def test_a_secret_in_base64(secret: str, before: bytes, after: bytes) -> None:
    """It is found in base64 of both alphabets, whatever stands before and after it."""
    marks = Marks({"password": secret})
    content = before + secret.encode() + after
    for encoded in (base64.b64encode(content), base64.urlsafe_b64encode(content)):
        assert marks.find(encoded) == {"password"}


@given(SECRETS)
def test_a_secret_in_a_url(secret: str) -> None:
    """It is found as it is and quoted, in path and query."""
    marks = Marks({"password": secret})
    for path in (f"/{secret}", f"/x?y={quote(secret, safe='')}", f"/x?y={quote_plus(secret)}"):
        assert Found("password", "url") in marks.find_in_request(path, {})


def test_where_it_is() -> None:
    """A header is named in what is found; a request without a secret has nothing."""
    marks = Marks({"password": SECRET, "token": "another thing altogether"})
    basic = base64.b64encode(f"tester:{SECRET}".encode()).decode()
    headers = {"authorization": f"Basic {basic}", "user-agent": "ack-release"}
    assert marks.find_in_request("/v2/", headers) == (Found("password", "header authorization"),)
    assert marks.find_in_request("/v2/", {"user-agent": "ack-release"}) == ()


@given(st.lists(st.integers(min_value=1, max_value=30), max_size=8))
def test_a_secret_across_pieces_of_a_body(sizes: list[int]) -> None:
    """It is found however the body is cut into pieces, and the pieces pass unchanged."""
    whole = f"username=tester&password={SECRET}&scope=all".encode()
    cuts = [0, *(sum(sizes[: number + 1]) for number in range(len(sizes))), len(whole)]
    pieces = [whole[start:end] for start, end in itertools.pairwise(cuts)]
    body = Marks({"password": SECRET}).body()
    assert b"".join(body.pass_on(pieces)) == whole
    assert body.found == (Found("password", "body"),)


def test_a_secret_too_short_to_be_marked() -> None:
    """One that would be found by accident is refused by name."""
    with pytest.raises(ValueError, match="pin"):
        Marks({"pin": "1234"})


def test_no_secrets() -> None:
    """Without secrets nothing is found."""
    marks = Marks({})
    assert not marks
    assert marks.find(b"anything") == frozenset()
