"""The FID network's published weights (pt_inception-2015-12-05): names and shapes are checked, never guessed.

Szegedy et al., arXiv:1512.00567, as released for TensorFlow in 2015 and carried over to torch by pytorch-fid.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sagan.errors import CheckpointIncompatible
from sagan.interop.sandbox import Foreign
from sagan.interop.source import COUNTER, listed, size

PUBLISHED = "6726825d"  # the first digits of the published file's SHA-256, which torch's hub puts into the file's name


def checked(file: Foreign, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The tensors of the file, float32, when each has its name and shape and is finite; counters of batches are left out.

    expected: names and shapes of those that the network reads. Raises CheckpointIncompatible naming what differs.
    """
    found = {name: tensor for name, tensor in file.tensors.items() if not name.endswith(COUNTER)}
    wrong = {
        "missing": [name for name in expected if name not in found],
        "unknown": [name for name in found if name not in expected],
        "of another shape": [
            f"{name} {size(found[name])}"
            for name in expected
            if name in found and tuple(found[name].shape) != expected[name]
        ],
        "not finite": [name for name, tensor in found.items() if not torch.isfinite(tensor).all()],
    }
    words = [f"{word}: {listed(names)}" for word, names in wrong.items() if names]
    if words:
        raise CheckpointIncompatible(
            "; ".join(words), where=file.path, remedy="Use pt_inception-2015-12-05, as pytorch-fid publishes it."
        )
    return {name: found[name].float() for name in expected}


def is_published(file: Foreign) -> bool:
    """Whether the hash begins as the published file's name says. The rest of that hash is not known here."""
    return file.sha256.startswith(PUBLISHED)
