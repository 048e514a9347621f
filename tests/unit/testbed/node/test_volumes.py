"""A pod's volumes as folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.node.plan import NotConfigured
from testbed.node.pod import read_pod
from testbed.node.pod_documents import pod, shell
from testbed.node.volumes import make_message_file, make_volumes, remove_volumes, used

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def made(folder: Path, volume: dict[str, Any]) -> Path:
    document = pod("one", shell("test", "true", "i"), volumes=[{"name": "v", **volume}])
    document["metadata"]["uid"] = "u-1"

    def secrets(name: str) -> Mapping[str, bytes] | None:
        return {"a": b"first", "b": b"second"} if name == "there" else None

    return make_volumes(folder, read_pod(document), secrets=secrets, config_maps=lambda _: None)["v"]


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
    assert {file.name: file.read_bytes() for file in whole.iterdir()} == {"a": b"first", "b": b"second"}
    assert (whole / "a").stat().st_mode & 0o777 == 0o440
    items = [{"key": "b", "path": "deep/er", "mode": 0o400}]
    part = made(tmp_path / "part", {"secret": {"secretName": "there", "items": items}})
    assert [str(file.relative_to(part)) for file in part.rglob("*") if file.is_file()] == ["deep/er"]
    assert (part / "deep/er").stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        ({"secret": {"secretName": "gone"}}, 'secret "gone" not found'),
        ({"configMap": {"name": "gone"}}, 'configmap "gone" not found'),
        ({"secret": {"secretName": "there", "items": [{"key": "c", "path": "c"}]}}, "secret there has no key 'c'"),
        ({"secret": {"secretName": "there", "items": [{"key": "a", "path": "../a"}]}}, "leaves the volume"),
        ({"hostPath": {"path": "/no/such", "type": "Directory"}}, "/no/such is not a Directory"),
        ({"hostPath": {"path": "/", "type": "Socket"}}, "/ is not a Socket"),
    ],
)
def test_what_is_missing_leaves_nothing_half(tmp_path: Path, volume: dict[str, Any], why: str) -> None:
    """What a volume needs and is not there is named, and no volume stands there half made."""
    with pytest.raises(NotConfigured, match=why):
        made(tmp_path, volume)
    assert not (tmp_path / "v").exists()


def test_what_is_optional_may_be_missing(tmp_path: Path) -> None:
    """An optional secret that is not there is an empty folder."""
    assert list(made(tmp_path, {"secret": {"secretName": "gone", "optional": True}}).iterdir()) == []


def test_everybody_may_write_a_message(tmp_path: Path) -> None:
    """The file for a termination message may be written by any user, and is made once."""
    file = make_message_file(tmp_path / "messages", "test")
    assert file.stat().st_mode & 0o777 == 0o666
    file.write_text("said")
    assert make_message_file(tmp_path / "messages", "test").read_text() == "said"
