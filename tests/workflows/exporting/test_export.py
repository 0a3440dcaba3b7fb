"""What `sagan export` writes, and when it writes nothing. ONNX and OpenVINO are skipped where they are not installed."""

from __future__ import annotations

import json

import pytest
import safetensors
import safetensors.torch
import torch

from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, CheckpointMissing, ConfigError
from sagan.sampling import draw_latents
from sagan.workflows import export as module
from sagan.workflows.export import check_export, export
from sagan.workflows.exporting import comparing
from sagan.workflows.exporting.forms import WAYS, way_of
from sagan.workflows.openers import open_generator

FORMS = list(WAYS)
BATCHES = {"1", "3", "64"}


def written(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_draws_what_the_generator_draws(form, classes, need, generator_file, tmp_path):
    need(form)
    source = generator_file({}, classes)
    out = tmp_path / f"out{WAYS[form].suffix}"
    result = export(source, form, out)
    assert written(tmp_path) == sorted(f"out{suffix}" for suffix in WAYS[form].suffixes)
    assert result.paths[-1] == out
    assert result.record.apart.keys() >= BATCHES and max(result.record.apart.values()) <= 3e-5
    rows = dict(check_export(out, source))
    assert rows["generator"] == "step 12, 16x16"


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_maps_are_given_when_asked_for(form, need, generator_file, tmp_path):
    need(form)
    source = generator_file({"g_attn": (8, 16)}, 3)
    out = tmp_path / f"out{WAYS[form].suffix}"
    assert export(source, form, out).record.attention == ()
    record = export(source, form, out, attention=True).record
    assert record.attention == ("G.attention@8", "G.attention@16")
    assert all(record.apart[name] <= 3e-5 for name in record.attention)


def test_an_onnx_file_needs_nothing_of_ours(need, generator_file, tmp_path):
    """Its inputs, outputs and metadata as ONNX Runtime shows them to anybody."""
    need("onnx")
    import onnxruntime

    source = generator_file({}, 3)
    export(source, "onnx", tmp_path / "out.onnx", attention=True)
    session = onnxruntime.InferenceSession(tmp_path / "out.onnx")
    shapes = {value.name: (value.type, value.shape[1:]) for value in session.get_inputs()}
    assert shapes == {"latents": ("tensor(float)", [12]), "labels": ("tensor(int64)", [])}
    assert [value.name for value in session.get_outputs()] == ["pictures", "G.attention@8"]
    facts = session.get_modelmeta().custom_metadata_map
    record = json.loads(facts["sagan"])
    assert json.loads(facts["classes"]) == record["classes"] == ["cat", "dog & <i>", "1'\" \N{SNOWMAN}"]
    assert record["model"]["resolution"] == 16 and record["step"] == 12 and record["tolerance"] == 1e-4
    assert record["apart"].keys() >= BATCHES
    latents = draw_latents(range(5), 12)
    labels = torch.tensor([0, 2, 1, 1, 0])
    pictures, rows = session.run(None, {"latents": latents, "labels": labels.numpy()})
    with torch.no_grad():
        live = open_generator(source, device="cpu").generator(torch.from_numpy(latents), labels)
    assert abs(pictures - live.numpy()).max() <= 3e-5
    assert rows.shape == (5, 8, 8, 4, 4) and abs(rows.sum((3, 4)) - 1).max() < 1e-5


def test_the_safetensors_form_says_what_to_do(generator_file, tmp_path):
    export(generator_file({}, 3), "safetensors", tmp_path / "out.safetensors")
    record = json.loads((tmp_path / "out.json").read_text())
    tensors = safetensors.torch.load_file(tmp_path / "out.safetensors")
    with safetensors.safe_open(tmp_path / "out.safetensors", "pt") as file:
        assert json.loads(file.metadata()["sagan"])["record"] == record
    assert record["latent"]["length"] == 12 and record["operations"][0]["kind"] == "linear"
    named = {step[part] for step in record["operations"] for part in ("weight", "scale") if part in step}
    assert named < tensors.keys()


def test_of_a_run(trained, tmp_path):
    result = export(trained, "safetensors", tmp_path / "out.safetensors")
    assert result.record.step == 5 and len(result.record.classes) == 2
    assert result.record.data_fingerprint
    check_export(tmp_path / "out.safetensors", trained)
    with pytest.raises(CheckpointIncompatible, match="made from another generator, at step 5; this one is at step 4"):
        check_export(tmp_path / "out.safetensors", trained / "checkpoints" / "step-00000004")


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_written_when_it_draws_something_else(form, need, generator_file, tmp_path, monkeypatch):
    """A generator that the export does not follow: the check compares with it, and not with what was exported."""
    need(form)
    source, other = generator_file(), generator_file({"init": "orthogonal"})
    folding = module.fold
    monkeypatch.setattr(module, "fold", lambda _: folding(open_generator(other, device="cpu").generator))
    with pytest.raises(ConfigError, match="draws something else: a batch of 1 is .* away .* Nothing was written.$"):
        export(source, form, tmp_path / f"out{WAYS[form].suffix}")
    assert written(tmp_path) == []


def test_a_wrong_map_is_seen_even_when_the_pictures_are_right(generator_file):
    generator = open_generator(generator_file({"g_attn": (8,)}), device="cpu").generator

    def draw(latents, labels, maps):
        return generator(latents, labels), {"G.attention@8": torch.full((len(latents), 8, 8, 4, 4), 1 / 16)}

    found = comparing.differences(generator, draw, ["G.attention@8"], batches=(1, 3))
    assert found["1"] == found["3"] == 0
    assert "the map of G.attention@8 is" in comparing.outside(found, 1e-4)


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        (torch.zeros(1, 3, 16, 16), "inf"),
        (torch.full((3, 3, 16, 16), float("nan")), "inf"),
    ],
)
def test_other_shapes_and_numbers_that_are_none(pictures, expected, generator_file):
    generator = open_generator(generator_file(), device="cpu").generator
    found = comparing.differences(generator, lambda *_: (pictures, {}), batches=(3,))
    assert f"a batch of 3 is {expected} away" in comparing.outside(found, 1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"to": "onnx", "out": "x.html"}, "an export to onnx is written as onnx. Name it x.onnx."),
        ({"to": "web", "attention": True, "out": "x.html"}, "no attention maps to give. Leave out --attention."),
    ],
)
def test_what_cannot_be(words, message, generator_file, tmp_path):
    with pytest.raises(ConfigError, match=message):
        export(
            generator_file({"g_attn": ()}),
            words["to"],
            tmp_path / words["out"],
            attention=words.get("attention", False),
        )
    assert written(tmp_path) == []


