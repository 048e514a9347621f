"""The section ``aws`` of ``jobs.yaml``: what AWS is asked for so that a release can be published."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from runner.config.section import Section

AwsKind = Literal["ecr-public", "ecr", "none"]
"""What a registry is to AWS: Amazon ECR Public, a private registry of Amazon ECR, or none of AWS's."""

ECR_PUBLIC_HOSTS: Final = frozenset({"public.ecr.aws", "ecr-public.aws.com"})
ECR_HOST: Final = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9][a-z0-9-]*)\."
    r"(?:amazonaws\.(?:com(?:\.cn)?|eu)|on\.(?:aws|amazonwebservices\.com\.cn)"
    r"|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)"
)
"""The hosts of private registries, as in awslabs/amazon-ecr-credential-helper (ecr-login/api/client.go)."""

REGION: Final = re.compile(r"[a-z]{2,6}(?:-[a-z]+)+-[0-9]{1,2}")
ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,576}", re.ASCII)
"""The ARN of a role: path and name together (IAM's API reference, data type Role)."""

_PARAMETER = re.compile(r"(?:arn:aws[a-z-]*:ssm:[a-z0-9-]+:[0-9]{12}:parameter)?(?:/?[\w.-]+|(?:/[\w.-]+)+)", re.ASCII)
_LONGEST_PARAMETER: Final = 1011
"""Characters in the name of an SSM parameter (SSM's API reference, PutParameter)."""


def kind_of_host(host: str) -> AwsKind:
    """Return what AWS's registries are called by their hosts: ``none`` for every host that is not AWS's."""
    name = host.lower()
    if name in ECR_PUBLIC_HOSTS:
        return "ecr-public"
    return "ecr" if ECR_HOST.fullmatch(name) else "none"


def _parameter(text: str) -> str:
    if not _PARAMETER.fullmatch(text) or len(text) > _LONGEST_PARAMETER:
        raise ValueError(f"{text!r} is not the name of an SSM parameter, such as /team/publish_role")
    return text


def _role(text: str) -> str:
    if not ROLE_ARN.fullmatch(text):
        raise ValueError(f"{text!r} is not the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME")
    return text


def _region(text: str) -> str:
    if not REGION.fullmatch(text):
        raise ValueError(f"{text!r} is not a region, such as us-west-2")
    return text


def _catalog(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f"{text!r} is not a path")
    return text


_Parameter = Annotated[str, AfterValidator(_parameter), Field(json_schema_extra={"pattern": f"^{_PARAMETER.pattern}$"})]
_Role = Annotated[str, AfterValidator(_role), Field(json_schema_extra={"pattern": f"^{ROLE_ARN.pattern}$"})]
_Region = Annotated[str, AfterValidator(_region), Field(json_schema_extra={"pattern": f"^{REGION.pattern}$"})]


class PublishRoleSection(Section):
    """The role that a release publishes with: its ARN, or the SSM parameter that holds it."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    parameter: _Parameter | None = Field(
        None,
        description="The SSM parameter that holds the role's ARN; it is read with the job's own identity.",
        examples=["/ack/prow/cd/public_ecr/publish_role"],
    )
    arn: _Role | None = Field(
        None, description="The role's ARN.", examples=["arn:aws:iam::123456789012:role/ack-release-publish"]
    )

    @model_validator(mode="after")
    def _one(self) -> PublishRoleSection:
        if (self.parameter is None) == (self.arn is None):
            raise ValueError("give either parameter or arn")
        return self


class AwsSection(Section):
    """What AWS is asked for: credentials of the registry, its repositories, and what the gallery shows of them."""

    kind: AwsKind | None = Field(
        None,
        description="What the registry is to AWS; if unset, its host says so (public.ecr.aws is ecr-public, "
        "ACCOUNT.dkr.ecr.REGION.amazonaws.com is ecr, any other none). A kind that is set also holds for a registry "
        "on this machine, never for another company's. none: AWS is not asked at all.",
        examples=["ecr-public"],
    )
    publish_role: PublishRoleSection | None = Field(
        None, description="The role that is assumed to publish; if unset: the job's own identity publishes."
    )
    region: _Region | None = Field(
        None,
        description="The region of SSM and STS; if unset: the environment's (AWS_REGION). ECR Public is always asked "
        "in us-east-1, and ECR in the region of its host.",
        examples=["us-west-2"],
    )
    catalog: Annotated[str, AfterValidator(_catalog)] | None = Field(
        None,
        description="The file that says what the ECR Public gallery shows of each repository, relative to this file; "
        "if unset: repositories are created without that, and what the gallery shows is left as it is.",
        examples=["catalog.yaml"],
    )
