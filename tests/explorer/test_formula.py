"""The page's own formula, run by Node where there is one, against the library's."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess

import numpy as np
import pytest
import torch

from sagan.explorer.answers import pages
from sagan.layers.attention import ATTENTION
from sagan.layers.parts import default_parts
from sagan.training.telemetry import focus
from sagan.visualise.attention import overlay, upsample
from sagan.visualise.points import position_of

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="there is no Node here")


def in_node(code, value):
    """What `code` prints as JSON; it sees the page's module as `a` and `value` as `v`."""
    module = base64.b64encode(pages()["attention.js"][0]).decode()
    script = (
        f'const a = await import("data:text/javascript;base64,{module}");\n'
        f"const v = {json.dumps(value)};\nconsole.log(JSON.stringify({code}));"
    )
    done = subprocess.run([NODE, "--input-type=module"], input=script, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def view_of(queries, keys):
    totals = (queries.flatten(0, 1) @ keys.flatten(0, 1).T).logsumexp(1)
    return {
        "side": queries.shape[0], "keySide": keys.shape[0], "width": queries.shape[2],
        "queries": queries.flatten().tolist(), "keys": keys.flatten().tolist(), "logTotals": totals.tolist(),
    }  # fmt: skip


@pytest.mark.parametrize("variant", sorted(ATTENTION))
def test_rows_and_columns_are_those_of_the_layer(variant):
    layer = ATTENTION[variant](16, default_parts(3)).eval()
    x = 4 * torch.randn((1, 16, 8, 8), generator=torch.Generator().manual_seed(5))
    queries, keys = (part[0] for part in layer.queries_and_keys(x))
    whole = layer.weights(x)[0]  # (8, 8, h, w)
    places = [0, 13, 40, 63]
    rows = in_node("v[1].map((place) => [...a.row(v[0], place)])", [view_of(queries, keys), places])
    for place, row in zip(places, rows, strict=True):
        np.testing.assert_allclose(row, whole[place // 8, place % 8].flatten().numpy(), atol=1e-5)
    count = keys.shape[0] * keys.shape[1]
    chosen = [0, 5, count - 1]
    columns = in_node("v[1].map((key) => [...a.column(v[0], key)])", [view_of(queries, keys), chosen])
    for key, column in zip(chosen, columns, strict=True):
        np.testing.assert_allclose(column, whole.flatten(0, 1).flatten(1)[:, key].numpy(), atol=1e-5)


def test_entropy_and_distance_are_those_of_the_log():
    layer = ATTENTION["official"](16, default_parts(3)).eval()
    x = 4 * torch.randn((1, 16, 8, 8), generator=torch.Generator().manual_seed(6))
    weights = layer.weights(x, torch.tensor([[2, 5]]))
    entropy, distance = focus(weights, torch.tensor([[2, 5]]), x.shape[-2:])
    row = weights.flatten().tolist()
    assert in_node("[a.entropy(v), a.distance(v, 4, 21, 8)]", row) == pytest.approx([entropy, distance], abs=1e-6)


@pytest.mark.parametrize(("side", "size"), [(4, 16), (8, 20), (1, 5), (16, 16), (5, 3)])
def test_maps_are_drawn_as_smoothly_as_in_the_figures(side, size):
    weights = np.random.default_rng(0).random((side, side))
    got = in_node(f"[...a.upsample(v, {side}, {size})]", weights.flatten().tolist())
    np.testing.assert_allclose(np.reshape(got, (size, size)), upsample(weights, size, size), atol=1e-12)
    assert set(in_node(f"[...a.upsample(v, {side}, {size})]", [0] * side * side)) == {0}


def painted(count, words):
    """Code that gives the bytes that `overlay` writes."""
    return f"(() => {{ const out = new Uint8ClampedArray({count}); a.overlay({words}, out); return [...out]; }})()"


def test_the_light_is_that_of_the_figures():
    generator = np.random.default_rng(1)
    picture = generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    weights = generator.random((3, 3))
    rgba = np.concatenate([picture, np.full((12, 12, 1), 255, np.uint8)], axis=2)
    code = painted(576, "v[0], a.upsample(v[1], 3, 12), 'light'")
    got = np.reshape(in_node(code, [rgba.flatten().tolist(), weights.flatten().tolist()]), (12, 12, 4))
    assert np.abs(got[..., :3] - overlay(picture, weights).astype(int)).max() <= 1
    assert (got[..., 3] == 255).all()


def test_the_colours_rise_in_lightness():
    """So that they can be read without colours too. The picture under them is black."""
    code = painted(44, "new Array(44).fill(0), v, 'colour'")
    got = np.reshape(in_node(code, [step / 10 for step in range(11)]), (11, 4))[:, :3]
    lightness = got @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 2).all()


def test_places_are_those_of_the_library():
    points = [(0, 0), (13, 2), (15, 15), (7, 8)]
    got = in_node("v.map(([x, y]) => a.placeOf(x, y, 8, 16))", points)
    assert got == [8 * row + column for row, column in (position_of(x, y, 8, 16) for x, y in points)]


def test_pixels_are_enlarged_as_squares():
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    got = np.reshape(in_node("[...a.enlarge(v, 2, 3)]", picture.flatten().tolist()), (6, 6, 4))
    np.testing.assert_array_equal(got[..., :3], picture.repeat(3, axis=0).repeat(3, axis=1))
