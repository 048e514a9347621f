"""The program with short pauses between attempts and short limits for answers, so that many runs can meet faults.

It is started as ``python -P short_pauses.py run …`` and is the program in all else: only the registry client is made
with other values of the parameters that it has for this.
"""

from __future__ import annotations

from functools import partial
from unittest import mock

from runner.__main__ import main
from runner.oci import transport
from runner.oci.retries import RetryPolicy
from runner.oci.transport import Timeouts, Transport

RETRIES = RetryPolicy(attempts=6, first_pause=0.02, longest_pause=0.1, longest_retry_after=0.1)
TIMEOUTS = Timeouts(connect=2.0, read=1.5)

if __name__ == "__main__":
    # Never undone: the program leaves the process without coming back here.
    mock.patch.object(transport, "Transport", partial(Transport, retries=RETRIES, timeouts=TIMEOUTS)).start()
    main()
