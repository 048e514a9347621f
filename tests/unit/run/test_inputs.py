"""What a run is asked for: read once, recorded step by step, refused where it is no release."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from runner.config.settings import Options
from runner.errors import (
    CheckoutMissing,
    ConfigurationInvalid,
    EventInvalid,
    HistoryMissing,
    NoReleaseMerged,
    NotARelease,
    ReleaseError,
    StableIsATag,
    TagMoved,
    ToolUnusable,
    UsageInvalid,
    VersionTaken,
)
from runner.report.record import JobDocument, PullDocument, SettingDocument
from runner.run import inputs as inputs_module
from runner.run.inputs import Inputs, read_inputs
from runner.run.plan.model import Identity
from runner.source.route import PresubmitPath, ReleasePath, Route, StablePath
from testbed.memory.clone import Commit, History, MemoryClone
from tests.support.stages import COMMIT, PULLED, RELEASED, Asked, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from runner.report.record import RecordDocument
    from runner.runtime.process import Run
    from runner.source.clone import Clone

MINUS_SEVEN = datetime.fromisoformat("2026-08-13T16:46:38-07:00").astimezone(UTC)
COMMITS = {
    COMMIT: Commit({}, parents=(RELEASED, PULLED), time=MINUS_SEVEN),
    RELEASED: Commit({}),
    PULLED: Commit({}, parents=(RELEASED,)),
}
TAG_OBJECT, ELSEWHERE = "d" * 40, "e" * 40
TAG = History(COMMITS, COMMIT, tags={"v1.2.3": TAG_OBJECT}, tag_objects={TAG_OBJECT: COMMIT})
STABLE = History(COMMITS, COMMIT, tags={"v1.2.3": RELEASED}, branches={"stable": COMMIT})
PUSH = {"REPO_OWNER": "aws-controllers-k8s", "REPO_NAME": "s3-controller", "PULL_BASE_REF": "v1.2.3"}
TO_STABLE = {"PULL_BASE_REF": "stable"}
A_CHANGE = {
    "PULL_BASE_REF": "main",
    "PULL_BASE_SHA": RELEASED,
    "JOB_TYPE": "presubmit",
    "PULL_NUMBER": "7",
    "PULL_PULL_SHA": PULLED,
}


@dataclass
class Reading:
    """One run that reads its inputs: of a clone in ``folder/clone`` and the configuration beside it."""

    folder: Path
    history: History = TAG
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    opened: list[dict[str, Any]] = field(default_factory=list)
    ours: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "clone" / ".git").mkdir(parents=True)
        (self.folder / "jobs.yaml").write_text(Asked().configuration)
        self.world = World(self.folder / "run", Asked().release())

    def read(self, **session: Any) -> Inputs:
        """Read the inputs, with the history in the place of what git would say."""

        def open_clone(
            folder: Path, run: Run, environment: Mapping[str, str], *, ref: str, sha: str | None, ours: Iterable[Path]
        ) -> Clone:
            self.opened.append({"folder": folder, "run": run, "ref": ref, "sha": sha})
            self.ours.extend(ours)
            clone = MemoryClone.of(self.history, ref=ref, sha=sha, folder=folder)
            return replace(clone, environment=environment)

        environment = {**PUSH, **self.environment}
        options = {"config": self.folder / "jobs.yaml", "workspace": self.folder / "clone", **self.options}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inputs_module, "open_clone", open_clone)
            return read_inputs(
                Options(**options), replace(self.world.session, **{"environment": environment, **session})
            )

    @property
    def document(self) -> RecordDocument:
        """The record."""
        return self.world.record.document


STEPS = [(name, None, "passed") for name in ("event", "configuration", "checkout", "route")]


def test_push_of_a_tag(tmp_path: Path) -> None:
    """A tag is read with all that it decides, and recorded: ref, source, commit, path, version, registry."""
    reading = Reading(tmp_path, environment={"PULL_BASE_SHA": TAG_OBJECT})
    inputs = reading.read()
    assert inputs.route == ReleasePath("1.2.3")
    assert inputs.identity == Identity(COMMIT, "https://github.com/aws-controllers-k8s/s3-controller")
    assert (inputs.ref, inputs.created) == ("v1.2.3", MINUS_SEVEN)
    assert reading.world.steps() == STEPS
    document = reading.document
    assert (document.ref, document.source) == ("v1.2.3", inputs.identity.source)
    assert (document.commit, document.path, document.version) == (COMMIT, "release", "1.2.3")
    assert (document.registry, document.as_tag, document.pulls) == ("registry.example/ack", None, ())
    assert (document.warnings, document.errors) == ((), ())
    assert reading.opened == [
        {
            "folder": tmp_path / "clone",
            "run": reading.world.session.run,
            "ref": "v1.2.3",
            "sha": TAG_OBJECT,
        }
    ]


def test_job_of_a_push(tmp_path: Path) -> None:
    """The job and its build are recorded, with Deck's page of them where JOB_SPEC says where that is."""
    storage = {"bucket": "s3://logs", "path_strategy": "explicit", "job_url_prefix": "https://prow.example/view/"}
    specification = {
        "type": "postsubmit",
        "job": "s3-release",
        "buildid": "12",
        "refs": {"org": "aws-controllers-k8s", "repo": "s3-controller", "base_ref": "v1.2.3"},
    }
    for name, decoration, page in (
        ("told", {"gcs_configuration": storage}, "https://prow.example/view/s3/logs/logs/s3-release/12"),
        ("untold", {}, None),
    ):
        whole = json.dumps({**specification, "decoration_config": decoration})
        reading = Reading(tmp_path / name, environment={"JOB_SPEC": whole})
        reading.read()
        assert reading.document.job == JobDocument(name="s3-release", build="12", page=page)
    by_hand = Reading(tmp_path / "by hand")
    by_hand.read()
    assert by_hand.document.job is None


