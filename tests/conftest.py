"""A small set of pictures and a small trained run, made once a session; whoever changes a run takes a copy of it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "reliability"), str(HERE / "architecture")]  # for `proofs` and `syntax`, which tests share

SMALL = dict(
    resolution=16, z_dim=12, g_ch=16, d_ch=16, batch_size=8, n_dis=2, ema=0.9, ema_start=2, beta1=0.5,
    mirror=True, precision="fp32", threads=1, device="cpu",
)  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def interrupts_arrive():
    """A shell that runs the tests in the background has Ctrl-C ignored in them, and in every process they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def golden():
    """The folder of answers that other projects' own networks gave; their files are no part of this repository."""
    folder = Path(os.environ.get("SAGAN_GOLDEN", HERE.parents[1] / "shared" / "golden"))
    if not folder.is_dir():
        pytest.skip(f"no recorded answers of other projects' networks at {folder}")
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder with two class folders of PNG files."""
    from proofs.reference import write_pictures  # needs torch, which some tests see to it that they do without

    return write_pictures(tmp_path_factory.mktemp("pictures") / "photos")


@pytest.fixture
def own_photos(tmp_path):
    """The same pictures, for a test that changes them."""
    from proofs.reference import write_pictures

    return write_pictures(tmp_path / "own-photos")


@pytest.fixture(scope="session")
def tiny():
    """tiny(data, out, **options): the record of a run that takes a second."""
    from sagan.presets import preset

    def make(data, out, **options):
        return preset("sagan-32-small", **{**SMALL, "data": str(data), "out": str(out), **options})

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tiny, photos):
    """A run of 5 steps with checkpoints 2 (kept: the newest two), 4 and 5. Read only."""
    from sagan.workflows.train import train

    out = tmp_path_factory.mktemp("runs") / "photos-tiny"
    train(tiny(photos, out, steps=5, log_every=1, sample_every=2, save_every=2))
    return out


@pytest.fixture
def own_run(trained, tmp_path):
    """A copy of that run, for a test that changes it."""
    return Path(shutil.copytree(trained, tmp_path / "own-run"))


@pytest.fixture(scope="session")
def like_trained():
    """like_trained(model, classes): gains, biases, gammas and running statistics all away from where they start."""
    import torch  # which some tests see to it that they do without

    from sagan.layers.attention import SelfAttention2d
    from sagan.layers.norm import BatchNorm2d
    from sagan.models.build import build_generator

    def make(model, classes: int = 0):
        generator = build_generator(model, classes, seed=1)
        random = torch.Generator().manual_seed(0)

        def noise(tensor):
            return torch.randn(tensor.shape, generator=random)

        norms = [module for module in generator.modules() if isinstance(module, BatchNorm2d)]
        with torch.no_grad():
            for module in generator.modules():
                if isinstance(module, BatchNorm2d):
                    module.gain.copy_(1 + 0.3 * noise(module.gain))  # some are negative
                    module.bias.copy_(0.3 * noise(module.bias))
                    module.momentum = 1.0  # one batch in train mode sets the statistics
                elif isinstance(module, SelfAttention2d):
                    module.gamma.fill_(-0.7)
                elif isinstance(getattr(module, "bias", None), torch.nn.Parameter):
                    module.bias.copy_(0.1 * noise(module.bias))
            labels = torch.arange(16) % classes if classes else None
            generator.train()(torch.randn(16, generator.z_dim, generator=random), labels)
            for norm in norms:
                norm.running_mean += 0.3 * norm.running_var.sqrt() * noise(norm.running_mean)
                norm.running_var *= (0.3 * noise(norm.running_var)).exp()
        return generator.eval()

    return make


@pytest.fixture(scope="session")
def contents():
    """contents(folder): every file below it with its bytes."""

    def read(folder):
        folder = Path(folder)
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return read
