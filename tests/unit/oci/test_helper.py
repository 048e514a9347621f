from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import CredentialsRefused
from runner.oci.credentials import Login
from runner.oci.helper import PASSED, PASSED_TO, SECONDS, CredentialHelpers, helper_environment
from runner.runtime.process import Finished

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

SERVER = "registry.example:5000"
SECRET = "s3cr:et é"  # noqa: S105  # what must never show
NOW = 1_800_000_000.0
NAMED = {key for keys in PASSED_TO.values() for key in keys}


class Program:
    """What a helper prints and how it ends, or what starting it raises; and how it was started."""

    def __init__(self, stdout: str = "", returncode: int = 0, error: OSError | None = None) -> None:
        self.stdout = stdout
        self.returncode = returncode
        self.error = error
        self.started: list[tuple[tuple[str, ...], Mapping[str, str], bytes | None]] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: bytes | None = None,
        log: Path | None = None,
        seconds: float | None = None,
        limit: int | None = None,
    ) -> Finished:
        """Start it."""
        assert (cwd, log, seconds, limit) == (None, None, SECONDS, None)
        command = tuple(str(one) for one in argv)
        self.started.append((command, env, stdin))
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return Finished(command, self.returncode, self.stdout, f"stderr {SECRET}", 0.0)


def printed(username: object = "me", secret: object = SECRET) -> str:
    return json.dumps({"ServerURL": SERVER, "Username": username, "Secret": secret})


def helpers(program: Program, clock: Callable[[], float] = lambda: NOW, **environment: str) -> CredentialHelpers:
    return CredentialHelpers(program.run, environment, clock=clock)


def test_the_protocol() -> None:
    """The helper is asked by ``get`` with the server on stdin, and answers a user name and a secret."""
    program = Program(printed())
    login = helpers(program, PATH="/bin", HOME="/home/me", SECRET="x")("ecr-login", SERVER)  # noqa: S106 - no secret
    assert login == Login("me", SECRET, NOW + 600)
    assert program.started == [
        (("docker-credential-ecr-login", "get"), {"PATH": "/bin", "HOME": "/home/me"}, SERVER.encode())
    ]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (Program(printed("<token>", "t")), Login("", "", NOW + 600, identity_token="t")),  # noqa: S106 - no secret
        (Program(printed("", "")), None),
        (Program("credentials not found in native keychain\n", 1), None),
        (Program(printed("_dcgcloud_token", SECRET) + "\n"), Login("_dcgcloud_token", SECRET, NOW + 600)),
    ],
    ids=["identity token", "empty", "not found", "newline"],
)
def test_answers(program: Program, expected: Login | None) -> None:
    """An identity token has a user name of its own; what is not in the store is no login."""
    assert helpers(program)("desktop", SERVER) == expected


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (Program(error=FileNotFoundError()), "docker-credential-desktop is not on PATH"),
        (Program(error=PermissionError(13, "Permission denied")), "cannot be started: Permission denied"),
        (Program(error=TimeoutError()), "did not answer within 10 s"),
        (Program(SECRET, 7), "failed with exit code 7"),
        (Program(f"not found: {SECRET}", 1), "failed with exit code 1"),
        (Program(SECRET), "did not answer with a user name and a secret"),
        (Program("[" * 100_000), "did not answer with a user name and a secret"),
        (Program(json.dumps([SECRET])), "did not answer with a user name and a secret"),
        (Program(json.dumps({"Username": SECRET})), "did not answer with a user name and a secret"),
        (Program(printed(secret=[SECRET])), "did not answer with a user name and a secret"),
    ],
)
def test_failures(program: Program, words: str) -> None:
    """A helper that fails is told with its name and the server, and with nothing that it printed."""
    with pytest.raises(CredentialsRefused, match=words) as raised:
        helpers(program)("desktop", SERVER)
    said = f"{raised.value.cause} {raised.value.remedy} {raised.value.detail}"
    assert SECRET not in said
    assert SERVER in raised.value.cause
    assert "docker-credential-desktop get" in raised.value.remedy


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "a b", "a\nb", "a;b"])
def test_names_that_are_none(name: str) -> None:
    """A name that could lead elsewhere starts nothing."""
    program = Program(printed())
    with pytest.raises(CredentialsRefused, match="is not a helper's name"):
        helpers(program)(name, SERVER)
    assert program.started == []


def test_how_long_an_answer_serves() -> None:
    """All who ask within half a minute share one answer; who asks later gets a new one, as does a clock set back."""
    program, now = Program(printed()), [NOW]
    ask = helpers(program, lambda: now[0])
    for seconds, asked in ((0, 1), (29, 1), (30, 2), (59, 2), (0, 3)):
        now[0] = NOW + seconds
        ask("desktop", SERVER)
        assert len(program.started) == asked
    ask("desktop", "other.example")
    ask("pass", SERVER)
    assert len(program.started) == 5


def test_many_who_ask_at_once() -> None:
    """Threads that ask for one server at the same time start one program."""
    program, both = Program(printed()), threading.Barrier(2)

    def meanwhile() -> None:
        try:
            both.wait(timeout=0.2)  # passes only if the program is started a second time
        except threading.BrokenBarrierError:
            return

    program.meanwhile = meanwhile
    ask = helpers(program)
    with ThreadPoolExecutor(2) as pool:
        logins = list(pool.map(lambda _: ask("desktop", SERVER), range(2)))
    assert logins == [Login("me", SECRET, NOW + 600)] * 2
    assert len(program.started) == 1


def test_a_failure_is_not_kept() -> None:
    """A helper that failed is asked again by who comes next."""
    program = Program(error=TimeoutError())
    ask = helpers(program)
    with pytest.raises(CredentialsRefused):
        ask("desktop", SERVER)
    program.error, program.stdout = None, printed()
    assert ask("desktop", SERVER) is not None


@given(
    st.sampled_from([*PASSED_TO, "other"]),
    st.dictionaries(st.sampled_from([*PASSED, *NAMED, "JOB_SPEC", "GITHUB_TOKEN"]), st.text("ab"), max_size=12),
)
def test_environments(name: str, inherited: dict[str, str]) -> None:
    """A helper gets what every helper gets and what is listed for its own name, and nothing of another's or else."""
    given_to = helper_environment(name, inherited)
    allowed = {*PASSED, *PASSED_TO.get(name, ())}
    assert given_to == {key: value for key, value in inherited.items() if key in allowed and value}


def test_an_identity_for_one_helper_only() -> None:
    """What holds an identity in the cloud is passed to the one helper that needs it, and to no other."""
    inherited = dict.fromkeys([*PASSED, *NAMED], "x")
    for name in ("desktop", "pass", "gcloud"):
        assert not [key for key in helper_environment(name, inherited) if key.startswith(("AWS_", "AZURE_"))]
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in helper_environment("ecr-login", inherited)
    assert "AZURE_CLIENT_SECRET" not in helper_environment("ecr-login", inherited)
