"""The page's own arithmetic, run by Node where there is one, against the library's."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import sagan
from sagan.engines.fold import fold
from sagan.sampling import MAX_TRIES, draw, draw_labels, draw_latents
from sagan.workflows.export import export
from sagan.workflows.openers import open_generator

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="there is no Node here")
PAGE = Path(sagan.__file__).parent / "workflows" / "exporting" / "page"
SEEDS = [0, 1, 7, 2**32 - 1, 2**32, 2**62 + 12345, 2**63 - 1]


def in_node(folder, code, value=None):
    """What `code` prints as JSON; it sees the page's modules by their names and `value` as `v`."""
    for name in ("latents", "kernel", "network"):
        (folder / f"{name}.js").write_bytes((PAGE / f"{name}.js").read_bytes())
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "value.json").write_text(json.dumps(value))
    imports = "".join(f'import * as {name} from "./{name}.js";\n' for name in ("latents", "kernel", "network"))
    script = (
        f'{imports}import fs from "node:fs";\nconst v = JSON.parse(fs.readFileSync("value.json"));\n'
        f"const bytes = (path) => new Uint8Array(fs.readFileSync(path));\nconsole.log(JSON.stringify({code}));"
    )
    (folder / "main.js").write_text(script)
    done = subprocess.run([NODE, "main.js"], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_philox_is_the_published_one(tmp_path):
    """The known answers of the authors' own library (Random123, kat_vectors)."""
    vectors = {
        ((0, 0, 0, 0), (0, 0)): (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2): (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)): (
            0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1,
        ),
    }  # fmt: skip
    found = in_node(tmp_path, "v.map(([counter, key]) => latents.philox(counter, key))", list(vectors))
    assert [tuple(words) for words in found] == list(vectors.values())


@pytest.mark.parametrize("truncation", [0.0, 0.2, 0.7, 2.0])
def test_a_seed_is_one_latent_here_and_there(truncation, tmp_path):
    code = "v.seeds.map((seed) => [...latents.latent(BigInt(seed), v.length, v.truncation)])"
    for length in (13, 128):
        value = {"seeds": list(map(str, SEEDS)), "length": length, "truncation": truncation}
        found = np.array(in_node(tmp_path, code, value), dtype=np.float32)
        np.testing.assert_allclose(
            found, draw_latents(SEEDS, length, truncation), atol=2.5e-7
        )  # one rounding of float32


def test_the_last_try_is_followed_by_the_bound(tmp_path):
    """At 0.2 some of many values are outside after every try, and are cut off."""
    expected = draw_latents([3], 20_000, 0.2)
    assert MAX_TRIES == 64
    code = "[...latents.latent(3n, 20000, 0.2)]"
    np.testing.assert_allclose(np.array(in_node(tmp_path, code), dtype=np.float32), expected[0], atol=2.5e-7)


@pytest.mark.parametrize("classes", [0, 1, 3, 1000])
def test_a_seed_has_its_class(classes, tmp_path):
    value = {"seeds": list(map(str, SEEDS)), "classes": classes}
    found = in_node(tmp_path, "v.seeds.map((seed) => latents.labelOf(BigInt(seed), v.classes))", value)
    assert found == draw_labels(SEEDS, classes).tolist()


