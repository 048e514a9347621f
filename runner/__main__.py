"""``ack-release``: holds signals back until someone is there to answer them, then parses the command line."""

import os
import signal
import sys
from typing import cast

UNUSED = ("rich", "better_exceptions", "colorama", "twisted")
"""What structlog loads where it happens to be installed, for kinds of output that are not made here."""


def main() -> None:
    """Run the command line.

    A signal that comes while modules are still being imported is kept pending until ``runner.runtime.supervisor``
    takes it; without this, Python would end with 130, which Prow reads as an abort.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    _leave_out()
    from runner.cli.main import start  # noqa: PLC0415 - after the signals are held back

    start()


def _leave_out() -> None:
    """Keep libraries from loading what is not used here: that would take a fifth of the time to the first log line."""
    # None in its place makes an import fail as if the module were not installed.
    cast("dict[str, object]", sys.modules).update(dict.fromkeys(UNUSED))
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"


if __name__ == "__main__":
    main()
