"""What is decided for a service, as the record and the log have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.errors import AlreadyPublished
from runner.oci.name import Name
from runner.report.record import EntryDocument
from runner.run.plan.model import Action, Attachment, Entry, Kind, Plan
from runner.run.reporting import entry_documents, note, record_entries, tell_plan, warn
from tests.support.stages import Asked, World

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = Name.parse("registry.example/ack/controller:s3-v1.2.3")
CHART = Name.parse("registry.example/ack/chart:s3-v1.2.3")
DIGEST = "sha256:" + "1" * 64
PUBLISH = Entry(Kind.IMAGE, IMAGE, Action.PUBLISH, "not in the registry")
SKIP = Entry(Kind.CHART, CHART, Action.SKIP, "already published from this commit", DIGEST)
REFUSE = Entry(Kind.CHART, CHART, Action.REFUSE, "published from commit bbbbbbbbbbbb", DIGEST)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, Asked().release())


def test_entries_in_the_records_words() -> None:
    """Each entry is put down with service, kind, name, action, reason and digest, in the order of the plan."""
    attached = Entry(
        Kind.IMAGE, Attachment(IMAGE.repository, DIGEST, "application/vnd.example"), Action.PUBLISH, "missing"
    )
    assert entry_documents(Plan("s3", (PUBLISH, SKIP, attached))) == (
        EntryDocument(service="s3", kind="image", name=str(IMAGE), action="publish", reason=PUBLISH.reason),
        EntryDocument(service="s3", kind="chart", name=str(CHART), action="skip", reason=SKIP.reason, digest=DIGEST),
        EntryDocument(
            service="s3",
            kind="image",
            name=f"application/vnd.example of {IMAGE.repository}@{DIGEST}",
            action="publish",
            reason="missing",
        ),
    )


def test_entries_of_one_service_are_replaced(world: World) -> None:
    """What is recorded of a service takes the place of what was, and other services' entries stay."""
    for plan in (Plan("s3", (PUBLISH,)), Plan("sns", (SKIP,)), Plan("s3", (SKIP, REFUSE))):
        record_entries(plan, world.session)
    recorded = [(entry.service, entry.action) for entry in world.record.document.entries]
    assert recorded == [("s3", "skip"), ("s3", "refuse"), ("sns", "skip")]


def test_warnings_and_notes(world: World) -> None:
    """Warnings and notes are recorded, and each is a line of its own, of its level and its service."""
    warn(world.session, "s3", "one", "two")
    note(world.session, "sns", "three")
    assert world.record.document.warnings == ("one", "two")
    assert world.record.document.notes == ("three",)
    assert world.told == [
        ("warning", "warning", {"service": "s3", "text": "one"}),
        ("warning", "warning", {"service": "s3", "text": "two"}),
        ("info", "note", {"service": "sns", "text": "three"}),
    ]


def test_a_plan_is_told(world: World) -> None:
    """A plan is a step of its service: entries, warnings and notes are recorded, and each has a line with all of it."""
    tell_plan(Plan("s3", (PUBLISH, SKIP), ("look",), ("worth knowing",)), world.session)
    document = world.record.document
    assert world.steps() == [("plan", "s3", "passed")]
    assert [entry.name for entry in document.entries] == [str(IMAGE), str(CHART)]
    assert (document.warnings, document.notes) == (("look",), ("worth knowing",))
    assert [(level, event) for level, event, _ in world.told] == [
        ("warning", "warning"),
        ("info", "note"),
        ("info", "planned"),
        ("info", "planned"),
    ]
    assert world.said("planned") == [
        {"service": "s3", "action": "publish", "name": str(IMAGE), "reason": PUBLISH.reason, "digest": None},
        {"service": "s3", "action": "skip", "name": str(CHART), "reason": SKIP.reason, "digest": DIGEST},
    ]


def test_a_plan_of_skips(world: World) -> None:
    """A plan that publishes nothing is a step that was skipped, and says why."""
    tell_plan(Plan("s3", (SKIP,)), world.session)
    assert world.steps() == [("plan", "s3", "skipped")]
    assert world.record.document.steps[0].reason == "everything is published already"


def test_a_plan_that_refuses(world: World) -> None:
    """A refusal is raised once everything about it is recorded and logged, and fails the step."""
    error = AlreadyPublished("another commit")
    with pytest.raises(AlreadyPublished) as raised:
        tell_plan(Plan("s3", (PUBLISH, REFUSE), ("look",), error=error), world.session)
    assert raised.value is error
    assert world.steps() == [("plan", "s3", "failed")]
    assert world.record.document.steps[0].reason == "another commit"
    assert [entry.action for entry in world.record.document.entries] == ["publish", "refuse"]
    assert world.record.document.warnings == ("look",)
    assert [values["action"] for values in world.said("planned")] == ["publish", "refuse"]
