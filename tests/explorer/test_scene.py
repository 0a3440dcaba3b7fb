from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import torch

from sagan.errors import ConfigError
from sagan.explorer.scene import LayerView, Scene, pack, views
from sagan.layers.attention import ATTENTION
from sagan.layers.parts import default_parts
from sagan.training.telemetry import measure


@pytest.fixture
def layer():
    made = ATTENTION["official"](16, default_parts(3)).eval()
    with torch.no_grad():
        made.gamma.fill_(-0.5)
    return made


@pytest.fixture
def x():
    return 3 * torch.randn((2, 16, 8, 8), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def view(layer, x):
    return views({"G.attention@8": layer}, {"G.attention@8": x}, 2)[1]["G.attention@8"]


def test_rows_are_those_of_the_layer(layer, x, view):
    every = layer.weights(x)[1].numpy()  # (8, 8, 4, 4)
    np.testing.assert_allclose(view.rows([(1, 6), (7, 0)]), np.stack([every[1, 6], every[7, 0]]), atol=1e-6)
    assert not np.allclose(every[1, 6], every[6, 1], atol=1e-3), "rows and columns exchanged would show"
    np.testing.assert_allclose(view.at([(13, 2)], 16)[0], every[1, 6], atol=1e-6)


def test_log_totals_give_single_entries(layer, x, view):
    every = layer.weights(x)[1].double().numpy()
    logits = view.queries[5, 2].double().numpy() @ view.keys[3, 1].double().numpy()
    assert np.exp(logits - float(view.log_totals()[5, 2])) == pytest.approx(every[5, 2, 3, 1], rel=1e-4)


def test_log_totals_in_blocks_are_the_same(view, monkeypatch):
    whole = view.log_totals()
    monkeypatch.setattr("sagan.explorer.scene.BLOCK", 16 * 5)  # five queries at a time, of 64
    torch.testing.assert_close(view.log_totals(), whole)


def test_the_numbers_are_those_of_the_log(layer, x, view):
    logged, told = measure(layer, x[1:]), view.facts()
    assert told["gamma"] == logged["gamma"] == -0.5
    assert told["entropy"] == pytest.approx(logged["entropy"], abs=1e-6)
    assert told["distance"] == pytest.approx(logged["distance"], abs=1e-6)


def test_a_packed_scene_reads_by_the_published_format(view):
    """Taken apart by hand after the description of safetensors, as the page does it."""
    picture = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    payload = pack(Scene(picture, {view.name: view}), {"words": "seed 7"})
    (length,) = struct.unpack("<Q", payload[:8])
    header, numbers = json.loads(payload[8 : 8 + length]), payload[8 + length :]
    start, end = header["G.attention@8/keys"]["data_offsets"]
    assert header["G.attention@8/keys"]["shape"] == [4, 4, 2] and header["G.attention@8/keys"]["dtype"] == "F32"
    np.testing.assert_array_equal(np.frombuffer(numbers[start:end], "<f4").reshape(4, 4, 2), view.keys.numpy())
    start, end = header["picture"]["data_offsets"]
    assert numbers[start:end] == picture.tobytes()
    facts = json.loads(header["__metadata__"]["scene"])
    assert facts["words"] == "seed 7" and facts["layers"]["G.attention@8"]["gamma"] == -0.5


def test_a_layer_that_is_not_there_is_told(view):
    with pytest.raises(ConfigError, match=r"there is no layer G\.attention@9.*There are: G\.attention@8"):
        try:
            Scene(np.zeros((8, 8, 3), np.uint8), {view.name: view}).layer("G.attention@9")
        except ConfigError as error:
            raise ConfigError(str(error)) from None


@pytest.mark.parametrize("point", [(16, 0), (0, 16), (-1, 3)])
def test_points_outside_are_refused(view, point):
    with pytest.raises(ConfigError, match="outside"):
        view.at([point], 16)


def test_views_of_a_batch_do_not_hold_the_batch(layer, x):
    first = views({"n": layer}, {"n": x}, 1)
    assert len(first) == 1 and isinstance(first[0]["n"], LayerView)
    assert first[0]["n"].queries.untyped_storage().nbytes() == 8 * 8 * 2 * 4
