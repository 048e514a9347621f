from __future__ import annotations

import errno
import inspect
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from botocore import exceptions as botocore
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from runner.aws.problem import (
    CLOCK,
    DENIED,
    RAISED,
    SIGNATURE,
    TRANSIENT,
    UNUSABLE,
    WRONG_SETTING,
    AnswerIncomplete,
    AwsProblem,
    Operation,
    read_problem,
    stated,
)
from runner.errors import (
    AwsCredentialsUnusable,
    AwsFailed,
    AwsPermissionMissing,
    AwsSettingWrong,
    ReleaseError,
)
from runner.oci.problem import SAID_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

ROLE = "arn:aws:iam::123456789012:role/publish"
CREATE = Operation("ecr-public:CreateRepository", ROLE, about="s3-chart")
SESSION_ARN = "arn:aws:sts::123456789012:assumed-role/publish/s3-release-17"


def answered(code: str, message: str = "", status: int = 400, operation: str = "CreateRepository") -> Any:
    """An error that AWS answered."""
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.ClientError(response, operation)


def read(error: BaseException, operation: Operation = CREATE) -> AwsProblem:
    return read_problem(error, operation)


# --- what AWS answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "kind", "exit_code"),
    [
        (DENIED, AwsPermissionMissing, 8),
        (UNUSABLE, AwsCredentialsUnusable, 8),
        (CLOCK, AwsCredentialsUnusable, 8),
        (WRONG_SETTING, AwsSettingWrong, 2),
        (TRANSIENT, AwsFailed, 7),
        ({"SomethingNew", ""}, AwsFailed, 7),
    ],
)
def test_codes(codes: set[str], kind: type[ReleaseError], exit_code: int) -> None:
    """Each code of AWS's is one error with one exit code; one that nobody has heard of is AWS's failure."""
    for code in codes:
        problem = read(answered(code, "because"))
        assert type(problem.error) is kind, code
        assert problem.error.exit_code == exit_code
        assert problem.is_transient == (code in TRANSIENT)


@pytest.mark.parametrize(
    "code", ["Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException"]
)
def test_throttled(code: str) -> None:
    """Whoever is throttled asks again later."""
    assert read(answered(code)).is_transient


@pytest.mark.parametrize("status", [429, 500, 502, 503, 599])
def test_statuses(status: int) -> None:
    """After a status that says so, another attempt may pass, whatever the code is."""
    assert read(answered("SomethingNew", status=status)).is_transient


def test_action_and_role_from_the_message() -> None:
    """AWS's message says which action whose identity lacks, and on what: that is what the remedy names."""
    message = (
        f"User: {SESSION_ARN} is not authorized to perform: sts:GetServiceBearerToken on resource: "
        f"{ROLE} because no identity-based policy allows the sts:GetServiceBearerToken action"
    )
    error = read(answered("AccessDeniedException", message)).error
    allow = f"Allow sts:GetServiceBearerToken on {ROLE} in the IAM policies of {SESSION_ARN}, then rerun"
    assert error.remedy.startswith(allow)
    assert f"AWS does not allow {SESSION_ARN} the action sts:GetServiceBearerToken" in error.cause
    assert "AccessDeniedException: User: " in error.cause


def test_action_and_role_where_the_message_says_nothing() -> None:
    """Where AWS gives no reason, what was asked, and as whom, is what the remedy names."""
    error = read(answered("AccessDeniedException", "denied")).error
    assert error.remedy.startswith(f"Allow ecr-public:CreateRepository on s3-chart in the IAM policies of {ROLE}")


def test_two_actions() -> None:
    """Where a call takes two permissions, and AWS does not say which is missing, both are named."""
    operation = Operation("ecr-public:GetAuthorizationToken", ROLE, also="sts:GetServiceBearerToken")
    error = read(answered("AccessDeniedException"), operation).error
    assert "Allow ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken in the IAM policies" in error.remedy


def test_role_that_may_not_be_assumed() -> None:
    """A role that cannot be assumed may lack trust as well as permission."""
    error = read(answered("AccessDenied"), Operation("sts:AssumeRole", "the job's own identity", about=ROLE)).error
    assert "trust policy" in error.remedy
    assert "trust policy" not in read(answered("AccessDenied")).error.remedy


