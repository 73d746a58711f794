#!/usr/bin/env bash
# The tests under AddressSanitizer and UndefinedBehaviorSanitizer: bash tools/sanitize.sh [arguments of pytest]
#
# Builds every unit with both in a copy of the working tree, and runs the tests there: those that are named, or all, but for those
# that read the disassembly or measure the process's memory. A report of either, from any process that the tests start, fails
# (a warning that so much memory is not to be had is none). SANITIZED is the folder of the copy (build/sanitized if not set), where
# what has not changed is not built again; PYTHON the interpreter, whose environment has what the extra [test] names.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(realpath -m "${SANITIZED:-build/sanitized}")
python=$(command -v "${PYTHON:-python}")
mkdir -p "$copy/reports"
rm -f "$copy"/reports/*
git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T - | tar -x -C "$copy"
cd "$copy"

# As the compiler's own name, so that the programs with which setup.py asks what it can do are linked with them too.
CC="gcc -fsanitize=address,undefined -fno-omit-frame-pointer" "$python" setup.py -q build_ext --inplace >build.txt 2>&1 ||
    { tail -50 build.txt; exit 1; }

export PYTHONPATH=$copy LD_PRELOAD PYTHONMALLOC=malloc
# Python lets go of nothing at its end; memory that is refused is what some tests ask for, and one a page that must not be touched.
export ASAN_OPTIONS=detect_leaks=0:handle_segv=0:allocator_may_return_null=1:log_path=$copy/reports/asan
export UBSAN_OPTIONS=print_stacktrace=1:log_path=$copy/reports/ubsan
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
status=0
"$python" -m pytest -p no:cacheprovider -v --ignore tests/cpu/test_vectorised.py --deselect tests/functions/test_leaks.py \
    --deselect tests/cpu/test_pool.py::test_threads_that_cannot_be_created "$@" || status=$?
unset LD_PRELOAD
mapfile -t reports < <(grep -lrE "ERROR: |runtime error: " reports)
echo "${#reports[@]} reports of the sanitizers in $copy/reports"
[ ${#reports[@]} = 0 ] && exit $status
head -n 40 "${reports[@]}"
exit 1
