"""What is generated for Prow, judged by Prow's own checkconfig."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.prow.generate.files import prow_files
from runner.prow.generate.folder import write_folder
from testbed.paths import ROOT
from testbed.prow.job_configs import run_checkconfig, with_prow, write_installation

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = """
timeout: 1h30m, grace_period: 2m, service_account: ack-release, user: 1000, group: 1000, cluster: build,
resources: {requests: {cpu: 500m, memory: 1Gi, ephemeral_storage: 2Gi}, limits: {memory: 2Gi}},
rerun: {users: [octocat], teams: [ack/managers], orgs: [ack]}, slack: {channel: '#releases', states: [failure, error]},
build_cache: {claim: cache}, credentials: {secret: registry, key: config.json}, docker_socket: {group: 998},
labels: {preset-proxy: "true", team: "ack-{service}"}, org: ack, prowjob_namespace: prow,
annotations: {description: releases, testgrid-dashboards: releases, testgrid-tab-name: "{service}-release"},
check: {optional: true, timeout: 5m, grace_period: 20s, labels: {team: "{service}"}, priority_class: low,
  node_selector: {pool: checks}, tolerations: [{key: checks, operator: Exists}]},
audit: {cron: '*/30 6-18 * * 1-5', deep: true, git_base: 'https://git.example/ack', labels: {a: b}, timeout: 2h,
  node_selector: {pool: checks}, tolerations: [{operator: Exists}], priority_class: low},
operators: {users: [alice], groups: [managers]}, node_selector: {example.com/pool: releases}, priority_class: high,
tolerations: [{operator: Exists}, {key: a.b/c, value: d, effect: NoExecute, toleration_seconds: 60}],
image_pull_secrets: [pull, mirror.example], decoration: {
  gcs_configuration: {bucket: "gs://logs", path_prefix: releases, path_strategy: legacy, default_org: o,
    default_repo: r, media_types: {log: text/plain}, job_url_prefix: "https://prow.example/view/",
    compress_file_types: [txt]},
  gcs_credentials_secret: writer, s3_credentials_secret: writer.s3,
  utility_images: {clonerefs: "a.b/c:1", initupload: "a.b/i:1", entrypoint: "a.b/e:1", sidecar: "a.b/s:1"},
  resources: {clonerefs: {requests: {cpu: 100m}}, initupload: {limits: {memory: 1Gi}},
    place_entrypoint: {requests: {cpu: 1}}, sidecar: {requests: {ephemeral_storage: 1Gi}}},
  pod_pending_timeout: 10m, pod_running_timeout: 2h, pod_unscheduled_timeout: 5m,
  censoring_options: {censoring_concurrency: 5, censoring_buffer_size: 20000, include_directories: [a],
    exclude_directories: [b]},
  cookiefile_secret: cookies/key, github_api_endpoints: ["https://github.example/api/v3"], github_app_id: "1",
  github_app_private_key_secret: {name: app, key: key}}
"""

MONOREPO = 'anvil: {repo: tools, path: "services/{service}"}, bellows: {repo: tools, path: "services/{service}"}'


def generated(tmp_path: Path, prow: str, services: str) -> tuple[Path, Path]:
    """Generate into a folder; return Prow's own configuration and the folder."""
    folder = tmp_path / "prowjobs"
    write_folder(folder, prow_files(with_prow(" ".join(prow.split()), services), folder))
    return write_installation(tmp_path, folder / "deck.yaml"), folder


def test_prow_takes_the_checked_in_jobs(tmp_path: Path, checkconfig: Path) -> None:
    """Prow's checkconfig finds nothing to say against the jobs and lenses in prowjobs/."""
    folder = ROOT / "prowjobs"
    judged = run_checkconfig(checkconfig, write_installation(tmp_path, folder / "deck.yaml"), folder / "jobs")
    assert judged.returncode == 0, judged.stdout


@pytest.mark.parametrize("prow", ["", EVERYTHING, f"{EVERYTHING}, monorepo: one-job"], ids=["least", "all", "one job"])
@pytest.mark.parametrize("services", ["s3: {}, sns: {}", MONOREPO], ids=["a repository each", "monorepo"])
def test_prow_takes_whatever_can_be_configured(tmp_path: Path, checkconfig: Path, prow: str, services: str) -> None:
    """Prow's checkconfig finds nothing to say against jobs that use every key of the section."""
    config, folder = generated(tmp_path, prow, services)
    judged = run_checkconfig(checkconfig, config, folder / "jobs")
    assert judged.returncode == 0, judged.stdout


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param("max_concurrency:", "max_concurency:", "there were warnings", id="unknown field of a job"),
        pytest.param("runAsUser:", "runAsUsr:", "there were warnings", id="unknown field of a pod"),
        pytest.param("- ^stable$", "- ^stable($", "missing closing", id="no regular expression"),
        pytest.param("runAsNonRoot:", "tolerationz:", "there were warnings", id="unknown field of a pod's nodes"),
        pytest.param("censor_secrets:", "pod_pending_time:", "there were warnings", id="unknown field of decoration"),
        pytest.param("command:", "comand:", "there were warnings", id="no command"),
        pytest.param("mountPath: /tmp", "mountPath: /logs", "/logs", id="a path of Prow's own"),
    ],
)
def test_prow_sees_what_is_wrong(tmp_path: Path, checkconfig: Path, before: str, after: str, said: str) -> None:
    """The same checkconfig refuses jobs with a mistake in them, so that its silence means something."""
    config, folder = generated(tmp_path, "", "s3: {}")
    path = folder / "jobs" / "s3-controller.yaml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    judged = run_checkconfig(checkconfig, config, folder / "jobs")
    assert judged.returncode == 1
    assert said in judged.stdout


def test_prow_sees_a_mistake_in_the_lenses(tmp_path: Path, checkconfig: Path) -> None:
    """Prow's checkconfig refuses a lens that has an unknown field."""
    config, folder = generated(tmp_path, "", "s3: {}")
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("required_files:", "requird_files:", 1), encoding="utf-8")
    judged = run_checkconfig(checkconfig, config, folder / "jobs")
    assert judged.returncode == 1
    assert "requird_files" in judged.stdout
