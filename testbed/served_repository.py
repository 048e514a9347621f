"""A repository of one commit that is served over HTTP, as plain files: all that a clone needs."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from typing import TYPE_CHECKING

from testbed.git import git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def served_repository(folder: Path) -> Iterator[tuple[str, str]]:
    """Make a repository in a folder with the file ``hello`` on ``main``, and serve it; gives its URL and its commit.

    Raises:
        ProgramFailed: git failed.
    """
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "hello").write_text("hello\n", encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "one")
    git(folder, "update-server-info")
    handler = functools.partial(_Quiet, directory=str(folder / ".git"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", git(folder, "rev-parse", "HEAD")
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
        """Requests are not logged."""
