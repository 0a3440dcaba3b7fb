"""The published FID network's tensors, written down by hand from its paper and its file: what ours must read."""

from __future__ import annotations

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