def test_annotations_of_charts(tmp_path: Path) -> None:
    """Every chart carries commit, repository and the commit's time, in UTC to the second."""
    environment = {"SRC_HOST": "git.example:8443"}
    assert Reading(tmp_path, environment=environment).read().annotations == {
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.source": "https://git.example:8443/aws-controllers-k8s/s3-controller",
        "org.opencontainers.image.created": "2026-08-13T23:46:38Z",
    }


def test_push_to_stable(tmp_path: Path) -> None:
    """A push to stable is read as a move to the highest release that is merged."""
    reading = Reading(tmp_path, STABLE, {"PULL_BASE_REF": "stable", "PULL_BASE_SHA": COMMIT})
    inputs = reading.read()
    assert (inputs.route, inputs.ref) == (StablePath(1, "1.2.3"), "stable")
    assert (reading.document.path, reading.document.version, reading.document.ref) == ("stable", "1.2.3", "stable")


@dataclass(frozen=True)
class Planned:
    """What HEAD is planned as, of which change, and what follows: the route, and what is recorded."""

    as_tag: str
    environment: Mapping[str, str]
    route: Route
    recorded: tuple[str, str, str | None]
    history: History = STABLE


PLANNED = {
    "version": Planned("1.2.4", A_CHANGE, ReleasePath("1.2.4"), ("v1.2.4", "release", "1.2.4")),
    "by hand": Planned("v1.2.4", {}, ReleasePath("1.2.4"), ("v1.2.4", "release", "1.2.4")),
    "tagged here": Planned("v1.2.3", {}, ReleasePath("1.2.3"), ("v1.2.3", "release", "1.2.3"), TAG),
    "from chart": Planned("from-chart", A_CHANGE, PresubmitPath(), ("from-chart", "release", None)),
    "of stable": Planned(
        "from-chart", {**A_CHANGE, **TO_STABLE}, StablePath(1, "1.2.3"), ("from-chart", "stable", "1.2.3")
    ),
    "version on stable": Planned(
        "1.2.4", {**A_CHANGE, **TO_STABLE}, ReleasePath("1.2.4"), ("v1.2.4", "release", "1.2.4")
    ),
}


