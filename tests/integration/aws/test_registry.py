"""From an empty account to repositories that can be written to: SSM, STS and ECR Public, asked by boto3."""

from __future__ import annotations

import base64
import json
import os
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from runner.aws.boto import Clients
from runner.aws.calls import Caller
from runner.aws.identity import Identity, region_of, session_name
from runner.aws.registry import AwsRegistry
from runner.config.aws import AwsSection, PublishRoleSection
from runner.config.catalog import CatalogData
from runner.errors import (
    AwsCredentialsUnusable,
    AwsFailed,
    AwsPermissionMissing,
    AwsSettingWrong,
    RunEnded,
)
from runner.oci.retries import RetryPolicy
from runner.runtime.lifetime import Lifetime
from testbed.ecr_public.identities import ACCOUNT, USER
from testbed.faults.proxy import FaultProxy
from testbed.paths import ROOT
from testbed.prow.servers import free_ports
from tests.integration.testbed.ecr_public.asking import request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testbed.ecr_public.harness import EcrPublic

ROLE = f"arn:aws:iam::{ACCOUNT}:role/publisher"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/publisher/widget-release-17"
CONTROLLER = CatalogData("A controller", "# About", "# Usage", ("x86-64", "ARM 64"), ("Linux",))
WANTED = {"aws-controllers-k8s/controller": CONTROLLER, "aws-controllers-k8s/team/chart": None}


@dataclass
class Publisher:
    """A run of the widget's job, as far as it asks AWS; ``told`` is all that it logs."""

    account: EcrPublic
    parameter: str
    told: list[tuple[str, Any]] = field(default_factory=list)

    def registry(self, section: AwsSection | None = None, lifetime: Lifetime | None = None) -> AwsRegistry:
        """The registry as a new run opens it; by default with the role whose ARN is in the parameter."""
        section = section or AwsSection(publish_role=PublishRoleSection(parameter=self.parameter))
        region = region_of(section, os.environ)
        caller = Caller(lifetime or Lifetime(), seconds=5.0, pauses=RetryPolicy(first_pause=0.05, longest_pause=0.2))
        clients = Clients(region, os.environ)

        def tell(event: str, **values: Any) -> None:
            self.told.append((event, values))

        identity = Identity(section, region, session_name("widget-release", "17"), caller, clients, report=tell)
        return AwsRegistry("ecr-public", self.account.host, identity, caller, report=tell)

    def asked(self) -> list[tuple[str, tuple[str, ...]]]:
        """Who was asked for which actions since the last time."""
        calls = [(call.identity or "", call.actions) for call in self.account.recorded if call.actions]
        self.account.recorder.clear()
        return calls


@pytest.fixture
def publisher(account: EcrPublic) -> Publisher:
    parameter = f"/ack/{uuid.uuid4()}/publish_role"
    account.put_parameter(parameter, ROLE)
    return Publisher(account, parameter)


def gallery(account: EcrPublic, name: str) -> Any:
    """What the gallery shows of a repository."""
    return account.client("ecr-public").get_repository_catalog_data(repositoryName=name)["catalogData"]


# --- what a release asks for ------------------------------------------------------------------------------------------


def test_from_an_empty_account(publisher: Publisher, account: EcrPublic) -> None:
    """The parameter, the role, a token, then the repositories, each asked once and by whom it should be."""
    publisher.registry().prepare(WANTED)
    first, second, third, *repositories = publisher.asked()
    assert first == (USER, ("ssm:GetParameter",))
    assert second == (USER, ("sts:AssumeRole",))
    assert third == (SESSION, ("ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"))
    assert repositories == [(SESSION, ("ecr-public:CreateRepository",))] * 2
    assert gallery(account, "controller")["aboutText"] == "# About"
    assert sorted(gallery(account, "controller")["architectures"]) == ["ARM 64", "x86-64"]
    assert sorted(publisher.told[1:], key=str) == [
        ("repository created", {"registry": account.host, "repository": name}) for name in ("controller", "team/chart")
    ]


