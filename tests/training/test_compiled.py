"""Compiled networks train as plain ones do. The tracing is real; the C++ that would follow takes minutes and is torch's."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from sagan.errors import ConfigError
from sagan.runtime import Runtime
from sagan.training.step import train_step
from sagan.training.telemetry import observe_attention

CPU = Runtime(torch.device("cpu"), 1)
WGAN_GP = {"loss": "wasserstein", "gp": 10.0}
# torch silences this one itself while it traces, unless warnings are errors
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")


@pytest.fixture
def traced(monkeypatch):
    """torch.compile up to the generated code; what was traced is forgotten afterwards."""
    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    yield
    torch.compiler.reset()


@pytest.mark.parametrize("training", [{}, pytest.param(WGAN_GP, marks=pytest.mark.nightly)], ids=["hinge", "penalty"])
def test_compiled_networks_have_the_gradients_of_plain_ones(training, traced, make_game, batches, whole_state):
    model = {"d_norm": "layer", "d_sn": False} if training else {}
    plain, compiled = make_game(model=model, **training), make_game(model=model, **training)
    names = list(whole_state(plain))
    CPU.compile(compiled.generator, compiled.discriminator)
    train_step(plain, batches())
    train_step(compiled, batches())
    assert list(whole_state(compiled)) == names, "what a checkpoint calls them"
    seen = torch._dynamo.utils.counters
    assert seen["stats"]["unique_graphs"] >= 3 and not seen["graph_break"], "traced, not only called"
    for ours, theirs in ((compiled.generator, plain.generator), (compiled.discriminator, plain.discriminator)):
        largest = max(float(parameter.grad.abs().max()) for parameter in theirs.parameters())
        for (name, parameter), expected in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            bound = (
                1e-3 * float(expected.grad.abs().max()) + 1e-5 * largest
            )  # a bias before batch norm has only rounding
            torch.testing.assert_close(parameter.grad, expected.grad, rtol=0, atol=bound, msg=name)


def test_attention_is_observed_in_a_compiled_game(traced, make_game, batches):
    plain, compiled = make_game(), make_game()
    CPU.compile(compiled.generator, compiled.discriminator)
    pixels, labels = torch.zeros(4, 3, 16, 16), torch.zeros(4, dtype=torch.int64)
    assert observe_attention(compiled, pixels, labels) == observe_attention(plain, pixels, labels)


def test_a_machine_without_a_compiler_says_so_before_anything_starts(monkeypatch, make_game):
    def broken(function):
        raise RuntimeError("InvalidCxxCompiler: no working C++ compiler\nmore lines")

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(
        ConfigError, match=r"^torch.compile does not work here: InvalidCxxCompiler: no .* compiler\. Leave"
    ):
        CPU.compile(make_game().generator)