@pytest.mark.parametrize("case", PLANNED.values(), ids=PLANNED)
def test_head_as_if_it_were_tagged(tmp_path: Path, case: Planned) -> None:
    """A change is planned as the tag that is given, by its charts, or as what it would make of stable."""
    reading = Reading(tmp_path, case.history, case.environment, {"as_tag": case.as_tag})
    inputs = reading.read()
    assert inputs.route == case.route
    assert (reading.document.as_tag, reading.document.path, reading.document.version) == case.recorded
    tagged = isinstance(case.route, ReleasePath)
    assert inputs.ref == (case.recorded[0] if tagged else case.environment["PULL_BASE_REF"])
    pulls = (PullDocument(number="7", commit=PULLED),) if case.environment else ()
    assert reading.document.pulls == pulls


@dataclass(frozen=True)
class Refused:
    """What is not released: why, by what, and in which step that is seen."""

    error: type[ReleaseError]
    step: str
    history: History = TAG
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


AS_CHANGE = {"as_tag": "from-chart"}
NO_TAGS = replace(STABLE, tags={})

REFUSED = {
    "no event": Refused(EventInvalid, "event", environment={"REPO_NAME": ""}),
    "pull request": Refused(EventInvalid, "event", environment=A_CHANGE),
    "no version to plan": Refused(UsageInvalid, "event", options={"as_tag": "1.2"}),
    "registry malformed": Refused(UsageInvalid, "configuration", options={"registry": "UPPER CASE"}),
    "branch": Refused(NotARelease, "route", environment={"PULL_BASE_REF": "main"}),
    "no such tag": Refused(NotARelease, "route", environment={"PULL_BASE_REF": "v1.2.4"}),
    "tag elsewhere": Refused(TagMoved, "route", replace(TAG, tags={"v1.2.3": RELEASED})),
    "pushed elsewhere": Refused(TagMoved, "route", environment={"PULL_BASE_SHA": RELEASED}),
    "stable is a tag": Refused(StableIsATag, "route", replace(TAG, tags={"stable": COMMIT}), TO_STABLE),
    "stable went on": Refused(NotARelease, "route", STABLE, {**TO_STABLE, "PULL_BASE_SHA": RELEASED}),
    "stable in a shallow clone": Refused(HistoryMissing, "route", replace(STABLE, shallow=True), TO_STABLE),
    "stable without tags": Refused(HistoryMissing, "route", NO_TAGS, TO_STABLE),
    "stable without a release": Refused(NoReleaseMerged, "route", replace(STABLE, tags={"x": COMMIT}), TO_STABLE),
    "change of such a stable": Refused(
        NoReleaseMerged, "route", replace(STABLE, tags={"x": COMMIT}), {**A_CHANGE, **TO_STABLE}, AS_CHANGE
    ),
    "version taken": Refused(VersionTaken, "route", STABLE, A_CHANGE, {"as_tag": "1.2.3"}),
    "base is not in HEAD": Refused(NotARelease, "route", STABLE, {**A_CHANGE, "PULL_BASE_SHA": ELSEWHERE}, AS_CHANGE),
    "pull request is not in HEAD": Refused(
        NotARelease, "route", STABLE, {**A_CHANGE, "PULL_PULL_SHA": ELSEWHERE}, {"as_tag": "1.2.4"}
    ),
    "change in a shallow clone": Refused(HistoryMissing, "route", replace(STABLE, shallow=True), A_CHANGE, AS_CHANGE),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(tmp_path: Path, case: Refused) -> None:
    """What is no release, or not asked for as it should be, is refused in its step, and no later one begins."""
    reading = Reading(tmp_path, case.history, case.environment, case.options)
    with pytest.raises(case.error):
        reading.read()
    names = [name for name, *_ in STEPS]
    passed = names[: names.index(case.step)]
    assert reading.world.steps() == [*((name, None, "passed") for name in passed), (case.step, None, "failed")]


def test_what_is_known_is_recorded_although_it_is_refused(tmp_path: Path) -> None:
    """A record of a refused run says which ref, of which repository, at which commit."""
    reading = Reading(tmp_path, environment={"PULL_BASE_REF": "main"})
    with pytest.raises(NotARelease):
        reading.read()
    document = reading.document
    assert (document.ref, document.commit, document.registry) == ("main", COMMIT, "registry.example/ack")
    assert (document.path, document.version) == (None, None)


def test_configuration_that_is_missing(tmp_path: Path) -> None:
    """A file that is not there is exit 2, and the clone is not looked for."""
    reading = Reading(tmp_path, options={"config": tmp_path / "gone.yaml"})
    with pytest.raises(ConfigurationInvalid, match=r"gone\.yaml: cannot be read"):
        reading.read()
    assert reading.opened == []


def test_clone_that_is_missing(tmp_path: Path) -> None:
    """A workspace without the repository's clone is exit 2."""
    (tmp_path / "empty").mkdir()
    reading = Reading(tmp_path, options={"workspace": tmp_path / "empty"})
    with pytest.raises(CheckoutMissing):
        reading.read()
    assert reading.world.steps()[-1] == ("checkout", None, "failed")


def test_without_git(tmp_path: Path) -> None:
    """A machine without git is exit 2."""
    reading = Reading(tmp_path)

    def run(*_: object, **__: object) -> NoReturn:
        raise FileNotFoundError(2, "No such file or directory")

    session = replace(reading.world.session, environment=PUSH, run=run)
    with pytest.raises(ToolUnusable):
        read_inputs(Options(config=tmp_path / "jobs.yaml", workspace=tmp_path / "clone"), session)


def test_settings_and_where_they_come_from(tmp_path: Path) -> None:
    """Each value that steers the run is recorded with its origin, the configuration's file among them."""
    reading = Reading(
        tmp_path, environment={"HELM_REGISTRY": "127.0.0.1:5000/staging"}, options={"base_image": "oci:base"}
    )
    inputs = reading.read()
    settings = reading.document.settings
    assert settings["config"] == SettingDocument(value=str(tmp_path / "jobs.yaml"), origin="option --config")
    assert settings["registry"] == SettingDocument(value="127.0.0.1:5000/staging", origin="environment HELM_REGISTRY")
    assert settings["base image"] == SettingDocument(value="oci:base", origin="option --base-image")
    assert settings["platforms"].origin == str(tmp_path / "jobs.yaml")
    assert reading.document.registry == str(inputs.settings.registry) == "127.0.0.1:5000/staging"


def test_work_tree_that_differs(tmp_path: Path) -> None:
    """What differs from HEAD in the work tree is a warning that names it."""
    reading = Reading(tmp_path, replace(TAG, changed=("helm/values.yaml", "new/")))
    reading.read()
    assert reading.document.warnings == ("the work tree differs from HEAD and is ignored: helm/values.yaml, new/",)


def test_folders_of_this_run_in_the_clone(tmp_path: Path) -> None:
    """Where this run itself writes, and where an earlier one may have left its reports, is no change of the clone."""
    clone = tmp_path / "clone"
    reading = Reading(tmp_path, options={"to_layout": clone / "out/deep/layout"})
    reading.read(artifacts=clone / "reports")
    assert reading.ours == [clone / "artifacts", clone / "reports", clone / "out/deep/layout"]


def test_what_children_are_given(tmp_path: Path) -> None:
    """Children of the run get a written environment: no secret of the process, and folders of the work folder."""
    reading = Reading(tmp_path, environment={"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "secret", "HOME": "/root"})
    environment = reading.read().clone.environment
    assert environment["PATH"] == "/bin"
    assert environment["HOME"] == str(reading.world.session.folder / "home")
    assert "secret" not in environment.values()
    assert str(tmp_path / "clone") in environment.values(), "git may read a tree of another user"
    assert not reading.world.session.folder.exists(), "nothing is written"
