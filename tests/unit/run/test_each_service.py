"""Each service on its own: side by side, each step recorded, and one that fails stops alone."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.config.load import Service, parse_config
from runner.errors import BuildFailed, RegistryForbids, ReleaseError, RunEnded, ToolUnusable
from runner.report.record import Record
from runner.run.each_service import each_service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.run.each_service import OpenStep

SERVICES = parse_config(b"registry: registry.example/ack\nservices: {a: , b: , c: , d: }\n", Path("jobs.yaml")).services


@dataclass(frozen=True)
class Item:
    """Something of a service."""

    service: Service


def items(names: Iterable[str]) -> list[Item]:
    """One item of each service."""
    return [Item(SERVICES[name]) for name in names]


def new_record() -> Record:
    """A record that nobody keeps."""
    return Record(lambda _: None)


def test_one_that_fails_does_not_stop_the_others() -> None:
    """The results of the others are returned in order, and the failure is recorded for its service."""
    record = new_record()

    def work(item: Item, _: OpenStep) -> str:
        if item.service.name == "b":
            raise BuildFailed("no")
        return item.service.name.upper()

    assert each_service(items("abc"), work, record, at_once=2) == ("A", "C")
    assert [(error.service, error.code) for error in record.document.errors] == [("b", "build-failed")]


def test_a_bug_stops_its_service_only() -> None:
    """An unexpected exception is recorded as a bug of its service."""
    record, none = new_record(), dict[str, str]()
    assert each_service(items("a"), lambda item, _: none[item.service.name], record, at_once=1) == ()
    assert record.document.errors[0].code == "bug"


@pytest.mark.parametrize("error", [ToolUnusable("no helm"), RunEnded("ended")], ids=["usage", "ended"])
def test_what_is_wrong_with_the_whole_run_is_raised(error: ReleaseError) -> None:
    """Exit 2, 3 and 9 are no matter of one service: they are raised once every service came to its end."""
    record, done = new_record(), []

    def work(item: Item, _: OpenStep) -> None:
        done.append(item.service.name)
        if item.service.name == "a":
            raise error

    with pytest.raises(type(error)):
        each_service(items("ab"), work, record, at_once=1)
    assert done == ["a", "b"]
    record.fail(error)
    services = [one.service for one in record.document.errors]
    assert services == ([None] if isinstance(error, RunEnded) else ["a"])


def test_rule_of_a_registry_stops_its_service_only() -> None:
    """A quota of one repository is exit 2, and yet the other services go on."""
    record = new_record()

    def work(item: Item, _: OpenStep) -> str:
        if item.service.name == "a":
            raise RegistryForbids("the quota is reached")
        return item.service.name

    assert each_service(items("ab"), work, record, at_once=1) == ("b",)
    assert [(error.service, error.exit) for error in record.document.errors] == [("a", 2)]


def test_services_are_worked_on_side_by_side_up_to_the_limit() -> None:
    """No more than the limit are under way at once, and the limit is used."""
    lock, meet = threading.Lock(), threading.Barrier(2)
    going, most = 0, 0

    def work(_: Item, __: OpenStep) -> None:
        nonlocal going, most
        with lock:
            going += 1
            most = max(most, going)
        meet.wait(5)
        with lock:
            going -= 1

    each_service(items("abcd"), work, new_record(), at_once=2)
    assert most == 2


def test_steps_are_those_of_the_service() -> None:
    """A step that the work opens is recorded for the item's service, and fails with it."""
    record = new_record()

    def work(item: Item, step: OpenStep) -> None:
        with step("chart"):
            if item.service.name == "b":
                raise BuildFailed("no")

    each_service(items("ab"), work, record, at_once=1)
    assert [(step.name, step.service, step.outcome) for step in record.document.steps] == [
        ("chart", "a", "passed"),
        ("chart", "b", "failed"),
    ]
    assert [(error.service, error.step) for error in record.document.errors] == [("b", "chart")]
