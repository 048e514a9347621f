"""As whom a release asks AWS: the job's own identity, and the role that it assumes to publish."""

from __future__ import annotations

import math
import re
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from runner.aws.client import Endpoint, RoleCredentials
from runner.aws.expiry import renew_at
from runner.aws.problem import Operation, stated
from runner.config.aws import ROLE_ARN
from runner.errors import AwsSettingWrong
from runner.oci.expiring import ExpiringStore
from runner.oci.problem import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_ssm import SSMClient
    from types_boto3_sts import STSClient

    from runner.aws.calls import Caller
    from runner.aws.client import OpenClient
    from runner.config.aws import AwsSection

OWN_IDENTITY: Final = "the job's own identity"
SESSION_NAME_LENGTH: Final = 64
SHORTEST_SESSION, LONGEST_SESSION = 900, 3600
"""Seconds: what STS allows at least, and what it allows a role that is assumed with another role's credentials (STS's
API reference, AssumeRole, DurationSeconds)."""

SPARE_SECONDS: Final = 300
"""How much longer than the run a session lasts, so that a run that has nearly come to its end renews none."""

_NOT_IN_SESSION_NAMES: Final = re.compile(r"[^\w+=,.@-]", re.ASCII)


class Identity:
    """Who publishes. Thread-safe; nothing is asked before the first client.

    Args:
        section: jobs.yaml's section.
        region: that of SSM and STS; None leaves it to AWS's own files.
        session: the name of the role's session.
        caller: calls AWS.
        open_client: makes clients.
        report: called with what was done: an event in words, and its values.
        clock: the present time, in seconds since the epoch.
    """

    def __init__(
        self,
        section: AwsSection,
        region: str | None,
        session: str,
        caller: Caller,
        open_client: OpenClient,
        *,
        report: Callable[..., object] = lambda *_, **__: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._section = section
        self._region = region
        self._session_name = session
        self._caller = caller
        self._open_client = open_client
        self._report = report
        self._clock = clock
        self._roles: ExpiringStore[None, RoleCredentials] = ExpiringStore(clock)
        self._reading = threading.Lock()
        self._role: str | None = None

    @property
    def region(self) -> str | None:
        """The region that jobs.yaml or the environment names, where one does."""
        return self._region

    @property
    def name(self) -> str:
        """Who asks AWS, in words: the role once it is known."""
        return OWN_IDENTITY if self._role is None else self._role

    def client(self, endpoint: Endpoint) -> Any:  # noqa: ANN401 - boto3 makes them
        """Return a client with credentials that are good now; the role is assumed where that has not been done.

        Raises:
            AwsPermissionMissing, AwsCredentialsUnusable, AwsSettingWrong, AwsFailed: there are no such credentials.
        """
        role = None if self._section.publish_role is None else self._roles.get(None, self._assume)
        operation = Operation(f"{endpoint.service}:*", self.name)
        return self._caller.ask(operation, lambda: self._open_client(endpoint, role))

    def _assume(self) -> RoleCredentials:
        role = self._publish_role()
        seconds = session_seconds(self._caller.remaining())
        operation = Operation("sts:AssumeRole", OWN_IDENTITY, about=role)

        def call() -> RoleCredentials:
            client: STSClient = self._open_client(Endpoint("sts", self._region), None)
            answer = client.assume_role(RoleArn=role, RoleSessionName=self._session_name, DurationSeconds=seconds)
            key, secret, token = (
                stated(answer, "Credentials", name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
            )
            expires = renew_at(answer["Credentials"].get("Expiration"), dict(answer), self._clock())
            return RoleCredentials(role, key, secret, token, expires)

        credentials = self._caller.ask(operation, call)
        self._report("role assumed", role=role, session=self._session_name, seconds=seconds)
        return credentials

    def _publish_role(self) -> str:
        """The role's ARN, read once."""
        with self._reading:
            source = self._section.publish_role
            if self._role is None and source is not None:
                self._role = source.arn or self._read_parameter(str(source.parameter))
            return str(self._role)

    def _read_parameter(self, name: str) -> str:
        operation = Operation("ssm:GetParameter", OWN_IDENTITY, about=f"the parameter {name}")
        region = name.split(":")[3] if name.startswith("arn:") else self._region

        def call() -> str:
            client: SSMClient = self._open_client(Endpoint("ssm", region), None)
            return str(stated(client.get_parameter(Name=name, WithDecryption=True), "Parameter", "Value"))

        value = self._caller.ask(operation, call).strip()
        if not ROLE_ARN.fullmatch(value):
            # What it holds instead could be anything, also a secret.
            raise AwsSettingWrong(
                f"the parameter {printable(name)} does not hold the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME",
                remedy=f"Put the ARN of the role that publishes into {printable(name)}, then rerun.",
            )
        return value


def region_of(section: AwsSection, environment: Mapping[str, str]) -> str | None:
    """Return the region of SSM and STS: jobs.yaml's, else the environment's; None leaves it to AWS's own files."""
    return section.region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None


def session_name(job: str | None, build: str | None) -> str:
    """Return the name of a role's session, by which CloudTrail shows who asked: job and build id.

    It has the letters and the length that STS allows, 2 to 64; of a job's name that is too long, the end is cut off.
    """
    name = _NOT_IN_SESSION_NAMES.sub("-", job or "ack-release")
    number = _NOT_IN_SESSION_NAMES.sub("-", build or "")[-32:]
    if not number:
        return name[:SESSION_NAME_LENGTH].ljust(2, "-")
    return f"{name[: SESSION_NAME_LENGTH - len(number) - 1]}-{number}"


def session_seconds(remaining: float | None) -> int:
    """Return how long a role's session lasts: what the run may take, within what STS allows.

    Args:
        remaining: seconds until the run's deadline; None without one.
    """
    if remaining is None:
        return LONGEST_SESSION
    return min(LONGEST_SESSION, max(SHORTEST_SESSION, math.ceil(remaining) + SPARE_SECONDS))
