"""The recording of what a real kubelet does with pods."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from hack.kubelet_oracle import RECORDED, pinned_version, write
from testbed.programs import ProgramMissing

if TYPE_CHECKING:
    from pathlib import Path


def test_versions_agree() -> None:
    """What was recorded is of the kubelet that is pinned, and that is of the version of the apiserver it works with."""
    recorded = json.loads(RECORDED.read_bytes())
    assert recorded["kubelet"] == pinned_version("kubelet") == pinned_version("kube-apiserver")


def test_a_module_without_kubernetes() -> None:
    """A folder of tools that pins no Kubernetes is named."""
    with pytest.raises(ProgramMissing, match=r"hack/tools/crane/go\.mod pins no"):
        pinned_version("crane")


def test_the_file_can_be_read_and_compared() -> None:
    """What was recorded is written a value a line and sorted, so that another recording shows what differs."""
    text = RECORDED.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_nothing_of_the_machine_is_recorded() -> None:
    """Folders, addresses, ids and times, which differ each time, stand as words in what was recorded."""
    text = RECORDED.read_text(encoding="utf-8")
    for word in ("TIME", "ADDRESS", "CONTAINER", "UID"):
        assert word in text
    assert not re.search(r"/(tmp|work|root|home/(?!prow))/|\d{4}-\d\d-\d\dT\d\d:|[0-9a-f]{32}", text)
    # The Service of the apiserver is the one that testbed/prow/apiserver asks for.
    assert {*re.findall(r"\d+\.\d+\.\d+\.\d+", text)} == {"10.0.0.1"}


def test_a_folder_is_made_for_the_file(tmp_path: Path) -> None:
    """The file may lie in a folder that is not there yet."""
    write(tmp_path / "new" / "file.json", {"b": "é", "a": 1})
    assert (tmp_path / "new" / "file.json").read_text(encoding="utf-8") == '{\n "a": 1,\n "b": "é"\n}\n'
