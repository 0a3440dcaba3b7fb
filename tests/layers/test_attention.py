"""The attention layer against an independent NumPy one, written from the paper's equations and the released code's pooling."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sagan.errors import ConfigError
from sagan.layers import attention_core
from sagan.layers.attention import ATTENTION, SelfAttention2d, attention_layers, explicit_attention
from sagan.layers.init import xavier
from sagan.layers.parts import Parts, default_parts

CORES = ("fused", "plain", "chunked")
NAMES = ("query", "key", "value", "output")


def reference(x, query, key, value, output, gamma, *, pool: int = 2):
    """(y, beta) in float64. x: (B, C, H, W); weights: (out, in); beta: (B, H, W, H/pool, W/pool)."""

    def max_pooled(t):
        b, c, h, w = t.shape
        return t.reshape(b, c, h // pool, pool, w // pool, pool).max(axis=(3, 5))

    g = np.einsum("ec,bchw->behw", query, x)  # the paper's g is the query, f the key, h the value, v the output
    f = max_pooled(np.einsum("ec,bchw->behw", key, x))
    h = max_pooled(np.einsum("ec,bchw->behw", value, x))
    s = np.einsum("behw,bekl->bhwkl", g, f)
    exp = np.exp(s - s.max(axis=(3, 4), keepdims=True))
    beta = exp / exp.sum(axis=(3, 4), keepdims=True)
    o = np.einsum("cv,bvhw->bchw", output, np.einsum("bhwkl,bvkl->bvhw", beta, h))
    return x + gamma * o, beta


def plain_parts(seed: int = 0) -> Parts:
    return Parts(xavier, torch.Generator().manual_seed(seed), spectral=False)


def layer_and_input(batch: int = 3, channels: int = 8, size=(4, 6), *, parts=None, gamma: float = -0.7, **options):
    """A float64 layer whose gate is open, and its input (B, C, H, W) with B, C, H and W all different."""
    options = {"qk_ratio": 4} | options
    layer = SelfAttention2d(channels, parts=parts or plain_parts(), **options).double()
    nn.init.constant_(layer.gamma, gamma)
    generator = torch.Generator().manual_seed(1)
    x = 2 * torch.randn(batch, channels, *size, dtype=torch.float64, generator=generator)
    return layer, x.requires_grad_()


def numbers(layer: SelfAttention2d, x: torch.Tensor) -> list[np.ndarray]:
    weights = [getattr(layer, name).weight[:, :, 0, 0] for name in NAMES]
    return [tensor.detach().numpy() for tensor in (x, *weights, layer.gamma)]


class TestAgainstTheEquations:
    @pytest.mark.parametrize("core", CORES)
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"channels": 16, "qk_ratio": 8, "v_ratio": 2},
            {"pool": 1, "v_ratio": 8},  # the paper's text: no pooling, narrow values
            {"batch": 1, "size": (8, 2)},
            {"size": (6, 9), "pool": 3},
            {"parts": None},
        ],
    )
    def test_output_and_weights(self, core, options, monkeypatch):
        monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", 100)
        layer, x = layer_and_input(**options)
        layer.core = core
        y, beta = reference(*numbers(layer, x), pool=layer.pool)
        assert np.abs(y - x.detach().numpy()).max() > 0.1  # the branch counts
        np.testing.assert_allclose(layer(x).detach().numpy(), y, atol=1e-11)
        np.testing.assert_allclose(layer.weights(x).numpy(), beta, atol=1e-12)

    def test_normalised_weights_are_the_ones_used(self):
        layer = SelfAttention2d(16).double()
        nn.init.constant_(layer.gamma, 1.3)
        x = torch.randn(2, 16, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        assert "query.parametrizations.weight.original" in layer.state_dict()
        np.testing.assert_allclose(layer(x).detach().numpy(), reference(*numbers(layer, x))[0], atol=1e-12)

    @pytest.mark.parametrize("core", CORES)
    def test_first_derivatives_by_finite_differences(self, core, monkeypatch):
        """Through the input, all four convolutions and gamma, against differences of the NumPy layer."""
        monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", 100)
        layer, x = layer_and_input()
        layer.core = core
        probe = np.random.default_rng(0).normal(size=tuple(x.shape))
        (layer(x) * torch.from_numpy(probe)).sum().backward()
        tensors = (x, *(getattr(layer, name).weight for name in NAMES), layer.gamma)
        values = [value.copy() for value in numbers(layer, x)]
        step = 1e-6
        for number, tensor in enumerate(tensors):
            expected = np.zeros(values[number].size)
            for place in range(expected.size):
                sums = []
                for sign in (1, -1):
                    moved = [value.copy() for value in values]
                    moved[number].reshape(-1)[place] += sign * step
                    sums.append((reference(*moved)[0] * probe).sum())
                expected[place] = (sums[0] - sums[1]) / (2 * step)
            np.testing.assert_allclose(
                tensor.grad.numpy().reshape(-1), expected, atol=1e-6 * max(1, np.abs(expected).max())
            )

    def test_second_derivatives_inside_explicit_attention(self, monkeypatch):
        monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", 20)  # several chunks
        layer, x = layer_and_input(batch=2, size=(2, 4))
        parameters = {name: parameter.detach().requires_grad_() for name, parameter in layer.named_parameters()}

        def run(x, *values):
            return torch.func.functional_call(layer, dict(zip(parameters, values, strict=True)), (x,))

        with explicit_attention(layer):
            assert torch.autograd.gradgradcheck(run, (x, *parameters.values()), fast_mode=True)

    @pytest.mark.parametrize("channels", [8, 40])
    def test_a_penalty_on_gradients_is_that_of_the_plain_path(self, channels, monkeypatch):
        monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", 100)

        def penalty_gradients(core):
            layer, x = layer_and_input(channels=channels)
            layer.core = core
            (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
            return torch.autograd.grad(slope.square().sum(), (x, *layer.parameters()))

        for ours, theirs in zip(penalty_gradients("chunked"), penalty_gradients("plain"), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-9)


class TestWeights:
    def test_each_row_sums_to_one_over_the_keys(self):
        layer, x = layer_and_input()
        weights = layer.weights(x)
        assert weights.shape == (3, 4, 6, 2, 3)
        torch.testing.assert_close(weights.sum(dim=(3, 4)), torch.ones(3, 4, 6, dtype=torch.float64))
        assert (weights >= 0).all()

    def test_chosen_queries_are_rows_of_the_whole_map(self):
        layer, x = layer_and_input()
        queries = torch.tensor([[0, 5], [3, 0], [2, 4], [0, 5]])  # (row, column)
        whole, chosen = layer.weights(x), layer.weights(x, queries)
        assert chosen.shape == (3, 4, 2, 3)
        for number, (row, column) in enumerate(queries.tolist()):
            torch.testing.assert_close(chosen[:, number], whole[:, row, column])

    @pytest.mark.parametrize("variant", sorted(ATTENTION))
    def test_queries_and_keys_make_the_map(self, variant):
        """Uneven sizes; the softmax is NumPy's, in double precision."""
        layer = ATTENTION[variant](16, default_parts(2)).eval()
        x = 3 * torch.randn((2, 16, 6, 4), generator=torch.Generator().manual_seed(4))
        queries, keys = (part.double().numpy() for part in layer.queries_and_keys(x))
        logits = np.einsum("bhwe,bije->bhwij", queries, keys)
        powers = np.exp(logits - logits.max(axis=(3, 4), keepdims=True))
        expected = powers / powers.sum(axis=(3, 4), keepdims=True)
        np.testing.assert_allclose(layer.weights(x).numpy(), expected, atol=1e-6)

    @pytest.mark.parametrize("core", CORES)
    def test_one_dominant_key_gets_all_the_weight(self, core):
        """Fails where the softmax is taken over the queries, or rows and columns are mixed up."""
        layer, x = layer_and_input(pool=1)
        layer.core = core
        row, column = 1, 4
        with torch.no_grad():
            for name, channel in (("query", 0), ("key", 1)):
                weight = getattr(layer, name).weight.zero_()
                weight[0, channel] = 1.0
            x[:, 0] = 1.0  # every query asks for channel 1
            x[:, 1] = 0.0
            x[:, 1, row, column] = 60.0
        weights = layer.weights(x)
        torch.testing.assert_close(weights[:, :, :, row, column], torch.ones(3, 4, 6, dtype=torch.float64))
        told = layer.output(layer.value(x))[:, :, row, column]  # (B, C)
        torch.testing.assert_close(layer.branch(x), told[:, :, None, None].expand_as(x))

    def test_a_dominant_key_is_found_in_the_pooled_map(self):
        layer, x = layer_and_input()
        with torch.no_grad():
            layer.query.weight.zero_()[0, 0] = 1.0
            layer.key.weight.zero_()[0, 1] = 1.0
            x[:, 0], x[:, 1] = 1.0, 0.0
            x[:, 1, 3, 4] = 60.0
        assert (layer.weights(x)[:, :, :, 1, 2] > 0.999).all()

    def test_pooling_changes_nothing_where_the_map_is_constant_on_cells(self):
        pooled, x = layer_and_input()
        flat = copy.deepcopy(pooled)
        flat.pool = 1
        x = x[:, :, ::2, ::2].detach().repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        torch.testing.assert_close(pooled(x), flat(x))
        cells = flat.weights(x).unflatten(4, (3, 2)).unflatten(3, (2, 2)).sum(dim=(4, 6))
        torch.testing.assert_close(pooled.weights(x), cells)

    def test_asking_for_weights_leaves_no_trace(self):
        layer = SelfAttention2d(16)
        before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
        weights = layer.weights(torch.randn(1, 16, 4, 4, requires_grad=True))
        assert not weights.requires_grad
        for name, tensor in layer.state_dict().items():
            assert torch.equal(tensor, before[name]), name


