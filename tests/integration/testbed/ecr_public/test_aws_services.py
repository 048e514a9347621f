from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from testbed.ecr_public.harness import ACCESS_KEY
from testbed.ecr_public.identities import USER
from tests.integration.testbed.ecr_public.asking import request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testbed.ecr_public.harness import EcrPublic

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/publisher"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/publisher/widget-release-1"
NOBODY = {"AccessKeyId": "AKIAOTHER", "SecretAccessKey": "x"}


def assume(ecr: EcrPublic, credentials: Mapping[str, str] | None = None, **more: Any) -> Any:
    given = {"RoleArn": ROLE, "RoleSessionName": "widget-release-1", **more}
    return ecr.client("sts", credentials=credentials).assume_role(**given)


def refusal(call: Callable[[], object]) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as error:
        call()
    said = error.value.response
    return said["ResponseMetadata"]["HTTPStatusCode"], said["Error"]["Code"], said["Error"]["Message"]


def test_a_parameter(account: EcrPublic) -> None:
    """What an administrator put into SSM is read, and only the reader's call is recorded."""
    name = f"/ack/{uuid.uuid4()}"
    account.put_parameter(name, ROLE)
    assert account.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == ROLE
    assert [(call.server, call.identity, call.actions) for call in account.recorded] == [
        ("ssm", USER, ("ssm:GetParameter",))
    ]


def test_a_parameter_that_is_not_there(account: EcrPublic) -> None:
    """A parameter that nobody put is refused as SSM refuses it."""
    ssm = account.client("ssm")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/nowhere")


def test_a_parameter_that_is_denied(account: EcrPublic) -> None:
    """Who may not read parameters is told so in SSM's format, with the parameter's ARN."""
    account.deny("ssm:GetParameter")
    status, code, message = refusal(lambda: account.client("ssm").get_parameter(Name="/ack/role"))
    assert (status, code) == (400, "AccessDeniedException")
    assert message == (
        f"User: {USER} is not authorized to perform: ssm:GetParameter on resource: "
        f"arn:aws:ssm:us-west-2:{ACCOUNT}:parameter/ack/role because no identity-based policy allows the "
        "ssm:GetParameter action"
    )


def test_an_assumed_role(account: EcrPublic) -> None:
    """The keys of a role that was assumed are known to all services, under the session's ARN."""
    made = assume(account)
    assert made["AssumedRoleUser"]["Arn"] == SESSION
    keys = made["Credentials"]
    assert account.client("sts", credentials=keys).get_caller_identity()["Arn"] == SESSION
    account.client("ecr-public", credentials=keys).create_repository(repositoryName="app")
    last = account.recorded[-1]
    assert (last.identity, last.actions) == (SESSION, ("ecr-public:CreateRepository",))
    assert last.secrets["x-amz-security-token"] == keys["SessionToken"]


def test_one_identity_is_denied(account: EcrPublic) -> None:
    """An action can be denied to a role and allowed to others."""
    keys = assume(account)["Credentials"]
    account.deny("ecr-public:CreateRepository", ":assumed-role/publisher/")
    status, code, message = refusal(
        lambda: account.client("ecr-public", credentials=keys).create_repository(repositoryName="app")
    )
    assert (status, code) == (400, "AccessDeniedException")
    assert message.startswith(f"User: {SESSION} is not authorized to perform: ecr-public:CreateRepository on resource:")
    account.client("ecr-public").create_repository(repositoryName="app")
    account.allow_all()
    account.client("ecr-public", credentials=keys).create_repository(repositoryName="other")


def test_a_role_that_may_not_be_assumed(account: EcrPublic) -> None:
    """Who may not assume a role is told so in STS's format."""
    account.deny("sts:AssumeRole")
    words = (
        f"User: {USER} is not authorized to perform: sts:AssumeRole on resource: {ROLE} because no identity-based "
        "policy allows the sts:AssumeRole action"
    )
    assert refusal(lambda: assume(account)) == (403, "AccessDenied", words)


