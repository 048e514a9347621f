"""A pod's volumes as folders."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from testbed.node.pod import read_pod
from testbed.node.pod_documents import pod, shell
from testbed.node.volumes import NotMounted, make_message_file, make_part, make_volumes, remove_volumes, used

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


MOUNTED = shell("test", "true", "i", volumeMounts=[{"name": "v", "mountPath": "/v"}])


def made(folder: Path, volume: dict[str, Any], **spec: Any) -> Path:
    document = pod("one", MOUNTED, volumes=[{"name": "v", **volume}], **spec)
    document["metadata"]["uid"] = "u-1"

    def secrets(name: str) -> Mapping[str, bytes] | None:
        return {"a": b"first", "b": b"second"} if name == "there" else None

    return make_volumes(folder, read_pod(document), secrets=secrets, config_maps=lambda _: None)["v"]


def shown(folder: Path) -> list[str]:
    """What a volume shows, without what it keeps for itself."""
    return sorted(one.name for one in folder.iterdir() if not one.name.startswith(".."))


def test_an_empty_folder_is_everybodys_and_stays(tmp_path: Path) -> None:
    """An emptyDir may be written by everybody, and what was written stays when the volumes are made again."""
    folder = made(tmp_path, {"emptyDir": {}})
    assert folder.stat().st_mode & 0o777 == 0o777
    (folder / "kept").write_bytes(b"x" * 5000)
    assert (made(tmp_path, {"emptyDir": {}}) / "kept").exists()
    assert used(folder) >= 5000
    remove_volumes(tmp_path)
    assert not tmp_path.exists()


def test_all_keys_or_those_that_are_named(tmp_path: Path) -> None:
    """A secret's keys are files, all of them or those that are named, with the modes that are asked for."""
    whole = made(tmp_path / "whole", {"secret": {"secretName": "there", "defaultMode": 0o440}})
    assert {name: (whole / name).read_bytes() for name in shown(whole)} == {"a": b"first", "b": b"second"}
    assert (whole / "a").stat().st_mode & 0o777 == 0o440
    items = [{"key": "b", "path": "deep/er", "mode": 0o400}]
    part = made(tmp_path / "part", {"secret": {"secretName": "there", "items": items}})
    assert shown(part) == ["deep"]
    assert shown(part / "deep") == ["er"]
    assert (part / "deep/er").stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        ({"secret": {"secretName": "gone"}}, 'secret "gone" not found'),
        ({"configMap": {"name": "gone"}}, 'configmap "gone" not found'),
        (
            {"secret": {"secretName": "there", "items": [{"key": "c", "path": "c"}]}},
            "references non-existent secret key: c",
        ),
        ({"secret": {"secretName": "there", "items": [{"key": "a", "path": "../a"}]}}, "leaves the volume"),
        (
            {"hostPath": {"path": "/no/such", "type": "Directory"}},
            "hostPath type check failed: /no/such is not a directory",
        ),
        ({"hostPath": {"path": "/", "type": "Socket"}}, "/ is not a socket file"),
    ],
)
def test_what_is_missing_leaves_nothing_half(tmp_path: Path, volume: dict[str, Any], why: str) -> None:
    """What a volume needs and is not there is named, and no volume stands there half made."""
    with pytest.raises(NotMounted, match=why) as raised:
        made(tmp_path, volume)
    assert raised.value.volume == "v"
    assert not (tmp_path / "v").exists()


def test_what_is_optional_may_be_missing(tmp_path: Path) -> None:
    """An optional secret that is not there shows no files, and an optional key that is not there is left out."""
    assert shown(made(tmp_path / "whole", {"secret": {"secretName": "gone", "optional": True}})) == []
    items = [{"key": "a", "path": "a"}, {"key": "c", "path": "c"}]
    some = made(tmp_path / "some", {"secret": {"secretName": "there", "items": items, "optional": True}})
    assert shown(some) == ["a"]


def test_keys_are_links_into_a_folder_that_a_link_names(tmp_path: Path) -> None:
    """As on a kubelet, whoever lists a secret finds links, and one who follows none finds no file."""
    folder = made(tmp_path, {"secret": {"secretName": "there"}})
    assert str((folder / "a").readlink()) == "..data/a"
    assert str((folder / "..data").readlink()).startswith("..2")
    assert (folder / "..data" / "a").read_bytes() == b"first"


@pytest.mark.parametrize(
    ("volume", "mode"),
    [
        ({"secret": {"secretName": "there"}}, 0o1777),
        ({"emptyDir": {"medium": "Memory"}}, 0o1777),
        ({"configMap": {"name": "gone", "optional": True}}, 0o777),
    ],
)
def test_modes_of_volumes(tmp_path: Path, volume: dict[str, Any], mode: int) -> None:
    """What a kubelet keeps in memory has the mode of a file system there; all is open to everybody."""
    assert made(tmp_path, volume).stat().st_mode & 0o7777 == mode


def test_a_group_owns_links_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An fsGroup is given links without following them, and only files and folders get other modes."""
    given: dict[str, bool] = {}

    def chown(path: Path | str, user: int, group: int, *, follow_symlinks: bool = True) -> None:
        assert (user, group) == (-1, 77)
        given[os.path.basename(path)] = follow_symlinks  # noqa: PTH119  # some are text

    monkeypatch.setattr(os, "chown", chown)
    folder = made(tmp_path, {"secret": {"secretName": "there", "defaultMode": 0o400}}, securityContext={"fsGroup": 77})
    assert (given["a"], given["..data"]) == (False, False)
    assert (folder / "a").stat().st_mode & 0o777 == 0o440
    assert folder.stat().st_mode & 0o7777 == 0o3777


def test_only_what_is_mounted_is_made(tmp_path: Path) -> None:
    """A volume that no container mounts is not made, so that a secret that is not there keeps nobody waiting."""
    document = pod("one", shell("test", "true", "i"), volumes=[{"name": "v", "secret": {"secretName": "gone"}}])
    document["metadata"]["uid"] = "u-1"
    assert make_volumes(tmp_path, read_pod(document), secrets=lambda _: None, config_maps=lambda _: None) == {}


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    """A path of this machine whose kind nobody asks for is made as a folder where it is not there."""
    wanted = tmp_path / "a" / "b"
    assert made(tmp_path / "volumes", {"hostPath": {"path": str(wanted)}}) == wanted
    assert wanted.is_dir()


def test_part_of_a_volume(tmp_path: Path) -> None:
    """A folder in a volume that is mounted alone has the volume's mode, and a file is left as it is."""
    folder = made(tmp_path, {"emptyDir": {}})
    make_part(folder, folder / "a" / "b")
    assert [one.stat().st_mode & 0o777 for one in (folder / "a", folder / "a" / "b")] == [0o777, 0o777]
    (folder / "file").write_text("kept")
    make_part(folder, folder / "file")
    assert (folder / "file").read_text() == "kept"


def test_everybody_may_write_a_message(tmp_path: Path) -> None:
    """The file for a termination message may be written by any user, and is made once."""
    file = make_message_file(tmp_path / "messages", "test")
    assert file.stat().st_mode & 0o777 == 0o666
    file.write_text("said")
    assert make_message_file(tmp_path / "messages", "test").read_text() == "said"
