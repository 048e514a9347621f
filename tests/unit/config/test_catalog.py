from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.config.catalog import ARCHITECTURES, Catalog, CatalogData, CatalogKind, catalog_schema, read_catalog
from runner.config.load import Config, load_config, parse_config
from runner.config.schema import LINUX_ARCHITECTURES
from runner.errors import ConfigurationInvalid
from runner.oci.manifest import Platform

CHECKED_IN = Path(__file__).resolve().parents[3] / "config"
BOTH = (Platform("linux", "amd64"), Platform("linux", "arm64"))
SCHEMA = jsonschema.Draft202012Validator(catalog_schema())
KINDS: tuple[CatalogKind, ...] = ("image", "chart", "shared_images", "shared_charts")


def catalog_of(text: str, *services: str) -> Catalog:
    catalog, problems = read_catalog(text.encode(), services)
    assert problems == ()
    assert catalog is not None
    return catalog


def problems_in(text: str, *services: str) -> list[str]:
    catalog, problems = read_catalog(text.encode(), services)
    assert (catalog is None) == bool(problems)
    return [f"{problem.line}: {problem.message}" for problem in problems]


# --- what it says of a repository -------------------------------------------------------------------------------------


def test_a_service_is_filled_in() -> None:
    """Each text is filled in with the service's name; text around it loses the white space at its ends only."""
    text = "image:\n  description: For {service}\n  about: |\n    # {service}\n\n    {service}!\n"
    data = catalog_of(text).data("image", "s3", BOTH)
    assert data == CatalogData("For s3", "# s3\n\ns3!", None, ("x86-64", "ARM 64"), ("Linux",))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_said(kind: CatalogKind) -> None:
    """Of a kind of repositories that the catalog does not name, it says nothing."""
    assert catalog_of("").data(kind, "s3", BOTH) is None
    others = "".join(f"{other}: {{description: x}}\n" for other in KINDS if other != kind)
    assert catalog_of(others).data(kind, "s3", BOTH) is None


@pytest.mark.parametrize("architecture", LINUX_ARCHITECTURES)
def test_architectures(architecture: str) -> None:
    """Architectures are in the gallery's words, each once; those that it has no word for are left out."""
    platforms = (Platform("linux", architecture), Platform("linux", architecture, "v7"))
    data = catalog_of("chart: {}").data("chart", "s3", platforms)
    assert data is not None
    assert data.architectures == ((ARCHITECTURES[architecture],) if architecture in ARCHITECTURES else ())


def test_words_of_the_gallery() -> None:
    """The gallery has four words for architectures."""
    assert set(ARCHITECTURES.values()) == {"x86-64", "ARM 64", "x86", "ARM"}


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("imag: {}", "1: unknown key 'imag'; did you mean 'image'?"),
        ("chart:\n  desciption: x", "2: unknown key 'desciption' in chart; did you mean 'description'?"),
        ("chart: text", "1: chart must be a mapping of keys, not the text 'text'"),
        (
            "chart: {about: '{servce}'}",
            "1: chart.about: '{servce}': {servce} is not a field of this template; allowed: {service}",
        ),
        ("chart:\n  usage: '  '", "2: chart.usage: is empty: leave the key out"),
        ("chart:\n\n  description: 'a\n\n    b'", "3: chart.description: must be one line"),
        (
            "shared_charts: {about: 'For {service}'}",
            "1: shared_charts.about: {service} has no value in a repository of several services",
        ),
        ("chart: {operating_systems: []}", "1: chart.operating_systems: at least one entry is needed"),
        (
            "chart: {operating_systems: [Linux, Plan 9]}",
            "1: chart.operating_systems[1]: 'Plan 9' is not supported; supported: 'Linux' or 'Windows'",
        ),
        ("chart: {}\nchart: {}", "2: the key 'chart' is repeated, first at line 1"),
        ("chart: [", "2: not YAML: did not find expected node content while parsing a flow node"),
        ("chart: &a {}", "1: the anchor &a is not allowed: write the value out where it is used"),
    ],
)
def test_mistakes(text: str, problem: str) -> None:
    """What is wrong is said with its line, its key and what is right."""
    assert problem in problems_in(text)


@pytest.mark.parametrize(("key", "limit"), [("description", 1024), ("about", 25600), ("usage", 25600)])
def test_lengths(key: str, limit: int) -> None:
    """A text may be as long as the gallery takes, filled in for whichever service has the longest name."""
    text = "{service}" + "x" * (limit - len("sagemaker"))
    catalog_of(f"image: {{{key}: '{text}'}}", "s3", "sagemaker")
    too_long = f"1: image.{key}: {limit + 1} characters for the service sagemaker1; the gallery takes {limit}"
    assert problems_in(f"image: {{{key}: '{text}'}}", "s3", "sagemaker1", "sns") == [too_long]


