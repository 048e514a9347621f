from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.aws.calls import SECONDS, Caller
from runner.aws.client import Endpoint, RoleCredentials
from runner.aws.identity import OWN_IDENTITY, Identity, region_of, session_name, session_seconds
from runner.config.aws import AwsSection, PublishRoleSection
from runner.errors import AwsCredentialsUnusable, AwsFailed, AwsPermissionMissing, AwsSettingWrong
from runner.runtime.lifetime import Lifetime
from testbed.memory.lifetime import MemoryLifetime

if TYPE_CHECKING:
    from tests.unit.aws.conftest import StubbedClients

ROLE = "arn:aws:iam::123456789012:role/ack/publish"
PARAMETER = "/ack/prow/cd/public_ecr/publish_role"
PUBLIC = Endpoint("ecr-public", "us-east-1")
REGION = "eu-west-1"
SESSION = session_name("s3-release", "1993")
NOW = 1_800_000_000.0


class Clock:
    """A moment that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        """The present time."""
        return self.now


def section(region: str | None = None, **role: str) -> AwsSection:
    return AwsSection(publish_role=PublishRoleSection(**role) if role else None, region=region)


def identity_of(
    section: AwsSection,
    clients: StubbedClients,
    *,
    told: list[tuple[str, Any]] | None = None,
    clock: Clock | None = None,
    seconds: float = SECONDS,
) -> Identity:
    told = [] if told is None else told
    lifetime = MemoryLifetime()
    return Identity(
        section,
        region_of(section, {"AWS_REGION": REGION}),
        SESSION,
        Caller(lifetime, seconds=seconds, clock=lifetime.now),
        clients,
        report=lambda event, **values: told.append((event, values)),
        clock=clock or Clock(),
    )


def assumed(clients: StubbedClients, key: str = "ASIAEXAMPLE", seconds: float = 3600.0, **expected: Any) -> None:
    """Let STS assume the role, for so many seconds."""
    answer = {
        "Credentials": {
            "AccessKeyId": key.ljust(16, "0"),
            "SecretAccessKey": "mark-secret",
            "SessionToken": "mark-token",
            "Expiration": datetime.fromtimestamp(NOW + seconds, UTC),
        },
        "AssumedRoleUser": {"AssumedRoleId": "AROAEXAMPLE12345:x", "Arn": "arn:aws:sts::123456789012:assumed-role/p/x"},
    }
    wanted = {"RoleArn": ROLE, "RoleSessionName": "s3-release-1993", "DurationSeconds": 3600} | expected
    clients.stub("sts").add_response("assume_role", answer, wanted)


def parameter(clients: StubbedClients, value: str) -> None:
    """Let the parameter hold this."""
    wanted = {"Name": PARAMETER, "WithDecryption": True}
    clients.stub("ssm").add_response("get_parameter", {"Parameter": {"Value": value}}, wanted)


# --- whose credentials ------------------------------------------------------------------------------------------------


def test_own_identity(clients: StubbedClients) -> None:
    """Without a role the job's own identity publishes, and neither SSM nor STS is asked."""
    identity = identity_of(section(), clients)
    identity.client(PUBLIC)
    assert clients.opened == [(PUBLIC, None)]
    assert identity.name == OWN_IDENTITY


def test_role_in_the_file(clients: StubbedClients) -> None:
    """A role that jobs.yaml names is assumed by the job's own identity, in the region of the environment."""
    assumed(clients)
    told: list[tuple[str, Any]] = []
    identity = identity_of(section(arn=ROLE), clients, told=told)
    identity.client(PUBLIC)
    sts, public = clients.opened
    assert sts == (Endpoint("sts", "eu-west-1"), None)
    assert public[0] == PUBLIC
    assert public[1] is not None
    assert (public[1].role, public[1].secret_key, public[1].token) == (ROLE, "mark-secret", "mark-token")
    assert identity.name == ROLE
    assert told == [("role assumed", {"role": ROLE, "session": "s3-release-1993", "seconds": 3600})]
    assert "mark" not in repr((told, public))


@pytest.mark.parametrize("value", [ROLE, f"\n {ROLE}\n"])
def test_role_in_a_parameter(clients: StubbedClients, value: str) -> None:
    """A role whose ARN stands in a parameter is read first, then assumed, both in jobs.yaml's region."""
    parameter(clients, value)
    assumed(clients)
    identity = identity_of(section("us-west-2", parameter=PARAMETER), clients)
    identity.client(PUBLIC)
    assert [endpoint for endpoint, _ in clients.opened] == [
        Endpoint("ssm", "us-west-2"),
        Endpoint("sts", "us-west-2"),
        PUBLIC,
    ]


def test_parameter_of_another_region(clients: StubbedClients) -> None:
    """A parameter that is named by its ARN is read in the region that this names."""
    name = f"arn:aws:ssm:us-east-2:123456789012:parameter{PARAMETER}"
    answer = {"Parameter": {"Value": ROLE}}
    clients.stub("ssm").add_response("get_parameter", answer, {"Name": name, "WithDecryption": True})
    assumed(clients)
    identity_of(section(parameter=name), clients).client(PUBLIC)
    assert clients.opened[0][0] == Endpoint("ssm", "us-east-2")


