"""SSM and STS before moto: who may do what, whose temporary keys the account then has, and all of it recorded."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from testbed.ecr_public import model
from testbed.ecr_public.identities import Caller
from testbed.ecr_public.signatures import HEADER, Refused, authenticate
from testbed.ecr_public.upstream import ask_all
from testbed.ecr_public.wire import Exchange, WireServer

if TYPE_CHECKING:
    from testbed.ecr_public.recording import Recorder
    from testbed.ecr_public.state import State

STS = "https://sts.amazonaws.com/doc/2011-06-15/"
TARGET = "AmazonSSM."
CHAINED_SECONDS = 3600
ASSUMING = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity"})
TIME = "%Y-%m-%dT%H:%M:%SZ"


class AwsServer(WireServer):
    """Serves SSM and STS.

    Args:
        state: what it shares with the other servers.
        moto: ``HOST:PORT`` of the server that does the work.
    """

    def __init__(self, state: State, moto: str) -> None:
        super().__init__(_Exchange)
        self.state = state
        self.moto = moto


@dataclass(frozen=True)
class _Asked:
    """A request for one of the two services, and its parameters."""

    service: str
    operation: str
    given: dict[str, Any]
    region: str

    @property
    def resource(self) -> str:
        """What IAM calls the thing that it is about; ``{account}`` stands for the account's number."""
        if self.service == "sts":
            return str(self.given.get("RoleArn", "*"))
        name = self.given.get("Name")
        return "*" if name is None else f"arn:aws:ssm:{self.region}:{{account}}:parameter/{str(name).removeprefix('/')}"


class _Fault(Exception):
    """A request is answered with an error: status and code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Exchange(Exchange):
    server: AwsServer

    @property
    def recorder(self) -> Recorder:
        """Where calls are recorded."""
        return self.server.state.recorder

    def handle_request(self) -> None:
        """Answer, or let moto answer who may have one."""
        self.kept = self.read_body()
        asked = _read(self.kept, self.sent_headers)
        self.name, self.actions = asked.service, (f"{asked.service}:{asked.operation}",)
        try:
            caller = self._check(asked)
            if asked.operation == "GetCallerIdentity" and caller is not None:
                self.answer(200, self._identity(caller), {"Content-Type": "text/xml"})
                return
            status, answer, headers = ask_all(
                self.server.moto, self.command, self.path, dict(self.headers.items()), self.kept
            )
            if status == http.client.OK and asked.service == "sts" and asked.operation in ASSUMING:
                answer = self._remember(answer)
            self.answer(status, answer, {"Content-Type": headers.get("content-type", "text/xml")})
        except _Fault as fault:
            self._answer_fault(asked.service, fault)

    def _check(self, asked: _Asked) -> Caller | None:
        account = self.server.state.account
        caller = self._caller(asked)
        self.identity = None if caller is None else caller.arn
        if asked.service == "sts" and asked.operation in ASSUMING:
            self._check_session(asked, caller)
        [action] = self.actions
        if action == "sts:GetCallerIdentity":
            return caller
        denial = account.denial(self.identity or "", action, asked.resource.format(account=account.number))
        if denial is not None and caller is None:
            raise _Fault(403, "AccessDenied", f"Not authorized to perform {action}")
        if denial is not None:
            sts = asked.service == "sts"
            raise _Fault(403 if sts else 400, "AccessDenied" if sts else "AccessDeniedException", denial)
        return caller

    def _caller(self, asked: _Asked) -> Caller | None:
        if asked.operation == "AssumeRoleWithWebIdentity":
            return None
        sts = asked.service == "sts"
        account = self.server.state.account
        try:
            return authenticate(account, self.command, self.path, self.sent_headers, self.kept).caller
        except Refused as error:
            raise _Fault(403 if sts else 400, error.sts_code if sts else error.code, str(error)) from None

    def _check_session(self, asked: _Asked, caller: Caller | None) -> None:
        shape = model.service("sts").operation_model(asked.operation).input_shape
        for name, value in asked.given.items():
            member = shape.members.get(name)
            if member is None or member.type_name not in {"string", "integer"}:
                continue
            try:
                model.check(int(value) if member.type_name == "integer" else value, member, name)
            except (model.InvalidRequest, ValueError) as error:
                raise _Fault(400, "ValidationError", f"1 validation error detected: {error}") from None
        seconds = int(asked.given.get("DurationSeconds", CHAINED_SECONDS))
        if caller is not None and caller.token is not None and seconds > CHAINED_SECONDS:
            raise _Fault(
                400,
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            )
        if seconds > self.server.state.switches.longest_session_seconds:
            raise _Fault(
                400,
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )

    def _remember(self, answer: bytes) -> bytes:
        """Let the account have the new session's key, and shorten its life if that is switched on."""
        state = self.server.state
        tree = ET.fromstring(answer)  # noqa: S314 - our own server's
        said = {element.tag.rpartition("}")[2]: element.text or "" for element in tree.iter()}
        expiration = said["Expiration"]
        expires = datetime.fromisoformat(expiration).timestamp()
        if state.switches.session_seconds is not None:
            expires = int(state.clock() + state.switches.session_seconds)
            shortened = datetime.fromtimestamp(expires, UTC).strftime(TIME)
            answer = answer.replace(expiration.encode(), shortened.encode())
        state.account.add(
            Caller(said["AccessKeyId"], said["SecretAccessKey"], said["Arn"], said["SessionToken"], expires)
        )
        return answer

    def _identity(self, caller: Caller) -> bytes:
        number = self.server.state.account.number
        return (
            f'<GetCallerIdentityResponse xmlns="{STS}"><GetCallerIdentityResult><Arn>{escape(caller.arn)}</Arn>'
            f"<UserId>AIDAEXAMPLE</UserId><Account>{number}</Account></GetCallerIdentityResult>"
            "<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
        ).encode()

    def _answer_fault(self, service: str, fault: _Fault) -> None:
        if service == "sts":
            body = (
                f'<ErrorResponse xmlns="{STS}"><Error><Type>Sender</Type><Code>{fault.code}</Code>'
                f"<Message>{escape(str(fault))}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
            )
            self.answer(fault.status, body.encode(), {"Content-Type": "text/xml"})
            return
        document = {"__type": fault.code, "message": str(fault)}
        self.answer_json(fault.status, document, kind="application/x-amz-json-1.1")


def _read(body: bytes, headers: dict[str, str]) -> _Asked:
    """Read a request as its service writes it: SSM JSON 1.1, STS a form."""
    found = HEADER.fullmatch(headers.get("authorization", ""))
    region = "" if found is None else found["region"]
    target = headers.get("x-amz-target", "")
    if target.startswith(TARGET):
        return _Asked("ssm", re.sub(r"\W", "", target.removeprefix(TARGET)), json.loads(body or b"{}"), region)
    form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    return _Asked("sts", re.sub(r"\W", "", form.pop("Action", "")), form, region)
