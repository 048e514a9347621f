from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.config.aws import AwsSection, PublishRoleSection
from runner.config.load import BuildConfig, Config, Service, load_config, parse_config, service_named, services_in
from runner.config.naming import PRESETS, SERVICE, RegistryAddress
from runner.errors import ConfigurationInvalid, ServiceUnknown
from runner.oci.manifest import Platform

CHECKED_IN = Path(__file__).resolve().parents[3] / "config" / "jobs.yaml"
FILE = Path("config/jobs.yaml")
REGISTRY = "registry: public.ecr.aws/aws-controllers-k8s\n"
BASE_IMAGE = "public.ecr.aws/eks-distro-build-tooling/eks-distro-minimal-base-nonroot:2026-08-18-1787079689.2023"
ALL_PRESETS = (PRESETS["seed"], PRESETS["repo-per-service-v"], PRESETS["repo-per-service"])


def parsed(text: str) -> Config:
    return parse_config((REGISTRY + text).encode(), FILE)


def refused(text: str) -> tuple[str, ...]:
    """The problems of a file that begins with the registry's line, so that ``text`` begins at line 2."""
    with pytest.raises(ConfigurationInvalid) as raised:
        parsed(text)
    assert raised.value.cause.startswith(raised.value.detail[0])
    return raised.value.detail


def test_the_checked_in_file_says_what_its_defaults_say() -> None:
    """The checked-in file names all services and spells out defaults, but for image, Secret, audit and AWS."""
    config = load_config(CHECKED_IN)
    assert config.prow is not None
    bare = parse_config(
        f"{REGISTRY}prow: {{image: '{config.prow.image}', credentials: {{secret: ack-release-registry}}, audit: {{}}}}"
        f"\nservices: {{{', '.join(config.services)}}}".encode(),
        CHECKED_IN,
    )
    assert len(config.services) == 77
    assert {"acm", "s3", "s3vectors", "wafv2"} <= set(config.services)
    role = PublishRoleSection(parameter="/ack/prow/cd/public_ecr/publish_role")
    assert config.aws == AwsSection(publish_role=role, catalog="catalog.yaml")
    bare = dataclasses.replace(bare, aws=config.aws, catalog=config.catalog)
    assert config == dataclasses.replace(bare, digest=config.digest, given=config.given)


def test_the_checked_in_file_is_sorted() -> None:
    """Services stand in the order of the alphabet, so that a new one has one place."""
    names = list(yaml.safe_load(CHECKED_IN.read_bytes())["services"])
    assert names == sorted(names)


def test_only_the_registry_is_required() -> None:
    """A file that names a registry and nothing else has all defaults and no services."""
    body = REGISTRY.encode()
    assert parse_config(body, FILE) == Config(
        registry=RegistryAddress("public.ecr.aws", "aws-controllers-k8s"),
        naming=ALL_PRESETS,
        chart_names=("{service}-chart", "ack-{service}-controller"),
        platforms=(Platform("linux", "amd64"), Platform("linux", "arm64")),
        build=BuildConfig(builder="go", base_image=BASE_IMAGE, go="go", helm="helm", parallel=2),
        services={},
        path=FILE,
        digest=f"sha256:{hashlib.sha256(body).hexdigest()}",
        given=frozenset({"registry"}),
    )


@pytest.mark.parametrize("text", ["s3: {}", "s3:", "s3: null"])
def test_a_service_without_keys_has_defaults(text: str) -> None:
    """An empty mapping and nothing at all both mean a repository of the service's own, in the usual layout."""
    service = parsed(f"services:\n  {text}\n").services["s3"]
    assert service == Service("s3", "s3-controller", ".", "helm", "cmd/controller", ALL_PRESETS)
    assert (service.chart_folder, service.main_folder) == ("helm", "cmd/controller")


