"""What each bad input gets: its exit code, one highlighted line with cause and remedy, every report, and no write."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from testbed.job_inputs import checkout_folder
from tests.support.refusals import check_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testbed.release_harness import ReleaseHarness


def nothing(_: ReleaseHarness) -> None:
    """Leave the repository as it is."""


@dataclass(frozen=True)
class Case:
    """One bad input: how it comes about, and what it gets."""

    code: int
    name: str
    says: str
    arrange: Callable[[ReleaseHarness], object] = nothing
    ref: str = "v1.2.3"
    extra: Mapping[str, str] = field(default_factory=dict)
    config: str | None = None
    options: tuple[str, ...] = ()
    only_when_compiled: bool = False


def edit(path: str, old: str, new: str) -> Callable[[ReleaseHarness], object]:
    """Release 1.3.0 with one text replaced in one file."""

    def change(text: str) -> str:
        assert old in text, f"{old!r} is not in {path}"
        return text.replace(old, new)

    return lambda harness: harness.repository.release("1.3.0", edits={path: change})


def without(path: str) -> Callable[[ReleaseHarness], object]:
    """Release 1.3.0 without one file."""
    return lambda harness: harness.repository.release("1.3.0", edits={path: None})


def branch(name: str) -> Callable[[ReleaseHarness], object]:
    """Make a branch at main."""
    return lambda harness: harness.repository.git("branch", name)


def tag_stable(harness: ReleaseHarness) -> None:
    """Make a tag called stable."""
    harness.repository.git("tag", "stable", "refs/tags/v1.2.3^{commit}")


def tag_release(name: str) -> Callable[[ReleaseHarness], object]:
    """Make another tag of the commit of 1.2.3."""
    return lambda harness: harness.repository.git("tag", name, "refs/tags/v1.2.3^{commit}")


def stable_of_no_release(harness: ReleaseHarness) -> None:
    """Make the branch stable with no tag in it but one that no release has."""
    tag_release("v111111111111111111111.0.0")(harness)
    harness.repository.stable("1.2.3")
    harness.repository.git("tag", "--delete", "v1.2.3")


def stable_of_too_large_image(harness: ReleaseHarness) -> None:
    """Make the branch stable with an image whose version no release has."""
    harness.repository.stable(
        "1.2.3", edits={"helm/values.yaml": lambda text: text.replace("v1.2.3", "v18446744073709551616.0.0")}
    )


def release_1_3(harness: ReleaseHarness) -> None:
    """Release 1.3.0."""
    harness.repository.release("1.3.0")


def stable(harness: ReleaseHarness) -> None:
    """Make the branch stable on top of 1.2.3."""
    harness.repository.stable("1.2.3")


def old_tool(name: str, version: str) -> Callable[[ReleaseHarness], object]:
    """Put a program that says it is of this version into the harness's folder."""

    def arrange(harness: ReleaseHarness) -> None:
        program = harness.folder / name
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)

    return arrange


JOB = {"type": "postsubmit", "refs": {"org": "aws-controllers-k8s", "repo": "widget-controller", "base_ref": "v9.9.9"}}