def test_web_identity_that_is_refused() -> None:
    """Where boto3 cannot get the job's own credentials, that is the action that is named, not the one they were for."""
    error = read(answered("AccessDenied", "Not authorized", operation="AssumeRoleWithWebIdentity")).error
    assert "the action sts:AssumeRoleWithWebIdentity" in error.cause
    assert "the job's service account" in error.cause


@pytest.mark.parametrize("code", sorted(SIGNATURE))
def test_message_about_a_signature(code: str) -> None:
    """A message that repeats the signed headers, one of which is the session's token, is left out."""
    message = "The Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:MARK"
    error = read(answered(code, message)).error
    assert code in error.cause
    assert "MARK" not in error.cause + error.remedy


def test_wrong_clock() -> None:
    """A request that AWS takes to be of another time says so: the node's clock is what must be repaired."""
    message = "Signature expired: 20261128T031700Z is now earlier than 20261128T032700Z"
    for error in (answered("InvalidSignatureException", message), answered("RequestTimeTooSkewed")):
        problem = read(error)
        assert "clock" in problem.error.cause
        assert "clock" in problem.error.remedy


def test_quota() -> None:
    """A quota is not waited for; the remedy is to raise it."""
    problem = read(answered("LimitExceededException", "too many repositories"))
    assert not problem.is_transient
    assert "quota" in problem.error.remedy


@given(st.text(), st.text(), st.sampled_from([400, 403, 500, None, "x"]))
def test_any_answer(code: str, message: str, status: Any) -> None:
    """Whatever AWS answers, the error is one line without control characters, and not endless."""
    error = read(answered(code, message, status)).error
    for text in (error.cause, error.remedy):
        assert text.isprintable()
        assert len(text) < 3 * SAID_LIMIT + 400


@pytest.mark.parametrize("response", [{}, {"Error": None}, {"Error": {"Message": None}}, {"ResponseMetadata": "x"}])
def test_answer_without_an_error(response: Any) -> None:
    """An answer that lacks what the protocol promises is AWS's failure."""
    error = botocore.ClientError({"Error": {}}, "CreateRepository")
    error.response = response
    assert type(read(error).error) is AwsFailed


def test_stated() -> None:
    """A member that AWS always gives is returned; where it, or what it is in, is missing or empty, that is named."""
    assert stated({"a": {"b": "c"}}, "a", "b") == "c"
    for answer, missing in (({}, "a"), ({"a": {}}, "a"), ({"a": {"x": 1}}, "a.b"), ({"a": "text"}, "a.b"), (None, "a")):
        with pytest.raises(AnswerIncomplete, match=f"has no {missing}$"):
            stated(answer, "a", "b")


# --- where AWS does not answer ----------------------------------------------------------------------------------------


def no_endpoint(reason: BaseException, url: str = "https://ssm.us-west-2.amazonaws.com/") -> BaseException:
    return botocore.EndpointConnectionError(endpoint_url=url, error=reason)


def refused() -> OSError:
    return ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


def unresolved(host: str) -> urllib3.exceptions.NameResolutionError:
    pool: Any = None
    return urllib3.exceptions.NameResolutionError(host, pool, OSError("unknown"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (no_endpoint(refused()), "at ssm.us-west-2.amazonaws.com: connection refused"),
        (botocore.ReadTimeoutError(endpoint_url="https://a.example/"), "at a.example: no answer within the time"),
        (botocore.ConnectTimeoutError(endpoint_url="https://a.example/"), "no connection within the time allowed"),
        (botocore.ConnectionClosedError(endpoint_url="https://a.example/"), "the connection was closed without an"),
        (botocore.ProxyConnectionError(proxy_url="http://u:MARK@p.example:1"), "at p.example:1: the proxy cannot"),
        (botocore.HTTPClientError(error=ConnectionResetError(errno.ECONNRESET, "Reset")), "be: reset"),
        (botocore.IncompleteReadError(actual_bytes=1, expected_bytes=2), "the answer was cut short"),
        (AnswerIncomplete("repository"), "the answer has no repository"),
        (ResponseParserError("Unable to parse response: <html>"), "the answer cannot be read"),
        (no_endpoint(urllib3.exceptions.HTTPError("x")), "no connection"),
    ],
)
def test_without_an_answer(error: BaseException, words: str) -> None:
    """A call without an answer says in words what happened, and may be repeated."""
    problem = read(error)
    assert type(problem.error) is AwsFailed
    assert problem.is_transient
    assert words in problem.error.cause
    assert "MARK" not in problem.error.cause


