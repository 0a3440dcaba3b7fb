"""`sagan data pack`, and training from what it makes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sagan.checkpoint.generator_file import read_generator
from sagan.cli.main import main
from sagan.data.config import DataConfig
from sagan.workflows.pack_data import pack_data
from sagan.workflows.verify import verify

TRAIN = [
    "--preset",
    "sagan-32-small",
    "--resolution",
    "16",
    "--g-ch",
    "8",
    "--d-ch",
    "8",
    "--batch-size",
    "4",
    "--steps",
    "3",
]
TRAIN += ["--device", "cpu", "--score", "off", "--health", "off"]


@pytest.fixture
def photos(tmp_path):
    for seed in range(12):
        folder = tmp_path / "photos" / "ab"[seed % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed:02d}.jpg")
    return tmp_path / "photos"


def test_training_from_a_pack_gives_the_weights_of_training_from_the_source(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "pack", str(photos), "--resolution", "16"]) == 0
    told = capsys.readouterr().out
    assert "12 of 12, 16x16" in told and "sagan train photos-16.pack --resolution 16" in told
    assert main(["train", str(photos), *TRAIN, "--out", "one"]) == 0
    assert main(["train", "photos-16.pack", *TRAIN, "--cache-mib", "0", "--out", "two"]) == 0
    _, one = read_generator(tmp_path / "one/checkpoints/step-00000003/generator.safetensors")
    _, two = read_generator(tmp_path / "two/checkpoints/step-00000003/generator.safetensors")
    assert one.keys() == two.keys() and all(one[name].equal(two[name]) for name in one)
    # and a run that began with the source goes on with the pack, since the set is the same
    assert main(["train", "photos-16.pack", *TRAIN[:-8], "--steps", "4", *TRAIN[-6:], "--out", "one"]) == 0


def test_verify_names_the_shard_whose_bytes_changed(photos, tmp_path):
    folder = tmp_path / "p"
    pack_data_of(photos, folder)
    assert [(name, whole) for name, whole, _ in verify(folder)] == [("00000.pixels", True)]
    payload = bytearray((folder / "00000.pixels").read_bytes())
    payload[1000] ^= 4
    (folder / "00000.pixels").write_bytes(payload)
    assert [(name, whole) for name, whole, _ in verify(folder)] == [("00000.pixels", False)]
    assert main(["verify", str(folder)]) == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["emblems"], "built-in set is drawn anew"),
        (["PHOTOS", "--on-bad", "quarantine"], "moves no picture"),
        (["PACK"], "is a pack already"),
        (["PHOTOS", "-o", "PHOTOS"], "holds other files"),
        (["PHOTOS", "--cond", "off"], "unknown option --cond"),
        ([], "DATA"),
    ],
)
def test_what_cannot_be_packed_is_refused_in_one_line(photos, tmp_path, capsys, words, says):
    folder = tmp_path / "p"
    pack_data_of(photos, folder)
    named = {"PHOTOS": str(photos), "PACK": str(folder)}
    code = main(["data", "pack", *(named.get(word, word) for word in words)])
    error = capsys.readouterr().err
    assert code in (2, 3) and says.lower() in error.lower(), error


def test_on_bad_stop_ends_at_the_first_and_skip_goes_on(photos, tmp_path, capsys):
    (photos / "a" / "00.jpg").write_bytes(b"no picture")
    folder = tmp_path / "p"
    assert main(["data", "pack", str(photos), "-o", str(folder), "--on-bad", "stop"]) == 3
    assert "00.jpg" in capsys.readouterr().err
    assert main(["data", "pack", str(photos), "-o", str(folder)]) == 3
    assert "--max-bad" in capsys.readouterr().err
    assert main(["data", "pack", str(photos), "-o", str(folder), "--max-bad", "0.2"]) == 0
    printed = capsys.readouterr()
    assert "11 of 12" in printed.out and "1 of them from before" in printed.out and "00.jpg" in printed.err


def pack_data_of(photos, folder):
    return pack_data(DataConfig(data=str(photos)), 16, folder)
