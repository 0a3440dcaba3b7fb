"""`python -m sagan`, and the command `sagan`."""

from __future__ import annotations


def run() -> int:
    """Answer the words on the command line, and any signal from the first moment on. Returns the exit code."""
    from sagan.cli.leaving import LeaveAtOnce

    LeaveAtOnce().install()  # before all other imports; main hangs its own over it
    from sagan.cli.main import main

    return main()


if __name__ == "__main__":
    import sys

    sys.exit(run())
