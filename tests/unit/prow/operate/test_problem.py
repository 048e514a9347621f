from __future__ import annotations

import json

import pytest

from runner.errors import (
    ClusterCredentialsRefused,
    ClusterFailed,
    ClusterPermissionMissing,
    ClusterUnusable,
    ReleaseError,
)
from runner.prow.generate.roles import JOB_RULES, POD_RULES
from runner.prow.operate.problem import GROUP, Asked, may_pass, message, refusal

LIST = Asked("list", "prowjobs", "prow", "local", GROUP)
LOG = Asked("get", "pods/log", "pods", "build")


def status(said: str) -> str:
    return json.dumps({"kind": "Status", "message": said})


@pytest.mark.parametrize(
    ("asked", "rule", "role"),
    [
        (LIST, "{apiGroups: [prow.k8s.io], resources: [prowjobs], verbs: [list]}", "ack-release-jobs"),
        (LOG, '{apiGroups: [""], resources: [pods/log], verbs: [get]}', "ack-release-pods"),
    ],
)
def test_a_missing_rule(asked: Asked, rule: str, role: str) -> None:
    """Who may not is told which rule is missing, in which namespace, and which role has it."""
    said = f'prowjobs.prow.k8s.io is forbidden: User "alice" cannot {asked.verb} resource'
    error = refusal(403, status(said), asked)
    assert isinstance(error, ClusterPermissionMissing)
    assert error.cause == f"{asked.cluster} does not let alice {asked}: the rule {rule} is missing"
    assert f"Role {role} has this rule" in error.remedy
    assert asked.namespace in error.remedy
    assert "this user" in refusal(403, "no", asked).cause


def test_the_rules_are_those_of_the_roles() -> None:
    """The rule that is named is one that the generated roles have."""
    for asked, rules in ((LIST, JOB_RULES), (LOG, POD_RULES)):
        assert any(
            asked.group in rule.api_groups and asked.resource in rule.resources and asked.verb in rule.verbs
            for rule in rules
        )


@pytest.mark.parametrize(
    ("code", "asked", "error"),
    [
        (401, LIST, ClusterCredentialsRefused),
        (404, LIST, ClusterUnusable),
        (404, LOG, ClusterFailed),
        (409, Asked("create", "prowjobs", "n", "c", GROUP), ClusterUnusable),
        (422, Asked("create", "prowjobs", "n", "c", GROUP), ClusterUnusable),
        (400, LIST, ClusterUnusable),
        (429, LIST, ClusterFailed),
        (500, LIST, ClusterFailed),
        (503, LOG, ClusterFailed),
        (0, LIST, ClusterFailed),
    ],
)
def test_statuses(code: int, asked: Asked, error: type[ReleaseError]) -> None:
    """Each status is the error whose remedy helps."""
    assert type(refusal(code, status("the server says so"), asked)) is error


def test_nobody() -> None:
    """Whoever brings nothing that says who they are is not known, whatever the status."""
    said = 'prowjobs.prow.k8s.io is forbidden: User "system:anonymous" cannot list resource'
    assert isinstance(refusal(403, status(said), LIST), ClusterCredentialsRefused)


def test_what_may_pass() -> None:
    """Too many requests and the server's own failures may pass; refusals do not."""
    codes = (429, 500, 503, 504, 400, 401, 403, 404, 409, 0)
    assert [may_pass(code) for code in codes] == [True] * 4 + [False] * 6


@pytest.mark.parametrize("body", ["", "404 page not found", "[]", "{}", '{"message": 3}'])
def test_an_answer_that_is_no_status(body: str) -> None:
    """What is no Status says nothing of its own."""
    assert message(body) == ""
    assert "HTTP 500" in refusal(500, body, LIST).cause
