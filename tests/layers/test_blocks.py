"""The residual blocks against their formulas, written step by step with plain functions in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sagan.layers import blocks
from sagan.layers.blocks import DownBlock, FirstDownBlock, UpBlock, from_doubled, halved
from sagan.layers.init import xavier
from sagan.layers.parts import DISCRIMINATOR_NORMS, Parts, batch_norm
from sagan.layers.spectral import SpectralNorm

BOTH_WAYS = pytest.mark.parametrize("merged_up_to", [0, 10**6])


def parts(*, spectral: bool = False) -> Parts:
    return Parts(xavier, torch.Generator().manual_seed(0), spectral)


def ready(block: nn.Module) -> nn.Module:
    """float64, with every bias and gain off its starting value so that each of them counts."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in block.named_parameters():
            if name.endswith(("bias", "gain")):
                parameter.add_(torch.randn(parameter.shape, generator=generator))
    return block.double()


def picture(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()


def convolved(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    return F.conv2d(x, conv.weight, conv.bias, padding=conv.weight.shape[-1] // 2)


def grown(x: torch.Tensor) -> torch.Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def normed(norm: nn.Module, x: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    mean, var = x.mean(dim=(0, 2, 3), keepdim=True), x.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
    gain, bias = (norm.gain, norm.bias) if labels is None else (norm.gain[labels], norm.bias[labels])
    gain, bias = (table.reshape(-1, x.shape[1], 1, 1) for table in (gain, bias))
    return gain * (x - mean) / (var + 1e-5).sqrt() + bias


def up(block: UpBlock, x: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    """Spec 2.1: the shortcut grows first and convolves after, as published."""
    h = convolved(block.conv1, grown(normed(block.norm1, x, labels).clamp_min(0)))
    h = convolved(block.conv2, normed(block.norm2, h, labels).clamp_min(0))
    return h + convolved(block.skip, grown(x))


def first_down(block: FirstDownBlock, x: torch.Tensor) -> torch.Tensor:
    h = F.avg_pool2d(convolved(block.conv2, convolved(block.conv1, x).clamp_min(0)), 2)
    return h + convolved(block.skip, F.avg_pool2d(x, 2))


def down(block: DownBlock, x: torch.Tensor, *, halves: bool, shortcut: bool, layer_norm: bool = False) -> torch.Tensor:
    """The shortcut reads x itself, not its ReLU, and convolves before it pools, as published."""

    def whitened(norm, h):
        if not layer_norm:
            return h
        mean, var = h.mean(dim=(1, 2, 3), keepdim=True), h.var(dim=(1, 2, 3), keepdim=True, unbiased=False)
        return (h - mean) / (var + 1e-5).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]

    h = convolved(block.conv1, whitened(block.norm1, x).clamp_min(0))
    h = convolved(block.conv2, whitened(block.norm2, h).clamp_min(0))
    straight = convolved(block.skip, x) if shortcut else x
    return F.avg_pool2d(h + straight, 2) if halves else h + straight


def same(block: nn.Module, output: torch.Tensor, expected: torch.Tensor, x: torch.Tensor) -> None:
    """Outputs and all first derivatives agree."""
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-10)
    probe = torch.randn(output.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    inputs = (x, *block.parameters())
    ours, theirs = (torch.autograd.grad(result, inputs, probe) for result in (output, expected))
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-8, atol=1e-9)


@BOTH_WAYS
class TestFormulas:
    @pytest.fixture(autouse=True)
    def way(self, merged_up_to, monkeypatch):
        monkeypatch.setattr(blocks, "MERGED_UP_TO", merged_up_to)

    @pytest.mark.parametrize("classes", [0, 3])
    @pytest.mark.parametrize("c_out", [5, 3])
    def test_up_block(self, classes, c_out):
        block = ready(UpBlock(5, c_out, parts=parts(), norm=batch_norm(classes)))
        x, labels = picture(4, 5, 2, 3), torch.tensor([2, 0, 2, 1]) if classes else None
        output = block(x, labels)
        assert output.shape == (4, c_out, 4, 6)
        same(block, output, up(block, x, labels), x)

    def test_first_down_block(self):
        block = ready(FirstDownBlock(3, 5, parts=parts()))
        x = picture(2, 3, 4, 6)
        output = block(x)
        assert output.shape == (2, 5, 2, 3)
        same(block, output, first_down(block, x), x)

    @pytest.mark.parametrize(
        ("c_out", "halves", "shortcut"), [(7, True, True), (5, True, True), (7, False, True), (5, False, False)]
    )
    def test_down_block(self, c_out, halves, shortcut):
        block = ready(DownBlock(5, c_out, down=halves, parts=parts()))
        x = picture(2, 5, 4, 6)
        output = block(x)
        assert output.shape == ((2, c_out, 2, 3) if halves else (2, c_out, 4, 6))
        assert isinstance(block.skip, nn.Identity) is not shortcut
        same(block, output, down(block, x, halves=halves, shortcut=shortcut), x)

    @pytest.mark.parametrize("kind", ["none", "layer"])
    def test_thin_and_normalised_down_block(self, kind):
        """Thin: the hidden width is the input's (SNGAN's code)."""
        block = ready(DownBlock(5, 7, down=True, parts=parts(), thin=True, norm=DISCRIMINATOR_NORMS[kind]))
        x = picture(2, 5, 4, 6)
        assert block.conv1.weight.shape[:2] == (5, 5) and block.conv2.weight.shape[:2] == (7, 5)
        same(block, block(x), down(block, x, halves=True, shortcut=True, layer_norm=kind == "layer"), x)


@pytest.mark.parametrize(
    "block",
    [
        UpBlock(4, 4, parts=parts(), norm=batch_norm(0)),
        FirstDownBlock(4, 4, parts=parts()),
        DownBlock(4, 4, down=True, parts=parts()),
        DownBlock(4, 4, down=False, parts=parts()),
    ],
    ids=["up", "first", "down", "level"],
)
def test_no_block_changes_its_input(block):
    """The in-place ReLU of this family's other codes."""
    x = torch.randn(2, 4, 4, 6)
    before = x.clone()
    if isinstance(block, UpBlock):
        block(x, None)
    else:
        block(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize(("helper", "merged"), [(halved, "convolve_and_halve"), (from_doubled, "double_and_convolve")])
@pytest.mark.parametrize("width", [6, 7])
def test_wide_convolutions_are_not_merged(helper, merged, width, monkeypatch):
    """The width that counts is the one on the small side of the map's change: output when halving, input when doubling."""
    monkeypatch.setattr(blocks, "MERGED_UP_TO", 6)
    taken = []
    inner = getattr(blocks, merged)
    monkeypatch.setattr(blocks, merged, lambda *arguments: taken.append(True) or inner(*arguments))
    other = 13 - width
    conv = parts().conv(other, width, 3) if helper is halved else parts().conv(width, other, 3)
    helper(conv, torch.randn(1, conv.in_channels, 4, 4))
    assert bool(taken) is (width <= 6)


@pytest.mark.parametrize(
    ("side", "dtype", "merged"), [(8, torch.bfloat16, False), (16, torch.bfloat16, True), (8, torch.float32, True)]
)
def test_small_maps_are_not_doubled_in_one_go_in_bf16(side, dtype, merged, monkeypatch):
    taken = []
    inner = blocks.double_and_convolve
    monkeypatch.setattr(blocks, "double_and_convolve", lambda *arguments: taken.append(True) or inner(*arguments))
    conv = parts().conv(3, 5, 3)
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        out = from_doubled(conv, x.to(dtype))
    assert bool(taken) is merged
    torch.testing.assert_close(out.float(), conv(blocks.double(x)), rtol=0.02, atol=0.02)


@BOTH_WAYS
@pytest.mark.parametrize("helper", [halved, from_doubled])
def test_a_weight_is_normalised_once_for_each_use(helper, merged_up_to, monkeypatch):
    """Each reading of `conv.weight` costs a normalisation."""
    monkeypatch.setattr(blocks, "MERGED_UP_TO", merged_up_to)
    conv = parts(spectral=True).conv(3, 3, 3)
    reads = []
    inner = SpectralNorm.forward
    monkeypatch.setattr(SpectralNorm, "forward", lambda self, weight: reads.append(True) or inner(self, weight))
    helper(conv, torch.randn(1, 3, 4, 4))
    assert len(reads) == 1
