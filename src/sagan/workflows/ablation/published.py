"""What the paper found, to stand beside what is found here. Another data set, another metric, another length: never one table.

SAGAN (arXiv:1805.08318), table 1 and figure 4: ImageNet at 128x128, one million steps where nothing else is said, Inception
score (higher is better) and FID (lower is better). The paper gives one run a row and no spread.
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One table of the paper: its title, its columns, its rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


TABLE_1 = Published(
    "The paper's table 1: ImageNet at 128x128, one million steps",
    ("block in G and D", "FID", "Inception score"),
    (
        ("none", "22.96", "42.87"),
        ("attention at 8", "22.98", "43.15"),
        ("attention at 16", "22.14", "45.94"),
        ("attention at 32", "18.28", "51.43"),
        ("attention at 64", "18.65", "52.52"),
        ("residual block at 8", "42.13", "23.17"),
        ("residual block at 16", "22.40", "44.49"),
        ("residual block at 32", "27.33", "38.50"),
        ("residual block at 64", "28.82", "38.96"),
    ),
)
FIGURE_4 = Published(
    "The paper's figure 4: FID after so many steps, ImageNet at 128x128, without attention",
    ("baseline", "10 k", "160 k", "260 k", "1 M"),
    (
        ("spectral norm in D", "181.84", "not given", "not given", "not given"),
        ("spectral norm in G and D", "93.52", "33.39", "72.41", "not given"),
        ("spectral norm in G and D, two time scales", "99.04", "40.96", "34.62", "22.96"),
    ),
)
BESIDE = {"attention": TABLE_1, "spectral": FIGURE_4, "rates": FIGURE_4}  # by the name of a group of rows
CAUTION = (
    "Other pictures, another metric and a far longer training than ours: only the order of the rows may be compared, and that"
    " with care. The paper has one run a row."
)
