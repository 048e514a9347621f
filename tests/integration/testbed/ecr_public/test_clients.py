"""Programs that people use, against ECR Public here: crane, both helms, boto3 in a process of its own, the proxy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.faults.proxy import FaultProxy
from testbed.files import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testbed.ecr_public.harness import EcrPublic

CHART = {
    "widget-chart/Chart.yaml": b"apiVersion: v2\nname: widget-chart\nversion: 1.2.3\n",
    "widget-chart/templates/map.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map\n",
}


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """A home of its own, where logins are kept."""
    home = tmp_path / "home"
    home.mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_CONFIG": str(home / "docker")}


def run(*argv: str | Path, env: Mapping[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=env, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def done(finished: subprocess.CompletedProcess[str]) -> str:
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def layer(tmp_path: Path) -> Path:
    write_files(tmp_path, {"content/file": b"content"})
    archive = tmp_path / "layer.tar"
    done(run("tar", "-C", tmp_path / "content", "-cf", archive, "file", env=os.environ))
    return archive


def test_crane(ecr: EcrPublic, crane: Path, environment: Mapping[str, str], tmp_path: Path) -> None:
    """With crane: log in, push and pull; pull without a login, too, and push nothing without one."""
    ecr.create("app")
    name = f"{ecr.namespace}/app:v1"
    anonymous = {**environment, "DOCKER_CONFIG": str(tmp_path / "nobody")}
    push = (crane, "append", "--oci-empty-base", "-f", layer(tmp_path), "-t", name)
    assert "DENIED: Not Authorized" in run(*push, env=anonymous).stderr
    done(run(crane, "auth", "login", ecr.host, "-u", "AWS", "--password-stdin", env=environment, stdin=ecr.password()))
    pushed = done(run(*push, env=environment))
    for who in (environment, anonymous):
        assert pushed.endswith(done(run(crane, "digest", name, env=who)))
        done(run(crane, "validate", "--remote", name, env=who))
        assert done(run(crane, "ls", f"{ecr.namespace}/app", env=who)) == "v1"


def test_crane_with_a_stale_login(ecr: EcrPublic, crane: Path, environment: Mapping[str, str], tmp_path: Path) -> None:
    """A stored login that has expired stops even a pull that would need none, and says why."""
    ecr.create("app")
    ecr.switch(credential_seconds=0)
    login = {**environment, "DOCKER_CONFIG": str(ecr.write_docker_config(tmp_path / "docker"))}
    finished = run(crane, "ls", f"{ecr.namespace}/app", env=login)
    assert "Your authorization token has expired. Reauthenticate and try again." in finished.stderr


def test_helm(ecr: EcrPublic, helm: Path, environment: Mapping[str, str], tmp_path: Path) -> None:
    """Each helm logs in, pushes a chart, and pulls it with and without a login; AWS then knows it as a chart."""
    ecr.create("widget-chart")
    write_files(tmp_path, CHART)
    archive = tmp_path / "widget-chart-1.2.3.tgz"
    done(run(helm, "package", tmp_path / "widget-chart", "-d", tmp_path, env=environment))
    login = ("registry", "login", ecr.host, "-u", "AWS", "--password-stdin", "--plain-http")
    done(run(helm, *login, env=environment, stdin=ecr.password()))
    done(run(helm, "push", archive, f"oci://{ecr.namespace}", "--plain-http", env=environment))
    nobody = {**environment, "DOCKER_CONFIG": str(tmp_path / "nobody"), "HOME": str(tmp_path / "other")}
    for number, who in enumerate((environment, nobody)):
        into = tmp_path / f"pulled-{number}"
        into.mkdir()
        chart = f"oci://{ecr.namespace}/widget-chart"
        done(run(helm, "pull", chart, "--version", "1.2.3", "--plain-http", "-d", into, env=who))
        assert (into / archive.name).read_bytes() == archive.read_bytes()
    [image] = ecr.client("ecr-public").describe_images(repositoryName="widget-chart")["imageDetails"]
    assert image["artifactMediaType"] == "application/vnd.cncf.helm.config.v1+json"


def test_helm_into_nowhere(ecr: EcrPublic, helm: Path, environment: Mapping[str, str], tmp_path: Path) -> None:
    """A push into a repository that was not created fails, and creates none."""
    write_files(tmp_path, CHART)
    done(run(helm, "package", tmp_path / "widget-chart", "-d", tmp_path, env=environment))
    login = ("registry", "login", ecr.host, "-u", "AWS", "--password-stdin", "--plain-http")
    done(run(helm, *login, env=environment, stdin=ecr.password()))
    archive = tmp_path / "widget-chart-1.2.3.tgz"
    assert run(helm, "push", archive, f"oci://{ecr.namespace}", "--plain-http", env=environment).returncode != 0
    assert not ecr.state.repositories.all()


def test_boto3_by_its_environment(account: EcrPublic, environment: Mapping[str, str]) -> None:
    """boto3 finds all services by the environment, with no address in the program."""
    account.put_parameter("/ack/role", "arn:aws:iam::123456789012:role/publisher")
    program = """
import boto3, json
arn = boto3.client("ssm").get_parameter(Name="/ack/role")["Parameter"]["Value"]
keys = boto3.client("sts").assume_role(RoleArn=arn, RoleSessionName="run-1")["Credentials"]
session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "us-east-1")
print(json.dumps(session.client("ecr-public").create_repository(repositoryName="app")["repository"]["repositoryUri"]))
"""
    finished = run(sys.executable, "-c", program, env={**environment, **account.environment})
    assert json.loads(done(finished)) == f"{account.namespace}/app"
    assert [call.server for call in account.recorded] == ["ssm", "sts", "ecr-public"]


def test_behind_proxies(ecr: EcrPublic, crane: Path, environment: Mapping[str, str], tmp_path: Path) -> None:
    """A proxy that makes faults can stand before each server; all addresses are then the proxies'."""
    with (
        FaultProxy(ecr.host) as proxy,
        FaultProxy(ecr.endpoints["ecr-public"].removeprefix("http://")) as api,
        FaultProxy(ecr.state.cdn) as blobs,
    ):
        met = ecr.behind(proxy.host, {"ecr-public": f"http://{api.host}"}, blobs.host)
        made = met.client("ecr-public").create_repository(repositoryName="app")["repository"]
        assert made["repositoryUri"] == f"{proxy.host}/{ecr.alias}/app"
        login = {**environment, "DOCKER_CONFIG": str(met.write_docker_config(tmp_path / "docker"))}
        name = f"{met.namespace}/app:v1"
        done(run(crane, "append", "--oci-empty-base", "-f", layer(tmp_path), "-t", name, env=login))
        done(run(crane, "validate", "--remote", name, env=login))
        assert met.environment["AWS_ENDPOINT_URL_ECR_PUBLIC"] == f"http://{api.host}"
        asked = sorted((call.method, call.path) for call in ecr.recorded if call.server == "registry")
        assert sorted((seen.method, seen.path) for seen in proxy.requests) == asked
        assert [seen.method for seen in api.requests] == ["POST"]
        assert {seen.status for seen in blobs.requests} == {200}
