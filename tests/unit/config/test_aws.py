from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.aws import ROLE_ARN, AwsSection, PublishRoleSection, kind_of_host
from runner.config.load import parse_config
from runner.errors import ConfigurationInvalid

FILE = Path("/clone/config/jobs.yaml")
REGISTRY = "registry: public.ecr.aws/ack\n"


def aws_of(text: str, registry: str = REGISTRY) -> AwsSection:
    """The section of a file of which ``text`` begins at line 2."""
    return parse_config((registry + text).encode(), FILE).aws


def refused(text: str, registry: str = REGISTRY) -> str:
    """The first problem of a file of which ``text`` begins at line 2."""
    with pytest.raises(ConfigurationInvalid) as raised:
        aws_of(text, registry)
    return raised.value.detail[0].removeprefix(f"{FILE}:")


@pytest.mark.parametrize("text", ["", "aws:\n", "aws: {}\n"])
def test_nothing_said(text: str) -> None:
    """The section may be left out: the host decides, and the job's own identity publishes."""
    assert aws_of(text) == AwsSection(kind=None, publish_role=None, region=None, catalog=None)


def test_all_said() -> None:
    """Each key has its value."""
    text = """aws:
  kind: ecr-public
  publish_role: {parameter: /ack/prow/cd/public_ecr/publish_role}
  region: us-west-2
"""
    assert aws_of(text) == AwsSection(
        kind="ecr-public",
        publish_role=PublishRoleSection(parameter="/ack/prow/cd/public_ecr/publish_role"),
        region="us-west-2",
    )


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::123456789012:role/publish",
        "arn:aws-cn:iam::123456789012:role/team/ack/Publish_1+=,.@-",
        "arn:aws-us-gov:iam::123456789012:role/p",
    ],
)
def test_roles(arn: str) -> None:
    """A role's ARN may be of any partition and have a path."""
    assert aws_of(f"aws: {{publish_role: {{arn: '{arn}'}}}}").publish_role == PublishRoleSection(arn=arn)


@pytest.mark.parametrize(
    "parameter",
    ["publish_role", "/publish_role", "/a/b/c.d-e_f", "arn:aws:ssm:us-west-2:123456789012:parameter/a/b"],
)
def test_parameters(parameter: str) -> None:
    """A parameter is named by its name, its path, or its ARN."""
    role = aws_of(f"aws: {{publish_role: {{parameter: '{parameter}'}}}}").publish_role
    assert role == PublishRoleSection(parameter=parameter)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("aws: {publish_rol: {}}", "2: unknown key 'publish_rol' in aws; did you mean 'publish_role'?"),
        ("aws: {publish_role: {role: x}}", "2: unknown key 'role' in aws.publish_role; there are: parameter, arn"),
        ("aws: {publish_role: {}}", "2: aws.publish_role: give either parameter or arn"),
        (
            "aws:\n  publish_role:\n    parameter: /a\n    arn: arn:aws:iam::123456789012:role/p\n",
            "3: aws.publish_role: give either parameter or arn",
        ),
        ("aws: {publish_role: text}", "2: aws.publish_role must be a mapping of keys, not the text 'text'"),
        (
            "aws: {publish_role: {arn: 'arn:aws:iam::123456789012:user/p'}}",
            (
                "2: aws.publish_role.arn: 'arn:aws:iam::123456789012:user/p' is not the ARN of a role,"
                " arn:aws:iam::ACCOUNT:role/NAME"
            ),
        ),
        (
            "aws: {publish_role: {parameter: 'a//b'}}",
            "2: aws.publish_role.parameter: 'a//b' is not the name of an SSM parameter, such as /team/publish_role",
        ),
        ("aws: {region: US West}", "2: aws.region: 'US West' is not a region, such as us-west-2"),
        ("aws: {kind: gcr}", "2: aws.kind: 'gcr' is not supported; supported: 'ecr-public', 'ecr' or 'none'"),
        ("aws: {catalog: ''}", "2: aws.catalog: '' is not a path"),
        ("aws: {kind: ecr}", "2: aws.kind is ecr, but the registry public.ecr.aws is ecr-public"),
    ],
)
def test_mistakes(text: str, problem: str) -> None:
    """What is wrong is said with its line, its key and what is right."""
    assert refused(text) == problem


def test_mistaken_kind_of_a_private_registry() -> None:
    """A kind that contradicts the production registry's own host is a mistake in the file."""
    registry = "registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/ack\n"
    assert refused("aws: {kind: ecr-public}", registry).endswith("eu-west-1.amazonaws.com is ecr")


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("public.ecr.aws", "ecr-public"),
        ("PUBLIC.ecr.aws", "ecr-public"),
        ("ecr-public.aws.com", "ecr-public"),
        ("123456789012.dkr.ecr.us-west-2.amazonaws.com", "ecr"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "ecr"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "ecr"),
        ("gallery.ecr.aws", "none"),
        ("public.ecr.aws.example", "none"),
        ("12345.dkr.ecr.us-west-2.amazonaws.com", "none"),
        ("123456789012.dkr.ecr.us-west-2.amazonaws.com.example", "none"),
        ("registry.example:443", "none"),
        ("127.0.0.1:5000", "none"),
        ("localhost", "none"),
    ],
)
def test_kind_of_a_host(host: str, kind: str) -> None:
    """AWS's registries are known by their whole host, in any case, and by no part of it."""
    assert kind_of_host(host) == kind


@given(st.text())
def test_role_that_is_not_one(text: str) -> None:
    """A text that the file accepts as a role's ARN is in one line and names an account and a role."""
    if ROLE_ARN.fullmatch(text):
        assert text.isprintable()
        assert text.split(":")[2] == "iam"