def test_a_web_identity(account: EcrPublic) -> None:
    """A role is assumed with a web identity's token by a request that is not signed; it can be denied."""

    def assume_with_token() -> Any:
        return account.client("sts").assume_role_with_web_identity(
            RoleArn=ROLE, RoleSessionName="widget-release-1", WebIdentityToken="token-of-the-pod"
        )

    keys = assume_with_token()["Credentials"]
    assert account.client("sts", credentials=keys).get_caller_identity()["Arn"] == SESSION
    first = account.recorded[0]
    assert (first.identity, first.actions) == (None, ("sts:AssumeRoleWithWebIdentity",))
    assert first.holds("token-of-the-pod")
    account.deny("sts:AssumeRoleWithWebIdentity")
    assert refusal(assume_with_token) == (
        403,
        "AccessDenied",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"RoleSessionName": "widget/release"}, "RoleSessionName"),
        ({"RoleSessionName": "x" * 65}, "RoleSessionName"),
        ({"RoleSessionName": "widget release"}, "RoleSessionName"),
        ({"DurationSeconds": 43201}, "DurationSeconds"),
        ({"DurationSeconds": 3601}, "exceeds the MaxSessionDuration set for this role."),
    ],
)
def test_a_session_that_cannot_be(account: EcrPublic, more: Mapping[str, Any], words: str) -> None:
    """A session's name and length have STS's limits, and the role's."""
    status, code, message = refusal(lambda: assume(account, **more))
    assert (status, code) == (400, "ValidationError")
    assert words in message


def test_a_longer_session(account: EcrPublic) -> None:
    """A role whose sessions may be longer gives longer ones, but an hour at most to a role."""
    account.switch(longest_session_seconds=7200)
    keys = assume(account, DurationSeconds=7200)["Credentials"]
    assert keys["Expiration"].timestamp() == pytest.approx(account.state.clock() + 7200, abs=60)
    assert refusal(lambda: assume(account, keys, DurationSeconds=3601))[1:] == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    )
    assert assume(account, keys, DurationSeconds=3600)["Credentials"]


def test_a_session_that_is_over(account: EcrPublic) -> None:
    """A session can be made short; its answer says when it ends, and then every service refuses its keys."""
    account.switch(session_seconds=0)
    keys = assume(account)["Credentials"]
    assert keys["Expiration"].timestamp() == pytest.approx(account.state.clock(), abs=10)
    words = "The security token included in the request is expired"

    def identity() -> object:
        return account.client("sts", credentials=keys).get_caller_identity()

    def parameter() -> object:
        return account.client("ssm", credentials=keys).get_parameter(Name="/a")

    def registries() -> object:
        return account.client("ecr-public", credentials=keys).describe_registries()

    assert refusal(identity) == (403, "ExpiredToken", words)
    assert refusal(parameter) == (400, "ExpiredTokenException", words)
    assert refusal(registries) == (400, "ExpiredTokenException", words)


