from __future__ import annotations

import pytest

from runner.config.kubernetes import ANNOTATIONS_LENGTH, AmountsSection, ResourcesSection
from runner.config.load import json_schema
from runner.config.prow import CredentialsSection, ProwSection, SlackSection, filled_problems, merged
from runner.errors import ConfigurationInvalid
from testbed.prow.job_configs import IMAGE, jobs_of, with_prow

DIGEST = f"sha256:{'0' * 64}"


def refused(text: str) -> str:
    """The first problem of a file whose second line is where ``text`` begins."""
    with pytest.raises(ConfigurationInvalid) as raised:
        jobs_of(text)
    return raised.value.detail[0].removeprefix("/clone/config/jobs.yaml:")


def in_prow(keys: str) -> str:
    return f"prow:\n  image: {IMAGE}\n  {keys}\n"


def of_service(config_text: str, service: str) -> ProwSection:
    config = jobs_of(config_text)
    assert config.prow is not None
    return merged(config.prow, config.services[service].prow)


def test_a_file_without_the_section_is_a_file_without_jobs() -> None:
    """The section may be left out: a release needs none of it."""
    assert jobs_of("services: {s3: }").prow is None


def test_the_image_is_all_that_has_to_be_said() -> None:
    """With an image alone, all other keys have defaults that let a job run."""
    prow = with_prow().prow
    assert prow == ProwSection(image=IMAGE)
    assert (prow.org, prow.timeout, prow.grace_period) == ("aws-controllers-k8s", "1h", "90s")
    assert (prow.credentials, prow.slack, prow.build_cache, prow.docker_socket) == (None, None, None, None)


@pytest.mark.parametrize(
    "image", [IMAGE, f"localhost:5000/a/b@{DIGEST}", f"a.b/c:latest@{DIGEST}", f"a.b/c:1@{DIGEST}"]
)
def test_an_exact_image_is_accepted(image: str) -> None:
    """A tag that is a version's, a digest, and both are exact."""
    prow = jobs_of(f"prow: {{image: '{image}'}}").prow
    assert prow is not None
    assert prow.image == image


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ("a.b/c:latest", "2: prow.image: 'a.b/c:latest' is not exact: name a version's tag or a digest"),
        ("a.b/c", "2: prow.image: 'a.b/c' names neither a tag nor a digest, so a rerun could run another program"),
        ("c:1", "2: prow.image: 'c:1' is neither HOST/REPOSITORY:TAG nor HOST/REPOSITORY@sha256:…"),
        ("a.b/c@sha256:1", "2: prow.image: 'a.b/c@sha256:1' is neither"),
        ("scratch", "2: prow.image: 'scratch' is neither"),
    ],
)
def test_an_image_that_can_change_is_refused(image: str, problem: str) -> None:
    """An image without tag, with the tag latest, or without a registry is exit 2 at its line."""
    assert refused(f"prow: {{image: '{image}'}}").startswith(problem)


