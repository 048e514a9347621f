from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from runner.aws.client import Endpoint
from runner.aws.problem import AnswerIncomplete
from runner.aws.services import SERVICES, Ecr, EcrPublic, Token, is_shown
from runner.config.catalog import CatalogData
from runner.errors import AwsSettingWrong

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from botocore.stub import Stubber

    from tests.unit.aws.conftest import StubbedClients

HOST, PRIVATE = "public.ecr.aws", "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
EXPIRES = datetime(2026, 11, 28, 16, tzinfo=UTC)
WANTED = CatalogData("A chart", "# About", "# Usage", ("x86-64", "ARM 64"), ("Linux",))
SHOWN = {
    "description": "A chart",
    "architectures": ["x86-64", "ARM 64"],
    "operatingSystems": ["Linux"],
    "aboutText": "# About",
    "usageText": "# Usage",
}
"""What is wanted, as the API has it."""


CREATED = {"repository": {"repositoryName": "as-asked"}}
WRITTEN = {"catalogData": {"description": "as asked"}}


class Asked:
    """Calls AWS once, and remembers for what."""

    def __init__(self) -> None:
        self.actions: list[str] = []

    def __call__(self, action: str, about: str, call: Callable[[], Any]) -> Any:
        """Call."""
        self.actions.append(f"{action} {about}")
        return call()


def client_of(stub: Stubber) -> Any:
    """The client whose answers these are."""
    return stub.client


@pytest.fixture
def public(clients: StubbedClients) -> Stubber:
    return clients.stub("ecr-public")


@pytest.fixture
def private(clients: StubbedClients) -> Stubber:
    return clients.stub("ecr")


# --- where, and under which names -------------------------------------------------------------------------------------


def test_every_kind_has_a_service() -> None:
    """Each kind of AWS's registries is made of a host and a region."""
    assert {kind: make(HOST, None).endpoint.service for kind, make in SERVICES.items()} == {
        "ecr-public": "ecr-public",
        "ecr": "ecr",
    }


@pytest.mark.parametrize("region", [None, "eu-west-1"])
def test_region_of_ecr_public(region: str | None) -> None:
    """ECR Public is asked in us-east-1, whatever region is configured."""
    assert EcrPublic(HOST, region).endpoint == Endpoint("ecr-public", "us-east-1")


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        (PRIVATE, Endpoint("ecr", "eu-west-1")),
        (PRIVATE.upper(), Endpoint("ecr", "eu-west-1")),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", Endpoint("ecr", "us-gov-west-1", fips=True)),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", Endpoint("ecr", "cn-north-1")),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", Endpoint("ecr", "eu-west-1", dual_stack=True)),
        (
            "123456789012.dkr-ecr-fips.us-east-1.on.aws",
            Endpoint("ecr", "us-east-1", fips=True, dual_stack=True),
        ),
        ("127.0.0.1:5000", Endpoint("ecr", "us-west-2")),
    ],
)
def test_region_of_ecr(host: str, endpoint: Endpoint) -> None:
    """A private registry is asked in the region that its host names; one that names none, in the configured one."""
    assert Ecr(host, "us-west-2").endpoint == endpoint


@pytest.mark.parametrize(
    ("path", "name"), [("ack/s3-chart", "s3-chart"), ("ack/team/s3-chart", "team/s3-chart"), ("ack/a", "a")]
)
def test_name_below_the_alias(path: str, name: str) -> None:
    """The API of ECR Public knows a repository by its path below the alias, that of ECR by the whole path."""
    assert EcrPublic(HOST, None).repository_name(path) == name
    assert Ecr(PRIVATE, None).repository_name(path) == path


def test_name_without_an_alias() -> None:
    """A name of ECR Public that has no alias is a wrong setting, and is said to be so before AWS is asked."""
    with pytest.raises(AwsSettingWrong, match=r"public\.ecr\.aws/s3-chart names no repository of ECR Public"):
        EcrPublic(HOST, None).repository_name("s3-chart")


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_token_of_ecr_public(public: Stubber) -> None:
    """ECR Public gives its token in an object."""
    data = {"authorizationToken": "bWFyaw==", "expiresAt": EXPIRES}
    public.add_response("get_authorization_token", {"authorizationData": data}, {})
    token, answer = EcrPublic(HOST, None).read_token(client_of(public))
    assert token == Token("bWFyaw==", EXPIRES)
    assert "authorizationData" in answer
    assert "bWFyaw" not in repr(token)


