from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, CheckpointMissing, ConfigError
from sagan.metrics import offline
from sagan.metrics.choose import open_features
from sagan.metrics.features import FeatureNetwork, as_rgb, collect, resized
from sagan.metrics.inception import expected_state, inception_features
from sagan.metrics.inception_network import Inception
from sagan.metrics.network32 import DIMENSION, Network32, without_norms
from sagan.metrics.offline import offline_features


def pictures(n, side=32, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def test_grey_is_repeated_and_transparency_is_laid_on_white():
    grey = pictures(2, 4, 1)
    assert np.array_equal(as_rgb(grey), np.concatenate([grey] * 3, axis=3))
    clear = np.array([[[[10, 20, 30, 0]], [[10, 20, 30, 255]], [[0, 100, 200, 51]]]], dtype=np.uint8)
    expected = [[[[255, 255, 255]], [[10, 20, 30]], [[204, 224, 244]]]]  # 51 is one fifth: 0.2 c + 0.8 * 255
    assert as_rgb(clear).tolist() == expected
    with pytest.raises(ConfigError, match="not .n, R, R, C. bytes"):
        as_rgb(pictures(2, 4, 3).astype(np.float32))


def test_resizing_is_pillows_and_leaves_the_right_size_alone():
    x = pictures(3, 48)
    expected = [np.asarray(Image.fromarray(one).resize((32, 32), Image.Resampling.LANCZOS)) for one in x]
    assert np.array_equal(resized(x, 32), np.stack(expected))
    assert resized(x, 48) is x
    assert resized(x[:0], 32).shape == (0, 32, 32, 3)


def fake_network(compute, dimension=2):
    return FeatureNetwork("test", "ab", "none", dimension, compute)


def test_a_network_that_gives_something_else_is_refused():
    with pytest.raises(ConfigError, match=r"test: features of shape \(3, 5\) for 3 pictures. They should be \(3, 2\)"):
        fake_network(lambda x: np.zeros((len(x), 5)))(pictures(3))
    with pytest.raises(ConfigError, match="not finite"):
        fake_network(lambda x: np.full((len(x), 2), np.nan))(pictures(3))
    with pytest.raises(ConfigError, match="test has no classifier"):
        fake_network(lambda x: np.zeros((len(x), 2))).logits(np.zeros((3, 2), dtype=np.float32))


def test_features_are_collected_batch_by_batch_in_order():
    x, seen, told = pictures(7), [], []

    def compute(batch):
        seen.append(len(batch))
        return batch.reshape(len(batch), -1)[:, :2].astype(np.float32)

    found = collect(fake_network(compute), (x[i : i + 3] for i in range(0, 7, 3)), 7, lambda a, b: told.append((a, b)))
    assert seen == [3, 3, 1] and told == [(3, 7), (6, 7), (7, 7)]
    assert np.array_equal(found, x.reshape(7, -1)[:, :2])
    with pytest.raises(ConfigError, match="Use at most 268,435,456 with test"):
        collect(fake_network(compute), [], 300_000_000)


def test_folding_the_norms_away_changes_nothing_but_rounding():
    torch.manual_seed(0)
    trained = Network32(norms=True)
    with torch.no_grad():
        for norm in trained.norms:
            (
                norm.weight.uniform_(0.5, 1.5),
                norm.bias.normal_(),
                norm.running_mean.normal_(),
                norm.running_var.uniform_(0.5, 2),
            )
    x = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(without_norms(trained)(x), trained.eval()(x), rtol=1e-4, atol=1e-5)


def test_the_offline_features_are_the_frozen_ones():
    network = offline_features()
    assert (network.name, network.dimension) == ("sagan-32", DIMENSION)
    assert sum(t.numel() for t in Network32().state_dict().values()) < 500_000
    x = pictures(5, seed=3)
    features = network(x)
    assert features.shape == (5, 256) and features.min() >= 0
    assert np.array_equal(network(x), features)
    np.testing.assert_allclose(network(x[2:3]), features[2:3], rtol=1e-4, atol=1e-5)
    assert network.logits(features).shape == (5, 10)
    with torch.autocast("cpu", dtype=torch.bfloat16):  # as inside a training step
        assert np.array_equal(network(x), features)


def test_the_offline_features_know_emblems_that_they_have_not_seen():
    from sagan.data.emblems import SET_SIZE, render

    drawn, labels = render(np.arange(SET_SIZE, SET_SIZE + 200))
    features = offline_features()(drawn)
    centres = np.stack([features[:100][labels[:100] == c].mean(0) for c in range(8)])
    near = ((features[100:, None] - centres) ** 2).sum(2).argmin(1)
    assert (near == labels[100:]).mean() > 0.9


def test_other_weights_under_the_name_are_refused(tmp_path, monkeypatch):
    payload = bytearray(offline.WEIGHTS.read_bytes())
    payload[-1] ^= 1
    path = tmp_path / "sagan-32.safetensors"
    path.write_bytes(payload)
    monkeypatch.setattr(offline, "WEIGHTS", path)
    offline_features.cache_clear()
    offline.offline_network.cache_clear()
    with pytest.raises(CheckpointCorrupt, match="expected SHA-256 .* Install the package again"):
        offline_features()


@pytest.mark.parametrize("words", ["fid", "inception", "inception:", "onnx:", "a b:c", ":f", "../x:f", "m:"])
def test_words_that_mean_no_features(words):
    with pytest.raises(ConfigError, match="Use sagan-32, inception:FILE, onnx:FILE or MODULE:FUNCTION"):
        open_features(words)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """module(source): the words for function f of a module with this source, in the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(source):
        (tmp_path / "own_features_of_a_test.py").write_text(source)
        monkeypatch.delitem(sys.modules, "own_features_of_a_test", raising=False)
        return "own_features_of_a_test:f"

    yield write
    sys.modules.pop("own_features_of_a_test", None)


def test_a_function_of_ones_own(module):
    network = open_features(module("def f(x):\n    return x.reshape(len(x), -1)[:, :4] / 255\n"))
    assert (network.name, network.dimension, network.head) == ("own_features_of_a_test:f", 4, None)
    assert len(network.weights) == 64
    x = pictures(3, 16)
    np.testing.assert_allclose(network(x), x.reshape(3, -1)[:, :4] / 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("def g(x): pass\n", "has no function f"),
        ("import nothing_of_that_name\n", "cannot be imported: ModuleNotFoundError"),
        ("def f(x):\n    return 1 / 0\n", "failed on two black pictures: ZeroDivisionError"),
        ("def f(x):\n    return x.reshape(len(x), -1)\n", "uint8 features of shape"),
    ],
)
def test_a_function_that_does_not_work(module, source, line):
    with pytest.raises(ConfigError, match=line):
        open_features(module(source))


def test_an_onnx_model_of_ones_own(tmp_path):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", kind, ["n", 3, 32, 32])]
    outputs = [helper.make_tensor_value_info("y", kind, ["n", 3])]
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Flatten", ["p"], ["y"])]
    model = helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 18)]
    )
    path = tmp_path / "own.onnx"
    path.write_bytes(model.SerializeToString())
    network = open_features(f"onnx:{path}")
    x = pictures(2, 32)
    np.testing.assert_allclose(network(x), x.mean((1, 2)) / 127.5 - 1, atol=1e-5)
    assert network(pictures(2, 48)).shape == (2, 3)
    path.write_bytes(b"no model")
    with pytest.raises(ConfigError, match="not a model that ONNX Runtime can open"):
        open_features(f"onnx:{path}")


def test_what_an_inception_file_must_hold():
    state = expected_state()
    assert len(state) == 94 * 5 + 2  # 94 convolutions with batch norm, and the classifier; 566 with the counters
    assert state["fc.weight"] == (1008, 2048) and state["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    assert state["Mixed_7c.branch3x3_2b.conv.weight"] == (384, 384, 3, 1)
    assert sum(int(np.prod(shape)) for shape in state.values()) == pytest.approx(23.9e6, rel=0.01)


def test_inception_from_a_file(tmp_path):
    import safetensors.torch

    torch.manual_seed(0)
    state = {name: t.contiguous() for name, t in Inception().state_dict().items()}
    path = tmp_path / "inception.safetensors"
    path.write_bytes(safetensors.torch.save(state))  # with the counters, as some copies of the file have them
    network = inception_features(path)
    found = network(pictures(2, 32))
    assert found.shape == (2, 2048) and network.logits(found).shape == (2, 1008)
    del state["Mixed_5b.branch1x1.bn.bias"]
    path.write_bytes(safetensors.torch.save(state))
    with pytest.raises(CheckpointIncompatible, match=r"missing Mixed_5b\.branch1x1\.bn\.bias"):
        inception_features(path)
    with pytest.raises(CheckpointMissing, match="sagan import inception"):
        inception_features(tmp_path / "none.safetensors")
