"""What setup.py decides, and what a source distribution holds."""

import importlib.util
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="not in a checkout")


def test_levels_are_those_of_the_target():
    """Not of the machine that builds: cross builds, and several architectures in one."""
    pytest.importorskip("Cython")
    specification = importlib.util.spec_from_file_location("setup_of_fastact", ROOT / "setup.py")
    setup = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(setup)
    x86 = ["x86_64", "x86_64_v3", "x86_64_v4"]
    for target, archflags, expected in [
        ("linux-x86_64", "", x86), ("win-amd64", "", x86), ("macosx-11.0-x86_64", "", x86), ("linux-aarch64", "", ["generic"]),
        ("macosx-11.0-arm64", "", ["generic"]), ("macosx-11.0-arm64", "-arch x86_64", x86),
        ("macosx-10.9-universal2", "", ["generic"]), ("macosx-10.9-universal2", "-arch x86_64 -arch arm64", ["generic"]),
    ]:  # fmt: skip
        assert list(setup.levels_of(target, archflags)) == expected, (target, archflags)


@pytest.mark.release
def test_source_distribution(tmp_path):
    """It holds whatever the repository does, but for what serves the repository itself."""
    if subprocess.run([sys.executable, "-c", "import build"], capture_output=True, check=False).returncode:
        pytest.skip("the package build is not installed")
    copy = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", ROOT, copy], check=True)
    subprocess.run([sys.executable, "-m", "build", "-q", "--sdist", "--outdir", tmp_path, copy], check=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    listed = subprocess.run(["git", "ls-files"], cwd=copy, capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in listed if name not in found and not name.startswith((".ci", ".git"))] == []
