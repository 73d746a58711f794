#!/usr/bin/env bash
# Builds fastact with Clang and compares the digests of all results, level by level, with those on record, which are GCC's; then
# looks for loops that stayed scalar. Usage: PYTHON=.venv/bin/python CLANG=clang bash tools/clang.sh [FOLDER]
set -eu
cd "$(dirname "$0")/.."
python=$(realpath -s "${PYTHON:-$(which python3)}")
clang=${CLANG:-clang}
folder=$(realpath "${1:-$(mktemp -d)}")
git ls-files -z | xargs -0 cp --parents -t "$folder"
cd "$folder"
CC=$clang LDSHARED="$clang -shared" "$python" setup.py -q build_ext --inplace
PYTHONPATH=$folder "$python" tools/digests.py
# Clang compares a parameter in each iteration where GCC does so once.
"$python" tools/vectorised.py | { grep SCALAR || true; } | { ! grep -vE "SCALAR: v?ucomis[sd]$"; }
