"""Calls at random against a slow and simple way, for as long as wanted: ``python tools/fuzz.py --minutes 30``.

What is called and compared stands in tests/fuzzing.py. The number of cases is printed; a case that fails is shrunk to a short
one and printed: it becomes an ``@example`` in tests/functions/test_fuzz.py when its fault is mended.
"""

import argparse
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
import fuzzing  # noqa: E402


def main() -> int:
    """Go round the checks, a thousand examples each, until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default: 5)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="where to begin (default: the clock)")
    parser.add_argument("--only", nargs="*", choices=fuzzing.CHECKS, default=list(fuzzing.CHECKS), help="these checks alone")
    given_ = parser.parse_args()
    end, turn = time.monotonic() + 60 * given_.minutes, given_.seed
    print(f"seed {turn}")
    how = settings(
        max_examples=500, deadline=None, database=None, print_blob=False, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    while time.monotonic() < end:
        for name in given_.only:
            strategy, check = fuzzing.CHECKS[name]
            seed(turn)(how(given(strategy)(check)))()
        turn += 1
    print(f"{sum(fuzzing.done.values())} cases without a finding: {dict(fuzzing.done)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
