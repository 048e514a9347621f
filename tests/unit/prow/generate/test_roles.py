from __future__ import annotations

import pytest
import yaml

from runner.prow.generate.document import RoleBinding, to_yaml
from runner.prow.generate.roles import access
from testbed.prow.job_configs import with_prow


def test_operators_may_do_no_more_than_their_commands_need() -> None:
    """ProwJobs can be read, made and patched but not deleted; of pods only state and log can be read."""
    prow = with_prow(
        "prowjob_namespace: prow, pod_namespace: pods, operators: {users: [alice], groups: [managers]}"
    ).prow
    assert prow is not None
    jobs, jobs_binding, pods, pods_binding = yaml.safe_load_all(to_yaml(*access(prow)))
    assert (jobs["metadata"]["namespace"], pods["metadata"]["namespace"]) == ("prow", "pods")
    assert jobs["rules"] == [
        {"apiGroups": ["prow.k8s.io"], "resources": ["prowjobs"], "verbs": ["get", "list", "watch", "create", "patch"]}
    ]
    assert pods["rules"] == [{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get"]}]
    for role, binding in ((jobs, jobs_binding), (pods, pods_binding)):
        assert binding["metadata"] == role["metadata"]
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert [(one["kind"], one["name"]) for one in binding["subjects"]] == [("Group", "managers"), ("User", "alice")]


@pytest.mark.parametrize(
    ("operators", "subjects"),
    [
        ("{users: [alice, bob]}", [("User", "alice"), ("User", "bob")]),
        ("{groups: [managers]}", [("Group", "managers")]),
    ],
    ids=["users", "groups"],
)
def test_operators_of_one_kind(operators: str, subjects: list[tuple[str, str]]) -> None:
    """Users alone or groups alone may be bound, each in the order of the configuration, to both roles."""
    prow = with_prow(f"operators: {operators}").prow
    assert prow is not None
    bindings = [one for one in access(prow) if isinstance(one, RoleBinding)]
    assert [[(subject.kind, subject.name) for subject in one.subjects] for one in bindings] == [subjects, subjects]


def test_one_namespace() -> None:
    """Where ProwJobs and pods share a namespace the roles still have names of their own."""
    prow = with_prow("prowjob_namespace: prow, pod_namespace: prow").prow
    assert prow is not None
    objects = [(one.kind, one.metadata.name, one.metadata.namespace) for one in access(prow)]
    assert {(kind, namespace) for kind, _, namespace in objects} == {("Role", "prow"), ("RoleBinding", "prow")}
    assert len(set(objects)) == 4
