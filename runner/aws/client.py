"""What a client of AWS is made with: where it asks, and with whose credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class RoleCredentials:
    """Credentials of an assumed role, which do not show in its representation.

    ``role`` is its ARN; ``expires`` is when they are renewed, in seconds since the epoch.
    """

    role: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expires: float | None


@dataclass(frozen=True)
class Endpoint:
    """Where a client asks: a service by botocore's name, its region (None: the environment's), and which address."""

    service: str
    region: str | None
    fips: bool = False
    dual_stack: bool = False


class OpenClient(Protocol):
    """Makes a client of boto3 with the credentials of a role, or None for the job's own."""

    def __call__(self, endpoint: Endpoint, role: RoleCredentials | None) -> Any:  # noqa: ANN401 - boto3 makes them
        """Return the client; it may raise what ``problem.RAISED`` lists."""
        ...
