"""Who may do what through the Kubernetes API to list, follow, rerun and abort release jobs: no more than that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runner.prow.generate.document import Metadata, PolicyRule, Role, RoleBinding, RoleRef, Subject

if TYPE_CHECKING:
    from runner.config.prow import ProwSection

JOBS: Final = "ack-release-jobs"
PODS: Final = "ack-release-pods"

JOB_RULES: Final = (
    PolicyRule(api_groups=("prow.k8s.io",), resources=("prowjobs",), verbs=("get", "list", "watch", "create", "patch")),
)
"""``create`` reruns a job, ``patch`` aborts one; Deck has the same."""

POD_RULES: Final = (PolicyRule(api_groups=("",), resources=("pods", "pods/log"), verbs=("get",)),)


def access(prow: ProwSection) -> tuple[Role | RoleBinding, ...]:
    """Return the roles of operators and who has them: of ProwJobs, and of pods where these are."""
    subjects = (
        *(Subject(kind="Group", name=name) for name in prow.operators.groups or ()),
        *(Subject(kind="User", name=name) for name in prow.operators.users or ()),
    )
    objects: list[Role | RoleBinding] = []
    for name, namespace, rules in (
        (JOBS, prow.prowjob_namespace, JOB_RULES),
        (PODS, prow.pod_namespace, POD_RULES),
    ):
        metadata = Metadata(name=name, namespace=namespace)
        objects += [
            Role(metadata=metadata, rules=rules),
            RoleBinding(metadata=metadata, role_ref=RoleRef(name=name), subjects=subjects),
        ]
    return tuple(objects)
