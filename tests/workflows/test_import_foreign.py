"""`sagan import`: a foreign checkpoint becomes one that every other verb opens."""

from __future__ import annotations

import json
import math
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from published_inception import convolutions, shapes

from sagan.cli.main import main
from sagan.errors import CheckpointIncompatible, ConfigError, ResourceError
from sagan.metrics.inception import expected_state
from sagan.training.reporting import read_log
from sagan.workflows.import_foreign import import_foreign, import_inception
from sagan.workflows.openers import open_generator


def test_an_imported_checkpoint_is_an_ordinary_one(golden, tmp_path, capsys):
    out = tmp_path / "studio"
    assert main(["import", str(golden / "studiogan-sagan-32"), "-o", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "studiogan" in shown and "generator and discriminator" in shown and str(out) in shown
    assert {path.name for path in out.iterdir()} == {
        "generator.safetensors", "model.safetensors", "import.json", "manifest.json"
    }  # fmt: skip
    facts = json.loads((out / "import.json").read_text())
    assert facts["names"]["generator"]["stem.bias"] == "linear0.bias"
    assert main(["verify", str(out)]) == 0
    assert main(["sample", str(out), "-n", "4", "-o", str(tmp_path / "grid.png")]) == 0
    assert main(["attend", str(out), "--at", "5,5", "-o", str(tmp_path / "map.png")]) == 0
    assert (tmp_path / "grid.png").exists() and (tmp_path / "map.png").exists()


def test_a_bilinear_generator_folds(golden, tmp_path):
    """Drawing goes through the folded form, which has to know mimicry's way to enlarge."""
    from sagan.engines.fold import fold
    from sagan.workflows.openers import open_generator

    import_foreign(golden / "mimicry-sagan-32", tmp_path / "out")
    generator = open_generator(tmp_path / "out").generator
    latents, labels = torch.randn(3, 128, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 3, 6])
    with torch.no_grad():
        torch.testing.assert_close(fold(generator)(latents, labels), generator(latents, labels), atol=2e-5, rtol=0)


def test_a_folder_in_use_is_refused(golden, tmp_path):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(ConfigError, match="something already"):
        import_foreign(golden / "mimicry-sagan-32", tmp_path)


def test_it_cannot_be_resumed_but_says_what_can(golden, tmp_path, photos, capsys):
    import_foreign(golden / "mimicry-sagan-32", tmp_path / "out")
    assert main(["train", str(photos), "--resume", str(tmp_path / "out"), "--out", str(tmp_path / "run")]) == 2
    assert "--init-from" in capsys.readouterr().err


def test_fine_tuning_by_the_documented_command(golden, tmp_path, photos, capsys):
    """A few steps at the imported sizes on pictures of other classes."""
    out = tmp_path / "mimicry"
    assert main(["import", str(golden / "mimicry-sagan-32"), "-o", str(out)]) == 0
    words = ["train", str(photos), "--init-from", str(out), "--freeze-d", "2", "--out", str(tmp_path / "run")]
    assert main([*words, "--steps", "2", "--batch-size", "4", "--threads", "1", "--device", "cpu"]) == 0
    record = (tmp_path / "run" / "run.toml").read_text()
    assert 'g_up = "bilinear"' in record and "freeze_d = 2" in record and "g_ch = 64" in record
    assert main([*words, "--steps", "3", "--batch-size", "4", "--threads", "1", "--device", "cpu"]) == 0


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_the_documented_fine_tuning_runs_word_for_word(golden, tmp_path, photos, monkeypatch):
    """docs/interop.md: a hundred steps on three classes, at the preset's batch size: some minutes."""
    text = (Path(__file__).parents[2] / "docs" / "interop.md").read_text(encoding="utf-8")
    block = text.split("For a folder with three folders of pictures")[1].split("```")[1]
    commands = [shlex.split(line)[1:] for line in block.strip().splitlines()]
    assert [words[0] for words in commands] == ["import", "train"] and commands[1][-2:] == ["--steps", "100"]
    monkeypatch.chdir(tmp_path)
    shutil.copytree(golden / "mimicry-sagan-32", "downloads/sagan-run")
    for number, picture in enumerate(sorted(photos.rglob("*.png"))):
        place = tmp_path / "photos" / "abc"[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, place / f"{number}.png")
    for words in commands:
        assert main(words) == 0
    (run,) = (tmp_path / "runs").iterdir()
    opened = open_generator(run)
    assert opened.record.step == 100 and opened.classes == ("a", "b", "c")
    rows = read_log(run / "log.jsonl")
    assert rows and all(math.isfinite(value) for row in rows for value in row.values())


def inception_state():
    state = {name: torch.full(shape, 0.5) for name, shape in shapes().items()}
    return state | {f"{name}.bn.num_batches_tracked": torch.tensor(0) for name, *_ in convolutions()}


def test_inception_has_its_published_number_of_tensors():
    """566 with the counters, as torch-fidelity's copy of the network has, and 23.85 million parameters."""
    state = inception_state()
    assert len(state) == 566 and len(convolutions()) == 94
    parameters = sum(t.numel() for name, t in state.items() if not name.endswith(("mean", "var", "tracked")))
    assert parameters == 23_851_784 or round(parameters / 1e6, 2) == 23.85


def test_the_network_reads_the_published_tensors():
    assert expected_state() == shapes()


def test_a_file_that_is_longer_than_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    """A hole of a file costs its maker nothing."""
    monkeypatch.setattr("sagan.runtime.free_memory", lambda: 1 << 30)
    monkeypatch.setattr("sagan.workflows.import_foreign.read_foreign", lambda path: pytest.fail("it was read"))
    with open(tmp_path / "hole.pth", "wb") as file:
        file.truncate(300 << 20)
    with pytest.raises(ResourceError, match="opening hole.pth takes 1.2 GiB of memory, and 1.0 GiB are free"):
        import_foreign(tmp_path / "hole.pth", tmp_path / "out")
    with pytest.raises(ResourceError, match="opening hole.pth"):
        import_inception(tmp_path / "hole.pth", tmp_path / "x.safetensors")


def test_inception_becomes_safetensors(tmp_path, capsys):
    from sagan.checkpoint.tensors import unpack

    torch.save(inception_state(), tmp_path / "pt_inception.pth")
    out = tmp_path / "inception.safetensors"
    assert main(["import", "inception", str(tmp_path / "pt_inception.pth"), "-o", str(out)]) == 0
    shown = capsys.readouterr()
    assert "SHA-256" in shown.out and "is not the published file's" in shown.err
    tensors, record = unpack(out)
    assert tensors.keys() == shapes().keys() and record["kind"] == "inception"


@pytest.mark.parametrize("change", ["missing", "unknown", "of another shape", "not finite"])
def test_another_network_is_no_inception(change, tmp_path):
    state, name = inception_state(), "Mixed_6c.branch7x7_2.conv.weight"
    if change == "missing":
        del state[name]
    elif change == "unknown":
        state[name := "AuxLogits.fc.weight"] = torch.zeros(3)
    elif change == "of another shape":
        state[name] = state[name].mT.clone()
    else:
        state[name][0] = torch.nan
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(CheckpointIncompatible, match=f"{change}: {name}"):
        import_inception(tmp_path / "x.pth", tmp_path / "x.safetensors")


def test_words_that_make_no_sense(tmp_path, capsys):
    assert main(["import"]) == 2
    assert main(["import", "inception"]) == 2
    assert main(["import", "a", "b"]) == 2
    assert main(["import", str(tmp_path / "absent.pth")]) == 4
    assert main(["import", "inception", "x.pth", "-o", "x.pth"]) == 2
    assert capsys.readouterr().err.count("\n") == 5
