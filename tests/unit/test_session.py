from __future__ import annotations

import io
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import session as session_module
from runner.builders.table import BUILDERS
from runner.errors import RunEnded
from runner.oci.messages import Exchange, Wait
from runner.oci.name import Name
from runner.oci.patience import Waiting
from runner.report.console import Outlet, open_log
from runner.report.record import Record
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Finished
from runner.session import Exchanges, Session, open_builder, open_helm, open_registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ANSWERED = Exchange("GET", "registry.example", "/v2/", 200, 0.1, 0, 2, None)


class Started:
    """Programs that were started: each says that it is version 4.2.4 of whatever it is."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, str], Path | None]] = []

    def run(
        self, argv: Sequence[str | Path], *, env: Mapping[str, str], log: Path | None = None, **_: object
    ) -> Finished:
        """Say that."""
        self.calls.append((str(argv[0]), env, log))
        return Finished(tuple(map(str, argv)), 0, "4.2.4\n", "", 0.0)


def session(artifacts: Path | None = None, *, log_file: io.StringIO | None = None) -> Session:
    """A session without an event, a clone or a configuration, in an environment without anything."""
    return Session(
        environment={},
        lifetime=Lifetime(),
        run=Started().run,
        record=Record(lambda _: None),
        log=open_log(Outlet(io.StringIO()), log_file),
        folder=Path("/nowhere"),
        artifacts=artifacts,
    )


def events(file: io.StringIO) -> list[dict[str, Any]]:
    """What was logged for programs."""
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry's client needs nothing but a session: each request is logged, and the session's end is its end."""
    file = io.StringIO()
    opened = session(log_file=file)

    def end(*_: object) -> NoReturn:
        opened.lifetime.end("SIGTERM")
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", end)
    name = Name.parse("127.0.0.1:9/ack/controller:1")
    with pytest.raises(RunEnded):
        open_registry(opened).manifest(name.repository, name.tag)
    assert [(event["event"], event["host"]) for event in events(file)] == [("request", name.repository.host)]


@pytest.mark.parametrize(
    ("artifacts", "log"), [(Path("/reports"), Path("/reports/helm-build-log.txt")), (None, None)], ids=["kept", "not"]
)
def test_helm(artifacts: Path | None, log: Path | None) -> None:
    """Helm is the program that is asked for, sees the given environment only, and its output is with the reports."""
    started = Started()
    helm = open_helm(replace(session(artifacts), run=started.run), "/opt/helm", {"PATH": "/bin"})
    assert started.calls == []
    assert helm.version() == "4.2.4"
    assert started.calls == [("/opt/helm", {"PATH": "/bin"}, log)]


@pytest.mark.parametrize("name", BUILDERS)
def test_builder(name: str) -> None:
    """The builder is the one of that name, and its output has that name in the artifacts folder."""
    started = Started()
    programs = {key: f"/opt/{key}" for key in ("go", "helm")}
    builder = open_builder(replace(session(Path("/reports")), run=started.run), name, programs, {"PATH": "/bin"})
    assert (builder.name, started.calls) == (name, [])
    assert builder.check() == "4.2.4"
    assert {log for _, _, log in started.calls} == {Path(f"/reports/{name}-build-log.txt")}


def test_builder_that_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a builder waits for is logged with the reason, and the run's end ends the wait."""
    given: list[Any] = []

    def opener(*arguments: Any) -> str:
        given.extend(arguments)
        return "the builder"

    out, ended = io.StringIO(), Lifetime()
    monkeypatch.setattr(session_module, "BUILDERS", {"x": opener})
    opened = open_builder(replace(session(None), log=open_log(Outlet(out), None), lifetime=ended), "x", {}, {})
    ended.end("SIGTERM")
    with pytest.raises(RunEnded, match="SIGTERM"):
        given[-1](30.0, "502 Bad Gateway")
    assert str(opened) == "the builder"
    assert 'event="trying again" tool=x problem="502 Bad Gateway" seconds=30.0' in out.getvalue()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, "503", "reset"]))))
def test_exchanges(made: list[tuple[str, str | None]]) -> None:
    """Programs read of every request, people once of each host that did not answer as it should."""
    file, out = io.StringIO(), io.StringIO()
    exchanges = Exchanges(open_log(Outlet(out), file))
    for host, problem in made:
        exchanges.tell(replace(ANSWERED, host=host, problem=problem))
    assert [event["host"] for event in events(file) if event["event"] == "request"] == [host for host, _ in made]
    warned = [line.partition(" host=")[2].split()[0] for line in out.getvalue().splitlines()]
    assert warned == list(dict.fromkeys(host for host, problem in made if problem is not None))


def test_what_is_waited_for() -> None:
    """People read what the run waits for, until when, and how long it will go on waiting for such things."""
    out = io.StringIO()
    exchanges = Exchanges(open_log(Outlet(out), io.StringIO()))
    exchanges.waiting(Waiting(Wait.RATE_LIMITED, "registry.example", "HTTP 429 (TOOMANYREQUESTS: wait)", 29.6, 270.4))
    line = out.getvalue()
    assert "waiting for a registry" in line
    for part in ("host=registry.example", '"too many requests"', "TOOMANYREQUESTS", "seconds=30", "seconds_left=270"):
        assert part in line
