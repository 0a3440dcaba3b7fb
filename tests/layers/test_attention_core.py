"""Three ways to the same function: against NumPy, each other, and the promises about derivatives and memory."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sagan.layers import attention_core
from sagan.layers.attention_core import attend, attention_rows

CORES = ("fused", "plain", "chunked")


def softmax_attention(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Equation 1 written out, one query at a time."""
    result = np.zeros((*query.shape[:2], value.shape[2]))
    for b in range(query.shape[0]):
        for j in range(query.shape[1]):
            s = np.array([query[b, j] @ key[b, i] for i in range(key.shape[1])])
            beta = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
            result[b, j] = sum(beta[i] * value[b, i] for i in range(key.shape[1]))
    return result


def rows(n: int = 7, m: int = 5, e: int = 2, v: int = 3, *, batch: int = 2, dtype=torch.float64, scale: float = 1.0):
    """Queries (B, N, E), keys (B, M, E) and values (B, M, V), all leaves."""
    generator = torch.Generator().manual_seed(n + 10 * m)
    shapes = ((batch, n, e), (batch, m, e), (batch, m, v))
    factors = (scale, scale, 1.0)
    return [
        (factor * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype).requires_grad_()
        for shape, factor in zip(shapes, factors, strict=True)
    ]


@pytest.fixture
def several_chunks(monkeypatch):
    """Two queries at a time in `rows()`, so that seven make four chunks, the last one short."""
    monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", 2 * 2 * 5 + 3)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("e", "v"), [(2, 3), (3, 3), (4, 1)])
def test_outputs_are_those_of_the_equation(core, e, v, several_chunks):
    query, key, value = rows(e=e, v=v)
    expected = softmax_attention(*(tensor.detach().numpy() for tensor in (query, key, value)))
    np.testing.assert_allclose(attend(query, key, value, core=core).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("core", CORES)
def test_logits_are_not_scaled(core):
    """By hand: logits ln 3 and 0 give weights 3/4 and 1/4; with 1/sqrt(4) they would be 0.63 and 0.37."""
    query = torch.tensor([[[math.log(3.0), 0.0, 0.0, 0.0]]])
    key = torch.tensor([[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]])
    value = torch.tensor([[[8.0, 0.0], [0.0, 8.0]]])
    torch.testing.assert_close(attend(query, key, value, core=core), torch.tensor([[[6.0, 2.0]]]))


def test_several_chunks_are_really_taken(several_chunks):
    query, key, _ = rows()
    parts = attention_core._chunks(query, key)
    assert [len(range(7)[part]) for part in parts] == [2, 2, 2, 1]


def test_a_chunk_holds_at_least_one_query(monkeypatch):
    monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", 1)
    tensors = rows()
    torch.testing.assert_close(attend(*tensors, core="chunked"), attend(*tensors, core="plain"))


@pytest.mark.parametrize("core", ["fused", "chunked"])
@pytest.mark.parametrize(("e", "v"), [(2, 3), (4, 1)])
def test_first_derivatives_are_those_of_the_plain_product(core, e, v, several_chunks):
    tensors = rows(e=e, v=v)
    probe = torch.randn(2, 7, v, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.autograd.grad(attend(*tensors, core="plain"), tensors, probe)
    for ours, theirs in zip(torch.autograd.grad(attend(*tensors, core=core), tensors, probe), expected, strict=True):
        assert theirs.abs().max() > 0.01
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("core", ["plain", "chunked"])
def test_first_and_second_derivatives_against_finite_differences(core, monkeypatch):
    monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", 2 * 2 * 3)
    tensors = rows(n=5, m=3, e=2, v=2)
    assert torch.autograd.gradcheck(lambda *t: attend(*t, core=core), tensors)
    assert torch.autograd.gradgradcheck(lambda *t: attend(*t, core=core), tensors)


def test_second_derivatives_of_the_fused_kernel_are_refused_not_wrong():
    """Why `explicit_attention` exists."""
    tensors = rows(dtype=torch.float32)
    first = torch.autograd.grad(attend(*tensors, core="fused").sum(), tensors, create_graph=True)
    with pytest.raises(RuntimeError, match="derivative for aten::_scaled_dot_product.* not implemented"):
        first[0].square().sum().backward()


@pytest.mark.parametrize("entries", [35, 34])
def test_auto_takes_plain_up_to_a_size_and_fused_above(entries, monkeypatch):
    monkeypatch.setattr(attention_core, "PLAIN_ENTRIES", entries)
    taken = []
    for name in ("plain", "fused"):
        monkeypatch.setattr(attention_core, name, lambda *tensors, name=name: taken.append(name))
    attend(*rows(n=7, m=5))
    assert taken == (["plain"] if entries == 35 else ["fused"])


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_within_one_percent_of_the_largest_value(core, dtype):
    """Logits of size 30, as SAGAN's unscaled ones become, lose whole units where they are kept in bfloat16."""
    tensors = rows(n=40, m=30, e=8, v=8, dtype=dtype, scale=3.0)
    expected = softmax_attention(*(tensor.detach().double().numpy() for tensor in tensors))
    mixed = attend(*tensors, core=core)
    assert mixed.dtype == dtype
    assert np.abs(mixed.detach().double().numpy() - expected).max() < 0.01 * np.abs(expected).max()


def test_logits_beyond_float16_do_not_overflow():
    query, key, value = rows(e=4, v=4, dtype=torch.float16, scale=400.0)
    assert attend(query, key, value, core="plain").isfinite().all()
    assert attention_rows(query, key).isfinite().all()


def test_autocast_does_not_reach_the_logits():
    query, key, value = rows(n=40, m=30, e=8, dtype=torch.float32, scale=3.0)
    expected = attention_rows(query, key)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(attention_rows(query, key), expected, rtol=0, atol=0)


def test_rows_sum_to_one_over_the_keys():
    query, key, _ = rows(n=40, m=30, e=8, dtype=torch.bfloat16, scale=3.0)
    weights = attention_rows(query, key)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 40))
    assert (weights.sum(dim=1) - 1).abs().max() > 0.5  # and not over the queries


