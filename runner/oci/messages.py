"""Requests to registries and their outcomes, as values whose representation shows nothing secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.errors import RegistryFailed, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import urllib3


@dataclass(frozen=True)
class Body:
    """The body of a request, which can be sent again: ``chunks`` starts over each time; ``size`` in bytes."""

    size: int
    chunks: Callable[[], Generator[bytes, None, None]]

    @classmethod
    def of(cls, content: bytes) -> Body:
        """A body that is held in memory."""

        def chunks() -> Generator[bytes, None, None]:
            if content:
                yield content

        return cls(len(content), chunks)


@dataclass(frozen=True)
class Request:
    """One HTTP request; headers and the query of ``url`` may be secret and do not show in its representation."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """Host and port as in the URL, without user information."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def path(self) -> str:
        """The URL's path, without its query."""
        return urlsplit(self.url).path

    def __str__(self) -> str:
        return f"{self.method} {self.host}{self.path}"


@dataclass(frozen=True)
class Exchange:
    """What was observed of one request, for logs and counts. ``status`` is None when there was no answer."""

    method: str
    host: str
    path: str
    status: int | None
    seconds: float
    sent: int
    received: int
    problem: str | None


@dataclass(frozen=True)
class Answer:
    """An answer that was read to its end; the names of ``headers`` are case-insensitive."""

    request: Request
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes


class Wait(Enum):
    """Why a step is repeated; a run waits for each of these for a limited time. The value says it in words."""

    RATE_LIMITED = "too many requests"
    SERVER_ERROR = "server errors"
    CONNECTION = "connections that fail"
    NOT_VISIBLE = "what is pushed and not visible yet"


class TransientFailure(Exception):
    """A step failed in a way that may not happen again on another attempt.

    Args:
        request: the request that failed.
        problem: a description of what happened.
        retry_after: how many seconds the registry asked to wait.
        error: the class of the error that is raised once the retries are used up.
        wait: what is waited for.
        attempts: with how many such failures it is clear that no further attempt helps; None where that is never clear.
        remedy: what to do once the retries are used up; the error's own when left out.
        waited: for how many seconds nothing came until the request was given up; they count as waiting.
    """

    def __init__(
        self,
        request: Request,
        problem: str,
        *,
        retry_after: float | None = None,
        error: type[ReleaseError] = RegistryFailed,
        wait: Wait = Wait.SERVER_ERROR,
        attempts: int | None = None,
        remedy: str | None = None,
        waited: float = 0.0,
    ) -> None:
        super().__init__(f"{request}: {problem}")
        self.request = request
        self.problem = problem
        self.retry_after = retry_after
        self.error = error
        self.wait = wait
        self.attempts = attempts
        self.remedy = remedy
        self.waited = waited
