"""`inception:FILE`: the features of the FID, from a safetensors file that `sagan import inception` made.

No weights come with the package and none are fetched. The published file, pt_inception-2015-12-05-6726825d.pth, is a pickle;
it is read in the sandbox of `sagan import` only.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

from sagan.checkpoint.loading import assign
from sagan.checkpoint.tensors import unpack_bytes
from sagan.disk import UnfitFile, disk_errors, read_whole
from sagan.errors import CheckpointCorrupt, CheckpointMissing
from sagan.metrics.features import FeatureNetwork, Features, Pictures
from sagan.metrics.inception_network import CLASSES, DIMENSION, SIDE, Inception

NAME = "inception-2015-12-05"
RESIZE = f"to {SIDE}x{SIDE} bilinear as TensorFlow 1, without antialiasing, on floats"
MAX_BYTES = 256 << 20
COUNTERS = "num_batches_tracked"  # batch norm's; some copies of the file have them, and nothing reads them
BATCH = 25  # pictures of 299x299 at a time, some 400 MiB of maps


def expected_state() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors that such a file must hold, all float32; batch norm's counters may be there too."""
    with torch.device("meta"):
        state = Inception().state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith(COUNTERS)}


def inception_features(file: str | Path, device: torch.device | str = "cpu") -> FeatureNetwork:
    """The network with the numbers of a safetensors file, computing in float32 on `device`.

    Raises CheckpointMissing, CheckpointCorrupt; CheckpointIncompatible naming the first tensors that do not fit.
    """
    path = Path(file)
    with disk_errors(path):
        try:
            payload = read_whole(path, max_bytes=MAX_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            remedy = "Make it with `sagan import inception FILE`."
            raise CheckpointMissing("there is no such file", where=path, remedy=remedy) from None
        except UnfitFile as error:
            raise CheckpointCorrupt(str(error), where=path) from None
    tensors = {name: t for name, t in unpack_bytes(payload, path)[0].items() if not name.endswith(COUNTERS)}
    with torch.device("meta"):
        network = Inception()
    network = network.to_empty(device="cpu")
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(COUNTERS)}
    assign(state, tensors, path)
    network = network.eval().requires_grad_(False).to(device)

    @torch.no_grad()
    def compute(pictures: Pictures) -> Features:
        parts = [np.empty((0, DIMENSION), dtype=np.float32)]
        for start in range(0, len(pictures), BATCH):
            x = torch.from_numpy(np.ascontiguousarray(pictures[start : start + BATCH])).permute(0, 3, 1, 2)
            with torch.autocast(torch.device(device).type, enabled=False):
                parts.append(network(x.to(device).float()).cpu().numpy())
        return np.concatenate(parts)

    head = network.fc.weight.detach().cpu().numpy().T, np.zeros(CLASSES, dtype=np.float32)
    return FeatureNetwork(NAME, hashlib.sha256(payload).hexdigest(), RESIZE, DIMENSION, compute, head)