def test_second_release(publisher: Publisher, account: EcrPublic) -> None:
    """A second run creates and writes nothing; where the catalog says something else, that is written."""
    publisher.registry().prepare(WANTED)
    publisher.asked()
    publisher.registry().prepare(WANTED)
    again = {action for _, actions in publisher.asked() for action in actions}
    assert "ecr-public:GetRepositoryCatalogData" in again
    assert "ecr-public:PutRepositoryCatalogData" not in again
    changed = CatalogData("Another", None, "# Usage", ("ARM 64",), ("Linux",))
    publisher.registry().prepare({"aws-controllers-k8s/controller": changed})
    assert "ecr-public:PutRepositoryCatalogData" in {action for _, actions in publisher.asked() for action in actions}
    shown = gallery(account, "controller")
    assert (shown["description"], shown["aboutText"], shown["architectures"]) == ("Another", "# About", ["ARM 64"])


def test_login_that_the_registry_takes(publisher: Publisher, account: EcrPublic) -> None:
    """The login is taken by the registry's token service, for writing as for reading."""
    registry = publisher.registry()
    registry.prepare(WANTED)
    login = registry.login(account.host, "aws-controllers-k8s/controller")
    assert login is not None
    scope = "repository:aws-controllers-k8s/controller:pull,push"
    answer = request(
        account.host, "GET", f"/token/?service=public.ecr.aws&scope={scope}", headers={"Authorization": login.basic}
    )
    assert answer.status == 200
    assert answer.json["token"]
    assert base64.b64decode(login.basic.removeprefix("Basic ")).startswith(b"AWS:")
    assert registry.login("127.0.0.1:1") is None


def test_own_identity(publisher: Publisher) -> None:
    """Without a role the job's own identity asks, and neither SSM nor STS is asked."""
    publisher.registry(AwsSection()).prepare(WANTED)
    assert {identity for identity, _ in publisher.asked()} == {USER}


def test_token_that_expires(publisher: Publisher, account: EcrPublic) -> None:
    """A token that lives for seconds is renewed before it expires, and so are the role's credentials."""
    account.switch(credential_seconds=3.0, session_seconds=2.0)
    registry = publisher.registry()
    login = registry.login(account.host, "a")
    assert login is not None
    assert login.expires is not None
    Lifetime().wait(3.0)
    other = registry.login(account.host, "b")
    assert other is not None
    assert other.password != login.password
    actions = [actions for _, actions in publisher.asked()]
    assert actions.count(("sts:AssumeRole",)) == 2
    assert actions.count(("ssm:GetParameter",)) == 1