@given(
    st.dictionaries(
        st.sampled_from([*KINDS, "logo"]),
        st.dictionaries(
            st.sampled_from(["description", "about", "usage", "operating_systems", "logo"]),
            st.one_of(
                st.text(max_size=40),
                st.sampled_from(["{service}", "{x}", "x" * 1025, "x" * 25601]),
                st.lists(st.sampled_from(["Linux", "Windows", "x"]), max_size=3),
                st.none(),
                st.integers(),
            ),
            max_size=3,
        ),
        max_size=3,
    )
)
def test_any_file(document: dict[str, Any]) -> None:
    """Whatever a file says, it is refused with lines or gives data that the gallery takes, for every service."""
    services = ("s3", "elasticloadbalancing")
    catalog, problems = read_catalog(yaml.safe_dump(document).encode(), services)
    if catalog is None:
        assert all(problem.line >= 1 and problem.message for problem in problems)
        return
    for kind in KINDS:
        for service in services:
            data = catalog.data(kind, service, BOTH)
            if data is not None:
                assert len(data.description or "") <= 1024
                assert max(len(data.about or ""), len(data.usage or "")) <= 25600
                assert not any(text == "" or "{" in (text or "") for text in (data.description, data.about, data.usage))
                assert 1 <= len(data.operating_systems) <= 2


# --- the file that jobs.yaml names ------------------------------------------------------------------------------------


def configured(folder: Path, catalog: str | None, named: str = "catalog.yaml") -> Config:
    """A configuration in a folder with this catalog."""
    if catalog is not None:
        (folder / "catalog.yaml").write_text(catalog, encoding="utf-8")
    text = f"registry: public.ecr.aws/ack\nservices: {{s3: }}\naws:\n  catalog: {named}\n"
    return parse_config(text.encode(), folder / "jobs.yaml")


def test_beside_the_configuration(tmp_path: Path) -> None:
    """The path is relative to jobs.yaml, wherever the program is started."""
    catalog = configured(tmp_path, "image: {description: A}").catalog
    assert catalog is not None
    data = catalog.data("image", "s3", ())
    assert data is not None
    assert data.description == "A"


def test_file_that_is_missing(tmp_path: Path) -> None:
    """A catalog that is not there is told to who needs it, at the line that names it; one that is a folder, at once."""
    config = configured(tmp_path, None)
    missing = f"{tmp_path}/jobs.yaml:4: aws.catalog: {tmp_path}/catalog.yaml cannot be read: No such file or directory"
    assert config.catalog is None
    assert config.catalog_absent is not None
    assert config.catalog_absent.cause == missing
    (tmp_path / "catalog.yaml").mkdir()
    with pytest.raises(ConfigurationInvalid, match="cannot be read: Is a directory"):
        configured(tmp_path, None)


def test_mistake_in_the_file(tmp_path: Path) -> None:
    """A mistake in the catalog is named with its own file and line, when jobs.yaml is read."""
    with pytest.raises(ConfigurationInvalid) as raised:
        configured(tmp_path, "\nimage: {logo: x}")
    assert raised.value.cause.startswith(f"{tmp_path}/catalog.yaml:2: unknown key 'logo' in image")
    assert raised.value.exit_code == 2


def test_file_that_is_too_large(tmp_path: Path) -> None:
    """A catalog of more than a megabyte is not read."""
    with pytest.raises(ConfigurationInvalid, match=r"catalog\.yaml:1: larger than"):
        configured(tmp_path, "#" * (1 << 20) + "x")


def test_checked_in_catalog() -> None:
    """The checked-in catalog describes images and charts of every service, and repositories of several."""
    config = load_config(CHECKED_IN / "jobs.yaml")
    catalog = config.catalog
    assert catalog is not None
    for service in config.services:
        for kind in KINDS:
            data = catalog.data(kind, service, config.platforms)
            assert data is not None
            assert data.architectures == ("x86-64", "ARM 64")
            assert data.operating_systems == ("Linux",)
            assert (service in f"{data.description} {data.about} {data.usage}") or kind not in ("image", "chart")
            assert not re.search(r"[{}]", f"{data.description}{data.about}")


def test_schema_accepts_the_checked_in_catalog() -> None:
    """The JSON Schema for editors accepts what the program accepts, and refuses unknown keys and words."""
    SCHEMA.validate(yaml.safe_load((CHECKED_IN / "catalog.yaml").read_text("utf-8")))
    assert not SCHEMA.is_valid({"imag": {}})
    assert not SCHEMA.is_valid({"image": {"operating_systems": ["Plan 9"]}})
