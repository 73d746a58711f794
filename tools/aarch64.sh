#!/usr/bin/env bash
# Cross-builds fastact for aarch64 with Debian's compiler and compares the digests of its results under qemu-user with those on
# record, tests/digests.json. Usage: PYTHON=.venv/bin/python bash tools/aarch64.sh [FOLDER]
#
# Needs Debian 12, whose Python is 3.11 as that of PYTHON must be, the packages gcc-aarch64-linux-gnu and qemu-user, and in
# PYTHON's environment the build requirements of pyproject.toml. What is downloaded and built goes to FOLDER, a temporary one if it
# is not given.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(realpath -s "${PYTHON:-python3}")
folder=$(realpath "${1:-$(mktemp -d)}")
root=$folder/root
mkdir -p "$folder"/{state/lists/partial,cache/archives/partial,sysconfig,source,site} "$root"
step() { printf '== %s (%ss)\n' "$1" "$SECONDS"; }

if [ ! -e "$root/usr/bin/python3.11" ]; then
    step "Debian's Python for arm64, unpacked"
    cat >"$folder/apt.conf" <<CONF
APT::Architecture "arm64";
APT::Architectures "arm64";
Dir::State "$folder/state";
Dir::State::status "$folder/state/status";
Dir::Cache "$folder/cache";
APT::Sandbox::User "root";
CONF
    touch "$folder/state/status"
    export APT_CONFIG=$folder/apt.conf
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends --download-only \
        python3.11-minimal libpython3.11-stdlib libpython3.11-dev libstdc++6 >/dev/null
    unset APT_CONFIG
    for package in "$folder"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$root"
    done
    cp "$root/usr/lib/python3.11/_sysconfigdata__aarch64-linux-gnu.py" "$folder/sysconfig/"
fi

step "NumPy for arm64"
version=$("$python" -c "import numpy; print(numpy.__version__)")
"$python" -m pip install -q --upgrade --target "$folder/site" --no-deps --only-binary :all: --python-version 3.11 \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 "numpy==$version"

step "cross build"
git ls-files -z | xargs -0 cp --parents -t "$folder/source"
(
    cd "$folder/source"
    # What is built for is asked of sysconfig, which these two make speak for Debian's Python.
    export _PYTHON_HOST_PLATFORM=linux-aarch64 _PYTHON_SYSCONFIGDATA_NAME=_sysconfigdata__aarch64-linux-gnu
    export PYTHONPATH=$folder/sysconfig CFLAGS="-idirafter $root/usr/include -idirafter $root/usr/include/python3.11"
    "$python" setup.py -q build_ext bdist_wheel --dist-dir "$folder/dist"
)
"$python" -m zipfile -e "$folder"/dist/fastact-*linux_aarch64.whl "$folder/site"

step "digests under qemu-user"
PYTHONPATH=$folder/site qemu-aarch64 -L "$root" "$root/usr/bin/python3.11" -S tools/digests.py --here
step "done"
