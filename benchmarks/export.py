"""How near every preset's exports come to the live generator, and how large they are.

    python benchmarks/export.py [NAME ...]

Each preset at its own widths, with random weights and running statistics of one batch, and attention's gamma at 0.7. Leaves
benchmarks/results/export.json. Needs the extras onnx and openvino.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from results_file import Figure, write_result

from sagan.checkpoint.generator_file import GeneratorRecord, save_generator
from sagan.errors import ConfigError
from sagan.layers.attention import SelfAttention2d
from sagan.layers.norm import BatchNorm2d
from sagan.models.build import build_generator
from sagan.models.config import ModelConfig
from sagan.presets import PRESETS, preset
from sagan.workflows.export import export
from sagan.workflows.exporting.forms import WAYS

CLASSES = 10
NOTE = (
    "largest difference of any picture's number from the live generator's, in [-1, 1], fp32 on the processor, over batches of"
    " 1, 3 and 64; 1e-4 is the promise. Sizes are of all files of an export"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(PRESETS), metavar="NAME")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in parser.parse_args().names:
            config = preset(name)
            generator = Path(folder) / "generator.safetensors"
            write(generator, config.model, 0 if config.data.cond == "off" else CLASSES)
            figures += measured(name, generator, Path(folder))
    write_result("export", "python benchmarks/export.py", figures, seed=0, note=NOTE)


def measured(name: str, generator: Path, folder: Path) -> list[Figure]:
    """The figures of one preset."""
    figures: list[Figure] = []
    for form, way in WAYS.items():
        try:
            result = export(generator, form, folder / f"x{way.suffix}")
        except ConfigError as error:
            print(name, form, error, flush=True)
            continue
        apart = {batch: value for batch, value in result.record.apart.items() if batch.isdecimal()}
        if form != "web":  # its numbers are those of safetensors
            each = ", ".join(f"{value:.1e} in a batch of {batch}" for batch, value in apart.items())
            figures.append((f"{name}, {form}", max(apart.values()), "", each))
        size = sum(path.stat().st_size for path in result.paths)
        figures.append((f"{name}, {form}, size", size / 2**20, "MiB", ""))
        print(name, form, apart, f"{size / 2**20:.1f} MiB", flush=True)
    return figures


def write(path: Path, model: ModelConfig, classes: int) -> None:
    """A generator whose norms have statistics, so that its pictures have contrast."""
    generator = build_generator(model, classes, seed=0)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in generator.modules():
            if isinstance(module, BatchNorm2d):
                module.momentum = 1.0
                module.gain.copy_(1 + 0.3 * torch.randn(module.gain.shape, generator=random))
            elif isinstance(module, SelfAttention2d):
                module.gamma.fill_(0.7)
        labels = torch.arange(16) % classes if classes else None
        generator.train()(torch.randn(16, model.z_dim, generator=random), labels)
    names = tuple(map(str, range(classes)))
    save_generator(path, generator.state_dict(), GeneratorRecord(model=model, classes=names, step=0))


if __name__ == "__main__":
    main()
