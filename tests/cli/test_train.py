from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from sagan.cli import commands
from sagan.cli.main import main
from sagan.config import SLOTS, build, difference, flatten, from_toml, to_toml
from sagan.errors import Interrupted, NumericError, ResourceError
from sagan.presets import preset
from sagan.training.reporting import Note


@pytest.fixture
def train(workflow):
    result = SimpleNamespace(
        run=Path("runs/x"), step=600, images=38_400, seconds=125.0, grid=Path("runs/x/g.png"),
        report=Path("runs/x/report.html"), stopped="all steps done", first=True,
    )  # fmt: skip
    calls = workflow("train", "train", result)
    calls.chosen = workflow("choose", "choose_for", SimpleNamespace(options={"z_dim": 99}, lines=["z-dim 99: why not"]))
    return calls


def record(calls, *argv):
    calls.clear()
    assert main(["train", *argv]) == 0
    ((config,), _named) = calls[0]
    return config


def test_paths_go_to_stdout_and_everything_else_to_stderr(train, capsys):
    train.answer = lambda config, watch, **named: (watch(Note("expect 2m")), vars_of)[1]
    vars_of = SimpleNamespace(
        run=Path("runs/x"),
        step=600,
        images=38_400,
        seconds=125.0,
        grid=None,
        report=Path("r.html"),
        stopped="time is up",
        first=True,
    )
    assert main(["train"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "runs/x\nr.html\n"
    assert shown.err == "expect 2m\ntime is up: step 600, 38,400 pictures, 2m05s\n"


def test_the_first_command_needs_no_words(train):
    assert record(train) == preset("demo")
    assert train[0][1]["resume"] == "auto" and train[0][1]["override"] is train[0][1]["accept_data_change"] is False
    assert not train.chosen


def test_what_suits_the_pictures_is_the_default_and_told(train, capsys):
    result = train.answer
    train.answer = lambda config, watch, **named: (watch(Note("one")), watch(Note("two")), result)[2]
    for words in (["photos"], ["--data", "photos"], ["photos", "--preset", "auto"]):
        assert record(train, *words) == build({"preset": "auto", "data": "photos", "z_dim": 99})
        assert capsys.readouterr().err.startswith("z-dim 99: why not\none\ntwo\n")
    assert record(train, "photos", "--z-dim", "7").model.z_dim == 7
    assert train.chosen[-1][0] == ({"data": "photos", "z_dim": "7"},)
    Path("runs/photos-auto").mkdir(parents=True)
    Path("runs/photos-auto/run.toml").write_text(to_toml(build({"preset": "auto", "data": "photos", "z_dim": 5})))
    train.chosen.clear()
    assert record(train, "photos").model.z_dim == 5 and not train.chosen


def test_a_folder_that_cannot_be_written_is_refused_before_the_pictures_are_looked_at(train, capsys, monkeypatch):
    def refuse(folder):
        raise ResourceError("cannot be written", where=folder)

    monkeypatch.setattr(commands, "need_writable", refuse)
    assert main(["train", "photos"]) == 5
    assert not train.chosen and capsys.readouterr().err.startswith("sagan: runs/photos-auto: cannot be written")
    assert main(["train", "photos", "--out", "there"]) == 5
    assert not train.chosen and capsys.readouterr().err.startswith("sagan: there: cannot be written")


def test_only_typed_options_override(train):
    config = record(train, "--preset", "sagan-64", "--g-lr", "2e-4")
    assert difference(preset("sagan-64"), config) == [("g_lr", 1e-4, 2e-4, "schedule")]


def test_preset_then_file_then_words(train):
    Path("mine.toml").write_text("[training]\ng_lr = 3e-4\nseed = 5\n")
    config = record(train, "photos", "--preset", "sagan-64", "--config", "mine.toml", "--seed", "6")
    assert config == preset("sagan-64", data="photos", g_lr=3e-4, seed=6)


def test_published_sizes_follow_the_resolution(train):
    model = record(train, "--preset", "sagan-32", "--resolution", "64").model
    assert (model.g_ch, model.d_ch, model.g_attn, model.d_attn) == (64, 64, (32,), (32,))


@pytest.mark.parametrize(
    "words",
    [
        ["--g-attn", "16,32"], ["--g_attn=16,32"], ["--g-attn", "[16,32]"], ["--g-attn", "[16, 32]"],
        ["--g-attn", "[16,", "32]"], ["--g-attn", "16,", "32"], ["--G_attn", "(16 32)"], ["--g-attn=[16", "32", "]"],
        ["--g-attn", "16", "--g-attn", "32"],
    ],
)  # fmt: skip
def test_lists_in_every_spelling(train, words):
    config = record(train, *words, "photos")
    assert (config.model.g_attn, config.data.data) == ((16, 32), "photos")


def test_attention_can_be_switched_off(train):
    for word in ("0", "none", "[]"):
        assert record(train, "--g-attn", word).model.g_attn == ()


def test_switches(train):
    assert record(train, "--mirror").data.mirror is True
    assert record(train, "--preset", "demo", "--no-g-sn").model.g_sn is False
    assert record(train, "--no_g_sn").model.g_sn is False
    assert record(train, "--mirror=off").data.mirror is False
    assert record(train, "--mirror", "photos").data.data == "photos"


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--batch", "32"], "batch_size", 32), (["--batch_size=32"], "batch_size", 32),
        (["--image-size", "64"], "resolution", 64),
        (["--imsize", "64"], "resolution", 64), (["--d-steps", "5"], "n_dis", 5), (["--num_D_steps", "5"], "n_dis", 5),
        (["--ngf", "96"], "g_ch", 96), (["--ndf", "96"], "d_ch", 96), (["--G_lr", "1e-5"], "g_lr", 1e-5),
        (["--outdir", "here"], "out", "here"), (["-o", "here"], "out", "here"), (["--z_dim", "64"], "z_dim", 64),
        (["--gradient-accumulation-steps", "4"], "grad_accum", 4), (["--num-train-steps", "10"], "steps", 10),
        (["--kimg", "25"], "kimg", 25.0), (["--time", "1h30m"], "time", "1h30m"), (["--xflip"], "mirror", True),
        (["--steps", "10", "--steps", "20"], "steps", 20),
    ],
)  # fmt: skip
def test_names_that_other_projects_use(train, words, name, value):
    assert flatten(record(train, *words))[name] == value


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--stepz", "5"], "unknown option --stepz. Did you mean --steps?"),
        (["--batchsize", "5"], "unknown option --batchsize. Did you mean --batch-size?"),
        (["--qqqq"], "unknown option --qqqq. See sagan train --help."),
        (["--g-lr", "fast"], "g_lr is 'fast'. It must be a number above 0."),
        (["--seed", "-1"], "seed is '-1'. It must be a whole number from 0 and below 9223372036854775808."),
        (["--fit", "corp"], "fit is 'corp'. It must be one of crop, pad, stretch. Did you mean crop?"),
        (["--steps"], "--steps needs a value. It must be a whole number, 0 or more."),
        (["--steps", "--mirror"], "--steps needs a value. It must be a whole number, 0 or more."),
        (["--g-attn", "16", "32", "photos"], "unexpected word 'photos'. See sagan train --help."),
        (["photos", "--g-attn", "16", "32"], "unexpected word '32'. Lists have commas: 16,32. See sagan train --help."),
        (["photos", "--data", "x"], "data is named twice. Give DATA or --data, not both."),
        (["--preset", "sagan-46"], "unknown preset 'sagan-46'. Did you mean sagan-64?"),
        (["--mirror=perhaps"], "mirror is 'perhaps'. Write --mirror or --no-mirror."),
        (
            ["--config", "none.toml"],
            "none.toml: cannot be read: No such file or directory. Check the path of the TOML file.",
        ),
    ],
)
def test_mistakes_are_one_line_and_code_2(train, capsys, words, line):
    assert main(["train", *words]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"sagan: {line}\n")
    assert not train


