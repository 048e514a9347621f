from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.main import load
from runner.config.decoration import VOLUMES
from runner.config.load import Service
from runner.errors import ConfigurationInvalid
from runner.prow.generate.document import to_yaml
from runner.prow.generate.jobs import RELEASED_REFS, audit_config, job_config, release_files
from runner.versions import RELEASE_TAGS
from testbed.prow.job_configs import IMAGE, jobs_of, with_prow

MONOREPO = 'anvil: {repo: tools, path: "services/{service}"}, bellows: {repo: tools, path: "services/{service}"}'


def written(prow: str = "", services: str = "s3: {}", repo: str = "s3-controller") -> dict[str, Any]:
    """A repository's jobs as Prow will read them."""
    loaded = yaml.safe_load(to_yaml(job_config(with_prow(prow, services))[repo]))
    assert isinstance(loaded, dict)
    return loaded


def release_of(prow: str = "") -> dict[str, Any]:
    (job,) = written(prow)["postsubmits"]["aws-controllers-k8s/s3-controller"]
    assert isinstance(job, dict)
    return job


def check_of(prow: str = "") -> dict[str, Any]:
    (job,) = written(prow)["presubmits"]["aws-controllers-k8s/s3-controller"]
    assert isinstance(job, dict)
    return job


def audit_of(prow: str = "audit: {}") -> dict[str, Any]:
    section = with_prow(prow).prow
    assert section is not None
    made = audit_config(section)
    assert made is not None
    (job,) = yaml.safe_load(to_yaml(made))["periodics"]
    assert isinstance(job, dict)
    return job


