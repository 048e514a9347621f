from __future__ import annotations

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.ecr_public import model
from testbed.ecr_public.operations import OPERATIONS

NAME = r"([a-z0-9]{1,9}[._-])?[a-z0-9]{2,9}(/[a-z0-9]{1,9}([._-][a-z0-9]{1,9})?){0,9}"


def test_every_operation_has_its_function() -> None:
    """The operations of the installed botocore are those that are served."""
    assert sorted(OPERATIONS) == sorted(model.operations())


@given(st.from_regex(NAME, fullmatch=True))
def test_names_of_repositories(name: str) -> None:
    """Names of lower-case parts, joined by single separators and slashes, are valid."""
    model.validate("CreateRepository", {"repositoryName": name})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["repositoryName", "tags", "x"]), inner)
    ),
    max_leaves=6,
)


@given(st.sampled_from(sorted(OPERATIONS)), json_values)
def test_any_request(operation: str, given_value: Any) -> None:
    """Whatever is sent is valid or invalid, and never an error of another kind."""
    with contextlib.suppress(model.InvalidRequest):
        model.validate(operation, given_value)


@pytest.mark.parametrize("text", ["", "x" * 1024])
def test_the_longest_text(text: str) -> None:
    """A text of the greatest length that the model has is valid; one more character is not."""
    data = {"repositoryName": "app", "catalogData": {"description": text}}
    model.validate("PutRepositoryCatalogData", data)
    longer = {"repositoryName": "app", "catalogData": {"description": "x" * 1025}}
    with pytest.raises(model.InvalidRequest, match=r"'description'.*less than or equal to 1024"):
        model.validate("PutRepositoryCatalogData", longer)


def test_the_largest_logo() -> None:
    """A logo's limit is that of its bytes, not of the base64 that is sent."""

    def logo(size: int) -> dict[str, Any]:
        return {"repositoryName": "app", "catalogData": {"logoImageBlob": base64.b64encode(bytes(size)).decode()}}

    model.validate("PutRepositoryCatalogData", logo(512_000))
    with pytest.raises(model.InvalidRequest, match="logoImageBlob"):
        model.validate("PutRepositoryCatalogData", logo(512_001))


@pytest.mark.parametrize(("number", "valid"), [(0, False), (1, True), (1000, True), (1001, False)])
def test_numbers(number: int, valid: bool) -> None:  # noqa: FBT001 - a parameter
    """A page's size has the model's bounds."""
    if valid:
        model.validate("DescribeRepositories", {"maxResults": number})
        return
    with pytest.raises(model.InvalidRequest):
        model.validate("DescribeRepositories", {"maxResults": number})


def test_another_service() -> None:
    """Shapes of another service are checked likewise: the name of STS's sessions has an alphabet."""
    shape = model.service("sts").operation_model("AssumeRole").input_shape.members["RoleSessionName"]
    model.check("widget-release@1", shape, "RoleSessionName")
    with pytest.raises(model.InvalidRequest, match="RoleSessionName"):
        model.check("widget/release", shape, "RoleSessionName")