@pytest.mark.parametrize(
    ("section", "chart_folder", "main_folder"),
    [
        pytest.param('path: "services/{service}"', "services/sns/helm", "services/sns/cmd/controller", id="monorepo"),
        pytest.param("path: ./a//b/., chart: ./charts/x/, main: .", "a/b/charts/x", "a/b", id="normalised"),
        pytest.param('chart: "{service}/helm", main: "cmd/{service}"', "sns/helm", "cmd/sns", id="service in paths"),
        pytest.param("path: ., chart: ., main: .", ".", ".", id="the root itself"),
    ],
)
def test_folders_are_relative_to_the_repository(section: str, chart_folder: str, main_folder: str) -> None:
    """Chart and main package are found below the service's path, with normalised paths."""
    service = parsed(f"services:\n  sns: {{repo: community, {section}}}\n").services["sns"]
    assert service.repo == "community"
    assert (service.chart_folder, service.main_folder) == (chart_folder, main_folder)


def test_all_keys_are_read() -> None:
    """Each key's value arrives, and the keys of the file are told from defaults."""
    config = parsed(
        "naming: repo-per-service\n"
        'chart_names: ["{service}-chart"]\n'
        "platforms: [linux/arm/v7]\n"
        "build: {builder: go, base_image: scratch, go: /opt/go/bin/go, helm: helm3, parallel: 8}\n"
        "services: {s3: {naming: seed}, sns: }\n"
        "adopt: {}\naws: {}\nprow:\n"
        "chart: {kube_versions: [1.36.2, '1.35', v1.34.0]}\n"
    )
    assert config.kube_versions == ("1.36.2", "1.35.0", "1.34.0")
    assert config.naming == (PRESETS["repo-per-service"],)
    assert config.chart_names == ("{service}-chart",)
    assert config.platforms == (Platform("linux", "arm", "v7"),)
    assert config.build == BuildConfig(
        builder="go", base_image="scratch", go="/opt/go/bin/go", helm="helm3", parallel=8
    )
    assert config.services["s3"].naming == (PRESETS["seed"],)
    assert config.services["sns"].naming == config.naming
    assert {"naming", "build", "build.helm", "services"} <= config.given
    assert "build.helm" not in parsed("build: {go: go}").given


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", []),
        ("adopt:", []),
        ("adopt: {}", []),
        ("adopt: {services: all}", ["all services: all versions"]),
        ("adopt: {services: [s3]}", ["s3: all versions"]),
        ("adopt: {versions: [v1.2.3, '<= 1.10.0']}", ["all services: 1.2.3 or <=1.10.0"]),
        ("adopt: {versions: all}", ["all services: all versions"]),
        (
            "adopt: [{services: [s3], versions: ['<=1.10.0']}, {services: [sns, s3], versions: ['>=1.0.0, <2.0.0']}]",
            ["s3: <=1.10.0", "sns and s3: >=1.0.0 <2.0.0"],
        ),
    ],
)
def test_what_may_be_adopted(text: str, rules: list[str]) -> None:
    """One rule or several; what a rule leaves out is all, and a section that says nothing adopts nothing."""
    assert [str(rule) for rule in parsed(f"services: {{s3: , sns: }}\n{text}\n").adopt] == rules


def test_own_schemes_are_labelled_by_their_place() -> None:
    """A scheme that is no preset is called by where it stands in the file."""
    own = '{image: ["%s/{service}:{version}"], chart: ["%s-c/{service}:{version}"], stable: ["%s-s/{service}:{major}"]}'
    config = parsed(
        f"naming: [seed, {own.replace('%s', 'a')}]\n"
        f"services:\n  s3: {{naming: {own.replace('%s', 'b')}}}\n  sns: {{naming: [{own.replace('%s', 'c')}]}}\n"
    )
    assert [scheme.label for scheme in config.naming] == ["seed", "naming[1]"]
    assert config.naming[1].image == ("a/{service}:{version}",)
    assert config.services["s3"].naming[0].label == "services.s3.naming"
    assert config.services["sns"].naming[0].label == "services.sns.naming[0]"


