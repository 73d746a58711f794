"""Benchmarks a commit against another and reports what is slower every time: ``python tools/compare.py main HEAD``.

``asv continuous`` builds both commits from clean checkouts and times them in turn. What it flags is run again, and
again; only what is flagged each time is reported. On a busy machine identical commits are flagged at a factor of 1.1
half of the time; at 1.5 with two repetitions seldom. Results go to a temporary folder, not among the committed ones.
Exit status: 0 for nothing slower, 1 for something, 2 for what could not be done.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SUITE = Path(__file__).resolve().parents[1] / "asv_benches"
FACTOR = 1.5
REPEATS = 2
ROW = re.compile(r"^\| [+!] .*\|\s+(\S+)\s+\| (.+?)\s*\|$", re.MULTILINE)
VERDICT = re.compile("(SOME )?BENCHMARKS ")  # without one, an exit status of 1 is another failure
TOLD = re.compile(r"[·|]|\[ *[\d.]+%\] ··? |BENCH|SOME|PERF")  # not asv's table of all parameters after each benchmark


def configuration(folder):
    """Write asv's configuration with whole paths and other results; return its path."""
    config = json.loads((SUITE / "asv.conf.json").read_text(encoding="utf-8"))
    for key in ("repo", "benchmark_dir", "env_dir"):
        config[key] = str((SUITE / config[key]).resolve())
    config |= {"results_dir": f"{folder}/results", "html_dir": f"{folder}/html"}
    file = Path(folder, "asv.conf.json")
    file.write_text(json.dumps(config), encoding="utf-8")
    return file


def continuous(config, commits, factor, patterns, attributes):
    """Run ``asv continuous``; return what it flags, name to ratio.

    Raises
    ------
    SystemExit
        If asv or a benchmark fails.
    """
    command = [sys.executable, "-m", "asv", "continuous", "--config", config, "--factor", factor, "--show-stderr"]
    command += [word for pattern in patterns for word in ("--bench", pattern)]
    command += [word for attribute in attributes for word in ("--attribute", attribute)]
    process = subprocess.Popen([*map(str, command), *commits], stdout=subprocess.PIPE, text=True)
    lines = []
    for line in process.stdout:
        if TOLD.match(line):
            print(line, end="", flush=True)
        lines.append(line)
    if process.wait() not in (0, 1) or not any(VERDICT.match(line) for line in lines):
        print("".join(lines), "\nasv continuous failed", sep="", file=sys.stderr)
        raise SystemExit(2)
    return flagged("".join(lines))


def flagged(text):
    """The rows of asv's table that are slower, or fail: name to ratio."""
    return {name: ratio for ratio, name in ROW.findall(text)}


def main(argv=None):
    """Compare, repeat, report; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("base", nargs="?", default="main", help="default: main")
    parser.add_argument("head", nargs="?", default="HEAD", help="default: HEAD")
    parser.add_argument("--bench", action="append", default=[], metavar="REGEX",
                        help=r"only these, as in \"Functions.*'gelu'\" (default: the whole suite)")  # fmt: skip
    parser.add_argument("--factor", type=float, default=FACTOR, help=f"what counts as slower (default: {FACTOR})")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"of what was flagged (default: {REPEATS})")
    args = parser.parse_args(argv)
    if not Path("~/.asv-machine.json").expanduser().exists():
        subprocess.run([sys.executable, "-m", "asv", "machine", "--yes"], cwd=SUITE, check=True)
    with tempfile.TemporaryDirectory() as folder:
        config = configuration(folder)
        slower = continuous(config, (args.base, args.head), args.factor, args.bench, [])
        for repeat in range(args.repeats):
            if not slower:
                break
            print(f"\n{len(slower)} flagged; repetition {repeat + 1} of {args.repeats}", flush=True)
            patterns = [f"^{re.escape(name)}$" for name in slower]
            again = continuous(config, (args.base, args.head), args.factor, patterns, ["rounds=4"])
            slower = {name: f"{slower[name]}, {again[name]}" for name in slower if name in again}
    print(f"\n{args.head} against {args.base}, factor {args.factor:g}, {args.repeats} repetitions: ", end="")
    print(f"{len(slower)} slower each time" if slower else "nothing is slower each time")
    for name, ratios in slower.items():
        print(f"  {name}: {ratios} times as long")
    return int(bool(slower))


if __name__ == "__main__":
    sys.exit(main())
