from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ExitCode, UsageInvalid
from runner.runtime.workspace import (
    FOLDERS,
    NETWORK,
    PASSED,
    child_environment,
    offline,
    open_workspace,
    remove_folder,
)

SECRETS = {
    "AWS_ACCESS_KEY_ID": "hunter2",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "AWS_SESSION_TOKEN": "hunter2",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/hunter2",
    "GITHUB_TOKEN": "hunter2",
    "GH_TOKEN": "hunter2",
    "GOAUTH": "hunter2",
    "NETRC": "/hunter2",
    "HELM_REGISTRY_CONFIG": "/hunter2",
    "DOCKER_CONFIG": "/hunter2",
    "DOCKER_AUTH_CONFIG": "hunter2",
    "REGISTRY_AUTH_FILE": "/hunter2",
    "ENTRYPOINT_OPTIONS": "hunter2",
    "JOB_SPEC": "hunter2",
    "KUBECONFIG": "/hunter2",
    "SSH_AUTH_SOCK": "/hunter2",
}
HOSTILE = {
    "GOFLAGS": "-mod=mod -toolexec=/hunter2",
    "GOENV": "/hunter2",
    "GOTOOLCHAIN": "hunter2",
    "GOWORK": "/hunter2",
    "CGO_ENABLED": "1",
    "GOOS": "hunter2",
    "GOARCH": "hunter2",
    "GOEXPERIMENT": "hunter2",
    "GOPATH": "/hunter2",
    "GOTMPDIR": "/hunter2",
    "CC": "/hunter2",
    "LD_PRELOAD": "/hunter2",
    "PYTHONPATH": "/hunter2",
    "HOME": "/hunter2",
    "TMPDIR": "/hunter2",
    "XDG_CONFIG_HOME": "/hunter2",
    "HELM_PLUGINS": "/hunter2",
    "HELM_NAMESPACE": "hunter2",
    "HELM_DEBUG": "hunter2",
    "GIT_DIR": "/hunter2",
    "GIT_WORK_TREE": "/hunter2",
    "GIT_INDEX_FILE": "/hunter2",
    "GIT_OBJECT_DIRECTORY": "/hunter2",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.hunter2",
    "GIT_CONFIG_VALUE_0": "hunter2",
    "GIT_CONFIG_PARAMETERS": "hunter2",
    "GIT_CONFIG_GLOBAL": "/hunter2",
    "GIT_SSH_COMMAND": "/hunter2",
    "GIT_EXTERNAL_DIFF": "/hunter2",
    "GIT_REPLACE_REF_BASE": "refs/hunter2",
    "TZ": "hunter2",
}


@pytest.mark.parametrize("name", PASSED)
def test_what_is_named_passes(tmp_path: Path, name: str) -> None:
    """Each variable of the list reaches children unchanged."""
    assert child_environment({name: "given"}, tmp_path)[name] == "given"


@pytest.mark.parametrize("name", sorted({**SECRETS, **HOSTILE}))
def test_nothing_else_passes(tmp_path: Path, name: str) -> None:
    """Neither a secret nor a setting of the machine reaches children, under its own name or another."""
    assert "hunter2" not in str(child_environment({name: {**SECRETS, **HOSTILE}[name]}, tmp_path))


@given(
    st.dictionaries(
        st.one_of(st.from_regex(r"[A-Z_]{1,20}", fullmatch=True), st.sampled_from([*PASSED, *FOLDERS])),
        st.text(st.characters(exclude_characters="\0"), min_size=1),
    )
)
def test_the_environment_depends_on_the_list_only(inherited: dict[str, str]) -> None:
    """Whatever the runner inherits, children's environment is that of the listed variables alone."""
    with tempfile.TemporaryDirectory() as folder:
        listed = {key: value for key, value in inherited.items() if key in PASSED}
        environment = child_environment(inherited, Path(folder))
        assert environment == child_environment(listed, Path(folder))
        assert listed.items() <= environment.items()


@pytest.mark.parametrize("name", FOLDERS)
def test_children_write_below_the_work_folder_only(tmp_path: Path, name: str) -> None:
    """Every folder that a tool would look for in the user's home is below the work folder."""
    assert Path(child_environment({"HOME": "/home/user"}, tmp_path)[name]).is_relative_to(tmp_path)


def test_the_folders_that_tools_expect_are_there(tmp_path: Path) -> None:
    """In the folder of a run HOME, TMPDIR and Go's temporary folder exist, as children get them."""
    with open_workspace({"TMPDIR": str(tmp_path)}) as folder:
        environment = child_environment({}, folder)
        assert all(Path(environment[name]).is_dir() for name in ("HOME", "TMPDIR", "GOTMPDIR"))


def test_the_environment_makes_no_folder(tmp_path: Path) -> None:
    """The environment of children is a value: it is made without touching the disk."""
    child_environment({}, tmp_path / "work")
    assert list(tmp_path.iterdir()) == []


def test_caches_that_are_given_are_used(tmp_path: Path) -> None:
    """Go's caches are below the work folder only where none are given; empty is not given."""
    environment = child_environment({"GOCACHE": "/cache", "GOMODCACHE": ""}, tmp_path)
    assert environment["GOCACHE"] == "/cache"
    assert Path(environment["GOMODCACHE"]).is_relative_to(tmp_path)


