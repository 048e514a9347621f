from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.chart.helm import Helm
from runner.errors import ChartUnusable, ToolUnusable
from runner.runtime.process import Finished

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ENVIRONMENT = {"PATH": "/nowhere", "HOME": "/home"}


@dataclass
class Program:
    """What is run in the place of helm: it notes how it is called, and ends as it is set to.

    ``act`` is called with the arguments before it ends; it may raise what starting a program raises.
    """

    stdout: str = ""
    stderr: str = ""
    returncode: int = 0
    act: Callable[[tuple[str, ...]], object] = lambda _: None
    calls: list[tuple[tuple[str, ...], Mapping[str, str], Path | None, Path | None]] = field(default_factory=list)

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: bytes | None = None,  # noqa: ARG002  # helm is given nothing to read
        log: Path | None = None,
        seconds: float | None = None,  # noqa: ARG002  # nor is it given a time
        limit: int | None = None,  # noqa: ARG002  # nor a limit
    ) -> Finished:
        """End at once."""
        words = tuple(map(str, argv))
        self.calls.append((words, env, cwd, log))
        self.act(words)
        return Finished(words, self.returncode, self.stdout, self.stderr, 0.0)

    @property
    def helm(self) -> Helm:
        """The caller of this program."""
        return Helm("some-helm", self, ENVIRONMENT, Path("helm.log"))


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "s3-chart"
    folder.mkdir()
    return folder


def raise_not_found(_: tuple[str, ...]) -> None:
    raise FileNotFoundError(2, "No such file or directory")


# --- version ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("v3.17.0", "3.17.0"),
        ("v3.17", "3.17"),
        ("3.100.0\n", "3.100.0"),
        ("v4.0.0-rc.1+g1234567", "4.0.0-rc.1+g1234567"),
        ("v10.0.0", "10.0.0"),
    ],
)
def test_version_that_will_do(said: str, version: str) -> None:
    """3.17 and anything newer will do; numbers are compared as numbers, and the v is left out."""
    program = Program(said)
    assert program.helm.version() == version
    assert program.calls == [
        (("some-helm", "version", "--template", "{{.Version}}"), ENVIRONMENT, None, Path("helm.log"))
    ]


@pytest.mark.parametrize(
    ("said", "problem"),
    [("v3.16.9", "is 3.16.9"), ("v2.100.0", "is 2.100.0"), ("unknown", "prints no version"), ("", "prints no version")],
)
def test_version_that_will_not_do(said: str, problem: str) -> None:
    """An older helm, and what is no helm, are refused with what was found and what is needed."""
    with pytest.raises(ToolUnusable, match=f"helm 3.17 or newer is needed; some-helm {problem}"):
        Program(said).helm.version()


def test_version_of_what_fails() -> None:
    """A helm that fails prints no version, whatever it prints; its last lines are the detail."""
    with pytest.raises(ToolUnusable, match="prints no version") as raised:
        Program("v4.0.0", "one\ntwo\n", 1).helm.version()
    assert raised.value.detail == ("v4.0.0", "one", "two")


def test_helm_that_cannot_be_started() -> None:
    """A helm that is not there is reported with the system's reason."""
    with pytest.raises(ToolUnusable, match="some-helm cannot be started: No such file or directory"):
        Program(act=raise_not_found).helm.version()


# --- lint -------------------------------------------------------------------------------------------------------------

LINTED = """\
==> Linting ./s3-chart
[INFO] Chart.yaml: icon is recommended
[WARNING] templates/old.yaml: policy/v1beta1 is deprecated
[WARNING] Chart.yaml: version 'v1' is not a valid SemVer
\tuse 1.0.0
  instead

1 chart(s) linted, 0 chart(s) failed
"""


def test_lint_is_called_from_above(chart: Path) -> None:
    """The chart is named from the folder above, so that no message names a temporary folder; the cluster is fixed."""
    program = Program(LINTED)
    program.helm.lint(chart)
    argv = ("some-helm", "lint", "./s3-chart", "--kube-version", "1.34.0")
    assert program.calls == [(argv, ENVIRONMENT, chart.parent, Path("helm.log"))]


def test_warnings(chart: Path) -> None:
    """Warnings come one a line, joined with what belongs to them; information and the summary are left out."""
    assert Program(LINTED).helm.lint(chart) == (
        "templates/old.yaml: policy/v1beta1 is deprecated",
        "Chart.yaml: version 'v1' is not a valid SemVer use 1.0.0 instead",
    )


@given(st.lists(st.tuples(st.sampled_from(["INFO", "WARNING"]), st.from_regex(r"[a-z]+(?: [a-z]+)*", fullmatch=True))))
def test_any_messages(messages: list[tuple[str, str]]) -> None:
    """Of any messages the warnings are returned, each once, in their order."""
    printed = "".join(f"[{severity}] {text}\n" for severity, text in messages)
    assert Program(printed).helm.lint(Path("chart")) == tuple(text for kind, text in messages if kind == "WARNING")


