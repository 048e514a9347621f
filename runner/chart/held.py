"""Whether a chart holds all that helm would package: what the commit only points to would be published as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from runner.chart.archive import files_of
from runner.errors import ChartUnusable
from runner.pointers import REMEDY, find_pointers

if TYPE_CHECKING:
    from pathlib import Path

    from runner.chart.helm import Helm
    from runner.pointers import Pointer

_PLACEHOLDER = "content-of-a-submodule"


def check_held(chart: Path, folder: str, helm: Helm, destination: Path) -> None:
    """Refuse a chart with a pointer that helm packages; one that ``.helmignore`` leaves out stops nothing.

    Links are judged by ``Helm.lint``.

    Args:
        chart: the exported chart's folder.
        folder: what it is called in the repository.
        helm: says what is packaged.
        destination: where archives may be made.

    Raises:
        ChartUnusable: with every such file in its detail.
    """
    pointers = tuple(one for one in find_pointers(chart) if not (chart / one.path).is_symlink())
    if not pointers:
        return
    empty = [chart / one.path / _PLACEHOLDER for one in pointers if not one.is_file]
    for file in empty:
        file.touch()
    try:
        packaged = files_of(helm.package(chart, destination).read_bytes())
    except (ChartUnusable, ValueError) as error:
        _refuse(pointers, folder, str(error))
    finally:
        for file in empty:
            file.unlink()
    used = tuple(one for one in pointers if _name(one) in packaged)
    if used:
        _refuse(used, folder)


def _name(pointer: Pointer) -> str:
    return pointer.path if pointer.is_file else f"{pointer.path}/{_PLACEHOLDER}"


def _refuse(pointers: tuple[Pointer, ...], folder: str, *said: str) -> NoReturn:
    found = [one.below(folder) for one in pointers]
    raise ChartUnusable(f"the chart needs what is not there: {found[0]}", remedy=REMEDY, detail=(*found, *said))
