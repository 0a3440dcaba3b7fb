"""Training that starts from somebody's weights: --init-from and --freeze-d."""

from __future__ import annotations

import shutil

import pytest
import torch

from sagan.checkpoint.folder import read_folder, step_folder
from sagan.checkpoint.generator_file import read_generator
from sagan.checkpoint.tensors import unpack_bytes
from sagan.errors import CheckpointIncompatible, CheckpointMissing, ConfigError
from sagan.training.reporting import Note
from sagan.workflows.run_folder import RunFolder
from sagan.workflows.train import train
from sagan.workflows.warm_start import options_of


def started(record, told=None):
    """The folder's first checkpoint and the files of it."""
    watch = (lambda event: told.append(event.text) if isinstance(event, Note) else None) if told is not None else None
    result = train(record, **({"watch": watch} if watch else {}))
    _, files = read_folder(step_folder(result.run, 0))
    return result.run, unpack_bytes(files["model.safetensors"], "model")[0]


def three_classes(photos, folder):
    """The same pictures in three folders."""
    paths = sorted(photos.rglob("*.png"))
    for number, path in enumerate(paths):
        place = folder / "abc"[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place / f"{number}.png")
    return folder


def test_a_run_starts_from_anothers_averaged_generator_and_discriminator(tiny, photos, trained, tmp_path):
    told = []
    record = tiny(photos, tmp_path / "new", steps=1, save_every=1, keep=5, seed=99, init_from=str(trained))
    run, first = started(record, told)
    averaged = read_generator(step_folder(trained, 5) / "generator.safetensors")[1]
    drawn = read_generator(step_folder(run, 0) / "generator.safetensors")[1]
    assert all(torch.equal(tensor, drawn[name]) for name, tensor in averaged.items()), (
        "pictures come from the old average"
    )
    before = unpack_bytes(read_folder(step_folder(trained, 5))[1]["model.safetensors"], "model")[0]
    assert all(torch.equal(tensor, first[f"generator.{name}"]) for name, tensor in averaged.items())
    judge = {name: tensor for name, tensor in before.items() if name.startswith("discriminator.")}
    assert judge and all(torch.equal(tensor, first[name]) for name, tensor in judge.items())
    assert RunFolder(run).read_record().training.init_from == str(trained)
    assert sum("tensors fit." in line for line in told) == 2


def test_another_number_of_classes_gets_tables_of_its_own(tiny, photos, trained, tmp_path):
    told = []
    data = three_classes(photos, tmp_path / "three")
    record = tiny(data, tmp_path / "new", steps=1, save_every=1, keep=5, seed=99, init_from=str(trained))
    _, first = started(record, told)
    averaged = read_generator(step_folder(trained, 5) / "generator.safetensors")[1]
    gain = first["generator.blocks.0.norm1.gain"]
    assert gain.shape[0] == 3 and averaged["blocks.0.norm1.gain"].shape[0] == 2
    torch.testing.assert_close(gain, averaged["blocks.0.norm1.gain"].mean(dim=0).expand_as(gain))
    assert torch.equal(first["generator.stem.bias"], averaged["stem.bias"])
    assert any("not blocks.0.norm1.gain" in line for line in told)
    assert any("embedding" in line for line in told)


def test_a_generator_file_alone_leaves_the_discriminator_anew(tiny, photos, trained, tmp_path):
    told = []
    shutil.copy(step_folder(trained, 5) / "generator.safetensors", tmp_path / "alone.safetensors")
    record = tiny(photos, tmp_path / "new", steps=1, init_from=str(tmp_path / "alone.safetensors"))
    started(record, told)
    assert any("has no discriminator" in line for line in told)


def test_resuming_a_warm_start_is_exact(tiny, photos, trained, tmp_path):
    """The weights it started from may be gone by then."""
    weights = shutil.copytree(trained, tmp_path / "weights")
    options = dict(save_every=2, keep=9, init_from=str(weights), freeze_d=1)
    whole = train(tiny(photos, tmp_path / "whole", steps=4, **options)).run
    part = train(tiny(photos, tmp_path / "part", steps=2, **options)).run
    shutil.rmtree(weights)
    train(tiny(photos, tmp_path / "part", steps=4, **options))
    for name in ("generator", "model", "optimiser"):
        ours, theirs = (
            unpack_bytes((step_folder(run, 4) / f"{name}.safetensors").read_bytes(), name)[0] for run in (whole, part)
        )
        assert all(torch.equal(tensor, theirs[key]) for key, tensor in ours.items())


def test_the_first_blocks_of_the_discriminator_stay(tiny, photos, tmp_path):
    record = tiny(photos, tmp_path / "new", steps=3, save_every=3, keep=5, freeze_d=1)
    run, first = started(record)
    last = unpack_bytes(read_folder(step_folder(run, 3))[1]["model.safetensors"], "model")[0]
    for name, tensor in first.items():
        if name.startswith("discriminator.") and name.endswith(("original", "bias", "gamma")):
            held = name.startswith(("discriminator.blocks.0.", "discriminator.attention.8."))
            assert torch.equal(tensor, last[name]) == held or name.endswith("gamma"), name


def test_more_blocks_than_there_are_is_refused(tiny, photos, tmp_path):
    with pytest.raises(ConfigError, match="freeze_d is 9, and this discriminator has 3 blocks"):
        train(tiny(photos, tmp_path / "new", steps=1, freeze_d=9))


def test_spectral_norm_on_one_side_alone(tiny, photos, trained, tmp_path):
    """What multiplies stays the same, with the norm or without."""
    _, first = started(
        tiny(photos, tmp_path / "plain", steps=1, save_every=1, keep=5, g_sn=False, init_from=str(trained))
    )
    averaged = read_generator(step_folder(trained, 5) / "generator.safetensors")[1]
    place = "stem.parametrizations.weight."
    sigma = averaged[f"{place}0.u"] @ averaged[f"{place}original"] @ averaged[f"{place}0.v"]
    torch.testing.assert_close(first["generator.stem.weight"], averaged[f"{place}original"] / sigma)
    again = tiny(photos, tmp_path / "again", steps=1, save_every=1, keep=5, init_from=str(tmp_path / "plain"))
    _, second = started(again)
    assert torch.linalg.vector_norm(second[f"generator.{place}0.u"]) == pytest.approx(1, abs=1e-5)


def test_weights_that_do_not_fit_and_weights_that_are_not_there(tiny, photos, trained, tmp_path):
    with pytest.raises(CheckpointIncompatible, match="tensors fit these networks"):
        train(tiny(photos, tmp_path / "a", steps=1, init_from=str(trained), architecture="dcgan"))
    with pytest.raises(CheckpointMissing):
        train(tiny(photos, tmp_path / "b", steps=1, init_from=str(tmp_path / "absent")))


def test_sizes_come_from_the_weights(trained):
    assert options_of(trained)["g_ch"] == 16 and options_of(trained)["resolution"] == 16
