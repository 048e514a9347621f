"""``jobs``: what operators do with release jobs, through the Kubernetes API."""

from __future__ import annotations

import functools
import io
import os
import shlex
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from runner.cli.completion import beginning, soon
from runner.cli.completion import services as complete_services
from runner.cli.inspecting import inspecting
from runner.config.settings import Options, config_file
from runner.errors import UsageInvalid
from runner.prow.operate.prowjob import STATES
from runner.prow.operate.select import Wanted, read_duration
from runner.report.console import Outlet, open_log
from runner.runtime.lifetime import Lifetime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.cli.inspecting import Inspection
    from runner.prow.operate.actions import Operator, Output
    from runner.prow.operate.kubeconfig import Reached

LIST_LIMIT: Final = 30
RERUN_LIMIT: Final = 5
RERUN_ENDED: Final = "ack-release jobs list shows what was started before; call the command again for the rest."

EXAMPLES: Final = """
\b
Examples:
  ack-release jobs list --state failure --since 2d
  ack-release jobs show JOB                        why it failed, and what to do now
  ack-release jobs logs -f JOB
  ack-release jobs rerun JOB
  ack-release jobs rerun --failed --since 2d --limit 5 --dry-run
  ack-release jobs abort JOB

\b
JOB is a ProwJob's name or its beginning, a build id, or the address of its page.

\b
Exit codes:
  0  done
  2  the cluster, the job or an option is wrong
  7  the cluster did not answer; call it again
  8  the cluster does not know or does not let you
  9  ended by a signal
"""


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read a duration."""
        if isinstance(value, timedelta):
            return value
        try:
            return read_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _States(click.ParamType[frozenset[str]]):
    name = "state"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        """Read states, separated by commas."""
        given = frozenset(value.split(",")) if isinstance(value, str) else frozenset(value)
        if unknown := sorted(given - set(STATES)):
            self.fail(f"{unknown[0]!r} is no state: {', '.join(STATES)}", param, ctx)
        return given


def complete_jobs(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """The names of the newest release jobs that begin so; none where the cluster does not answer soon."""
    return beginning(begun, soon(functools.partial(_names_of_jobs, context.params)))[:LIST_LIMIT]


def _names_of_jobs(given: Mapping[str, Any]) -> list[str]:
    from runner.prow.operate.cluster import Cluster  # noqa: PLC0415 - loads kubernetes
    from runner.prow.operate.kubeconfig import reach  # noqa: PLC0415 - loads kubernetes

    reached = reach(os.environ, kubeconfig=given.get("kubeconfig"), context=given.get("context"))
    namespace = given.get("namespace") or reached.namespace or _namespaces(given.get("config"))[0] or "default"
    silent = open_log(Outlet(io.StringIO()), None, levels=frozenset())
    cluster = Cluster(
        reached, lambda _: None, namespace=namespace, pod_namespace=namespace, lifetime=Lifetime(), log=silent
    )
    found, _ = cluster.jobs()
    newest = sorted(found, key=lambda job: job.started or datetime.min.replace(tzinfo=UTC), reverse=True)
    return [job.name for job in newest if job.is_release]


@click.group(epilog=EXAMPLES)
def jobs() -> None:
    """List, explain, follow, rerun and abort release jobs."""


@dataclass(frozen=True)
class Where:
    """How the cluster was named, as given."""

    kubeconfig: str | None
    context: str | None
    namespace: str | None
    pod_namespace: str | None
    pod_context: str | None
    config: Path | None

    @property
    def flags(self) -> str:
        """The options that name it again."""
        given = (
            ("--kubeconfig", self.kubeconfig),
            ("--context", self.context),
            ("--namespace", self.namespace),
            ("--pod-namespace", self.pod_namespace),
            ("--pod-context", self.pod_context),
        )
        return "".join(f" {flag} {shlex.quote(value)}" for flag, value in given if value)


def with_cluster(work: Callable[..., None]) -> Callable[..., int]:
    """Add the options that name the cluster, as kubectl has them, and hand an ``Operator`` to the command."""

    @click.option("--kubeconfig", metavar="FILE", help="[default: $KUBECONFIG, ~/.kube/config, or from inside]")
    @click.option("--context", metavar="NAME", help="The kubeconfig's context. [default: the current one]")
    @click.option("-n", "--namespace", metavar="NAME", help="Where ProwJobs are. [default: the context's]")
    @click.option("--pod-namespace", metavar="NAME", help="Where their pods are. [default: jobs.yaml's, or the same]")
    @click.option("--pod-context", metavar="NAME", help="The build cluster's context. [default: named as Prow does]")
    @click.option("--config", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="jobs.yaml.")
    @inspecting
    @functools.wraps(work)
    def command(
        inspection: Inspection,
        *,
        kubeconfig: str | None,
        context: str | None,
        namespace: str | None,
        pod_namespace: str | None,
        pod_context: str | None,
        config: Path | None,
        **given: Any,
    ) -> None:
        where = Where(kubeconfig, context, namespace, pod_namespace, pod_context, config)
        work(open_operator(inspection, where), inspection, **given)

    return command


def open_operator(inspection: Inspection, where: Where) -> Operator:
    """Return what the commands work with. The client libraries are loaded here and nowhere before.

    Raises:
        ClusterUnusable: it is not known which cluster is meant.
        ConfigurationInvalid: jobs.yaml is wrong.
    """
    from runner.aws.boto import Clients  # noqa: PLC0415 - loads boto3
    from runner.prow.operate.actions import Operator  # noqa: PLC0415 - loads what follows
    from runner.prow.operate.bucket import Bucket  # noqa: PLC0415 - loads boto3
    from runner.prow.operate.cluster import Cluster  # noqa: PLC0415 - loads kubernetes
    from runner.prow.operate.kubeconfig import reach  # noqa: PLC0415 - loads kubernetes

    reached = reach(inspection.environment, kubeconfig=where.kubeconfig, context=where.context)
    of_jobs, of_pods = _namespaces(where.config)
    namespace = where.namespace or reached.namespace or of_jobs or "default"
    cluster = Cluster(
        reached,
        _pod_clusters(reached, where.pod_context),
        namespace=namespace,
        pod_namespace=where.pod_namespace or of_pods or namespace,
        lifetime=inspection.lifetime,
        log=inspection.log,
    )
    return Operator(
        jobs=cluster,
        kept=Bucket(Clients(None, inspection.environment), inspection.log),
        screen=inspection.screen,
        lifetime=inspection.lifetime,
        now=lambda: datetime.now(UTC),
        new_name=lambda: str(uuid.uuid4()),
        flags=where.flags,
    )


def _pod_clusters(reached: Reached, pod_context: str | None) -> Callable[[str], Reached | None]:
    """Find the cluster of pods as Prow does: its build clusters are named by contexts of a kubeconfig."""
    from runner.prow.operate.kubeconfig import reach_context  # noqa: PLC0415 - loads kubernetes

    @functools.cache
    def find(cluster: str) -> Reached | None:
        named = pod_context or (cluster if cluster in reached.contexts else None)
        if named is not None:
            return reach_context(reached.files, named)
        return reached if cluster == "default" else None

    return find


def _namespaces(config: Path | None) -> tuple[str | None, str | None]:
    """What jobs.yaml says of namespaces, where there is one; one that is named has to be there."""
    path = Path(config_file(Options(config=config)).value)
    if config is None and not path.is_file():
        return None, None
    from runner.config.load import load_config  # noqa: PLC0415 - only where there is a file

    prow = load_config(path).prow
    return (None, None) if prow is None else (prow.prowjob_namespace, prow.pod_namespace)


def with_filters(callback: Callable[..., int]) -> Callable[..., int]:
    """Add the options that choose jobs, and hand ``wanted`` to the command."""

    @click.option(
        "--service",
        "services",
        metavar="NAME",
        multiple=True,
        help="Of this service; repeatable.",
        shell_complete=complete_services,
    )
    @click.option("--ref", "refs", metavar="REF", multiple=True, help="Of this tag or branch; * stands for any text.")
    @click.option("--since", type=_Duration(), metavar="DURATION", help="Not older than this: 2d, 36h.")
    @functools.wraps(callback)
    def command(
        *,
        services: tuple[str, ...],
        refs: tuple[str, ...],
        since: timedelta | None,
        states: tuple[frozenset[str], ...] = (),
        everything: bool = False,
        **given: Any,
    ) -> int:
        wanted = Wanted(frozenset(services), frozenset().union(*states), refs, since, everything)
        return callback(wanted=wanted, **given)

    return command


@jobs.command("list", epilog=EXAMPLES)
@click.option("--state", "states", type=_States(), multiple=True, metavar="STATE", help="In this state; repeatable.")
@click.option("--all-jobs", "everything", is_flag=True, help="Also checks, and jobs that are no releases.")
@click.option("-L", "--limit", type=click.IntRange(0), default=LIST_LIMIT, help=f"0 for all. [default: {LIST_LIMIT}]")
@click.option("-o", "--output", type=click.Choice(("wide", "name", "json")), help="More columns, names only, or JSON.")
@click.option("-w", "--watch", is_flag=True, help="Go on, and show what changes.")
@with_filters
@with_cluster
def list_(
    operator: Operator, inspection: Inspection, *, wanted: Wanted, limit: int, output: Output | None, watch: bool
) -> None:
    """List release jobs, the newest first, and why they failed."""
    from runner.prow.operate import actions  # noqa: PLC0415 - loads kubernetes

    inspection.screen.as_json |= output == "json"
    if watch:
        if inspection.screen.as_json or output == "name":
            raise UsageInvalid("--watch shows a table and prints no end", remedy="Leave out --watch, or --json and -o.")
        inspection.is_endless = True
        actions.watch_list(operator, wanted, limit=limit, output=output or "table")
    else:
        actions.show_list(operator, wanted, limit=limit, output=output or "table")


@jobs.command(epilog=EXAMPLES)
@click.argument("job", shell_complete=complete_jobs)
@with_cluster
def show(operator: Operator, _: Inspection, *, job: str) -> None:
    """Explain a job: how it is, why, and what to do now."""
    from runner.prow.operate import actions  # noqa: PLC0415 - loads kubernetes

    actions.show_job(operator, job)


@jobs.command(epilog=EXAMPLES)
@click.argument("job", shell_complete=complete_jobs)
@click.option("-f", "--follow", is_flag=True, help="Wait for it to start, and go on until it ends.")
@with_cluster
def logs(operator: Operator, inspection: Inspection, *, job: str, follow: bool) -> None:
    """Print a job's log, from its pod or from Prow's bucket (s3://)."""
    from runner.prow.operate import actions  # noqa: PLC0415 - loads kubernetes

    if inspection.screen.as_json:
        raise UsageInvalid("a log is no document", remedy="Leave out --json; ack-release jobs show has it.")
    inspection.is_endless = follow
    actions.show_log(operator, job, follow=follow)


@jobs.command(epilog=EXAMPLES)
@click.argument("names", metavar="[JOB]...", nargs=-1, shell_complete=complete_jobs)
@click.option("--failed", is_flag=True, help="What has failed and was not run again since, the oldest first.")
@click.option("--latest", is_flag=True, help="With today's configuration, which Prow's page is asked for.")
@click.option("--deck", metavar="URL", help="Prow's page, for --latest. [default: where the job says]")
@click.option(
    "-L", "--limit", type=click.IntRange(0), default=RERUN_LIMIT, help=f"With --failed. [default: {RERUN_LIMIT}]"
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--force", is_flag=True, help="Also a job that has not ended; Prow starts the new one after it.")
@click.option("-y", "--yes", is_flag=True, help="With --failed: do not ask.")
@with_filters
@with_cluster
def rerun(
    operator: Operator,
    inspection: Inspection,
    *,
    wanted: Wanted,
    names: tuple[str, ...],
    failed: bool,
    latest: bool,
    deck: str | None,
    limit: int,
    dry_run: bool,
    force: bool,
    yes: bool,
) -> None:
    """Run jobs again, as they were, with the same commit.

    A rerun is safe: it sends nothing again that is published, and never replaces it by something older.
    """
    from runner.prow.operate import actions  # noqa: PLC0415 - loads kubernetes
    from runner.prow.operate.deck import proposed  # noqa: PLC0415 - as above

    if failed == bool(names):
        raise UsageInvalid("name the jobs to rerun, or say --failed, and not both")
    if not failed and wanted != Wanted():
        raise UsageInvalid("--service, --ref and --since choose among failed jobs", remedy="Say --failed, too.")
    inspection.remedy = RERUN_ENDED
    how = actions.Rerun((lambda job: proposed(job, deck)) if latest or deck else None, dry_run, force)
    if failed:
        actions.rerun_failed(operator, wanted, how, limit=limit, agreed=yes)
    else:
        actions.rerun_named(operator, names, how)


@jobs.command(epilog=EXAMPLES)
@click.argument("names", metavar="JOB...", nargs=-1, required=True, shell_complete=complete_jobs)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@with_cluster
def abort(operator: Operator, _: Inspection, *, names: tuple[str, ...], yes: bool) -> None:
    """End jobs that wait or run; a rerun completes what was begun."""
    from runner.prow.operate import actions  # noqa: PLC0415 - loads kubernetes

    actions.abort_named(operator, names, agreed=yes)
