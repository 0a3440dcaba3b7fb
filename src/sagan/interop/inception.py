"""The FID network's published weights (pt_inception-2015-12-05): names and shapes as a rule, checked, never guessed.

Szegedy et al., arXiv:1512.00567, as released for TensorFlow in 2015 and carried over to torch by pytorch-fid: 94 convolutions
with batch norm, each BasicConv2d, and a layer of 1008 classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sagan.errors import CheckpointIncompatible
from sagan.interop.sandbox import Foreign
from sagan.interop.source import COUNTER, listed, size

PUBLISHED = "6726825d"  # the first digits of the published file's SHA-256, which torch's hub puts into the file's name
CLASSES, FEATURES = 1008, 2048
Convolution = tuple[str, int, int, int, int]  # name, c_in, c_out, height, width of the kernel


def convolutions() -> list[Convolution]:
    """The 94 convolutions in the order of the data."""
    rows: list[Convolution] = [
        ("Conv2d_1a_3x3", 3, 32, 3, 3), ("Conv2d_2a_3x3", 32, 32, 3, 3), ("Conv2d_2b_3x3", 32, 64, 3, 3),
        ("Conv2d_3b_1x1", 64, 80, 1, 1), ("Conv2d_4a_3x3", 80, 192, 3, 3),
    ]  # fmt: skip
    for name, c_in, pool in (("Mixed_5b", 192, 32), ("Mixed_5c", 256, 64), ("Mixed_5d", 288, 64)):
        rows += [
            (f"{name}.branch1x1", c_in, 64, 1, 1),
            (f"{name}.branch5x5_1", c_in, 48, 1, 1), (f"{name}.branch5x5_2", 48, 64, 5, 5),
            (f"{name}.branch3x3dbl_1", c_in, 64, 1, 1), (f"{name}.branch3x3dbl_2", 64, 96, 3, 3),
            (f"{name}.branch3x3dbl_3", 96, 96, 3, 3), (f"{name}.branch_pool", c_in, pool, 1, 1),
        ]  # fmt: skip
    rows += [
        ("Mixed_6a.branch3x3", 288, 384, 3, 3), ("Mixed_6a.branch3x3dbl_1", 288, 64, 1, 1),
        ("Mixed_6a.branch3x3dbl_2", 64, 96, 3, 3), ("Mixed_6a.branch3x3dbl_3", 96, 96, 3, 3),
    ]  # fmt: skip
    for name, width in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        rows += [
            (f"{name}.branch1x1", 768, 192, 1, 1),
            (f"{name}.branch7x7_1", 768, width, 1, 1), (f"{name}.branch7x7_2", width, width, 1, 7),
            (f"{name}.branch7x7_3", width, 192, 7, 1),
            (f"{name}.branch7x7dbl_1", 768, width, 1, 1), (f"{name}.branch7x7dbl_2", width, width, 7, 1),
            (f"{name}.branch7x7dbl_3", width, width, 1, 7), (f"{name}.branch7x7dbl_4", width, width, 7, 1),
            (f"{name}.branch7x7dbl_5", width, 192, 1, 7), (f"{name}.branch_pool", 768, 192, 1, 1),
        ]  # fmt: skip
    rows += [
        ("Mixed_7a.branch3x3_1", 768, 192, 1, 1), ("Mixed_7a.branch3x3_2", 192, 320, 3, 3),
        ("Mixed_7a.branch7x7x3_1", 768, 192, 1, 1), ("Mixed_7a.branch7x7x3_2", 192, 192, 1, 7),
        ("Mixed_7a.branch7x7x3_3", 192, 192, 7, 1), ("Mixed_7a.branch7x7x3_4", 192, 192, 3, 3),
    ]  # fmt: skip
    for name, c_in in (("Mixed_7b", 1280), ("Mixed_7c", 2048)):
        rows += [
            (f"{name}.branch1x1", c_in, 320, 1, 1), (f"{name}.branch3x3_1", c_in, 384, 1, 1),
            (f"{name}.branch3x3_2a", 384, 384, 1, 3), (f"{name}.branch3x3_2b", 384, 384, 3, 1),
            (f"{name}.branch3x3dbl_1", c_in, 448, 1, 1), (f"{name}.branch3x3dbl_2", 448, 384, 3, 3),
            (f"{name}.branch3x3dbl_3a", 384, 384, 1, 3), (f"{name}.branch3x3dbl_3b", 384, 384, 3, 1),
            (f"{name}.branch_pool", c_in, 192, 1, 1),
        ]  # fmt: skip
    return rows


def shapes() -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor that counts (counters of batches do not)."""
    table: dict[str, tuple[int, ...]] = {}
    for name, c_in, c_out, height, width in convolutions():
        table[f"{name}.conv.weight"] = (c_out, c_in, height, width)
        table |= {f"{name}.bn.{part}": (c_out,) for part in ("weight", "bias", "running_mean", "running_var")}
    return table | {"fc.weight": (CLASSES, FEATURES), "fc.bias": (CLASSES,)}


def checked(file: Foreign) -> dict[str, Tensor]:
    """The tensors of the file, float32, when each has its name and shape and is finite.

    Raises CheckpointIncompatible naming what differs.
    """
    found = {name: tensor for name, tensor in file.tensors.items() if not name.endswith(COUNTER)}
    _compare(found, file)
    return {name: found[name].float() for name in shapes()}


def _compare(found: Mapping[str, Tensor], file: Foreign) -> None:
    expected = shapes()
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


def is_published(file: Foreign) -> bool:
    """Whether the hash begins as the published file's name says. The rest of that hash is not known here."""
    return file.sha256.startswith(PUBLISHED)
