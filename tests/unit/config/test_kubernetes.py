"""What Kubernetes takes in a pod: amounts, durations, names, labels and tolerations."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.config.kubernetes import (
    ANNOTATIONS_LENGTH,
    TolerationSection,
    amount,
    annotations_problem,
    filled,
    label_problem,
    object_name,
    seconds,
    secret_key,
)


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


@pytest.mark.parametrize("name", ["a", "a-b.c", "a" * 63, ".".join(["a" * 63] * 3), "0"])
def test_names_of_objects(name: str) -> None:
    """Lower-case words of letters, digits and dashes, with dots between them, are a name."""
    assert object_name(name) == name


@pytest.mark.parametrize("name", ["", "a..b", "a.-b", "a-.b", "-a", "a-", ".a", "A", "a_b", "a/b", "a\n", "a" * 254])
def test_what_is_no_name(name: str) -> None:
    """What Kubernetes does not take as a DNS subdomain is refused."""
    with pytest.raises(ValueError, match="is not a Kubernetes object's name"):
        object_name(name)


@pytest.mark.parametrize(("key", "taken"), [("config.json", True), (".a", True), (".", False), ("..a", False)])
def test_keys_of_secrets(key: str, *, taken: bool) -> None:
    """A key is a file's name, and no folder's."""
    if taken:
        assert secret_key(key) == key
    else:
        with pytest.raises(ValueError, match="is not a key of a Secret"):
            secret_key(key)


LABELS = {
    "plain": ("team", "ack", True),
    "no value": ("team", "", True),
    "with a prefix": ("example.com/team", "a_b.C-1", True),
    "longest": ("a" * 63, "b" * 63, True),
    "prefix with an empty part": ("a..b/team", "ack", False),
    "prefix with an edge": ("a-.b/team", "ack", False),
    "two prefixes": ("a/b/team", "ack", False),
    "no name": ("a/", "ack", False),
    "long key": ("a" * 64, "ack", False),
    "long value": ("team", "b" * 64, False),
    "value with a space": ("team", "a b", False),
    "value that ends with a dot": ("team", "a.", False),
    "value with a line": ("team", "a\n", False),
}


@pytest.mark.parametrize(("key", "value", "taken"), LABELS.values(), ids=LABELS)
def test_labels(key: str, value: str, *, taken: bool) -> None:
    """A label is a qualified name and at most 63 letters, digits, dashes, underscores and dots."""
    problem = label_problem(key, value)
    assert (problem is None) == taken
    assert problem is None or repr(value) in problem


@given(st.text("ab-._/ A", max_size=70))
def test_a_label_that_is_taken(value: str) -> None:
    """What is taken as a label's value is what Kubernetes' own expression takes, at most 63 characters long."""
    expected = len(value) <= 63 and re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", value)
    assert (label_problem("a", value) is None) == bool(expected)


@given(
    st.dictionaries(st.text(max_size=3), st.text("{servic}a ", max_size=30), max_size=3), st.text("abc-", min_size=1)
)
def test_the_service_in_a_value(values: dict[str, str], name: str) -> None:
    """Every {service} becomes the name, in values alone; nothing else changes."""
    result = filled(values, name)
    assert result.keys() == values.keys()
    assert all(result[key].count(name) >= value.count("{service}") for key, value in values.items())
    assert {key: value for key, value in result.items() if "{service}" not in values[key]} == {
        key: value for key, value in values.items() if "{service}" not in value
    }


def test_the_size_of_annotations() -> None:
    """Keys and values of an object's annotations are at most 256 KiB together, counted in bytes."""
    assert annotations_problem({"a": "é" * ((ANNOTATIONS_LENGTH - 2) // 2)}) is None
    assert annotations_problem({"ab": "é" * ((ANNOTATIONS_LENGTH - 2) // 2), "c": ""}) is not None


KEYS = st.sampled_from([None, "a", "example.com/a"])


@given(
    key=KEYS,
    operator=st.sampled_from(["Equal", "Exists"]),
    value=st.sampled_from([None, "", "v"]),
    effect=st.sampled_from([None, "NoSchedule", "PreferNoSchedule", "NoExecute"]),
    toleration_seconds=st.sampled_from([None, 0, 300]),
)
def test_tolerations(**fields: object) -> None:
    """A toleration is taken when Kubernetes takes it (pkg/apis/core/validation, ValidateTolerations), else refused."""
    right = (
        (fields["key"] is not None or fields["operator"] == "Exists")
        and not (fields["operator"] == "Exists" and fields["value"])
        and (fields["toleration_seconds"] is None or fields["effect"] == "NoExecute")
    )
    if right:
        assert TolerationSection.model_validate(fields).model_dump() == fields
    else:
        with pytest.raises(ValidationError):
            TolerationSection.model_validate(fields)
