"""What operators do from a terminal, on a whole Prow: every command of docs/jobs.md, with nothing but the roles."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from testbed.node.api import Cluster
from testbed.prow.api_clients import apply_roles, client
from testbed.prow.apiserver import PEOPLE_FILE
from testbed.prow.documents import NAMESPACE
from tests.support.operators import Person, documented_commands, read_until
from tests.support.prow_harness import LOOK_SECONDS
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.sample_controller import SampleRepository
    from tests.support.prow_harness import ProwHarness

pytestmark = pytest.mark.exclusive

TAG = "refs/tags/v1.2.3"
OWN = {"name", "uid", "creationTimestamp", "resourceVersion", "generation", "managedFields"}
"""What the apiserver writes into each object's metadata, and its name."""


@pytest.fixture
def operator(prow: ProwHarness, tmp_path: Path) -> Person:
    """Somebody in the group that the generated roles name, with credentials for the bucket."""
    running = prow.prow
    with client(running.kubeconfig) as api:
        apply_roles(api, (running.folder / "prowjobs" / "rbac.yaml").read_text(encoding="utf-8"))
    return Person(
        running.kubeconfig.with_name(PEOPLE_FILE),
        tmp_path,
        {
            "AWS_ENDPOINT_URL_S3": f"http://{running.storage.host}",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
        },
    )


def test_a_day_at_the_terminal(prow: ProwHarness, operator: Person) -> None:
    """A failed release is found, explained, rerun and followed to its end; another is aborted; all as documented."""
    failed = refused_release(prow)
    repository, name = failed
    service = repository.service
    find_and_explain(operator, service, name)
    new = rerun_and_follow(prow, operator, name)
    read_from_the_bucket(prow, operator, new)
    rerun_as_deck_does(prow, operator, new)
    abort_another(prow, operator)
    shown = operator.run("ack-release jobs list --service SERVICE --ref 'v1.*'", SERVICE=service).stdout
    assert {line.split()[3] for line in shown.splitlines()[1:]} == {"success", "failure", "aborted"}
    for command in ("ack-release jobs list", "ack-release jobs list -o name", "ack-release jobs list -o wide"):
        assert new in operator.run(command).stdout
    namespaced = "ack-release jobs list --kubeconfig FILE --context CONTEXT --namespace NAMESPACE"
    file = str(operator.kubeconfig)
    assert name in operator.run(namespaced, FILE=file, NAMESPACE=NAMESPACE, CONTEXT="operator").stdout
    refused = operator.run(namespaced, code=8, FILE=file, NAMESPACE=NAMESPACE, CONTEXT="stranger").stderr
    assert "the rule {apiGroups: [prow.k8s.io], resources: [prowjobs], verbs: [list]} is missing" in refused
    assert documented_commands("jobs.md") == operator.given


def refused_release(prow: ProwHarness) -> tuple[SampleRepository, str]:
    """A release that the registry refuses, until it is let be."""
    repository = prow.repository()
    prow.proxy.fail(403, method="(POST|PUT)", code="DENIED")
    failed = prow.release(repository, TAG)
    prow.proxy.clear()
    assert failed.state == "failure"
    return repository, failed.name


def find_and_explain(operator: Person, service: str, name: str) -> None:
    """List finds it, with its cause; show says why, what to do, and the next command."""
    listed = operator.run("ack-release jobs list --state failure,error --since 2d").stdout
    [row] = [line for line in listed.splitlines() if name in line]
    assert row.split()[1:4] == [service, "v1.2.3", "failure"]
    shown = operator.run("ack-release jobs show JOB", JOB=name[:8]).stdout
    document = json.loads(operator.run("ack-release jobs show JOB --json", JOB=name).stdout)
    assert (document["exit"], document["state"], document["ref"]) == (8, "failure", "v1.2.3")
    assert document["cause"]
    assert document["cause"] in row
    for said in (document["cause"], document["remedy"], document["url"], f"Next:        ack-release jobs rerun {name}"):
        assert said in shown
    listed = operator.run("ack-release jobs list --json").stdout
    assert document["cause"] in {job["cause"] for job in json.loads(listed)["jobs"]}