def test_dry_run_prints_the_record_and_stops(train, workflow, capsys):
    plans = workflow(
        "plan", "plan", lambda config, **_: SimpleNamespace(config=config, rows=[("memory", "2 GiB"), ("steps", "9")])
    )
    assert main(["train", "photos", "--preset", "sagan-64", "--dry-run"]) == 0
    assert len(plans) == 1 and not train
    shown = capsys.readouterr().out
    assert shown == to_toml(preset("sagan-64", data="photos")) + "\n# memory  2 GiB\n# steps   9\n"
    assert from_toml(shown) == preset("sagan-64", data="photos"), "what is shown can be kept as a file"
    assert main(["train", "photos", "--dry-run"]) == 0
    assert "\n# z-dim 99: why not\n\n# memory" in capsys.readouterr().out


def test_resume_and_what_is_allowed_are_handed_on(train):
    Path("old").mkdir()
    Path("old/run.toml").write_text(to_toml(preset("sagan-64", data="photos", seed=7)))
    config = record(train, "--resume", "old", "--override", "--accept-data-change", "--g-lr", "5e-5")
    assert train[0][1]["resume"] == "old"
    assert train[0][1]["override"] is train[0][1]["accept_data_change"] is True
    assert (config.training.seed, config.training.g_lr, config.output.out) == (7, 5e-5, "old")


@pytest.mark.parametrize(
    ("error", "code"),
    [(NumericError("loss is nan", remedy="Lower g_lr."), 6), (Interrupted("stopped at step 3", exit_code=143), 143)],
)
def test_errors_end_with_their_own_code(train, capsys, error, code):
    train.answer = error
    assert main(["train"]) == code
    assert capsys.readouterr().err == f"sagan: {error}\n"


def test_the_help_shows_that_data_may_be_left_out(capsys):
    assert main(["train", "--help"]) == 0
    assert "[DATA]" in capsys.readouterr().out.splitlines()[0]
    assert main(["data", "check", "--help"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(" DATA")


def test_the_options_of_train_grow_only_by_decision(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["train", "--help"]) == 0
    listed = set(re.findall(r"(?<![\w-])--(?!no-)[a-z][a-z0-9-]*", capsys.readouterr().out))
    golden = Path(__file__).with_name("options.txt").read_text().split()
    assert sorted(listed) == golden
    recorded = {f"--{name.replace('_', '-')}" for name in SLOTS}
    of_the_verb = {"--help", "--config", "--resume", "--override", "--accept-data-change", "--dry-run"}
    assert recorded | of_the_verb == set(golden)
