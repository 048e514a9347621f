"""The commands that pull what a run released: those that work, and no others."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.name import TAG, Name
from runner.report.pull import pull_commands

DIGEST = "sha256:" + "a" * 64
NAMES = st.builds(
    "{}/{}:{}".format,
    st.sampled_from(["public.ecr.aws", "127.0.0.1:5000", "localhost", "registry.example:443"]),
    st.from_regex(r"[a-z0-9]{1,8}(?:-[a-z0-9]{1,8}){0,2}(?:/[a-z0-9]{1,8}){0,2}", fullmatch=True),
    st.from_regex(TAG, fullmatch=True),
)


def test_an_image_is_pulled_by_tag_and_by_digest() -> None:
    """An image has the command with its tag, and the one that gives the same bytes for ever."""
    assert pull_commands("image", "public.ecr.aws/ack/controller:s3-v1.2.3", DIGEST) == (
        "docker pull public.ecr.aws/ack/controller:s3-v1.2.3",
        f"docker pull public.ecr.aws/ack/controller@{DIGEST}",
    )


def test_a_chart_is_pulled_by_version_and_by_digest() -> None:
    """A chart has helm's own form: an oci:// repository with a version, or with a digest."""
    assert pull_commands("chart", "public.ecr.aws/ack/s3-chart:v1-stable", DIGEST) == (
        "helm pull oci://public.ecr.aws/ack/s3-chart --version v1-stable",
        f"helm pull oci://public.ecr.aws/ack/s3-chart@{DIGEST}",
    )


@pytest.mark.parametrize("tag", ["s3-v1.2.3", "s3-v1-stable", "latest", "1.2.3.4", "v", "1.2_x"])
def test_helm_is_not_asked_for_a_tag_that_it_cannot_find(tag: str) -> None:
    """Helm looks only for tags that are versions; a chart under another tag is pulled by digest, tag checked."""
    assert pull_commands("chart", f"public.ecr.aws/ack/chart:{tag}", DIGEST) == (
        f"helm pull oci://public.ecr.aws/ack/chart:{tag}@{DIGEST}",
        f"helm pull oci://public.ecr.aws/ack/chart@{DIGEST}",
    )
    assert pull_commands("chart", f"public.ecr.aws/ack/chart:{tag}", None) == ()


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost:5000", "[::1]:5000"])
def test_helm_is_told_of_plain_http(host: str) -> None:
    """A registry on this machine speaks plain HTTP, which helm has to be told and docker knows."""
    commands = pull_commands("chart", f"{host}/ack/s3-chart:1.2.3", DIGEST)
    assert all(command.endswith(" --plain-http") for command in commands)
    assert not any("--plain-http" in command for command in pull_commands("image", f"{host}/ack/s3:1.2.3", DIGEST))


@given(st.sampled_from(["image", "chart"]), NAMES, st.none() | st.just(DIGEST))
def test_a_command_is_words_that_a_shell_leaves_as_they_are(kind: str, name: str, digest: str | None) -> None:
    """Whatever the name, a command can be pasted: no word needs quotes, and one names the repository."""
    repository = str(Name.parse(name).repository)
    for command in pull_commands(kind, name, digest):
        words = command.split(" ")
        assert shlex.join(words) == command
        assert words[:2] == (["docker", "pull"] if kind == "image" else ["helm", "pull"])
        assert repository in words[2]


@given(st.text())
def test_what_is_no_name_has_no_command(text: str) -> None:
    """A text that is not HOST/REPOSITORY:TAG has no command, and no error."""
    if pull_commands("image", text, text):
        Name.parse(text)