def rerun_and_follow(prow: ProwHarness, operator: Person, name: str) -> str:
    """A rerun is followed while it runs, and succeeds; while it runs nobody reruns it without being told."""
    planned = operator.run("ack-release jobs rerun --failed --since 2d --limit 5 --dry-run").stdout
    assert planned == f"would rerun {name} ({operator_service(prow, name)} v1.2.3)\n"
    held = prow.proxy.hold(method="PUT", path=r"/blobs/")
    with operator.started("ack-release jobs list --watch") as watching:
        read_until(watching, "JOB ")
        said = operator.run("ack-release jobs rerun JOB", JOB=name).stdout
        new = said.split()[-1]
        assert said == f"reran {name} ({operator_service(prow, name)} v1.2.3) as {new}\n"
        read_until(watching, new)
        watching.send_signal(signal.SIGINT)
        assert (watching.wait(timeout=30), watching.stderr.read() if watching.stderr else "") == (9, "")
    with operator.started("ack-release jobs logs -f JOB", JOB=new) as following:
        read_until(following, "event=building")
        until(held.reached.is_set)
        refused = operator.run("ack-release jobs rerun JOB", JOB=new, code=2).stderr
        assert "is still pending" in refused
        held.let_go(forward=True)
        rest, told = following.communicate(timeout=120)
    assert "RELEASED: " in rest
    assert following.returncode == 0
    assert prow.ended(new).state == "success"
    assert "waiting for it to start" in told or "v1.2.3: " in told
    nothing = operator.run("ack-release jobs rerun --failed --since 2d --limit 5 --yes")
    assert (nothing.stdout, nothing.stderr) == ("", "nothing has failed that was not run again since\n")
    return new


def operator_service(prow: ProwHarness, name: str) -> str:
    """The service of a job."""
    job: str = prow.prow.cluster.job(name)["spec"]["job"]
    return job.removesuffix("-release")


def read_from_the_bucket(prow: ProwHarness, operator: Person, name: str) -> None:
    """The pod's log and, once that is gone, the bucket's say the same of the release."""
    from_pod = operator.run("ack-release jobs logs JOB", JOB=name).stdout.splitlines()
    pods = Cluster(prow.prow.kubeconfig)
    try:
        pods.core.delete_namespaced_pod(name, NAMESPACE, _preload_content=False)
        until(lambda: pods.pod(NAMESPACE, name) is None, pause=LOOK_SECONDS)
    finally:
        pods.close()
    kept = operator.run("ack-release jobs logs JOB", JOB=name).stdout.splitlines()
    assert kept == prow.ended(name).lines
    assert kept == from_pod[: len(kept)]
    assert any(line.startswith("RELEASED: ") for line in kept)


def rerun_as_deck_does(prow: ProwHarness, operator: Person, name: str) -> None:
    """Deck's rerun and ours are equal but for name and time, as it was and as it is configured today."""
    cluster = prow.prow.cluster
    with prow.prow.servers.stopped("plank"):
        ours = operator.run("ack-release jobs rerun JOB", JOB=name).stdout.split()[-1]
        latest = operator.run("ack-release jobs rerun JOB --latest", JOB=name).stdout.split()[-1]
        decks = {mode: prow.rerun(name, mode=mode) for mode in ("original", "latest")}
        made = {one: cluster.job(one) for one in (ours, latest, *decks.values())}
        operator.run("ack-release jobs abort JOB", JOB=ours, code=2)
        for one in made:
            operator.run("ack-release jobs abort JOB --yes", JOB=one)
    assert comparable(made[ours]) == comparable(made[decks["original"]])
    assert comparable(made[latest]) == comparable(made[decks["latest"]])
    assert {cluster.job(one)["status"]["state"] for one in made} == {"aborted"}


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """An object without its name, its times, and what the apiserver keeps of it."""
    metadata = {key: value for key, value in document["metadata"].items() if key not in OWN}
    status = {key: value for key, value in document["status"].items() if key != "startTime"}
    return {**document, "metadata": metadata, "status": status}


def abort_another(prow: ProwHarness, operator: Person) -> None:
    """A release that runs is ended by an abort, and a rerun would complete it."""
    repository = prow.repository()
    held = prow.proxy.hold(method="PUT", path=r"/blobs/")
    name = prow.started(repository, prow.prow.push(repository, TAG))
    until(held.reached.is_set)
    told = operator.run("ack-release jobs abort JOB --yes", JOB=name).stdout
    assert told == f"aborted {name} ({repository.service} v1.2.3)\n"
    aborted = prow.ended(name)
    held.let_go(forward=False)
    assert aborted.state == "aborted"
    again = operator.run("ack-release jobs abort JOB --yes", JOB=name, code=2).stderr
    assert "is no longer running: aborted" in again
