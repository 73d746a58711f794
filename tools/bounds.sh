#!/usr/bin/env bash
# Builds fastact with the oldest versions that pyproject.toml states, without build isolation, and runs the suite with the
# oldest NumPy and the oldest of what the extras numba, plot and cli ask for.
# Usage: PYTHON=python3.11 bash tools/bounds.sh [TESTS ...]    (Python 3.11, of which all those versions have wheels)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
step() { printf '== %s (%ss)\n' "$1" "$SECONDS"; }

# Requirements of the build, of the package, or of an extra, each at its lower bound.
lowest() {
    "${PYTHON:-python3.11}" - "$@" <<'CODE'
import re
import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    stated = tomllib.load(file)
project = stated["project"]
groups = {"build": stated["build-system"]["requires"], "package": project["dependencies"], **project["optional-dependencies"]}
for group in sys.argv[1:]:
    print(*(re.sub(r">=([\d.]+)$", r"==\1", requirement) for requirement in groups[group]), sep="\n")
CODE
}

step "build with $(lowest build | tr '\n' ' ')"
"${PYTHON:-python3.11}" -m venv "$work/build"
lowest build | "$work/build/bin/python" -m pip install -q -r /dev/stdin
git ls-files -z | xargs -0 cp --parents -t "$(mkdir "$work/source" && echo "$work/source")"
"$work/build/bin/python" -m pip wheel -q --no-build-isolation --no-deps -w "$work/dist" "$work/source"

step "tests with $(lowest package numba plot cli | tr '\n' ' ')"
"${PYTHON:-python3.11}" -m venv "$work/test"
lowest package numba plot cli | "$work/test/bin/python" -m pip install -q -r /dev/stdin "$work"/dist/*.whl \
    "pytest>=8" "pytest-xdist>=3.5" "hypothesis>=6" "mpmath>=1.3" "threadpoolctl>=3.5" "cffi>=1.17"
mkdir "$work/outside"
cp -r tests pyproject.toml "$work/outside/"
cd "$work/outside"
"$work/test/bin/python" -m pytest -n auto -p no:cacheprovider "${@:-tests}"
step "done"