CASES = {
    "no Prow environment": Case(
        2,
        "event-invalid",
        "JOB_SPEC",
        extra={"JOB_SPEC": "", "REPO_OWNER": "", "REPO_NAME": "", "PULL_BASE_REF": ""},
    ),
    "malformed JOB_SPEC": Case(2, "event-invalid", "JOB_SPEC", extra={"JOB_SPEC": "{"}),
    "JOB_SPEC and variables disagree": Case(2, "event-invalid", "v9.9.9", extra={"JOB_SPEC": json.dumps(JOB)}),
    "unknown service": Case(
        2, "service-unknown", "widget-controller", config="registry: h.example/n\nservices: {s3: {}}\n"
    ),
    "service that was asked for is unknown": Case(2, "service-unknown", "wiget", options=("--service", "wiget")),
    "unknown key": Case(2, "configuration-invalid", "registry", config="registri: h.example/n\n"),
    "no jobs.yaml": Case(2, "configuration-invalid", "cannot be read", options=("--config", "/nowhere/jobs.yaml")),
    "helm is missing": Case(
        2,
        "tool-unusable",
        "helm 3.17",
        config="registry: {registry}\nbuild: {{helm: /nowhere/helm, base_image: scratch}}\n"
        "services: {{widget: {{}}}}\n",
    ),
    "go is missing": Case(
        2,
        "tool-unusable",
        "go 1.26",
        config="registry: {registry}\nbuild: {{go: /nowhere/go, helm: {helm}, base_image: scratch}}\n"
        "services: {{widget: {{}}}}\n",
    ),
    "not a release ref": Case(3, "not-a-release", "release/v1.2", branch("release/v1.2"), ref="release/v1.2"),
    "a number that is too large for helm": Case(
        3,
        "not-a-release",
        "18446744073709551615",
        tag_release("v111111111111111111111.0.0"),
        ref="v111111111111111111111.0.0",
    ),
    "only such a tag on stable": Case(3, "no-release-merged", "vMAJOR.MINOR.PATCH", stable_of_no_release, ref="stable"),
    "stable's image has a number that is too large": Case(
        4, "chart-disagrees", "widget-v18446744073709551616.0.0", stable_of_too_large_image, ref="stable"
    ),
    "the chart of a release has a number that is too large": Case(
        4,
        "chart-disagrees",
        "version is v18446744073709551616.0.0",
        edit("helm/Chart.yaml", "version: v1.3.0", "version: v18446744073709551616.0.0"),
        ref="v1.3.0",
    ),
    "a branch like a tag": Case(3, "not-a-release", "branch", branch("v7.0.0"), ref="v7.0.0"),
    "a tag called stable": Case(3, "stable-is-a-tag", "stable", tag_stable, ref="stable"),
    "no chart folder": Case(4, "chart-missing", "helm/Chart.yaml", without("helm/Chart.yaml"), ref="v1.3.0"),
    "Chart.yaml of another version": Case(
        4,
        "chart-disagrees",
        "helm/Chart.yaml",
        edit("helm/Chart.yaml", "version: v1.3.0", "version: v1.2.9"),
        ref="v1.3.0",
    ),
    "values name another tag": Case(
        4, "chart-disagrees", "widget-v1.2.9", edit("helm/values.yaml", "widget-v1.3.0", "widget-v1.2.9"), ref="v1.3.0"
    ),
    "the template cannot be rendered": Case(
        4,
        "chart-unusable",
        "helm",
        edit("helm/templates/deployment.yaml", "kind: Deployment", "kind: {{ fail `no` }}"),
        ref="v1.3.0",
    ),
    "the workload runs another image": Case(
        4,
        "chart-disagrees",
        "/ack/controller:v1.3.0",
        edit("helm/templates/deployment.yaml", ".Values.image.tag", ".Chart.Version"),
        ref="v1.3.0",
    ),
    "stable's image is absent": Case(4, "stable-image-absent", "widget-v1.2.3", stable, ref="stable"),
    "compile error": Case(
        6,
        "build-failed",
        "main.go:",
        edit("cmd/controller/main.go", "func main() {", "func main() { undefined_()"),
        ref="v1.3.0",
        only_when_compiled=True,
    ),
    "a binary that does not carry its version": Case(
        6,
        "binary-wrong",
        "GitCommit",
        edit("pkg/version/version.go", "GitCommit", "Commit"),
        ref="v1.3.0",
        only_when_compiled=True,
    ),
    "helm is too old": Case(
        2,
        "tool-unusable",
        "3.16.4",
        old_tool("helm", "v3.16.4"),
        config="registry: {registry}\nbuild: {{helm: {folder}/helm, base_image: scratch}}\n"
        "services: {{widget: {{}}}}\n",
    ),
    "go is too old": Case(
        2,
        "tool-unusable",
        "1.25.1",
        old_tool("go", "go1.25.1"),
        config="registry: {registry}\nbuild: {{go: {folder}/go, helm: {helm}, base_image: scratch}}\n"
        "services: {{widget: {{}}}}\n",
    ),
    "lint fails": Case(
        4,
        "chart-unusable",
        "lint",
        edit("helm/Chart.yaml", "apiVersion: v1", "apiVersion: v9"),
        ref="v1.3.0",
    ),
    "no values.yaml": Case(4, "chart-missing", "helm/values.yaml", without("helm/values.yaml"), ref="v1.3.0"),
    "go.mod asks for a newer Go": Case(6, "go-too-old", "1.99", edit("go.mod", "go 1.26", "go 1.99"), ref="v1.3.0"),
    "no licence": Case(6, "build-failed", "ATTRIBUTION.md", without("ATTRIBUTION.md"), ref="v1.3.0"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_bad_input_is_refused_without_a_write(harness: ReleaseHarness, case: Case) -> None:
    """Each bad input ends with its code and one ERROR line; plan says the same; reports are there, nothing is sent."""
    case.arrange(harness)
    config = None
    if case.config is not None:
        config = harness.folder / "case.yaml"
        text = harness.config.read_text("utf-8")
        helm = next(line for line in text.splitlines() if line.startswith("  helm:")).partition(": ")[2]
        values = {"registry": f"{harness.host}/ack", "helm": helm, "folder": harness.folder}
        config.write_text(case.config.format(**values) if "{registry}" in case.config else case.config)
    ended = harness.run(case.ref, *case.options, extra=case.extra, config=config)
    check_refusal(ended, case.code, case.name, case.says)
    planned = harness.run(case.ref, *case.options, "--json", command="plan", extra=case.extra, config=config)
    assert planned.code == (0 if case.only_when_compiled else case.code)
    error = planned.plan["error"]
    assert case.only_when_compiled or (error["code"], error["cause"]) == (case.name, ended.record["error"]["cause"])
    assert harness.proxy.writes == ()


def test_a_tag_that_moved_away_is_refused(harness: ReleaseHarness) -> None:
    """A tag that no longer peels to the commit of the clone is exit 3, naming both commits."""
    clone = harness.clone("v1.2.3")
    folder = checkout_folder(clone[0], harness.repository)
    subprocess.run(["git", "-C", folder, "tag", "-f", "v1.2.3", "HEAD~1"], check=True, capture_output=True, timeout=30)
    check_refusal(harness.run("v1.2.3", clone=clone), 3, "tag-moved", "v1.2.3")
    assert harness.proxy.writes == ()


def test_a_shallow_clone_is_refused_on_stable(harness: ReleaseHarness) -> None:
    """On stable a shallow clone is exit 3: the newest merged release cannot be known."""
    harness.repository.stable("1.2.3")
    clone = harness.clone("stable")
    folder = checkout_folder(clone[0], harness.repository)
    head = subprocess.run(
        ["git", "-C", folder, "rev-parse", "HEAD"], check=True, capture_output=True, text=True, timeout=30
    ).stdout
    (folder / ".git" / "shallow").write_text(head)
    check_refusal(harness.run("stable", clone=clone), 3, "history-missing", "shallow")


def test_a_release_tag_published_from_another_commit_is_refused(harness: ReleaseHarness) -> None:
    """A release that is published and then tagged anew at another commit is exit 5, and what is there stays."""
    assert harness.run("v1.2.3").code == 0
    harness.proxy.clear()
    harness.repository.git("tag", "--delete", "v1.2.3")
    harness.repository.release("1.2.3", edits={"README.md": "another commit\n"})
    ended = harness.run("v1.2.3")
    check_refusal(ended, 5, "already-published", "published from commit")
    assert harness.proxy.writes == ()
    assert set(ended.actions.values()) == {"refuse"}


def test_a_registry_that_refuses_connections_is_exit_7(harness: ReleaseHarness) -> None:
    """A registry that nobody serves is exit 7, after retries, with the remedy to rerun."""
    ended = harness.run("v1.2.3", "--registry", "127.0.0.1:9/nobody")
    check_refusal(ended, 7, "registry-failed", "127.0.0.1:9")


def test_500_on_everything_is_exit_7(harness: ReleaseHarness) -> None:
    """A registry that answers 500 to everything is exit 7; absent is never assumed, so nothing is sent."""
    harness.proxy.fail(500)
    ended = harness.run("v1.2.3")
    check_refusal(ended, 7, "registry-failed", "500")
    assert harness.proxy.writes == ()


@pytest.mark.parametrize(
    ("status", "headers"), [(401, {"WWW-Authenticate": 'Basic realm="test"'}), (403, {})], ids=["401", "403"]
)
def test_refused_credentials_are_exit_8(harness: ReleaseHarness, status: int, headers: dict[str, str]) -> None:
    """401 without credentials and 403 are exit 8, at once and without a write."""
    harness.proxy.fail(status, code="DENIED", headers=headers)
    check_refusal(harness.run("v1.2.3"), 8, "credentials-refused", harness.host)
    assert harness.proxy.writes == ()


@pytest.mark.parametrize("fault", ["cut", "corrupt"])
def test_a_damaged_manifest_is_exit_7(harness: ReleaseHarness, fault: str) -> None:
    """A manifest that is cut short or has another digest is exit 7, and nothing is written over it."""
    assert harness.run("v1.2.3").code == 0
    harness.proxy.clear()
    getattr(harness.proxy, fault)(method="GET", path=r"/manifests/")
    ended = harness.run("v1.2.3")
    assert ended.code == 7, ended.out
    assert ended.record["error"]["code"] in {"registry-answer-wrong", "registry-failed"}
    assert harness.proxy.writes == ()


def test_compile_errors_show_the_compilers_words(harness: ReleaseHarness) -> None:
    """The compiler's last lines stand before the ERROR line, and all of its output is in a file."""
    harness.repository.release(
        "1.3.0",
        edits={"cmd/controller/main.go": lambda text: text.replace("func main() {", "func main() { nothing_()")},
    )
    ended = harness.run("v1.3.0")
    assert ended.code == 6
    assert any(line.startswith("  | ") and "nothing_" in line for line in ended.lines)
    assert "nothing_" in (ended.artifacts / "go-build-log.txt").read_text()
