"""What `verify` says of a finding: a dictionary, ready for JSON, and the lines of its table."""

from __future__ import annotations

import math
import re
from typing import Any

HEAD = f"{'function':<17}{'kind':<11}{'dtype':<8}{'max ULP':>9}{'mean':>8}{'<=0.5':>8}{'falls':>8}{'strays':>7}  worst"


def number(value: Any) -> float | str:
    """A number for JSON: as a string where it is not finite."""
    found = float(value)
    return found if math.isfinite(found) else repr(found)


def told(error: float, x: Any, got: Any, want: Any) -> dict[str, Any]:
    """The input that an error was met at, as decimals and in hexadecimal, and what came out."""
    if not error > 0:
        return dict.fromkeys(("witness_hex", "witness", "got", "want"))
    digits = re.sub(r"\.?0+p", "p", float(x).hex())
    return {"witness_hex": digits, "witness": str(x), "got": str(got), "want": str(want)}


def lines(finding: dict[str, Any]) -> list[str]:
    """The lines of the table for a finding."""
    share = math.floor(finding["correctly_rounded"] * 1e4) / 1e2
    counts = [finding[key] for key in ("monotonicity_violations", "range_violations")]
    falls, strays = ("-" if c is None else str(c) for c in counts)
    library = finding["library"] + ":" if finding["library"] else ""
    line = f"{library + finding['function']:<17}{finding['kind']:<11}{finding['dtype']:<8}{float(finding['max_ulp']):>9.4g}"
    line += f"{float(finding['mean_ulp']):>8.3f}{share:>7.2f}%{falls:>8}{strays:>7}  "
    line += _at(finding, "")
    found = [line + ("" if finding["holds"] else f"  EXCEEDS {finding['bound']:g}")]
    if "max_ulp_outside" in finding:
        where = f"where {finding['absolute']}" if finding["root"] is None else f"within 1 of the root {finding['root']:.8g}"
        outside, inside, contract = (float(finding[key]) for key in ("max_ulp_outside", "max_absolute_inside", "contract_ulp"))
        found.append(f"{'':<17}elsewhere {outside:.4g} ULP; {where}: absolute error up to {inside:.4g}")
        found.append(f"{'':<17}by the contract {contract:.4g} {_at(finding, 'contract_')}")
    if not finding["complete"]:
        found.append(f"{'':<17}interrupted after {finding['count']:,} of {finding['planned']:,} inputs")
    return found


def _at(finding: dict[str, Any], prefix: str) -> str:
    hexadecimal, x, got, want = (finding[prefix + key] for key in ("witness_hex", "witness", "got", "want"))
    place = f" in {finding['place']}" if finding.get("place") else ""
    return f"at {hexadecimal} = {x}{place}: got {got}, want {want}" if x else "-"
