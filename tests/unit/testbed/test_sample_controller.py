from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.job_inputs import checkout_folder, prow_environment
from testbed.sample_controller import PRODUCTION, SCHEMES, SampleRepository, make_repository

VERSIONS = st.tuples(*[st.integers(0, 999)] * 3).map(lambda parts: ".".join(map(str, parts)))
SERVICES = st.from_regex(r"[a-z][a-z0-9]{0,19}", fullmatch=True)


def sample(folder: Path, *, service: str = "widget", scheme: str = "seed") -> SampleRepository:
    return SampleRepository(folder, service, PRODUCTION, scheme, f"{service}-chart")


@pytest.mark.parametrize(
    ("scheme", "image", "chart_version"),
    [
        pytest.param("seed", (f"{PRODUCTION}/controller", "widget-v1.2.3"), "v1.2.3", id="seed"),
        pytest.param("repo-per-service-v", (f"{PRODUCTION}/widget-controller", "v1.2.3"), "v1.2.3", id="with v"),
        pytest.param("repo-per-service", (f"{PRODUCTION}/widget-controller", "1.2.3"), "1.2.3", id="without v"),
    ],
)
def test_names_of_each_scheme(scheme: str, image: tuple[str, str], chart_version: str) -> None:
    """Each scheme names image and chart version as real controllers of its era do."""
    repository = sample(Path("unused"), scheme=scheme)
    assert repository.image("1.2.3") == image
    assert repository.chart_version("1.2.3") == chart_version


@given(service=SERVICES, version=VERSIONS, other=VERSIONS, scheme=st.sampled_from(sorted(SCHEMES)))
def test_versions_have_images_of_their_own(service: str, version: str, other: str, scheme: str) -> None:
    """Two versions share an image name only when they are the same version."""
    repository = sample(Path("unused"), service=service, scheme=scheme)
    assert (repository.image(version) == repository.image(other)) == (version == other)


def test_an_unknown_scheme_is_refused(tmp_path: Path) -> None:
    """A scheme that does not exist is refused by name before anything is written."""
    with pytest.raises(ValueError, match="no scheme 'seeds'"):
        make_repository(tmp_path / "repository", scheme="seeds")
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_artifacts_have_no_word_left_to_fill_in(tmp_path: Path, scheme: str) -> None:
    """Every placeholder of the template is filled, in every scheme."""
    repository = sample(tmp_path, scheme=scheme)
    repository.write_release("1.2.3")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if "@" in path.read_text(encoding="utf-8").replace("example@", "")] == []


def test_artifacts_have_the_shape_of_a_controller(tmp_path: Path) -> None:
    """The files that the runner and people look for are where real controllers have them."""
    sample(tmp_path).write_release("1.2.3")
    expected = {
        *("LICENSE", "ATTRIBUTION.md", "go.mod", "metadata.yaml", "cmd/controller/main.go", "pkg/version/version.go"),
        *("config/controller/kustomization.yaml", "helm/Chart.yaml", "helm/values.yaml", "helm/values.schema.json"),
        *("helm/templates/deployment.yaml", "helm/templates/_helpers.tpl", "helm/templates/NOTES.txt"),
        *("helm/templates/service-account.yaml", "helm/crds/samples.yaml"),
    }
    assert {path for path in expected if not (tmp_path / path).is_file()} == set()


def test_services_of_one_repository_share_a_module(tmp_path: Path) -> None:
    """In a repository of several services each has a folder; module, version package and licences stand once."""
    for service in ("gadget", "widget"):
        part = SampleRepository(tmp_path, service, PRODUCTION, "seed", f"{service}-chart", monorepo="community")
        assert part.name == "community"
        part.write_release("1.2.3")
    assert {path.name for path in tmp_path.iterdir()} == {"ATTRIBUTION.md", "LICENSE", "go.mod", "pkg", "services"}
    assert (tmp_path / "go.mod").read_text("utf-8").startswith("module github.com/aws-controllers-k8s/community\n")
    for service in ("gadget", "widget"):
        folder = tmp_path / "services" / service
        assert {path.name for path in folder.iterdir()} == {"cmd", "config", "helm", "metadata.yaml"}
        assert "/community/pkg/version" in (folder / "cmd/controller/main.go").read_text("utf-8")
        assert f"name: {service}-chart" in (folder / "helm/Chart.yaml").read_text("utf-8")


def test_edits_replace_change_and_remove(tmp_path: Path) -> None:
    """An edit is a new text, a change of the old text, or a removal."""
    repository = sample(tmp_path)
    repository.write_release("1.2.3")
    repository.edit(
        {
            "helm/values.yaml": lambda text: text.replace("replicas: 1", "replicas: 2"),
            "deep/new.txt": "new\n",
            "ATTRIBUTION.md": None,
        }
    )
    assert "replicas: 2" in (tmp_path / "helm/values.yaml").read_text(encoding="utf-8")
    assert (tmp_path / "deep/new.txt").read_text(encoding="utf-8") == "new\n"
    assert not (tmp_path / "ATTRIBUTION.md").exists()


def test_the_flat_variables_agree_with_the_job_specification(tmp_path: Path) -> None:
    """JOB_SPEC and the flat variables of the environment say the same, as Prow's do."""
    environment = prow_environment(sample(tmp_path), "v1.2.3", "a" * 40, artifacts=tmp_path, build_id="7")
    specification = json.loads(environment["JOB_SPEC"])
    refs = specification["refs"]
    assert (refs["org"], refs["repo"]) == (environment["REPO_OWNER"], environment["REPO_NAME"])
    assert (refs["base_ref"], refs["base_sha"]) == (environment["PULL_BASE_REF"], environment["PULL_BASE_SHA"])
    assert specification["buildid"] == environment["BUILD_ID"] == "7"
    assert environment["PULL_REFS"] == f"v1.2.3:{'a' * 40}"


def test_the_checkout_stands_where_clonerefs_puts_it(tmp_path: Path) -> None:
    """The clone's folder is src/HOST/OWNER/REPOSITORY below the workspace."""
    expected = tmp_path / "src/github.com/aws-controllers-k8s/widget-controller"
    assert checkout_folder(tmp_path, sample(tmp_path)) == expected