def test_go_is_held_to_what_is_installed(tmp_path: Path) -> None:
    """Go neither downloads a toolchain, nor reads settings or a workspace file, nor calls a C compiler."""
    environment = child_environment({"GOFLAGS": "-v"}, tmp_path)
    expected = {"GOFLAGS": "", "GOENV": "off", "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
    assert {name: environment[name] for name in expected} == expected


def test_git_is_told_which_trees_are_safe(tmp_path: Path) -> None:
    """Each safe folder is a setting of git, without symbolic links, and the count is right."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    environment = child_environment({}, tmp_path / "work", [tmp_path / "link", Path("/other")])
    count = int(environment["GIT_CONFIG_COUNT"])
    settings = [(environment[f"GIT_CONFIG_KEY_{n}"], environment[f"GIT_CONFIG_VALUE_{n}"]) for n in range(count)]
    assert len([name for name in environment if name.startswith("GIT_CONFIG_KEY_")]) == count
    safe = [value for key, value in settings if key == "safe.directory"]
    assert safe == [str((tmp_path / "real").resolve()), "/other"]


def test_every_value_is_text(tmp_path: Path) -> None:
    """An environment is text throughout, as programs are started with it."""
    environment = child_environment({"PATH": "/bin"}, tmp_path, [tmp_path])
    assert {type(value) for value in environment.values()} == {str}


def test_a_workspace_is_private_and_goes_away(tmp_path: Path) -> None:
    """The folder is made where TMPDIR says, for this user only, and is gone at the end."""
    with open_workspace({"TMPDIR": str(tmp_path)}) as folder:
        assert folder.parent == tmp_path.resolve()
        assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IRWXU
        (folder / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inherited", [{}, {"TMPDIR": ""}], ids=["unset", "empty"])
def test_a_workspace_needs_no_variable(monkeypatch: pytest.MonkeyPatch, inherited: dict[str, str]) -> None:
    """Without TMPDIR and HOME the folder is below /tmp, whatever the process's own environment says."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("TMPDIR", "/nowhere")
    with open_workspace(inherited) as folder:
        assert folder.parent == Path("/tmp").resolve()  # noqa: S108 - the expected place
    assert not folder.exists()


def test_workspaces_of_one_time_are_apart(tmp_path: Path) -> None:
    """Two runs on one machine have folders of their own."""
    inherited = {"TMPDIR": str(tmp_path)}
    with open_workspace(inherited) as one, open_workspace(inherited) as other:
        assert one != other


def test_read_only_folders_go_away_too(tmp_path: Path) -> None:
    """Folders and files that nobody may write or enter, as in Go's module cache, are removed."""
    with open_workspace({"TMPDIR": str(tmp_path)}) as folder:
        deep = folder / "mod" / "example.com@v1" / "pkg"
        deep.mkdir(parents=True)
        (deep / "file.go").touch(mode=0o444)
        for closed, mode in ((deep, 0o000), (deep.parent, 0o555), (deep.parent.parent, 0o555), (folder, 0o500)):
            closed.chmod(mode)
    assert list(tmp_path.iterdir()) == []


def test_what_links_point_at_stays(tmp_path: Path) -> None:
    """Links in the workspace are removed; what they point at keeps its files and its mode."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    kept.chmod(0o555)
    with open_workspace({"TMPDIR": str(tmp_path)}) as folder:
        (folder / "link").symlink_to(kept)
        (folder / "file").symlink_to(kept / "file")
        (folder / "nowhere").symlink_to("gone")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o555
    assert (kept / "file").read_text() == "x"


def test_an_error_inside_removes_the_folder_and_passes(tmp_path: Path) -> None:
    """What fails in the workspace fails as before, and nothing is left."""
    with pytest.raises(ZeroDivisionError), open_workspace({"TMPDIR": str(tmp_path)}):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_already_is_no_error(tmp_path: Path) -> None:
    """The end of a workspace that somebody removed is silent."""
    with open_workspace({"TMPDIR": str(tmp_path)}) as folder:
        shutil.rmtree(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Where nothing can be made, the refusal names the folder and the variable."""
    with (
        pytest.raises(UsageInvalid, match="nowhere") as caught,
        open_workspace({"TMPDIR": str(tmp_path / "nowhere")}),
    ):
        pytest.fail("there was no workspace")
    assert caught.value.exit_code == ExitCode.USAGE
    assert "TMPDIR" in caught.value.remedy


def test_a_relative_temporary_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children have other working folders, so every path they are given is absolute."""
    monkeypatch.chdir(tmp_path)
    with open_workspace({"TMPDIR": os.curdir}) as folder:
        assert folder.is_absolute()
        assert folder.parent == tmp_path.resolve()


def test_offline() -> None:
    """Who asks nobody gets no address to ask, in which there may be a password; go's environment has them."""
    inherited = dict.fromkeys(PASSED, "https://user:hunter2@host.invalid")
    whole = child_environment(inherited, Path("/work"))
    assert whole.keys() >= set(NETWORK)
    kept = offline(whole)
    assert kept == {key: value for key, value in whole.items() if "PROXY" not in key.upper() and key not in NETWORK}
    assert {"PATH", "HOME", "SSL_CERT_FILE"} <= kept.keys()


def test_a_tree_whose_paths_are_longer_than_the_system_takes_is_removed(tmp_path: Path) -> None:
    """A tree whose paths are longer than the system takes is removed with the rest."""
    folder = tmp_path / "work"
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("y" * 250, dir_fd=at)
        below = os.open("y" * 250, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    remove_folder(folder)
    assert not folder.exists()
