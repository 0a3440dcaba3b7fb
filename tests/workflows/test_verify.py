from __future__ import annotations

import pytest

from sagan.checkpoint.folder import step_folder
from sagan.cli.main import main
from sagan.errors import CheckpointMissing
from sagan.workflows.verify import verify


def test_whole_checkpoints_oldest_first(trained, capsys):
    rows = verify(trained)
    assert [(name, whole) for name, whole, _ in rows] == [("step-00000004", True), ("step-00000005", True)]
    assert all(text.startswith("4 files, ") and text.endswith("every byte as written") for _, _, text in rows)
    assert verify(step_folder(trained, 4)) == rows[:1]
    assert main(["verify", str(trained)]) == 0
    assert capsys.readouterr().out.count("whole") == 2


@pytest.mark.parametrize("file", ["generator.safetensors", "optimiser.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("place", [0, -1])
def test_a_flipped_bit_is_found(own_run, capsys, file, place):
    path = step_folder(own_run, 4) / file
    payload = bytearray(path.read_bytes())
    payload[place] ^= 1
    path.write_bytes(bytes(payload))
    (name, whole, text), (_, other, _) = verify(own_run)
    assert (name, whole, other) == ("step-00000004", False, True)
    assert "step-00000004" in text and text.count("\n") == 0
    assert main(["verify", str(own_run)]) == 4
    assert "damaged" in capsys.readouterr().out


def test_a_missing_and_a_strange_file_are_found(own_run):
    (step_folder(own_run, 4) / "state.json").unlink()
    (step_folder(own_run, 5) / "extra.bin").write_bytes(b"")
    (_, first, missing), (_, second, strange) = verify(own_run)
    assert not first and "state.json" in missing
    assert not second and "extra.bin" in strange


def test_a_lone_generator_file_proves_itself(trained, tmp_path, capsys):
    """It may have been copied away from its checkpoint, and with it from the manifest."""
    file = tmp_path / "copied.safetensors"
    whole = (step_folder(trained, 5) / "generator.safetensors").read_bytes()
    file.write_bytes(whole)
    ((name, good, text),) = verify(file)
    assert (name, good) == ("copied.safetensors", True)
    assert text.startswith("a generator of 16x16 at step 5, ") and text.endswith(" tensors as written")
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    ((_, good, text),) = verify(str(file))
    assert not good and "copied.safetensors: expected SHA-256" in text
    assert main(["verify", str(file)]) == 4
    assert "damaged" in capsys.readouterr().out
    ((_, good, text),) = verify(step_folder(trained, 5) / "model.safetensors")
    assert not good and "not a generator of sagan" in text


def test_nothing_to_verify(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(
            CheckpointMissing,
            match="there is no checkpoint here. Name a run, a checkpoint folder, a generator file or a pack.",
        ):
            verify(path)
    assert main(["verify", str(tmp_path)]) == 4
    assert capsys.readouterr().err.count("\n") == 1
