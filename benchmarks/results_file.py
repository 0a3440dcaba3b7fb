"""Write one measurement as benchmarks/results/NAME.json, in the form that scripts/results.py reads."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sagan.runtime import choose_runtime, cpu_multiplies_bf16, environment

RESULTS = Path(__file__).parent / "results"
Figure = tuple[str, float, str, str]


def hardware() -> str:
    """'2 cores of AMD EPYC, 24 GiB, no GPU'; a processor that multiplies bf16 says so."""
    facts = environment(choose_runtime("auto"), "fp32")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0
    device = "no GPU" if facts["device"] == "cpu" else facts["device"]
    units = " with bf16 units" if cpu_multiplies_bf16() else ""
    return f"{os.cpu_count()} cores of {facts['processor']}{units}, {memory:.0f} GiB, {device}"


def versions() -> dict[str, str]:
    """What the figures depend on beside the hardware."""
    facts = environment(choose_runtime("auto"), "fp32")
    return {name: str(facts[name]) for name in ("sagan", "torch", "numpy", "pillow")} | {
        "python": platform.python_version()
    }


def write_result(
    name: str,
    command: str,
    figures: Iterable[Figure],
    *,
    seed: int | None = None,
    note: str = "",
    data: Mapping[str, str] | None = None,
) -> Path:
    """Store figures as (name, value, unit, note). data: input file name -> SHA-256."""
    result = {
        "name": name,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "hardware": hardware(),
        "versions": versions(),
        "seed": seed,
        "note": note,
        "data": dict(data or {}),
        "figures": [dict(zip(("name", "value", "unit", "note"), figure, strict=True)) for figure in figures],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    for line in changes(path, result):
        print(line)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return path


def with_precision(name: str, said: str = "auto") -> str:
    """A result's name, with the precision where it is not the only one: figures in bf16 stand beside those in fp32."""
    return f"{name}-{said}" if said != "auto" else f"{name}-bf16" if cpu_multiplies_bf16() else name


def changes(path: Path, result: Mapping[str, Any]) -> list[str]:
    """How each figure stands to the one stored before, if that came from the same hardware; nothing else is comparable."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return []
    if before["hardware"] != result["hardware"]:
        return [f"{path.name}: no comparison, the figures stored before are of {before['hardware']}"]
    known = {figure["name"]: figure["value"] for figure in before["figures"]}
    lines = [f"{path.name}: against {before['date']}, sagan {before['versions']['sagan']}"]
    for figure in result["figures"]:
        old = known.get(figure["name"])
        if old:
            lines.append(
                f"  {figure['name']}: {old:g} -> {figure['value']:g} {figure['unit']} ({figure['value'] / old:.2f} times)"
            )
    return lines