def test_lint_that_finds_errors(chart: Path) -> None:
    """The first error is the cause, whatever was printed after it; the last lines are the detail."""
    printed = f"{LINTED}[ERROR] templates/: parse error\n[ERROR] another\n"
    with pytest.raises(ChartUnusable, match="helm lint refuses the chart s3-chart: templates/: parse error") as raised:
        Program(printed, "Error: 1 chart(s) linted, 1 chart(s) failed\n", 1).helm.lint(chart)
    assert raised.value.detail[-1] == "Error: 1 chart(s) linted, 1 chart(s) failed"


@pytest.mark.parametrize("target", ["../../outside", "/etc/hostname", "../../absent", "../templates/../../x"])
def test_link_out_of_the_chart(chart: Path, target: str) -> None:
    """A link that leads out of the chart is refused before helm is called, which would package what it points at."""
    (chart / "templates").mkdir()
    (chart / "templates" / "file").symlink_to(target)
    program = Program()
    with pytest.raises(ChartUnusable, match=f"s3-chart/templates/file is a link to {target}, outside of the chart"):
        program.helm.lint(chart)
    assert program.calls == []


def test_link_within_the_chart(chart: Path) -> None:
    """A link to a file of the chart is allowed."""
    (chart / "values.yaml").write_text("")
    (chart / "copy").symlink_to("values.yaml")
    assert Program(LINTED).helm.lint(chart)


# --- render -----------------------------------------------------------------------------------------------------------


def test_documents(chart: Path) -> None:
    """All documents are given, every scalar as its text, rendered for one release, namespace and cluster."""
    program = Program("kind: A\nversion: 1.10\n---\nkind: B\n")
    assert program.helm.render(chart) == ({"kind": "A", "version": "1.10"}, {"kind": "B"})
    options = ("--namespace", "ack-system", "--kube-version", "1.34.0")
    argv = ("some-helm", "template", "ack-release", "./s3-chart", *options)
    assert program.calls == [(argv, ENVIRONMENT, chart.parent, Path("helm.log"))]


def test_what_is_rendered_is_not_yaml(chart: Path) -> None:
    """Output that is no YAML is the chart's fault, with the line."""
    with pytest.raises(ChartUnusable, match="what helm template renders from s3-chart is not YAML: line 2"):
        Program("kind: Pod\n- a\n").helm.render(chart)


@pytest.mark.parametrize(
    ("stdout", "stderr", "cause"),
    [
        ("", "Error: on purpose\n", "on purpose"),
        ("", "walk.go: note\nError: on purpose\nUse --debug\n", "on purpose"),
        ("", "one\ntwo\n", "two"),
        ("", "", "it exits with 3"),
    ],
    ids=["error", "among others", "no error", "nothing"],
)
def test_chart_that_is_not_rendered(chart: Path, stdout: str, stderr: str, cause: str) -> None:
    """The cause is what helm calls an error, else its last line, else its exit code."""
    with pytest.raises(ChartUnusable) as raised:
        Program(stdout, stderr, 3).helm.render(chart)
    assert raised.value.cause == f"helm template refuses the chart s3-chart: {cause}"


def test_temporary_folder_is_not_told(chart: Path) -> None:
    """Where helm names the folder after all, neither cause nor detail does."""
    with pytest.raises(ChartUnusable) as raised:
        Program("", f"Error: {chart}/values.yaml is bad\n", 1).helm.render(chart)
    assert raised.value.cause.endswith(": s3-chart/values.yaml is bad")
    assert raised.value.detail == ("Error: s3-chart/values.yaml is bad",)


# --- package ----------------------------------------------------------------------------------------------------------


def packing(*names: str) -> Callable[[tuple[str, ...]], None]:
    """What helm does that writes these archives where it is asked to."""

    def act(argv: tuple[str, ...]) -> None:
        for name in names:
            Path(argv[argv.index("--destination") + 1], name).write_bytes(b"archive")

    return act


def test_archive(chart: Path, tmp_path: Path) -> None:
    """The one archive is given, in a folder of its own below the destination, so that two of one name do not meet."""
    program = Program(act=packing("s3-chart-1.2.3.tgz"))
    first, second = (program.helm.package(chart, tmp_path) for _ in range(2))
    assert first.name == second.name == "s3-chart-1.2.3.tgz"
    assert first.parent != second.parent
    assert first.parent.parent == second.parent.parent == tmp_path
    (argv, environment, folder, _), _ = program.calls
    assert argv == ("some-helm", "package", "./s3-chart", "--destination", str(first.parent))
    assert (environment, folder) == (ENVIRONMENT, chart.parent)


@pytest.mark.parametrize("names", [(), ("a.tgz", "b.tgz"), ("a.txt",)], ids=["none", "two", "another"])
def test_no_one_archive(chart: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    """A helm that succeeds and leaves not exactly one archive has refused the chart."""
    with pytest.raises(ChartUnusable, match="helm package refuses the chart s3-chart"):
        Program("Successfully packaged", act=packing(*names)).helm.package(chart, tmp_path)


def test_archive_of_what_failed(chart: Path, tmp_path: Path) -> None:
    """An archive that a failing helm leaves is not taken."""
    with pytest.raises(ChartUnusable, match="missing in charts/ directory: d"):
        Program("", "Error: missing in charts/ directory: d\n", 1, packing("a.tgz")).helm.package(chart, tmp_path)
