"""What steers a run: options, the environment kept from the former job, jobs.yaml; and what a plan says of them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from runner.chart.archive import files_of
from testbed.job_inputs import checkout_folder
from testbed.monorepo import open_monorepo, part
from testbed.paths import ROOT
from testbed.registry_clients import crane, crane_bytes
from testbed.release_harness import PROGRAM, Ended, ReleaseHarness, run_program
from tests.e2e.test_refusals import CASES
from tests.support.refusals import check_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TAG = "v1.2.3"
COMMANDS = (
    *("audit", "doctor", "jobs", "mirror", "plan", "prepare", "prowjobs", "rollback", "run", "schema", "stable"),
    *("tag", "verify"),
)
DOCUMENT = {
    *("schema", "ref", "commit", "path", "version", "registry", "staging", "services", "entries", "settings"),
    *("warnings", "exit", "error"),
}
"""What every document of ``plan --json`` has."""


def filled(harness: ReleaseHarness, values: Mapping[str, str]) -> dict[str, str]:
    """The values with the registry's address filled in."""
    return {key: value.format(host=harness.host) for key, value in values.items()}


def plan(harness: ReleaseHarness, *options: str, ref: str = TAG, extra: Mapping[str, str] | None = None) -> Ended:
    """Run ``plan --json``."""
    return harness.run(ref, "--json", *options, command="plan", extra=extra)


def chart_values(host: str, name: str) -> str:
    """The values.yaml of a published chart."""
    repository = name.rpartition(":")[0]
    layer = json.loads(crane("manifest", "--insecure", f"{host}/{name}"))["layers"][0]["digest"]
    return files_of(crane_bytes("blob", "--insecure", f"{host}/{repository}@{layer}"))["values.yaml"].decode()


@pytest.mark.parametrize(
    ("options", "environment", "registry", "origin"),
    [
        pytest.param((), {}, "ack", "jobs.yaml", id="nothing"),
        pytest.param(("--registry", "{host}/staging"), {}, "staging", "option --registry", id="option"),
        pytest.param(("--registry", "{host}/ack"), {}, "ack", "option --registry", id="option names production"),
        pytest.param(
            (), {"CONTROLLER_ECR_REGISTRY": "{host}/ack"}, "ack", "environment CONTROLLER_ECR_REGISTRY", id="production"
        ),
        pytest.param(
            (), {"CONTROLLER_ECR_REGISTRY": "{host}/s"}, "s", "environment CONTROLLER_ECR_REGISTRY", id="controller's"
        ),
        pytest.param((), {"HELM_REGISTRY": "{host}/s"}, "s", "environment HELM_REGISTRY", id="helm's"),
        pytest.param(
            (),
            {"CONTROLLER_ECR_REGISTRY": "{host}/s", "HELM_REGISTRY": "{host}/s"},
            "s",
            "environment CONTROLLER_ECR_REGISTRY",
            id="both",
        ),
        pytest.param(
            ("--registry", "{host}/t"),
            {"CONTROLLER_ECR_REGISTRY": "{host}/s", "HELM_REGISTRY": "{host}/s"},
            "t",
            "option --registry",
            id="option before both",
        ),
    ],
)
def test_which_registry_is_written(
    harness: ReleaseHarness, options: tuple[str, ...], environment: Mapping[str, str], registry: str, origin: str
) -> None:
    """The option goes before the environment, that before jobs.yaml; another registry than production's is staging."""
    ended = plan(harness, *(option.format(host=harness.host) for option in options), extra=filled(harness, environment))
    assert ended.code == 0, ended.err
    document = ended.plan
    assert document["registry"] == document["settings"]["registry"]["value"] == f"{harness.host}/{registry}"
    assert document["settings"]["registry"]["from"].endswith(origin)
    assert document["staging"] is (registry != "ack")
    assert {entry["name"] for entry in document["entries"]} == {
        f"{harness.host}/{registry}/{name}"
        for name in ("controller:widget-v1.2.3", "chart:widget-v1.2.3", "widget-chart:1.2.3")
    }
    assert document["settings"]["production registry"]["value"] == f"{harness.host}/ack"


