from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.adopt import EVERYTHING, AdoptRule
from runner.versions import VersionRange


def rule(services: str = "", *versions: str) -> AdoptRule:
    """A rule of these words; what is left out is all."""
    return AdoptRule(
        tuple(services.split()) or None, tuple(VersionRange.parse(version) for version in versions) or None
    )


@pytest.mark.parametrize(
    ("made", "service", "version", "takes"),
    [
        (EVERYTHING, "s3", "1.2.3", True),
        (rule("s3 sns"), "sns", "9.9.9", True),
        (rule("s3 sns"), "ec2", "1.2.3", False),
        (rule("", "<=1.10.0"), "ec2", "1.10.0", True),
        (rule("", "<=1.10.0"), "ec2", "1.10.1", False),
        (rule("s3", "1.0.0", ">=2.0.0"), "s3", "1.0.0", True),
        (rule("s3", "1.0.0", ">=2.0.0"), "s3", "2.5.0", True),
        (rule("s3", "1.0.0", ">=2.0.0"), "s3", "1.0.1", False),
        (rule("s3", "1.0.0"), "sns", "1.0.0", False),
    ],
)
def test_what_a_rule_takes(made: AdoptRule, service: str, version: str, *, takes: bool) -> None:
    """A rule takes a release whose service is among its services and whose version fits any of its versions."""
    assert made.takes(service, version) is takes


@given(st.sampled_from(["s3", "sns"]), st.tuples(*[st.integers(0, 20)] * 3))
def test_what_is_left_out_is_not_restricted(service: str, numbers: tuple[int, int, int]) -> None:
    """Whatever the release, a rule without services or without versions asks for nothing there."""
    version = ".".join(map(str, numbers))
    assert EVERYTHING.takes(service, version)
    assert rule(service).takes(service, version)
    assert rule("", version).takes(service, version)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (EVERYTHING, "all services: all versions"),
        (rule("s3 sns", "1.2.3", ">=1.0.0 <2.0.0"), "s3 and sns: 1.2.3 or >=1.0.0 <2.0.0"),
    ],
)
def test_a_rule_in_words(made: AdoptRule, text: str) -> None:
    """The settings of a plan say which rule counts."""
    assert str(made) == text