def test_kept_until_it_expires(clients: StubbedClients) -> None:
    """The role's credentials serve all clients until shortly before they expire; then it is assumed again."""
    clock = Clock()
    parameter(clients, ROLE)
    assumed(clients, "ASIAFIRST")
    assumed(clients, "ASIASECOND", seconds=7200.0)
    identity = identity_of(section(parameter=PARAMETER), clients, clock=clock)
    identity.client(PUBLIC)
    clock.now += 3200.0
    identity.client(PUBLIC)
    clock.now += 200.0
    identity.client(PUBLIC)
    keys = [role.access_key.rstrip("0") for _, role in clients.opened if role is not None]
    assert keys == ["ASIAFIRST", "ASIAFIRST", "ASIASECOND"]


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["mark", "arn:aws:iam::123456789012:user/mark", f"{ROLE} mark"])
def test_parameter_that_is_no_role(clients: StubbedClients, value: str) -> None:
    """What a parameter holds that is no role's ARN is not shown: it could be a secret."""
    parameter(clients, value)
    with pytest.raises(AwsSettingWrong, match=f"the parameter {PARAMETER} does not hold the ARN of a role") as raised:
        identity_of(section(parameter=PARAMETER), clients).client(PUBLIC)
    assert "mark" not in raised.value.cause + raised.value.remedy


def test_parameter_that_is_missing(clients: StubbedClients) -> None:
    """A parameter that is not there is named."""
    clients.stub("ssm").add_client_error("get_parameter", "ParameterNotFound")
    with pytest.raises(AwsSettingWrong, match=f"ssm:GetParameter .the parameter {PARAMETER}.: ParameterNotFound"):
        identity_of(section(parameter=PARAMETER), clients).client(PUBLIC)


@pytest.mark.parametrize(
    ("service", "method", "action"),
    [("ssm", "get_parameter", "ssm:GetParameter"), ("sts", "assume_role", "sts:AssumeRole")],
)
def test_permission_that_is_missing(clients: StubbedClients, service: str, method: str, action: str) -> None:
    """An action that is not allowed is named in the remedy, and so is who lacks it."""
    if service == "sts":
        parameter(clients, ROLE)
    clients.stub(service).add_client_error(method, "AccessDeniedException")
    with pytest.raises(AwsPermissionMissing) as raised:
        identity_of(section(parameter=PARAMETER), clients).client(PUBLIC)
    assert raised.value.remedy.startswith(f"Allow {action} on ")
    assert f"the IAM policies of {OWN_IDENTITY}" in raised.value.remedy


def test_expired_credentials(clients: StubbedClients) -> None:
    """Credentials of the job that have expired are said to be so."""
    clients.stub("sts").add_client_error("assume_role", "ExpiredToken", "The security token has expired")
    with pytest.raises(AwsCredentialsUnusable, match="ExpiredToken: The security token has expired"):
        identity_of(section(arn=ROLE), clients).client(PUBLIC)


@pytest.mark.parametrize(
    ("service", "method", "missing"), [("ssm", "get_parameter", "Parameter"), ("sts", "assume_role", "Credentials")]
)
def test_incomplete_answers(clients: StubbedClients, service: str, method: str, missing: str) -> None:
    """An answer that lacks what was asked for is AWS's failure, and asked for again: no setting is wrong."""
    if service == "sts":
        parameter(clients, ROLE)
    for _ in range(2):
        clients.stub(service).add_response(method, {})
    with pytest.raises(AwsFailed, match=f"the answer has no {missing} .2 times"):
        identity_of(section(parameter=PARAMETER), clients, seconds=0.6).client(PUBLIC)


# --- names, times, regions --------------------------------------------------------------------------------------------


NAMES = st.one_of(st.none(), st.text(max_size=150))


@given(NAMES, NAMES)
def test_session_names(job: str | None, build: str | None) -> None:
    """Whatever job and build are called, the session's name has STS's letters and length."""
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", session_name(job, build), re.ASCII)


def test_session_name_of_a_long_job() -> None:
    """Of a job's name that is too long, the end is cut off: the build's id is whole."""
    job = "applicationautoscaling-and-another-service-with-a-name-release-of-it"
    name = session_name(job, "1993123456789012345")
    assert name == f"{job[:44]}-1993123456789012345"
    assert len(name) == 64


@pytest.mark.parametrize(
    ("remaining", "seconds"), [(None, 3600), (0.0, 900), (600.0, 900), (1000.5, 1301), (3300.0, 3600), (9000.0, 3600)]
)
def test_session_lengths(remaining: float | None, seconds: int) -> None:
    """A session lasts as long as the run may, within what STS allows."""
    assert session_seconds(remaining) == seconds


@given(st.floats(0.0, 1e6))
def test_any_session_length(remaining: float) -> None:
    """A session is never shorter or longer than STS allows, and outlasts a run of less than an hour by minutes."""
    seconds = session_seconds(remaining)
    assert 900 <= seconds <= 3600
    assert seconds >= min(remaining + 300, 3600)


def test_session_of_this_run(clients: StubbedClients) -> None:
    """How long the run may go on decides how long a session is asked for."""
    assumed(clients, DurationSeconds=2101)
    lifetime = Lifetime(1800.5, clock=lambda: 0.0)
    Identity(section(arn=ROLE), REGION, SESSION, Caller(lifetime), clients, clock=Clock()).client(PUBLIC)


@pytest.mark.parametrize(
    ("configured", "environment", "region"),
    [
        ("us-west-2", {"AWS_REGION": "a"}, "us-west-2"),
        (None, {"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, "a"),
        (None, {"AWS_REGION": "", "AWS_DEFAULT_REGION": "b"}, "b"),
        (None, {}, None),
    ],
)
def test_regions(configured: str | None, environment: dict[str, str], region: str | None) -> None:
    """The file's region counts, else the environment's, under either name."""
    assert region_of(AwsSection(region=configured), environment) == region


def test_credentials_do_not_show() -> None:
    """The representation of a role's credentials has none of them."""
    assert "mark" not in repr(RoleCredentials(ROLE, "mark", "mark", "mark", None))
