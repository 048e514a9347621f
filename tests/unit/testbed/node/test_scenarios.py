"""The pods whose course is compared with a kubelet's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.node.pod import read_pod
from testbed.node.scenarios import ENDED, Setting, scenarios

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = ("clonerefs", "initupload", "entrypoint", "sidecar")


def setting(folder: Path) -> Setting:
    return Setting("image", {one: one for one in PROGRAMS}, "http://127.0.0.1:1/", "0" * 40, folder)


def test_each_has_its_name(tmp_path: Path) -> None:
    """No two scenarios have one name, by which their courses are found."""
    names = [one.name for one in scenarios(setting(tmp_path))]
    assert len(names) == len(set(names))


def test_this_node_takes_them_all(tmp_path: Path) -> None:
    """Each pod asks only for what this node does, or its course would say nothing of the node."""
    for one in scenarios(setting(tmp_path)):
        document = {**one.pod, "metadata": {**one.pod["metadata"], "uid": "u-1"}}
        assert read_pod(document).name == one.name


def test_they_come_to_an_end(tmp_path: Path) -> None:
    """A pod that does not end by itself is waited for with a condition, and deleted where it would run on."""
    for one in scenarios(setting(tmp_path)):
        assert one.until == ENDED or one.deleted is not None or one.until.waits or one.until.told, one.name
