"""heykeetae/Self-Attention-GAN: both networks at 64x64, the only size that its code can build.

What changes the numbers: its spectral norm iterates at every pass, in eval mode too, so pictures drift with their number; what
opens here is the first pass from the file. Of a transposed convolution its matrix has a row for each input channel, where
ours has one for each output channel: the generator comes divided by its sigmas and without spectral norm.
"""

from __future__ import annotations

from sagan.interop.convert import Plan
from sagan.interop.kinds import Layer, Rule, gate, heykeetae_layer, heykeetae_transposed, layer, norm
from sagan.interop.source import Source

LAYERS = ("l1", "l2", "l3", "l4")
NEVER_NORMALISED = ("attention.", "output", "head")  # ours leaves them plain, as its code does


def is_generator(source: Source) -> bool:
    return source.has("l1.0.module.") and source.has("l1.1.")


def is_discriminator(source: Source) -> bool:
    return source.has("l1.0.module.") and not source.has("l1.1.")


def generator(source: Source) -> Plan:
    z_dim, widest = source.dimensions(["l1.0.module.weight_bar"], 4)[:2]
    rules: list[Rule] = []
    for number, name in enumerate(LAYERS):
        ours = "stem" if number == 0 else f"doublings.{number - 1}"
        rules += [(ours, f"{name}.0", heykeetae_transposed), (f"norms.{number}", f"{name}.1", norm())]
    rules += [
        ("output", "last.0", _transposed),
        *_attention("attention.16", "attn1"),
        *_attention("attention.32", "attn2"),
    ]
    options = {"architecture": "heykeetae", "attention": "heykeetae", "resolution": 64, "z_dim": z_dim}
    options |= {"g_ch": widest // 8, "g_attn": (16, 32)}
    notes = ["the generator's weights come divided by their sigma, and its spectral norm is gone"]
    return Plan(options, 0, rules, ["l1.0.module.weight_bar"], notes)


def discriminator(source: Source, resolution: int) -> Plan:
    width = source.dimensions(["l1.0.module.weight_bar"], 4)[0]
    rules: list[Rule] = [(f"stages.{n}.0", f"{name}.0", heykeetae_layer) for n, name in enumerate(LAYERS)]
    rules += [("head", "last.0", layer), *_attention("attention.8", "attn1"), *_attention("attention.4", "attn2")]
    return Plan({"d_ch": width, "d_attn": (8, 4)}, 0, rules, ["l1.0.module.weight_bar"])


def _transposed(source: Source, name: str) -> Layer:
    """The last layer, which has no norm; its kernel's second axis is that of the output."""
    weight, bias = source.take(f"{name}.weight"), source.take(f"{name}.bias")
    return Layer(weight, None, None, {"bias": bias}, {"weight": f"{name}.weight", "bias": f"{name}.bias"})


def _attention(ours: str, theirs: str) -> list[Rule]:
    parts = [(f"{ours}.{part}", f"{theirs}.{part}_conv", layer) for part in ("query", "key", "value")]
    return [(ours, theirs, gate("gamma", (1,))), *parts]
