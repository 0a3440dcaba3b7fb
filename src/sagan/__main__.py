"""`python -m sagan`."""

from __future__ import annotations

import sys

from sagan.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
