"""Calls at random against a slow and simple way, for as long as wanted: ``python tools/fuzz.py --minutes 30``.

What is called and compared stands in tests/fuzzing.py; the corpus, tests/fuzzing_corpus.txt, comes first. The number of cases is
printed; a case that fails is shrunk to a short one and printed: it becomes a line of the corpus when its fault is mended. With
``--atheris`` Atheris (from PyPI) picks the cases, by which lines of the package's Python they reach, and ends at the first that
fails.
"""

import argparse
import sys
import time
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default: 5)")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 2**31, help="where to begin (default: the clock)")
    parser.add_argument("--only", nargs="*", help="these checks of tests/fuzzing.py alone")
    parser.add_argument("--atheris", action="store_true", help="cases that reach new lines")
    return parser.parse_args()


def main() -> int:
    """Go round the checks, 500 examples each, until the time is over."""
    asked = arguments()
    if asked.atheris:
        import atheris
    with atheris.instrument_imports(include=["fastact"]) if asked.atheris else nullcontext():
        import fuzzing
    from hypothesis import HealthCheck, given, seed, settings
    from hypothesis import strategies as st

    checks = {name: fuzzing.CHECKS[name] for name in asked.only or fuzzing.CHECKS}
    how = settings(
        max_examples=500, deadline=None, database=None, print_blob=False, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    print(f"seed {asked.seed}")
    for name, case in fuzzing.corpus():
        if name in checks:
            checks[name][1](case)
    print(f"{sum(fuzzing.done.values())} cases of the corpus", flush=True)
    if asked.atheris:
        any_case = st.sampled_from(sorted(checks)).flatmap(lambda name: st.tuples(st.just(name), checks[name][0]))
        one = how(given(any_case)(lambda case: checks[case[0]][1](case[1]))).hypothesis.fuzz_one_input
        limits = [f"-max_total_time={int(60 * asked.minutes)}", f"-seed={asked.seed}", "-max_len=8192", "-len_control=0"]
        atheris.Setup([sys.argv[0], *limits], lambda data: one(data) and None)
        atheris.Fuzz()  # which ends the process
    end, turn = time.monotonic() + 60 * asked.minutes, asked.seed
    while time.monotonic() < end:
        for strategy, check in checks.values():
            seed(turn)(how(given(strategy)(check)))()
        turn += 1
    print(f"{sum(fuzzing.done.values())} cases without a finding: {dict(fuzzing.done)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