def test_web_identity(publisher: Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pod that has a role by its service account has its own credentials from STS, and then assumes the other."""
    token = tmp_path / "token"
    token.write_text("mark-of-the-pod")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", f"arn:aws:iam::{ACCOUNT}:role/pod")
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "pod")
    publisher.registry().prepare(WANTED)
    pod = f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/pod"
    asked = publisher.asked()
    assert asked[:3] == [
        ("", ("sts:AssumeRoleWithWebIdentity",)),
        (pod, ("ssm:GetParameter",)),
        (pod, ("sts:AssumeRole",)),
    ]
    assert {identity for identity, _ in asked[3:]} == {SESSION}
    assert "mark" not in str(publisher.told)


# --- what is missing --------------------------------------------------------------------------------------------------

DENIED = {
    "ssm:GetParameter": USER,
    "sts:AssumeRole": USER,
    "ecr-public:GetAuthorizationToken": SESSION,
    "sts:GetServiceBearerToken": SESSION,
    "ecr-public:CreateRepository": SESSION,
    "ecr-public:GetRepositoryCatalogData": SESSION,
    "ecr-public:PutRepositoryCatalogData": SESSION,
}


@pytest.mark.parametrize(("action", "who"), DENIED.items(), ids=DENIED)
def test_every_action_that_is_denied(publisher: Publisher, account: EcrPublic, action: str, who: str) -> None:
    """Whichever action is not allowed, exit 8 names it, and who lacks it."""
    account.create("controller")
    account.deny(action)
    with pytest.raises(AwsPermissionMissing) as raised:
        publisher.registry().prepare(WANTED)
    assert raised.value.exit_code == 8
    assert raised.value.remedy.startswith(f"Allow {action} on ")
    assert f" in the IAM policies of {who}, then rerun" in raised.value.remedy
    assert "AccessDenied" in raised.value.cause


def test_every_action_is_in_the_list(publisher: Publisher, account: EcrPublic) -> None:
    """The list above is whole: a run asks for no other action."""
    account.create("controller")
    publisher.registry().prepare(WANTED)
    assert {action for _, actions in publisher.asked() for action in actions} == set(DENIED)


def test_policies_of_the_documentation() -> None:
    """The policies beside docs/aws.md allow each identity the actions that it needs, and the other none of them."""
    policies = [
        json.loads((ROOT / "docs/policies" / file).read_bytes()) for file in ("job.json", "publish-ecr-public.json")
    ]
    own, role = (
        {action for statement in policy["Statement"] for action in as_list(statement["Action"])} for policy in policies
    )
    assert own == {action for action, who in DENIED.items() if who == USER}
    assert role >= {action for action, who in DENIED.items() if who == SESSION}
    assert not any("*" in action or "Delete" in action for action in own | role)


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def of_nobody(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    """No credentials at all."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")