@pytest.mark.parametrize(
    "image",
    [
        "scratch",
        "oci:base",
        "localhost:5000/base:1",
        f"registry.example/a/b@sha256:{'0' * 64}",
        f"a.b/c:1@sha256:{'0' * 64}",
    ],
)
def test_exact_base_images_are_accepted(image: str) -> None:
    """A tag, a digest, both, a folder and scratch are exact bases."""
    assert parsed(f'build: {{base_image: "{image}"}}').build.base_image == image


PROBLEMS = {
    "unknown key": ("servces: {}", "2: unknown key 'servces'; did you mean 'services'?"),
    "far from all": ("zzz: 1", "2: unknown key 'zzz'; there are: registry, naming, chart_names, platforms, build"),
    "in build": ("build:\n  base-image: x", "3: unknown key 'base-image' in build; did you mean 'base_image'?"),
    "in a service": ("services:\n  s3:\n    paht: .", "4: unknown key 'paht' in services.s3; did you mean 'path'?"),
    "service like a key": (
        "services:\n  naming: {paht: .}",
        "3: unknown key 'paht' in services.naming; did you mean 'path'?",
    ),
    "in a scheme": (
        "naming:\n- image: ['i:{version}']\n  charts: ['c:{version}']\n  stable: ['s:{major}']",
        "4: unknown key 'charts' in naming[0]; did you mean 'chart'?",
    ),
    "in aws": ("aws: {regoin: x}", "2: unknown key 'regoin' in aws; did you mean 'region'?"),
    "in adopt": ("adopt: {s3: x}", "2: unknown key 's3' in adopt"),
    "adopted service": (
        "services: {s3: }\nadopt:\n  services: [s3, s4]",
        "4: adopt names the service 's4', which is not under services; did you mean 's3'?",
    ),
    "adopted service of the second rule": (
        "services: {s3: }\nadopt:\n- services: [s3]\n- services: [lambda]",
        "5: adopt names the service 'lambda', which is not under services",
    ),
    "adopted services in a word": (
        "adopt: {services: s3}",
        "2: adopt.services: 's3' is not supported; supported: 'all'",
    ),
    "adopted service that is none": ("adopt: {services: [S3]}", "2: adopt.services[0]: 'S3' is not a service's name"),
    "adopted service twice": ("adopt: {services: [s3, s3]}", "2: adopt.services: 's3' is in this list twice"),
    "adopted version": (
        "adopt: {versions: ['1.x']}",
        "2: adopt.versions[0]: '1.x' is neither a version such as 1.2.3 nor a range such as <=1.10.0 or >=1.0.0 <2.0.0",
    ),
    "adopted version that is a number": ("adopt: {versions: [1.2]}", "2: adopt.versions[0] must be text, not"),
    "adopted version that none is": (
        "adopt:\n- services: all\n  versions: ['>2.0.0 <1.0.0']",
        "4: adopt[0].versions[0]: no version is >2.0.0 <1.0.0",
    ),
    "no adopted version": ("adopt: {versions: []}", "2: adopt.versions: at least one entry is needed"),
    "in an adopt rule": ("adopt: [{service: all}]", "2: unknown key 'service' in adopt[0]; did you mean 'services'?"),
    "in verify": ("verify: {anonymus: no}", "2: unknown key 'anonymus' in verify; did you mean 'anonymous'?"),
    "text for a truth": ("verify: {anonymous: 'no'}", "2: verify.anonymous must be true or false, not the text 'no'"),
    "in prow": ("prow: {a: x}", "2: unknown key 'a' in prow"),
    "repeated service": ("services:\n  s3:\n  s3:", "4: the key 's3' is repeated, first at line 3"),
    "repeated key": ("registry: localhost:5000", "2: the key 'registry' is repeated, first at line 1"),
    "missing list": ("naming:\n- image: ['i:{version}']", "3: the key 'chart' is missing in naming[0]"),
    "text for a list": ("platforms: linux/amd64", "2: platforms must be a list, not the text 'linux/amd64'"),
    "list for a mapping": ("services: [s3]", "2: services must be a mapping of keys, not a list"),
    "text for a section": ("services:\n  s3: helm", "3: services.s3 must be a mapping of keys, not the text 'helm'"),
    "text for a number": ("build: {parallel: '2'}", "2: build.parallel must be a whole number, not the text '2'"),
    "truth for a number": ("build: {parallel: yes}", "2: build.parallel must be a whole number, not true"),
    "fraction": ("build: {parallel: 1.5}", "2: build.parallel must be a whole number, not the number 1.5"),
    "no cluster": ("chart: {kube_versions: [latest]}", "2: chart.kube_versions[0]: 'latest' is not a version of"),
    "half a cluster": ("chart: {kube_versions: [1.36]}", "2: chart.kube_versions[0] must be text, not the number 1.36"),
    "one cluster twice": (
        "chart: {kube_versions: [1.36.0, '1.36']}",
        "2: chart.kube_versions: '1.36.0' is in this list twice",
    ),
    "no clusters": ("chart: {kube_versions: []}", "2: chart.kube_versions: at least one entry is needed"),
    "too few": ("build: {parallel: 0}", "2: build.parallel: Input should be greater than or equal to 1"),
    "number for text": ("build: {helm: 3}", "2: build.helm must be text, not the number 3"),
    "nothing for text": ("build:\n  go:", "3: build.go must be text, not nothing"),
    "blank program": ("build: {go: ' '}", "2: build.go: ' ' is not a program's name or path"),
    "docker": ("build: {builder: docker}", "2: build.builder: 'docker' is not supported; supported: 'go'"),
    "buildah": ("build: {builder: buildah}", "2: build.builder: 'buildah' is not supported; supported: 'go'"),
    "no exact base": ("build: {base_image: a.b/c}", "2: build.base_image: 'a.b/c' names neither a tag nor a digest"),
    "base without host": ("build: {base_image: 'alpine:3'}", "2: build.base_image: 'alpine:3' is none of"),
    "short digest": ("build: {base_image: 'a.b/c@sha256:1'}", "2: build.base_image: 'a.b/c@sha256:1' is none of"),
    "unknown scheme": ("naming: sead", "2: naming: 'sead' is not a naming scheme; did you mean 'seed'?"),
    "no scheme": ("naming: []", "2: naming: at least one entry is needed"),
    "scheme twice": ("naming: [seed, seed]", "2: naming: 'seed' is in this list twice"),
    "number for a scheme": ("naming: 5", "2: naming must be text, not the number 5"),
    "service's scheme": (
        "services:\n  s3:\n    naming:\n    - seed\n    - x",
        "6: services.s3.naming[1]: 'x' is not a naming scheme",
    ),
    "template": (
        "naming:\n  image:\n  - i/{service}:{version}\n  - i/{service}:{versio}\n  chart: []\n  stable: []",
        (
            "5: naming.image[1]: 'i/{service}:{versio}': {versio} is not a field of this template; allowed: {service}"
            " and {version}"
        ),
    ),
    "constant chart name": ("chart_names: [chart]", "2: chart_names[0]: 'chart' does not hold {service}"),
    "chart name": ("chart_names: ['{service} x']", "2: chart_names[0]: '{service} x' is not a chart's name"),
    "chart's field": (
        "chart_names: ['{service}{version}']",
        "2: chart_names[0]: '{service}{version}': {version} is not",
    ),
    "typo in a platform": (
        "platforms:\n- linux/amd46",
        (
            "3: platforms[0]: 'linux/amd46' is not a platform that Go compiles controllers for; did you"
            " mean 'linux/amd64'?"
        ),
    ),
    "windows": ("platforms: [windows/amd64]", "2: platforms[0]: 'windows/amd64' is not a platform"),
    "no platform": ("platforms: [amd64]", "2: platforms[0]: 'amd64' is not a platform such as linux/amd64"),
    "platform twice": (
        "platforms: [linux/amd64, linux/amd64]",
        "2: platforms: 'linux/amd64' is in this list twice",
    ),
    "service's name": ("services: {S3: }", "2: services.S3: 'S3' is not a service's name"),
    "dot in a name": ("services: {'a.b': {}}", "2: services.a.b: 'a.b' is not a service's name"),
    "repository with owner": ("services: {s3: {repo: a/b}}", "2: services.s3.repo: 'a/b' is not a repository's name"),
    "repository of dots": ("services: {s3: {repo: ..}}", "2: services.s3.repo: '..' is not a repository's name"),
    "path upwards": (
        "services: {s3: {path: a/../b}}",
        "2: services.s3.path: 'a/../b' must be relative and stay inside",
    ),
    "absolute path": ("services: {s3: {main: /cmd}}", "2: services.s3.main: '/cmd' must be relative"),
    "empty path": ("services: {s3: {chart: ''}}", "2: services.s3.chart: '' is not a path"),
    "backslash": ("services: {s3: {chart: 'a\\b'}}", "2: services.s3.chart: 'a\\\\b' is not a path"),
    "path's field": (
        "services: {s3: {path: '{servce}'}}",
        "2: services.s3.path: '{servce}': {servce} is not a field of this template; allowed: {service}",
    ),
    "shared chart": (
        "services:\n  s3: {repo: community}\n  sns: {repo: community}",
        "4: services s3 and sns share one chart, helm in community: give each its own path",
    ),
    "image and chart collide": (
        (
            "naming:\n  image: ['x:{service}-{version}']\n  chart: ['x:{service}-{version}']\n"
            "  stable: ['s/{service}:{major}']\nservices: {s3: }"
        ),
        (
            "4: names collide: the image template 'x:{service}-{version}' for service s3 and the chart template"
            " 'x:{service}-{version}' for service s3 can both give x:s3-1.1.1"
        ),
    ),
    "services collide": (
        (
            "naming:\n  image: ['x:{version}']\n  chart: ['c/{service}:{version}']\n"
            "  stable: ['s/{service}:{major}']\nservices:\n  s3:\n  sns:"
        ),
        (
            "8: names collide: the image template 'x:{version}' for service s3 and the image template"
            " 'x:{version}' for service sns"
        ),
    ),
    "service's own scheme collides": (
        (
            "services:\n  a:\n  b:\n    naming:\n      image: ['a-controller:{version}']\n"
            "      chart: ['c/{service}:{version}']\n      stable: ['s/{service}:{major}']"
        ),
        "6: names collide: the image template '{service}-controller:{version}' for service a and",
    ),
    "tag too long": (
        (
            f"naming:\n  image: ['x/{{service}}:{{version}}']\n  chart: ['c/{{service}}:{{version}}']\n"
            f"  stable:\n  - 's/{{service}}:{'a' * 99}{{major}}'"
        ),
        (
            f"6: the stable template 's/{{service}}:{'a' * 99}{{major}}' can give service example a tag of"
            f" 144 characters; a registry takes 128"
        ),
    ),
}


