"""How many uploads are completed per second: ECR and ECR Public allow ten CompleteLayerUpload a second per account.

Source: the service quotas of Amazon ECR and Amazon ECR Public.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runner.oci.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.runtime.lifetime import Lifetime

COMPLETIONS = 10


class Completions(Turns):
    """Lets so many uploads be completed in any second, over all threads; thread-safe.

    Args:
        lifetime: ends every wait.
        count: how many in a second.
        clock: monotonic seconds.
    """

    def __init__(
        self, lifetime: Lifetime, count: int = COMPLETIONS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(lifetime, count, clock=clock)
