from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.naming import (
    PRESETS,
    SERVICE,
    TAG_LENGTH,
    RegistryAddress,
    Scheme,
    TemplateKind,
    check_fields,
    check_template,
    fill,
)
from runner.oci.name import REPOSITORY_PATH, TAG, Name
from runner.versions import LARGEST_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS = RegistryAddress("public.ecr.aws", "aws-controllers-k8s")

numbers = st.integers(0, LARGEST_NUMBER)
versions = st.builds("{}.{}.{}".format, numbers, numbers, numbers)
services = st.from_regex(SERVICE, fullmatch=True).filter(lambda name: len(name) <= 40)
addresses = st.builds(
    RegistryAddress,
    st.sampled_from(["public.ecr.aws", "localhost", "127.0.0.1:5000", "[::1]:5000", "registry.example:443"]),
    st.sampled_from(["", "ack", "a/b/c"]),
)
schemes = st.sampled_from(list(PRESETS.values()))


def scheme(image: str = "{service}:{version}") -> Scheme:
    return Scheme("own", image=(image,), chart=("c/{service}:{version}",), stable=("s/{service}:{major}",))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("public.ecr.aws/aws-controllers-k8s", ADDRESS, id="production"),
        pytest.param("localhost", RegistryAddress("localhost"), id="no namespace"),
        pytest.param("127.0.0.1:5000/", RegistryAddress("127.0.0.1:5000"), id="no namespace, slash"),
        pytest.param("localhost:5000/a/b_c/d.e", RegistryAddress("localhost:5000", "a/b_c/d.e"), id="several segments"),
        pytest.param("[::1]:5000/a", RegistryAddress("[::1]:5000", "a"), id="IPv6"),
    ],
)
def test_an_address_is_read(text: str, address: RegistryAddress) -> None:
    """HOST/NAMESPACE is read, with a port, without a namespace or with several segments of one."""
    assert RegistryAddress.parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "https://public.ecr.aws/x",
        "oci://localhost:5000",
        "aws-controllers-k8s",
        "registry/x",
        "public.ecr.aws//x",
        "public.ecr.aws/X",
        "public.ecr.aws/x:1",
        "public.ecr.aws/-x",
        "host:port/x",
        "a b.c/x",
        "public.ecr.aws/x/\n",
    ],
)
def test_other_addresses_are_refused(text: str) -> None:
    """What is not HOST/NAMESPACE, or what a cluster would look for on Docker Hub, is refused with the text."""
    with pytest.raises(ValueError, match="is not HOST/NAMESPACE") as raised:
        RegistryAddress.parse(text)
    assert repr(text) in str(raised.value)


def test_an_address_with_a_protocol_says_what_to_leave_out() -> None:
    """The refusal of an address with a protocol names the protocol."""
    with pytest.raises(ValueError, match="leave out oci://"):
        RegistryAddress.parse("oci://public.ecr.aws/x")


@given(addresses)
def test_an_address_survives_its_text(address: RegistryAddress) -> None:
    """Reading an address's own text gives the same address."""
    assert RegistryAddress.parse(str(address)) == address


@pytest.mark.parametrize("text", ["a", "a:", ":b", "A:b", "a:b:c", "a:b c", "a/:b", f"a:{'t' * (TAG_LENGTH + 1)}"])
def test_an_address_gives_legal_names_only(text: str) -> None:
    """What is not REPOSITORY:TAG makes no name."""
    with pytest.raises(ValueError, match="is not REPOSITORY:TAG"):
        ADDRESS.name(text)


@pytest.mark.parametrize(
    ("preset", "image", "chart", "stable"),
    [
        pytest.param(
            "seed",
            ["controller:s3-v1.2.3"],
            ["chart:s3-v1.2.3", "s3-chart:1.2.3"],
            ["chart:s3-v1-stable", "s3-chart:v1-stable"],
            id="seed",
        ),
        pytest.param(
            "repo-per-service-v",
            ["s3-controller:v1.2.3"],
            ["s3-chart:v1.2.3"],
            ["s3-chart:v1-stable"],
            id="repo-per-service-v",
        ),
        pytest.param(
            "repo-per-service",
            ["s3-controller:1.2.3"],
            ["s3-chart:1.2.3"],
            ["s3-chart:v1-stable"],
            id="repo-per-service",
        ),
    ],
)
def test_presets_give_the_names_that_consumers_know(
    preset: str, image: list[str], chart: list[str], stable: list[str]
) -> None:
    """Each preset gives its names below the namespace, the primary one first."""
    known = PRESETS[preset]

    def text(names: tuple[Name, ...]) -> list[str]:
        return [str(name).removeprefix(f"{ADDRESS}/") for name in names]

    assert known.label == preset
    assert text(known.image_names(ADDRESS, "s3", "1.2.3")) == image
    assert text(known.chart_names(ADDRESS, "s3", "1.2.3")) == chart
    assert text(known.stable_names(ADDRESS, "s3", 1)) == stable


