"""What AWS answered, or why it did not, as an error with its exit code and remedy. Pure."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import urllib3
from botocore import exceptions as botocore
from botocore.parsers import ResponseParserError
from botocore.session import get_session

from runner.config.aws import REGION
from runner.errors import (
    AwsCredentialsUnusable,
    AwsFailed,
    AwsPermissionMissing,
    AwsSettingWrong,
    ReleaseError,
)
from runner.oci.connections import is_loopback
from runner.oci.problem import causes, printable

if TYPE_CHECKING:
    from collections.abc import Mapping


class AnswerIncomplete(Exception):
    """An answer lacks what AWS always gives there; botocore reads an answer that is no JSON as one without members.

    Args:
        member: what it lacks.
    """

    def __init__(self, member: str) -> None:
        super().__init__(f"the answer has no {member}")


class AnswerTooLarge(botocore.HTTPClientError):
    """An answer is longer, or nested deeper, than any of AWS's; botocore itself reads whatever comes."""

    fmt = "the answer is too large: {what}"


RAISED: Final = (
    AnswerIncomplete,
    botocore.BotoCoreError,
    botocore.ClientError,
    ResponseParserError,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
)
"""What a call of boto3 can raise, beside bugs: botocore lets through what it meets where it reads files."""

DENIED: Final = frozenset(
    {
        *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"),
        *("NotAuthorized", "NotAuthorizedException", "AuthorizationError", "AuthorizationErrorException"),
    }
)
SIGNATURE: Final = frozenset(
    {
        *("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException"),
    }
)
UNUSABLE: Final = SIGNATURE | frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "InvalidTokenException"),
        *("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure"),
        *("MissingAuthenticationToken", "MissingAuthenticationTokenException", "InvalidIdentityToken"),
        *("InvalidIdentityTokenException", "IDPRejectedClaim", "OptInRequired", "SubscriptionRequiredException"),
    }
)
CLOCK: Final = frozenset({"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"})
_CLOCK_WORDS: Final = re.compile(r"signature expired|signature not yet current", re.IGNORECASE)
WRONG_SETTING: Final = frozenset(
    {
        *("ParameterNotFound", "ParameterVersionNotFound", "InvalidKeyId", "RegionDisabledException"),
        *("UnsupportedCommandException", "ValidationError", "ValidationException", "InvalidParameterException"),
    }
)
TRANSIENT: Final = frozenset(
    {
        *("TooManyRequestsException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException"),
        *("SlowDown", "BandwidthLimitExceeded", "ProvisionedThroughputExceededException", "PriorRequestNotComplete"),
        *("RequestTimeout", "RequestTimeoutException", "InternalError", "InternalFailure", "InternalServerError"),
        *("ServiceUnavailable", "ServiceUnavailableException", "ServerException", "IDPCommunicationError"),
    }
)
"""Codes after which another attempt may pass; so may all that begin with Thrott, and every 5xx and 429."""

LIMIT: Final = "LimitExceededException"

NO_CREDENTIALS: Final = (
    botocore.NoCredentialsError,
    botocore.PartialCredentialsError,
    botocore.CredentialRetrievalError,
    botocore.NoAuthTokenError,
    botocore.TokenRetrievalError,
    botocore.UnknownCredentialError,
    botocore.UnknownTokenProviderError,
    botocore.MetadataRetrievalError,
    botocore.RefreshWithMFAUnsupportedError,
    botocore.SSOError,
    botocore.LoginError,
    botocore.ProfileNotFound,
    botocore.ConfigParseError,
    botocore.ConfigNotFound,
    botocore.InvalidConfigError,
    botocore.InvalidIMDSEndpointError,
    botocore.InvalidIMDSEndpointModeError,
    botocore.MissingDependencyException,
)
NOT_GIVEN: Final = (botocore.CredentialRetrievalError, botocore.MetadataRetrievalError)
"""What is raised where whoever gives the job's credentials, such as a node's agent, does not answer as it should."""