def of_another_account(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    """Credentials that AWS does not know."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFSOMEBODYELSE00")


def of_a_lost_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A web identity whose token is not mounted."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(folder / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)


def of_a_lost_profile(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    """A profile that no file has."""
    monkeypatch.setenv("AWS_PROFILE", "nowhere")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (of_nobody, "Unable to locate credentials"),
        (
            of_another_account,
            r"refuses the credentials for ssm:GetParameter.*(UnrecognizedClient|InvalidClientTokenId)",
        ),
        (of_a_lost_file, "token cannot be read: No such file or directory"),
        (of_a_lost_profile, r"The config profile \(nowhere\) could not be found"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_credentials_that_cannot_be_used(
    publisher: Publisher,
    change: Callable[[pytest.MonkeyPatch, Path], None],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Credentials that are missing, unknown or out of reach are exit 8, in words that say which of it."""
    change(monkeypatch, tmp_path)
    with pytest.raises(AwsCredentialsUnusable, match=words):
        publisher.registry().prepare(WANTED)


def test_parameter_that_is_missing(publisher: Publisher) -> None:
    """A parameter that nobody put is a wrong setting, and is named."""
    section = AwsSection(publish_role=PublishRoleSection(parameter="/nowhere/role"))
    with pytest.raises(AwsSettingWrong, match=r"the parameter /nowhere/role.*ParameterNotFound"):
        publisher.registry(section).prepare(WANTED)


def test_parameter_that_is_no_role(publisher: Publisher, account: EcrPublic) -> None:
    """A parameter that holds something else is a wrong setting, and what it holds is not shown."""
    account.put_parameter(publisher.parameter, "mark-of-a-secret")
    with pytest.raises(AwsSettingWrong, match="does not hold the ARN of a role") as raised:
        publisher.registry().prepare(WANTED)
    assert "mark" not in raised.value.cause


def test_no_region(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a region anywhere, the remedy says where to set it."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with pytest.raises(AwsSettingWrong, match="no region is known") as raised:
        publisher.registry().prepare(WANTED)
    assert "aws.region" in raised.value.remedy


def test_quota_of_repositories(publisher: Publisher, account: EcrPublic) -> None:
    """A quota that is used up is told as such."""
    account.switch(most_repositories=0)
    with pytest.raises(AwsFailed, match="LimitExceededException") as raised:
        publisher.registry().prepare(WANTED)
    assert "quota" in raised.value.remedy


# --- faults on the way ------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy(account: EcrPublic, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy before ECR Public's API."""
    with FaultProxy(account.endpoints["ecr-public"].removeprefix("http://")) as before:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR_PUBLIC", f"http://{before.host}")
        yield before


def throttle(proxy: FaultProxy, times: int | None) -> None:
    """Answer that requests come too fast."""
    body = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
    proxy.answer(400, method="POST", times=times, body=body)


def fail(proxy: FaultProxy, times: int | None) -> None:
    """Answer with a server's error."""
    proxy.answer(500, method="POST", times=times)


def drop(proxy: FaultProxy, times: int | None) -> None:
    """Close the connection without an answer."""
    proxy.drop(method="POST", times=times)


def garble(proxy: FaultProxy, times: int | None) -> None:
    """Answer what is no answer."""
    proxy.answer(200, method="POST", times=times, body=b"<html>\x1b[31mERROR: forged\n")


FAULTS = {
    "throttled": (throttle, "ThrottlingException: Rate exceeded"),
    "500": (fail, "500"),
    "closed": (drop, "the connection was closed without an answer"),
    "no JSON": (garble, "the answer has no authorizationData"),
}


@pytest.mark.parametrize(("fault", "words"), FAULTS.values(), ids=FAULTS)
def test_fault_that_passes(publisher: Publisher, proxy: FaultProxy, fault: Any, words: str) -> None:  # noqa: ARG001 - of the other test
    """What passes is asked again, beyond boto3's own three attempts."""
    fault(proxy, 4)
    publisher.registry().prepare(WANTED)


@pytest.mark.parametrize(("fault", "words"), FAULTS.values(), ids=FAULTS)
def test_fault_that_stays(
    publisher: Publisher, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, fault: Any, words: str
) -> None:
    """What stays ends with exit 7 after a bounded time, and says what it was, in one line."""
    monkeypatch.setattr("runner.aws.boto.ATTEMPTS", 1)
    fault(proxy, None)
    with pytest.raises(AwsFailed, match=words) as raised:
        publisher.registry().prepare(WANTED)
    assert " times, the last " in raised.value.cause
    assert raised.value.cause.isprintable()
    assert raised.value.exit_code == 7


def test_lost_answer(publisher: Publisher, proxy: FaultProxy, account: EcrPublic) -> None:
    """A repository whose creation was not answered is found to be there when it is asked for again."""
    proxy.drop(method="POST", after=True, skip=1, times=1)
    publisher.registry().prepare({"aws-controllers-k8s/controller": None})
    found = account.client("ecr-public").describe_repositories()["repositories"]
    assert [one["repositoryName"] for one in found] == ["controller"]


def test_nobody_there(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is refused on this machine is not waited for."""
    [port] = free_ports(1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR_PUBLIC", f"http://127.0.0.1:{port}")
    with pytest.raises(AwsFailed, match=r"at 127\.0\.0\.1:\d+: connection refused") as raised:
        publisher.registry().prepare(WANTED)
    assert " times" not in raised.value.cause


def test_garbled_answers(publisher: Publisher, proxy: FaultProxy, account: EcrPublic) -> None:
    """A repository counts as created when AWS says so, and not when the answer says nothing."""
    proxy.answer(200, method="POST", skip=1, times=1, body=b"<html>")
    publisher.registry().prepare({"aws-controllers-k8s/controller": None})
    found = account.client("ecr-public").describe_repositories()["repositories"]
    assert [one["repositoryName"] for one in found] == ["controller"]


def test_ended_run(publisher: Publisher, proxy: FaultProxy) -> None:
    """A run that is ended while AWS answers asks for nothing more."""
    lifetime = Lifetime()
    proxy.intervene(lambda: lifetime.end("SIGTERM"), method="POST", path="")
    with pytest.raises(RunEnded, match="SIGTERM"):
        publisher.registry(lifetime=lifetime).prepare(WANTED)
    assert "ecr-public:CreateRepository" not in {action for _, actions in publisher.asked() for action in actions}
