from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "data" / "stream")]  # for `published_inception` and `shard_files`


@pytest.fixture(autouse=True)
def threads_put_back():
    """What is opened with device 'auto' takes every core; the next test shall not notice."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
