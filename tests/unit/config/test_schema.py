"""The shape of jobs.yaml, as the program reads it and as the JSON Schema tells it to editors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.config.load import parse_config
from runner.config.schema import DEFAULT_BASE_IMAGE, LINUX_ARCHITECTURES, JobsFile, json_schema, read_jobs
from runner.config.yamlfile import Problem, read_yaml
from runner.errors import ConfigurationInvalid

CHECKED_IN = Path(__file__).resolve().parents[3] / "config" / "jobs.yaml"
FILE = Path("config/jobs.yaml")
SCHEMA = jsonschema.Draft202012Validator(json_schema())
REGISTRY = "registry: registry.example/ack\n"


def read(text: str) -> JobsFile:
    """The values of a file that is right."""
    jobs, problems = read_jobs(read_yaml((REGISTRY + text).encode()))
    assert problems == ()
    assert jobs is not None
    return jobs


def problems_in(text: str) -> tuple[Problem, ...]:
    """The problems of a file of which ``text`` begins at line 2."""
    jobs, problems = read_jobs(read_yaml((REGISTRY + text).encode()))
    assert (jobs is None) == bool(problems)
    return problems


# --- values -----------------------------------------------------------------------------------------------------------


def test_defaults() -> None:
    """What a file leaves out has its default; a section that is not there stays so."""
    jobs = read("")
    assert (jobs.naming, jobs.platforms) == (
        ("seed", "repo-per-service-v", "repo-per-service"),
        ("linux/amd64", "linux/arm64"),
    )
    assert (jobs.build, jobs.services, jobs.prow) == (None, None, None)
    build = read("build: {}").build
    assert build is not None
    assert (build.builder, build.base_image, build.go, build.helm) == ("go", DEFAULT_BASE_IMAGE, "go", "helm")


def test_prepare() -> None:
    """By default the repository's own script writes the artifacts, and may change what real releases do."""
    assert read("").prepare is None
    prepare = read("prepare: {}").prepare
    assert prepare is not None
    assert prepare.command == ("scripts/build-controller-release.sh", "{service}", "{tag}")
    assert (prepare.environment, prepare.timeout_minutes) == ({}, 60)
    assert prepare.files[0] == "{chart}/**"
    given = read("prepare: {command: [make, 'release', 'V={tag}'], environment: {A: '{tree}'}, files: ['{path}/**']}")
    assert given.prepare is not None
    assert (given.prepare.command[-1], given.prepare.environment) == ("V={tag}", {"A": "{tree}"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("command: []", "prepare.command: its first entry must be a program's name or path"),
        ("command: ['', x]", "prepare.command: its first entry must be a program's name or path"),
        ("command: make", "prepare.command must be a list, not the text 'make'"),
        ("command: ['{servce}']", "{servce} is not a field of this template"),
        ("command: ['{']", "a brace that does not belong"),
        ('command: ["a\\0b"]', "NUL"),
        ("environment: {A: '{files}'}", "{files} is not a field"),
        ("environment: {'A B': x}", "prepare.environment"),
        ("files: []", "prepare.files: at least one entry is needed"),
        ("files: [/etc/*]", "must be a path relative to the repository"),
        ("files: ['../x']", "must be a path relative to the repository"),
        ("files: ['{tree}/x']", "{tree} is not a field"),
        ("timeout_minutes: 0", "prepare.timeout_minutes"),
        ("comand: [make]", "unknown key 'comand' in prepare; did you mean 'command'?"),
    ],
)
def test_wrong_prepare(text: str, says: str) -> None:
    """What could not be run, or would reach outside the repository, is refused with its line."""
    [problem] = problems_in(f"prepare:\n  {text}\n")
    assert (problem.line, says in problem.message) == (3, True), problem


def test_keys_that_were_given() -> None:
    """What stands in the file is told from what is filled in."""
    jobs = read("build: {go: go}\nservices: {s3: {path: .}, sns: }\n")
    assert jobs.model_fields_set == {"registry", "build", "services"}
    assert jobs.build is not None
    assert jobs.build.model_fields_set == {"go"}
    assert jobs.services is not None
    assert jobs.services["sns"] is None
    assert jobs.services["s3"] is not None
    assert jobs.services["s3"].model_fields_set == {"path"}


@pytest.mark.parametrize("architecture", LINUX_ARCHITECTURES)
def test_platforms(architecture: str) -> None:
    """Every architecture that Go compiles for on Linux is a platform, with and without a variant."""
    assert read(f"platforms: [linux/{architecture}, linux/{architecture}/v9]").platforms == (
        f"linux/{architecture}",
        f"linux/{architecture}/v9",
    )


@pytest.mark.parametrize("repo", ["community", "{service}", "a.b_c-{service}", "..."])
def test_repositories(repo: str) -> None:
    """A repository's name may hold the service's, and whatever letters GitHub takes."""
    services = read(f"services: {{s3: {{repo: '{repo}'}}}}").services
    assert services is not None
    assert services["s3"] is not None
    assert services["s3"].repo == repo


def test_all_problems_at_once() -> None:
    """Every wrong value is a problem of its own, at its line."""
    found = problems_in("platforms:\n- linux/amd64\n- linux/x\nbuild:\n  parallel: 65\n  helm: ''\nmore: 1\n")
    assert sorted(problem.line for problem in found) == [4, 6, 7, 8]