@pytest.mark.parametrize(("rows", "k"), [(4, 8), (1, 8), (4, 44), (1, 4)])
def test_the_matrix_product_and_its_plain_form(rows, k, tmp_path):
    """WebAssembly with SIMD, and JavaScript without, against NumPy; what lies around C stays as it was."""
    random = np.random.default_rng(3)
    lda, ldc = k + 3, 11
    a, b, c = random.normal(size=rows * lda), random.normal(size=(k, 8)), random.normal(size=rows * ldc)
    code = """[true, false].map((simd) => {
      const memory = new WebAssembly.Memory({ initial: 1 }), numbers = new Float32Array(memory.buffer);
      numbers.set(v.a, 8); numbers.set(v.b, 400); numbers.set(v.c, 1000);
      const tile = kernel.tiles(memory, simd);
      tile[v.rows](32, 4 * v.lda, 1600, 4000, 4 * v.ldc, v.k);
      return [tile.simd, ...numbers.subarray(1000, 1000 + v.c.length)];
    })"""
    value = {"a": a.tolist(), "b": b.flatten().tolist(), "c": c.tolist(), "rows": rows, "k": k, "lda": lda, "ldc": ldc}
    expected = c.reshape(rows, ldc).copy()
    expected[:, :8] += a.reshape(rows, lda)[:, :k] @ b
    (fast, *one), (slow, *other) = in_node(tmp_path, code, value)
    assert fast is True and slow is False
    np.testing.assert_allclose(one, expected.flatten(), atol=1e-5)
    np.testing.assert_allclose(other, expected.flatten(), atol=1e-5)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"attention": "paper", "g_attn": (8, 16)},
        {"attention": "heykeetae"},
        {"g_attn": ()},
        {"channels": 1},
        {"channels": 4},
        {"resolution": 20, "g_attn": (10,)},
        {"resolution": 28},
        {"g_up": "bilinear"},
        {"g_latent": "norms"},
        {"architecture": "dcgan"},
        {"architecture": "sngan-cnn", "g_attn": (4, 16)},
        {"architecture": "heykeetae", "resolution": 32},
        {"g_ch": 20, "attention": "heykeetae"},
    ],
    ids=str,
)
def test_the_network_draws_the_pictures_of_the_command_line(options, classes, generator_file, tmp_path):
    source = generator_file(options, classes)
    export(source, "safetensors", tmp_path / "out.safetensors")
    generator = open_generator(source, device="cpu").generator
    expected = draw(generator, SEEDS, truncation=0.7, engine=fold(generator))
    labels = draw_labels(SEEDS, classes).tolist()
    code = """[true, false].map((simd) => {
      const { record, tensors } = network.openFile(bytes("out.safetensors"));
      const made = new network.Network(record.operations, tensors, simd);
      const at = (seed) => latents.latent(BigInt(seed), record.latent.length, 0.7);
      return v.seeds.map((seed, number) => [...made.draw(at(seed), v.labels[number]).pixels]);
    })"""
    for found in in_node(tmp_path, code, {"seeds": list(map(str, SEEDS)), "labels": labels}):
        apart = np.abs(np.array(found).reshape(expected.shape) - expected.astype(int))
        assert apart.max() <= 1 and (apart > 0).mean() < 1e-2
    assert expected.std() > 5, "pictures that say nothing"


def test_its_maps_are_those_of_the_layer(generator_file, tmp_path):
    """What the page's attention.js is given: queries, keys and the logarithms of the denominators."""
    source = generator_file({"g_attn": (8, 16)}, 3)
    export(source, "safetensors", tmp_path / "out.safetensors")
    from sagan.engines.interpret import interpret
    from sagan.engines.recipe import recipe

    made = recipe(fold(open_generator(source, device="cpu").generator))
    import torch

    latents = torch.from_numpy(draw_latents([7], 12))
    _, maps = interpret(made.operations, made.tensors, latents, torch.tensor([2]))
    code = """Object.entries((() => {
      const { record, tensors } = network.openFile(bytes("out.safetensors"));
      return new network.Network(record.operations, tensors).draw(latents.latent(7n, 12), 2).views;
    })()).map(([name, view]) => [
      name, view.side, view.keySide, view.width, [...view.queries], [...view.keys], [...view.logTotals]])"""
    found = in_node(tmp_path, code)
    assert [entry[0] for entry in found] == list(maps)
    for name, side, key_side, width, queries, keys, totals in found:
        logits = np.array(queries).reshape(-1, width) @ np.array(keys).reshape(-1, width).T
        rows = np.exp(logits - np.array(totals)[:, None])
        expected = maps[name][0].flatten(0, 1).flatten(1).numpy()
        assert rows.shape == expected.shape == (side**2, key_side**2)
        np.testing.assert_allclose(rows, expected, atol=1e-5)
