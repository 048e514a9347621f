from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.ecr_public.policies import read_policy, refusal

ARN = "arn:aws:ecr-public::123456789012:repository/widget-chart"
IMPLICIT = "because no identity-based policy allows the ecr-public:PutImage action"
EXPLICIT = "with an explicit deny in an identity-based policy"


def statement(effect: str = "Allow", action: object = "ecr-public:PutImage", resource: object = ARN) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


def decided(*statements: dict[str, Any], action: str = "ecr-public:PutImage", resource: str = ARN) -> str | None:
    return refusal(read_policy({"Version": "2012-10-17", "Statement": list(statements)}), action, resource)


@pytest.mark.parametrize(
    "action", ["ecr-public:PutImage", "ecr-public:*", "*", "ECR-PUBLIC:putimage", "ecr-public:Put????e"]
)
def test_actions(action: str) -> None:
    """An action is named with wildcards, without regard to case, alone or in a list."""
    assert decided(statement(action=action)) is None
    assert decided(statement(action=["s3:GetObject", action])) is None


@pytest.mark.parametrize("resource", [ARN, "*", "arn:aws:ecr-public::*:repository/widget-*", ARN[:-1] + "?"])
def test_resources(resource: str) -> None:
    """A resource is named with wildcards, alone or in a list."""
    assert decided(statement(resource=resource)) is None
    assert decided(statement(resource=["arn:other", resource])) is None


@pytest.mark.parametrize(
    "other",
    [
        statement(action="ecr-public:PutImageX"),
        statement(action="ecr-public:GetImage"),
        statement(resource=ARN.upper()),
        statement(resource="arn:aws:ecr-public::123456789012:repository/widget"),
        statement(resource=f"{ARN}/more"),
    ],
)
def test_what_is_not_allowed(other: dict[str, Any]) -> None:
    """What no statement allows is denied, and so is everything where there is none."""
    assert decided(other) == IMPLICIT
    assert decided() == IMPLICIT


def test_a_denial_is_stronger() -> None:
    """A statement that denies decides, in whatever order statements stand."""
    statements = [statement(), statement("Deny", action="ecr-public:*")]
    assert decided(*statements) == decided(*reversed(statements)) == EXPLICIT
    assert decided(statement(), statement("Deny", resource="arn:other")) is None


def test_a_single_statement() -> None:
    """A document may have one statement without a list."""
    assert refusal(read_policy({"Statement": statement()}), "ecr-public:PutImage", ARN) is None


@pytest.mark.parametrize(
    "given_statement",
    [
        {**statement(), "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        {**statement(), "Principal": "*"},
        statement("allow"),
    ],
)
def test_what_is_not_known(given_statement: dict[str, Any]) -> None:
    """A statement with anything that is not known here is refused, not ignored."""
    with pytest.raises(ValueError, match="a policy's statement has"):
        decided(given_statement)


@given(st.text(st.characters(exclude_characters="*?"), min_size=1), st.text(max_size=5))
def test_patterns_are_no_regular_expressions(text: str, more: str) -> None:
    """Whatever stands in a pattern beside the two wildcards means itself."""
    assert decided(statement(resource=text), resource=text) is None
    assert decided(statement(resource=f"{text}*"), resource=text + more) is None
    if more:
        assert decided(statement(resource=text), resource=text + more) == IMPLICIT