MISTAKES_IN_KEYS = {
    "unknown key": ("timout: 1h", "4: unknown key 'timout' in prow; did you mean 'timeout'?"),
    "unknown key inside": (
        "slack: {channel: '#a', state: [failure]}",
        "4: unknown key 'state' in prow.slack; did you mean 'states'?",
    ),
    "unknown key deeper": (
        "check:\n    resources: {request: {}}",
        "5: unknown key 'request' in prow.check.resources; did you mean 'requests'?",
    ),
    "days": ("timeout: 1d", "4: prow.timeout: '1d' is not a duration such as 1h30m"),
    "no unit": ("timeout: 90", "4: prow.timeout must be text, not the number 90"),
    "no duration": ("grace_period: ''", "4: prow.grace_period: '' is not a duration"),
    "grace before the end": ("timeout: 60s", "2: prow: timeout 60s is not longer than grace_period 90s"),
    "no time to end": (
        "grace_period: 14s",
        "2: prow: grace_period 14s is too short for a run to end cleanly: at least 15s",
    ),
    "the check's time": (
        "check: {timeout: 20s}",
        "2: prow: check.timeout 20s is not longer than check.grace_period 30s",
    ),
    "more than the limit": (
        "resources: {requests: {memory: 2Gi}, limits: {memory: 2000M}}",
        "4: prow.resources: the request for memory, 2Gi, exceeds the limit 2000M",
    ),
    "no quantity": (
        "resources: {requests: {memory: 2GB}}",
        "4: prow.resources.requests.memory: '2GB' is not a quantity such as 2, 500m or 4Gi",
    ),
    "truth for a quantity": (
        "resources: {requests: {cpu: yes}}",
        "4: prow.resources.requests.cpu must be text, not true",
    ),
    "anyone and a list": (
        "rerun: {allow_anyone: true, users: [octocat]}",
        "4: prow.rerun: allow_anyone cannot be combined with lists: remove it, or users, teams and orgs",
    ),
    "nobody": ("rerun: {}", "4: prow.rerun: nobody is named"),
    "number for truth": (
        "rerun: {allow_anyone: 1}",
        "4: prow.rerun.allow_anyone must be true or false, not the number 1",
    ),
    "team": ("rerun: {teams: [managers]}", "4: prow.rerun.teams[0]: 'managers' is not ORG/TEAM"),
    "user": ("rerun: {users: [a b]}", "4: prow.rerun.users[0]: 'a b' is not a name"),
    "no channel": ("slack: {}", "4: the key 'channel' is missing in prow.slack"),
    "state": (
        "slack: {channel: '#a', states: [failed]}",
        "4: prow.slack.states[0]: 'failed' is not supported; supported: ",
    ),
    "channel": ("slack: {channel: 'a b'}", "4: prow.slack.channel: 'a b' is not a Slack"),
    "no schedule": ("audit: {cron: daily}", "4: prow.audit.cron: 'daily' is not a schedule of five fields"),
    "no hour": ("audit: {cron: 0 24 * * *}", "4: prow.audit.cron: '0 24 * * *' is not a schedule: the hour '24' is"),
    "backwards": ("audit: {cron: 0 6 * * 5-1}", "4: prow.audit.cron: '0 6 * * 5-1' is not a schedule: the weekday"),
    "no step": ("audit: {cron: '*/0 6 * * *'}", "4: prow.audit.cron: '*/0 6 * * *' is not a schedule: the minute"),
    "base": ("audit: {git_base: git.example}", "4: prow.audit.git_base: 'git.example' is not an address"),
    "audit cut short": ("audit: {timeout: 20s}", "2: prow: audit.timeout 20s is not longer than audit.grace_period"),
    "two volumes": ("build_cache: {claim: c, host_path: /c}", "4: prow.build_cache: give either claim or host_path"),
    "no volume": ("build_cache: {}", "4: prow.build_cache: give either"),
    "relative": ("build_cache: {host_path: cache}", "4: prow.build_cache.host_path: 'cache' is not an absolute path"),
    "upwards": (
        "build_cache: {host_path: /a/../b}",
        "4: prow.build_cache.host_path: '/a/../b' is not an absolute path",
    ),
    "secret": (
        "credentials: {secret: My_Secret}",
        "4: prow.credentials.secret: 'My_Secret' is not a Kubernetes object's name",
    ),
    "key": ("credentials: {secret: s, key: a/b}", "4: prow.credentials.key: 'a/b' is not a key of a Secret"),
    "root": ("docker_socket: {group: 0}", "4: prow.docker_socket.group: Input should be"),
    "user 0": ("user: 0", "4: prow.user: Input should be greater than or equal to 1"),
    "reserved label": (
        "labels: {created-by-prow: 'x'}",
        "4: prow.labels: the label 'created-by-prow' is set by Prow itself",
    ),
    "label": ("labels: {a: 'b c'}", "4: prow.labels: 'a': 'b c' is not a label"),
    "label of another field": (
        "labels: {a: '{version}'}",
        "4: prow.labels: 'a': {version} stands for nothing; only {service} can be used",
    ),
    "annotation of another field": (
        "annotations: {a: 'x {servce} y'}",
        "4: prow.annotations: 'a': {servce} stands for nothing; only {service} can be used",
    ),
    "field without quotes": ("annotations: {a: {service}}", "4: prow.annotations.a must be text, not a mapping"),
    "label with a space beside the service": (
        "labels: {a: '{service} x'}",
        "4: prow.labels: 'a': '{service} x' is not",
    ),
    "node selector": ("node_selector: {pool: 'a b'}", "4: prow.node_selector: 'pool': 'a b' is not a label"),
    "node selector's key": ("node_selector: {'a..b/c': d}", "4: prow.node_selector: 'a..b/c': 'd' is not a label"),
    "operator": (
        "tolerations: [{key: a, operator: In}]",
        "4: prow.tolerations[0].operator: 'In' is not supported; supported: 'Equal' or 'Exists'",
    ),
    "effect": ("tolerations: [{key: a, effect: NoRun}]", "4: prow.tolerations[0].effect: 'NoRun' is not supported"),
    "toleration of nothing": ("tolerations: [{value: a}]", "4: prow.tolerations[0]: without a key, operator must be"),
    "value that exists": (
        "tolerations: [{key: a, operator: Exists, value: b}]",
        "4: prow.tolerations[0]: with operator Exists there is no value",
    ),
    "seconds without effect": (
        "tolerations: [{key: a, value: b, toleration_seconds: 1}]",
        "4: prow.tolerations[0]: toleration_seconds needs effect: NoExecute",
    ),
    "taint's key": ("tolerations: [{key: 'a b'}]", "4: prow.tolerations[0].key: 'a b' is not a taint's key"),
    "taint's value": ("tolerations: [{key: a, value: 'b c'}]", "4: prow.tolerations[0].value: 'b c' is not a taint's"),
    "Kubernetes' own spelling": (
        "tolerations: [{key: a, tolerationSeconds: 1}]",
        "4: unknown key 'tolerationSeconds' in prow.tolerations[0]; did you mean 'toleration_seconds'?",
    ),
    "priority class": ("priority_class: High", "4: prow.priority_class: 'High' is not a Kubernetes object's name"),
    "pull secret": ("image_pull_secrets: [a_b]", "4: prow.image_pull_secrets[0]: 'a_b' is not a Kubernetes"),
    "no pull secret": ("image_pull_secrets: []", "4: prow.image_pull_secrets: at least one entry is needed"),
    "pull secret twice": ("image_pull_secrets: [a, a]", "4: prow.image_pull_secrets: 'a' is in this list twice"),
    "the check's nodes": (
        "check: {node_selector: {a: b}, tolerations: [{}]}",
        "4: prow.check.tolerations[0]: without a key",
    ),
    "the run's time": (
        "decoration: {pod_running_timeout: 1h}",
        "2: prow: decoration.pod_running_timeout 1h is not longer than timeout 1h and grace_period 90s together",
    ),
    "the check's run's time": (
        "check: {decoration: {pod_running_timeout: 15m}}",
        "2: prow: check.decoration.pod_running_timeout 15m is not longer than timeout 15m and grace_period 30s",
    ),
    "label's type": ("labels: {a: yes}", "4: prow.labels.a must be text, not true"),
    "annotation": ("annotations: {'a b': c}", "4: prow.annotations: 'a b' is not an annotation's key"),
    "no operators": ("operators: {}", "4: prow.operators: nobody is named"),
    "operators without a name": (
        "operators: {groups: ['']}",
        "4: prow.operators.groups[0]: String should have at least 1 character",
    ),
    "monorepo": ("monorepo: all", "4: prow.monorepo: 'all' is not supported"),
}


