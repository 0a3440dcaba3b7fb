"""Keep the promises of docs/reliability.md to the full figure, and record it.

    python tests/reliability/measure.py                 every proof
    python tests/reliability/measure.py kills races     some of them
    python tests/reliability/measure.py kills --count 20 --seed 7 --no-record

Each leaves benchmarks/results/reliability-NAME.json; `python scripts/results.py` then renews the tables. Exit code 1
when a promise did not hold each time, with a line for each failure.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(Path(__file__).parent)]

from proofs import NAMES, proof  # noqa: E402
from results_file import write_result  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="proofs; all without any")
    parser.add_argument("--count", type=int, help="how often, instead of the full number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    arguments = parser.parse_args()
    broken = 0
    for name in arguments.names or NAMES:
        module = proof(name)
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"sagan-{name}-") as workspace:
            outcome = module.prove(arguments.count or module.FULL, arguments.seed, Path(workspace))
        took = time.monotonic() - start
        print(f"{name}: held {outcome.held:,} of {outcome.tried:,} in {took:.0f} s  {outcome.facts}", flush=True)
        for failure in outcome.failures[:20]:
            print(f"    {failure}")
        broken += bool(outcome.failures)
        if arguments.no_record:
            continue
        figures = [("tried", outcome.tried, "", ""), ("held", outcome.held, "", "")]
        figures += [(fact, value, "", "") for fact, value in outcome.facts.items()] + [
            ("time", round(took, 1), "s", "")
        ]
        count = f" --count {arguments.count}" if arguments.count else ""
        command = f"python tests/reliability/measure.py {name}{count}"
        write_result(f"reliability-{name}", command, figures, seed=arguments.seed, note=module.CLAIM)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