@pytest.mark.parametrize(
    "error",
    [
        no_endpoint(refused(), "http://127.0.0.1:9/"),
        no_endpoint(unresolved("ssm.us-west-2.amazonaws.com")),
        botocore.SSLError(endpoint_url="https://a.example/", error=ValueError("CERTIFICATE_VERIFY_FAILED")),
    ],
)
def test_what_does_not_get_better(error: BaseException) -> None:
    """A refused connection on this machine, a name that does not resolve and a certificate are not waited for."""
    problem = read(error)
    assert type(problem.error) is AwsFailed
    assert not problem.is_transient


def test_unknown_region() -> None:
    """A region of which AWS has none, and whose name therefore does not resolve, is a wrong setting."""
    host = "ssm.us-weest-2.amazonaws.com"
    problem = read(no_endpoint(unresolved(host), f"https://{host}/"))
    assert type(problem.error) is AwsSettingWrong
    assert "AWS has no region us-weest-2" in problem.error.cause


# --- before AWS is asked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (botocore.NoCredentialsError(), AwsCredentialsUnusable, "Unable to locate credentials"),
        (
            botocore.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            AwsCredentialsUnusable,
            "env",
        ),
        (botocore.ProfileNotFound(profile="p"), AwsCredentialsUnusable, "The config profile (p)"),
        (botocore.NoRegionError(), AwsSettingWrong, "no region is known"),
        (botocore.ParamValidationError(report="too short"), AwsSettingWrong, "too short"),
        (ValueError("Invalid endpoint: x y"), AwsSettingWrong, "Invalid endpoint: x y"),
    ],
)
def test_before_asking(error: BaseException, kind: type[ReleaseError], words: str) -> None:
    """What keeps boto3 from asking is told by what it is, and not waited for."""
    problem = read(error)
    assert type(problem.error) is kind
    assert not problem.is_transient
    assert words in problem.error.cause


def test_credentials_that_are_not_given_now() -> None:
    """Whoever gives the job's credentials, such as a node's agent, may be asked again: it may not be up yet."""
    problem = read(botocore.CredentialRetrievalError(provider="container-role", error_msg="500"))
    assert type(problem.error) is AwsCredentialsUnusable
    assert problem.is_transient
    assert "from container-role: 500" in problem.error.cause


def test_token_file_that_is_missing(tmp_path: Path) -> None:
    """A web identity's token file that cannot be read is named."""
    with pytest.raises(FileNotFoundError) as raised:
        (tmp_path / "token").read_text("utf-8")
    error = read(raised.value).error
    assert type(error) is AwsCredentialsUnusable
    assert f"{tmp_path}/token cannot be read: No such file or directory" in error.cause


class _AnyArgument(dict[str, str]):
    """The arguments of an exception's text, whichever it has."""

    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def of_botocore() -> list[type[botocore.BotoCoreError]]:
    classes = [one for one in vars(botocore).values() if inspect.isclass(one)]
    return [one for one in classes if issubclass(one, botocore.BotoCoreError)]


@pytest.mark.parametrize("kind", of_botocore(), ids=lambda kind: kind.__name__)
def test_every_error_of_botocore(kind: type[botocore.BotoCoreError]) -> None:
    """Each error that botocore has is caught, and told in one line that names no class of Python's."""
    error = kind.__new__(kind)
    text = kind.fmt.format_map(_AnyArgument())
    Exception.__init__(error, text)
    error.kwargs = {}
    assert isinstance(error, RAISED)
    cause = read(error).error.cause
    assert cause.isprintable()
    assert kind.__name__ not in cause
