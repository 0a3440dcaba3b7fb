"""The table of networks against the spec's (2.2 to 2.4)."""

from __future__ import annotations

import pytest

from sagan.models.architecture import ARCHITECTURES, discriminator_sizes, generator_sizes
from sagan.models.config import PUBLISHED


@pytest.mark.parametrize(
    ("resolution", "generator", "discriminator"),
    [
        (16, [8, 16], [8, 4, 4]),
        (32, [8, 16, 32], [16, 8, 8, 8]),
        (64, [8, 16, 32, 64], [32, 16, 8, 4, 4]),
        (128, [8, 16, 32, 64, 128], [64, 32, 16, 8, 4, 4]),
    ],
)
def test_maps_after_each_block(resolution, generator, discriminator):
    assert generator_sizes(resolution) == generator
    assert discriminator_sizes(resolution) == discriminator


def test_published_widths():
    def widths(resolution):
        shape, (g_ch, d_ch, _) = ARCHITECTURES[resolution], PUBLISHED[resolution]
        return [g_ch * factor for factor in shape.generator], [d_ch * factor for factor in shape.discriminator]

    assert widths(32) == ([256] * 4, [128] * 4)
    assert widths(64) == ([1024, 512, 256, 128, 64], [64, 128, 256, 512, 1024])
    assert widths(128) == ([1024, 1024, 512, 256, 128, 64], [64, 128, 256, 512, 1024, 1024])


def test_every_resolution_is_in_both_tables():
    assert set(ARCHITECTURES) == set(PUBLISHED) == {16, 32, 64, 128}