@pytest.mark.parametrize(("text", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_each_problem_has_file_line_and_a_way_out(text: str, problem: str) -> None:
    """A problem is reported as FILE:LINE with the value, and with the nearest thing that would be right."""
    assert any(line.startswith(f"{FILE}:{problem}") for line in refused(text)), refused(text)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        pytest.param(b"", "config/jobs.yaml:1: the key 'registry' is missing", id="empty"),
        pytest.param(b"- a", "config/jobs.yaml:1: the file must be a mapping of keys, not a list", id="list"),
        pytest.param(b"~", "config/jobs.yaml:1: the file must be a mapping of keys, not nothing", id="nothing"),
        pytest.param(b"registry: [", "config/jobs.yaml:2: not YAML", id="syntax"),
        pytest.param(b"registry: a.b/\n# \xe9", "config/jobs.yaml:2: not UTF-8", id="encoding"),
        pytest.param(b"registry: &a a.b/c", "config/jobs.yaml:1: the anchor &a is not allowed", id="anchor"),
        pytest.param(
            b"registry: a.b/c\n" + b"#" * (1 << 20), "config/jobs.yaml:1: larger than 1048576 bytes", id="size"
        ),
        pytest.param(b"registry: ecr", "config/jobs.yaml:1: registry: 'ecr' is not HOST/NAMESPACE", id="registry"),
    ],
)
def test_a_file_that_is_none_is_refused(body: bytes, cause: str) -> None:
    """A file that is no mapping, no YAML, no UTF-8 or too large is refused with its line."""
    with pytest.raises(ConfigurationInvalid) as raised:
        parse_config(body, FILE)
    assert raised.value.cause.startswith(cause)
    assert raised.value.remedy


