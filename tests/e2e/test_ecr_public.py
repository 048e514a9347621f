"""Production: whole runs on an Amazon ECR Public of this machine, from an empty account."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from testbed import moto
from testbed.ecr_public.harness import ecr_public
from testbed.ecr_public.identities import USER
from testbed.faults.proxy import FaultProxy
from testbed.paths import ROOT
from testbed.programs import find_program
from testbed.registry_clients import crane, rendered_images
from testbed.release_harness import Ended, ReleaseHarness
from testbed.sample_controller import CONFIGURATION, make_repository
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from testbed.ecr_public.harness import EcrPublic

VERSION = "1.2.3"
REPOSITORIES = ["chart", "controller", "widget-chart"]
PARAMETER = "/ack/prow/cd/public_ecr/publish_role"
AWS = f"""\
aws:
  kind: ecr-public
  publish_role: {{parameter: {PARAMETER}}}
  region: us-west-2
  catalog: {ROOT / "config" / "catalog.yaml"}
"""
POLICIES = ROOT / "docs" / "policies"
OWN = ("ssm:GetParameter", "sts:AssumeRole")
"""What the job's own identity does; all else the role does."""
BEFORE_A_BUILD = (
    "ecr-public:GetAuthorizationToken",
    "sts:GetServiceBearerToken",
    "ecr-public:CreateRepository",
    "ecr-public:GetRepositoryCatalogData",
    "ecr-public:PutRepositoryCatalogData",
)
IN_A_PUSH = (
    "ecr-public:InitiateLayerUpload",
    "ecr-public:UploadLayerPart",
    "ecr-public:CompleteLayerUpload",
    "ecr-public:PutImage",
)


@dataclass
class Production:
    """An account of ECR Public, and a controller that is released to it; ``harness`` counts its requests."""

    ecr: EcrPublic
    harness: ReleaseHarness

    @property
    def role(self) -> str:
        """The ARN of the role that publishes."""
        return f"arn:aws:iam::{self.ecr.state.account.number}:role/ack-release-publish"

    def run(self, ref: str = f"v{VERSION}", extra: Mapping[str, str] | None = None) -> Ended:
        """Run the program as Prow does, with no login in Docker's configuration."""
        nothing = {"DOCKER_CONFIG": str(self.harness.folder / "no-login")}
        return self.harness.run(ref, extra={**self.ecr.environment, **nothing, **(extra or {})})

    def repositories(self) -> list[str]:
        """The names of all repositories, sorted."""
        found = self.administrator.describe_repositories()["repositories"]
        return sorted(one["repositoryName"] for one in found)

    @property
    def administrator(self) -> Any:
        """boto3's client of the pod's identity."""
        return self.ecr.client("ecr-public")


@pytest.fixture(scope="module")
def moto_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto.serve(require_tool("moto_server"), tmp_path_factory.mktemp("moto") / "moto") as host:
        yield host


@pytest.fixture
def production(tmp_path: Path, moto_host: str) -> Iterator[Production]:
    for name in ("registry", "helm3", "helm4", "crane"):
        require_tool(name)
    with ecr_public(tmp_path / "ecr", aws=moto_host) as servers, FaultProxy(servers.host) as proxy:
        ecr = servers.behind(host=proxy.host)
        config = tmp_path / "jobs.yaml"
        config.write_text(CONFIGURATION.format(registry=ecr.namespace, helm=find_program("helm4")) + AWS)
        repository = make_repository(tmp_path / "repository", registry=ecr.namespace, version=VERSION)
        made = Production(ecr, ReleaseHarness(tmp_path, repository, proxy, config))
        ecr.put_parameter(PARAMETER, made.role)
        yield made


def told(ended: Ended, event: str) -> list[str]:
    """The lines of an event in the log."""
    return [line for line in ended.lines if f'event="{event}"' in line]


