"""The code of docs/frameworks.md runs, where the frameworks are installed (in a checkout)."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "frameworks.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL) if PAGE.exists() else []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_code_of_the_page(number):
    code = BLOCKS[number]
    for name in re.findall(r"^(?:from|import) (?:fastact\.)?(torch|jax|sklearn|thinc)\b", code, re.MULTILINE):
        pytest.importorskip(name)
    exec(compile(code, str(PAGE), "exec"), {"__name__": "page"})
