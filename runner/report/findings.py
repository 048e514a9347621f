"""What ``verify`` and ``audit`` print for programs, and what the fleet's page is made of."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

AUDIT_SCHEMA = "ack-release.audit.v1"
VERIFY_SCHEMA = "ack-release.verify.v1"
HISTORY_SCHEMA = "ack-release.stable-history.v1"


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FindingDocument(_Document):
    """Something that is not as it should be, or a known flaw of what the former job published."""

    kind: str = Field(description="A kind's stable name; docs/audit.md lists them.")
    meaning: str
    service: str
    version: str | None = Field(None, description="MAJOR.MINOR.PATCH, or a channel such as v1-stable.")
    names: tuple[str, ...] = Field((), description="HOST/REPOSITORY:TAG")
    found: str = Field("", description="What was found, in words.")
    who: str = Field(description="Who acts: operator, author, administrator or nobody.")
    remedy: str
    repaired_by: Literal["tag", "stable"] | None = Field(
        None, description="The job whose rerun is all that is needed: that of the tag, or that of the branch stable."
    )


class UnreadDocument(_Document):
    """A service that could not be judged, and why."""

    service: str
    code: str
    cause: str
    remedy: str
    exit: int


class FleetServiceDocument(_Document):
    """One service: what git and the registry have of it."""

    name: str
    repository: str
    state: Literal["in order", "findings", "not read"]
    tagged: str | None = Field(None, description="The newest version that is tagged in git.")
    published: str | None = Field(None, description="The newest version that is published.")
    versions: int = Field(0, description="How many versions are tagged or published.")
    stable: tuple[str, ...] = Field((), description="The channels that have a stable chart.")
    findings: int = 0
    former: int = Field(0, description="Known flaws of what the former job published; no findings.")


class AuditDocument(_Document):
    """What an audit found; ``audit --json`` prints this."""

    schema_name: str = Field(AUDIT_SCHEMA, alias="schema")
    runner: str = Field(description="The version of the program that wrote this.")
    time: str = Field(description="When it began, UTC.")
    seconds: float
    registry: str
    repositories: str = Field(description="The address that the services' repositories are below.")
    deep: bool = Field(description="Whether everything was read; else older versions were judged by their names only.")
    verdict: str
    exit: int
    services: tuple[FleetServiceDocument, ...] = ()
    findings: tuple[FindingDocument, ...] = ()
    former: tuple[FindingDocument, ...] = Field((), description="Known flaws of what the former job published.")
    unread: tuple[UnreadDocument, ...] = Field((), description="Services that could not be judged.")
    notes: tuple[str, ...] = ()
    tags: int = Field(0, description="How many tags the registry listed.")
    read: int = Field(0, description="How many names were read.")
    requests: dict[str, int] = Field({}, description="Requests to the registry, by what they ask for.")


class CheckDocument(_Document):
    """One check of a release."""

    check: str
    result: Literal["passed", "failed", "warning", "note"]
    found: str
    expected: str


class VerifyDocument(_Document):
    """What was checked of a release; ``verify --json`` prints this."""

    schema_name: str = Field(VERIFY_SCHEMA, alias="schema")
    runner: str = Field(description="The version of the program that wrote this.")
    service: str
    version: str = Field(description="MAJOR.MINOR.PATCH")
    registry: str
    scheme: str | None = Field(None, description="The naming scheme that the release is published under.")
    verdict: str
    exit: int
    checks: tuple[CheckDocument, ...] = ()


class MoveDocument(_Document):
    """A move of a stable name."""

    tag: str = Field(description="The history tag that keeps what the name was moved to.")
    time: str = Field(description="UTC.")
    commit: str = Field(description="The chart's commit: the whole id where the chart says it.")
    version: str | None = Field(None, description="The version of the image that the chart deploys.")
    digest: str | None = None
    current: bool = Field(description="Whether the stable name holds this chart now.")


class StableNameDocument(_Document):
    """A stable name: what it holds, and its moves, newest first."""

    name: str = Field(description="HOST/REPOSITORY:TAG")
    digest: str | None = Field(None, description="What it holds; null where only its history is left.")
    outside: bool = Field(description="Whether it holds what none of its moves wrote.")
    moves: tuple[MoveDocument, ...] = ()
    earlier: int = Field(0, description="How many earlier moves there are.")


class HistoryDocument(_Document):
    """What a service's stable names hold and have held; ``stable history --json`` prints this."""

    schema_name: str = Field(HISTORY_SCHEMA, alias="schema")
    runner: str = Field(description="The version of the program that wrote this.")
    service: str
    registry: str
    stable: tuple[StableNameDocument, ...] = ()


def audit_schema() -> dict[str, Any]:
    """The JSON Schema of what ``audit --json`` prints."""
    return _schema(AuditDocument)


def verify_schema() -> dict[str, Any]:
    """The JSON Schema of what ``verify --json`` prints."""
    return _schema(VerifyDocument)


def history_schema() -> dict[str, Any]:
    """The JSON Schema of what ``stable history --json`` prints."""
    return _schema(HistoryDocument)


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