def test_a_wrong_secret(account: EcrPublic) -> None:
    """Signatures are checked: a known key with another secret is refused by each service in its own format."""
    wrong = {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": "another"}
    status, code, message = refusal(lambda: assume(account, wrong))
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert message.startswith("The request signature we calculated does not match the signature you provided.")
    ssm, ecr = account.client("ssm", credentials=wrong), account.client("ecr-public", credentials=wrong)
    assert refusal(lambda: ssm.get_parameter(Name="/a"))[:2] == (400, "InvalidSignatureException")
    assert refusal(ecr.describe_registries) == (400, "InvalidSignatureException", message)


@pytest.mark.parametrize(
    ("minutes", "words"), [(10, "Signature expired: "), (-10, "Signature not yet current: "), (4, None), (-4, None)]
)
def test_another_clock(account: EcrPublic, minutes: int, words: str | None) -> None:
    """A request that was signed more than five minutes ago, or from now, is refused with both times."""
    now = account.state.clock
    account.state.account.clock = lambda: now() + minutes * 60
    client = account.client("ecr-public")
    if words is None:
        assert client.describe_registries()["registries"]
        return
    status, code, message = refusal(client.describe_registries)
    assert (status, code) == (400, "InvalidSignatureException")
    assert message.startswith(words)
    assert message.endswith(f"{'-' if minutes > 0 else '+'} 5 min.)")


def test_another_session(account: EcrPublic) -> None:
    """A session's key is of no use with another session's token, or without one."""
    one, other = assume(account)["Credentials"], assume(account)["Credentials"]
    for token in ({"SessionToken": other["SessionToken"]}, {}):
        keys = {"AccessKeyId": one["AccessKeyId"], "SecretAccessKey": one["SecretAccessKey"], **token}
        client = account.client("ecr-public", credentials=keys)
        assert refusal(client.describe_registries)[1] == "UnrecognizedClientException"


def test_a_policy(account: EcrPublic) -> None:
    """A role to which a policy is attached may do what it allows, on the resources that it names, and nothing else."""
    keys = assume(account)["Credentials"]
    client = account.client("ecr-public", credentials=keys)
    allowed = {
        "Effect": "Allow",
        "Action": ["ecr-public:CreateRepository", "ecr-public:DescribeR*"],
        "Resource": f"arn:aws:ecr-public::{ACCOUNT}:repository/widget-*",
    }
    account.attach(":assumed-role/publisher/", {"Version": "2012-10-17", "Statement": [allowed]})
    client.create_repository(repositoryName="widget-chart")
    reason = "because no identity-based policy allows the ecr-public:CreateRepository action"
    assert refusal(lambda: client.create_repository(repositoryName="other"))[2].endswith(f"repository/other {reason}")
    assert refusal(lambda: client.delete_repository(repositoryName="widget-chart"))[1] == "AccessDeniedException"
    account.client("ecr-public").create_repository(repositoryName="other")
    denied = {"Statement": {"Effect": "Deny", "Action": "ecr-public:*", "Resource": "*"}}
    account.attach(":assumed-role/publisher/", denied)
    message = refusal(lambda: client.create_repository(repositoryName="widget-two"))[2]
    assert message.endswith("with an explicit deny in an identity-based policy")


def test_unknown_keys(account: EcrPublic) -> None:
    """Keys that the account does not have are refused by each service in its own format."""
    words = "The security token included in the request is invalid."
    assert refusal(lambda: assume(account, NOBODY)) == (403, "InvalidClientTokenId", words)
    ssm = account.client("ssm", credentials=NOBODY)
    assert refusal(lambda: ssm.get_parameter(Name="/a")) == (400, "UnrecognizedClientException", words)


def test_without_a_signature(account: EcrPublic) -> None:
    """A request that is not signed is refused."""
    host = account.endpoints["sts"].removeprefix("http://")
    answer = request(host, "POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15")
    assert (answer.status, b"<Code>MissingAuthenticationToken</Code>" in answer.body) == (403, True)
    answer = request(host, "POST", "/", b"{}", {"X-Amz-Target": "AmazonSSM.GetParameter"})
    assert (answer.status, answer.json["__type"]) == (400, "MissingAuthenticationTokenException")


def test_the_environment(account: EcrPublic) -> None:
    """A program finds all services and its identity in the environment alone."""
    environment = account.environment
    assert {name for name in environment if name.startswith("AWS_ENDPOINT")} == {
        "AWS_ENDPOINT_URL_ECR_PUBLIC",
        "AWS_ENDPOINT_URL_SSM",
        "AWS_ENDPOINT_URL_STS",
    }
    assert environment["AWS_ENDPOINT_URL_ECR_PUBLIC"] == account.endpoints["ecr-public"]
    assert environment["AWS_REGION"] == "us-west-2"
