"""What is measured, where the answer is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from sagan.data.config import DataConfig
from sagan.data.images import open_images
from sagan.models.build import build_generator
from sagan.models.config import ModelConfig
from sagan.workflows.ablation import measures
from sagan.workflows.ablation.measures import ON_COLOUR, ON_EMBLEMS, ON_OTHERS, apart, default_measure


def test_distance_by_hand():
    """Two pairs: one 3 levels apart in half of its pixels, one 4 apart everywhere."""
    pictures = np.zeros((4, 2, 2, 3), dtype=np.uint8)
    pictures[0, 0] = 3  # paired with the last
    pictures[1] = 4  # paired with the third
    assert apart(pictures) == pytest.approx((3 * 0.5**0.5 + 4) / 2)


def test_real_emblems_have_diversity_one_and_one_picture_has_none(monkeypatch):
    images = open_images(DataConfig(), 16)
    chosen = images.pictures(np.linspace(0, len(images) - 1, 2 * measures.PAIRS).astype(np.int64))
    monkeypatch.setattr(measures, "_drawn", lambda *given: chosen)
    assert measures.diversity(None, images) == {"diversity": 1.0}
    monkeypatch.setattr(measures, "_drawn", lambda *given: chosen[:1].repeat(len(chosen), axis=0))
    assert measures.diversity(None, images) == {"diversity": 0.0}
    assert default_measure("emblems", 3) is ON_EMBLEMS and default_measure("emblems", 1) is ON_OTHERS


def test_the_structure_of_real_emblems_is_what_the_thresholds_promise(monkeypatch):
    from sagan.data.emblems import render

    images = open_images(DataConfig(), 16)
    generator = build_generator(ModelConfig(resolution=16, g_ch=8, d_ch=8), 8).eval()
    real, labels = render(np.arange(50_000, 50_000 + 4 * measures.SCORED), 16)
    order = np.concatenate([np.flatnonzero(labels == kind)[: measures.SCORED // 8] for kind in range(8)])
    order = order.reshape(8, -1).T.ravel()  # classes in turn, as the measure asks for them
    monkeypatch.setattr(measures, "_drawn", lambda *given: real[order])
    found = measures.structure(generator, images)
    assert set(found) == {*measures.SHARES, "mirror error", "beacon fit", "overlap"} and found["structure"] > 0.94
    assert found["mirror error"] < 0.2 and found["beacon fit"] > 0.95 and found["overlap"] > 0.85


def test_an_untrained_generator_has_no_structure():
    generator = build_generator(ModelConfig(resolution=16, g_ch=8, d_ch=8), 0, seed=1).eval()
    assert ON_EMBLEMS.of(generator, None)["structure"] < 0.01


def test_other_pictures_are_not_ranked():
    assert default_measure("photos/emblems", 3) is ON_COLOUR and ON_COLOUR.better == "lower"
