"""What a remote is called and what it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.author.remotes import (
    RemoteRefs,
    Repository,
    choose_remote,
    compare_url,
    read_refs,
    read_repository,
    without_user,
)
from runner.errors import UsageInvalid
from runner.versions import ReleaseVersion

A, B, C = "a" * 40, "b" * 40, "c" * 40
PAGES = "https://github.com/aws-controllers-k8s/s3-controller"
S3 = Repository("github.com", "aws-controllers-k8s", "s3-controller", PAGES)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/aws-controllers-k8s/s3-controller",
        "https://github.com/aws-controllers-k8s/s3-controller.git",
        "https://user:secret@GitHub.com/aws-controllers-k8s/s3-controller/",
        "git@github.com:aws-controllers-k8s/s3-controller.git",
        "github.com:aws-controllers-k8s/s3-controller",
        "git@github.com:/aws-controllers-k8s/s3-controller.git",
        "ssh://git@github.com/aws-controllers-k8s/s3-controller.git",
        "ssh://git@github.com:2222/aws-controllers-k8s/s3-controller.git",
        "git://github.com/aws-controllers-k8s/s3-controller.git",
    ],
)
def test_addresses_of_a_host(url: str) -> None:
    """Every way of writing the address of a repository on a host gives the same repository, with its pages."""
    assert read_repository(url) == S3


@pytest.mark.parametrize(
    "url",
    [
        "/srv/aws-controllers-k8s/s3-controller.git",
        "file:///srv/aws-controllers-k8s/s3-controller",
        "../aws-controllers-k8s/s3-controller",
    ],
)
def test_addresses_without_a_host(url: str) -> None:
    """A repository in a folder has an owner and a name from its path, and no pages."""
    assert read_repository(url) == Repository("github.com", "aws-controllers-k8s", "s3-controller")


def test_address_with_a_port() -> None:
    """A host's port is kept where the pages are served by it."""
    found = read_repository("http://gitea.example:3000/ack/s3-controller")
    assert (found.host, found.url) == ("gitea.example:3000", "http://gitea.example:3000/ack/s3-controller")


@pytest.mark.parametrize("url", ["", "repo", "https://github.com/", "https://user:secret@github.com/only", "/"])
def test_address_of_nothing(url: str) -> None:
    """An address without owner and repository is refused, without the password that it may hold."""
    with pytest.raises(UsageInvalid) as refused:
        read_repository(url)
    assert "secret" not in refused.value.cause


def test_user_information() -> None:
    """Of an address people see neither user nor password."""
    assert without_user("https://user:secret@host/a/b") == "https://host/a/b"
    assert without_user("git@host:a/b") == "git@host:a/b"


def test_refs() -> None:
    """Branches, tags, what annotated tags peel to, and the default branch are read from what git lists."""
    refs = read_refs(
        f"ref: refs/heads/main\tHEAD\n{A}\tHEAD\n{A}\trefs/heads/main\n{B}\trefs/heads/release/x\n"
        f"{C}\trefs/tags/v1.2.3\n{A}\trefs/tags/v1.2.3^{{}}\n{B}\trefs/tags/v1.0.0\n{B}\trefs/tags/other\n"
    )
    assert refs == RemoteRefs(
        "main",
        {"main": A, "release/x": B},
        {"v1.2.3": A, "v1.0.0": B, "other": B},
        {"v1.2.3": C, "v1.0.0": B, "other": B},
    )
    assert set(refs.released) == {ReleaseVersion(1, 2, 3), ReleaseVersion(1, 0, 0)}


@pytest.mark.parametrize(
    "listed", ["", "ref: refs/heads/gone\tHEAD\n", f"{A}\tHEAD\n{A}\trefs/heads/x\n", "nonsense\n"]
)
def test_no_default_branch(listed: str) -> None:
    """A remote whose HEAD is no branch that is there has no default branch."""
    assert read_refs(listed).default is None


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9./-]{0,10}", fullmatch=True), st.sampled_from([A, B, C]), max_size=8)
)
def test_all_refs_are_read(tags: dict[str, str]) -> None:
    """No tag is lost, and one without a peeled line is its own commit."""
    refs = read_refs("".join(f"{commit}\trefs/tags/{name}\n" for name, commit in tags.items()))
    assert refs.tags == refs.objects == tags


@pytest.mark.parametrize(
    ("names", "wanted", "expected"),
    [
        (["origin"], None, "origin"),
        (["origin", "upstream"], None, "upstream"),
        (["fork", "origin"], None, "origin"),
        (["ack"], None, "ack"),
        (["origin", "upstream"], "origin", "origin"),
    ],
)
def test_chosen_remote(names: list[str], wanted: str | None, expected: str) -> None:
    """The remote that is named is taken, else upstream, then origin, then the only one."""
    assert choose_remote(names, wanted) == expected


@pytest.mark.parametrize(
    ("names", "wanted", "says"),
    [
        ([], None, "no remote"),
        (["a", "b"], None, "the remotes a, b"),
        (["a"], "b", "no remote b; it has a"),
        ([], "b", "none"),
    ],
)
def test_no_remote(names: list[str], wanted: str | None, says: str) -> None:
    """Where no remote can be chosen, the refusal says which there are."""
    with pytest.raises(UsageInvalid, match=says):
        choose_remote(names, wanted)


def test_page_of_a_pull_request() -> None:
    """The page names base and branch, and the owner of a fork; a repository without pages has none."""
    fork = Repository("github.com", "somebody", "s3-controller", "https://github.com/somebody/s3-controller")
    assert compare_url(S3, "main", S3, "release-v1.3.0") == f"{PAGES}/compare/main...release-v1.3.0?expand=1"
    assert compare_url(S3, "main", fork, "release-v1.3.0") == f"{PAGES}/compare/main...somebody:release-v1.3.0?expand=1"
    assert compare_url(Repository("github.com", "a", "b"), "main", S3, "x") is None