class Largest(TorchDispatchMode):
    """Remembers the operations that run, and the size of the largest tensor any of them makes."""

    def __init__(self) -> None:
        super().__init__()
        self.entries, self.names = 0, set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.entries = max(self.entries, tensor.numel())
        self.names.add(function.__name__.split(".")[0])
        return result


def watch(core, *, e: int = 2, v: int = 8, transposed: bool = False) -> Largest:
    """What a forward and a backward pass over 512 queries and 128 keys do: the map has 2 * 65536 entries.

    transposed: the positions, not the channels, are next to each other in memory, as in an NCHW map.
    """
    tensors = rows(n=512, m=128, e=e, v=v, dtype=torch.float32)
    if transposed:
        tensors = [tensor.mT.contiguous().mT for tensor in tensors]
    with Largest() as largest:
        attend(*tensors, core=core).sum().backward()
    return largest


MAP = 2 * 512 * 128


def test_the_plain_path_makes_the_map_and_the_watch_sees_it():
    assert watch("plain").entries == MAP


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("e", "v"), [(2, 8), (8, 8), (8, 2)])
def test_the_fused_path_makes_no_map_forward_or_backward(e, v, transposed):
    largest = watch("fused", e=e, v=v, transposed=transposed)
    assert largest.entries < MAP / 8
    assert "_scaled_dot_product_flash_attention_for_cpu" in largest.names
    assert "_scaled_dot_product_flash_attention_for_cpu_backward" in largest.names


def test_the_chunked_path_makes_no_more_than_it_may(monkeypatch):
    monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", MAP // 8)
    assert watch("chunked").entries == MAP // 8
