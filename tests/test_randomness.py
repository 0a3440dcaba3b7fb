"""Philox against Random123's known answers, and the promises that files and resumed runs rely on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sagan.randomness import Stream, bits, integers, normal, permutation, philox, uniform

ONES = 0xFFFFFFFF
LARGEST = 2**63 - 1


def one_block(counter: tuple[int, ...], key: tuple[int, int]) -> list[int]:
    words = philox(np.array(counter, dtype=np.uint64), (np.uint64(key[0]), np.uint64(key[1])))
    return [int(word) for word in words]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),  # kat_vectors of Random123, philox4x32, 10 rounds
    [
        ((0,) * 4, (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ((ONES,) * 4, (ONES, ONES), [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_known_answers(counter, key, expected):
    assert one_block(counter, key) == expected


def test_bits_of_zero_are_the_known_answer():
    assert bits(0, Stream.LATENT, 0, 4).tolist() == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def test_seed_index_and_stream_lie_where_the_module_says():
    seed, index = 0x0123456789ABCDEF, 0x1122334455667788
    drawn = bits(seed, Stream.MIRROR, index, 8).tolist()
    for block in (0, 1):
        counter = (block, 0x55667788, 0x11223344, int(Stream.MIRROR))
        assert drawn[4 * block : 4 * block + 4] == one_block(counter, (0x89ABCDEF, 0x01234567))


def test_the_numbers_of_the_streams_never_move():
    """They are part of the file formats: a picture's seed must mean the same picture next year."""
    names = "LATENT LABEL INIT ORDER MIRROR CRITIC_NOISE CRITIC_LABEL GENERATOR_NOISE GENERATOR_LABEL EMBLEM TRUNCATION TEST"
    names += " PENALTY CLASS_ORDER ROLLBACK METRIC AUGMENT_REAL AUGMENT_FAKE AUGMENT_GENERATOR AUGMENT_PAIR CONSISTENCY"
    names += " WINDOW"
    assert [(stream.name, int(stream)) for stream in Stream] == [(n, k) for k, n in enumerate(names.split())]


@pytest.mark.parametrize("draw", [bits, uniform, normal, lambda *where: integers(*where, high=1000)])
class TestEveryKindOfDraw:
    def test_a_shorter_draw_is_the_start_of_a_longer_one(self, draw):
        longer = draw(7, Stream.TEST, 3, 8)
        for count in range(9):
            np.testing.assert_array_equal(draw(7, Stream.TEST, 3, count), longer[:count])

    def test_a_batch_is_its_single_draws(self, draw):
        seeds, indices = np.array([[1], [LARGEST]]), np.array([0, 5, 2**40])
        batch = draw(seeds, Stream.TEST, indices, 5)
        assert batch.shape == (2, 3, 5)
        for row, seed in enumerate(seeds[:, 0].tolist()):
            for column, index in enumerate(indices.tolist()):
                np.testing.assert_array_equal(batch[row, column], draw(seed, Stream.TEST, index, 5))

    def test_an_array_of_seeds_goes_with_one_index(self, draw):
        batch = draw(np.array([4, 9]), Stream.TEST, 6, 3)
        np.testing.assert_array_equal(batch, np.stack([draw(4, Stream.TEST, 6, 3), draw(9, Stream.TEST, 6, 3)]))

    def test_no_indices_give_no_rows(self, draw):
        assert draw(1, Stream.TEST, np.zeros(0, dtype=np.int64), 6).shape == (0, 6)

    def test_stream_seed_and_index_each_matter(self, draw):
        high = 2**32
        places = [(1, Stream.TEST, 1), (1, Stream.ORDER, 1), (2, Stream.TEST, 1), (1, Stream.TEST, 2)]
        places += [(1 + high, Stream.TEST, 1), (1, Stream.TEST, 1 + high)]
        draws = {draw(*place, 6).tobytes() for place in places}
        assert len(draws) == len(places)


def test_big_seeds_are_taken_whole_and_larger_ones_refused():
    assert bits(LARGEST, Stream.TEST, 0, 4).tolist() == one_block((0, 0, 0, int(Stream.TEST)), (ONES, 0x7FFFFFFF))
    assert len({bits(seed, Stream.TEST, 0, 4).tobytes() for seed in (LARGEST, LARGEST - 1, LARGEST - 2**32)}) == 3
    with pytest.raises(OverflowError):
        bits(2**63, Stream.TEST, 0, 4)


def test_uniform_is_the_middle_of_each_of_2_to_the_32_cells():
    words = bits(5, Stream.TEST, 8, 3).tolist()
    assert uniform(5, Stream.TEST, 8, 3).tolist() == [(word + 0.5) / 4294967296 for word in words]


def test_normal_is_box_muller_of_the_uniform_numbers():
    first, second = uniform(5, Stream.TEST, 8, 2).tolist()
    radius = math.sqrt(-2 * math.log(first))
    expected = [radius * math.cos(2 * math.pi * second), radius * math.sin(2 * math.pi * second)]
    drawn = normal(5, Stream.TEST, 8, 2)
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn, expected, rtol=1e-6)


def test_normal_has_the_moments_of_a_normal():
    x = normal(3, Stream.TEST, np.arange(400), 250).astype(np.float64)  # 100,000 numbers
    assert abs(x.mean()) < 0.015
    assert abs(x.var() - 1) < 0.02
    assert abs((x**3).mean()) < 0.05
    assert abs((x**4).mean() - 3) < 0.12
    assert abs((x[:, 0::2] * x[:, 1::2]).mean()) < 0.02  # the two numbers of a pair
    assert 0.0021 < (np.abs(x) > 3).mean() < 0.0034  # 0.0027


def test_integers_cover_their_range_evenly():
    drawn = integers(2, Stream.TEST, 0, 7000, high=7)
    assert drawn.dtype == np.int64
    counts = np.bincount(drawn, minlength=7)
    assert len(counts) == 7
    assert ((counts - 1000) ** 2 / 1000).sum() < 22.5  # chi-squared with 6 degrees of freedom, 0.1 %


def test_permutation_is_one_and_repeats_only_for_the_same_place():
    order = permutation(11, Stream.ORDER, 4, 1000)
    assert sorted(order.tolist()) == list(range(1000))
    np.testing.assert_array_equal(order, permutation(11, Stream.ORDER, 4, 1000))
    for other in ((12, 4), (11, 5)):
        assert (permutation(other[0], Stream.ORDER, other[1], 1000) == order).mean() < 0.02
    assert abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 0.1
    assert permutation(11, Stream.ORDER, 4, 1).tolist() == [0]
    assert permutation(LARGEST, Stream.ORDER, 0, 0).tolist() == []
