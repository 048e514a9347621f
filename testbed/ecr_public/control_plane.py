"""ECR Public's API, as boto3 speaks to it: JSON 1.1, signed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from testbed.ecr_public import model
from testbed.ecr_public.operations import OPERATIONS, ApiError
from testbed.ecr_public.signatures import Refused, authenticate
from testbed.ecr_public.state import REGION
from testbed.ecr_public.wire import Exchange, WireServer

if TYPE_CHECKING:
    from testbed.ecr_public.recording import Recorder
    from testbed.ecr_public.state import State

TARGET = "SpencerFrontendService."
JSON_KIND = "application/x-amz-json-1.1"
ALSO_NEEDED = {"GetAuthorizationToken": ("sts:GetServiceBearerToken",)}
"""What else a caller must be allowed, beside the operation itself."""


class ControlPlaneServer(WireServer):
    """Serves the API over the repositories of one registry.

    Args:
        state: what it shares with the other servers.
        port: where it listens; 0: on a free port.
    """

    def __init__(self, state: State, port: int = 0) -> None:
        super().__init__(_Exchange, port)
        self.state = state


class _Exchange(Exchange):
    server: ControlPlaneServer
    name = model.NAME

    @property
    def recorder(self) -> Recorder:
        """Where calls are recorded."""
        return self.server.state.recorder

    def handle_request(self) -> None:
        """Carry out one operation."""
        self.kept = self.read_body()
        status, document = self._answered(self.kept)
        self.answer_json(status, document, kind=JSON_KIND)

    def _answered(self, body: bytes) -> tuple[int, dict[str, Any]]:
        operation = self.headers.get("X-Amz-Target", "").removeprefix(TARGET)
        if operation not in OPERATIONS:
            return 400, {"__type": "UnknownOperationException"}
        self.actions = (f"{model.NAME}:{operation}", *ALSO_NEEDED.get(operation, ()))
        try:
            answer = self._carried_out(operation, body)
        except _Fault as error:
            return 400, {"__type": error.code, "message": str(error)}
        except model.InvalidRequest as error:
            return 400, model.error_document(operation, "InvalidParameterException", str(error), {})
        except ApiError as error:
            return 400, model.error_document(operation, error.code, str(error), error.members)
        model.check_answer(operation, answer)
        return 200, answer

    def _carried_out(self, operation: str, body: bytes) -> dict[str, Any]:
        state = self.server.state
        try:
            signed = authenticate(state.account, self.command, self.path, self.sent_headers, self.kept)
        except Refused as error:
            raise _Fault(error.code, str(error)) from None
        self.identity = caller = signed.caller.arn
        if (signed.service, signed.region) != (model.NAME, REGION):
            raise ApiError("UnsupportedCommandException", f"{operation} command is only supported in {REGION}.")
        try:
            given = json.loads(body or b"{}")
        except ValueError:
            raise _Fault("SerializationException", "") from None
        model.validate(operation, given)
        for action in self.actions:
            denial = state.account.denial(caller, action, self._resource(given))
            if denial is not None:
                raise _Fault("AccessDeniedException", denial)
        if not state.within_quota(self.actions[0]):
            raise _Fault("ThrottlingException", "Rate exceeded")
        return OPERATIONS[operation](state, caller, given)

    def _resource(self, given: dict[str, Any]) -> str:
        if "resourceArn" in given:
            return str(given["resourceArn"])
        name = given.get("repositoryName")
        return "*" if name is None else self.server.state.arn(name)


class _Fault(Exception):
    """An error that every AWS service answers, and no model names."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