@pytest.mark.parametrize(("keys", "problem"), MISTAKES_IN_KEYS.values(), ids=MISTAKES_IN_KEYS)
def test_a_mistake_in_a_key_is_told_with_its_line(keys: str, problem: str) -> None:
    """A wrong key beside the image is exit 2 with its line, what is wrong, and the nearest valid key."""
    assert refused(in_prow(keys)).startswith(problem)


MISTAKES_IN_FILES = {
    "no image": ("prow: {}", "2: the key 'image' is missing in prow"),
    "unknown key of a service": (
        f"prow: {{image: '{IMAGE}'}}\nservices:\n  s3:\n    prow: {{timout: 1h}}",
        "5: unknown key 'timout' in services.s3.prow; did you mean 'timeout'?",
    ),
    "not for a service": (
        f"prow: {{image: '{IMAGE}'}}\nservices:\n  s3:\n    prow: {{org: x}}",
        "5: unknown key 'org' in services.s3.prow",
    ),
    "nothing to change": (
        "services:\n  s3:\n    prow: {timeout: 2h}",
        "4: services.s3.prow overrides prow, which is missing",
    ),
    "only together with all services' keys": (
        f"prow: {{image: '{IMAGE}', timeout: 10m}}\nservices:\n  s3:\n    prow: {{grace_period: 10m}}",
        "5: services.s3.prow: timeout 10m is not longer than grace_period 10m",
    ),
    "one job has no service of its own": (
        (
            f"prow: {{image: '{IMAGE}', monorepo: one-job}}\nservices:\n  a: {{repo: r, path: a}}\n"
            "  b:\n    repo: r\n    path: b\n    prow: {timeout: 2h}"
        ),
        "8: services.b.prow: the services of r share one job (prow.monorepo)",
    ),
    "two jobs of one name": (
        (
            f"prow: {{image: '{IMAGE}', monorepo: one-job}}\nservices:\n  a: {{repo: tools, path: a}}\n"
            "  b: {repo: tools, path: b}\n  tools:"
        ),
        "6: the repositories tools and tools-controller would each have a job tools-release",
    ),
    "label that is too long for one service": (
        (
            f"prow: {{image: '{IMAGE}', labels: {{team: '{'x' * 60}-{{service}}'}}}}\nservices:\n  s3:\n  rds: "
            "{repo: r}\n"
        ),
        f"5: the jobs of rds: labels: 'team': '{'x' * 60}-rds' is not a label: longer than 63 characters",
    ),
    "the check's label that is too long": (
        f"prow: {{image: '{IMAGE}', check: {{labels: {{team: '{'x' * 61}-{{service}}'}}}}}}\nservices:\n  s3:\n",
        f"4: the jobs of s3: check.labels: 'team': '{'x' * 61}-s3' is not a label",
    ),
    "label of a service's own": (
        f"prow: {{image: '{IMAGE}'}}\nservices:\n  s3: {{prow: {{labels: {{team: '{'x' * 61}-{{service}}'}}}}}}\n",
        f"4: the jobs of s3: labels: 'team': '{'x' * 61}-s3' is not a label",
    ),
    "label of a repository": (
        (
            f"prow: {{image: '{IMAGE}', monorepo: one-job, labels: {{team: '{'x' * 58}-{{service}}'}}}}\nservices:\n"
            "  a: {repo: tools, path: a}\n  b: {repo: tools, path: b}\n"
        ),
        f"4: the jobs of tools: labels: 'team': '{'x' * 58}-tools' is not a label",
    ),
    "two files of one name": (
        f"prow: {{image: '{IMAGE}', audit: {{}}}}\nservices:\n  s3: {{repo: ack-release-audit}}",
        "4: the jobs of the repository ack-release-audit would be in the file of prow.audit's job",
    ),
    "long name": (
        f"prow: {{image: '{IMAGE}'}}\nservices:\n  {'a' * 50}:",
        f"4: the job name {'a' * 50}-release-check would be longer than 63 characters",
    ),
}


