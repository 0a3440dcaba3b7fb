"""Several processes train what one would. Each test starts real processes with torchrun's own launcher."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagan.data.batches import Batches
from sagan.data.config import DataConfig
from sagan.data.images import open_images
from sagan.errors import ConfigError
from sagan.ranks import ALONE, Ranks

HERE = Path(__file__).parent
TIMEOUT = 300
PLAINER = ("hinge", "accumulated", "penalty")  # most of what they ask is in "small sets" too, which accumulates


class Numbered(Ranks):
    """A rank that talks to nobody: enough to ask which rows are its own."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size


def torchrun(processes, script, *words, restarts=0):
    """Run a Python file under torchrun on this machine; the finished process."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += ["--max-restarts", str(restarts), str(script), *map(str, words)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, env=environment)
    return done


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("parts", [1, 2])
def test_ranks_share_a_batch_so_that_each_part_is_whole(size, parts):
    count = 24
    rows = [Numbered(rank, size).rows(count, parts) for rank in range(size)]
    assert sorted(np.concatenate(rows).tolist()) == list(range(count))
    for part in range(parts):
        each = count // (size * parts)
        together = np.concatenate([own[part * each : (part + 1) * each] for own in rows])
        assert together.tolist() == list(range(part * count // parts, (part + 1) * count // parts))


def test_one_process_has_every_row_in_order():
    assert ALONE.rows(6, 3).tolist() == [0, 1, 2, 3, 4, 5]
    assert ALONE.first and ALONE.greatest(2.0, 1.0) == (2.0, 1.0) and ALONE.decided(lambda: [1]) == [1]


def test_a_batch_that_cannot_be_shared_is_refused():
    Numbered(0, 4).require_division(24, 2, "batch_size")
    with pytest.raises(
        ConfigError, match="^batch_size 20 cannot be shared out among 4 processes in 2 parts each. Use a"
    ):
        Numbered(0, 4).require_division(20, 2, "batch_size")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    for seed in range(23):
        array = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(array).save(folder / f"{seed}.png")
    return open_images(DataConfig(data=str(folder)), 8)


@pytest.mark.parametrize("sizes", [(1, 2), (2, 4), (4, 1)])
def test_the_order_of_pictures_is_that_of_one_process_whatever_the_size_and_after_a_resume(sizes, images):
    batch, steps = 8, 9  # three epochs and a bit
    batches = Batches(images, batch_size=batch, seed=4, mirror=True)
    alone = [next(batches).ids.tolist() for _ in range(steps)]
    found, position = [], 0
    for size, count in zip(sizes, (4, steps - 4), strict=True):
        ranks = [Numbered(rank, size) for rank in range(size)]
        shares = [
            Batches(images, batch_size=batch, seed=4, position=position, mirror=True, rows=rank.rows(batch))
            for rank in ranks
        ]
        found += [[number for share in shares for number in next(share).ids.tolist()] for _ in range(count)]
        position = shares[0].position
    assert found == alone


@pytest.mark.parametrize("kind", ["small sets", *(pytest.param(k, marks=pytest.mark.nightly) for k in PLAINER)])
def test_two_processes_train_what_one_trains(kind, tmp_path):
    done = torchrun(2, HERE / "ranks_game.py", kind, tmp_path / "two.pt.json")
    assert done.returncode == 0, done.stderr[-2000:]
    alone = subprocess.run(
        [sys.executable, str(HERE / "ranks_game.py"), kind, str(tmp_path / "one.pt.json")],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert alone.returncode == 0, alone.stderr[-2000:]
    one, two = (np.load(tmp_path / f"{name}.pt.json.npz") for name in ("one", "two"))
    assert set(one.files) == set(two.files) and len(one.files) > 40
    for name in one.files:
        bound = 1e-5 if name.startswith("gradient.") else 1e-9
        scale = max(1.0, float(np.abs(one[name]).max()))
        assert np.abs(one[name] - two[name]).max() <= bound * scale, name