@given(schemes, addresses, services, versions, numbers)
def test_every_name_is_legal_and_reads_back(
    used: Scheme, address: RegistryAddress, service: str, version: str, major: int
) -> None:
    """Any service, version and major give legal names, and a name's text reads back as the same name."""
    names = (
        *used.image_names(address, service, version),
        *used.chart_names(address, service, version),
        *used.stable_names(address, service, major),
    )
    for name in names:
        assert Name.parse(str(name)) == name
        assert str(name).startswith(f"{address}/")


@given(schemes, st.tuples(services, versions), st.tuples(services, versions))
def test_presets_name_different_releases_differently(
    used: Scheme, one: tuple[str, str], other: tuple[str, str]
) -> None:
    """Two releases share an image name or a chart name only when they are the same release."""
    for names in (used.image_names, used.chart_names):
        shared = set(names(ADDRESS, *one)) & set(names(ADDRESS, *other))
        assert bool(shared) == (one == other)


@given(schemes, services, versions)
def test_the_version_of_an_image_reads_back(used: Scheme, service: str, version: str) -> None:
    """From the primary image name, and from no other service's, the version is read back."""
    primary = used.image_names(ADDRESS, service, version)[0]
    assert used.version_of(ADDRESS, service, primary) == version
    assert used.version_of(ADDRESS, f"{service}x", primary) is None
    assert used.version_of(RegistryAddress("localhost:5000"), service, primary) is None


@pytest.mark.parametrize(
    "text",
    [
        "s3-controller:1.2.3",
        "s3-controller:v1.2",
        "s3-controller:v01.2.3",
        f"s3-controller:v{LARGEST_NUMBER + 1}.2.3",
        "s3-controller:v111111111111111111111.0.0",
        "s3-controller:v1.2.3-rc",
        "s3-chart:v1.2.3",
    ],
)
def test_an_image_outside_the_scheme_has_no_version(text: str) -> None:
    """A name that the scheme gives to no version has none."""
    assert PRESETS["repo-per-service-v"].version_of(ADDRESS, "s3", ADDRESS.name(text)) is None


def test_a_name_too_short_for_the_template_has_no_version() -> None:
    """Text before and after the version must not share characters."""
    used = scheme("i/{service}:v1.{version}.1")
    assert used.version_of(ADDRESS, "s3", ADDRESS.name("i/s3:v1.1")) is None
    assert used.version_of(ADDRESS, "s3", ADDRESS.name("i/s3:v1.0.1.2.1")) == "0.1.2"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("controller:{service}-v{version}", "v1.2.3"),
        ("{service}-controller:v{version}", "v1.2.3"),
        ("{service}:{service}v{version}", "v1.2.3"),
        ("{service}-controller:{version}", "1.2.3"),
        ("{service}:dev{version}", "1.2.3"),
        ("{service}:v-{version}", "1.2.3"),
    ],
)
def test_the_version_is_written_as_in_the_image_tag(template: str, text: str) -> None:
    """A v directly before the version belongs to it; the last letter of a word does not."""
    assert scheme(template).version_text("1.2.3") == text


@pytest.mark.parametrize(
    "version", ["v1.2.3", "1.2", "1.2.3-rc.1", "01.2.3", "1.2.3\n", "", f"1.2.{LARGEST_NUMBER + 1}"]
)
def test_only_release_versions_make_names(version: str) -> None:
    """A version that is not MAJOR.MINOR.PATCH, or has a number that Helm cannot read, makes no name."""
    for names in (PRESETS["seed"].image_names, PRESETS["seed"].chart_names):
        with pytest.raises(ValueError, match=r"is not MAJOR\.MINOR\.PATCH"):
            names(ADDRESS, "s3", version)


@pytest.mark.parametrize("major", [-1, LARGEST_NUMBER + 1])
def test_only_majors_make_stable_names(major: int) -> None:
    """A number that no version begins with makes no stable name."""
    with pytest.raises(ValueError, match="is not a major version"):
        PRESETS["seed"].stable_names(ADDRESS, "s3", major)


@pytest.mark.parametrize("service", ["S3", "s3_", "-s3", "s3-", "", "s3/x", "s3\n"])
def test_only_services_make_names(service: str) -> None:
    """A service's name with other characters than lower-case letters, digits and inner dashes makes no name."""
    with pytest.raises(ValueError, match="is not a service's name"):
        PRESETS["seed"].image_names(ADDRESS, service, "1.2.3")


