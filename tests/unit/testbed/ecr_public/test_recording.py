from __future__ import annotations

import pytest

from testbed.ecr_public.recording import Call, Recorder


def call(identity: str | None = "arn:one", *actions: str) -> Call:
    headers = {"authorization": "Bearer the-token", "host": "here"}
    return Call("registry", "PUT", "/v2/a?digest=the-digest", headers, b"the-body", identity, actions, 201)


def test_secrets() -> None:
    """The headers that carry secrets are told from the others."""
    assert call().secrets == {"authorization": "Bearer the-token"}
    assert call().plain_path == "/v2/a"


@pytest.mark.parametrize(
    ("text", "there"), [("the-token", True), ("the-body", True), ("the-digest", True), ("no", False)]
)
def test_where_a_text_is_looked_for(text: str, there: bool) -> None:  # noqa: FBT001 - a parameter
    """A text is found in a request's path, headers and body."""
    assert call().holds(text) == there


def test_the_order() -> None:
    """Calls are kept in their order; those after a mark can be forgotten, and all."""
    recorder = Recorder()
    first, second = call("arn:one"), call("arn:two")
    recorder.add(first)
    mark = recorder.mark()
    recorder.add(second)
    assert list(recorder.calls) == [first, second]
    recorder.rewind(mark)
    assert list(recorder.calls) == [first]
    recorder.clear()
    assert not recorder.calls


def test_actions() -> None:
    """What was done is told for everybody, or for one."""
    recorder = Recorder()
    recorder.add(call("arn:one", "ecr-public:PutImage"))
    recorder.add(call("arn:two", "sts:AssumeRole", "ssm:GetParameter"))
    assert recorder.actions() == {"ecr-public:PutImage", "sts:AssumeRole", "ssm:GetParameter"}
    assert recorder.actions("arn:one") == {"ecr-public:PutImage"}
