"""Damage of every sort is found and named, and the newest whole checkpoint is taken."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil

import pytest
import torch

from sagan.checkpoint.folder import (
    newest,
    prepare,
    publish,
    read_folder,
    read_manifest,
    step_folder,
    steps,
    sweep,
    verify,
)
from sagan.checkpoint.manifest import SCHEMA, make_manifest
from sagan.checkpoint.tensors import pack
from sagan.disk import Disk
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, CheckpointMissing, ResourceError


def contents(step):
    torch.manual_seed(step)
    numbers = pack({"weight": torch.randn(5, 3), "count": torch.tensor(step)}, {"step": step})
    return {
        "generator.safetensors": numbers,
        "model.safetensors": numbers,
        "state.json": b'{"step": %d}\n' % step,
    }


@pytest.fixture
def run(tmp_path):
    for step in (1000, 2000):
        publish(tmp_path, step, contents(step))
    return tmp_path


def seal(manifest):
    """A manifest with a right hash of itself, by the stated rule and not by our code."""
    body = {key: value for key, value in manifest.items() if key != "self"}
    text = json.dumps(body, sort_keys=True, indent=2) + "\n"
    body["self"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(body, sort_keys=True, indent=2).encode() + b"\n"


def rewrite(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_bytes(seal(manifest | changes))


def test_what_was_published_is_what_is_read(run):
    folder = step_folder(run, 2000)
    assert folder == run / "checkpoints" / "step-00002000"
    manifest, files = read_folder(folder)
    assert files == contents(2000)
    assert manifest == verify(folder) == read_manifest(folder)
    assert (folder / "manifest.json").read_bytes() == seal(manifest)
    sha256 = hashlib.sha256(b'{"step": 2000}\n').hexdigest()
    assert manifest["files"]["state.json"] == {"bytes": 15, "sha256": sha256}
    assert newest(run) == (folder, [])


def test_a_step_published_again_replaces_the_former(run):
    publish(run, 2000, contents(7))
    assert read_folder(step_folder(run, 2000))[1] == contents(7)
    assert steps(run) == [1000, 2000] and len(os.listdir(run / "checkpoints")) == 2


def test_bit_flips_are_all_found_and_the_older_one_is_taken(run):
    seed = 20260821
    chance = random.Random(seed)
    folder = step_folder(run, 2000)
    files = sorted(folder.iterdir())
    for trial in range(320):
        path = files[trial % len(files)]
        good = path.read_bytes()
        bit = chance.randrange(8 * len(good))
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(CheckpointCorrupt) as caught:
            verify(folder)
        assert path.name in str(caught.value), f"seed {seed}, trial {trial}, bit {bit} of {path.name}"
        if trial % 40 == 0:
            found, warnings = newest(run)
            assert found == step_folder(run, 1000)
            assert len(warnings) == 1 and path.name in warnings[0]
        path.write_bytes(good)
    verify(folder)


def test_every_byte_of_the_manifest_counts(run):
    folder = step_folder(run, 2000)
    good = (folder / "manifest.json").read_bytes()
    for place in range(len(good)):
        (folder / "manifest.json").write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(CheckpointCorrupt):
            read_manifest(folder)


@pytest.mark.parametrize("name", ["generator.safetensors", "state.json", "manifest.json"])
def test_truncations_zeroed_tails_and_growth(run, name):
    path = step_folder(run, 2000) / name
    good = path.read_bytes()
    for damaged in (b"", good[:1], good[: len(good) // 2], good[:-1], good[:-5] + bytes(5), good + b"\n"):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointCorrupt, match=name):
            read_folder(path.parent)


def test_the_message_names_file_expected_and_got(run):
    path = step_folder(run, 2000) / "state.json"
    good = path.read_bytes()
    path.write_bytes(b'{"step": 2001}\n')
    expected, got = (hashlib.sha256(payload).hexdigest() for payload in (good, path.read_bytes()))
    with pytest.raises(CheckpointCorrupt, match=f"state.json: expected SHA-256 {expected}, got {got}. Take another"):
        verify(path.parent)
    path.write_bytes(b"{}")
    with pytest.raises(CheckpointCorrupt, match=r"state.json: expected 15 bytes, got 2"):
        verify(path.parent)


def test_files_and_folders_of_another_checkpoint(run):
    one, two = step_folder(run, 1000), step_folder(run, 2000)
    shutil.copy(one / "model.safetensors", two / "model.safetensors")  # same length, other numbers
    with pytest.raises(CheckpointCorrupt, match=r"model.safetensors: expected SHA-256"):
        verify(two)
    shutil.rmtree(two)
    shutil.copytree(one, two)
    with pytest.raises(CheckpointCorrupt, match="its manifest.json is that of step 1000"):
        verify(two)
    shutil.copytree(one, run / "copied away")
    assert verify(run / "copied away")["step"] == 1000


def test_missing_unknown_and_odd_files(run):
    folder = step_folder(run, 2000)
    (folder / "extra.json").write_bytes(b"{}")
    with pytest.raises(CheckpointCorrupt, match=r"'extra.json' is not in the manifest"):
        verify(folder)
    (folder / "extra.json").unlink()
    (folder / "state.json").rename(run / "state.json")
    with pytest.raises(CheckpointCorrupt, match=r"expected the file state.json, got none"):
        verify(folder)
    (folder / "state.json").symlink_to(run / "state.json")
    with pytest.raises(CheckpointCorrupt, match=r"'state.json' is not a regular file"):
        verify(folder)
    if hasattr(os, "mkfifo"):
        (folder / "state.json").unlink()
        os.mkfifo(folder / "state.json")  # must not wait for a writer
        with pytest.raises(CheckpointCorrupt, match="not a regular file"):
            verify(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(CheckpointCorrupt):
        verify(folder)
    with pytest.raises(CheckpointMissing):
        verify(run / "nowhere")


@pytest.mark.parametrize(
    "name", ["../../secret.json", "/etc/passwd", "a/b.json", "..", "State.json", "x.pt", "a\n.json"]
)
def test_names_that_lead_elsewhere_are_refused_in_and_out(run, name):
    folder = step_folder(run, 2000)
    files = json.loads((folder / "manifest.json").read_bytes())["files"]
    rewrite(folder, files=files | {name: {"bytes": 2, "sha256": "0" * 64}})
    with pytest.raises(CheckpointCorrupt, match="it names the file"):
        verify(folder)
    with pytest.raises(ValueError, match="no name for a file"):
        publish(run, 3000, {name: b"{}"})
    assert steps(run) == [1000, 2000]


@pytest.mark.parametrize(
    "changes",
    [
        {"files": []},
        {"files": {"a.json": {"bytes": -1, "sha256": "0" * 64}}},
        {"files": {"a.json": {"bytes": True, "sha256": "0" * 64}}},
        {"files": {"a.json": {"bytes": 1, "sha256": "0" * 63}}},
        {"files": {"a.json": {"bytes": 2**60, "sha256": "0" * 64}}},
        {"files": {f"a{i}.json": {"bytes": 1, "sha256": "0" * 64} for i in range(65)}},
        {"step": -1},
        {"step": "2000"},
        {"schema": 0},
        {"schema": True},
        {"more": 1},
    ],
)
def test_sealed_nonsense_is_refused(run, changes):
    folder = step_folder(run, 2000)
    rewrite(folder, **changes)
    with pytest.raises(CheckpointCorrupt, match=r"manifest.json"):
        read_manifest(folder)


def test_a_future_schema_stops_rather_than_falls_back(run):
    rewrite(step_folder(run, 2000), schema=SCHEMA + 1, library="9.1", news="something this version cannot know")
    with pytest.raises(CheckpointIncompatible, match=r"schema 3 by sagan 9\.1.*up to 2\. Install sagan 9\.1") as caught:
        newest(run)
    assert caught.value.exit_code == 4


def test_no_checkpoint_and_only_damaged_ones_differ(tmp_path, run):
    assert newest(tmp_path / "empty") == (None, [])
    for step in (1000, 2000):
        (step_folder(run, step) / "state.json").unlink()
    found, warnings = newest(run)
    assert found is None
    assert ["step-00002000" in warnings[0], "step-00001000" in warnings[1]] == [True, True]
    assert all("\n" not in warning for warning in warnings)


def test_other_names_are_no_checkpoints(run):
    for name in ("step-5", "step-00000000005", "step-0000005x", ".tmp-step-00003000-1-a", "STEP-00003000"):
        (run / "checkpoints" / name).mkdir()
    assert steps(run) == [1000, 2000]
    assert sweep(run) == [".tmp-step-00003000-1-a"]


def test_a_manifest_is_the_same_for_the_same_files():
    assert make_manifest(1, contents(1)) == make_manifest(1, dict(reversed(contents(1).items())))


def test_a_start_clears_leftovers_and_finds_a_folder_that_cannot_be_written_to(tmp_path):
    publish(tmp_path, 1, {"state.json": b"{}"})
    (tmp_path / "checkpoints" / ".tmp-dead").mkdir()
    prepare(tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]

    class NoCheckpoints(Disk):
        def write(self, path, payload):
            if path.parent.name == "checkpoints":
                raise PermissionError(13, "Permission denied")
            super().write(path, payload)

    with pytest.raises(ResourceError, match="checkpoints: permission denied"):
        prepare(tmp_path, NoCheckpoints())