@pytest.mark.parametrize(
    ("kind", "template", "message"),
    [
        pytest.param(
            "image",
            "{service}:{versio}",
            r"\{versio\} is not a field of this template; allowed: \{service\} and \{version\}",
            id="typo",
        ),
        pytest.param(
            "image", "{service}:{major}", r"\{major\} is not a field of this template", id="major of an image"
        ),
        pytest.param("stable", "{service}:{version}", r"allowed: \{service\} and \{major\}", id="version of stable"),
        pytest.param("chart", "{service}:{}{version}", "is not a field of this template", id="empty field"),
        pytest.param("chart", "{service}:{version!r}", "is not a field of this template", id="conversion"),
        pytest.param("chart", "{service}:{version:>9}", "is not a field of this template", id="format"),
        pytest.param("chart", "{{service}}:{version}", "a brace that does not belong", id="doubled brace"),
        pytest.param("chart", "{service:{version}", "a brace that does not belong", id="open brace"),
        pytest.param("image", "{service}-{version}", "is not REPOSITORY:TAG", id="no tag"),
        pytest.param("image", "a:{service}:{version}", "is not REPOSITORY:TAG", id="two colons"),
        pytest.param("image", "localhost:5000/{service}:{version}", "is not REPOSITORY:TAG", id="with a host and port"),
        pytest.param(
            "image", "{service}:latest", r"\{version\} must occur exactly once, in the tag", id="constant tag"
        ),
        pytest.param("image", "{service}/{version}:x", "exactly once, in the tag", id="version in repository"),
        pytest.param("image", "{service}:{version}-{version}", "exactly once, in the tag", id="version twice"),
        pytest.param("image", "a-{service}{version}:{version}", "exactly once, in the tag", id="version in both"),
        pytest.param("image", "Ctl-{service}:{version}", "is not a repository", id="upper case"),
        pytest.param("image", "/{service}:{version}", "is not a repository", id="leading slash"),
        pytest.param("image", "{service}-:{version}", "is not a repository", id="trailing dash"),
        pytest.param("image", ":{service}-{version}", "is not a repository", id="no repository"),
        pytest.param("image", "{service}:-{version}", "is not a tag", id="leading dash"),
        pytest.param("image", "{service}:{version}+1", "is not a tag", id="plus"),
        pytest.param("image", "{service}:{version}\n", "is not a tag", id="newline"),
    ],
)
def test_a_bad_template_is_refused_with_its_reason(kind: TemplateKind, template: str, message: str) -> None:
    """A template that could give an illegal or unreadable name is refused, naming the template and the reason."""
    with pytest.raises(ValueError, match=message):
        check_template(kind, template)


@given(
    st.text("ab-._/:", max_size=6),
    st.tuples(st.text("ab-._A:", max_size=6), st.text("ab-._A:", max_size=6)),
    services,
    versions,
)
def test_one_sample_decides_for_every_service_and_version(
    repository: str, around: tuple[str, str], service: str, version: str
) -> None:
    """A template is accepted exactly when the name that it gives to any service and version is legal."""
    template = f"{repository}{{service}}:{around[0]}{{version}}{around[1]}"
    path, _, tag = fill(template, service=service, version=version).partition(":")
    legal = REPOSITORY_PATH.fullmatch(path) and TAG.fullmatch(tag[:TAG_LENGTH])
    try:
        check_template("image", template)
    except ValueError:
        assert not legal
    else:
        assert legal


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Scheme("x", (), ("c:{version}",), ("s:{major}",)), id="no image"),
        pytest.param(lambda: Scheme("x", ("i:{version}",) * 2, ("c:{version}",), ("s:{major}",)), id="repeated"),
        pytest.param(lambda: Scheme("x", ("i:{version}",), ("c:{versio}",), ("s:{major}",)), id="bad template"),
    ],
)
def test_a_scheme_is_whole_or_not_at_all(make: Callable[[], Scheme]) -> None:
    """A scheme with an empty list, a repeated template or a bad one cannot be made."""
    with pytest.raises(ValueError, match=r"empty or repeats|is not a field"):
        make()


def test_fields_that_are_allowed_pass() -> None:
    """A template with allowed fields, or without any, is accepted."""
    check_fields("services/{service}", "service")
    check_fields("plain", "service")


def test_a_field_without_value_is_an_error() -> None:
    """Filling a template without one of its values fails instead of leaving the field."""
    with pytest.raises(KeyError):
        fill("{service}:{version}", service="s3")
