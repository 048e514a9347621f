"""The commands about jobs against a real apiserver: what they ask, with the generated roles or less, and the fake."""

from __future__ import annotations

import io
import json
import re
import signal
import uuid
from typing import TYPE_CHECKING, Any

import kubernetes
import pytest

from runner.prow.generate.document import to_yaml
from runner.prow.generate.roles import access
from runner.prow.operate.cluster import EXPIRED, Cluster
from runner.prow.operate.kubeconfig import reach
from runner.prow.operate.prowjob import read_prowjob
from runner.prow.operate.rerun import abort, original
from runner.report.console import Outlet, open_log
from runner.runtime.lifetime import Lifetime
from testbed.memory.prowjobs import MemoryJobs, prowjob
from testbed.prow.api_clients import apply_roles, client, create_namespace
from testbed.prow.apiserver import PEOPLE_FILE
from testbed.prow.job_configs import with_prow
from testbed.prow.prowjobs import PROWJOBS, define_prowjobs
from tests.support.operators import Person, read_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.prow.operate.cluster import Jobs

RELEASES, PODS = "releases", "release-pods"
NOW = read_prowjob(prowjob()).started


@pytest.fixture(scope="module")
def cluster(kubeconfig: Path) -> Path:
    """An apiserver with ProwJobs of the fake's, and the generated roles for the group of operators."""
    prow = with_prow(f"prowjob_namespace: {RELEASES}, pod_namespace: {PODS}").prow
    assert prow is not None
    with client(kubeconfig) as api:
        define_prowjobs(api)
        for namespace in (RELEASES, PODS):
            create_namespace(api, namespace)
        apply_roles(api, to_yaml(*access(prow)))
    return kubeconfig