def test_release_and_stable_from_an_empty_account(production: Production, tmp_path: Path) -> None:
    """Repositories are made with what the gallery shows; all is published, and read without an account; once."""
    ecr, namespace = production.ecr, production.ecr.namespace
    released = production.run()
    assert released.code == 0, released.out + released.err
    assert production.repositories() == REPOSITORIES
    assert len(told(released, "repository created")) == len(REPOSITORIES)
    assert len(told(released, "read without credentials")) == 1
    shown = production.administrator.get_repository_catalog_data(repositoryName="widget-chart")["catalogData"]
    assert "widget" in shown["description"]
    assert sorted(shown["architectures"]) == ["ARM 64", "x86-64"]
    production.harness.repository.stable(VERSION)
    moved = production.run("stable")
    assert moved.code == 0, moved.out + moved.err
    assert told(moved, "repository created") == []

    image = f"{namespace}/controller:widget-v{VERSION}"
    anonymous = {"DOCKER_CONFIG": str(tmp_path / "nobody")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in anonymous.items():
            patch.setenv(name, value)
        assert crane("digest", image).strip() == released.digests[image.partition("/")[2]]
        for helm in ("helm3", "helm4"):
            for version in (VERSION, "v1-stable"):
                folder = tmp_path / f"{helm}-{version}"
                found = rendered_images(f"{namespace}/widget-chart", version, find_program(helm), folder)
                assert found == {image}

    ecr.recorder.clear()
    again = production.run()
    assert (again.code, "nothing to send" in again.lines[-1]) == (0, True), again.out
    assert "ecr-public:CreateRepository" not in ecr.recorder.actions()
    assert not any(call.method in {"PUT", "POST", "PATCH"} for call in ecr.recorded if call.server == "registry")


def test_a_token_that_outlives_nothing(production: Production) -> None:
    """Tokens and logins that live three seconds are renewed whenever one is needed, during build and upload."""
    production.ecr.switch(token_seconds=3.0, credential_seconds=3.0)
    production.harness.proxy.delay(1.2, method="PUT|POST")
    ended = production.run()
    assert ended.code == 0, ended.out + ended.err
    taken = [call for call in production.ecr.recorded if call.plain_path.rstrip("/") == "/token" and call.status == 200]
    assert len({call.headers.get("authorization") for call in taken}) > 2, "the login was renewed, too"


@pytest.mark.parametrize("action", [*OWN, *BEFORE_A_BUILD])
def test_a_permission_that_is_missing_before_a_build(production: Production, action: str) -> None:
    """The line names the action and who lacks it; nothing was built, and no name holds anything."""
    # One that is there already: only then what the gallery shows of it is read and put.
    production.ecr.create("controller")
    production.ecr.deny(action)
    ended = production.run()
    assert ended.code == 8, ended.out + ended.err
    [error] = ended.errors
    assert f"Allow {action} on" in error
    assert (USER if action in OWN else "assumed-role/ack-release-publish") in error
    assert "build" not in {step["name"] for step in ended.record["steps"]}
    assert not any(call.method == "PUT" for call in production.ecr.recorded if call.server == "registry")


@pytest.mark.parametrize("action", IN_A_PUSH)
def test_a_permission_that_is_missing_in_a_push(production: Production, action: str) -> None:
    """What only a push shows to be missing is exit 8 with the registry's own words, which name action and role."""
    production.ecr.deny(action)
    ended = production.run()
    assert ended.code == 8, ended.out + ended.err
    [error] = ended.errors
    assert action in error
    assert "assumed-role/ack-release-publish" in error
    assert "code=credentials-refused" in error
    assert not any(entry["written"] for entry in ended.record["entries"])


def test_the_policies_of_the_documentation(production: Production) -> None:
    """With exactly the documented policies release, move and rerun work; each action that they allow is used."""
    number = production.ecr.state.account.number
    own, role = (
        json.loads((POLICIES / file).read_text("utf-8").replace("ACCOUNT", number).replace("REGION", "us-west-2"))
        for file in ("job.json", "publish-ecr-public.json")
    )
    # One that is there already: what the gallery shows of it is put, where of new ones it comes with their creation.
    production.ecr.create("controller")
    production.ecr.attach(USER, own)
    production.ecr.attach(":assumed-role/ack-release-publish/", role)
    assert production.run().code == 0
    production.harness.repository.stable(VERSION)
    for ref in ("stable", f"v{VERSION}"):
        ended = production.run(ref)
        assert ended.code == 0, ended.out + ended.err
    for policy, used in (
        (own, production.ecr.recorder.actions(USER)),
        (role, frozenset(action for call in of_the_role(production) for action in call.actions)),
    ):
        allowed = {action for statement in policy["Statement"] for action in as_list(statement["Action"])}
        assert set(used) == allowed


def of_the_role(production: Production) -> list[Any]:
    """The calls of the role's sessions."""
    return [call for call in production.ecr.recorded if ":assumed-role/" in (call.identity or "")]


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_secrets_stay_where_they_are_needed(production: Production) -> None:
    """No secret of AWS reaches the host that serves blobs, nor a log, a report or the environment of helm."""
    released = production.run()
    assert released.code == 0, released.out + released.err
    secrets = {
        secret
        for call in production.ecr.recorded
        for value in call.secrets.values()
        for secret in value.split()
        if len(secret) > 20
    }
    assert secrets
    served = [call for call in production.ecr.recorded if call.server == "cdn"]
    assert not any(call.secrets for call in served)
    files = [path.read_text("utf-8", "replace") for path in released.artifacts.rglob("*") if path.is_file()]
    for secret in secrets:
        assert not any(secret in text for text in (released.out, released.err, *files))


def test_a_plan_asks_aws_nothing(production: Production) -> None:
    """A plan reads the registry as anybody does, without credentials of AWS and without asking it."""
    nothing = dict.fromkeys(production.ecr.environment, "")
    planned = production.harness.run(f"v{VERSION}", command="plan", extra=nothing)
    assert planned.code == 0, planned.out + planned.err
    assert {call.server for call in production.ecr.recorded} == {"registry"}
    assert not any(call.identity for call in production.ecr.recorded)
