"""Unit tests decide and parse; anything that would reach outside the process raises instead."""

from __future__ import annotations

import socket
import subprocess
from typing import NoReturn

import pytest


@pytest.fixture(autouse=True)
def _nothing_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a unit test reached outside the process")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
