from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.challenge import Challenge, read_challenges

TOKEN = st.text(string.ascii_lowercase + string.digits + "!#$%&'*+.^_`|~-", min_size=1, max_size=8)
SCHEME = st.from_regex(r"[a-z][a-z0-9._~-]{0,8}", fullmatch=True)
CHALLENGE = st.builds(Challenge, SCHEME, st.dictionaries(TOKEN, st.text(max_size=12), max_size=3))


def written(challenge: Challenge) -> str:
    """The challenge as a server writes it, every value quoted."""
    escaped = {name: re.sub(r'(["\\])', r"\\\1", value) for name, value in challenge.parameters.items()}
    return challenge.scheme + ",".join(f' {name}="{value}"' for name, value in escaped.items())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (['Basic realm="tests"'], [("basic", {"realm": "tests"})]),
        (
            ['Bearer realm="https://a/token",service="a",scope="repository:b:pull,push"'],
            [("bearer", {"realm": "https://a/token", "service": "a", "scope": "repository:b:pull,push"})],
        ),
        (
            ['Bearer realm="x, Basic y",service="a", Basic realm="z"'],
            [("bearer", {"realm": "x, Basic y", "service": "a"}), ("basic", {"realm": "z"})],
        ),
        (["BASIC Realm=tests", "Negotiate"], [("basic", {"realm": "tests"}), ("negotiate", {})]),
        (["Bearer realm = https://a/token , service=a"], [("bearer", {"realm": "https://a/token", "service": "a"})]),
        (["Basic"], [("basic", {})]),
        (["Negotiate YWJj==, Basic"], [("negotiate", {}), ("basic", {})]),
        ([r'Digest realm="a\", Basic b"'], [("digest", {"realm": 'a", Basic b'})]),
        (['Bearer realm="x, Basic y'], [("bearer", {})]),
        (['Basic realm="a", realm="b"'], [("basic", {"realm": "a"})]),
        (["Basic", 'realm="x"'], [("basic", {})]),
        (["realm=Basic"], []),
        ([", ,"], []),
        ([""], []),
        ([], []),
    ],
)
def test_challenges_are_read(headers: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    """All challenges are found with their parameters, however many stand in one header and whatever is quoted."""
    assert read_challenges(headers) == tuple(Challenge(scheme, parameters) for scheme, parameters in expected)


@given(st.lists(CHALLENGE, max_size=3), st.booleans())
def test_what_is_written_is_read(challenges: list[Challenge], together: bool) -> None:  # noqa: FBT001  # drawn
    """Challenges that are written by the grammar are read as they were, in one header or in several."""
    headers = [written(challenge) for challenge in challenges]
    assert read_challenges([", ".join(headers)] if together else headers) == tuple(challenges)


@given(st.lists(st.text(max_size=40) | st.text(' ,="\\aB', max_size=20), max_size=3))
def test_any_challenge_can_be_read(headers: list[str]) -> None:
    """No header makes reading the challenges fail, and every name is in lower case."""
    for challenge in read_challenges(headers):
        assert all(name == name.lower() for name in (challenge.scheme, *challenge.parameters))
