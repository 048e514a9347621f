from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.builders.goerrors import FAULTS, SAID_LIMIT, why_go_failed
from runner.errors import BuildFailed, ExitCode, GoTooOld, ModulesUnavailable, OutOfMemory, ReleaseError

PROXY = "main.go:2:8: example.org/d@v1.0.0: reading https://proxy.example/example.org/d/@v/v1.0.0.zip: "
SUMS = "go: example.org/d@v1.0.0: verifying go.mod: example.org/d@v1.0.0/go.mod: "
LOOKUP = f'{SUMS}Get "https://sum.example/lookup/example.org/d@v1.0.0": dial tcp 192.0.2.1:443: '


def case(
    stderr: str, error: type[ReleaseError], remedy: str, *, transient: bool = False, returncode: int = 1
) -> object:
    return pytest.param(stderr, returncode, error, remedy, transient, id=f"{remedy}: {stderr[-60:]}{returncode}")


@pytest.mark.parametrize(
    ("stderr", "returncode", "error", "remedy", "transient"),
    [
        # The author's: the source or go.mod is wrong.
        case("# m\n./main.go:2:8: undefined: x\n", BuildFailed, "Repair the source"),
        case("./main.go:5:1: syntax error: unexpected EOF, expecting }\n", BuildFailed, "Repair the source"),
        case("main.go:3:12: pattern nothere: no matching files found\n", BuildFailed, "Repair the source"),
        case("package m: build constraints exclude all Go files in /m\n", BuildFailed, "Repair the source"),
        case("package m\n\timports m/a\n\timports m/a: import cycle not allowed\n", BuildFailed, "Repair the source"),
        case("main.go:2:8: missing go.sum entry for module providing package d\n", BuildFailed, "Run go mod tidy"),
        case("go: updates to go.mod needed; to update it:\n\tgo mod tidy\n", BuildFailed, "Run go mod tidy"),
        case(
            "main.go:2:8: cannot find module providing package d: import lookup disabled by -mod=readonly\n",
            BuildFailed,
            "Run go mod tidy",
        ),
        case("go: inconsistent vendoring in /m:\n\td@v1: is explicitly required\n", BuildFailed, "Run go mod vendor"),
        case(
            f"{PROXY}404 Not Found\n\tserver response: not found: d@v1.0.0: invalid version\n",
            BuildFailed,
            "go.mod asks",
        ),
        case(f"{PROXY}410 Gone\n", BuildFailed, "go.mod asks"),
        case("go: example.org/d@v9.9.9: invalid version: unknown revision v9.9.9\n", BuildFailed, "go.mod asks"),
        case("go: module d@v1 requires go >= 1.99 (running go 1.26.8)\n", GoTooOld, "Run a newer runner image"),
        # Nobody's, or somebody's on the way: nothing is built until it is known whose.
        case(
            "verifying d@v1: checksum mismatch\n\tdownloaded: h1:a\n\tgo.sum: h1:b\n\nSECURITY ERROR\nThis download\n",
            BuildFailed,
            "A module is not what it was",
        ),
        # The administrator's: the job's environment.
        case("main.go:2:8: module lookup disabled by GOPROXY=off\n", ModulesUnavailable, "Correct GOPROXY"),
        case(
            "main.go:2:8: GOPROXY list is not the empty string, but contains no entries\n",
            ModulesUnavailable,
            "Correct",
        ),
        case(
            "main.go:2:8: invalid proxy URL scheme (must be https, http, file): ftp://x\n",
            ModulesUnavailable,
            "Correct",
        ),
        case(f"{PROXY}401 Unauthorized\n", ModulesUnavailable, "Give the job"),
        case(f"{PROXY}403 Forbidden\n\tserver response: quota\n", ModulesUnavailable, "Give the job"),
        case(
            "go: d@v1: git ls-remote -q origin in /c: exit status 128:\n"
            "\tfatal: could not read Username for 'https://github.com': terminal prompts disabled\n",
            ModulesUnavailable,
            "Give the job",
        ),
        case(
            f"{SUMS}reading https://sum.example/lookup/example.org/d@v1.0.0: 404 Not Found\n\tserver response: no\n",
            ModulesUnavailable,
            "The checksum server does not know this module",
        ),
        case("runtime: /sdk/compile: signal: killed\n", OutOfMemory, "Raise the job's memory"),
        case("", OutOfMemory, "Raise the job's memory", returncode=-9),
        case("", OutOfMemory, "Raise the job's memory", returncode=137),
        case("# runtime\nruntime: out of memory: cannot allocate 4194304-byte block\n", OutOfMemory, "Raise the job's"),
        case("fork/exec /sdk/compile: cannot allocate memory\n", OutOfMemory, "Raise the job's memory"),
        # Nobody's: it may be there a moment later.
        case(f"{PROXY}502 Bad Gateway\n\tserver response: x\n", ModulesUnavailable, "Rerun once", transient=True),
        case(f"{PROXY}503 Service Unavailable\n", ModulesUnavailable, "Rerun once", transient=True),
        case(f"{PROXY}429 Too Many Requests\n", ModulesUnavailable, "Rerun once", transient=True),
        case(
            'go: d: read "https://proxy.example/d.zip": unexpected EOF\n',
            ModulesUnavailable,
            "Rerun once",
            transient=True,
        ),
        case("main.go:2:8: zip: not a valid zip file\n", ModulesUnavailable, "Rerun once", transient=True),
        case(f"{LOOKUP}connect: connection refused\n", ModulesUnavailable, "Rerun once", transient=True),
        case(
            f"{SUMS}reading https://sum.example/tile/8/0: 500 Oops\n", ModulesUnavailable, "Rerun once", transient=True
        ),
        case(
            'a.go:2:8: unrecognized import path "d": https fetch: Get "https://d?go-get=1": dial tcp: lookup d: no',
            ModulesUnavailable,
            "Rerun once",
            transient=True,
        ),
        case(
            "go: d: git fetch -f origin in /c: exit status 128:\n"
            "\tfatal: unable to access 'https://github.com/x/': Could not resolve host: github.com\n",
            ModulesUnavailable,
            "Rerun once",
            transient=True,
        ),
        case("m: /sdk/link: signal: segmentation fault (core dumped)\n", BuildFailed, "Go itself broke down"),
        case("./a.go:3:1: internal compiler error: panic\n", BuildFailed, "Go itself broke down"),
    ],
)
def test_whose_fault_it_is(
    stderr: str, returncode: int, error: type[ReleaseError], remedy: str, *, transient: bool
) -> None:
    """Each of Go's ways to fail names who can act; only what may pass by itself is tried again."""
    failure = why_go_failed(stderr, returncode)
    assert failure.fault.error is error
    assert (failure.fault.remedy or error.remedy).startswith(remedy)
    assert failure.fault.transient is transient


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("# m\n./a.go:2:8: undefined: x\n./b.go:1:1: y\n", "./a.go:2:8: undefined: x"),
        ("warning: x\n# m\nsomething odd\n./b.go:1:1: y\n", "./b.go:1:1: y"),
        ("go: downloading d v1.0.0\nstat /m/x: directory not found\n", "stat /m/x: directory not found"),
        ("package m\n\timports m/a from x.go: import cycle\n", "package m imports m/a from x.go: import cycle"),
        (
            "a.go:1:1: x\ngo: d: reading https://h/d: 502 Bad Gateway\n\tserver: y\n",
            "go: d: reading https://h/d: 502 Bad Gateway server: y",
        ),
        ("", "go exited with 1 and said nothing"),
        ("\n# m\n", "go exited with 1 and said nothing"),
    ],
)
def test_what_go_said(stderr: str, said: str) -> None:
    """The line that tells the fault is said, with what is indented below it; else the first that says anything."""
    assert why_go_failed(stderr, 1).said == said


def test_go_that_was_killed_itself() -> None:
    """Where Go itself was killed it said nothing, and that is told."""
    assert why_go_failed("", -9).said == "go was killed by the kernel (signal: killed)"


@given(st.text(), st.integers(-64, 255))
def test_any_output(stderr: str, returncode: int) -> None:
    """Whatever Go prints, the reason is one short line, and the run ends as a build that failed."""
    failure = why_go_failed(stderr, returncode)
    assert 0 < len(failure.said) <= SAID_LIMIT
    assert len(failure.said.splitlines()) == 1
    assert failure.fault.error.exit_code == ExitCode.BUILD_FAILED


def test_no_remedy_twice() -> None:
    """Each fault has a remedy of its own, or its error's."""
    remedies = [fault.remedy for fault in FAULTS if fault.remedy]
    assert len(set(remedies)) == len(remedies)
