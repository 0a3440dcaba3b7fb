"""Makes `proofs` importable: measure.py, which is a script beside it, imports it in the same way."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
