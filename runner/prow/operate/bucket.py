"""What Prow keeps of a job in its bucket, read through boto3 with what the environment gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.exceptions import ClientError

from runner.aws.client import Endpoint
from runner.aws.problem import RAISED, Operation, error_code, read_problem
from runner.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.aws.client import OpenClient
    from runner.prow.operate.prowjob import Place
    from runner.report.console import Log

SUPPORTED: Final = "s3"
ABSENT: Final = frozenset({"NoSuchKey", "404", "NotFound"})
CHUNK: Final = 65536


class Kept(Protocol):
    """What is kept of jobs."""

    def read(self, place: Place, name: str) -> bytes | None:
        """A file; None where there is none."""
        ...

    def lines(self, place: Place, name: str) -> Iterator[str] | None:
        """A file's lines; None where there is none."""
        ...


class Bucket:
    """Buckets of S3, or of what speaks its protocol: credentials, region and endpoint are boto3's to find.

    Args:
        clients: makes clients of boto3; none is made before something is read.
        log: is told of each request.

    What it reads raises LogUnavailable where the bucket is of another kind or does not answer.
    """

    def __init__(self, clients: OpenClient, log: Log) -> None:
        self._clients = clients
        self._log = log
        self._made: Any = None

    def read(self, place: Place, name: str) -> bytes | None:
        """What a file holds; None where there is none."""
        body = self._open(place, name)
        if body is None:
            return None
        try:
            content: bytes = body.read()
        except RAISED as error:
            raise self._problem(error, place, name) from error
        return content

    def lines(self, place: Place, name: str) -> Iterator[str] | None:
        """The lines of a file, which is not kept in memory; None where there is none."""
        body = self._open(place, name)
        return None if body is None else self._lines(body, place, name)

    def _lines(self, body: Any, place: Place, name: str) -> Iterator[str]:  # noqa: ANN401 - botocore's
        try:
            for line in body.iter_lines(CHUNK):
                yield line.decode(errors="replace")
        except RAISED as error:
            raise self._problem(error, place, name) from error

    def _open(self, place: Place, name: str) -> Any:  # noqa: ANN401 - as above
        if place.provider != SUPPORTED:
            raise LogUnavailable(
                f"{place} is in a bucket of another kind than S3, which this program does not read",
            )
        self._log.debug("request", asked=f"GetObject {place}/{name}")
        try:
            if self._made is None:
                self._made = self._clients(Endpoint("s3", None), None)
            return self._made.get_object(Bucket=place.bucket, Key=f"{place.folder}/{name}")["Body"]
        except RAISED as error:
            if isinstance(error, ClientError) and error_code(error) in ABSENT:
                return None
            raise self._problem(error, place, name) from error

    def _problem(self, error: BaseException, place: Place, name: str) -> LogUnavailable:
        problem = read_problem(error, Operation("s3:GetObject", "this user", f"{place}/{name}")).error
        return LogUnavailable(
            problem.cause,
            remedy="Give boto3 credentials that may read the bucket (AWS_PROFILE, AWS_ENDPOINT_URL_S3), or open the"
            " job's page in Prow.",
        )
