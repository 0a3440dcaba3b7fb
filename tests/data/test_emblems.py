"""The built-in set: what is promised about each picture, checked on pixels."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from sagan.data.emblem_shapes import EMBLEM_CLASSES, SHAPES, distance, ellipse, polygon, stroke
from sagan.data.emblem_textures import checks, dots, rings, stripes
from sagan.data.emblems import RESOLUTIONS, SET_SIZE, _colours, render
from sagan.errors import ConfigError


def test_names_and_size_of_the_set():
    assert EMBLEM_CLASSES == ("butterfly", "beetle", "mask", "shield", "vase", "leaf", "crab", "arrow")
    assert SET_SIZE == 8192


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_shape_type_and_labels(resolution):
    ids = np.array([9, 0, 7, 8191, 1_000_003])
    pictures, labels = render(ids, resolution)
    assert pictures.shape == (5, resolution, resolution, 3) and pictures.dtype == np.uint8
    assert labels.dtype == np.int64 and labels.tolist() == [1, 0, 7, 7, 3]


def test_a_picture_depends_on_seed_and_id_alone():
    together, _ = render(np.arange(600), 32)  # more than one chunk
    alone, _ = render(np.array([599]), 32)
    np.testing.assert_array_equal(together[599], alone[0])
    shuffled, _ = render(np.array([599, 3, 3]), 32)
    np.testing.assert_array_equal(shuffled, together[[599, 3, 3]])
    other, _ = render(np.arange(600), 32, seed=1)
    assert (other != together).any(axis=(1, 2, 3)).all()
    assert len({picture.tobytes() for picture in together}) == 600


def test_the_same_emblem_at_every_resolution():
    large, _ = render(np.arange(16), 128)
    small, _ = render(np.arange(16), 32)
    shrunk = large.reshape(16, 32, 4, 32, 4, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean() < 8  # of 255: grain, and two ways of smoothing edges


def test_the_emblem_is_mirrored_and_the_background_is_not():
    pictures, _ = render(np.arange(64), 64)
    error = np.abs(pictures.astype(int) - pictures[:, :, ::-1].astype(int)).max(axis=-1)
    body = error[:, 40:44, 29:35]  # every class is solid there: arrow shaft, vase belly, leaf, mouth corner of the mask
    assert (
        np.delete(body.reshape(64, -1), np.arange(2, 64, 8), axis=0).max() <= 2 * 255 / 30 + 1.01
    )  # grain on both sides
    assert error[:, :4].mean() > 3  # grain and gradient differ between the sides


def test_both_beacons_are_there_and_share_their_hue():
    pictures, _ = render(np.arange(200), 64)
    for picture in pictures:
        left, right = (picture[26:38, columns].reshape(-1, 3) for columns in (slice(2, 7), slice(57, 62)))
        hues = []
        for zone in (left, right):
            red, green, blue = np.median(zone[np.ptp(zone.astype(int), axis=1).argsort()[-9:]], axis=0) / 255
            hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
            assert saturation > 0.3 and value > 0.5
            hues.append(hue)
        turn = abs(hues[0] - hues[1]) % 1.0
        assert min(turn, 1 - turn) < 0.05 + 0.02  # the spread of real pairs, and grain


def test_the_emblem_stands_out_from_its_background():
    pictures, _ = render(np.arange(256), 64)
    luma = pictures @ np.array([0.299, 0.587, 0.114]) / 255
    corners = np.concatenate([luma[:, :6, :6].reshape(256, -1), luma[:, -4:, -6:].reshape(256, -1)], axis=1)
    for c, name in enumerate(EMBLEM_CLASSES):
        inside = SHAPES[name](*np.meshgrid(np.abs(np.linspace(-1, 1, 64)), np.linspace(-1, 1, 64))) < -0.1
        assert luma[c::8][:, inside].min() > corners.max() + 0.05


def test_silhouettes_keep_clear_of_the_beacons_and_differ():
    axis = np.linspace(-1, 1, 129)
    lattice = np.tile(axis, (8, 1))
    inside = distance(np.arange(8), lattice, lattice) < 0
    np.testing.assert_array_equal(inside, inside[:, :, ::-1])
    assert not inside[:, :, np.abs(axis) > 0.69].any()
    flat = inside.reshape(8, -1).astype(int)
    both = flat @ flat.T
    overlap = both / (flat.sum(1)[:, None] + flat.sum(1) - both)
    assert (overlap - np.eye(8)).max() < 0.75


def test_signed_distances_by_hand():
    at = np.array
    np.testing.assert_allclose(
        ellipse(at([0.5, 0.0, 1.0]), at([0.0, 0.0, 0.0]), (0.0, 0.0), (0.5, 0.5)), [0, -0.5, 0.5]
    )
    turned = ellipse(at([0.0, 0.2]), at([0.6, 0.0]), (0.0, 0.0), (0.6, 0.2), turn=np.pi / 2)
    np.testing.assert_allclose(turned, 0, atol=1e-12)
    np.testing.assert_allclose(stroke(at([0.5, 2.0]), at([0.3, 0.0]), [(0.0, 0.0), (1.0, 0.0)], 0.1), [0.2, 0.9])
    square = [(0.0, -1.0), (1.0, -1.0), (1.0, 1.0), (0.0, 1.0)]
    np.testing.assert_allclose(polygon(at([0.5, 0.0, 2.0]), at([0.0, 0.75, 0.0]), square), [-0.5, -0.25, 1.0])
    rounded = polygon(at([0.99]), at([0.99]), square, smooth=2)
    assert rounded[0] > 0 > polygon(at([0.99]), at([0.99]), square)[0]


def test_tables_agree_with_the_formulas_between_their_nodes():
    x, y = np.array([0.013, 0.301, 0.557]), np.array([-0.771, -0.2, 0.333, 0.6])
    for label, shape in enumerate(SHAPES.values()):
        expected = shape(*np.meshgrid(x, y))
        found = distance(np.array([label]), -x[None], y[None])[0]  # the left half reads the mirror image
        near = np.abs(expected) < 0.1  # deep inside an ellipse the formula itself is rough, and nothing looks there
        assert near.sum() >= 2
        np.testing.assert_allclose(found[near], expected[near], atol=0.004)


def test_patterns_by_hand():
    at = lambda *values: np.array(values, dtype=np.float32)  # noqa: E731
    np.testing.assert_allclose(stripes(at(0.0, 0.25, 0.5, 1.0), at(9, 9, 9, 9)), [0.25, 0, -0.25, 0.25], atol=1e-6)
    np.testing.assert_allclose(dots(at(0.5, 1.0), at(3.5, 0.0)), [0.36, 0.36 - np.hypot(0.5, 0.5)], atol=1e-6)
    np.testing.assert_allclose(checks(at(0.0, 0.5, 0.5), at(0.0, 0.0, 0.5)), [0.25, -0.25, 0.25], atol=1e-6)
    np.testing.assert_allclose(rings(at(3.0, 0.3), at(4.0, 0.4)), [0.25, -0.25], atol=1e-6)


def test_colours_keep_luma_and_hue_and_fit_into_rgb():
    hues = np.linspace(0, 0.95, 20, dtype=np.float32)
    colours = _colours(hues, np.full(20, 0.6, np.float32), np.ones(20, np.float32))
    np.testing.assert_allclose(colours @ [0.299, 0.587, 0.114], 0.6, atol=1e-5)
    assert colours.min() > -1e-6 and colours.max() < 1 + 1e-6
    np.testing.assert_allclose([colorsys.rgb_to_hsv(*np.clip(c, 0, 1))[0] for c in colours], hues, atol=1e-4)


@pytest.mark.parametrize("resolution", [0, 8, 48, 256])
def test_other_resolutions_are_refused(resolution):
    with pytest.raises(ConfigError, match=rf"resolution {resolution}\. Choose one of 16, 32, 64, 128"):
        render(np.arange(2), resolution)


@pytest.mark.parametrize("ids", [np.array([-1]), np.array([0.5]), np.zeros((2, 2), dtype=int)])
def test_ids_that_are_no_picture_numbers_are_refused(ids):
    with pytest.raises(ConfigError, match="id"):
        render(ids)


def test_no_ids_no_pictures():
    pictures, labels = render(np.array([], dtype=np.int64), 16)
    assert pictures.shape == (0, 16, 16, 3) and labels.shape == (0,)
