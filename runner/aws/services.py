"""What ECR Public and ECR have in common for a release, and in what they differ: one class each, in one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from botocore.exceptions import ClientError

from runner.aws.client import Endpoint
from runner.aws.problem import Operation, error_code, stated
from runner.config.aws import ECR_HOST
from runner.errors import AwsSettingWrong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from types_boto3_ecr import ECRClient
    from types_boto3_ecr_public import ECRPublicClient
    from types_boto3_ecr_public.type_defs import RepositoryCatalogDataInputTypeDef

    from runner.config.aws import AwsKind
    from runner.config.catalog import CatalogData

ECR_PUBLIC_REGION: Final = "us-east-1"
"""Where ECR Public's API is: it answers UnsupportedCommandException elsewhere (Amazon ECR Public user guide)."""

ALREADY_EXISTS: Final = "RepositoryAlreadyExistsException"
NO_CATALOG_DATA: Final = "RepositoryCatalogDataNotFoundException"

Ensured = Literal["created", "changed", "unchanged"]
"""What was done so that a repository is as it should be: created, the gallery's data changed, nothing."""


class Ask(Protocol):
    """Calls AWS, and repeats what may pass on another attempt; see ``calls.ask``."""

    def __call__(self, action: str, about: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - as the call gives it
        """Return what the call gives; ``action`` is IAM's name of it, ``about`` what it is about."""
        ...


@dataclass(frozen=True)
class Token:
    """An authorization token as AWS gives it: base64 of USER:PASSWORD; it does not show in a representation."""

    encoded: str = field(repr=False)
    expires: datetime | None


class RegistryService(Protocol):
    """An AWS service that has registries."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it is asked."""
        ...

    def token_operation(self, identity: str) -> Operation:
        """What asking for a token is."""
        ...

    def read_token(self, client: Any) -> tuple[Token, Mapping[str, object]]:  # noqa: ANN401 - boto3 makes them
        """Ask for a token; return it with the whole answer; AnswerIncomplete where the answer has none."""
        ...

    def repository_name(self, path: str) -> str:
        """The name by which the API knows the repository of this path; AwsSettingWrong where it cannot have one."""
        ...

    def ensure(
        self,
        client: Any,  # noqa: ANN401 - boto3 makes them
        name: str,
        wanted: CatalogData | None,
        ask: Ask,
    ) -> Ensured:
        """Create a repository where there is none, and let the gallery show what is wanted; None: leave it."""
        ...


class EcrPublic:
    """Amazon ECR Public; its API knows repositories by their path below the registry's alias."""

    def __init__(self, host: str, region: str | None) -> None:
        self._host = host
        del region  # ECR Public has one

    @property
    def endpoint(self) -> Endpoint:
        """Always in us-east-1."""
        return Endpoint("ecr-public", ECR_PUBLIC_REGION)

    def token_operation(self, identity: str) -> Operation:
        """It takes two permissions."""
        return Operation("ecr-public:GetAuthorizationToken", identity, also="sts:GetServiceBearerToken")

    def read_token(self, client: ECRPublicClient) -> tuple[Token, Mapping[str, object]]:
        """The token is in an object."""
        answer = client.get_authorization_token()
        encoded = stated(answer, "authorizationData", "authorizationToken")
        return Token(encoded, answer["authorizationData"].get("expiresAt")), answer

    def repository_name(self, path: str) -> str:
        """All but the first part of the path, which is the alias."""
        alias, slash, name = path.partition("/")
        if not slash:
            raise AwsSettingWrong(
                f"{self._host}/{path} names no repository of ECR Public: {alias} stands where the alias belongs",
                remedy="Let registry in jobs.yaml end in the alias of the account, public.ecr.aws/ALIAS, then rerun.",
            )
        return name

    def ensure(self, client: ECRPublicClient, name: str, wanted: CatalogData | None, ask: Ask) -> Ensured:
        """Create it with what the gallery shall show; where it is there, compare that and write it when it differs."""

        def create() -> object:
            if wanted is None:
                return client.create_repository(repositoryName=name)
            return client.create_repository(repositoryName=name, catalogData=_input(wanted))

        if ask("ecr-public:CreateRepository", name, lambda: _is_created(create)):
            return "created"
        if wanted is None:
            return "unchanged"
        found = ask("ecr-public:GetRepositoryCatalogData", name, lambda: _found(client, name))
        if is_shown(wanted, found):
            return "unchanged"
        merged = _input(wanted, found)
        ask(
            "ecr-public:PutRepositoryCatalogData",
            name,
            lambda: stated(client.put_repository_catalog_data(repositoryName=name, catalogData=merged), "catalogData"),
        )
        return "changed"


class Ecr:
    """Amazon ECR, the private registry of an account in a region: both are in the host's name."""

    def __init__(self, host: str, region: str | None) -> None:
        own = ECR_HOST.fullmatch(host.lower())
        self._account = None if own is None else own["account"]
        self._region = region if own is None else own["region"]
        self._fips = own is not None and "ecr-fips." in host.lower()
        self._dual_stack = own is not None and ".on." in host.lower()

    @property
    def endpoint(self) -> Endpoint:
        """In the region of the host; of a host that is not AWS's own, in that of jobs.yaml or the environment."""
        return Endpoint("ecr", self._region, fips=self._fips, dual_stack=self._dual_stack)

    def token_operation(self, identity: str) -> Operation:
        """It takes one permission."""
        return Operation("ecr:GetAuthorizationToken", identity)

    def read_token(self, client: ECRClient) -> tuple[Token, Mapping[str, object]]:
        """The token is in a list of one; it is good for every registry that the identity may use."""
        answer = client.get_authorization_token()
        data = stated(answer, "authorizationData")[0]
        return Token(stated(data, "authorizationToken"), data.get("expiresAt")), answer

    def repository_name(self, path: str) -> str:
        """The whole path."""
        return path

    def ensure(self, client: ECRClient, name: str, wanted: CatalogData | None, ask: Ask) -> Ensured:  # noqa: ARG002
        """Create it with AWS's defaults: encrypted, and its tags can be changed, as stable charts need it.

        It has no catalogue.
        """

        def create() -> object:
            if self._account is None:
                return client.create_repository(repositoryName=name)
            return client.create_repository(repositoryName=name, registryId=self._account)

        return "created" if ask("ecr:CreateRepository", name, lambda: _is_created(create)) else "unchanged"


SERVICES: Final[Mapping[AwsKind, Callable[[str, str | None], RegistryService]]] = {
    "ecr-public": EcrPublic,
    "ecr": Ecr,
}
"""How each kind of AWS's registries is asked: made of the registry's host, and the region that is configured."""


def is_shown(wanted: CatalogData, found: Mapping[str, object]) -> bool:
    """Whether the gallery shows what is wanted; the API gives lists in any order, and leaves out what is empty."""
    for key, value in _input(wanted).items():
        there = found.get(key)
        if isinstance(value, list):
            if sorted(there if isinstance(there, list) else []) != sorted(value):
                return False
        elif str(there or "").strip() != value:
            return False
    return True


def _input(wanted: CatalogData, found: Mapping[str, object] | None = None) -> RepositoryCatalogDataInputTypeDef:
    """What is written: all of it, since it replaces what is there; what the catalog leaves out is as it was found."""
    keys = ("description", "architectures", "operatingSystems", "aboutText", "usageText")
    values: dict[str, object] = {key: found[key] for key in keys if found and found.get(key)}
    texts = {"description": wanted.description, "aboutText": wanted.about, "usageText": wanted.usage}
    values |= {key: text for key, text in texts.items() if text is not None}
    values |= {"architectures": list(wanted.architectures), "operatingSystems": list(wanted.operating_systems)}
    return values  # type: ignore[return-value]  # the keys are those of the type


def _is_created(create: Callable[[], object]) -> bool:
    """Whether a repository was created; False where it was there already."""
    try:
        stated(create(), "repository", "repositoryName")
    except ClientError as error:
        if error_code(error) != ALREADY_EXISTS:
            raise
        return False
    return True


def _found(client: ECRPublicClient, name: str) -> Mapping[str, object]:
    try:
        answer = client.get_repository_catalog_data(repositoryName=name)
        return dict(answer.get("catalogData") or {})
    except ClientError as error:
        if error_code(error) != NO_CATALOG_DATA:
            raise
        return {}
