"""The bucket of the local Prow, as Prow's own sidecar writes to it."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from testbed.processes import read
from testbed.prow.storage import Storage, StorageFailed, serve
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = "logs/release/7"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with serve(require_tool("moto_server"), tmp_path / "storage") as running:
        yield running


def test_what_is_written_is_read_and_listed(storage: Storage) -> None:
    """An object is read as it was written, under its own key, whatever characters the key has."""
    awkward = "logs/a b/ü+&?#%.txt"
    storage.write(awkward, b"\x00\xff")
    storage.write("other", b"")
    assert storage.read(awkward) == b"\x00\xff"
    assert storage.keys() == [awkward, "other"]
    assert storage.keys("logs/") == [awkward]
    with pytest.raises(StorageFailed, match="404"):
        storage.read("none")


def test_more_keys_than_one_answer_of_s3_has_are_listed(storage: Storage) -> None:
    """A listing is whole where S3 itself would give its first thousand keys only."""
    wanted = [f"key-{number:04}" for number in range(1001)]
    for key in wanted:
        storage.write(key, b"")
    assert storage.keys() == wanted


def test_prows_sidecar_uploads_with_the_credentials(storage: Storage, tmp_path: Path) -> None:
    """Prow's sidecar takes the credentials file and leaves a run's files where Deck looks for them."""
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "release.html").write_text("<p>released</p>", encoding="utf-8")
    (tmp_path / "log").write_text("RELEASED: all\n", encoding="utf-8")
    (tmp_path / "marker").write_text("0", encoding="utf-8")
    job = {
        "type": "postsubmit",
        "job": "release",
        "buildid": "7",
        "prowjobid": "id",
        "refs": {"org": "org", "repo": "repo", "base_ref": "v1.2.3"},
    }
    options = {
        "gcs_options": {
            "items": [str(tmp_path / "artifacts")],
            "bucket": storage.address,
            "path_strategy": "explicit",
            "s3_credentials_file": str(storage.credentials),
            "dry_run": False,
        },
        "entries": [
            {
                "args": ["true"],
                "container_name": "test",
                "process_log": str(tmp_path / "log"),
                "marker_file": str(tmp_path / "marker"),
                "metadata_file": str(tmp_path / "none.json"),
            }
        ],
    }
    environment = {
        "PATH": os.environ["PATH"],
        "JOB_SPEC": json.dumps(job),
        "SIDECAR_OPTIONS": json.dumps(options),
    }
    read([require_tool("sidecar")], env=environment)
    assert json.loads(storage.read(f"{RUN}/finished.json"))["result"] == "SUCCESS"
    assert storage.read(f"{RUN}/build-log.txt") == b"RELEASED: all\n"
    assert storage.read(f"{RUN}/artifacts/release.html") == b"<p>released</p>"
    assert storage.read("logs/release/latest-build.txt") == b"7"


def test_a_server_that_ends_at_once_says_why(tmp_path: Path) -> None:
    """A server that cannot start is an error with what it printed."""
    broken = tmp_path / "moto_server"
    broken.write_text("#!/bin/sh\necho no memory left\nexit 1\n", encoding="utf-8")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(StorageFailed, match="no memory left"), serve(broken, tmp_path / "storage"):
        pass
