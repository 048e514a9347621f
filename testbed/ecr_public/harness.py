"""ECR Public, SSM and STS on this machine, started together: what a test of a production release needs.

Use::

    with ecr_public(tmp_path / "aws") as ecr:
        ecr.client("ecr-public").create_repository(repositoryName="controller")
        ecr.deny("ecr-public:PutImage")
        ...                                   # speak to ecr.host; run programs with ecr.environment
        assert "ecr-public:CreateRepository" in ecr.recorder.actions()
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from testbed import moto
from testbed.ecr_public.aws_services import AwsServer
from testbed.ecr_public.cdn import CdnServer
from testbed.ecr_public.control_plane import ControlPlaneServer
from testbed.ecr_public.data_plane import DataPlaneServer
from testbed.ecr_public.identities import USER, Caller
from testbed.ecr_public.state import State
from testbed.loopback import LoopbackServer
from testbed.programs import find_program
from testbed.registries import serve_referrers_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from testbed.ecr_public.recording import Call, Recorder

ALIAS = "aws-controllers-k8s"
ACCESS_KEY = "AKIAEXAMPLEOFTHEPOD0"
SECRET_KEY = "secret-of-the-pod"  # noqa: S105 - nobody else's
SERVICES_REGION = "us-west-2"
"""Where SSM and STS are asked; they answer in every region."""


@dataclass(frozen=True)
class EcrPublic:
    """All servers, as they answer.

    Attributes:
        state: what they share; ``state.switch`` changes how they behave.
        host: ``HOST:PORT`` that images are pushed to and pulled from.
        endpoints: the address of each AWS service, by boto3's name for it.
    """

    state: State
    host: str
    endpoints: Mapping[str, str]

    @property
    def alias(self) -> str:
        """The registry's alias."""
        return self.state.alias

    @property
    def namespace(self) -> str:
        """What the names of all repositories begin with: ``HOST/ALIAS``."""
        return f"{self.host}/{self.alias}"

    @property
    def environment(self) -> dict[str, str]:
        """What the SDK needs in a program's environment: where the services are, and the pod's own identity."""
        return {
            **{f"AWS_ENDPOINT_URL_{name.upper().replace('-', '_')}": url for name, url in self.endpoints.items()},
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": SERVICES_REGION,
            "AWS_REGION": SERVICES_REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def recorder(self) -> Recorder:
        """All requests so far."""
        return self.state.recorder

    @property
    def recorded(self) -> tuple[Call, ...]:
        """All requests so far, in the order in which they were answered."""
        return self.state.recorder.calls

    def switch(self, **changes: Any) -> None:
        """Change how the servers behave from now on; ``testbed.ecr_public.switches`` has the names."""
        self.state.switch(**changes)

    def deny(self, action: str, who: str = "") -> None:
        """Deny an action to all callers whose ARN contains ``who``."""
        self.state.account.deny(action, who)

    def attach(self, who: str, policy: Mapping[str, Any]) -> None:
        """Let all callers whose ARN contains ``who`` do what policies attached in this way allow, and nothing else."""
        self.state.account.attach(who, policy)

    def allow_all(self) -> None:
        """Deny nothing any more, and detach all policies."""
        self.state.account.allow_all()

    def client(self, service: str, *, region: str | None = None, credentials: Mapping[str, str] | None = None) -> Any:
        """Return boto3's client of a service.

        Args:
            service: boto3's name for it.
            region: where it is asked; None: where the service is.
            credentials: as AssumeRole answers them; None: the pod's own.
        """
        import boto3  # noqa: PLC0415 - it takes a third of a second, which tests that use none need not wait
        from botocore.config import Config  # noqa: PLC0415 - as boto3

        given = credentials or {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY}
        connect: Any = boto3.client  # its type names every service by a literal
        return connect(
            service,
            region_name=region or ("us-east-1" if service == "ecr-public" else SERVICES_REGION),
            endpoint_url=self.endpoints[service],
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}),
        )

    def password(self, arn: str = USER) -> str:
        """Return a password for the user AWS, as ``aws ecr-public get-login-password`` prints it.

        Args:
            arn: whose it is.
        """
        token, _ = self.state.tokens.issue_credential(arn, self.state.switches.credential_seconds)
        return base64.b64decode(token).decode().partition(":")[2]

    def behind(
        self, host: str | None = None, endpoints: Mapping[str, str] | None = None, cdn: str | None = None
    ) -> EcrPublic:
        """Return the same, as it is met through proxies that stand before its servers.

        Args:
            host: ``HOST:PORT`` of what stands before the registry; repositories are then said to be there.
            endpoints: the address of what stands before an AWS service, by boto3's name for it.
            cdn: ``HOST:PORT`` of what stands before the host that serves blobs.
        """
        self.state.host = host or self.state.host
        self.state.cdn = cdn or self.state.cdn
        return replace(self, host=host or self.host, endpoints={**self.endpoints, **(endpoints or {})})

    def write_docker_config(self, folder: Path, arn: str = USER) -> Path:
        """Write Docker's configuration with a login, as ``docker login`` leaves it, and return its folder.

        Args:
            folder: for config.json.
            arn: whose login it is.
        """
        folder.mkdir(parents=True, exist_ok=True)
        login = base64.b64encode(f"AWS:{self.password(arn)}".encode()).decode()
        document = {"auths": {self.host: {"auth": login}}}
        (folder / "config.json").write_text(json.dumps(document), encoding="utf-8")
        return folder

    def create(self, *names: str) -> None:
        """Create repositories without asking through the API."""
        for name in names:
            self.state.repositories.create(name)

    def put_parameter(self, name: str, value: str) -> None:
        """Put a parameter into SSM, as an administrator does; it is not recorded as anybody's call."""
        before = self.recorder.mark()
        self.client("ssm").put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
        self.recorder.rewind(before)


@contextlib.contextmanager
def ecr_public(
    folder: Path, *, alias: str = ALIAS, port: int = 0, api_port: int = 0, aws: str | None = "start"
) -> Iterator[EcrPublic]:
    """Start all servers; they end with the block.

    Args:
        folder: an empty or missing folder for blobs and logs.
        alias: the registry's alias.
        port: where images are pushed to and pulled from; 0: a free port.
        api_port: where ECR Public's API listens; 0: a free port.
        aws: ``HOST:PORT`` of a moto server that runs; ``start`` to start one; None: neither SSM nor STS.

    Raises:
        MotoFailed: as moto's ``serve``.
        OSError: a port is taken.
        ProgramMissing: a program is not there.
        RuntimeError: the registry does not answer.
    """
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(serve_referrers_registry(find_program("registry"), folder / "registry"))
        state = State(registry.host, alias)
        state.account.add(Caller(ACCESS_KEY, SECRET_KEY, USER))
        state.cdn = stack.enter_context(LoopbackServer(CdnServer(state))).host
        state.host = stack.enter_context(LoopbackServer(DataPlaneServer(state, port))).host
        api = stack.enter_context(LoopbackServer(ControlPlaneServer(state, api_port))).host
        endpoints = {"ecr-public": f"http://{api}"}
        if aws is not None:
            host = (
                stack.enter_context(moto.serve(find_program("moto_server"), folder / "moto")) if aws == "start" else aws
            )
            services = stack.enter_context(LoopbackServer(AwsServer(state, host))).host
            endpoints |= {"ssm": f"http://{services}", "sts": f"http://{services}"}
        yield EcrPublic(state, state.host, endpoints)
