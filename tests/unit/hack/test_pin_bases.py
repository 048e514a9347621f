from __future__ import annotations

import pytest

from hack.pin_bases import full_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("public.ecr.aws/docker/library/python:3.14", "public.ecr.aws/docker/library/python:3.14"),
        ("python:3.14", "registry-1.docker.io/library/python:3.14"),
        ("bitnami/git:2", "registry-1.docker.io/bitnami/git:2"),
        ("docker.io/python:3.14", "registry-1.docker.io/library/python:3.14"),
        ("index.docker.io/bitnami/git:2", "registry-1.docker.io/bitnami/git:2"),
        ("localhost/base:1", "localhost/base:1"),
        ("localhost:5000/base:1", "localhost:5000/base:1"),
        ("registry:5000/team/base:1", "registry:5000/team/base:1"),
    ],
)
def test_full_names(name: str, expected: str) -> None:
    """A name without a host is Docker Hub's, as docker reads it; every other one stays as it is."""
    assert str(full_name(name)) == expected


@pytest.mark.parametrize("name", ["base", "Base:1", "registry.example/:1", "registry.example/a:b:c", "a b:1"])
def test_names_that_are_none(name: str) -> None:
    """What is no name with a tag is refused before a registry is asked."""
    with pytest.raises(ValueError, match="is not HOST/REPOSITORY"):
        full_name(name)