def test_token_of_ecr(private: Stubber) -> None:
    """ECR gives its token in a list."""
    data = {"authorizationToken": "bWFyaw==", "expiresAt": EXPIRES, "proxyEndpoint": f"https://{PRIVATE}"}
    private.add_response("get_authorization_token", {"authorizationData": [data]}, {})
    token, _ = Ecr(PRIVATE, None).read_token(client_of(private))
    assert token == Token("bWFyaw==", EXPIRES)


@pytest.mark.parametrize("answer", [{}, {"authorizationData": {}}])
def test_answer_of_ecr_public_without_a_token(public: Stubber, answer: dict[str, Any]) -> None:
    """Every member of an answer is optional in AWS's model; one that is needed and is not there makes it incomplete."""
    public.add_response("get_authorization_token", answer)
    with pytest.raises(AnswerIncomplete, match="has no authorization"):
        EcrPublic(HOST, None).read_token(client_of(public))


@pytest.mark.parametrize("answer", [{}, {"authorizationData": []}, {"authorizationData": [{}]}])
def test_answer_of_ecr_without_a_token(private: Stubber, answer: dict[str, Any]) -> None:
    """So it is of a private registry."""
    private.add_response("get_authorization_token", answer)
    with pytest.raises(AnswerIncomplete, match="has no authorization"):
        Ecr(PRIVATE, None).read_token(client_of(private))


def test_permissions_for_a_token() -> None:
    """ECR Public's token takes a permission of STS beside its own."""
    assert EcrPublic(HOST, None).token_operation("x").also == "sts:GetServiceBearerToken"
    assert Ecr(PRIVATE, None).token_operation("x").also == ""


# --- repositories -----------------------------------------------------------------------------------------------------


def test_created_with_its_data(public: Stubber) -> None:
    """A repository that is not there is created with what the gallery shall show, in one call."""
    public.add_response("create_repository", CREATED, {"repositoryName": "s3-chart", "catalogData": SHOWN})
    ask = Asked()
    assert EcrPublic(HOST, None).ensure(client_of(public), "s3-chart", WANTED, ask) == "created"
    assert ask.actions == ["ecr-public:CreateRepository s3-chart"]


@pytest.mark.parametrize("exists", [True, False])
def test_without_a_catalog(public: Stubber, *, exists: bool) -> None:
    """Where the catalog says nothing, a repository is created without, and what the gallery shows is not even read."""
    if exists:
        public.add_client_error("create_repository", "RepositoryAlreadyExistsException")
    else:
        public.add_response("create_repository", CREATED, {"repositoryName": "s3-chart"})
    outcome = EcrPublic(HOST, None).ensure(client_of(public), "s3-chart", None, Asked())
    assert outcome == ("unchanged" if exists else "created")


def test_equal_data(public: Stubber) -> None:
    """Data that is equal, in whichever order, is not written again."""
    found = {**SHOWN, "architectures": ["ARM 64", "x86-64"], "aboutText": "# About\n", "marketplaceCertified": False}
    public.add_client_error("create_repository", "RepositoryAlreadyExistsException")
    public.add_response("get_repository_catalog_data", {"catalogData": found}, {"repositoryName": "s3-chart"})
    assert EcrPublic(HOST, None).ensure(client_of(public), "s3-chart", WANTED, Asked()) == "unchanged"


def test_other_data(public: Stubber) -> None:
    """Data that differs is replaced as a whole."""
    public.add_client_error("create_repository", "RepositoryAlreadyExistsException")
    public.add_response("get_repository_catalog_data", {"catalogData": {**SHOWN, "usageText": "old"}})
    public.add_response("put_repository_catalog_data", WRITTEN, {"repositoryName": "s3-chart", "catalogData": SHOWN})
    ask = Asked()
    assert EcrPublic(HOST, None).ensure(client_of(public), "s3-chart", WANTED, ask) == "changed"
    assert [action.split()[0] for action in ask.actions] == [
        "ecr-public:CreateRepository",
        "ecr-public:GetRepositoryCatalogData",
        "ecr-public:PutRepositoryCatalogData",
    ]