def test_all_problems_are_reported_in_order() -> None:
    """One error has every problem of the file, by line; its cause is the first and counts the others."""
    detail = refused("build:\n  builder: docker\n  x: 1\nservices:\n  S3:\n  sns: {path: /}\nzzz: 1\nzzz: 2\n")
    assert [int(line.split(":")[1]) for line in detail] == [3, 4, 6, 7, 8, 9]
    with pytest.raises(ConfigurationInvalid, match=re.escape("(and 5 more)")):
        parsed("build:\n  builder: docker\n  x: 1\nservices:\n  S3:\n  sns: {path: /}\nzzz: 1\nzzz: 2\n")


@pytest.mark.parametrize("make", ["missing", "folder"])
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, make: str) -> None:
    """A path without a file is a configuration error with the path, the system's reason and the option to correct."""
    path = tmp_path / "jobs.yaml"
    if make == "folder":
        path.mkdir()
    with pytest.raises(ConfigurationInvalid, match=re.escape(f"{path}: cannot be read: ")) as raised:
        load_config(path)
    assert "--config" in raised.value.remedy


def test_services_are_found_by_repository() -> None:
    """The services of a repository come sorted by name; an unknown repository has none."""
    config = parsed(
        'services:\n  sns: {repo: community, path: "services/{service}"}\n  s3:\n'
        '  ecr: {repo: community, path: "services/{service}"}\n'
    )
    assert [service.name for service in services_in(config, "community")] == ["ecr", "sns"]
    assert [service.name for service in services_in(config, "s3-controller")] == ["s3"]
    assert services_in(config, "sns-controller") == ()


