"""The scorer of the built-in set: real pictures pass, each planted fault fails its own test."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from sagan.data.emblem_score import THRESHOLDS, measure, score
from sagan.data.emblems import RESOLUTIONS, render
from sagan.errors import DataError

FRESH = 1_000_000  # ids that neither training nor the measurement of the thresholds uses
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "emblems-thresholds.json"


@pytest.fixture(scope="module")
def real():
    return render(np.arange(FRESH, FRESH + 512), 32)


@pytest.mark.parametrize(("resolution", "count"), [(16, 2048), (32, 2048), (64, 512), (128, 96)])
def test_real_pictures_pass(resolution, count):
    found = score(*render(np.arange(FRESH, FRESH + count), resolution))
    slack = 3 * np.sqrt(0.99 * 0.01 / count)  # three standard deviations of a share of 99 %
    for share in (found.mirror, found.beacons, found.silhouette):
        assert 0.99 - slack - 0.004 <= share <= 1.0
    assert 0.97 - 3 * slack <= found.structure <= min(found.mirror, found.beacons, found.silhouette)


def test_thresholds_are_not_loose(real):
    """Also from the other side: at 99 % something must fail among many."""
    found = score(*render(np.arange(FRESH, FRESH + 4096), 16))
    assert max(found.mirror, found.beacons, found.silhouette) < 0.998


def test_half_of_another_picture_breaks_the_mirror_alone(real):
    pictures, labels = real
    mixed = pictures.copy()
    mixed[:, :, :14] = np.roll(pictures, 8, axis=0)[:, :, :14]  # eight further: the same class, another texture
    mixed[:, :, :6] = pictures[:, :, :6]  # its own beacon
    mixed[:, :, 14:16] = np.roll(pictures, 8, axis=0)[:, :, 14:16]
    found = score(mixed, labels)
    assert found.mirror < 0.02 and found.structure < 0.02
    assert found.beacons > 0.95


def test_beacons_of_another_hue_fail(real):
    pictures, labels = real
    turned = pictures.copy()
    turned[:, 8:24, :4] = turned[:, 8:24, :4][..., [1, 2, 0]]  # a third of the circle
    found = score(turned, labels)
    assert found.beacons < 0.02 and found.structure < 0.02
    assert found.mirror > 0.97 and found.silhouette > 0.97
    difference = measure(turned, labels).hue_difference
    assert 90 < np.median(difference) < 150


@pytest.mark.parametrize("columns", [slice(0, 4), slice(28, 32)])
def test_a_missing_beacon_fails(real, columns):
    pictures, labels = real
    bare = pictures.copy()
    bare[:, 8:24, columns] = bare[:, :8, columns].repeat(2, axis=1)  # background from above
    found = score(bare, labels)
    assert found.beacons < 0.02 and found.structure < 0.02
    assert found.mirror > 0.97


@pytest.mark.parametrize("resolution", [16, 32])
def test_a_wrong_label_fails_the_silhouette(resolution):
    pictures, labels = render(np.arange(FRESH, FRESH + 256), resolution)
    for shift in range(1, 8):
        assert score(pictures, (labels + shift) % 8).silhouette < 0.01


def test_without_labels_the_closest_class_counts(real):
    pictures, labels = real
    np.testing.assert_array_equal(measure(pictures, None).label, labels)
    assert score(pictures, None) == score(pictures, labels)


def test_what_shows_no_emblem_passes_nothing():
    noise = np.random.default_rng(0).integers(0, 256, (128, 32, 32, 3), dtype=np.uint8)
    grey = np.full((8, 32, 32, 3), 127, dtype=np.uint8)
    black = np.zeros((8, 32, 32, 3), dtype=np.uint8)
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    blob = (200 * np.exp(-3 * (x**2 + y**2)))[None, :, :, None].repeat(8, 0).repeat(3, 3).astype(np.uint8)
    for pictures in (noise, grey, black):
        found = score(pictures, np.arange(len(pictures)) % 8)
        assert found.beacons == found.silhouette == found.structure == 0
    found = score(blob, np.arange(8))
    assert found.beacons == found.structure == 0
    assert found.silhouette <= 1 / 8  # a disc is not far from a shield, and from nothing else
    assert score(noise, np.arange(128) % 8).mirror == 0
    assert score(grey, np.arange(8)).mirror == 0


def test_an_emblem_without_texture_has_nothing_to_mirror(real):
    pictures, labels = real
    flat = pictures.copy()
    flat[:, :, 6:26] = np.where(flat[:, :, 6:26].max(axis=-1, keepdims=True) > 100, np.uint8(200), np.uint8(20))
    assert score(flat[labels == 3], labels[labels == 3]).mirror < 0.05


def test_blurred_pictures_fail(real):
    pictures, labels = real
    soft = pictures.reshape(-1, 4, 8, 4, 8, 3).mean(axis=(2, 4)).repeat(8, 1).repeat(8, 2).astype(np.uint8)
    found = score(soft, labels)
    assert found.silhouette < 0.01 and found.structure == 0


def test_measurements_by_hand(real):
    """A perfect mirror has no error; a half with the colours of the other swapped has a known one."""
    pictures, labels = real
    perfect = pictures.copy()
    perfect[:, :, :16] = perfect[:, :, :15:-1]
    found = measure(perfect, labels)
    assert found.mirror_error.max() == 0 and found.hue_difference.max() < 0.5
    shield = labels == 3
    halves = perfect[shield].copy()
    y, x = np.mgrid[0:32, 0:32]
    halves[:, :, 6:26] = (40 + 160 * ((x < 16) == (y % 4 < 2)))[None, :, 6:26, None]  # left the negative of right
    error = measure(halves, labels[shield]).mirror_error
    np.testing.assert_allclose(error, np.sqrt(2), atol=0.05)  # difference 2d everywhere, deviation d: 2d / (sqrt 2 * d)


def test_each_picture_is_measured_alone(real):
    pictures, labels = real
    whole = asdict(measure(pictures, labels))
    part = asdict(measure(pictures[300:303], labels[300:303]))
    for name, values in part.items():
        np.testing.assert_allclose(values, whole[name][300:303], atol=2e-3, err_msg=name)


def test_thresholds_are_the_measured_ones():
    measured = {figure["name"]: figure["value"] for figure in json.loads(RESULTS.read_text())["figures"]}
    constants = {
        f"{resolution} px: threshold {name}": value
        for resolution, limits in THRESHOLDS.items()
        for name, value in asdict(limits).items()
    }
    assert {name: value for name, value in measured.items() if "threshold" in name} == constants
    assert tuple(THRESHOLDS) == RESOLUTIONS


@pytest.mark.parametrize(
    ("pictures", "labels", "message"),
    [
        (np.zeros((2, 32, 32), np.uint8), np.zeros(2, int), r"\(2, 32, 32\) uint8"),
        (np.zeros((2, 3, 32, 32), np.uint8), np.zeros(2, int), r"\(2, 3, 32, 32\)"),
        (np.zeros((2, 32, 32, 3), np.float32), np.zeros(2, int), "float32"),
        ([[1]], np.zeros(1, int), "list"),
        (np.zeros((2, 20, 20, 3), np.uint8), np.zeros(2, int), "20 pixels wide"),
        (np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, int), "no pictures"),
        (np.zeros((2, 32, 32, 3), np.uint8), np.zeros(3, int), r"\(3,\) int64 for 2 pictures"),
        (np.zeros((2, 32, 32, 3), np.uint8), np.zeros(2), "float64"),
        (np.zeros((2, 32, 32, 3), np.uint8), np.array([0, 8]), "a label is 8"),
        (np.zeros((2, 32, 32, 3), np.uint8), np.array([-1, 2]), "a label is -1"),
    ],
)
def test_wrong_arrays_are_refused_in_one_line(pictures, labels, message):
    with pytest.raises(DataError, match=message) as caught:
        score(pictures, labels)
    assert "\n" not in str(caught.value)