def container_of(job: dict[str, Any]) -> dict[str, Any]:
    (container,) = job["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def names(jobs: Any) -> list[str]:
    return [job["name"] for job in jobs]


def env_of(job: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container_of(job).get("env", ())}


def mounts_of(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {mount["name"]: mount for mount in container_of(job)["volumeMounts"]}


def volumes_of(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {volume["name"]: volume for volume in job["spec"]["volumes"]}


def test_a_release_job_is_all_that_it_should_be() -> None:
    """One postsubmit: tags and stable, decorated, one at a time, no commit status, image and command spelled out."""
    job = release_of()
    assert job["name"] == "s3-release"
    assert job["branches"] == list(RELEASED_REFS) == [RELEASE_TAGS, "^stable$"]
    assert (job["decorate"], job["max_concurrency"], job["skip_report"]) == (True, 1, True)
    assert job["decoration_config"] == {
        "timeout": "1h",
        "grace_period": "90s",
        "censor_secrets": True,
        "upload_ignores_interrupts": True,
    }
    container = container_of(job)
    assert (container["image"], container["command"], container["args"]) == (IMAGE, ["ack-release"], ["run"])
    assert job["rerun_auth_config"] == {"github_orgs": ["aws-controllers-k8s"]}
    assert "reporter_config" not in job


@pytest.mark.parametrize(
    "forbidden", ["clone_depth", "skip_fetch_head", "run_if_changed", "skip_if_only_changed", "sparse_checkout_files"]
)
def test_a_release_job_has_the_whole_clone_and_always_runs(forbidden: str) -> None:
    """Nothing in a release job cuts the history off, or compares changed files that a tag's push does not have."""
    assert (
        forbidden not in to_yaml(job_config(with_prow("monorepo: one-job"))["s3-controller"]).split("postsubmits:")[1]
    )


@pytest.mark.parametrize("job", [release_of(), check_of(), audit_of()], ids=["release", "check", "audit"])
def test_a_job_has_no_privilege(job: dict[str, Any]) -> None:
    """All jobs run as a user that is not root, without capabilities, on a read-only root, without the token."""
    assert job["spec"]["automountServiceAccountToken"] is False
    assert job["spec"]["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container_of(job)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
    }
    assert volumes_of(job) == {"tmp": {"name": "tmp", "emptyDir": {}}}
    assert mounts_of(job) == {"tmp": {"name": "tmp", "mountPath": "/tmp"}}  # noqa: S108 - the pod's own


def test_user_and_group_are_those_configured() -> None:
    """The configured uid and gid are those of the pod and of its volumes."""
    context = release_of("user: 1000, group: 2000")["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (1000, 2000, 2000)


def test_the_configured_pod() -> None:
    """Resources, service account, cluster, labels and annotations arrive where Kubernetes and Prow read them."""
    job = release_of(
        "resources: {requests: {cpu: 2, memory: 1Gi, ephemeral_storage: 5Gi}}, service_account: releaser,"
        " cluster: build, labels: {preset-proxy: 'true'}, annotations: {description: releases}, timeout: 2h,"
        " grace_period: 3m"
    )
    requests = {"cpu": "2", "memory": "1Gi", "ephemeral-storage": "5Gi"}
    assert container_of(job)["resources"] == {"requests": requests}
    assert job["spec"]["serviceAccountName"] == "releaser"
    assert (job["cluster"], job["labels"]) == ("build", {"preset-proxy": "true"})
    assert job["annotations"] == {"description": "releases"}
    assert (job["decoration_config"]["timeout"], job["decoration_config"]["grace_period"]) == ("2h", "3m")


def test_where_the_pod_runs() -> None:
    """Node selector, tolerations, priority class and pull secrets are the pod's, as Kubernetes spells them."""
    spec = release_of(
        "node_selector: {pool: releases}, priority_class: high, image_pull_secrets: [pull, mirror],"
        " tolerations: [{key: dedicated, value: releases, effect: NoSchedule}, {operator: Exists, effect: NoExecute,"
        " toleration_seconds: 60}]"
    )["spec"]
    assert spec["nodeSelector"] == {"pool": "releases"}
    assert spec["priorityClassName"] == "high"
    assert spec["imagePullSecrets"] == [{"name": "pull"}, {"name": "mirror"}]
    assert spec["tolerations"] == [
        {"key": "dedicated", "operator": "Equal", "value": "releases", "effect": "NoSchedule"},
        {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
    ]


def test_where_the_checks_pod_runs() -> None:
    """The presubmit has nodes, taints and a class of its own; only the pull secrets are common, as the image is."""
    spec = check_of(
        "node_selector: {pool: releases}, priority_class: high, tolerations: [{key: a}], image_pull_secrets: [pull],"
        " check: {node_selector: {pool: checks}, priority_class: low, tolerations: [{key: b, operator: Exists}]}"
    )["spec"]
    assert (spec["nodeSelector"], spec["priorityClassName"]) == ({"pool": "checks"}, "low")
    assert spec["tolerations"] == [{"key": "b", "operator": "Exists"}]
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert not [volume for volume in spec["volumes"] if "secret" in volume]


@pytest.mark.parametrize(("monorepo", "expected"), [("one-job-per-service", "anvil"), ("one-job", "tools")])
def test_the_service_in_labels_and_annotations(monorepo: str, expected: str) -> None:
    """{service} is the service, in a repository's one job the repository; other braces are left alone."""
    values = "labels: {team: 'ack-{service}'}, annotations: {testgrid-tab-name: '{service}-x', json: '{}', n: '${a}'}"
    loaded = written(f"monorepo: {monorepo}, {values}, check: {{{values}}}", MONOREPO, "tools")
    for kind in ("presubmits", "postsubmits"):
        job = loaded[kind]["aws-controllers-k8s/tools"][0]
        assert job["labels"] == {"team": f"ack-{expected}"}
        assert job["annotations"] == {"testgrid-tab-name": f"{expected}-x", "json": "{}", "n": "${a}"}


def test_a_services_own_labels() -> None:
    """What a service sets replaces the common key, and {service} is that service."""
    config = with_prow("labels: {a: '{service}'}", "s3: {prow: {labels: {b: '{service}'}}}, sns: {}")
    labels = {
        repo: job.labels for repo, document in job_config(config).items() for (job,) in document.postsubmits.values()
    }
    assert labels == {"s3-controller": {"b": "s3"}, "sns-controller": {"a": "sns"}}


DECORATION = (
    "decoration: {gcs_configuration: {bucket: 's3://logs', media_types: {log: text/plain}, compress_file_types: ['*']},"
    " s3_credentials_secret: writer, utility_images: {sidecar: 'a.b/sidecar:1'}, pod_pending_timeout: 5m,"
    " resources: {sidecar: {requests: {cpu: 1, ephemeral_storage: 1Gi}}},"
    " oauth_token_secret: {name: token, key: token}}"
)


def test_the_decoration_of_a_release() -> None:
    """What is given stands in Prow's own words beside what every job has; what is not given is left to Prow."""
    assert release_of(DECORATION)["decoration_config"] == {
        "timeout": "1h",
        "grace_period": "90s",
        "censor_secrets": True,
        "upload_ignores_interrupts": True,
        "gcs_configuration": {
            "bucket": "s3://logs",
            "mediaTypes": {"log": "text/plain"},
            "compress_file_types": ["*"],
        },
        "s3_credentials_secret": "writer",
        "utility_images": {"sidecar": "a.b/sidecar:1"},
        "resources": {"sidecar": {"requests": {"cpu": "1", "ephemeral-storage": "1Gi"}}},
        "pod_pending_timeout": "5m",
        "oauth_token_secret": {"name": "token", "key": "token"},
    }


def test_names_of_volumes() -> None:
    """Every volume that a job can have is one whose name a Secret of the decoration cannot have."""
    job = release_of("credentials: {secret: a}, build_cache: {claim: b}, docker_socket: {}")
    assert volumes_of(job).keys() <= set(VOLUMES)
    assert len(volumes_of(job)) == 4


def test_the_decoration_of_a_check() -> None:
    """The presubmit's logs go where the releases' go, with its own limits and without the releases' Secrets."""
    release, check = (job["decoration_config"] for job in (release_of(DECORATION), check_of(DECORATION)))
    assert check["timeout"] == "15m"
    assert {key for key in release if key not in check} == {"s3_credentials_secret", "oauth_token_secret"}
    assert check["gcs_configuration"] == release["gcs_configuration"]


def test_credentials_are_files_that_nobody_else_can_read() -> None:
    """The Secret becomes Docker's config file, read-only, and by the name whose fields Prow censors."""
    job = release_of("credentials: {secret: registry}")
    assert volumes_of(job)["credentials"]["secret"] == {
        "secretName": "registry",
        "items": [
            {"key": ".dockerconfigjson", "path": "config.json"},
            {"key": ".dockerconfigjson", "path": ".dockerconfigjson"},
        ],
        "defaultMode": 0o440,
    }
    mount = mounts_of(job)["credentials"]
    assert mount["readOnly"] is True
    assert env_of(job) == {"DOCKER_CONFIG": mount["mountPath"]}


@pytest.mark.parametrize(
    ("cache", "volume"),
    [
        ("claim: go", {"persistentVolumeClaim": {"claimName": "go"}}),
        ("host_path: /cache", {"hostPath": {"path": "/cache", "type": "Directory"}}),
    ],
)
def test_a_build_cache_is_gos(cache: str, volume: dict[str, Any]) -> None:
    """A claim or a folder of the node holds both of Go's caches."""
    job = release_of(f"build_cache: {{{cache}}}")
    assert volumes_of(job)["build-cache"] == {"name": "build-cache", **volume}
    path = mounts_of(job)["build-cache"]["mountPath"]
    assert env_of(job) == {"GOCACHE": f"{path}/build", "GOMODCACHE": f"{path}/modules"}


def test_a_docker_socket_is_mounted_for_its_group_only() -> None:
    """The node's socket is mounted and named, its group is added, and the job gets no privilege beside it."""
    job = release_of("docker_socket: {path: /run/docker.sock, group: 998}")
    assert volumes_of(job)["docker-socket"]["hostPath"] == {"path": "/run/docker.sock", "type": "Socket"}
    assert env_of(job) == {"DOCKER_HOST": f"unix://{mounts_of(job)['docker-socket']['mountPath']}"}
    assert job["spec"]["securityContext"]["supplementalGroups"] == [998]
    assert container_of(job)["securityContext"]["privileged"] is False


def test_slack_is_told_how_a_release_ends() -> None:
    """With a channel, Prow's Slack reporter tells it of the configured ends."""
    reporter = release_of("slack: {channel: '#ack', states: [failure, aborted]}")["reporter_config"]
    assert reporter == {"slack": {"channel": "#ack", "job_states_to_report": ["failure", "aborted"]}}


@pytest.mark.parametrize(
    ("rerun", "config"),
    [
        ("allow_anyone: true", {"allow_anyone": True}),
        ("users: [octocat]", {"github_users": ["octocat"]}),
        (
            "teams: [ack/managers], orgs: [ack]",
            {"github_team_slugs": [{"org": "ack", "slug": "managers"}], "github_orgs": ["ack"]},
        ),
    ],
)
def test_who_may_rerun_is_who_is_configured(rerun: str, config: dict[str, Any]) -> None:
    """Users, teams and organizations, or anyone, may rerun both jobs."""
    for job in (release_of(f"rerun: {{{rerun}}}"), check_of(f"rerun: {{{rerun}}}")):
        assert job["rerun_auth_config"] == config


def test_the_check_plans_and_gets_nothing_that_a_release_has() -> None:
    """The presubmit runs what a pull request says: no credentials, account, volume, label or annotation of releases."""
    everything = (
        "credentials: {secret: registry}, service_account: releaser, build_cache: {claim: go},"
        " docker_socket: {group: 998}, labels: {preset-registry: 'true'}, slack: {channel: '#ack'},"
        " annotations: {iam.amazonaws.com/role: publish}, node_selector: {pool: releases}, priority_class: high,"
        " tolerations: [{operator: Exists}], decoration: {s3_credentials_secret: writer, cookiefile_secret: cookies}"
    )
    job = check_of(everything)
    assert job == check_of()
    assert job["name"] == "s3-release-check"
    assert job["decoration_config"]["upload_ignores_interrupts"] is job["decoration_config"]["censor_secrets"] is True
    assert container_of(job)["args"] == ["plan", "--as-tag", "from-chart"]
    assert (job["decorate"], job["decoration_config"]["timeout"]) == (True, "15m")
    assert "skip_report" not in job
    assert "optional" not in job


def test_the_audit_gets_nothing_that_a_release_has() -> None:
    """The periodic job only reads: no credentials, account, volume, label or annotation of releases."""
    everything = (
        "audit: {}, credentials: {secret: registry}, service_account: releaser, build_cache: {claim: go},"
        " docker_socket: {group: 998}, labels: {preset-registry: 'true'},"
        " annotations: {iam.amazonaws.com/role: publish}"
    )
    job = audit_of(everything)
    assert job == audit_of()
    assert (job["name"], job["cron"], job["max_concurrency"]) == ("ack-release-audit", "0 6 * * *", 1)
    assert container_of(job)["args"] == ["audit"]
    assert job["decoration_config"]["upload_ignores_interrupts"] is job["decoration_config"]["censor_secrets"] is True


def test_the_audit_can_be_changed_and_left_out() -> None:
    """Schedule, depth, repositories, time and labels are the section's own; without it there is no such job."""
    cron = "0,30 */2 1-7 * 1-5"
    own = f"cron: '{cron}', deep: true, git_base: https://git.example/ack, timeout: 2h, labels: {{a: b}}"
    job = audit_of(f"audit: {{{own}}}, slack: {{channel: '#ack'}}")
    assert container_of(job)["args"] == ["audit", "--git-base", "https://git.example/ack", "--deep"]
    assert (job["cron"], job["labels"], job["decoration_config"]["timeout"]) == (cron, {"a": "b"}, "2h")
    assert job["reporter_config"]["slack"]["channel"] == "#ack"
    section = with_prow("").prow
    assert section is not None
    assert audit_config(section) is None


@pytest.mark.parametrize("monorepo", ["one-job-per-service", "one-job"])
def test_the_program_takes_what_its_jobs_give_it(monorepo: str) -> None:
    """Command and arguments of every job are ones that the command line has."""
    given = [
        container_of(job)["args"]
        for kind in ("presubmits", "postsubmits")
        for job in written(f"monorepo: {monorepo}", MONOREPO, "tools")[kind]["aws-controllers-k8s/tools"]
    ]
    assert given
    given.append(container_of(audit_of("audit: {deep: true, git_base: https://git.example/ack}"))["args"])
    for command, *options in given:
        load(command).make_context(command, list(options))


def test_the_check_can_be_changed_and_left_out() -> None:
    """The presubmit may be optional, have labels and limits of its own, or not be there."""
    job = check_of(
        "check: {optional: true, labels: {preset-proxy: 'true'}, annotations: {description: x}, timeout: 5m}"
    )
    assert (job["optional"], job["labels"]) == (True, {"preset-proxy": "true"})
    assert (job["annotations"], job["decoration_config"]["timeout"]) == ({"description": "x"}, "5m")
    assert "presubmits" not in written("check: {enabled: false}")


@pytest.mark.parametrize(
    ("section", "matching", "others"),
    [
        (
            "{}",
            ["helm/Chart.yaml", "helm/templates/a.yaml", "config/controller/kustomization.yaml"],
            ["README.md", "helmet/x", "a/helm/Chart.yaml", "config/controller/kustomization.yaml.orig", "cmd/main.go"],
        ),
        (
            '{path: "services/{service}", chart: charts/a+b}',
            ["services/s3/charts/a+b/Chart.yaml", "services/s3/config/controller/kustomization.yaml"],
            ["services/s3/charts/aab/Chart.yaml", "charts/a+b/Chart.yaml", "services/sns/charts/a+b/x"],
        ),
        ("{chart: .}", ["Chart.yaml", "x"], []),
    ],
)
def test_the_check_runs_when_release_files_change(section: str, matching: list[str], others: list[str]) -> None:
    """A pull request that changes the chart or the image's tag is checked; another is not."""
    (job,) = written(services=f"s3: {section}")["presubmits"]["aws-controllers-k8s/s3-controller"]
    pattern = re.compile(job["run_if_changed"])
    assert [path for path in (*matching, *others) if pattern.search(path)] == matching


@given(st.text("ab.+*?()|[]{}^$- _", min_size=1, max_size=8).map(lambda text: f"charts/a{text}b"))
def test_a_path_is_matched_literally(folder: str) -> None:
    """Whatever characters a chart's folder has, its own files match, and those of a folder beside it do not."""
    pattern = release_files((Service("s3", "s3-controller", ".", folder, "cmd/controller", ()),))
    assert re.search(pattern, f"{folder}/Chart.yaml")
    assert not re.search(pattern, f"{folder}x/Chart.yaml")


@pytest.mark.parametrize(
    ("ref", "released"),
    [
        ("v1.2.3", True),
        ("v0.0.1", True),
        ("v10.20.30", True),
        ("stable", True),
        ("v1.2.3-rc.1", False),
        ("v1.2", False),
        ("v01.2.3", False),
        ("unstable", False),
        ("stable-2", False),
        ("release/v1.2.3", False),
        ("feature/stable", False),
        ("main", False),
    ],
)
def test_only_release_tags_and_stable_start_a_release(ref: str, released: bool) -> None:  # noqa: FBT001 - a column
    """Searched as Prow does, the branches' regular expressions find release tags and stable alone."""
    assert any(re.search(pattern, ref) for pattern in RELEASED_REFS) is released


def test_a_monorepo_has_a_job_for_each_service() -> None:
    """By default each service of a repository has its own jobs, which release and check it alone."""
    loaded = written(services=MONOREPO, repo="tools")
    releases = loaded["postsubmits"]["aws-controllers-k8s/tools"]
    assert names(releases) == ["anvil-release", "bellows-release"]
    assert [container_of(job)["args"] for job in releases] == [
        ["run", "--service", "anvil"],
        ["run", "--service", "bellows"],
    ]
    checks = loaded["presubmits"]["aws-controllers-k8s/tools"]
    assert names(checks) == ["anvil-release-check", "bellows-release-check"]
    assert container_of(checks[0])["args"] == ["plan", "--as-tag", "from-chart", "--service", "anvil"]
    assert [job["run_if_changed"] for job in checks] == [
        rf"^(services/{name}/helm/|services/{name}/config/controller/kustomization\.yaml$)"
        for name in ("anvil", "bellows")
    ]


def test_a_monorepo_may_have_one_job() -> None:
    """By configuration one job releases all services of a repository, and one checks them."""
    loaded = written("monorepo: one-job", MONOREPO, "tools")
    (release,) = loaded["postsubmits"]["aws-controllers-k8s/tools"]
    (check,) = loaded["presubmits"]["aws-controllers-k8s/tools"]
    assert (release["name"], container_of(release)["args"]) == ("tools-release", ["run"])
    assert (check["name"], container_of(check)["args"]) == ("tools-release-check", ["plan", "--as-tag", "from-chart"])
    pattern = re.compile(check["run_if_changed"])
    assert all(pattern.search(f"services/{name}/helm/Chart.yaml") for name in ("anvil", "bellows"))


def test_a_service_may_have_a_job_of_its_own_kind() -> None:
    """What a service says under prow holds for its jobs only."""
    config = with_prow(services="s3: {prow: {timeout: 3h}}, sns: {}")
    jobs = job_config(config)
    timeouts = {
        repo: job.decoration_config.timeout
        for repo, document in jobs.items()
        for (job,) in document.postsubmits.values()
    }
    assert timeouts == {"s3-controller": "3h", "sns-controller": "1h"}


def test_without_the_section_there_are_no_jobs() -> None:
    """A configuration without prow is refused by name, with what to add."""
    with pytest.raises(
        ConfigurationInvalid, match="the key 'prow', which configures the release jobs, is missing"
    ) as raised:
        job_config(jobs_of("services: {s3: }"))
    assert "Add prow:" in raised.value.remedy
