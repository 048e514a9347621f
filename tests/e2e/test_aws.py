"""Whole runs with a registry of AWS's: SSM, STS and ECR by moto, and a registry that takes ECR's login."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from testbed import moto
from testbed.faults.proxy import FaultProxy
from testbed.programs import find_program
from testbed.registries import serve_docker_registry
from testbed.release_harness import Ended, ReleaseHarness, go_environment
from testbed.sample_controller import CONFIGURATION, make_repository
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ROLE = "arn:aws:iam::123456789012:role/publisher"
SECRET = "mark-of-the-pods-secret"  # noqa: S105 - moto takes any
ACCOUNT = "AWS:$2b$05$abcdefghijklmnopqrstuu/4ofrUS75HrKu6f.iuRo0I/XlrmpqlC\n"
"""The user AWS with bcrypt of the password that moto's GetAuthorizationToken gives."""

PASSWORD = "123456789012-auth-token"  # noqa: S105 - as above
REGION = "eu-west-1"
CHILD = """#!/bin/sh
{{ echo "$0 $*"; env; }} >> {folder}/children
exec {real} "$@"
"""


@dataclass
class Account:
    """An AWS account with one private registry; ``harness`` releases to it."""

    harness: ReleaseHarness
    moto: str
    parameter: str

    def client(self, service: str) -> Any:
        """A client of an administrator."""
        connect: Any = boto3.client
        return connect(
            service,
            region_name=REGION,
            endpoint_url=f"http://{self.moto}",
            aws_access_key_id="admin",
            aws_secret_access_key=SECRET,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What the pod has of AWS."""
        return {
            "AWS_ENDPOINT_URL": f"http://{self.moto}",
            "AWS_ACCESS_KEY_ID": "AKIAMARKOFTHEPOD0000",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def run(self, *options: str, command: str = "run", extra: Mapping[str, str] | None = None) -> Ended:
        """Release the first version."""
        return self.harness.run("v1.2.3", *options, command=command, extra={**self.environment, **(extra or {})})

    def repositories(self) -> list[str]:
        """The names of all repositories of this account, sorted."""
        found = self.client("ecr").describe_repositories()["repositories"]
        return sorted(one["repositoryName"] for one in found if one["repositoryName"].startswith("ack/"))


@pytest.fixture(scope="module")
def moto_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto.serve(require_tool("moto_server"), tmp_path_factory.mktemp("moto") / "moto") as host:
        yield host


@pytest.fixture
def account(tmp_path: Path, moto_host: str) -> Iterator[Account]:
    parameter = f"/ack/{uuid.uuid4()}/publish_role"
    with contextlib.ExitStack() as stack:
        served = serve_docker_registry(require_tool("docker-registry"), tmp_path / "registry", accounts=ACCOUNT)
        proxy = stack.enter_context(FaultProxy(stack.enter_context(served).host))
        registry = f"{proxy.host}/ack"
        aws = f"aws: {{kind: ecr, region: {REGION}, publish_role: {{parameter: {parameter}}}}}\n"
        config = tmp_path / "jobs.yaml"
        config.write_text(CONFIGURATION.format(registry=registry, helm=find_program("helm4")) + aws)
        repository = make_repository(tmp_path / "repository", registry=registry)
        made = Account(ReleaseHarness(tmp_path, repository, proxy, config), moto_host, parameter)
        made.client("ssm").put_parameter(Name=parameter, Value=ROLE, Type="String")
        yield made
        for name in made.repositories():
            made.client("ecr").delete_repository(repositoryName=name, force=True)


def told(ended: Ended, event: str) -> list[str]:
    """The lines of an event in the log."""
    return [line for line in ended.lines if event in line]


def test_release_into_an_empty_account(account: Account) -> None:
    """A release assumes the role, creates what it writes to, and publishes; a second run creates nothing."""
    first = account.run()
    assert first.code == 0, first.out + first.err
    assert account.repositories() == ["ack/chart", "ack/controller", "ack/widget-chart"]
    [assumed] = told(first, "role assumed")
    assert ROLE in assumed
    assert len(told(first, "repository created")) == 3
    steps = [step["name"] for step in first.record["steps"]]
    assert steps.index("chart") < steps.index("access") < steps.index("build")
    second = account.run()
    assert second.code == 0, second.out
    assert told(second, "repository created") == []


def test_nothing_of_the_pods_identity_leaves_it(account: Account, tmp_path: Path) -> None:
    """Neither children nor the log nor any artifact get what the pod, the role or the token has."""
    token = tmp_path / "mark-of-a-path" / "token"
    token.parent.mkdir()
    token.write_text("mark-of-the-token")
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("git", "go"):
        file = folder / name
        file.write_text(CHILD.format(folder=folder, real=find_program(name)))
        file.chmod(0o755)
    helm = folder / "helm"
    helm.write_text(CHILD.format(folder=folder, real=find_program("helm4")))
    helm.chmod(0o755)
    config = account.harness.config
    config.write_text(config.read_text().replace(str(find_program("helm4")), str(helm)))
    extra = {
        "PATH": f"{folder}:{go_environment()['PATH']}",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/mark",
    }
    ended = account.run(extra=extra)
    assert ended.code == 0, ended.out
    children = (folder / "children").read_text("utf-8")
    for program in ("git", "go", "helm"):
        assert f"{folder}/{program} " in children, "it was started"
    artifacts = [path.read_text("utf-8", "replace") for path in ended.artifacts.rglob("*") if path.is_file()]
    assert len(artifacts) > 5
    assert "AWS_" not in children
    for secret in ("mark-of", "AKIAMARK", PASSWORD):
        assert not any(secret in text for text in (children, ended.out, ended.err, *artifacts)), secret


def test_plan_without_credentials(account: Account) -> None:
    """A plan asks AWS for nothing and loads nothing of boto3, so that it needs no credentials of AWS."""
    nothing = dict.fromkeys(account.environment, "")
    account.harness.proxy.answer(404, method="GET", path="/manifests/", body=b'{"errors": [{"code": "NAME_UNKNOWN"}]}')
    planned = account.run(command="plan", extra={**nothing, "PYTHONPROFILEIMPORTTIME": "1"})
    assert planned.code == 0, planned.out
    loaded = {line.rpartition("|")[2].strip() for line in planned.err.splitlines() if line.startswith("import time:")}
    assert "runner.run.stages" in loaded
    assert not {name for name in loaded if name.partition(".")[0] in {"boto3", "botocore"}}


def test_run_without_credentials(account: Account) -> None:
    """A run that finds no credentials ends with 8 before anything is built, and says so in its last line."""
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    account.harness.proxy.answer(404, method="GET", path="/manifests/", body=b'{"errors": [{"code": "NAME_UNKNOWN"}]}')
    ended = account.run(extra=none)
    assert ended.code == 8, ended.out
    assert "Unable to locate credentials" in ended.errors[-1]
    assert "build" not in {step["name"] for step in ended.record["steps"]}
    assert account.harness.proxy.writes == ()
