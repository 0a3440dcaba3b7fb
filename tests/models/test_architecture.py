"""The tables of networks against the spec's (2.2 to 2.5)."""

from __future__ import annotations

import pytest

from sagan.models.architecture import CONVOLUTIONAL, published_attention, shape_of, sides, size_of, widths_at


def both(resolution, architecture="residual"):
    """(side, channels at the published widths) after each block of the generator and of the discriminator."""
    shape, size = shape_of(architecture, resolution), size_of(resolution)
    return (
        [(side, shape.g_ch * factor) for side, factor in shape.generator_maps(size)],
        [(side, shape.d_ch * factor) for side, factor in shape.discriminator_maps(size)],
    )


@pytest.mark.parametrize(
    ("resolution", "generator", "discriminator"),
    [
        (16, [(8, 128), (16, 128)], [(8, 128), (4, 128), (4, 128)]),
        (32, [(8, 256), (16, 256), (32, 256)], [(16, 128), (8, 128), (8, 128), (8, 128)]),
        (48, [(12, 256), (24, 128), (48, 64)], [(24, 64), (12, 128), (6, 256), (3, 512), (3, 1024)]),
        (
            64,
            [(8, 512), (16, 256), (32, 128), (64, 64)],
            [(32, 64), (16, 128), (8, 256), (4, 512), (4, 1024)],
        ),
        (
            128,
            [(8, 1024), (16, 512), (32, 256), (64, 128), (128, 64)],
            [(64, 64), (32, 128), (16, 256), (8, 512), (4, 1024), (4, 1024)],
        ),
    ],
)
def test_residual_maps(resolution, generator, discriminator):
    assert both(resolution) == (generator, discriminator)


@pytest.mark.parametrize(
    ("architecture", "resolution", "generator", "discriminator"),
    [
        ("dcgan", 32, [(4, 256), (8, 128), (16, 64)], [(16, 64), (8, 128), (4, 256)]),
        ("dcgan", 64, [(4, 512), (8, 256), (16, 128), (32, 64)], [(32, 64), (16, 128), (8, 256), (4, 512)]),
        ("sngan-cnn", 32, [(4, 512), (8, 256), (16, 128), (32, 64)], [(16, 64), (8, 128), (4, 256)]),
        ("sngan-cnn", 48, [(6, 512), (12, 256), (24, 128), (48, 64)], [(24, 64), (12, 128), (6, 256)]),
        ("heykeetae", 64, [(4, 512), (8, 256), (16, 128), (32, 64)], [(32, 64), (16, 128), (8, 256), (4, 512)]),
    ],
)
def test_convolutional_maps(architecture, resolution, generator, discriminator):
    assert both(resolution, architecture) == (generator, discriminator)


def test_where_the_published_networks_attend():
    def places(resolution, architecture="residual"):
        return published_attention(shape_of(architecture, resolution), size_of(resolution))

    assert [places(side) for side in (16, 32, 64, 128)] == [((8,),) * 2, ((16,),) * 2, ((32,),) * 2, ((64,),) * 2]
    assert places(64, "heykeetae") == ((16, 32), (8, 4))
    assert places(64, "dcgan") == places(64, "sngan-cnn") == ((), ())


def test_sides_are_four_to_seven_doubled_two_to_seven_times():
    expected = sorted(base * 2**k for base in (4, 5, 6, 7) for k in range(2, 8) if 16 <= base * 2**k <= 512)
    assert sides() == expected
    assert {16, 20, 24, 28, 32, 48, 64, 96, 128, 256, 512} <= set(expected)
    for side in expected:
        base, doublings = size_of(side)
        assert base << doublings == side and 4 <= base <= 7


@pytest.mark.parametrize("side", sides())
@pytest.mark.parametrize("architecture", ["residual", *CONVOLUTIONAL])
def test_every_size_fits_together(architecture, side):
    """The generator ends at the side, the discriminator's maps halve without remainder."""
    shape, size = shape_of(architecture, side), size_of(side)
    generator, discriminator = shape.generator_maps(size), shape.discriminator_maps(size)
    last = generator[-1][0]
    assert last == side or (last == side // 2 and architecture in ("dcgan", "heykeetae"))
    sizes = [side, *(place for place, _ in discriminator)]
    assert all(before in (after, 2 * after) for before, after in zip(sizes, sizes[1:], strict=False))
    assert all(factor >= 1 for _, factor in [*generator, *discriminator])


def test_the_first_block_of_a_size_counts():
    assert widths_at([(8, 1), (4, 2), (4, 3)]) == {8: 1, 4: 2}