def test_problems_of_what_stands_nowhere() -> None:
    """A key that is missing is a problem of the section that should have it."""
    (problem,) = problems_in(
        "services:\n  s3:\n    naming:\n      image: ['i:{version}']\n      chart: ['c:{version}']\n"
    )
    assert (problem.line, problem.message) == (4, "the key 'stable' is missing in services.s3.naming")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("build: {parallel: null}", "build.parallel must be a whole number, not nothing"),
        ("build: {parallel: false}", "build.parallel must be a whole number, not false"),
        ("build: {go: [go]}", "build.go must be text, not a list"),
        ("build: {go: {a: b}}", "build.go must be text, not a mapping"),
        ("build: {go: 2026-01-01}", "build.go must be text, not the date 2026-01-01"),
    ],
)
def test_values_are_described(text: str, message: str) -> None:
    """What stands in the place of a value is told by its kind, as its author wrote it."""
    assert [problem.message for problem in problems_in(text)] == [message]


def test_words_of_the_library_are_not_shown() -> None:
    """No problem leads to the library that found it, or speaks of its types."""
    text = "build: {parallel: 0, go: 1, builder: x}\nservices: []\nnaming: {image: 1}\nplatforms: {}\n"
    for problem in problems_in(text):
        assert not re.search(r"pydantic|https?:|_type|dict\[|tuple", problem.message)


# --- the schema -------------------------------------------------------------------------------------------------------


def problems_of(document: object) -> tuple[str, ...]:
    """The problems of a file that holds this document."""
    try:
        parse_config(yaml.safe_dump(document).encode(), FILE)
    except ConfigurationInvalid as error:
        return error.detail
    return ()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("a{}:/.", max_size=5) | st.sampled_from(["seed", "s3"]),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["naming", "build", "services", "platforms", "image", "chart", "s3", "path", "aws"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    )
)
def test_accepts_what_the_program_accepts(value: Any) -> None:
    """Any document ends as a configuration or as a configuration error; what is accepted fits the schema too."""
    document = {"registry": "a.b/c", **value} if isinstance(value, dict) else value
    problems = problems_of(document)
    assert all(re.match(rf"{FILE}:\d+: ", line) for line in problems)
    assert problems or SCHEMA.is_valid(document)


def test_accepts_the_checked_in_file() -> None:
    """The generated schema is valid itself, and an editor finds nothing wrong with the checked-in file."""
    jsonschema.Draft202012Validator.check_schema(json_schema())
    SCHEMA.validate(yaml.safe_load(CHECKED_IN.read_bytes()))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"servces": {}}, id="top"),
        pytest.param({"build": {"gp": "go"}}, id="build"),
        pytest.param({"build": {"builder": "docker"}}, id="builder"),
        pytest.param({"services": {"s3": {"paht": "."}}}, id="service"),
        pytest.param({"services": {"S3": None}}, id="service's name"),
        pytest.param({"aws": {"region": "x"}}, id="aws"),
        pytest.param(
            {"aws": {"publish_role": {"parameter": "/a", "arn": "arn:aws:iam::123456789012:role/a"}}}, id="role"
        ),
        pytest.param({"naming": "sead"}, id="preset"),
        pytest.param({"naming": {"image": ["i:{version}"], "chart": ["c:{version}"]}}, id="list missing"),
        pytest.param({"naming": {"image": ["i"], "chart": ["c:{version}"], "stable": ["s:{major}"]}}, id="template"),
        pytest.param({"platforms": []}, id="no platforms"),
        pytest.param({"registry": None}, id="registry"),
    ],
)
def test_refuses_what_the_program_refuses(change: dict[str, Any]) -> None:
    """Unknown keys, unknown values and missing lists are errors in an editor as they are in a run."""
    document = {"registry": "a.b/c"} | change
    assert problems_of(document)
    assert not SCHEMA.is_valid(document)


def test_every_key_is_described() -> None:
    """An editor shows a description for each key of each section, and of each section itself."""
    schema = json_schema()
    sections = [schema, *schema["$defs"].values()]
    described = [section for section in sections if section["description"] and section["additionalProperties"] is False]
    assert described == sections
    assert [
        key for section in sections for key, value in section["properties"].items() if not value["description"]
    ] == []


def test_keys_have_no_titles() -> None:
    """Titles of keys, which would only repeat them, are left out; the file has one of its own."""
    schema = json_schema()
    assert schema["title"] == "jobs.yaml of the ACK release runner"
    properties = [value for section in (schema, *schema["$defs"].values()) for value in section["properties"].values()]
    assert len(properties) > 40
    assert not any("title" in value for value in properties)


def test_examples_are_right() -> None:
    """Every example that an editor shows is accepted in its place."""
    schema = json_schema()
    shown = [
        (value["examples"], {"$defs": schema["$defs"], **value})
        for section in (schema, *schema["$defs"].values())
        for value in section["properties"].values()
        if "examples" in value
    ]
    assert len(shown) > 20
    for examples, value in shown:
        for example in examples:
            jsonschema.Draft202012Validator(value).validate(example)
