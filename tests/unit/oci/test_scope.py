from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.name import Repository
from runner.oci.scope import Scope, is_of_a_repository, join_resources

HOST = "registry.example:5000"
PATHS = st.lists(st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)?", fullmatch=True), min_size=1, max_size=3).map("/".join)
NAMES = st.sampled_from(["repository:a", "repository:b/c", "repository:host:5000/a", "registry:catalog"])
ACTIONS = st.lists(st.sampled_from(["pull", "push", "delete", "*"]), min_size=1, max_size=3).map(",".join)
RESOURCES = st.lists(st.builds("{}:{}".format, NAMES, ACTIONS) | st.sampled_from(["aws", "*", "repository:a"]))


def granted(resources: tuple[str, ...] | list[str]) -> set[tuple[str, str]]:
    """Each resource with each of its actions, by a reading of its own."""
    pairs = set()
    for resource in resources:
        *name, actions = resource.split(":")
        pairs |= {(":".join(name), action) for action in actions.split(",")} if len(name) > 1 else {(resource, "")}
    return pairs


@given(PATHS, PATHS)
def test_scopes_in_words(path: str, source: str) -> None:
    """A scope reads as the token scheme writes it: the repository with its actions, and what is mounted from."""
    repository = Repository(HOST, path)
    assert str(Scope.pull(repository)) == f"repository:{path}:pull"
    assert str(Scope.push(repository)) == f"repository:{path}:pull,push"
    mounting = Scope.push(repository, source=Repository(HOST, source))
    mounted = "" if source == path else f" repository:{source}:pull"
    assert str(mounting) == f"repository:{path}:pull,push{mounted}"
    assert str(Scope(HOST)) == ""
    assert {scope.repository for scope in (Scope.pull(repository), Scope.push(repository), mounting)} == {path}


@given(RESOURCES)
def test_joined_resources(resources: list[str]) -> None:
    """What is joined grants exactly what its parts grant, names each resource once, and joins to itself."""
    joined = join_resources(resources)
    assert granted(joined) == granted(resources)
    names = [one.rpartition(":")[0] if one.count(":") > 1 else one for one in joined]
    assert len(set(zip(names, [one.count(":") > 1 for one in joined], strict=True))) == len(joined)
    assert join_resources(joined) == joined


@pytest.mark.parametrize(
    ("resources", "joined"),
    [
        (["repository:a:pull", "repository:a:pull,push"], ("repository:a:pull,push",)),
        (["repository:b:pull", "aws", "repository:a:push"], ("repository:b:pull", "aws", "repository:a:push")),
        (["repository:h:5000/a:pull", "repository:h:5000/a:push"], ("repository:h:5000/a:pull,push",)),
        (["*", "*"], ("*",)),
        ([], ()),
    ],
)
def test_what_joining_gives(resources: list[str], joined: tuple[str, ...]) -> None:
    """Actions of one resource come together, in the order in which they are named; what is no resource stays."""
    assert join_resources(resources) == joined


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("repository:a/b:pull", True),
        ("repository(plugin):a:pull", True),
        ("registry:catalog:*", False),
        ("repositorys:a:pull", False),
        ("repository", False),
        ("aws", False),
        ("*", False),
    ],
)
def test_scopes_of_a_repository(resource: str, expected: bool) -> None:  # noqa: FBT001 - a case of the table
    """Only what names a repository is about one; all else is about the registry."""
    assert is_of_a_repository(resource) is expected
