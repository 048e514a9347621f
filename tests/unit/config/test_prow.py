from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.load import json_schema
from runner.config.prow import (
    AmountsSection,
    CredentialsSection,
    ProwSection,
    ResourcesSection,
    SlackSection,
    amount,
    merged,
    seconds,
)
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


@given(st.integers(0, 9999), st.integers(0, 9999), st.integers(0, 9999))
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, rest: int) -> None:
    """Hours, minutes and seconds add up, and parts may be left out, but not all."""
    parts = [(hours, "h", 3600), (minutes, "m", 60), (rest, "s", 1)]
    text = "".join(f"{number}{unit}" for number, unit, _ in parts if number)
    if text:
        assert seconds(text) == sum(number * factor for number, _, factor in parts)
    else:
        with pytest.raises(ValueError, match="is not a duration"):
            seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        ("1.5", "1.5"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("2Gi", "2147483648"),
        ("1T", "1e12"),
    ],
)
def test_a_quantity_is_a_number(text: str, expected: str) -> None:
    """Quantities mean what they mean to Kubernetes."""
    assert amount(text) == Decimal(expected)
