"""Clients of boto3: with which credentials, time limits and certificates they ask AWS."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
import urllib3
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError, ResponseStreamingError
from botocore.parsers import ResponseParserError

from runner import __version__
from runner.aws.problem import AnswerTooLarge
from runner.foreign.documents import TooLarge, read_json
from runner.oci.connections import SLOWEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runner.aws.client import Endpoint, RoleCredentials

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 30
ATTEMPTS: Final = 3
ANSWER_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of an answer that are read; AWS's have some KiB."""
CHUNK: Final = 64 * 1024
MALFORMED: Final = (AttributeError, IndexError, KeyError, TypeError, OverflowError, RecursionError, RuntimeError)
"""What botocore's parsers raise where an answer is JSON or XML, but holds other types than AWS's model says."""


class _Bounded:
    """Sends as botocore's HTTP session does, but reads no answer that is too large, slow or deep.

    Args:
        send: of the session.
    """

    def __init__(self, send: Callable[..., Any]) -> None:
        self._send = send

    def send(self, request: Any) -> Any:  # noqa: ANN401 - botocore has no types of them
        """Send, and read the answer as far as it may go; raises what botocore's session does, and AnswerTooLarge."""
        streamed, request.stream_output = request.stream_output, True
        response = self._send(request)
        request.stream_output = streamed
        if not streamed:
            response.raw = _Body(self._read(request, response))
        return response

    @staticmethod
    def _read(request: Any, response: Any) -> bytes:  # noqa: ANN401 - as above
        began = time.monotonic()
        body = bytearray()
        try:
            for piece in response.raw.stream(CHUNK):
                body += piece
                if len(body) > ANSWER_LIMIT:
                    raise AnswerTooLarge(what=f"it has more than {ANSWER_LIMIT} bytes")
                if not SLOWEST.is_kept(time.monotonic() - began, len(body)):
                    raise ReadTimeoutError(endpoint_url=request.url)
        except urllib3.exceptions.HTTPError as error:
            raise ResponseStreamingError(error=error) from error
        finally:
            # What was read to its end has given its connection back; what is left of anything else is not wanted.
            response.raw.close()
        try:
            read_json(bytes(body))
        except TooLarge as error:
            # json's parser, by which botocore reads, would come to the end of the stack.
            raise AnswerTooLarge(what=error.reason) from None
        except ValueError:
            pass
        return bytes(body)


@dataclass(frozen=True)
class _Body:
    """A body that has been read, as botocore reads one."""

    content: bytes = field(repr=False)

    def stream(self, **_: object) -> Iterator[bytes]:
        """All of it."""
        yield self.content


class _Session(botocore.session.Session):
    """Makes clients whose answers are bounded, also those by which boto3 gets the job's own credentials."""

    def create_client(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as botocore has it
        client: Any = super().create_client(*args, **options)
        endpoint = client._endpoint  # noqa: SLF001 - botocore takes an HTTP session from nobody
        endpoint.http_session.send = _Bounded(endpoint.http_session.send).send
        endpoint.make_request = _reading(endpoint.make_request)
        return client


def _reading(make_request: Callable[..., Any]) -> Callable[..., Any]:
    """What sends a request and reads its answer, but that an answer of another form than AWS's is botocore's error."""

    def make(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - as botocore has it
        try:
            return make_request(*args, **options)
        except MALFORMED as error:
            raise ResponseParserError(f"the answer has another form than AWS's: {type(error).__name__}") from None

    return make


class Clients:
    """Makes clients of boto3; thread-safe.

    The job's own credentials are found by boto3's default chain: variables, web identity (IRSA), profiles, container
    (EKS Pod Identity), instance. What of them expires, boto3 renews.

    Args:
        region: for clients that name none, and for those that boto3 makes itself to get credentials.
        environment: the process's: SSL_CERT_FILE counts where AWS_CA_BUNDLE is not set, as for registries.
    """

    def __init__(self, region: str | None, environment: Mapping[str, str]) -> None:
        # boto3's sessions are not thread-safe where they make clients, and clients share what is loaded.
        self._lock = threading.Lock()
        self._region = region
        self._certificates = environment.get("SSL_CERT_FILE") if not environment.get("AWS_CA_BUNDLE") else None
        self._session: boto3.session.Session | None = None

    def __call__(self, endpoint: Endpoint, role: RoleCredentials | None) -> Any:  # noqa: ANN401 - boto3 makes them
        """Return a client with the credentials of a role, or the job's own."""
        given = (
            {}
            if role is None
            else {
                "aws_access_key_id": role.access_key,
                "aws_secret_access_key": role.secret_key,
                "aws_session_token": role.token,
            }
        )
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            user_agent_extra=f"ack-release/{__version__}",
            use_fips_endpoint=endpoint.fips or None,
            use_dualstack_endpoint=endpoint.dual_stack or None,
        )
        with self._lock:
            client: Any = self._opened().client(  # type: ignore[call-overload]  # a name that is no literal
                endpoint.service, region_name=endpoint.region, config=config, **given
            )
            return client

    def _opened(self) -> boto3.session.Session:
        if self._session is None:
            found = _Session()
            if self._certificates:
                found.set_config_variable("ca_bundle", self._certificates)
            self._session = boto3.session.Session(botocore_session=found, region_name=self._region)
        return self._session