class TestGate:
    def test_gamma_starts_at_zero_and_is_the_identity(self):
        layer, x = layer_and_input()
        fresh = SelfAttention2d(8, qk_ratio=4).double()
        assert fresh.gamma.shape == () and fresh.gamma.item() == 0.0
        assert torch.equal(fresh(x), x)
        assert not torch.equal(layer(x), x)

    def test_at_zero_only_gamma_learns(self):
        layer, x = layer_and_input(gamma=0.0)
        layer(x).square().sum().backward()
        for name in NAMES:
            assert not getattr(layer, name).weight.grad.any()
        expected = (2 * x * layer.branch(x)).sum()
        assert expected.abs() > 0.1
        torch.testing.assert_close(layer.gamma.grad, expected.detach())

    def test_parameters_are_those_of_the_released_code(self):
        """1.25 C^2 + 1 (spec 1.3)."""
        for channels, expected in ((64, 5121), (128, 20481), (256, 81921)):
            assert sum(parameter.numel() for parameter in SelfAttention2d(channels).parameters()) == expected


class TestVariants:
    """The three published forms against the NumPy layer, and their derivatives."""

    @staticmethod
    def variant(name: str, batch: int = 2, size=(4, 6)):
        """A float64 layer of 16 channels with everything off its starting value, and an input."""
        layer = ATTENTION[name](16, plain_parts()).double()
        random = torch.Generator().manual_seed(2)
        with torch.no_grad():
            layer.gamma.fill_(-0.7)
            for module in layer.children():
                if getattr(module, "bias", None) is not None:
                    module.bias.normal_(generator=random)
        x = 2 * torch.randn(batch, 16, *size, dtype=torch.float64, generator=random)
        return layer, x.requires_grad_()

    @pytest.mark.parametrize("name", ATTENTION)
    @pytest.mark.parametrize("core", CORES)
    def test_output_and_map(self, name, core, monkeypatch):
        """Biases enter by a channel that is one everywhere: W x + b = (W, b) (x, 1)."""
        monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", 100)
        layer, x = self.variant(name)
        layer.core = core
        ones = np.ones((2, 1, 4, 6))

        def matrix(module, rows):
            if isinstance(module, nn.Identity):
                return np.eye(rows, rows + 1)
            bias = torch.zeros(len(module.weight)) if module.bias is None else module.bias
            return torch.cat([module.weight[:, :, 0, 0], bias[:, None]], dim=1).detach().numpy()

        query, key, value, output = (matrix(getattr(layer, part), 16) for part in NAMES)
        extended = np.concatenate([x.detach().numpy(), ones], axis=1)
        y, beta = reference(extended, query, key, value, np.eye(17, len(value)) * 0, 0.0, pool=layer.pool)
        pooled = np.einsum("ec,bchw->behw", value, extended)
        b, e, h, w = pooled.shape
        pooled = pooled.reshape(b, e, h // layer.pool, layer.pool, w // layer.pool, layer.pool).max(axis=(3, 5))
        mixed = np.einsum("bhwkl,bvkl->bvhw", beta, pooled)
        branch = np.einsum("cv,bvhw->bchw", output, np.concatenate([mixed, ones], axis=1))
        np.testing.assert_allclose(layer.weights(x).numpy(), beta, atol=1e-12)
        np.testing.assert_allclose(layer(x).detach().numpy(), x.detach().numpy() - 0.7 * branch, atol=1e-10)

    @pytest.mark.parametrize("name", ATTENTION)
    @pytest.mark.parametrize("core", ["fused", "plain", "chunked"])
    def test_first_derivatives(self, name, core, monkeypatch):
        monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", 20)
        layer, x = self.variant(name, size=(2, 4))
        layer.core = core
        assert torch.autograd.gradcheck(self.function(layer), (x, *self.parameters(layer).values()), fast_mode=True)

    @pytest.mark.parametrize("name", ATTENTION)
    @pytest.mark.parametrize("plain_entries", [0, 10**6])
    def test_second_derivatives(self, name, plain_entries, monkeypatch):
        """On both of the paths that a penalty takes: chunked for large maps, plain for small ones."""
        monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", 20)
        monkeypatch.setattr(attention_core, "PLAIN_ENTRIES", plain_entries)
        layer, x = self.variant(name, size=(2, 4))
        with explicit_attention(layer):
            inputs = (x, *self.parameters(layer).values())
            assert torch.autograd.gradgradcheck(self.function(layer), inputs, fast_mode=True)

    @staticmethod
    def parameters(layer):
        return {name: parameter.detach().requires_grad_() for name, parameter in layer.named_parameters()}

    def function(self, layer):
        names = list(self.parameters(layer))
        return lambda x, *values: torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    @pytest.mark.parametrize(
        ("name", "counts"),
        [
            ("official", (5_121, 20_481, 81_921, 327_681)),
            ("paper", (2_049, 8_193, 32_769, 131_073)),
            ("heykeetae", (5_201, 20_641, 82_241, 328_321)),
        ],
    )
    def test_parameters_to_the_unit(self, name, counts):
        """Spec 1.3, for 64, 128, 256 and 512 channels."""
        made = [ATTENTION[name](channels, plain_parts()) for channels in (64, 128, 256, 512)]
        assert tuple(sum(parameter.numel() for parameter in layer.parameters()) for layer in made) == counts

    def test_heykeetaes_block_is_never_normalised_and_the_others_are(self):
        parts = Parts(xavier, torch.Generator().manual_seed(0), spectral=True)
        for name, expected in (("official", 4), ("paper", 4), ("heykeetae", 0)):
            names = [key for key in ATTENTION[name](16, parts).state_dict() if key.endswith("weight.original")]
            assert len(names) == expected, name

    def test_the_scale_multiplies_the_logits(self):
        layer, x = layer_and_input(pool=1)
        scaled = SelfAttention2d(8, qk_ratio=4, pool=1, scale=0.5, parts=plain_parts()).double()
        scaled.load_state_dict(layer.state_dict())
        with torch.no_grad():
            layer.query.weight.mul_(0.5)
        torch.testing.assert_close(scaled(x), layer(x))
        torch.testing.assert_close(scaled.weights(x), layer.weights(x))

    def test_without_output_convolution_the_values_have_all_channels(self):
        with pytest.raises(ConfigError, match="values of C / 2 channels. Use v_ratio=1"):
            SelfAttention2d(8, project=False)


class TestBorders:
    @pytest.mark.parametrize("size", [(5, 6), (4, 7)])
    @pytest.mark.parametrize("call", ["forward", "weights"])
    def test_odd_maps_are_refused_in_one_line(self, size, call):
        layer, x = layer_and_input(size=size)
        with pytest.raises(ConfigError) as caught:
            getattr(layer, call)(x)
        line = (
            f"attention pools by 2, which does not divide a map of {size[0]}x{size[1]}. Put it on an even map,"
            " or use a variant without pooling, such as paper."
        )
        assert str(caught.value) == line

    def test_too_few_channels_are_refused(self):
        with pytest.raises(ConfigError, match="attention over 4 channels.*Use at least 8"):
            SelfAttention2d(4)

    def test_odd_maps_are_fine_without_pooling(self):
        layer, x = layer_and_input(size=(5, 7), pool=1)
        np.testing.assert_allclose(layer(x).detach().numpy(), reference(*numbers(layer, x), pool=1)[0], atol=1e-12)

    @pytest.mark.parametrize("core", CORES)
    def test_channels_last_stays_channels_last(self, core):
        layer, x = layer_and_input()
        layer.core = core
        y = layer(x.detach().contiguous(memory_format=torch.channels_last))
        assert y.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(y, layer(x))

    @pytest.mark.parametrize("core", CORES)
    def test_bfloat16_autocast_stays_within_two_percent_of_the_branch(self, core):
        layer, x = layer_and_input(channels=32, size=(8, 12))
        layer.core = core
        x = x.detach() / 2  # unit variance, as a normalised map has: the error grows with the logits
        expected = layer.branch(x)
        layer, x = layer.float(), x.float()
        with torch.autocast("cpu", torch.bfloat16):
            error = (layer.branch(x).double() - expected).abs().max()
            assert layer(x).dtype == torch.float32
        assert error < 0.02 * expected.abs().max()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_large_map_takes_the_flash_kernel(memory_format, batch):
    layer = SelfAttention2d(16)
    x = torch.randn(batch, 16, 32, 32).contiguous(memory_format=memory_format)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        layer(x).sum().backward()
    names = {event.name for event in profile.events()}
    assert "aten::_scaled_dot_product_flash_attention_for_cpu" in names
    assert "aten::_scaled_dot_product_flash_attention_for_cpu_backward" in names
    assert not {name for name in names if "attention_math" in name or "softmax" in name}


class TestNetworks:
    @staticmethod
    def network() -> nn.Module:
        network = nn.Module()
        network.attention = nn.ModuleDict({str(size): SelfAttention2d(8) for size in (16, 8)})
        return network

    def test_layers_have_public_names_in_the_order_of_the_data(self):
        network = self.network()
        layers = attention_layers(network, "D")
        assert list(layers) == ["D.attention@16", "D.attention@8"]
        assert layers["D.attention@8"] is network.attention["8"]
        assert attention_layers(nn.Linear(1, 1), "G") == {}

    def test_explicit_attention_is_given_back_also_after_an_error(self):
        network = self.network()
        network.attention["8"].core = "plain"
        with pytest.raises(KeyError), explicit_attention(network):
            assert [layer.core for layer in network.attention.values()] == ["explicit", "explicit"]
            raise KeyError
        assert [layer.core for layer in network.attention.values()] == ["auto", "plain"]