@pytest.mark.parametrize(
    ("options", "environment", "says"),
    [
        pytest.param(
            (), {"CONTROLLER_ECR_REGISTRY": "{host}/one", "HELM_REGISTRY": "{host}/two"}, "must agree", id="two differ"
        ),
        pytest.param(("--registry", "https://h.example/n"), {}, "leave out https://", id="registry with a scheme"),
        pytest.param((), {"HELM_REGISTRY": "oci://h.example/n"}, "HELM_REGISTRY", id="registry with oci://"),
        pytest.param((), {"DOCKER_REPOSITORY": "{host}/Upper"}, "DOCKER_REPOSITORY", id="repository"),
        pytest.param((), {"AWS_SERVICE_DOCKER_IMG": "{host}/image"}, "AWS_SERVICE_DOCKER_IMG", id="image without tag"),
        pytest.param(
            (),
            {"DOCKER_REPOSITORY": "{host}/one", "AWS_SERVICE_DOCKER_IMG": "{host}/two:v1"},
            "which is not in DOCKER_REPOSITORY",
            id="image of another repository",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(
    harness: ReleaseHarness, options: tuple[str, ...], environment: Mapping[str, str], says: str
) -> None:
    """Settings that are malformed or disagree are exit 2, before the registry is asked anything."""
    check_refusal(harness.run(TAG, *options, extra=filled(harness, environment)), 2, "usage-invalid", says)
    assert harness.proxy.requests == ()


@pytest.mark.parametrize(
    ("environment", "image"),
    [
        pytest.param({"DOCKER_REPOSITORY": "{host}/try/widget"}, "try/widget:widget-v1.2.3", id="repository"),
        pytest.param({"AWS_SERVICE_DOCKER_IMG": "{host}/try/widget:mine"}, "try/widget:mine", id="image"),
    ],
)
def test_an_image_of_another_name_is_a_staging_release(
    harness: ReleaseHarness, environment: Mapping[str, str], image: str
) -> None:
    """An image named by the environment is published under that name, and the chart that goes with it names it."""
    extra = {**filled(harness, environment), "HELM_REGISTRY": f"{harness.host}/try"}
    ended = harness.run(TAG, extra=extra)
    assert ended.code == 0, ended.out
    assert ended.record["staging"] is True
    assert set(ended.actions) == {image, "try/chart:widget-v1.2.3", "try/widget-chart:1.2.3"}
    crane("validate", "--insecure", "--remote", f"{harness.host}/{image}")
    repository, _, tag = f"{harness.host}/{image}".rpartition(":")
    stated = yaml.safe_load(chart_values(harness.host, "try/chart:widget-v1.2.3"))["image"]
    assert (stated["repository"], stated["tag"]) == (repository, tag)
    harness.proxy.clear()
    again = harness.run(TAG, extra=extra)
    assert (again.code, harness.proxy.writes, again.digests) == (0, (), ended.digests)


def test_an_image_of_another_name_does_not_reach_the_production_chart(harness: ReleaseHarness) -> None:
    """Without another registry an image of another name is exit 2: its chart would stay production's for good."""
    extra = {"DOCKER_REPOSITORY": f"{harness.host}/try/widget"}
    check_refusal(harness.run(TAG, extra=extra), 2, "usage-invalid", "production registry")
    assert harness.proxy.writes == ()


def test_an_image_of_the_name_it_has_anyway_is_production(harness: ReleaseHarness) -> None:
    """DOCKER_REPOSITORY and AWS_SERVICE_DOCKER_IMG that repeat what naming gives change nothing but the provenance."""
    extra = {
        "DOCKER_REPOSITORY": f"{harness.host}/ack/controller",
        "AWS_SERVICE_DOCKER_IMG": f"{harness.host}/ack/controller:widget-v1.2.3",
    }
    named, usual = plan(harness, extra=extra).plan, plan(harness).plan
    assert named["staging"] is usual["staging"] is False
    assert named["entries"] == usual["entries"]
    assert {value["from"] for key, value in named["settings"].items() if key not in usual["settings"]} == {
        "environment DOCKER_REPOSITORY",
        "environment AWS_SERVICE_DOCKER_IMG",
    }


@pytest.mark.parametrize("variable", ["DOCKER_REPOSITORY", "AWS_SERVICE_DOCKER_IMG"])
def test_one_image_name_is_not_for_several_services(tmp_path: Path, variable: str) -> None:
    """A full reference is exit 2 when the tag releases several services, and fine when one of them is asked for."""
    with open_monorepo(tmp_path, "anvil", "bellows") as harness:
        for service in ("anvil", "bellows"):
            part(harness.repository, service).write_release("1.2.3")
        harness.repository.commit("Release artifacts")
        harness.repository.git("tag", TAG)
        value = f"{harness.host}/try/image" + (":mine" if variable == "AWS_SERVICE_DOCKER_IMG" else "")
        refused = harness.run(TAG, extra={variable: value})
        check_refusal(refused, 2, "usage-invalid", "releases anvil, bellows")
        assert harness.proxy.requests == ()
        staged = {variable: value, "HELM_REGISTRY": f"{harness.host}/try"}
        ended = plan(harness, "--service", "anvil", extra=staged)
        assert ended.code == 0, ended.err
        assert [entry["name"] for entry in ended.plan["entries"] if entry["kind"] == "image"] == [
            value if ":mine" in value else f"{value}:{TAG}"
        ]


def test_quiet_leaves_warnings_and_the_outcome(harness: ReleaseHarness) -> None:
    """With QUIET stdout has warnings and the last line only; release-log.jsonl has everything as ever."""
    ended = harness.run(TAG, extra={"QUIET": "true"})
    assert ended.code == 0, ended.out
    *others, last = ended.lines
    assert last.startswith("RELEASED:")
    assert others
    assert all("level=warning" in line for line in others)
    levels = [json.loads(line)["level"] for line in (ended.artifacts / "release-log.jsonl").read_text().splitlines()]
    assert levels.count("info") > 0
    loud = harness.run(TAG)
    assert any("level=info" in line for line in loud.lines)


@pytest.mark.parametrize("given", ["option", "environment", "default"])
def test_where_reports_go(harness: ReleaseHarness, tmp_path: Path, given: str) -> None:
    """Reports are where --artifacts says, else where Prow says, else in ./artifacts; nothing is in the others."""
    clone = harness.clone(TAG)
    folders = {
        "option": tmp_path / "asked",
        "environment": tmp_path / "given",
        "default": checkout_folder(clone[0], harness.repository) / "artifacts",
    }
    options = ("--artifacts", str(folders["option"])) if given == "option" else ()
    extra = {"ARTIFACTS": "" if given == "default" else str(folders["environment"])}
    ended = harness.run(TAG, *options, command="plan", extra=extra, clone=clone)
    assert ended.code == 0, ended.out
    assert [place for place, folder in folders.items() if folder.exists()] == [given]
    record = json.loads((folders[given] / "record.json").read_text("utf-8"))
    assert record["exit"] == 0
    assert record["settings"]["artifacts"] == {
        "value": "artifacts" if given == "default" else str(folders[given]),
        "from": {"option": "option --artifacts", "environment": "environment ARTIFACTS", "default": "default"}[given],
    }


def test_a_run_without_a_place_for_reports_goes_on(harness: ReleaseHarness) -> None:
    """When the artifacts folder cannot be made the log says so, and the release passes all the same."""
    folder = harness.config / "artifacts"
    ended = harness.run(TAG, extra={"ARTIFACTS": str(folder)})
    assert ended.code == 0, ended.out
    [warning] = [line for line in ended.lines if "reports are not written" in line]
    assert "level=warning" in warning
    assert str(folder) in warning
    assert ended.lines[-1].startswith("RELEASED:")
    assert harness.proxy.count("PUT", r"/manifests/") > 0


def test_the_option_goes_before_the_default_configuration(harness: ReleaseHarness) -> None:
    """Without --config the config/jobs.yaml of the current folder is read, with it only the file it names."""
    clone = harness.clone(TAG)
    folder = checkout_folder(clone[0], harness.repository)
    (folder / "config" / "jobs.yaml").write_text(
        harness.config.read_text("utf-8").replace(f"{harness.host}/ack", f"{harness.host}/other"), encoding="utf-8"
    )
    environment = harness.environment(TAG, clone[1])
    default = run_program(PROGRAM, "plan", "--json", env=environment, cwd=folder)
    assert default.plan["settings"]["config"] == {"value": "config/jobs.yaml", "from": "default"}
    assert default.plan["registry"] == f"{harness.host}/other"
    asked = run_program(PROGRAM, "plan", "--json", "--config", harness.config, env=environment, cwd=folder)
    assert asked.plan["settings"]["config"] == {"value": str(harness.config), "from": "option --config"}
    assert asked.plan["registry"] == f"{harness.host}/ack"
    digests = [ended.plan["settings"]["config digest"]["value"] for ended in (default, asked)]
    assert len(set(digests)) == 2


def test_the_plan_tells_where_each_value_is_from(harness: ReleaseHarness, tmp_path: Path) -> None:
    """Options, environment, jobs.yaml and defaults are told apart, value by value."""
    layout, (workspace, sha) = tmp_path / "layout", harness.clone(TAG)
    options = ("--base-image", "scratch", "--to-layout", str(layout), "--workspace", str(workspace))
    harness.config.write_text(re.sub(r"\n  base_image: .*", "", harness.config.read_text("utf-8")), encoding="utf-8")
    ended = harness.run(TAG, "--json", *options, "--service", "widget", command="plan", clone=(workspace, sha))
    assert ended.code == 0, ended.err
    settings = {key: (setting["value"], setting["from"]) for key, setting in ended.plan["settings"].items()}
    file = str(harness.config)
    assert settings.pop("config digest")[0].startswith("sha256:")
    assert settings == {
        "artifacts": (str(ended.artifacts), "environment ARTIFACTS"),
        "base image": ("scratch", "option --base-image"),
        "base image resolved": ("scratch", "resolved when planning"),
        "builder": ("go", "default"),
        "config": (file, "option --config"),
        "layout folder": (str(layout), "option --to-layout"),
        "platforms": ("linux/amd64,linux/arm64", file),
        "production registry": (f"{harness.host}/ack", file),
        "registry": (f"{harness.host}/ack", file),
        "services": ("widget", "option --service"),
        "workspace": (str(workspace), "option --workspace"),
    }
    assert not layout.exists()


def published_from_another_commit(harness: ReleaseHarness) -> None:
    """Publish the release, then tag another commit with its version."""
    assert harness.run(TAG).code == 0
    harness.repository.git("tag", "--delete", TAG)
    harness.repository.release("1.2.3", edits={"README.md": "another commit\n"})


def refused(harness: ReleaseHarness) -> None:
    """Let every request be answered with what is not worth a retry."""
    harness.proxy.fail(400)


FAILURES: Mapping[str, tuple[int, str, Callable[[ReleaseHarness], object], Mapping[str, Any]]] = {
    "no Prow environment": (
        2,
        "event-invalid",
        lambda _: None,
        {"extra": {"JOB_SPEC": "", "REPO_OWNER": "", "REPO_NAME": "", "PULL_BASE_REF": ""}},
    ),
    "configuration": (
        2,
        "configuration-invalid",
        lambda harness: harness.config.write_text("registri: h.example/n\n", encoding="utf-8"),
        {},
    ),
    "settings": (2, "usage-invalid", lambda _: None, {"extra": {"HELM_REGISTRY": "oci://h.example/n"}}),
    "not a release": (3, "not-a-release", lambda harness: harness.repository.git("branch", "other"), {"ref": "other"}),
    "chart": (4, "chart-missing", CASES["no chart folder"].arrange, {"ref": "v1.3.0"}),
    "render": (4, "chart-unusable", CASES["the template cannot be rendered"].arrange, {"ref": "v1.3.0"}),
    "conflict": (5, "already-published", published_from_another_commit, {}),
    "registry": (7, "registry-failed", refused, {}),
    "credentials": (8, "credentials-refused", lambda harness: harness.proxy.fail(403, code="DENIED"), {}),
}


@pytest.mark.parametrize("case", FAILURES.values(), ids=FAILURES.keys())
def test_a_failing_plan_is_one_document_too(
    harness: ReleaseHarness, case: tuple[int, str, Callable[[ReleaseHarness], object], Mapping[str, Any]]
) -> None:
    """Whatever ends it, plan --json prints one JSON document with the error, and the ERROR line on stderr."""
    code, name, arrange, given = case
    arrange(harness)
    writes = len(harness.proxy.writes)
    ended = plan(harness, **given)
    assert ended.code == code, ended.err
    document = ended.plan
    assert set(document) >= DOCUMENT
    assert document["exit"] == code
    error = document["error"]
    assert error["code"] == name
    assert error["cause"]
    assert error["remedy"]
    [line] = [line for line in ended.err.splitlines() if line.startswith("ERROR:")]
    assert f"exit={code} code={name}" in line
    assert len(harness.proxy.writes) == writes
    assert ended.record["error"]["code"] == name


def test_a_plan_is_one_document_with_every_name(harness: ReleaseHarness) -> None:
    """A plan that passes has every key of the contract, no error, and the log on stderr."""
    ended = plan(harness)
    document = ended.plan
    assert set(document) >= DOCUMENT
    assert (document["exit"], document["error"], document["staging"]) == (0, None, False)
    assert (document["ref"], document["path"], document["version"]) == (TAG, "release", "1.2.3")
    assert document["commit"] == harness.repository.resolve(f"refs/tags/{TAG}^{{commit}}")
    assert [set(entry) for entry in document["entries"]] == [
        {"service", "kind", "name", "action", "reason", "digest"} for _ in document["entries"]
    ]
    assert [entry["kind"] for entry in document["entries"]] == ["image", "chart", "chart"]
    [service] = document["services"]
    assert (service["name"], service["selected"], service["scheme"]) == ("widget", True, "seed")
    assert "event=planned" in ended.err


def test_an_ended_plan_is_one_document_too(harness: ReleaseHarness) -> None:
    """A plan that is ended by a signal while it waits for the registry is exit 9, and prints its document."""
    with harness.start(TAG, "--json", command="plan") as running:
        harness.proxy.intervene(lambda: running.process.send_signal(signal.SIGTERM), method="GET")
        harness.proxy.delay(30)
        ended = running.wait()
    assert ended.code == 9, ended.err
    assert (ended.plan["exit"], ended.plan["error"]["code"]) == (9, "run-ended")


def ack_release(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program without a job."""
    return subprocess.run([PROGRAM, *arguments], check=False, capture_output=True, text=True, timeout=60)


def test_the_schema_accepts_the_checked_in_configuration() -> None:
    """What schema prints is a JSON Schema; it accepts config/jobs.yaml, and refuses it with a key misspelt."""
    printed = ack_release("schema")
    assert (printed.returncode, printed.stderr) == (0, "")
    schema = json.loads(printed.stdout)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    jobs = yaml.safe_load((ROOT / "config" / "jobs.yaml").read_text("utf-8"))
    assert list(validator(schema).iter_errors(jobs)) == []
    assert list(validator(schema).iter_errors({**jobs, "platform": ["linux/amd64"]})) != []


def test_the_commands_are_these() -> None:
    """Help without a command lists exactly the commands whose help is tested here."""
    shown = ack_release("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    listed = shown.stdout.partition("Commands:\n")[2].splitlines()
    assert tuple(line.split()[0] for line in listed if line.strip()) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str) -> None:
    """The help of each command ends well, has examples that start with that command, and comes for -h too."""
    shown = ack_release(command, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    examples = shown.stdout.partition("Examples:\n")[2]
    assert examples.split()[:2] == ["ack-release", command]
    assert ack_release(command, "-h").stdout == shown.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param((), "no command", id="no command"),
        pytest.param(("publish",), "publish", id="unknown command"),
        pytest.param(("run", "--registri", "h.example/n"), "--registri", id="unknown option"),
        pytest.param(("run", "v1.2.3"), "v1.2.3", id="argument"),
        pytest.param(("run", "--service"), "--service", id="option without its value"),
        pytest.param(("run", "--builder", "docker"), "docker", id="builder that is not there"),
        pytest.param(("run", "--json"), "--json", id="option of another command"),
        pytest.param(("run", "--as-tag", "1.2.3"), "--as-tag", id="option of plan alone"),
        pytest.param(("plan", "--json", "--as-tga", "1.2.3"), "--as-tga", id="option that is not there"),
        pytest.param(("plan", "--config", str(ROOT)), "directory", id="folder for a file"),
        pytest.param(("prowjobs",), "no command", id="no command of a group"),
        pytest.param(("prowjobs", "check", "--registry", "h.example/n"), "--registry", id="option of a release"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_error_line(arguments: tuple[str, ...], says: str) -> None:
    """Usage errors are exit 2 with one line of cause and remedy, and nothing else."""
    ended = ack_release(*arguments)
    assert ended.returncode == 2
    if "--json" in arguments:
        assert json.loads(ended.stdout)["error"]["code"] == "usage-invalid"
    else:
        assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert line.startswith("ERROR: ")
    assert says in line
    assert "--help shows what it takes. exit=2 code=usage-invalid" in line


def test_generated_jobs_are_checked_by_the_program(tmp_path: Path) -> None:
    """Generate writes the checked-in jobs into any folder; check accepts them, and not once one of them is changed."""
    folder = tmp_path / "prowjobs"
    given = ("--config", str(ROOT / "config" / "jobs.yaml"), "--folder", str(folder))
    generated = ack_release("prowjobs", "generate", *given)
    assert (generated.returncode, generated.stderr) == (0, "")
    assert len(list(folder.rglob("*.yaml"))) == 80
    assert ack_release("prowjobs", "check", *given).returncode == 0
    job = folder / "jobs" / "s3-controller.yaml"
    job.write_text(job.read_text(encoding="utf-8").replace("timeout: 1h", "timeout: 9h"), encoding="utf-8")
    checked = ack_release("prowjobs", "check", *given)
    assert checked.returncode == 2
    *shown, line = checked.stderr.splitlines()
    assert any("-      timeout: 9h" in one for one in shown)
    assert line.startswith(f"ERROR: {job} differs. Run ack-release prowjobs generate")
