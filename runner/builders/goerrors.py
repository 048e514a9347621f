"""Why Go failed, read from what it printed: whose fault it is, and whether another attempt may go better. Pure.

Go ends with 1 for everything; only its words tell a wrong source from a module proxy that is away. They come from
cmd/go/internal/modfetch (proxies, checksums), cmd/go/internal/web (answers to requests), cmd/go/internal/modload
(go.mod, go.sum) and os/exec (``signal: killed``).
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import BuildFailed, GoTooOld, ModulesUnavailable, OutOfMemory

if TYPE_CHECKING:
    from runner.errors import ReleaseError

KILLED_STATUSES = frozenset({-signal.SIGKILL, 128 + signal.SIGKILL})
SAID_LIMIT = 300

_REQUEST = r"""(?:reading|read|Get|Head) "?https?://[^\s"]+"?: """
"""How Go begins what a request to a proxy, a checksum server or a host of modules came to."""
_CHECKSUM_SERVER = r"verifying (?:module|go\.mod): .*(?:reading|Get) \"?https?://[^\s\"]+\"?: "
_NOISE = re.compile(r"#|go: (?:downloading|finding|extracting|added|upgraded) |warning: |\s*$")
_COMPILE_ERROR = re.compile(r"\S+\.go:\d+:")


@dataclass(frozen=True)
class GoFault:
    """One way in which Go fails.

    Attributes:
        pattern: what is in the line that tells it.
        error: the class of the error.
        remedy: what to do now; the class's own where it is None.
        transient: whether the same command may succeed a moment later.
    """

    pattern: re.Pattern[str]
    error: type[ReleaseError] = BuildFailed
    remedy: str | None = None
    transient: bool = False


FAULTS: tuple[GoFault, ...] = (
    GoFault(re.compile(r"requires go >= \S+ \(running go [^)]*\)"), GoTooOld),
    GoFault(re.compile(r"signal: killed|cannot allocate memory|runtime: out of memory"), OutOfMemory),
    GoFault(
        re.compile(r"checksum mismatch|SECURITY ERROR"),
        remedy="A module is not what it was when go.sum was written. Find out who changed it before anything is built:"
        " the module's author (take another version), or the proxy on the way (GOPROXY). A rerun does not help.",
    ),
    GoFault(
        re.compile(r"missing go\.sum entry|updates to go\.(?:mod|sum) needed|import lookup disabled by -mod="),
        remedy="Run go mod tidy, commit go.mod and go.sum, and tag that commit with the next version.",
    ),
    GoFault(
        re.compile(r"inconsistent vendoring|-mod=vendor"),
        remedy="Run go mod vendor, commit the folder vendor, and tag that commit with the next version.",
    ),
    GoFault(
        re.compile(
            r"disabled by GO(?:PROXY|VCS|PRIVATE)|GOPROXY list is not|invalid proxy URL|missing GOSUMDB|GOSUMDB="
            r"|refusing to pass credentials"
        ),
        ModulesUnavailable,
        "Correct GOPROXY, GOSUMDB, GOPRIVATE and GONOSUMDB in the job's environment, then rerun.",
    ),
    GoFault(
        re.compile(rf"{_CHECKSUM_SERVER}(?:404 Not Found|410 Gone)"),
        ModulesUnavailable,
        "The checksum server does not know this module: name private modules in GONOSUMDB or GOPRIVATE of the job's"
        " environment, then rerun.",
    ),
    GoFault(
        re.compile(
            rf"{_REQUEST}(?:401|403|407) |could not read Username|terminal prompts disabled"
            r"|Permission denied \(publickey|requested URL returned error: (?:401|403)|Authentication failed for"
        ),
        ModulesUnavailable,
        "Give the job what the module proxy or repository asks for (GOPROXY with credentials, GOPRIVATE), then rerun.",
    ),
    GoFault(
        re.compile(rf"{_REQUEST}(?:404 Not Found|410 Gone)|unknown revision |invalid version: |no matching versions"),
        remedy="go.mod asks for a module, or a version of one, that is nowhere: correct go.mod, commit, and tag that"
        " commit with the next version.",
    ),
    GoFault(
        re.compile(
            rf"{_REQUEST}|zip: not a valid zip file|dial tcp|TLS handshake timeout|stream error: stream ID"
            r"|unable to access 'https?://|Could not resolve host|Connection (?:timed out|reset by peer)"
        ),
        ModulesUnavailable,
        transient=True,
    ),
    GoFault(
        re.compile(r"signal: (?:segmentation fault|bus error|illegal instruction|aborted)|internal compiler error"),
        remedy="Go itself broke down: rerun. Where it happens again, look for another version of Go, or another node.",
    ),
)
"""The first of these that what Go printed matches; the order matters, since a line may match several."""

SOURCE_WRONG = GoFault(re.compile(""))
"""What is none of ``FAULTS`` is the source's: it does not compile, or it lacks something."""


@dataclass(frozen=True)
class GoFailure:
    """Why one call of Go failed: the kind, and what Go said of it, in one line."""

    fault: GoFault
    said: str


def why_go_failed(stderr: str, returncode: int) -> GoFailure:
    """Find out why Go failed.

    Args:
        stderr: what it printed there.
        returncode: what it ended with, negative for a signal.
    """
    if returncode in KILLED_STATUSES:
        killed = next(fault for fault in FAULTS if fault.error is OutOfMemory)
        return GoFailure(killed, "go was killed by the kernel (signal: killed)")
    statements = _statements(stderr)
    for fault in FAULTS:
        if said := next((one for one in statements if fault.pattern.search(one)), None):
            return GoFailure(fault, _cut(said))
    said = next((one for one in statements if _COMPILE_ERROR.match(one)), None) or next(iter(statements), "")
    return GoFailure(SOURCE_WRONG, _cut(said) or f"go exited with {returncode} and said nothing")


def _statements(stderr: str) -> tuple[str, ...]:
    """What Go said: one text for each line that is not indented, with the indented lines that follow it."""
    found: list[str] = []
    for line in stderr.splitlines():
        if line[:1].isspace() and found:
            found[-1] += f" {line.strip()}"
        elif not _NOISE.match(line):
            found.append(line.strip())
    return tuple(" ".join(one.split()) for one in found)


def _cut(said: str) -> str:
    return said if len(said) <= SAID_LIMIT else f"{said[: SAID_LIMIT - 1]}…"