@pytest.fixture
def jobs(cluster: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """A failed, a running and a finished release, and a check; gone after the test."""
    made = {
        "failed": prowjob(str(uuid.uuid4()), description="Pod pending timeout.", url=""),
        "running": prowjob(str(uuid.uuid4()), service="sns", state="pending", url=""),
        "done": prowjob(str(uuid.uuid4()), ref="stable", state="success", url=""),
        "check": prowjob(str(uuid.uuid4()), state="success", args=("plan",), url=""),
    }
    with client(cluster) as api:
        objects: Any = kubernetes.client.CustomObjectsApi(api)
        where = (*PROWJOBS, RELEASES, "prowjobs")
        for document in made.values():
            del document["spec"]["decoration_config"]["gcs_configuration"]
            metadata = {key: document["metadata"][key] for key in ("name", "labels", "annotations")}
            objects.create_namespaced_custom_object(*where, {**document, "metadata": metadata})
        yield made
        objects.delete_collection_namespaced_custom_object(*where)


def person(cluster: Path, tmp_path: Path) -> Person:
    """Whoever has a kubeconfig without the administrator."""
    return Person(cluster.with_name(PEOPLE_FILE), tmp_path, {"NO_PROXY": "127.0.0.1"})


@pytest.fixture
def operator(cluster: Path, tmp_path: Path) -> Person:
    """Somebody in the group of operators, with their token and nothing else."""
    return person(cluster, tmp_path)


def test_every_command(operator: Person, jobs: dict[str, dict[str, Any]]) -> None:
    """With the generated roles every command works: list, show, rerun and abort; and a name may be short."""
    names = {what: document["metadata"]["name"] for what, document in jobs.items()}
    here = f"-n {RELEASES} --pod-namespace {PODS}"
    listed = json.loads(operator.run(f"ack-release jobs list --json {here}").stdout)
    assert {job["name"] for job in listed["jobs"]} == {names["failed"], names["running"], names["done"]}
    everything = operator.run(f"ack-release jobs list --all-jobs -o name {here}").stdout.split()
    assert set(everything) == set(names.values())
    shown = operator.run(f"ack-release jobs show JOB {here}", JOB=names["failed"][:8]).stdout
    assert "Cause:       Pod pending timeout." in shown
    new = operator.run(f"ack-release jobs rerun JOB {here}", JOB=names["failed"]).stdout.split()[-1]
    operator.run(f"ack-release jobs abort JOB --yes {here}", JOB=names["running"])
    after = {
        job["name"]: job for job in json.loads(operator.run(f"ack-release jobs list --json {here}").stdout)["jobs"]
    }
    assert (after[new]["state"], after[names["running"]]["state"]) == ("triggered", "aborted")
    no_log = operator.run(f"ack-release jobs logs JOB {here}", JOB=new, code=2).stderr
    assert "has no log yet: it is triggered" in no_log


def test_a_watch(operator: Person, jobs: dict[str, dict[str, Any]]) -> None:
    """A watch shows what is made meanwhile, and ends by a signal with 9 and no word; what it prints is plain."""
    name = jobs["failed"]["metadata"]["name"]
    with operator.started(f"ack-release jobs list --watch -n {RELEASES}") as watching:
        read_until(watching, name)
        new = operator.run(f"ack-release jobs rerun JOB -n {RELEASES}", JOB=name).stdout.split()[-1]
        assert "\x1b" not in read_until(watching, new)
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(timeout=30) == 9
        assert watching.stderr is not None
        assert watching.stderr.read() == ""


def test_a_stranger(cluster: Path, tmp_path: Path) -> None:
    """Whoever is in no group that the roles name is exit 8, and is told the rule that is missing and the role."""
    stranger = person(cluster, tmp_path)
    told = stranger.run(f"ack-release jobs list --context stranger -n {RELEASES}", code=8)
    assert told.stdout == ""
    assert f"does not let mallory list prowjobs in the namespace {RELEASES}" in told.stderr
    assert "the rule {apiGroups: [prow.k8s.io], resources: [prowjobs], verbs: [list]} is missing" in told.stderr


READER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: releases}
rules:
- {apiGroups: [prow.k8s.io], resources: [prowjobs], verbs: [list, get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: releases}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: mallory}]
"""


def test_a_reader(cluster: Path, tmp_path: Path, jobs: dict[str, dict[str, Any]]) -> None:
    """Whoever may only read can list and see causes; each other command is exit 8 with the one rule that it lacks."""
    reader = person(cluster, tmp_path)
    there = f"--context stranger -n {RELEASES}"
    with client(cluster) as api:
        apply_roles(api, READER)
        try:
            assert "Pod pending timeout." in reader.run(f"ack-release jobs list {there}").stdout
            watched = reader.run(f"ack-release jobs list --watch {there}", code=8)
            assert "Pod pending timeout." in watched.stdout
            assert "resources: [prowjobs], verbs: [watch]} is missing" in watched.stderr
            for command, name, verb in (
                ("rerun JOB", "failed", "create"),
                ("abort JOB --yes", "running", "patch"),
            ):
                named = jobs[name]["metadata"]["name"]
                told = reader.run(f"ack-release jobs {command} {there}", code=8, JOB=named).stderr
                assert f"resources: [prowjobs], verbs: [{verb}]}} is missing" in told
            shown = reader.run(f"ack-release jobs show JOB {there}", JOB=jobs["failed"]["metadata"]["name"])
            assert "the pod is not shown: " in shown.stderr
            assert 'the rule {apiGroups: [""], resources: [pods], verbs: [get]} is missing' in shown.stderr
            assert "Cause:       Pod pending timeout." in shown.stdout
            log = f"ack-release jobs logs JOB {there}"
            told = reader.run(log, code=8, JOB=jobs["running"]["metadata"]["name"]).stderr
            assert 'the rule {apiGroups: [""], resources: [pods/log], verbs: [get]} is missing' in told
        finally:
            rbac: Any = kubernetes.client.RbacAuthorizationV1Api(api)
            rbac.delete_namespaced_role_binding("reader", RELEASES)
            rbac.delete_namespaced_role("reader", RELEASES)


def test_a_list_of_kubeconfigs(cluster: Path, tmp_path: Path, jobs: dict[str, dict[str, Any]]) -> None:
    """Of a list of kubeconfigs the first current context counts, and the contexts of all can be named."""
    both = f"{tmp_path / 'missing'}:{cluster.with_name(PEOPLE_FILE)}:{cluster}"
    somebody = Person(cluster, tmp_path, {"KUBECONFIG": both, "NO_PROXY": "127.0.0.1"})
    name = jobs["done"]["metadata"]["name"]
    assert name in somebody.run(f"ack-release jobs list -n {RELEASES}").stdout
    assert name in somebody.run(f"ack-release jobs list --context local -n {RELEASES}").stdout
    nobody = somebody.run("ack-release jobs list", code=8).stderr
    assert "does not let alice list prowjobs in the namespace default" in nobody
    wrong = somebody.run("ack-release jobs list --context nowhere", code=2).stderr
    assert "has no context nowhere" in wrong
    assert "  | context stranger" in wrong


def test_tokens_and_servers_that_are_none(cluster: Path, tmp_path: Path) -> None:
    """A token that the cluster does not know is exit 8, a server that does not answer exit 7."""
    text = cluster.read_text(encoding="utf-8")
    token = next(line.split()[-1] for line in text.splitlines() if "token:" in line)
    server = next(line.split()[-1] for line in text.splitlines() if "server:" in line)
    unknown, away = tmp_path / "unknown", tmp_path / "away"
    unknown.write_text(text.replace(token, "f" * 32), encoding="utf-8")
    away.write_text(text.replace(server, "https://127.0.0.1:1"), encoding="utf-8")
    environment = {"NO_PROXY": "127.0.0.1"}
    told = Person(unknown, tmp_path, environment).run("ack-release jobs list", code=8).stderr
    assert "does not know who asks" in told
    told = Person(away, tmp_path, environment).run("ack-release jobs list", code=7).stderr
    [line] = told.splitlines()
    assert "cannot be asked to list prowjobs" in line


@pytest.mark.parametrize("color", ["auto", "never"])
def test_a_terminal_of_80_columns(operator: Person, jobs: dict[str, dict[str, Any]], color: str) -> None:
    """At a terminal a job is one line that fits, with a short name and a sign, and in colour unless told otherwise."""
    printed = operator.at_terminal(f"ack-release jobs list --color {color} -n {RELEASES}", columns=80)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", printed).splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= 80
    [failed] = [line for line in lines if line.startswith(jobs["failed"]["metadata"]["name"][:8])]
    assert failed.split()[1:5] == ["s3", "v1.2.3", "✗", "failure"]
    assert ("\x1b[31m✗ failure\x1b[0m" in printed) == (color == "auto")
    assert ("\x1b" in printed) == (color == "auto")


@pytest.fixture(params=["real", "memory"])
def both(request: pytest.FixtureRequest, jobs: dict[str, dict[str, Any]], cluster: Path) -> Jobs:
    """A real cluster, and the one in memory that other tests work with, with the same ProwJobs."""
    if request.param == "memory":
        new = prowjob(str(uuid.uuid4()))
        return MemoryJobs(*jobs.values(), later=[[("ADDED", new)], [(EXPIRED, None)]])
    reached = reach({"KUBECONFIG": str(cluster)})
    log = open_log(Outlet(io.StringIO()), None)
    return Cluster(reached, lambda _: reached, namespace=RELEASES, pod_namespace=PODS, lifetime=Lifetime(), log=log)


def test_the_fake_and_the_real_one(both: Jobs, jobs: dict[str, dict[str, Any]]) -> None:
    """What the commands rely on is the same in memory as in a real cluster."""
    found, version = both.jobs()
    expected = {document["metadata"]["name"]: read_prowjob(document) for document in jobs.values()}
    assert {job.name: job for job in found} == expected
    failed, running = (jobs[name]["metadata"]["name"] for name in ("failed", "running"))
    assert both.job(failed) == expected[failed]
    assert both.pod(expected[running]) is None
    assert both.pod_log(expected[running], follow=False) is None
    assert both.pod_log(expected[running], follow=True) is None

    assert NOW is not None
    document = original(both.job(failed), str(uuid.uuid4()), NOW)
    made = both.create(document)
    assert both.create(document) == made
    assert both.job(made.name) == read_prowjob(document)
    event, seen, after = next(iter(both.changes(version)))
    assert (event, seen is not None, bool(after)) == ("ADDED", True, True)

    stale = abort(both.job(running))
    aborted = both.patch(running, stale)
    assert aborted is not None
    assert (aborted.state, both.job(running).state) == ("aborted", "aborted")
    assert both.patch(running, stale) is None
