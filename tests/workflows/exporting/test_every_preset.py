"""Every preset, at its own widths, in every form: as far from the live network as the promise allows, or nearer."""

from __future__ import annotations

import pytest

from sagan.errors import ConfigError
from sagan.presets import PRESETS, preset
from sagan.workflows.export import check_export, export
from sagan.workflows.exporting.forms import WAYS

CLASSES = 3
PAGES = [name for name in PRESETS if preset(name).model.resolution <= 64]


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", ["onnx", "openvino", "safetensors"])
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset(name, form, need, generator_file, tmp_path):
    need(form)
    config = preset(name)
    source = generator_file(config.model, 0 if config.data.cond == "off" else CLASSES, name)
    out = tmp_path / f"out{WAYS[form].suffix}"
    apart = export(source, form, out).record.apart
    assert apart.keys() >= {"1", "3", "64"} and max(apart.values()) <= 1e-4
    assert check_export(out, source)


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_up_to_64_as_a_page(name, generator_file, tmp_path):
    source = generator_file(preset(name).model, 0, name)
    if name in PAGES:
        assert export(source, "web", tmp_path / "x.html").paths[0].stat().st_size < 130 << 20
    else:
        with pytest.raises(ConfigError, match="MiB of numbers, and a page takes 128"):
            export(source, "web", tmp_path / "x.html")
