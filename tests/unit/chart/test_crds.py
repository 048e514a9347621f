from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.chart.archive import pack
from runner.chart.crds import Brought, Expected, check_crds, definitions, is_patched, load, objects
from runner.chart.yaml_text import parse
from runner.errors import CrdsDiffer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME = "buckets.s3.services.k8s.aws"
BASE = f"config/crd/bases/{NAME}.yaml"
FILE = f"crds/{NAME}.yaml"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A bucket.",
    "required": ["spec", "kind"],
    "properties": {
        "description": {"type": "string", "description": "What people read."},
        "kind": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "spec": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": {"type": "integer"}},
    },
}
CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": NAME, "annotations": {"controller-gen.kubebuilder.io/version": "v0.16.2"}},
    "spec": {
        "group": "s3.services.k8s.aws",
        "names": {"kind": "Bucket", "plural": "buckets"},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}},
            {"name": "v1beta1", "served": True, "storage": False, "subresources": {"status": {}}},
        ],
    },
}


def written(crd: Mapping[str, Any] = CRD) -> bytes:
    return yaml.safe_dump(crd).encode()


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The definition with something changed in its first version."""
    made = copy.deepcopy(CRD)
    change(made)
    return written(made)


def schema(crd: dict[str, Any]) -> dict[str, Any]:
    """The schema of its first version."""
    found: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def check(
    packaged: Mapping[str, bytes], *, own: bytes = written(), rendered: tuple[Any, ...] = (), **more: Any
) -> tuple[str, ...]:
    """Check a chart with these files against one definition of the repository."""
    committed = more.pop("committed", packaged)
    return check_crds(Expected({BASE: own}, **more), Brought("helm", packaged, committed, rendered))


def problems(packaged: Mapping[str, bytes], **more: Any) -> tuple[str, ...]:
    with pytest.raises(CrdsDiffer) as refused:
        check(packaged, **more)
    assert refused.value.exit_code == 4
    return refused.value.detail


@pytest.mark.parametrize(
    "body",
    [
        written(),
        written().replace(b"v0.16.2", b"v0.4.0"),
        b"# Copied.\n" + written(),
        json.dumps(CRD).encode(),
        written({"apiVersion": "v1", "kind": "List", "items": [CRD]}),
        b"---\nkind: ConfigMap\n---\n" + written(),
        changed(lambda crd: schema(crd).update(description="In other words.")),
        changed(lambda crd: schema(crd)["properties"]["description"].pop("description")),
        changed(lambda crd: schema(crd)["required"].reverse()),
        changed(lambda crd: schema(crd)["properties"]["kind"]["enum"].reverse()),
        changed(lambda crd: crd["spec"]["versions"].reverse()),
        changed(lambda crd: crd["spec"].update(conversion={"strategy": "None"}, preserveUnknownFields=False)),
        changed(lambda crd: crd["spec"]["names"].update(listKind="BucketList", singular="bucket")),
        changed(lambda crd: crd.update(status={"conditions": []})),
        changed(lambda crd: crd["metadata"].update(labels={"a": "b"}, annotations=None)),
    ],
)
def test_definitions_that_are_the_same_in_spec(body: bytes) -> None:
    """Words to people, order, form, labels, annotations and what a cluster fills in make no difference."""
    assert check({FILE: body}) == ()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (changed(lambda crd: schema(crd)["properties"].pop("spec")), "it lacks spec.versions.v1alpha1.schema."),
        (changed(lambda crd: schema(crd)["properties"].pop("description")), "openAPIV3Schema.properties.description"),
        (changed(lambda crd: schema(crd)["properties"].update(more={})), "openAPIV3Schema.properties.more, too"),
        (changed(lambda crd: schema(crd)["properties"]["kind"].update(default="b")), "default is 'b', not 'a'"),
        (changed(lambda crd: schema(crd)["properties"]["kind"].update(enum=["a"])), "a list of 1, not a list of 2"),
        (changed(lambda crd: schema(crd)["required"].append("description")), "a list of 3, not a list of 2"),
        (changed(lambda crd: crd["spec"]["versions"].pop()), "it lacks spec.versions.v1beta1"),
        (changed(lambda crd: crd["spec"]["versions"][1].update(served=False)), "served is False, not True"),
        (changed(lambda crd: crd["spec"]["versions"][1].update(served=1)), "served is 1, not True"),
        (changed(lambda crd: crd["spec"]["versions"][1].pop("subresources")), "v1beta1.subresources"),
        (changed(lambda crd: crd["spec"].update(scope="Cluster")), "scope is 'Cluster', not 'Namespaced'"),
        (changed(lambda crd: crd.update(apiVersion="apiextensions.k8s.io/v1beta1")), "apiVersion is"),
        (
            changed(lambda crd: schema(crd)["properties"]["spec"].update(additionalProperties=True)),
            "additionalProperties is True, not a mapping",
        ),
    ],
)
def test_definitions_that_differ_in_spec(body: bytes, place: str) -> None:
    """Its name, both files and the first place that differs are told."""
    [said] = problems({FILE: body})
    assert said.startswith(f"{NAME} in helm/{FILE} differs from {BASE}: ")
    assert place in said


def test_a_definition_that_is_missing() -> None:
    """Where the chart has none at all, the folder that lacks it is named."""
    assert problems({"values.yaml": b""}) == (f"{NAME} of {BASE} is missing in helm/crds",)


def test_a_definition_that_helmignore_hides() -> None:
    """The file that is committed and not packaged is named."""
    assert problems({}, committed={FILE: written()}) == (
        f"{NAME} of {BASE} is not in the packaged chart: .helmignore hides helm/{FILE}",
    )


def test_a_definition_in_a_file_that_helm_does_not_install() -> None:
    """Helm reads files of three suffixes below crds."""
    file = f"{FILE}.disabled"
    assert problems({file: written()}) == (
        f"{NAME} of {BASE} is not installed: helm reads no file named as helm/{file}",
    )


@pytest.mark.parametrize(
    ("packaged", "rendered"),
    [
        ({f"crds/deep/er/{NAME}.yml": written()}, ()),
        ({"crds/all.json": json.dumps(CRD).encode()}, ()),
        ({f"charts/sub/{FILE}": written()}, ()),
        ({f"charts/sub/charts/more/{FILE}": written()}, ()),
        ({"charts/sub-1.0.0.tgz": pack("sub", {FILE: written()})}, ()),
        ({}, (None, {"kind": "Deployment"}, *parse(written()))),
        ({}, parse(written({"kind": "List", "items": [CRD]}))),
    ],
    ids=["deep", "json", "sub-chart", "nested", "packed", "template", "list"],
)
def test_wherever_a_chart_may_bring_definitions(packaged: dict[str, bytes], rendered: tuple[Any, ...]) -> None:
    """Below crds at any depth, of a sub-chart, or from a template."""
    assert check(packaged, rendered=rendered) == ()


def test_a_rendered_definition_that_differs() -> None:
    """Truth values, numbers and texts that a template renders are compared by what they are."""
    for change in ({"served": False}, {"served": 1}, {"name": "v2"}):
        body = changed(lambda crd, change=change: crd["spec"]["versions"][1].update(change))  # type: ignore[misc]
        assert problems({}, rendered=parse(body))[0].startswith(f"{NAME} in helm/templates differs from {BASE}: ")


def test_common_definitions_may_be_newer_in_the_chart() -> None:
    """Those of the runtime may have more there, and nothing less."""
    common = {"config/crd/common/bases/c.yaml": written()}
    newer = changed(lambda crd: schema(crd)["properties"]["spec"].update(properties={"a": {}}, required=["a"]))
    longer = changed(lambda crd: schema(crd)["required"].append("description"))
    for body in (newer, longer):
        assert check_crds(Expected(common=common), Brought("helm", {FILE: body}, {})) == ()
    older = changed(lambda crd: schema(crd)["properties"].pop("spec"))
    with pytest.raises(CrdsDiffer, match=r"differs from config/crd/common/bases/c\.yaml: it lacks spec"):
        check_crds(Expected(common=common), Brought("helm", {FILE: older}, {}))
    with pytest.raises(CrdsDiffer, match=r"of config/crd/common/bases/c\.yaml is missing"):
        check_crds(Expected(common=common), Brought("helm", {}, {}))


def test_charts_that_share_a_folder() -> None:
    """None of them needs to have every definition, but what it has must be the same."""
    assert check({}, complete=False) == ()
    assert problems({FILE: changed(lambda crd: crd["spec"].update(scope="Cluster"))}, complete=False)


def test_definitions_that_kustomize_changes() -> None:
    """The chart may hold the changed ones, but must hold them."""
    assert check({FILE: changed(lambda crd: crd["spec"].update(scope="Cluster"))}, patched=True) == ()
    assert problems({}, patched=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"resources: [a.yaml]\n", False),
        (b"resources: [a.yaml]\npatchesStrategicMerge: [b.yaml]\n", True),
        (b"patches: [{path: b.yaml}]\n", True),
        (b"a: b: c\n", False),
        (b"", False),
    ],
)
def test_kustomizations_that_change_something(text: bytes, *, expected: bool) -> None:
    """By the keys that kustomize has for that."""
    assert is_patched(text) is expected


def test_a_definition_that_stands_twice() -> None:
    """Helm installs the first of two that differ, so that is refused; two that are the same do no harm."""
    other = changed(lambda crd: crd["spec"].update(scope="Cluster"))
    assert problems({FILE: written(), "crds/z.yaml": other}) == (
        f"{NAME} stands in helm/{FILE} and, differently, in helm/crds/z.yaml",
    )
    assert check({FILE: written(), "crds/z.yaml": b"# again\n" + written()}) == ()


@pytest.mark.parametrize("body", [b"{{ if .Values.a }}\na: b\n", b"a: b: c\n", b"\xff", b"[" * 5000])
def test_a_file_below_crds_that_cannot_be_read(body: bytes) -> None:
    """No cluster takes what is no YAML, a template among them: helm renders nothing there."""
    assert any(said.startswith("helm/crds/a.yaml cannot be read: ") for said in problems({"crds/a.yaml": body}))


def test_a_file_of_the_repository_that_cannot_be_read() -> None:
    """It is not published, so that is a warning."""
    [warning] = check({FILE: written()}, own=b"a: b: c\n")
    assert warning.startswith(f"{BASE} cannot be read: mapping values are not allowed in this context")
    assert warning.endswith("; it is not compared with the chart")


def test_charts_without_anything_to_compare() -> None:
    """A repository without definitions demands none."""
    assert check_crds(Expected(), Brought("helm", {}, {})) == ()
    assert check_crds(Expected(), Brought("helm", {FILE: written()}, {})) == ()


def test_a_document_that_grows_without_end_is_refused() -> None:
    """Aliases that multiply, or lead to themselves, end as a file that cannot be read."""
    bomb = "spec:\n  a0: &a0 {x: y}\n" + "".join(
        f"  a{i}: &a{i} {{{', '.join(f'k{j}: *a{i - 1}' for j in range(10))}}}\n" for i in range(1, 9)
    )
    loop = "spec: &a\n  a: *a\n"
    for text in (bomb, loop):
        body = f"kind: CustomResourceDefinition\nmetadata: {{name: {NAME}}}\n{text}".encode()
        [said] = definitions({"a": body}).faults
        assert said.startswith("a cannot be read: ")


@pytest.mark.parametrize(
    "text", [b"", b"a\n", b"kind: CustomResourceDefinition\n", b"kind: List\nitems: x\n", b"- a\n"]
)
def test_what_is_no_definition_is_left_out(text: bytes) -> None:
    """Other objects, lists of nothing and scalars are neither definitions nor faults."""
    assert definitions({"a": text}) == definitions({})


def test_values_are_read_as_kubernetes_reads_them() -> None:
    """Dates and equals signs are text, truth and numbers are not."""
    [document] = load(b"a: 2020-01-01\nb: =\nc: true\nd: 1\n")
    assert document == {"a": "2020-01-01", "b": "=", "c": True, "d": 1}
    assert list(objects({"kind": "PodList", "items": [1, 2]})) == [1, 2]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "properties", "default"]), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text("ab", min_size=1, max_size=2), JSON), st.text(max_size=5))
def test_equal_specs_never_differ(spec: dict[str, Any], words: str) -> None:
    """Whatever a spec holds, its copy passes, and so does one in other words."""
    one = written({**CRD, "spec": spec})
    other = json.dumps({**CRD, "spec": {**spec, "description": words}}).encode()
    assert check({FILE: other}, own=one) == ()


@given(st.dictionaries(st.text("ab", min_size=1, max_size=2), JSON), st.sampled_from("xyz"))
def test_a_key_more_or_less_is_always_found(spec: dict[str, Any], key: str) -> None:
    """A value under a new key differs in both directions."""
    more = written({**CRD, "spec": {**spec, key: 1}})
    assert problems({FILE: more}, own=written({**CRD, "spec": spec}))
    assert problems({FILE: written({**CRD, "spec": spec})}, own=more)
