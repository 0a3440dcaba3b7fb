from __future__ import annotations

from pathlib import Path

import pytest

from sagan.config import build, difference, flatten, override, to_toml
from sagan.errors import CheckpointMissing, ConfigError
from sagan.presets import assemble, preset, run_folder, run_of


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(text: str) -> Path:
    Path("mine.toml").write_text(text)
    return Path("mine.toml")


def store(config, folder="run") -> Path:
    Path(folder).mkdir(parents=True)
    (Path(folder) / "run.toml").write_text(to_toml(config))
    return Path(folder)


def test_without_words_it_is_the_demo_and_with_pictures_the_small_preset():
    assert assemble({}) == preset("demo")
    assert assemble({"data": "emblems"}) == preset("demo")
    assert assemble({"data": "photos"}) == preset("sagan-32-small", data="photos")
    assert assemble({}, file=write("[data]\ndata = 'photos'")) == preset("sagan-32-small", data="photos")


def chooser(**options):
    """A stand-in for the choice by pictures, and what it was asked."""
    asked = []

    def choose(said, folder):
        asked.append((dict(said), str(folder)))
        return options

    return choose, asked


def test_auto_is_the_default_where_something_chooses():
    choose, asked = chooser(g_ch=48, steps=7)
    config = assemble({"data": "photos", "d_ch": "24"}, choose=choose)
    assert asked == [({"data": "photos", "d_ch": "24"}, "runs/photos-auto")]
    assert (config.preset, config.model.g_ch, config.model.d_ch, config.training.steps) == ("auto", 48, 24, 7)
    assert run_folder(config) == Path("runs/photos-auto")
    assert assemble({}, choose=choose) == assemble({"data": "emblems"}, choose=choose) == preset("demo")
    assert assemble({"data": "photos"}, preset="sagan-64", choose=choose) == preset("sagan-64", data="photos")
    assert len(asked) == 1
    assert assemble({}, preset="auto", choose=choose).preset == "auto" and asked[1] == ({}, "runs/emblems-auto")


def test_what_is_named_wins_over_what_is_chosen():
    choose, asked = chooser(g_ch=48, steps=7)
    file = write("preset = 'auto'\n[data]\ndata = 'photos'\n[model]\ng_ch = 40\n")
    assert assemble({"steps": 9}, file=file, choose=choose) == build(
        {"preset": "auto", "data": "photos", "g_ch": 40, "steps": 9}
    )
    assert asked[0][0]["g_ch"] == 40


@pytest.mark.parametrize("named", [None, "auto"])
def test_a_run_that_goes_on_is_never_chosen_for_again(named):
    stored = build({"preset": "auto", "data": "photos", "resolution": 128, "g_attn": (64,), "steps": 7})
    folder = store(stored, "runs/photos-auto")
    choose, asked = chooser(g_ch=48)
    words = {"data": "photos", "g_attn": "64", "steps": "9"}  # 64 is no place in the networks of 32x32
    for config in (
        assemble(words, preset=named, choose=choose),
        assemble(words, preset=named, resume=str(folder), choose=choose),
    ):
        assert [change.name for change in difference(stored, config) if change.name != "out"] == ["steps"]
    assert asked == []
    assemble({"data": "photos"}, resume="off", choose=choose)
    assert len(asked) == 1


def test_auto_without_pictures_is_refused():
    for call in (lambda: assemble({}, preset="auto"), lambda: preset("auto")):
        with pytest.raises(ConfigError, match="^auto is chosen from pictures"):
            call()


def test_preset_then_file_then_words():
    file = write("[training]\ng_lr = 3e-4\nseed = 5\n")
    config = assemble({"seed": 6}, preset="sagan-64", file=file)
    assert (config.training.d_lr, config.training.g_lr, config.training.seed) == (4e-4, 3e-4, 6)
    assert config == preset("sagan-64", g_lr=3e-4, seed=6)


