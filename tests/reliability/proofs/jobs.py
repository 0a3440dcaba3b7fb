"""What children of several proofs do: train by a record, as a new process with another past would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proofs.reference import record


def train(data: Path | str, out: Path, options: Mapping[str, Any], draws: int = 0) -> None:
    """The reference job with other options, bare. draws: taken from every global random state beforehand."""
    import random

    import numpy as np
    import torch

    from sagan.training.reporting import Note
    from sagan.workflows.train import train

    leave_out_frills()
    for _ in range(draws):
        torch.randn(7), np.random.rand(7), random.random()
    train(
        record(data, out, **options),
        watch=lambda event: print(event.text, flush=True) if isinstance(event, Note) else None,
    )


def leave_out_frills() -> None:
    """No report at the end and no estimate at the start: half of the time of so short a run."""
    from types import SimpleNamespace

    from sagan.workflows import chores, train

    chores.write_report = lambda folder: folder.report
    train.estimate = lambda *arguments: SimpleNamespace(seconds_a_step=0.1)