def test_a_service_is_found_by_name() -> None:
    """A configured service is returned; any other name is an error with the nearest ones."""
    config = parsed("services: {s3: , s3control: , sns: }")
    assert service_named(config, "sns") is config.services["sns"]
    with pytest.raises(ServiceUnknown, match="has no service 's3controll'; nearest: s3control"):
        service_named(config, "s3controll")
    with pytest.raises(ServiceUnknown, match=r"has no service 'zzz'$"):
        service_named(config, "zzz")


def test_values_are_frozen() -> None:
    """Neither the configuration nor its services can be changed once they are read."""
    config = parsed("services: {s3: }")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.registry = RegistryAddress("localhost")  # type: ignore[misc]  # the very thing that must fail
    with pytest.raises(TypeError):
        config.services["x"] = config.services["s3"]  # type: ignore[index]  # the very thing that must fail


@given(st.sets(st.from_regex(SERVICE, fullmatch=True).filter(lambda name: len(name) < 60), min_size=1, max_size=5))
def test_any_legal_service_can_be_configured(names: set[str]) -> None:
    """Whatever legal names services have, the defaults give each its own repository and names."""
    config = parsed("services:\n" + "".join(f"  {name!r}:\n" for name in names))
    assert list(config.services) == sorted(names)
    assert all(services_in(config, f"{name}-controller") == (config.services[name],) for name in names)
