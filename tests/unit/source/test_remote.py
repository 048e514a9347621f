from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import OutputTooLarge, RemoteUnreadable, ToolUnusable
from runner.runtime.process import Finished
from runner.source.remote import RemoteRefs, list_remote, read_base, read_refs
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "https://git.example/owner/s3-controller"
A, B, C = (letter * 40 for letter in "abc")
LISTED = f"""\
{C}\trefs/heads/stable
{A}\trefs/tags/v1.0.0
{B}\trefs/tags/v1.1.0
{C}\trefs/tags/v1.1.0^{{}}
{A}\trefs/tags/v1.2
{A}\trefs/tags/v1.2.3-rc.1
{A}\trefs/tags/vault
{A}\trefs/heads/feature/refs/heads/stable
no line of this kind
"""


def test_refs() -> None:
    """Release tags with their commits, annotated ones peeled, and the branch stable; everything else is left out."""
    refs = read_refs(LISTED)
    assert {str(version): commit for version, commit in refs.releases.items()} == {"1.0.0": A, "1.1.0": C}
    assert refs.stable == C


@given(st.text())
def test_any_text(text: str) -> None:
    """Whatever a server says, nothing but ids of objects is taken from it."""
    refs = read_refs(text)
    assert all(len(commit) in {40, 64} for commit in refs.releases.values())


@given(
    st.dictionaries(st.tuples(*[st.integers(0, 99)] * 3), st.booleans(), max_size=8),
    st.one_of(st.none(), st.just(A)),
)
def test_what_git_prints(tags: dict[tuple[int, int, int], bool], stable: str | None) -> None:
    """Each tag has its commit, whether it is annotated or not."""
    lines = [f"{stable}\trefs/heads/stable"] if stable else []
    for number, (version, annotated) in enumerate(tags.items()):
        name = f"refs/tags/v{'.'.join(map(str, version))}"
        lines += (
            [f"{1000 + number:040x}\t{name}", f"{number:040x}\t{name}^{{}}"]
            if annotated
            else [f"{number:040x}\t{name}"]
        )
    refs = read_refs("\n".join(lines))
    wanted = {ReleaseVersion(*version): f"{number:040x}" for number, version in enumerate(tags)}
    assert refs == RemoteRefs(wanted, stable)


@pytest.mark.parametrize("text", ["https://github.com/owner", "ssh://git@host/owner", "file:///srv/git/"])
def test_bases(text: str) -> None:
    """An address with a scheme is one, without the slash at its end."""
    assert read_base(text) == text.rstrip("/")


@pytest.mark.parametrize("text", ["", "github.com/owner", "--upload-pack=x", "ext::sh -c id", "https://a b", "/srv"])
def test_what_is_no_base(text: str) -> None:
    """A path, an option or another program to run is no address."""
    with pytest.raises(ValueError, match="is not an address"):
        read_base(text)


def ask(answer: Callable[..., Finished]) -> RemoteRefs:
    return list_remote(URL, answer, {"PATH": "/bin"}, Path("/nowhere"))


def failing(error: Exception) -> Callable[..., Finished]:
    def run(*_: Any, **__: Any) -> Finished:
        raise error

    return run


def test_how_git_is_asked() -> None:
    """Git is asked for two kinds of refs, in bounds, and asks nobody for a password."""
    seen: dict[str, Any] = {}

    def run(argv: tuple[str, ...], **options: Any) -> Finished:
        seen.update(options, argv=argv)
        return Finished(argv, 0, LISTED, "", 0.1)

    assert ask(run) == read_refs(LISTED)
    assert seen["argv"] == ("git", "ls-remote", "--quiet", "--", URL, "refs/heads/stable", "refs/tags/v*")
    assert (seen["env"]["PATH"], seen["env"]["GIT_ASKPASS"], seen["cwd"]) == ("/bin", "true", Path("/nowhere"))
    assert "ext" not in seen["env"]["GIT_ALLOW_PROTOCOL"].split(":")
    assert seen["seconds"] <= 60
    assert seen["limit"] > 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda argv, **_: Finished(argv, 128, "", "fatal: repository not found\n", 0.1), "repository not found"),
        (lambda argv, **_: Finished(argv, 128, "", "", 0.1), "git exits 128"),
        (failing(TimeoutError("too long")), "within 60 s"),
        (failing(OutputTooLarge("too much")), "more than"),
    ],
)
def test_a_repository_that_does_not_answer(answer: Callable[..., Finished], said: str) -> None:
    """It is an error that names the repository, never a repository without tags."""
    with pytest.raises(RemoteUnreadable, match=said) as caught:
        ask(answer)
    assert URL in caught.value.cause


def test_no_git() -> None:
    """Where there is no git, that is said."""
    with pytest.raises(ToolUnusable, match="git cannot be started"):
        ask(failing(FileNotFoundError(2, "No such file")))
