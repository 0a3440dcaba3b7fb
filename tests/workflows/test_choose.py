"""`auto` from a folder to a run, and on from there."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from sagan.cli.main import main
from sagan.config import SLOTS, flatten, from_toml
from sagan.errors import ConfigError, DataError
from sagan.presets import preset
from sagan.runtime import device_memory
from sagan.workflows import choose as choose_module
from sagan.workflows.choose import auto, choose_for, facts_for
from sagan.workflows.train import train

WORDS = [
    "--g-ch",
    "16",
    "--d-ch",
    "16",
    "--batch-size",
    "4",
    "--precision",
    "fp32",
    "--threads",
    "1",
    "--device",
    "cpu",
]


def test_facts_of_a_folder(own_photos):
    shutil.copy(own_photos / "barns" / "00.png", own_photos / "barns" / "again.png")
    facts = facts_for({"data": str(own_photos), "device": "cpu", "threads": 3})
    assert (facts.pictures, facts.copies, facts.classes, facts.channels) == (20, 1, (11, 10), 3)
    assert (facts.device, facts.cores, facts.memory, facts.square) == ("cpu", 3, 0, 0) and 17 <= facts.side <= 30
    assert facts_for({"data": str(own_photos), "cond": "off", "device": "cpu"}).classes == ()


def test_facts_of_equal_squares_and_of_the_built_in_set(tmp_path):
    for number in range(3):
        grey = np.random.default_rng(number).integers(0, 256, (28, 28), dtype=np.uint8)
        Image.fromarray(grey).save(tmp_path / f"{number}.png")
    config = auto(str(tmp_path), device="cpu", threads=1)
    assert (config.model.resolution, config.model.channels, config.model.g_attn) == (28, 1, (14,))
    facts = facts_for({"device": "cpu"})
    assert (facts.pictures, facts.square, facts.classes) == (8192, 32, (1024,) * 8)


def test_the_same_folder_gives_the_same_choice(photos):
    said = {"data": str(photos), "device": "cpu", "threads": "2", "time": "1h"}
    assert choose_for(said) == choose_for(said)
    assert choose_for(said).lines[0].startswith("auto chooses for 20 pictures in 2 classes, on 2 cores")


def test_only_the_first_of_several_processes_has_something_to_say(photos, monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    second = choose_for({"data": str(photos), "device": "cpu"})
    monkeypatch.setenv("RANK", "0")
    first = choose_for({"data": str(photos), "device": "cpu"})
    assert second.options == first.options and not second.lines and first.lines


def test_what_is_wrong_with_the_words_is_said_in_the_usual_way(photos):
    for said, line in (
        ({"data": "none"}, "none: does not exist"),
        ({"data": str(photos), "device": "gpu7"}, "device is 'gpu7'"),
        ({"data": str(photos), "background": "blue"}, "background is 'blue'"),
    ):
        with pytest.raises((ConfigError, DataError), match=line):
            choose_for(said)


def test_a_run_by_auto_is_stored_in_full_and_goes_on_without_choosing(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(photos), "--steps", "1", *WORDS]) == 0
    told = capsys.readouterr().err
    assert told.startswith("auto chooses for 20 pictures") and "g-ch 16: you named it" in told
    folder = tmp_path / "runs" / "photos-auto"
    stored = from_toml(folder / "run.toml")
    plain = (folder / "run.toml").read_text()
    assert stored.preset == "auto" and all(f"\n{name} = " in f"\n{plain}" for name in SLOTS)
    assert (stored.training.ema, stored.model.resolution, stored.training.steps) == (0.99, 16, 1)

    monkeypatch.setattr(choose_module, "look_at_set", lambda config: pytest.fail("it looked at the pictures again"))
    assert main(["train", str(photos), "--steps", "2", *WORDS]) == 0
    assert main(["train", "--resume", str(folder), "--steps", "3"]) == 0
    assert "auto chooses" not in capsys.readouterr().err
    assert flatten(from_toml(folder / "run.toml")) == flatten(stored) | {"steps": 3}
    assert main(["train", "--config", str(folder / "run.toml"), "--out", "again", "--dry-run"]) == 0, (
        "nothing is left to choose"
    )


def test_weights_to_start_from_count_as_named(trained, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(photos), "--init-from", str(trained), "--steps", "1", *WORDS[4:]]) == 0
    stored = from_toml(tmp_path / "runs" / "photos-auto" / "run.toml")
    assert stored.model == from_toml(trained / "run.toml").model and stored.model.z_dim == 12


def test_a_record_chosen_in_python_trains(photos, tmp_path):
    options = dict(g_ch=16, d_ch=16, batch_size=4, threads=1, device="cpu", precision="fp32", steps=1)
    config = auto(str(photos), out=str(tmp_path / "run"), **options)
    assert train(config).step == 1
    assert config.training.g_lr == 3e-4 != preset("sagan-32-small").training.g_lr, "so short a run has its own rates"


def test_a_processor_has_no_memory_of_its_own():
    import torch

    assert device_memory(torch.device("cpu")) == 0
