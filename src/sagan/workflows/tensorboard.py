"""TensorBoard events, for those who ask for them (`--tensorboard`, the extra `track`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sagan.errors import ConfigError


def require_tensorboard() -> Any:
    """torch's SummaryWriter. Raises ConfigError naming the extra when TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError(
            "tensorboard is not installed", remedy="pip install 'sagan-torch[track]', or leave out --tensorboard."
        ) from None
    return SummaryWriter


class TensorBoard:
    """Writes the numbers of log lines into `folder`; events after `step`, left by a run that was cut, are dropped."""

    def __init__(self, folder: Path, step: int) -> None:
        self._writer = require_tensorboard()(str(folder), purge_step=step + 1)

    def write(self, values: dict[str, float]) -> None:
        """One line of the log: the names with a slash are curves."""
        for name, value in values.items():
            if "/" in name:
                self._writer.add_scalar(name, value, int(values["step"]))

    def close(self) -> None:
        """Bring everything to the disk."""
        self._writer.close()
