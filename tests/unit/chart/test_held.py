from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.chart.held import check_held
from runner.errors import ChartUnusable
from testbed.files import write_files
from testbed.memory.calls import raising
from testbed.memory.helm import MemoryHelm

if TYPE_CHECKING:
    from pathlib import Path

LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * 'a'}\nsize 12345\n".encode()
FILES = {"Chart.yaml": b"name: s3-chart\nversion: 1.2.3\n", "values.yaml": b"{}\n"}


def chart(folder: Path, **files: bytes) -> Path:
    return write_files(folder / "helm", {**FILES, **{path.replace("__", "/"): body for path, body in files.items()}})


def test_a_chart_that_holds_everything_passes(tmp_path: Path) -> None:
    """Where nothing points elsewhere, helm is not asked."""
    helm = MemoryHelm()
    check_held(chart(tmp_path, crds__a=b"a"), "helm", helm, tmp_path)
    assert helm.calls.made == []


def test_a_pointer_in_a_chart_is_refused(tmp_path: Path) -> None:
    """Every one is named by its path in the repository."""
    with pytest.raises(ChartUnusable) as refused:
        check_held(chart(tmp_path, crds__a=LFS, templates__b=LFS), "services/s3/helm", MemoryHelm(), tmp_path)
    assert refused.value.cause == (
        "the chart needs what is not there: services/s3/helm/crds/a is a Git LFS pointer: the commit does not hold its"
        " content"
    )
    assert [line.partition(" ")[0] for line in refused.value.detail] == [
        "services/s3/helm/crds/a",
        "services/s3/helm/templates/b",
    ]
    assert refused.value.exit_code == 4


def test_a_submodule_in_a_chart_is_refused(tmp_path: Path) -> None:
    """An empty folder, which helm would leave out in silence, is named, and stays empty."""
    made = chart(tmp_path)
    (made / "crds").mkdir()
    with pytest.raises(ChartUnusable, match="helm/crds is a submodule"):
        check_held(made, "helm", MemoryHelm(), tmp_path)
    assert list((made / "crds").iterdir()) == []


def test_a_pointer_that_is_not_packaged_stops_nothing(tmp_path: Path) -> None:
    """What helm leaves out is not published."""
    made = chart(tmp_path, docs__picture=LFS)
    (made / "docs" / "module").mkdir()
    helm = MemoryHelm()
    whole = MemoryHelm().package(chart(tmp_path / "whole"), tmp_path)
    helm.calls.intervene("package", lambda: whole, when="instead")
    check_held(made, "helm", helm, tmp_path)


def test_a_link_is_not_judged_here(tmp_path: Path) -> None:
    """Helm takes what a link points at; lint says where it may not lead."""
    made = chart(tmp_path)
    (made / "link").symlink_to("/etc/hostname")
    check_held(made, "helm", MemoryHelm(), tmp_path)


def test_a_chart_that_helm_cannot_read_for_its_pointers(tmp_path: Path) -> None:
    """Where helm fails, all pointers are named, and what helm says is the detail's end."""
    helm = MemoryHelm()
    helm.calls.intervene("package", raising(ChartUnusable("gzip: invalid header")))
    with pytest.raises(ChartUnusable, match=r"helm/charts/d\.tgz is a Git LFS pointer") as refused:
        check_held(write_files(tmp_path / "helm", {**FILES, "charts/d.tgz": LFS}), "helm", helm, tmp_path)
    assert refused.value.detail[-1] == "gzip: invalid header"
