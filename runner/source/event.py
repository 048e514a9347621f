"""What Prow says was pushed: JOB_SPEC first, the flat variables where it is silent, never one against the other.

Source: Prow's ``pkg/pod-utils/downwardapi/jobspec.go`` and ``pkg/apis/prowjobs/v1/types.go``. JOB_SPEC and the flat
variables are derived from one object at one moment, so a difference means that somebody changed one of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from runner.errors import EventInvalid
from runner.foreign.documents import read_json
from runner.source.git import OBJECT_ID
from runner.source.job_page import job_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Value = TypeVar("Value")

DEFAULT_HOST = "github.com"
POSTSUBMIT = "postsubmit"
PRESUBMITS = frozenset({"presubmit", "batch"})
"""Jobs that run on the base with pull requests merged into it: one, or several that are to be merged together."""

FLAT = {
    "JOB_TYPE": "type",
    "JOB_NAME": "job",
    "BUILD_ID": "buildid",
    "PROW_JOB_ID": "prowjobid",
    "REPO_OWNER": "refs.org",
    "REPO_NAME": "refs.repo",
    "PULL_BASE_REF": "refs.base_ref",
    "PULL_BASE_SHA": "refs.base_sha",
}
"""The flat variables that are compared with JOB_SPEC, and the member each of them repeats."""

FLAT_OF_A_PULL = {"PULL_NUMBER": "refs.pulls[0].number", "PULL_PULL_SHA": "refs.pulls[0].sha"}
"""The same of a presubmit, which has one pull request."""

SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,  # micro sign
    "\u03bcs": 1e-6,  # Greek mu
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
LONGEST_SECONDS = 2**63 / 1e9

_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?")
_FORBIDDEN_IN_REF = re.compile(r"[ ~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")
_SHOWN = 100
_CHECK_INSTEAD = "A pull request is checked by ack-release plan --as-tag from-chart."


@dataclass(frozen=True)
class ExtraRef:
    """Another repository that is cloned beside the main one; ``workdir``: the job starts in its clone."""

    host: str
    owner: str
    repository: str
    path_alias: str | None
    repo_link: str | None
    workdir: bool = False

    @property
    def clone_path(self) -> str:
        """Where clonerefs puts it below ``src`` (Prow's ``pkg/pod-utils/clone`` PathForRefs)."""
        return _clone_path(self)


@dataclass(frozen=True)
class JobLimits:
    """How long Prow lets a job go on, and how long it waits between its first signal and SIGKILL.

    Both in seconds; None where JOB_SPEC says nothing of it, so that the default of Prow's entrypoint holds.
    """

    timeout: float | None
    grace_period: float | None


@dataclass(frozen=True)
class Pull:
    """A pull request whose head, ``sha``, is merged into what is checked out."""

    number: str
    sha: str


@dataclass(frozen=True)
class Event:
    """A push, or pull requests to be checked, as Prow describes them.

    ``base_sha`` may be the id of a tag object. ``pulls`` is empty for a push. ``page`` is the address at which Deck
    shows this run, None where JOB_SPEC does not tell.
    """

    host: str
    owner: str
    repository: str
    base_ref: str
    base_sha: str | None
    repo_link: str | None
    path_alias: str | None
    extra_refs: tuple[ExtraRef, ...]
    job: str | None
    build_id: str | None
    prow_job_id: str | None
    pulls: tuple[Pull, ...] = ()
    page: str | None = None

    @property
    def source(self) -> str:
        """The repository's address, ``https://HOST/OWNER/REPOSITORY`` without ``.git``."""
        return f"https://{self.host}/{self.owner}/{self.repository}"

    @property
    def clone_path(self) -> str:
        """Where clonerefs puts it below ``src`` (Prow's ``pkg/pod-utils/clone`` PathForRefs)."""
        return _clone_path(self)


def read_event(environment: Mapping[str, str], *, presubmit: bool = False) -> Event:
    """Read the push from the environment.

    Empty variables count as absent. At least REPO_OWNER, REPO_NAME and PULL_BASE_REF, or JOB_SPEC, must be there.

    Args:
        environment: the process's environment.
        presubmit: whether nothing will be released, so that pull requests may be what is checked out.

    Raises:
        EventInvalid: nothing is there, JOB_SPEC is malformed or of a job that does not fit, a variable disagrees with
            JOB_SPEC, or a value could not be what it is said to be.
    """
    specification = _specification(environment)
    said = _agreed(environment, specification)
    kind = said["JOB_TYPE"] or POSTSUBMIT
    if kind in PRESUBMITS and not presubmit:
        raise EventInvalid(
            f"this is a {_shown(kind)} job; only a {POSTSUBMIT} releases",
            remedy=f"Put the job under postsubmits in the Prow configuration. {_CHECK_INSTEAD}",
        )
    if kind not in {POSTSUBMIT, *PRESUBMITS}:
        raise EventInvalid(
            f"this is a {_shown(kind)} job, which no push starts",
            remedy="Put the job under postsubmits in the Prow configuration, or under presubmits if it plans --as-tag.",
        )
    refs = _refs(specification)
    pulls = _objects(refs, "pulls")
    if pulls and not presubmit:
        raise EventInvalid(
            "JOB_SPEC's refs name pull requests; a release is made of what was pushed",
            remedy=f"Put the job under postsubmits in the Prow configuration. {_CHECK_INSTEAD}",
        )
    if kind in PRESUBMITS and not pulls and not said["PULL_NUMBER"]:
        raise EventInvalid(f"this is a {_shown(kind)} job, but no pull request is given")
    missing = [key for key in ("REPO_OWNER", "REPO_NAME", "PULL_BASE_REF") if not said[key]]
    if missing:
        if specification is not None:
            raise EventInvalid(f"JOB_SPEC has no {', '.join(FLAT[key] for key in missing)}")
        raise EventInvalid(f"there is no JOB_SPEC, and no {', no '.join(missing)}")
    # A job whose limits cannot be read has none that its run could keep.
    _limits(specification or {})
    return Event(
        host=_host(refs, environment),
        owner=_name(said["REPO_OWNER"], "the repository's owner"),
        repository=_name(said["REPO_NAME"], "the repository's name"),
        base_ref=_ref(said["PULL_BASE_REF"] or ""),
        base_sha=_object_id(said["PULL_BASE_SHA"]),
        repo_link=_link(refs),
        path_alias=_path_alias(refs),
        extra_refs=tuple(_extra(one) for one in _objects(specification or {}, "extra_refs")),
        job=_plain(said["JOB_NAME"], "the job's name"),
        build_id=_plain(said["BUILD_ID"], "the build id"),
        prow_job_id=_plain(said["PROW_JOB_ID"], "the ProwJob's name"),
        pulls=_pulls(pulls, said) if presubmit else (),
        page=job_page(specification or {}),
    )


def read_job_limits(environment: Mapping[str, str]) -> JobLimits | None:
    """Read how long Prow lets this job go on, whatever the job is of; None without JOB_SPEC.

    Raises:
        EventInvalid: JOB_SPEC or what it says of this is malformed.
    """
    specification = _specification(environment)
    return None if specification is None else _limits(specification)


def parse_duration(text: str) -> float:
    """Return the seconds of a duration as Go writes it, such as ``2h0m0s``, ``1.5h`` or ``500ms``.

    Source: Go's ``time.ParseDuration``.

    Raises:
        ValueError: it is none, or longer than Go can hold (about 292 years).
    """
    sign, unsigned = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if unsigned == "0":
        return 0.0
    if not _DURATION.fullmatch(unsigned):
        raise ValueError(f"{_shown(text)} is not a duration such as 2h0m0s")
    seconds = sum(float(number) * SECONDS[unit] for number, unit in _DURATION_PART.findall(unsigned))
    if seconds >= LONGEST_SECONDS:
        raise ValueError(f"{_shown(text)} is longer than a duration can be")
    return sign * seconds


def _specification(environment: Mapping[str, str]) -> dict[str, Any] | None:
    if not environment.get("JOB_SPEC"):
        return None
    try:
        specification = read_json(environment["JOB_SPEC"])
    except ValueError as error:
        raise EventInvalid(f"JOB_SPEC is not JSON: {error}") from error
    if not isinstance(specification, dict):
        raise EventInvalid(f"JOB_SPEC is {_shown(specification)}, not a JSON object")
    return specification


def _agreed(environment: Mapping[str, str], specification: Mapping[str, Any] | None) -> dict[str, str | None]:
    """Return each flat variable's value, JOB_SPEC's where it has one; a difference is an error."""
    agreed: dict[str, str | None] = {}
    for variable, member in (FLAT | FLAT_OF_A_PULL).items():
        flat = environment.get(variable) or None
        said = None if specification is None else _said(specification, member)
        if said is not None and flat is not None and said != flat:
            raise EventInvalid(
                f"JOB_SPEC says {member} is {_shown(said)}, and {variable} is {_shown(flat)}",
                remedy=f"Unset {variable} or JOB_SPEC, whichever was set by hand; Prow gives both the same value.",
            )
        required = specification is not None and variable in {"REPO_OWNER", "REPO_NAME", "PULL_BASE_REF"}
        agreed[variable] = said or (None if required else flat)
    return agreed


def _said(specification: Mapping[str, Any], member: str) -> str | None:
    where, _, key = member.rpartition(".")
    if not where:
        return _text(specification, key, member)
    refs = _member(specification, "refs", dict, "an object") or {}
    if where == "refs":
        return _text(refs, key, member)
    pulls = _objects(refs, "pulls")
    if len(pulls) != 1:
        return None
    return _number(pulls[0]) if key == "number" else _text(pulls[0], key, member)


def _refs(specification: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if specification is None:
        return {}
    refs = _member(specification, "refs", dict, "an object")
    if not refs:
        raise EventInvalid("JOB_SPEC has no refs, so it describes no push", remedy="Run the job as a postsubmit.")
    return refs


def _pulls(pulls: Sequence[Mapping[str, Any]], said: Mapping[str, str | None]) -> tuple[Pull, ...]:
    """Return the pull requests: JOB_SPEC's, else the one of the flat variables."""
    named = [(_number(pull), _text(pull, "sha", "refs.pulls.sha")) for pull in pulls]
    if not named and (said["PULL_NUMBER"] or said["PULL_PULL_SHA"]):
        named = [(said["PULL_NUMBER"], said["PULL_PULL_SHA"])]
    return tuple(
        Pull(
            _checked(number or "", "a pull request's number", lambda text: text.isascii() and text.isdigit()),
            _checked(sha or "", "a pull request's commit", lambda text: OBJECT_ID.fullmatch(text) is not None),
        )
        for number, sha in named
    )


def _number(pull: Mapping[str, Any]) -> str | None:
    number = _member(pull, "number", int, "a number", "refs.pulls.number")
    return None if number is None else str(number)


def _extra(refs: Mapping[str, Any]) -> ExtraRef:
    return ExtraRef(
        host=_host(refs, {}),
        owner=_name(_text(refs, "org", "extra_refs.org"), "the owner of a repository in extra_refs"),
        repository=_name(_text(refs, "repo", "extra_refs.repo"), "the name of a repository in extra_refs"),
        path_alias=_path_alias(refs),
        repo_link=_link(refs),
        workdir=bool(_member(refs, "workdir", bool, "true or false")),
    )


def _host(refs: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    link = _link(refs)
    host = link.partition("://")[2].partition("/")[0] if link else environment.get("SRC_HOST") or DEFAULT_HOST
    where = "the host of refs.repo_link" if link else "SRC_HOST"
    return _checked(host, where, lambda value: _HOST.fullmatch(value) is not None and ".." not in value).lower()


def _link(refs: Mapping[str, Any]) -> str | None:
    """Return repo_link without the user and password that it might hold."""
    link = _text(refs, "repo_link", "refs.repo_link")
    if link is None:
        return None
    scheme, separator, rest = link.partition("://")
    authority, slash, path = rest.partition("/")
    clean = f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"
    if scheme not in {"https", "http"} or not _is_path_below(clean.partition("://")[2]):
        raise EventInvalid("JOB_SPEC's refs.repo_link is not an address such as https://github.com/OWNER/REPOSITORY")
    return clean


def _path_alias(refs: Mapping[str, Any]) -> str | None:
    alias = _text(refs, "path_alias", "refs.path_alias")
    return None if alias is None else _checked(alias, "JOB_SPEC's path_alias", _is_path_below)


def _clone_path(ref: Event | ExtraRef) -> str:
    link = (ref.repo_link or "").partition("://")[2]
    return str(PurePosixPath(ref.path_alias or link or f"{ref.host}/{ref.owner}/{ref.repository}"))


def _name(value: str | None, where: str) -> str:
    return _checked(
        value or "",
        where,
        lambda name: _NAME.fullmatch(name) is not None and name not in {".", ".."} and not name.endswith(".git"),
    )


def _ref(value: str) -> str:
    """Refuse what git could not have as a ref (git-check-ref-format) and what a program could take for an option."""

    def possible(ref: str) -> bool:
        return (
            ref.isprintable()
            and ref != "@"
            and not ref.startswith(("-", "/", "."))
            and not ref.endswith(("/", "."))
            and _FORBIDDEN_IN_REF.search(ref) is None
        )

    return _checked(value, "the ref", possible)


def _object_id(value: str | None) -> str | None:
    if value is None:
        return None
    return _checked(value, "the pushed commit", lambda text: OBJECT_ID.fullmatch(text) is not None)


def _plain(value: str | None, where: str) -> str | None:
    return None if value is None else _checked(value, where, str.isprintable)


def _is_path_below(path: str) -> bool:
    pure = PurePosixPath(path)
    return path.isprintable() and not set(path) & set(" \\") and not pure.is_absolute() and ".." not in pure.parts


def _checked(value: str, where: str, possible: Callable[[str], bool]) -> str:
    if not possible(value):
        raise EventInvalid(
            f"{where} is {_shown(value)}, which is not valid",
            remedy="Correct JOB_SPEC, or the variable of that name, to what was pushed.",
        )
    return value


def _limits(specification: Mapping[str, Any]) -> JobLimits:
    decoration = _member(specification, "decoration_config", dict, "an object") or {}
    return JobLimits(_limit(decoration, "timeout"), _limit(decoration, "grace_period"))


def _limit(decoration: Mapping[str, Any], key: str) -> float | None:
    """Return a duration in seconds; None where Prow's entrypoint takes its default: absent, or zero."""
    text = _text(decoration, key, f"decoration_config.{key}")
    try:
        seconds = 0.0 if text is None else parse_duration(text)
    except ValueError as error:
        raise EventInvalid(f"JOB_SPEC's decoration_config.{key}: {error}") from error
    if seconds < 0:
        raise EventInvalid(f"JOB_SPEC's decoration_config.{key} is {text}, less than nothing")
    return seconds or None


def _objects(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = _member(document, key, list, "a list") or []
    for one in found:
        if not isinstance(one, dict):
            raise EventInvalid(f"JOB_SPEC's {key} holds {_shown(one)}, not an object")
    return found


def _text(document: Mapping[str, Any], key: str, where: str) -> str | None:
    return _member(document, key, str, "a string", where) or None


def _member(
    document: Mapping[str, Any], key: str, kind: type[Value], expected: str, where: str | None = None
) -> Value | None:
    value = document.get(key)
    if value is not None and not isinstance(value, kind):
        raise EventInvalid(f"JOB_SPEC's {where or key} is {_shown(value)}, not {expected}")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
