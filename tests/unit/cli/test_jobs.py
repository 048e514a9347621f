from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from runner.cli import inspecting
from runner.cli import jobs as module
from runner.cli.inspecting import ENDED_REMEDY
from runner.cli.jobs import Where, jobs
from runner.errors import ReleaseError, UsageInvalid
from runner.prow.operate import actions, kubeconfig
from runner.prow.operate.kubeconfig import Reached
from runner.prow.operate.select import Wanted
from testbed.prow.job_configs import IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

Called = dict[str, Any]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Result, Called]]:
    """Call a command with these arguments; gives its result, and what it does with which arguments."""
    seen: Called = {}

    def supervise(work: Callable[[], int], _: object, __: object) -> int:
        return work()

    def open_operator(inspection: Any, where: Where) -> str:
        seen.update(inspection=inspection, where=where)
        return "the operator"

    def remember(name: str) -> Callable[..., None]:
        def action(operator: object, *args: Any, **given: Any) -> None:
            assert operator == "the operator"
            seen.update(action=name, args=args, **given)

        return action

    monkeypatch.setattr(inspecting, "supervise", supervise)
    monkeypatch.setattr(module, "open_operator", open_operator)
    for name in ("show_list", "watch_list", "show_job", "show_log", "rerun_named", "rerun_failed", "abort_named"):
        monkeypatch.setattr(actions, name, remember(name))

    def called(*arguments: str) -> tuple[Result, Called]:
        seen.clear()
        result = CliRunner().invoke(jobs, list(arguments), standalone_mode=False)
        return result, dict(seen)

    return called


def test_a_list(call: Callable[..., tuple[Result, Called]]) -> None:
    """List takes filters, of which some can be repeated, and says how it is shown."""
    result, seen = call(
        *("list", "--service", "s3", "--service", "sns", "--state", "failure,error", "--state", "aborted"),
        *("--since", "2d", "--ref", "v1.*", "--all-jobs", "-L", "5", "-o", "wide"),
    )
    assert result.return_value == 0, result.output
    assert (seen["action"], seen["limit"], seen["output"]) == ("show_list", 5, "wide")
    assert seen["args"] == (
        Wanted(
            frozenset({"s3", "sns"}),
            frozenset({"failure", "error", "aborted"}),
            ("v1.*",),
            timedelta(days=2),
            everything=True,
        ),
    )


def test_a_plain_list(call: Callable[..., tuple[Result, Called]]) -> None:
    """Without options it is a table of the newest releases."""
    _, seen = call("list")
    assert (seen["args"], seen["limit"], seen["output"]) == ((Wanted(),), 30, "table")
    assert not seen["inspection"].is_endless


@pytest.mark.parametrize("arguments", [("--json",), ("-o", "json")])
def test_a_list_for_programs(call: Callable[..., tuple[Result, Called]], arguments: tuple[str, ...]) -> None:
    """JSON is asked for as in every command, or as in kubectl."""
    _, seen = call("list", *arguments)
    assert seen["inspection"].screen.as_json


def test_a_watch(call: Callable[..., tuple[Result, Called]]) -> None:
    """A watch only ends by a signal, of which it says nothing."""
    _, seen = call("list", "--watch")
    assert (seen["action"], seen["inspection"].is_endless) == ("watch_list", True)


def test_where(call: Callable[..., tuple[Result, Called]]) -> None:
    """The cluster is named as for kubectl, and the same can be named again."""
    _, seen = call("show", "JOB", "--kubeconfig", "a file", "--context", "c", "-n", "releases", "--pod-namespace", "p")
    assert seen["args"] == ("JOB",)
    assert seen["where"] == Where("a file", "c", "releases", "p", None, None)
    assert seen["where"].flags == " --kubeconfig 'a file' --context c --namespace releases --pod-namespace p"
    assert call("show", "JOB")[1]["where"].flags == ""


@pytest.mark.parametrize("follow", [False, True])
def test_a_log(call: Callable[..., tuple[Result, Called]], *, follow: bool) -> None:
    """Following a log only ends with it or by a signal."""
    _, seen = call("logs", "JOB", *(["-f"] if follow else []))
    assert (seen["action"], seen["follow"], seen["inspection"].is_endless) == ("show_log", follow, follow)


def test_a_rerun(call: Callable[..., tuple[Result, Called]]) -> None:
    """Named jobs are rerun as they were; with --latest, or with the page that says how, as they are today."""
    _, seen = call("rerun", "a", "b", "--dry-run", "--force")
    names, how = seen["args"]
    assert (seen["action"], names, how) == ("rerun_named", ("a", "b"), actions.Rerun(None, dry_run=True, force=True))
    assert seen["inspection"].remedy != ENDED_REMEDY
    for latest in (("--latest",), ("--deck", "https://deck.example")):
        assert call("rerun", "a", *latest)[1]["args"][1].propose is not None


def test_a_rerun_of_what_failed(call: Callable[..., tuple[Result, Called]]) -> None:
    """What has failed is chosen by filters."""
    _, seen = call("rerun", "--failed", "--since", "2d", "--limit", "3", "--service", "s3", "--yes")
    wanted, how = seen["args"]
    assert (wanted, how) == (Wanted(frozenset({"s3"}), since=timedelta(days=2)), actions.Rerun())
    assert (seen["action"], seen["limit"], seen["agreed"]) == ("rerun_failed", 3, True)


