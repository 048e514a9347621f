from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.prow.generate.document import (
    WIDTH,
    DecorationConfig,
    EmptyDirVolume,
    EnvVar,
    KubernetesModel,
    Metadata,
    ProwModel,
    RerunAuthConfig,
    Role,
    RoleBinding,
    RoleRef,
    TeamSlug,
    Volume,
    VolumeMount,
    to_yaml,
)


class Words(ProwModel):
    """A document of any text."""

    text: str
    texts: dict[str, str]


def test_keys_stand_in_the_order_of_the_model() -> None:
    """Keys are written in the order in which the model has them, whatever the order in which they were given."""
    decoration = DecorationConfig(upload_ignores_interrupts=True, censor_secrets=True, grace_period="90s", timeout="1h")
    assert to_yaml(decoration) == (
        "timeout: 1h\ngrace_period: 90s\ncensor_secrets: true\nupload_ignores_interrupts: true\n"
    )


def test_keys_of_prow_and_of_kubernetes() -> None:
    """Prow's keys are in snake case, those of Kubernetes in camel case."""
    rerun = RerunAuthConfig(github_team_slugs=(TeamSlug(org="o", slug="s"),))
    assert yaml.safe_load(to_yaml(rerun)) == {"github_team_slugs": [{"org": "o", "slug": "s"}]}
    mount = VolumeMount(name="a", mount_path="/a", read_only=True)
    assert yaml.safe_load(to_yaml(mount)) == {"name": "a", "mountPath": "/a", "readOnly": True}


def test_what_is_not_there_is_not_written() -> None:
    """A key without a value is left out; an empty object stays one."""
    volume = Volume(name="tmp", empty_dir=EmptyDirVolume())
    assert yaml.safe_load(to_yaml(volume)) == {"name": "tmp", "emptyDir": {}}


def test_fixed_words_are_written() -> None:
    """Kind and version of an object are written though nobody gives them."""
    metadata = Metadata(name="a", namespace="b")
    role, binding = (
        Role(metadata=metadata, rules=()),
        RoleBinding(metadata=metadata, role_ref=RoleRef(name="a"), subjects=()),
    )
    for document, kind in zip(yaml.safe_load_all(to_yaml(role, binding)), ("Role", "RoleBinding"), strict=True):
        assert (document["apiVersion"], document["kind"]) == ("rbac.authorization.k8s.io/v1", kind)
        assert list(document)[:2] == ["apiVersion", "kind"]


def test_a_value_that_stands_twice() -> None:
    """A value that several keys share is written out for each, without anchors."""
    shared = EnvVar(name="a", value="b")
    text = to_yaml(*(Words(text="x", texts={"first": "y", "second": "y"}),) * 2, shared, shared)
    assert "&" not in text
    assert "*" not in text
    assert text.count("name: a") == 2


texts = st.text(max_size=40) | st.sampled_from(
    ["yes", "null", "1.10", "0x1", "~", "a: b", "# a", "é", "&a", "2026-01-01"]
)


@given(texts, st.dictionaries(texts, texts, max_size=3))
def test_any_text_is_read_back(text: str, others: dict[str, str]) -> None:
    """Whatever a text is, YAML gives it back as that text, and not as a number, a date or nothing."""
    assert yaml.safe_load(to_yaml(Words(text=text, texts=others))) == {"text": text, "texts": others}


def test_long_texts_are_folded_late() -> None:
    """A text stays on its line up to the width, so that commands and expressions can be found."""
    text = " ".join(["word"] * ((WIDTH - len("text: ")) // len("word ")))
    assert to_yaml(Words(text=text, texts={})).splitlines()[0] == f"text: {text}"


def test_letters_are_written_as_they_are() -> None:
    """A letter of any alphabet stands as itself, and not as an escape."""
    assert to_yaml(Words(text="Größe 日本", texts={})) == "text: Größe 日本\ntexts: {}\n"


@pytest.mark.parametrize(
    ("model", "fields", "problem"),
    [
        (TeamSlug, {"org": "o", "slug": "s", "team": "t"}, "team"),
        (VolumeMount, {"name": "a", "mountPath": "/a"}, "mountPath"),
        (Volume, {"name": "a", "empty": {}}, "empty"),
        (RerunAuthConfig, {"allow_anyone": "yes"}, "allow_anyone"),
        (VolumeMount, {"name": "a", "mount_path": "/a", "read_only": "yes"}, "read_only"),
        (EnvVar, {"name": "a"}, "value"),
    ],
    ids=["unknown", "by alias", "unknown kind", "text for truth", "text for Kubernetes", "missing"],
)
def test_a_field_that_does_not_exist(
    model: type[ProwModel | KubernetesModel], fields: dict[str, Any], problem: str
) -> None:
    """A misspelt, missing or wrongly typed field cannot be generated."""
    with pytest.raises(ValidationError, match=problem):
        model(**fields)


def test_documents_are_values() -> None:
    """What was decided cannot be changed on its way into a file."""
    mount = VolumeMount(name="a", mount_path="/a")
    with pytest.raises(ValidationError, match="frozen"):
        mount.name = "b"  # type: ignore[misc]  # the very thing that must fail