@pytest.mark.parametrize("answer", ["RepositoryCatalogDataNotFoundException", None])
def test_no_data(public: Stubber, answer: str | None) -> None:
    """A repository that has no data yet is given it."""
    public.add_client_error("create_repository", "RepositoryAlreadyExistsException")
    if answer is None:
        public.add_response("get_repository_catalog_data", {})
    else:
        public.add_client_error("get_repository_catalog_data", answer)
    public.add_response("put_repository_catalog_data", WRITTEN, {"repositoryName": "s3-chart", "catalogData": SHOWN})
    assert EcrPublic(HOST, None).ensure(client_of(public), "s3-chart", WANTED, Asked()) == "changed"


def test_what_the_catalog_leaves_out(public: Stubber) -> None:
    """A text that the catalog leaves out stays as it is in the gallery, although all data is replaced."""
    wanted = CatalogData("New", None, None, (), ("Linux",))
    found = {**SHOWN, "usageText": "by hand"}
    merged = {**found, "description": "New", "architectures": []}
    public.add_client_error("create_repository", "RepositoryAlreadyExistsException")
    public.add_response("get_repository_catalog_data", {"catalogData": found})
    public.add_response("put_repository_catalog_data", WRITTEN, {"repositoryName": "s3-chart", "catalogData": merged})
    assert EcrPublic(HOST, None).ensure(client_of(public), "s3-chart", wanted, Asked()) == "changed"


def test_private_repository(private: Stubber) -> None:
    """A private repository is created in the account of the host, with AWS's defaults, and has no catalogue."""
    private.add_response("create_repository", CREATED, {"repositoryName": "ack/s3-chart", "registryId": "123456789012"})
    assert Ecr(PRIVATE, None).ensure(client_of(private), "ack/s3-chart", WANTED, Asked()) == "created"
    private.add_client_error("create_repository", "RepositoryAlreadyExistsException")
    assert Ecr(PRIVATE, None).ensure(client_of(private), "ack/s3-chart", WANTED, Asked()) == "unchanged"


def test_private_repository_of_another_host(private: Stubber) -> None:
    """A host that names no account leaves it to the identity that asks."""
    private.add_response("create_repository", CREATED, {"repositoryName": "ack/s3-chart"})
    assert Ecr("127.0.0.1:5000", "us-east-1").ensure(client_of(private), "ack/s3-chart", None, Asked()) == "created"


@pytest.mark.parametrize("service", [EcrPublic(HOST, None), Ecr(PRIVATE, None)])
def test_other_errors_pass(clients: StubbedClients, service: EcrPublic | Ecr) -> None:
    """Only that a repository is there already counts as success."""
    stub = clients.stub(service.endpoint.service)
    stub.add_client_error("create_repository", "LimitExceededException")
    with pytest.raises(ClientError, match="LimitExceededException"):
        service.ensure(client_of(stub), "s3-chart", None, Asked())


@pytest.mark.parametrize("service", [EcrPublic(HOST, None), Ecr(PRIVATE, None)])
@pytest.mark.parametrize("answer", [{}, {"repository": {}}])
def test_incomplete_answer(clients: StubbedClients, service: EcrPublic | Ecr, answer: dict[str, Any]) -> None:
    """An answer that names no repository does not count as one that was created."""
    stub = clients.stub(service.endpoint.service)
    stub.add_response("create_repository", answer)
    with pytest.raises(AnswerIncomplete, match="has no repository"):
        service.ensure(client_of(stub), "s3-chart", None, Asked())


LISTS = st.lists(st.sampled_from(["x86-64", "ARM 64", "x86", "ARM"]), unique=True)
TEXTS = st.one_of(st.none(), st.text(min_size=1, max_size=9).map(str.strip).filter(bool))


@given(TEXTS, TEXTS, TEXTS, LISTS, st.randoms())
def test_what_was_written_is_shown(
    description: str | None, about: str | None, usage: str | None, architectures: list[str], rng: random.Random
) -> None:
    """What is wanted is shown once it is written, in whichever order the API gives it, without what is empty."""
    wanted = CatalogData(description, about, usage, tuple(architectures), ("Linux",))
    shuffled = rng.sample(architectures, len(architectures))
    found: dict[str, Any] = {
        "description": description,
        "aboutText": about,
        "usageText": usage,
        "architectures": shuffled,
        "operatingSystems": ["Linux"],
    }
    found = {key: value for key, value in found.items() if value}
    assert is_shown(wanted, found)
    assert not is_shown(wanted, {**found, "operatingSystems": ["Windows"]})
    if description:
        assert not is_shown(wanted, {**found, "description": f"{description}!"})