NO_ANSWER: Final = (
    botocore.ConnectionError,
    botocore.HTTPClientError,
    botocore.IncompleteReadError,
    AnswerIncomplete,
    ResponseParserError,
    urllib3.exceptions.HTTPError,
)
WORDS: Final[tuple[tuple[tuple[type[BaseException], ...], str], ...]] = (
    ((urllib3.exceptions.NameResolutionError,), "the host's name does not resolve"),
    ((botocore.ConnectTimeoutError,), "no connection within the time allowed"),
    ((botocore.ReadTimeoutError,), "no answer within the time allowed"),
    ((botocore.ConnectionClosedError,), "the connection was closed without an answer"),
    ((botocore.ProxyConnectionError,), "the proxy cannot be reached"),
    ((botocore.SSLError,), "no TLS connection: its certificate is not trusted, or TLS is refused"),
    ((botocore.ResponseStreamingError, botocore.IncompleteReadError), "the answer was cut short"),
    ((AnswerTooLarge,), "the answer is too large"),
    ((ResponseParserError,), "the answer cannot be read"),
)
"""How a failure without an answer is described; the first match counts."""

_SAYS_WHO = re.compile(
    r"User: (?P<who>\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>[^\s\"]+))?"
)


@dataclass(frozen=True)
class Operation:
    """What AWS is asked for.

    Attributes:
        action: as in IAM's policies, ``ecr-public:CreateRepository``.
        identity: who asks, in words: a role with its ARN, or the job's own identity.
        about: what it is about, for people; empty where the action says all.
        also: a further action that AWS asks for, where its message does not say which one is missing.
    """

    action: str
    identity: str
    about: str = ""
    also: str = ""

    def __str__(self) -> str:
        return f"{self.action} ({self.about})" if self.about else self.action


@dataclass(frozen=True)
class AwsProblem:
    """What went wrong, and whether another attempt may pass."""

    error: ReleaseError
    is_transient: bool = False


def read_problem(error: BaseException, operation: Operation) -> AwsProblem:
    """Say what it means that a call raised this, one of ``RAISED``."""
    if isinstance(error, botocore.ClientError):
        return _answered(error, operation)
    if isinstance(error, NO_CREDENTIALS):
        return AwsProblem(
            AwsCredentialsUnusable(f"{operation} cannot be asked of AWS without credentials: {printable(str(error))}"),
            is_transient=isinstance(error, NOT_GIVEN),
        )
    if isinstance(error, botocore.NoRegionError):
        return AwsProblem(
            AwsSettingWrong(
                f"{operation} cannot be asked of AWS: no region is known",
                remedy="Set aws.region in jobs.yaml, or AWS_REGION in the job's environment, then rerun.",
            )
        )
    if isinstance(error, NO_ANSWER):
        return _unanswered(error, operation)
    if isinstance(error, OSError) and error.filename is not None:
        return AwsProblem(
            AwsCredentialsUnusable(
                f"{operation} cannot be asked of AWS: {error.filename} cannot be read: {error.strerror}",
                remedy=f"Mount {error.filename} where the job can read it, then rerun.",
            )
        )
    return AwsProblem(AwsSettingWrong(f"{operation} cannot be asked of AWS: {printable(str(error))}"))


def stated(answer: object, *members: str) -> Any:  # noqa: ANN401 - of any type in AWS's model
    """Return a member of an answer, or of one of its members, that AWS always gives.

    Raises:
        AnswerIncomplete: it is not there; every member is optional in AWS's model.
    """
    for place, member in enumerate(members, 1):
        found = answer.get(member) if isinstance(answer, dict) else None
        if not found:
            raise AnswerIncomplete(".".join(members[:place]))
        answer = found
    return answer


def error_code(error: botocore.ClientError) -> str:
    """AWS's name of the error; empty where the answer has none."""
    return str(_part(error, "Error").get("Code", ""))


def _part(error: botocore.ClientError, key: str) -> Mapping[str, object]:
    part = error.response.get(key)
    return part if isinstance(part, dict) else {}


def _answered(error: botocore.ClientError, operation: Operation) -> AwsProblem:
    code, message = error_code(error), str(_part(error, "Error").get("Message", ""))
    status = _part(error, "ResponseMetadata").get("HTTPStatusCode")
    said = printable(": ".join(filter(None, (code, message))) or f"HTTP {status}")
    if code in DENIED:
        return AwsProblem(_denied(error, said, message, operation))
    if _may_pass(code, status):
        return AwsProblem(AwsFailed(f"AWS did not carry out {operation}: {said}"), is_transient=True)
    return AwsProblem(_refused(code, said, message, operation))


