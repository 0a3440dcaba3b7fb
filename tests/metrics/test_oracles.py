"""Agreement with torchmetrics and torch-fidelity on the same features; skipped where they are not installed.

torch-fidelity's modules are loaded one by one, without its package's own start, and with a stand-in for torchvision.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from sagan.metrics.frechet import frechet_distance
from sagan.metrics.inception_network import CLASSES, Inception, resize_like_tensorflow
from sagan.metrics.inception_score import inception_score
from sagan.metrics.kernel import unbiased_mmd
from sagan.metrics.moments import moments_of
from sagan.metrics.neighbours import precision_recall

STAND_INS = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.datasets")


@pytest.fixture
def fidelity(monkeypatch):
    """fidelity(name): a module of torch-fidelity, which asks for torchvision at import and, in what is used here, no more."""
    found = importlib.util.find_spec("torch_fidelity")
    if found is None or found.origin is None:
        pytest.skip("torch-fidelity is not installed")
    before = set(sys.modules)
    package = ModuleType("torch_fidelity")
    package.__path__ = [str(Path(found.origin).parent)]
    package.GenerativeModelModuleWrapper = object  # asked for by name at import
    stand_ins = {name: MagicMock() for name in STAND_INS}
    for name, module in {"torch_fidelity": package, **stand_ins}.items():
        monkeypatch.setitem(sys.modules, name, module)

    def load(name: str) -> ModuleType:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(f"torch_fidelity.{name}")

    yield load
    for name in set(sys.modules) - before:
        if name.startswith("torch_fidelity."):
            del sys.modules[name]


@pytest.fixture
def torchmetrics():
    return pytest.importorskip("torchmetrics")


@pytest.mark.parametrize(("n", "d"), [(500, 32), (20, 32), (60, 64)])
def test_the_frechet_distance_is_that_of_torchmetrics(features, torchmetrics, n, d):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics.image.fid import _compute_fid
    x, y = features(n, d, 1), features(n, d, 2, shift=0.1)
    a, b = moments_of(x), moments_of(y)
    theirs = _compute_fid(*(torch.from_numpy(v) for v in (a.mean, a.covariance, b.mean, b.covariance)))
    assert frechet_distance(a, b) == pytest.approx(float(theirs), rel=1e-6)


def test_the_kernel_distance_is_that_of_torchmetrics(features, torchmetrics):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics.image.kid import poly_mmd
    x, y = features(300, 64, 1), features(300, 64, 2, shift=0.1)
    theirs = poly_mmd(torch.from_numpy(x).double(), torch.from_numpy(y).double())
    assert unbiased_mmd(x, y) == pytest.approx(float(theirs), rel=1e-6)


def inception_state(seed: int) -> dict[str, torch.Tensor]:
    """Weights that keep the variance, and batch statistics of their own: torch's own start gives features all alike."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in Inception().state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator) if tensor.is_floating_point() else tensor
        if name.endswith("conv.weight") or name == "fc.weight":
            state[name] = noise * (2.0 / tensor[0].numel()) ** 0.5
        elif name.endswith("running_var"):
            state[name] = 0.5 + noise.abs()
        elif name.endswith("bn.weight"):
            state[name] = 1.0 + 0.1 * noise
        else:
            state[name] = 0.1 * noise if tensor.is_floating_point() else tensor
    return state


def test_the_inception_port_gives_the_features_of_torch_fidelity(fidelity, tmp_path):
    theirs = fidelity("feature_extractor_inceptionv3")
    state = inception_state(0)
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    other = theirs.FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
    )
    assert len(state) == 566
    ours = Inception().eval()
    ours.load_state_dict(state)
    pictures = torch.randint(0, 256, (3, 3, 32, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, logits = other(pictures)
        features = ours(pictures.float())
    scale = expected.std()
    assert (expected[0] - expected[1]).abs().max() > 0.01 * scale  # a comparison that can tell
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5 * float(scale))
    own_logits = features @ ours.fc.weight.detach().T
    assert own_logits.shape == (3, CLASSES)
    torch.testing.assert_close(own_logits, logits, rtol=1e-4, atol=1e-4 * float(logits.std()))


@pytest.mark.parametrize("size", [(32, 32), (64, 47), (299, 299), (400, 310)])
def test_the_resize_is_tensorflows(fidelity, size):
    theirs = fidelity("interpolate_compat_tensorflow").interpolate_bilinear_2d_like_tensorflow1x
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 255
    expected = theirs(x, size=(299, 299), align_corners=False)
    torch.testing.assert_close(resize_like_tensorflow(x, 299), expected, rtol=1e-5, atol=1e-3)


def test_the_scores_are_those_of_torch_fidelity(features, fidelity):
    theirs = fidelity("metric_isc")
    logits = torch.from_numpy(features(503, 12, 1) * 3)
    found = theirs.isc_features_to_metric(logits, splits=10, shuffle=False)
    ours = inception_score(logits.numpy(), splits=10)
    assert ours.splits_mean == pytest.approx(found["inception_score_mean"], rel=1e-6)
    assert ours.splits_std == pytest.approx(found["inception_score_std"], rel=1e-6)
    mmd = fidelity("metric_kid")
    x, y = features(200, 32, 1), features(200, 32, 2, shift=0.2)
    theirs_mmd = mmd.kernel_mmd(x.astype(np.float64), y.astype(np.float64), kid_kernel="poly")
    assert unbiased_mmd(x, y) == pytest.approx(float(theirs_mmd), rel=1e-6)


def test_precision_and_recall_are_those_of_torch_fidelity(features, fidelity):
    theirs = fidelity("metric_prc")
    x, y = features(120, 8, 1), features(100, 8, 2, shift=0.3)
    found = theirs.prc_features_to_metric(
        torch.from_numpy(y), torch.from_numpy(x), prc_neighborhood=3, prc_batch_size=50, save_cpu_ram=True
    )
    ours = precision_recall(x, y, k=3)
    assert (ours.precision, ours.recall) == pytest.approx((found["precision"], found["recall"]), rel=1e-6)