def test_a_file_may_name_the_preset_and_words_may_name_another():
    file = write("preset = 'sagan-64'\n[training]\nseed = 5\n")
    assert assemble({}, file=file) == preset("sagan-64", seed=5)
    assert assemble({}, preset="sagan-128", file=file) == preset("sagan-128", seed=5)


def test_file_and_words_are_judged_together():
    file = write("[model]\ng_attn = [64]\n")  # impossible at the preset's 32, right at the words' 128
    assert assemble({"resolution": 128}, preset="sagan-32", file=file).model.g_attn == (64,)
    with pytest.raises(ConfigError, match=r"mine.toml: \[model\]: g_attn has 64"):
        assemble({}, preset="sagan-32", file=file)


def test_a_typed_option_is_not_blamed_on_the_file():
    file = write("[training]\nseed = 5\n")
    with pytest.raises(ConfigError, match="^seed is -1"):
        assemble({"seed": -1}, file=file)


def test_resuming_keeps_what_nobody_named_now():
    folder = store(preset("sagan-64", data="photos", seed=7, g_lr=2e-4))
    (folder / "checkpoints" / "step-00000010").mkdir(parents=True)
    for resume in (str(folder), str(folder / "checkpoints" / "step-00000010")):
        config = assemble({"steps": 5}, resume=resume)
        assert difference(preset("sagan-64", data="photos", seed=7, g_lr=2e-4, steps=5, out="run"), config) == []
    assert assemble({"out": "run"}).training.seed == 7
    assert assemble({"out": "run"}, resume="off").training.seed == 0


def test_the_folder_of_what_starts_from_another_run():
    folder = store(preset("sagan-64", data="photos"))
    file = write("[output]\nout = 'branch'\n")
    assert assemble({}, resume=str(folder), file=file).output.out == "branch"
    assert assemble({"out": "typed"}, resume=str(folder), file=file).output.out == "typed"
    assert assemble({}, resume=str(folder)).output.out == "run"


def test_the_default_folder_resumes_too():
    folder = store(preset("demo", seed=3), "runs/emblems-demo")
    config = assemble({})
    assert (config.training.seed, run_folder(config)) == (3, folder)


def test_a_preset_named_again_counts_as_said():
    store(preset("sagan-32", data="photos", g_lr=2e-4))
    assert assemble({"out": "run"}, preset="sagan-32").training.g_lr == 1e-4


def test_another_structure_stays_visible_for_training_to_refuse():
    folder = store(preset("sagan-32", data="photos"))
    config = assemble({"resolution": 64}, resume=str(folder))
    assert config.model.resolution == 64
    assert "resolution" in [change.name for change in difference(preset("sagan-32"), config)]


def test_a_stored_record_is_whole_so_newer_defaults_do_not_leak_in():
    stored = override(preset("sagan-32"), g_ch=40)
    folder = store(stored)
    assert flatten(assemble({}, resume=str(folder)))["g_ch"] == 40


def test_a_mistyped_path_to_resume_does_not_resume_something_else():
    store(preset("demo", seed=3), "runs/emblems-demo")
    with pytest.raises(CheckpointMissing, match="^rusn/x: there is no run"):
        assemble({}, resume="rusn/x")


def test_run_folders():
    Path("v1.5").mkdir()
    for data, name in (("a/photos/", "photos"), ("x/cifar10-train.parquet", "cifar10-train"), ("v1.5", "v1.5")):
        assert run_folder(preset("sagan-64", data=data)) == Path(f"runs/{name}-sagan-64")
    assert run_folder(preset("sagan-64", data=".")) == Path("runs") / f"{Path.cwd().name}-sagan-64"
    assert run_folder(build({})) == Path("runs/emblems-custom")
    assert run_folder(preset("demo", out="here")) == Path("here")
    assert run_of(Path("runs/a/checkpoints/step-00000001")) == Path("runs/a")
    assert run_of(Path("runs/a")) == Path("runs/a")


def test_a_stream_has_no_pictures_to_choose_by():
    config = assemble({"data": "stream:shards"}, resume="off", choose=lambda said, folder: pytest.fail("looked"))
    assert config.preset == "sagan-32-small"
