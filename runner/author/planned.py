"""What a job would say of a release that is tried: the plan of ``plan`` and ``run``, made in this process."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.config.settings import Options
from runner.errors import ChartDisagrees
from runner.run.inputs import read_inputs
from runner.run.pipeline import release
from runner.run.selection import chart_file
from runner.run.services import select_services
from runner.source.route import FROM_CHART

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from runner.author.clone import AuthorClone
    from runner.author.trial import Trial
    from runner.config.load import Service
    from runner.run.selection import Selected
    from runner.session import Session

OF_A_JOB = ("JOB_", "BUILD_", "PROW_", "PULL_", "REPO_", "SRC_")
"""How variables begin by which Prow tells a job what was pushed; what is tried was not."""


@dataclass(frozen=True)
class Planning:
    """How a plan is made.

    Attributes:
        config: jobs.yaml; None for the default.
        registry: HOST/NAMESPACE in place of the configured one; None for that.
        offline: whether the registry is left alone, and everything counts as not published yet.
    """

    config: Path | None = None
    registry: str | None = None
    offline: bool = False

    def options(self, trial: Trial, folder: Path, as_tag: str | None) -> Options:
        """Return what ``plan`` would be given on the command line."""
        options = Options(config=self.config, workspace=trial.folder, registry=self.registry, as_tag=as_tag)
        if not self.offline:
            return options
        # A layout folder is written by what follows the plan, so none is; nor is there a base image to look up.
        return replace(options, to_layout=folder / "layout", base_image="scratch")


def plan_as_tag(trial: Trial, tag: str, planning: Planning) -> bool:
    """Plan the commit that is checked out as if it had a tag, as the check of a pull request does.

    Returns:
        Whether nothing is against it; what is, is recorded.

    Raises:
        ReleaseError: what is wrong with the whole release.
    """
    return _plan(trial, trial.clone.base, trial.clone.base_commit, planning, as_tag=tag)


def plan_push(trial: Trial, ref: str, planning: Planning) -> bool:
    """Plan the commit that is checked out as the job does that a push of it starts.

    Args:
        trial: where it is checked out, and has the ref.
        ref: the short name of the tag or branch.
        planning: how.

    Returns:
        Whether nothing is against it; what is, is recorded.

    Raises:
        ReleaseError: what is wrong with the whole release.
    """
    return _plan(trial, ref, trial.head(), planning, as_tag=None)


def charts_to_tag(trial: Trial, planning: Planning) -> tuple[Selected, ...]:
    """Return the services whose charts, in the commit that is checked out, have a version that is not tagged yet.

    Raises:
        ReleaseError: what is wrong with the commit; what is wrong with one chart is recorded.
    """
    trying = _session(trial.clone, trial.clone.base, None)
    with _warnings_told(trial.clone):
        inputs = read_inputs(planning.options(trial, trying.folder, FROM_CHART), trying)
        return select_services(inputs, trying)


def check_selected(services: Iterable[Service], tag: str, session: Session) -> None:
    """Check that a plan releases every service that the author named.

    Raises:
        ChartDisagrees: it leaves one out; the cause says why.
    """
    rows = {row.name: row for row in session.record.document.services}
    for service in services:
        row = rows.get(service.name)
        if row is None or not row.selected:
            reason = row.reason if row else f"no {chart_file(service)} in this commit"
            raise ChartDisagrees(
                f"{tag} would not release {service.name}: {reason}",
                remedy="Let prepare.command in jobs.yaml write the version that is released into Chart.yaml.",
            )


def released_services(session: Session) -> tuple[str, ...]:
    """Return the services that what was planned last releases, by name."""
    return tuple(sorted(row.name for row in session.record.document.services if row.selected))


def _plan(trial: Trial, ref: str, sha: str, planning: Planning, *, as_tag: str | None) -> bool:
    trying = _session(trial.clone, ref, sha)
    with _warnings_told(trial.clone):
        release(planning.options(trial, trying.folder, as_tag), trying, only_plan=True)
    return not trying.record.document.errors


@contextmanager
def _warnings_told(clone: AuthorClone) -> Iterator[None]:
    """Tell the author what a plan warns of, before anything follows from it."""
    known = len(clone.session.record.document.warnings)
    try:
        yield
    finally:
        for warning in clone.session.record.document.warnings[known:]:
            clone.output.warn(warning)


def _session(clone: AuthorClone, ref: str, sha: str | None) -> Session:
    """The session as a job's: its environment says what was pushed."""
    own = {key: value for key, value in clone.session.environment.items() if not key.startswith(OF_A_JOB)}
    pushed = {
        "REPO_OWNER": clone.repository.owner,
        "REPO_NAME": clone.repository.name,
        "SRC_HOST": clone.repository.host,
        "PULL_BASE_REF": ref,
        "PULL_BASE_SHA": sha or "",
    }
    return replace(clone.session, environment={**own, **pushed})
