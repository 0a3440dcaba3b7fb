"""Generators in files, in a state like a trained one's, and the packages that some forms of export need."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from sagan.checkpoint.generator_file import GeneratorRecord, save_generator
from sagan.models.config import ModelConfig

NAMES = ("cat", "dog & <i>", "1'\" \N{SNOWMAN}", "crab", "vase")


@pytest.fixture(scope="session")
def generator_file(like_trained, tmp_path_factory):
    """generator_file(options, classes, name): a generator of 16x16, or of a whole record, as its file."""

    def make(options=None, classes: int = 0, name: str = "generator") -> object:
        if isinstance(options, ModelConfig):
            model = options
        else:
            model = ModelConfig(**{"resolution": 16, "g_ch": 16, "z_dim": 12, **(options or {})})
        generator = like_trained(model, classes)
        path = tmp_path_factory.mktemp("generators") / f"{name}.safetensors"
        record = GeneratorRecord(model=model, classes=NAMES[:classes], step=12, seed=5, data_name="pets & <others>")
        save_generator(path, generator.state_dict(), record)
        return path

    return make


@pytest.fixture
def need():
    """need(form): skip where a form's packages are not installed."""
    packages = {"onnx": ("onnx", "onnxruntime", "onnxscript"), "openvino": ("onnx", "onnxscript", "openvino")}

    def look(form: str) -> None:
        if missing := [name for name in packages.get(form, ()) if find_spec(name) is None]:
            pytest.skip(f"{' and '.join(missing)} not installed")

    return look
