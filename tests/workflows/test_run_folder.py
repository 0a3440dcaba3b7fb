from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from sagan.config import flatten
from sagan.data.config import DataConfig
from sagan.data.images import open_images
from sagan.data.report import portable
from sagan.errors import CheckpointCorrupt, CheckpointMissing, ConfigError, DataError
from sagan.presets import preset
from sagan.workflows.run_folder import RunFolder, data_facts, png, read_json, write_json
from sagan.workflows.train import train


def test_names(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.grid(5000) == tmp_path / "samples" / "step-00005000.png"
    assert folder.grids() == [] and folder.read_record() is None


def test_grids_come_in_order_and_without_the_real_ones(tmp_path):
    folder = RunFolder(tmp_path)
    folder.samples.mkdir()
    for path in (folder.grid(100_000_000), folder.grid(20), folder.grid(3), folder.reals):
        path.write_bytes(b"")
    assert folder.grids() == [folder.grid(3), folder.grid(20), folder.grid(100_000_000)]


def test_the_record_comes_back_as_it_was(tmp_path, tiny, photos):
    folder, config = RunFolder(tmp_path / "run"), tiny(photos, tmp_path / "run", g_lr=3e-4)
    folder.write_record(config)
    assert flatten(folder.read_record()) == flatten(config) | {"out": ""}  # so that it can start another run
    before = folder.record.stat().st_ino
    folder.write_record(config)
    assert folder.record.stat().st_ino == before, "what is the same is not written again"
    folder.record.write_text("steps = [")
    with pytest.raises(ConfigError, match="run.toml"):
        folder.read_record()


def test_json_is_strict_both_ways(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": [1, 2.5, "ü"]})
    assert read_json(path) == {"a": [1, 2.5, "ü"]}
    path.write_text('{"a": NaN}')
    with pytest.raises(CheckpointCorrupt, match="x.json"):
        read_json(path)
    with pytest.raises(CheckpointMissing, match="Is this the folder of a run"):
        read_json(tmp_path / "none.json")


def test_what_a_run_was_trained_on(own_photos):
    (own_photos / "boats" / "bad.png").write_bytes(b"no")
    images = open_images(DataConfig(data=str(own_photos), max_bad=0.5), 16)
    facts = json.loads(json.dumps(data_facts(images), allow_nan=False))
    assert (facts["name"], facts["pictures"], facts["resolution"]) == ("own-photos", 20, 16)
    assert [(entry["name"], entry["pictures"]) for entry in facts["classes"]] == [("barns", 10), ("boats", 10)]
    assert len({entry["digest"] for entry in facts["classes"]}) == 2
    assert facts["fingerprint"] == images.fingerprint and facts["skipped_total"] == 1
    assert facts["skipped"][0]["where"] == "boats/bad.png" and facts["skipped"][0]["reason"]


@pytest.mark.parametrize(
    ("name", "expected"), [("boats", "boats"), ("Ä b", "Ä b"), ("caf\udce9", "caf%E9"), ("\udcff\udc80x", "%FF%80x")]
)
def test_names_that_are_not_unicode_are_made_so(name, expected):
    assert portable(name) == expected
    portable(name).encode("utf-8")


def test_png_keeps_every_pixel():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(png(Image.fromarray(pixels)))) as image:
        assert image.format == "PNG" and np.array_equal(np.asarray(image), pixels)


def test_a_run_that_could_not_begin_leaves_no_folder(tmp_path):
    for there in (False, True):
        run = tmp_path / f"run-{there}"
        if there:
            run.mkdir()
        with pytest.raises(DataError):
            train(preset("demo", data=str(tmp_path / "no-such-pictures"), out=str(run)))
        assert run.exists() == there
