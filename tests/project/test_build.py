"""What setup.py decides, and what a source distribution holds."""

import importlib.util
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="not in a checkout")


@pytest.fixture(scope="module")
def setup():
    pytest.importorskip("Cython")
    specification = importlib.util.spec_from_file_location("setup_of_fastact", ROOT / "setup.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_levels_are_those_of_the_target(setup):
    """Not of the machine that builds: cross builds, and several architectures in one."""
    x86 = ["x86_64", "x86_64_v3", "x86_64_v4"]
    for target, archflags, expected in [
        ("linux-x86_64", "", x86), ("win-amd64", "", x86), ("macosx-11.0-x86_64", "", x86), ("linux-aarch64", "", ["generic"]),
        ("macosx-11.0-arm64", "", ["generic"]), ("macosx-11.0-arm64", "-arch x86_64", x86),
        ("macosx-10.9-universal2", "", ["generic"]), ("macosx-10.9-universal2", "-arch x86_64 -arch arm64", ["generic"]),
    ]:  # fmt: skip
        assert list(setup.levels_of(target, archflags)) == expected, (target, archflags)


def test_jobs_have_the_memory_that_a_compiler_takes(setup, tmp_path):
    assert [setup.jobs(64, gib << 30) for gib in (0, 1, 4, 16, 256)] == [1, 1, 6, 26, 64]
    assert [setup.jobs(cores, None) for cores in (1, 8)] == [1, 8]
    (tmp_path / "meminfo").write_text("MemTotal:  9000000 kB\nMemAvailable:  2000000 kB\n")
    assert setup.available_memory(tmp_path, tmp_path) == 2_048_000_000
    (tmp_path / "memory.current").write_text("500000000\n")
    for limit, expected in [("max\n", 2_048_000_000), ("1500000000\n", 1_000_000_000), ("4000000000\n", 2_048_000_000)]:
        (tmp_path / "memory.max").write_text(limit)
        assert setup.available_memory(tmp_path, tmp_path) == expected
    found = setup.available_memory(tmp_path / "none", tmp_path / "none")
    assert found is None or found > 1 << 28
    assert setup.available_cores() >= 1


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
