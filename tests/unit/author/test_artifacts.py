"""The program that writes a service's artifacts: what it is given, and what its failures are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from runner.author.artifacts import write_artifacts
from runner.author.clone import AuthorClone
from runner.author.git import AuthorGit
from runner.author.outcome import Output
from runner.author.remotes import RemoteRefs, Repository
from runner.author.trial import Trial
from runner.config.load import Config, parse_config
from runner.errors import ArtifactsNotBuilt, ReleaseError, ToolUnusable
from runner.report.record import Record
from runner.runtime.lifetime import Lifetime
from runner.session import Session
from runner.versions import ReleaseVersion
from tests.unit.author.test_git import Programs, finished

if TYPE_CHECKING:
    from runner.report.console import Log
    from runner.runtime.process import Finished

VERSION = ReleaseVersion(1, 3, 0)


def clone(programs: Programs | None = None, told: list[str] | None = None) -> AuthorClone:
    """An author's clone whose programs answer with what they were given."""
    run = programs or Programs([])
    session = Session({}, Lifetime(), run, Record(lambda _: None), cast("Log", None), Path("/work"), None)
    return AuthorClone(
        git=AuthorGit(Path("/clone"), run, {}),
        remote="origin",
        repository=Repository("github.com", "o", "community"),
        refs=RemoteRefs("main", {"main": "a" * 40}),
        base="main",
        environment={"HOME": "/me"},
        session=session,
        output=Output(lambda _: None, ([] if told is None else told).append, lambda _: None),
    )


def config(prepare: str = "") -> Config:
    text = f"registry: r.example/a\n{prepare}services: {{s3: {{repo: community, path: services/s3}}}}\n"
    return parse_config(text.encode(), Path("jobs.yaml"))


def write(programs: Programs, settings: Config, told: list[str] | None = None) -> None:
    trial = Trial(AuthorGit(Path("/tree"), programs, {}), clone(programs, told))
    write_artifacts(trial, settings.services.values(), VERSION, settings)


def test_default() -> None:
    """The script of the release process is given service and tag, a time limit, and the author's environment."""
    programs, told = Programs([finished(), finished()]), list[str]()
    write(programs, config(), told)
    argv, env, seconds = programs.asked[0]
    assert argv == ("scripts/build-controller-release.sh", "s3", "v1.3.0")
    assert (env, seconds) == ({"HOME": "/me", "RELEASE_VERSION": "v1.3.0"}, 3600)
    assert told == ["writing the artifacts of s3 with scripts/build-controller-release.sh"]


def test_every_field() -> None:
    """Each field is filled in, in arguments and in variables."""
    fields = "{service} {version} {tag} {path} {chart} {registry} {clone} {tree}"
    section = f"prepare: {{command: [x, '{fields}'], environment: {{ALL: '{fields}'}}, timeout_minutes: 2}}\n"
    programs = Programs([finished(), finished()])
    write(programs, config(section))
    expected = "s3 1.3.0 v1.3.0 services/s3 services/s3/helm r.example/a /clone /tree"
    argv, env, seconds = programs.asked[0]
    assert (argv, env["ALL"], seconds) == (("x", expected), expected, 120)


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (TimeoutError(), ArtifactsNotBuilt, "was ended for s3: it took longer than 60 minutes"),
        (FileNotFoundError(2, "No such file or directory"), ToolUnusable, "cannot be started: No such file"),
        (finished(4, err="generator too old\n"), ArtifactsNotBuilt, "failed for s3, with exit code 4"),
    ],
)
def test_failures(answer: Finished | Exception, error: type[ReleaseError], says: str) -> None:
    """A program that is not there, fails or takes too long is told apart."""
    with pytest.raises(error, match=says):
        write(Programs([answer]), config())


def test_changes_of_the_clone() -> None:
    """A program that writes into the author's clone is refused, with what it changed there."""
    with pytest.raises(ArtifactsNotBuilt, match=r"changed helm/Chart\.yaml in your clone /clone") as refused:
        write(Programs([finished(), finished(out=" M helm/Chart.yaml\0?? new\0")]), config())
    assert refused.value.detail == ("helm/Chart.yaml", "new")
