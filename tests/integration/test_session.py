"""A supervised session of a command that has no event, no clone and no configuration, as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import ExitCode
from runner.oci.credentials import Login
from testbed.faults.proxy import FaultProxy
from testbed.process_table import processes_with
from testbed.token_server import Accounts, TokenServer
from tests.support.registry import PASSWORD, USERNAME, crane_registry, docker_registry
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PROGRAM = """
import os, signal, sys, threading, time
from pathlib import Path

signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))

from runner import errors
from runner.cli.limits import Limits
from runner.cli.session import run_session
from runner.oci.name import Name
from runner.session import open_registry

{before}

def work(session):
    (session.folder / "half-written").touch()
    with session.record.step("observe", "s3"):
{work}

os._exit(
    run_session(
        "audit", work, environment=os.environ, out=sys.stdout, artifacts=Path("reports"), {arguments}
    )
)
"""
REPORTS = {"record.json", "metadata.json", "junit_release.xml", "release.html", "release-log.jsonl"}
HANGING = "session.run(['sleep', '300'], env=dict(os.environ))"


@dataclass(frozen=True)
class Supervised:
    """A session that goes on, in a folder of its own."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        """record.json."""
        document: dict[str, Any] = json.loads((self.folder / "reports" / "record.json").read_text("utf-8"))
        return document

    def end(self, *numbers: signal.Signals) -> tuple[int, list[str]]:
        """Send signals, and return the exit code and what people read; everything that must be gone is."""
        for number in numbers:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        assert err == ""
        assert list((self.folder / "tmp").iterdir()) == []
        # A process that was killed goes on for the moment that the kernel needs.
        until(lambda: not processes_with(str(self.folder), told="environ"), seconds=5.0)
        return self.process.returncode, out.splitlines()

    def check_reports(self) -> None:
        """Check that every report is there, whole, and of one outcome."""
        reports = self.folder / "reports"
        assert {path.name for path in reports.iterdir()} >= REPORTS
        assert not [path for path in reports.iterdir() if path.name.startswith(".")]
        record = self.record
        assert record["command"] == "audit"
        failures = [case.get("message") for case in ET.parse(reports / "junit_release.xml").iter("failure")]  # noqa: S314
        assert failures == [error["cause"] for error in record["errors"]]
        metadata = json.loads((reports / "metadata.json").read_text("utf-8"))
        assert metadata.get("Cause") == (record["error"] and record["error"]["cause"])


@contextlib.contextmanager
def supervised(
    folder: Path,
    work: str,
    *,
    before: str = "",
    arguments: str = "",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Supervised]:
    """Start a session that does this work; it finds itself in an empty folder, and in next to no environment."""
    (folder / "tmp").mkdir()
    text = PROGRAM.format(work=textwrap.indent(work, " " * 8), before=before, arguments=arguments)
    with subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(folder / "tmp"), **(environment or {})},
    ) as process:
        try:
            yield Supervised(process, folder)
        finally:
            process.kill()


def is_hanging(session: Supervised) -> bool:
    """Whether the session's work waits for the program that it has started."""
    return any(line.startswith("sleep 300") for line in processes_with(str(session.folder), told="environ"))


def test_success(tmp_path: Path) -> None:
    """Work that comes to its end is exit 0 with every report, and nothing of the work folder is left."""
    with supervised(tmp_path, "assert session.artifacts == Path('reports')") as session:
        code, lines = session.end()
    assert code == 0
    assert "event=done" in lines[-1]
    session.check_reports()
    assert session.record["exit"] == 0
    assert [(step["name"], step["outcome"]) for step in session.record["steps"]] == [("observe", "passed")]


@pytest.mark.parametrize(
    ("work", "code", "name"),
    [
        ("raise errors.UsageInvalid('--registry: x')", ExitCode.USAGE, "usage-invalid"),
        ("raise errors.AlreadyPublished('h/c:1 is another')", ExitCode.CONFLICT, "already-published"),
        ("raise errors.RegistryFailed('h: 503')", ExitCode.REGISTRY_FAILED, "registry-failed"),
        ("{}['colour']", ExitCode.BUG, "bug"),
        ("session.record.fail(errors.AlreadyPublished('h/c:1'), 's3')", ExitCode.CONFLICT, "already-published"),
    ],
    ids=["usage", "conflict", "registry", "bug", "one part"],
)
def test_failure(tmp_path: Path, work: str, code: int, name: str) -> None:
    """What fails is the error's own exit code, 1 for a bug, given in the last line and in every report."""
    with supervised(tmp_path, work) as session:
        ended, lines = session.end()
    assert ended == code
    assert lines[-1].startswith("ERROR: ")
    assert f"exit={code} code={name}" in lines[-1]
    session.check_reports()
    assert (session.record["exit"], session.record["error"]["code"]) == (code, name)