@pytest.mark.parametrize(("text", "problem"), MISTAKES_IN_FILES.values(), ids=MISTAKES_IN_FILES)
def test_a_mistake_is_told_with_its_line(text: str, problem: str) -> None:
    """What is wrong in a service, between services or in the whole section is exit 2 with its line."""
    assert refused(text).startswith(problem)


def test_a_service_replaces_keys_as_a_whole() -> None:
    """A key that a service gives replaces that of all services; a key set to nothing takes it away."""
    text = (
        f"prow: {{image: '{IMAGE}', timeout: 2h, slack: {{channel: '#all'}}, credentials: {{secret: all, key: x}}}}\n"
        "services:\n"
        "  s3: {prow: {resources: {limits: {memory: 9Gi}}, slack: , credentials: {secret: own}}}\n"
        "  sns: {prow: {image: 'a.b/c:2', slack: {channel: '#own', states: [error]}}}\n"
        "  sqs:\n"
    )
    s3, sns, sqs = (of_service(text, name) for name in ("s3", "sns", "sqs"))
    assert s3.resources == ResourcesSection(limits=AmountsSection(memory="9Gi"))
    assert (s3.image, s3.timeout, s3.slack) == (IMAGE, "2h", None)
    assert s3.credentials == CredentialsSection(secret="own", key=".dockerconfigjson")  # noqa: S106 - an object's name
    assert (sns.image, sns.slack) == ("a.b/c:2", SlackSection(channel="#own", states=("error",)))
    assert sqs == jobs_of(text).prow


def test_an_editor_shows_no_default_for_a_service() -> None:
    """A service's key that is left out is that of all services: the schema says no default for it, and none is lost."""
    sections = json_schema()["$defs"]
    own, all_services = sections["ServiceProwSection"]["properties"], sections["ProwSection"]["properties"]
    assert all("default" not in key for key in own.values())
    assert all_services["timeout"]["default"] == "1h"
    assert set(all_services) - set(own) == {
        *("org", "monorepo", "prowjob_namespace", "pod_namespace", "operators", "audit")
    }


def test_annotations_that_are_too_large() -> None:
    """What all services share may be too large once a name stands in it: that is told for the service."""
    prow = with_prow(f"annotations: {{a: '{'{service}' * 10000}'}}").prow
    assert prow is not None
    assert list(filled_problems(prow, "short")) == []
    assert list(filled_problems(prow, "s" * 27)) == [
        f"annotations: larger than {ANNOTATIONS_LENGTH} bytes, keys and values together"
    ]