def _may_pass(code: str, status: object) -> bool:
    failed = isinstance(status, int) and status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return failed or status == HTTPStatus.TOO_MANY_REQUESTS or code in TRANSIENT or code.startswith("Thrott")


def _refused(code: str, said: str, message: str, operation: Operation) -> ReleaseError:
    if code in CLOCK or (code in SIGNATURE and _CLOCK_WORDS.search(message)):
        return AwsCredentialsUnusable(
            f"AWS refuses {operation}, because the clock of this machine is wrong: {code}",
            remedy="Set the node's clock (NTP), then rerun.",
        )
    if code in UNUSABLE:
        # The message about a signature repeats the request's headers, and one of them is the session's token.
        return AwsCredentialsUnusable(
            f"AWS refuses the credentials for {operation}: {code if code in SIGNATURE else said}"
        )
    if code in WRONG_SETTING:
        return AwsSettingWrong(f"AWS refuses {operation}: {said}")
    quota = "Raise the account's quota (Service Quotas) or delete what is not used, then rerun."
    return AwsFailed(f"AWS refuses {operation}: {said}", remedy=quota if code == LIMIT else None)


def _denied(error: botocore.ClientError, said: str, message: str, operation: Operation) -> AwsPermissionMissing:
    stated = _SAYS_WHO.search(message)
    who, actions, resource = operation.identity, [operation.action, *filter(None, [operation.also])], operation.about
    if stated is not None:
        who, actions, resource = stated["who"], [stated["action"]], stated["resource"] or operation.about
    elif error.operation_name == "AssumeRoleWithWebIdentity":
        who, actions = "the job's service account", ["sts:AssumeRoleWithWebIdentity"]
    action, who, resource = " and ".join(map(printable, actions)), printable(who), printable(resource)
    on = f" on {resource}" if resource else ""
    trust = " Its trust policy must name who assumes it, too." if actions[0].startswith("sts:AssumeRole") else ""
    return AwsPermissionMissing(
        f"AWS does not allow {who} the action {action}{on}: {said}",
        remedy=f"Allow {action}{on} in the IAM policies of {who}, then rerun; docs/aws.md lists what a release needs."
        f"{trust}",
    )


def _unanswered(error: BaseException, operation: Operation) -> AwsProblem:
    found = tuple(causes(error))
    words = next((text for kinds, text in WORDS if any(isinstance(one, kinds) for one in found)), "")
    words = str(error) if isinstance(error, AnswerIncomplete) else words
    system = next((one.strerror.lower() for one in found if isinstance(one, OSError) and one.strerror), "")
    endpoint = _endpoint(error)
    problem = system or words or "no connection"
    host = f" at {endpoint}" if endpoint else ""
    refused = any(isinstance(one, OSError) and one.errno == errno.ECONNREFUSED for one in found)
    unresolved = any(isinstance(one, urllib3.exceptions.NameResolutionError) for one in found)
    hopeless = unresolved or (refused and is_loopback(endpoint)) or isinstance(error, botocore.SSLError)
    cause = f"{operation} was not answered as it should be{host}: {problem}"
    if unresolved and (region := _unknown_region(endpoint)):
        return AwsProblem(AwsSettingWrong(f"{cause}; AWS has no region {region} that is known here"))
    return AwsProblem(AwsFailed(cause), is_transient=not hopeless)


def _unknown_region(endpoint: str) -> str | None:
    """The region in an endpoint's name, where botocore knows none of that name."""
    found = REGION.search(endpoint)
    if found is None:
        return None
    session = get_session()
    known = (session.get_available_regions("sts", partition) for partition in session.get_available_partitions())
    return None if any(found[0] in regions for regions in known) else found[0]


def _endpoint(error: BaseException) -> str:
    """Host and port of the endpoint that was to answer; empty where the error does not say."""
    arguments = getattr(error, "kwargs", {})
    url = arguments.get("endpoint_url") or arguments.get("proxy_url") if isinstance(arguments, dict) else None
    return urlsplit(str(url)).netloc.rpartition("@")[2] if url else ""
