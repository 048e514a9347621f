"""Answers that AWS never gives, but somebody in its place could: each ends in an honest error."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from runner.aws.boto import Clients
from runner.aws.calls import Caller
from runner.aws.identity import Identity
from runner.aws.problem import Operation
from runner.aws.services import SERVICES
from runner.aws.token import TokenLogins
from runner.config.aws import AwsSection, PublishRoleSection
from runner.config.catalog import CatalogData
from runner.errors import ExitCode, ReleaseError
from runner.oci.retries import RetryPolicy
from runner.runtime.lifetime import Lifetime
from testbed.faults.liar import head, liar, without_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

HELD_AT_MOST = 96 * 1024 * 1024
SECONDS_AT_MOST = 30.0
DEEP = 50_000
DATA = CatalogData("A controller", "# About", "# Usage", ("x86-64",), ("Linux",))


def said(body: object, status: str = "200 OK") -> Callable[[], Iterable[bytes]]:
    """An answer with this body, as JSON where it is not bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "application/x-amz-json-1.1"
    return lambda: (head(status, Content_Type=kind, Content_Length=str(len(content)), Connection="close"), content)


ANSWERS: Mapping[str, Callable[[], Iterable[bytes]]] = {
    "a body without end": without_end(head(Connection="close"), bytes(64 * 1024)),
    "an error without end": without_end(head("400 x", Connection="close"), b"<" * 65536),
    "headers without end": without_end(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000),
    "nothing": lambda: (),
    "no HTTP": lambda: (b"\x1b[31mERROR: owned\r\n\r\n",),
    "nested deep": said(b'{"authorizationData": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
    "an error nested deep": said(b'{"__type": ' + b"[" * DEEP + b"]" * DEEP + b"}", "400 x"),
    "XML nested deep": said(b"<a>" * DEEP + b"</a>" * DEEP),
    "XML of entities": said(
        b'<!DOCTYPE a [<!ENTITY a0 "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
        + b"]><a>&a9;</a>"
    ),
    "XML of a file": said(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
    "not UTF-8": said(b'{"authorizationData": "\xff"}'),
    "half a character": said(
        rb'{"authorizationData": {"authorizationToken": "\ud800"}, "Parameter": {"Value": "\ud800"}}'
    ),
    "a list": said([]),
    "text": said("ERROR: owned"),
    "other types": said({"authorizationData": [[]], "Parameter": [], "repository": 1, "catalogData": "x"}),
    "text for structures": said({"authorizationData": "abc", "Parameter": "abc", "repository": "abc"}),
    "a token of types": said({"authorizationData": {"authorizationToken": 5, "expiresAt": "never"}}),
    "a token that is none": said({"authorizationData": {"authorizationToken": "\u001b[31m", "expiresAt": 1e300}}),
    "a token of a year": said({"authorizationData": {"authorizationToken": "QVdTOng=", "expiresAt": -1e18}}),
    "a parameter of lines": said({"Parameter": {"Value": "arn:aws:iam::123456789012:role/a\nERROR: owned"}}),
    "an error of lines": said({"__type": "A\nERROR: owned", "message": "\u001b[31m\rRELEASED: owned"}, "400 x"),
    "an error of types": said({"__type": ["a"], "message": {"a": 1}, "code": 5}, "400 x"),
    "an error that says who": said(
        {"__type": "AccessDeniedException", "message": "User: " * 100_000 + "x is not authorized"}, "400 x"
    ),
    "a redirect": lambda: (head("302 x", Location="http://evil.example/", Content_Length="0"),),
}


@pytest.fixture(autouse=True)
def own_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The process has an identity and no other setting of AWS's; boto3 itself makes one attempt."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "own")
    monkeypatch.setattr("runner.aws.boto.READ_SECONDS", 3)
    monkeypatch.setattr("runner.aws.boto.ATTEMPTS", 1)


@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, "ecr-public") for name in ANSWERS), ("text for structures", "ecr"), ("other types", "ecr")],
)
def test_hostile_answer(monkeypatch: pytest.MonkeyPatch, name: str, kind: str) -> None:
    """Whatever AWS answers to any of the calls: an error in words of its own, soon, within memory."""
    caller = Caller(Lifetime(), seconds=0.2, pauses=RetryPolicy(first_pause=0.05, longest_pause=0.1))
    with liar(ANSWERS[name]) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server.host}")
        section = AwsSection(publish_role=PublishRoleSection(parameter="/parameter"))
        clients = Clients("us-west-2", {})
        own = Identity(AwsSection(), "us-west-2", "session", caller, clients)
        role = Identity(section, "us-west-2", "session", caller, clients)
        arn = PublishRoleSection(arn="arn:aws:iam::123456789012:role/p")
        assumed = Identity(AwsSection(publish_role=arn), "us-west-2", "session", caller, clients)
        service = SERVICES["ecr-public" if kind == "ecr-public" else "ecr"](server.host, "us-east-1")

        def ensure() -> object:
            client = own.client(service.endpoint)

            def ask(action: str, about: str, call: Callable[[], Any]) -> Any:
                return caller.ask(Operation(action, "somebody", about), call)

            return service.ensure(client, "controller", DATA, ask)

        calls: list[Callable[[], object]] = [
            TokenLogins(server.host, service, own, caller).check,
            lambda: role.client(service.endpoint),
            lambda: assumed.client(service.endpoint),
            ensure,
        ]
        for call in calls:
            ends_honestly(call, measured="without end" in name)


def ends_honestly(call: Callable[[], object], *, measured: bool) -> None:
    """The call ends with an error of its own class, or takes what can be taken; in time and memory."""
    began = time.monotonic()
    peak = 0
    if measured:
        tracemalloc.start()
    try:
        with pytest.raises(ReleaseError) as caught:
            call()
        if measured:
            _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < SECONDS_AT_MOST
    assert peak < HELD_AT_MOST
    assert caught.value.exit_code in {ExitCode.USAGE, ExitCode.REGISTRY_FAILED, ExitCode.CREDENTIALS}
    assert len(caught.value.cause) < 2000
