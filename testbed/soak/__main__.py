"""``python -m testbed.soak PATH --seed N`` or ``--kill N``: one disturbed run again, with all that it printed."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from testbed.faults.fault import Drop
from testbed.faults.schedule import FaultSchedule
from testbed.soak.world import REFS, open_soak


def main() -> int:
    """Run it and print what happened; 1 when something was not as it must be."""
    parser = argparse.ArgumentParser(description="Run a release or a move of stable under faults, then again without.")
    parser.add_argument("path", choices=sorted(REFS))
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seed", type=int, help="of the schedule of faults")
    what.add_argument("--kill", type=int, metavar="N", help="kill -9 at the request of this number, from 0")
    parser.add_argument("--after", action="store_true", help="kill once the registry has acted on the request")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_soak(Path(folder)) as soak:
        if given.seed is not None:
            schedule = FaultSchedule.from_seed(given.seed)
            print(schedule, flush=True)
            ended = soak.under_schedule(given.path, schedule)
        else:
            ended = soak.killed_at(given.path, given.kill, Drop.AFTER if given.after else Drop.BEFORE)
    print(f"{ended.out}\nexit {ended.code} after {ended.seconds:.1f} s and {ended.requests} requests")
    print("\n".join(ended.problems) or "all as it must be")
    return bool(ended.problems)


if __name__ == "__main__":
    sys.exit(main())