def test_an_abort(call: Callable[..., tuple[Result, Called]]) -> None:
    """Jobs are aborted after a question, or with --yes without one."""
    assert call("abort", "a", "b")[1]["agreed"] is False
    _, seen = call("abort", "a", "b", "-y")
    assert (seen["args"], seen["agreed"]) == ((("a", "b"),), True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("rerun",), "name the jobs to rerun"),
        (("rerun", "a", "--failed"), "name the jobs to rerun"),
        (("rerun", "a", "--since", "2d"), "choose among failed jobs"),
        (("list", "--watch", "--json"), "prints no end"),
        (("list", "--watch", "-o", "name"), "prints no end"),
        (("logs", "a", "--json"), "a log is no document"),
    ],
)
def test_what_does_not_belong_together(
    call: Callable[..., tuple[Result, Called]], arguments: tuple[str, ...], says: str
) -> None:
    """Options that contradict each other are exit 2, and nothing is done."""
    result, seen = call(*arguments)
    assert result.return_value == 2
    assert says in result.stderr
    assert "action" not in seen


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("list", "--state", "failed"), "'failed' is no state"),
        (("list", "--since", "yesterday"), "is not a duration"),
        (("list", "-L", "-1"), "-1"),
        (("abort",), "Missing parameter"),
        (("show",), "Missing parameter"),
    ],
)
def test_mistakes(call: Callable[..., tuple[Result, Called]], arguments: tuple[str, ...], says: str) -> None:
    """A value that is none is told by what it should be."""
    result, _ = call(*arguments)
    assert says in str(result.exception)


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Open an operator's cluster where the context says so; nothing is asked of it."""
    monkeypatch.chdir(tmp_path)
    contexts: list[str | None] = []

    def reach(_: object, **__: object) -> Reached:
        return Reached(None, "prow", given["namespace"], frozenset({"prow", "build-1"}), "files")

    def reach_context(files: str, context: str | None) -> Reached:
        assert files == "files"
        contexts.append(context)
        return Reached(None, str(context), None)

    given: dict[str, str | None] = {}
    monkeypatch.setattr(kubeconfig, "reach", reach)
    monkeypatch.setattr(kubeconfig, "reach_context", reach_context)

    class Cluster:
        def __init__(self, reached: Reached, pods_of: Any, **more: Any) -> None:
            self.name, self.pods_of = reached.name, pods_of
            self.namespaces = (more["namespace"], more["pod_namespace"])

    monkeypatch.setattr("runner.prow.operate.cluster.Cluster", Cluster)

    def opened(of_context: str | None = None, **where: Any) -> Any:
        given["namespace"] = of_context
        names = ("kubeconfig", "context", "namespace", "pod_namespace", "pod_context", "config")
        inspection: Any = type("Inspection", (), {"environment": {}, "lifetime": None, "log": None, "screen": None})()
        return module.open_operator(inspection, Where(**{name: where.get(name) for name in names})).jobs

    return opened


JOBS_YAML = (
    "registry: registry.example/ack\nservices: {s3: }\n"
    f"prow: {{image: '{IMAGE}', prowjob_namespace: of-jobs, pod_namespace: of-pods}}\n"
)


@pytest.mark.parametrize(
    ("of_context", "has_file", "where", "namespaces"),
    [
        (None, False, {}, ("default", "default")),
        ("mine", False, {}, ("mine", "mine")),
        ("mine", True, {}, ("mine", "of-pods")),
        (None, True, {}, ("of-jobs", "of-pods")),
        ("mine", True, {"namespace": "n", "pod_namespace": "p"}, ("n", "p")),
        ("mine", False, {"namespace": "n"}, ("n", "n")),
    ],
)
def test_namespaces(
    reached: Callable[..., Any],
    tmp_path: Path,
    of_context: str | None,
    where: dict[str, str],
    namespaces: tuple[str, str],
    *,
    has_file: bool,
) -> None:
    """An option wins over the context, and that over jobs.yaml, which need not be there."""
    if has_file:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "jobs.yaml").write_text(JOBS_YAML, encoding="utf-8")
    assert reached(of_context, **where).namespaces == namespaces


def test_a_file_that_is_named(reached: Callable[..., Any], tmp_path: Path) -> None:
    """A jobs.yaml that is named has to be there, and need not say anything of Prow."""
    file = tmp_path / "own.yaml"
    file.write_text("registry: registry.example/ack\nservices: {s3: }\n", encoding="utf-8")
    assert reached(config=file).namespaces == ("default", "default")
    with pytest.raises(ReleaseError, match=r"missing\.yaml"):
        reached(config=tmp_path / "missing.yaml")


def test_build_clusters(reached: Callable[..., Any]) -> None:
    """Pods are in the context that is named, else in that of the build cluster's name, else in Prow's own cluster."""
    cluster = reached()
    assert cluster.pods_of("default").name == "prow"
    assert cluster.pods_of("build-1").name == "build-1"
    assert cluster.pods_of("build-2") is None
    assert reached(pod_context="there").pods_of("build-2").name == "there"


def test_help() -> None:
    """Each command is in the help of the group, and has examples of its own."""
    listed = CliRunner().invoke(jobs, ["--help"]).stdout
    for name in ("abort", "list", "logs", "rerun", "show"):
        assert f"\n  {name} " in listed
        assert "Exit codes:" in CliRunner().invoke(jobs, [name, "--help"]).stdout


def test_an_error_for_programs(monkeypatch: pytest.MonkeyPatch, call: Callable[..., tuple[Result, Called]]) -> None:
    """A command that fails for a program prints one document that says why."""

    def fail(*_: object) -> None:
        raise UsageInvalid("no such cluster")

    monkeypatch.setattr(module, "open_operator", fail)
    assert json.loads(call("list", "--json")[0].stdout)["error"]["cause"] == "no such cluster"
