from __future__ import annotations

import shutil

import pytest
import torch

import sagan
from sagan import runtime
from sagan.checkpoint.folder import step_folder
from sagan.checkpoint.generator_file import read_generator, save_generator
from sagan.checkpoint.tensors import unpack
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, CheckpointMissing, ConfigError, ResourceError
from sagan.models.config import ModelConfig
from sagan.workflows.openers import open_both, open_generator, open_run


def flip(path):
    payload = bytearray(path.read_bytes())
    payload[-1] ^= 1
    path.write_bytes(bytes(payload))


def test_a_run_opens_at_its_newest_whole_checkpoint(own_run):
    opened = sagan.open_run(own_run)
    assert opened.checkpoint == step_folder(own_run, 5) and opened.warnings == []
    assert opened.config.training.steps == 5 and opened.config.model.resolution == 16
    flip(step_folder(own_run, 5) / "model.safetensors")
    opened = open_run(str(own_run))
    assert opened.checkpoint == step_folder(own_run, 4) and len(opened.warnings) == 1
    flip(step_folder(own_run, 4) / "model.safetensors")
    with pytest.raises(CheckpointMissing, match="All of its checkpoints are damaged."):
        open_run(own_run)


def test_what_is_no_run(tmp_path, own_run):
    with pytest.raises(
        CheckpointMissing, match="this is not the folder of a run. The folder of a run holds a run.toml."
    ):
        open_run(tmp_path)
    with pytest.raises(CheckpointMissing, match="none: there is no such file or folder"):
        open_run(tmp_path / "none")
    shutil.rmtree(own_run / "checkpoints")
    with pytest.raises(CheckpointMissing, match="there is no checkpoint to open. Train it a little longer."):
        open_run(own_run)


def test_a_path_of_any_kind_stands_for_a_generator(trained):
    file = step_folder(trained, 5) / "generator.safetensors"
    for path in (trained, str(step_folder(trained, 5)), file):
        assert open_generator(path).source == file
    assert open_generator(step_folder(trained, 4)).source == step_folder(trained, 4) / "generator.safetensors"


def test_an_open_generator_is_ready_and_is_the_averaged_one(trained):
    opened = sagan.open_generator(trained, device="cpu")
    assert not opened.generator.training and opened.record.step == 5 and opened.record.data_name == "photos"
    assert not any(parameter.requires_grad for parameter in opened.generator.parameters())
    stored = unpack(opened.source)[0]
    live = unpack(step_folder(trained, 5) / "model.safetensors")[0]
    ours = opened.generator.state_dict()
    assert ours.keys() == stored.keys() and all(torch.equal(ours[name], stored[name]) for name in ours)
    assert not torch.equal(ours["stem.bias"], live["generator.stem.bias"]), "the average, not the live one"


def test_both_networks_open_from_a_run_and_one_from_a_file(trained):
    live = unpack(step_folder(trained, 5) / "model.safetensors")[0]
    for path in (trained, step_folder(trained, 5)):
        opened, discriminator = open_both(path)
        assert not discriminator.training and opened.record.step == 5
        for name, tensor in discriminator.state_dict().items():
            assert torch.equal(tensor, live[f"discriminator.{name}"]), name
    opened, nothing = open_both(step_folder(trained, 5) / "generator.safetensors")
    assert nothing is None and opened.record.step == 5


def test_damage_is_refused(own_run, tmp_path):
    checkpoint = step_folder(own_run, 5)
    copied = shutil.copy(checkpoint / "generator.safetensors", tmp_path / "copied.safetensors")
    flip(tmp_path / "copied.safetensors")
    with pytest.raises(CheckpointCorrupt, match="copied.safetensors"):
        open_generator(copied)
    flip(checkpoint / "model.safetensors")
    with pytest.raises(CheckpointCorrupt, match="model.safetensors: expected SHA-256"):
        open_generator(checkpoint)
    with pytest.raises(CheckpointIncompatible, match="not a generator of sagan"):
        open_generator(step_folder(own_run, 4) / "model.safetensors")


class Spy:
    """Counts the layers that are given memory, on another device than meta."""

    def __init__(self, monkeypatch):
        self.filled = 0
        original = torch.nn.Module.to_empty
        monkeypatch.setattr(torch.nn.Module, "to_empty", lambda *given, **options: self.note(original, given, options))

    def note(self, original, given, options):
        self.filled += str(options["device"]) != "meta"
        return original(*given, **options)


def test_a_record_that_asks_for_more_than_its_file_has_gets_no_memory(trained, tmp_path, monkeypatch):
    record, tensors = read_generator(step_folder(trained, 5) / "generator.safetensors")
    spy = Spy(monkeypatch)
    greedy = record.model_copy(update={"model": record.model.model_copy(update={"g_ch": 1024})})
    save_generator(tmp_path / "greedy", tensors, greedy)
    with pytest.raises(CheckpointIncompatible, match=r"made for another structure: different .*here: float32 16384"):
        open_generator(tmp_path / "greedy")
    huge = record.model_copy(update={"model": ModelConfig(resolution=512, g_ch=1024, d_ch=1024)})
    save_generator(tmp_path / "huge", tensors, huge)
    with pytest.raises(
        CheckpointIncompatible, match=r"g_ch asks for a generator of 9,\d+,\d+,\d+ parameters, above the limit"
    ) as caught:
        open_generator(tmp_path / "huge")
    assert caught.value.exit_code == 4
    assert spy.filled == 0
    open_generator(trained)
    assert spy.filled > 0, "the spy can see"


def test_too_little_memory_is_told_before_the_file_is_read(trained, tmp_path, monkeypatch):
    facts = tmp_path / "meminfo"
    facts.write_text("MemTotal: 8 kB\nMemAvailable:   100 kB\n")
    monkeypatch.setattr(runtime, "MEMORY", facts)
    with pytest.raises(ResourceError, match=r"opening generator.safetensors takes .* GiB of memory, and 0\.0 GiB are"):
        open_generator(trained)


def test_what_is_not_there(trained, tmp_path):
    with pytest.raises(
        CheckpointMissing, match="no such file or folder. Name a run, a checkpoint or a generator file."
    ):
        open_generator(tmp_path / "none")
    with pytest.raises(ConfigError, match="device is 'warp'"):
        open_generator(trained, device="warp")