@pytest.mark.parametrize(
    ("numbers", "reasons"),
    [
        ((signal.SIGTERM,), ["SIGTERM"]),
        ((signal.SIGINT,), ["SIGINT"]),
        ((signal.SIGINT, signal.SIGTERM), ["SIGINT", "SIGTERM", "SIGINT and SIGTERM", "SIGTERM and SIGINT"]),
    ],
    ids=["SIGTERM", "SIGINT", "both"],
)
def test_signals(tmp_path: Path, numbers: Sequence[signal.Signals], reasons: Sequence[str]) -> None:
    """A signal is exit 9 with every report, which say where it was; its program and its folder are gone."""
    with supervised(tmp_path, HANGING) as session:
        until(lambda: is_hanging(session))
        code, lines = session.end(*numbers)
    assert code == ExitCode.ENDED
    session.check_reports()
    cause = session.record["error"]["cause"]
    assert cause in {f"the run was ended by {reason} during observe of s3" for reason in reasons}
    assert lines[-1].startswith(f"ERROR: {cause}. ")


@pytest.mark.parametrize("limited_by", ["the job", "the command"])
def test_deadline(tmp_path: Path, limited_by: str) -> None:
    """What Prow allows a job of no push is kept, and so is what the command allows itself."""
    job = {"JOB_SPEC": json.dumps({"type": "periodic", "decoration_config": {"timeout": "4s"}})}
    given: dict[str, Any] = (
        {"environment": job} if limited_by == "the job" else {"arguments": "limits=Limits(2.0, 2.0)"}
    )
    with supervised(tmp_path, HANGING, **given) as session:
        code, _ = session.end()
    assert code == ExitCode.ENDED
    session.check_reports()
    assert session.record["error"]["cause"].startswith("the run was ended by the deadline ")


def test_a_job_that_cannot_be_read(tmp_path: Path) -> None:
    """A JOB_SPEC that makes no sense is no matter for a command that needs no event."""
    with supervised(tmp_path, "pass", environment={"JOB_SPEC": "{"}) as session:
        assert session.end()[0] == 0


def test_no_place_to_work(tmp_path: Path) -> None:
    """Without a folder to work in the work is not begun: exit 2 with the reports."""
    with supervised(tmp_path, "raise KeyError", environment={"TMPDIR": "/dev/null"}) as session:
        code, lines = session.end()
    assert code == ExitCode.USAGE
    assert "exit=2 code=usage-invalid" in lines[-1]
    session.check_reports()


def test_no_place_for_reports(tmp_path: Path) -> None:
    """An artifacts folder that cannot be made is a warning, and the session goes on without reports."""
    (tmp_path / "reports").write_text("in the way\n", encoding="utf-8")
    with supervised(tmp_path, "assert session.artifacts is None") as session:
        code, lines = session.end()
    assert code == 0
    [warning] = [line for line in lines if "level=warning" in line]
    assert "reports are not written" in warning


def test_what_the_command_hands_in(tmp_path: Path) -> None:
    """The command's own words are the last line of a success, and after it comes what shows the record."""
    before = """
def conclude(document, out, log):
    out.write("AUDITED: 2 services\\n")

def show(document):
    print("shown:", document.command, document.exit, flush=True)
"""
    with supervised(tmp_path, "pass", before=before, arguments="conclude=conclude, show=show") as session:
        code, lines = session.end()
    assert code == 0
    assert lines[-2:] == ["AUDITED: 2 services", "shown: audit 0"]


def test_a_tool_in_a_session(tmp_path: Path) -> None:
    """A registry is read with a session alone, and its requests are in the log for programs."""
    with crane_registry(tmp_path / "registry") as registry:
        work = f"""
name = Name.parse("{registry.host}/ack/controller:1")
assert open_registry(session).manifest(name.repository, name.tag) is None
"""
        with supervised(tmp_path, work) as session:
            assert session.end()[0] == 0
    log = (tmp_path / "reports" / "release-log.jsonl").read_text("utf-8")
    requests = [event for event in map(json.loads, log.splitlines()) if event["event"] == "request"]
    assert [(event["method"], event["status"]) for event in requests] == [("GET", 404)]


@pytest.mark.parametrize("scheme", ["basic", "tokens"])
def test_a_login_in_a_session(tmp_path: Path, scheme: str) -> None:
    """A helper's login serves a session, and neither it nor a token made with it stands in any report or line."""
    helper = tmp_path / "bin" / "docker-credential-store"
    helper.parent.mkdir()
    answer = json.dumps({"Username": USERNAME, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\nenv >&2\necho '{answer}'\n", encoding="utf-8")
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "store"}), encoding="utf-8")
    service = TokenServer(Accounts({USERNAME: PASSWORD}, rights={None: {}}), tmp_path / "certificate")
    with service, FaultProxy(service.host) as tokens:
        trust = service.trust(host=tokens.host) if scheme == "tokens" else None
        with docker_registry(tmp_path / "registry", basic=scheme == "basic", tokens=trust) as registry:
            work = f"""
name = Name.parse("{registry.host}/ack/controller:1")
assert open_registry(session).manifest(name.repository, name.tag) is None
"""
            environment = {
                "PATH": f"{helper.parent}{os.pathsep}{os.environ['PATH']}",
                "DOCKER_CONFIG": str(tmp_path),
                "GITHUB_TOKEN": "marked",
            }
            with supervised(tmp_path, work, environment=environment) as session:
                code, lines = session.end()
    assert code == 0
    assert bool(tokens.requests) is (scheme == "tokens")
    written = "".join(path.read_text("utf-8") for path in (tmp_path / "reports").iterdir()) + "".join(lines)
    secrets = (PASSWORD, Login(USERNAME, PASSWORD).basic.removeprefix("Basic "), "Bearer", "scope=", "marked")
    assert not [secret for secret in secrets if secret in written]