def test_a_missing_package_is_told_before_the_generator_is_opened(monkeypatch, tmp_path):
    import builtins

    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] in ("onnx", "onnxruntime", "onnxscript"):
            raise ImportError(f"no {name}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"onnx is not installed. pip install 'sagan-torch\[onnx\]'"):
        export(tmp_path / "nothing-here", "onnx", tmp_path / "x.onnx")


def test_names_of_files():
    from pathlib import Path

    assert way_of(Path("a/B.ONNX")) is WAYS["onnx"] and way_of(Path("x.xml")) is WAYS["openvino"]
    with pytest.raises(
        ConfigError, match="no export by its name. Name a file that ends in .onnx, .xml, .safetensors, .html"
    ):
        way_of(Path("x.pth"))


def test_there_is_nothing_to_check(generator_file, tmp_path):
    with pytest.raises(CheckpointMissing, match="there is no such file"):
        check_export(tmp_path / "x.safetensors", generator_file())


def test_a_generator_file_is_no_export(generator_file, tmp_path):
    source = generator_file()
    copy = tmp_path / "x.safetensors"
    copy.write_bytes(source.read_bytes())
    copy.with_suffix(".json").write_text("{}")
    with pytest.raises(CheckpointIncompatible, match="not an export of sagan in this form"):
        check_export(copy, source)


def test_a_network_too_wide_for_a_page(generator_file, tmp_path, monkeypatch):
    monkeypatch.setattr("sagan.workflows.exporting.page_file.LARGEST", 1 << 10)
    with pytest.raises(ConfigError, match="MiB of numbers, and a page takes 0. Use --to onnx"):
        export(generator_file(), "web", tmp_path / "x.html")
    assert written(tmp_path) == []


def test_an_export_overwrites_an_older_one(generator_file, tmp_path):
    first, second = generator_file({}, 0), generator_file({}, 3)
    for source in (first, second):
        export(source, "safetensors", tmp_path / "x.safetensors")
    check_export(tmp_path / "x.safetensors", second)
    with pytest.raises((CheckpointIncompatible, CheckpointCorrupt)):
        check_export(tmp_path / "x.safetensors", first)
