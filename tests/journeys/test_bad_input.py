"""What a person gets wrong, through the command line: one clear line on standard error, and the documented exit code."""

from __future__ import annotations

import pytest

from sagan.cli.main import main

SMALL = "--resolution 16 --g-ch 16 --d-ch 16 --batch-size 8 --steps 1 --threads 1 --out run".split()


@pytest.fixture
def told(monkeypatch, tmp_path, capsys):
    """told(*words): run a command that must fail; its exit code and its line."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main([str(word) for word in words])
        shown = capsys.readouterr()
        assert shown.err.startswith("sagan: ") and shown.err.count("\n") == 1, shown.err
        assert shown.out == ""
        return code, shown.err

    return run


def test_a_path_that_is_not_there(told, photos, tmp_path):
    (tmp_path / "photos").symlink_to(photos)
    code, line = told("train", "photoz", *SMALL)
    assert (code, line) == (3, "sagan: photoz: does not exist. Did you mean photos?\n")
    assert not (tmp_path / "run" / "run.toml").exists()


@pytest.mark.parametrize("where", ["http://example.org/a.zip", "hf://datasets/x"])
def test_an_address(told, where):
    code, line = told("train", where, *SMALL)
    assert code == 3 and f"only local files are read. Train on its shards as stream:{where}; or download it" in line


def test_pictures_of_which_none_can_be_read(told, own_photos):
    for path in own_photos.rglob("*.png"):
        path.write_bytes(b"\x89PNG\r\n\x1a\n then nothing")
    code, line = told("train", own_photos, *SMALL)
    assert code == 3 and "none of its 20 pictures can be used" in line and "barns/00.png" in line


def test_one_unreadable_picture_with_on_bad_stop(told, own_photos):
    (own_photos / "boats" / "03.png").write_bytes(b"")
    code, line = told("train", own_photos, "--on-bad", "stop", *SMALL)
    assert code == 3 and "boats/03.png" in line and "--on-bad skip" in line


def test_an_empty_class(told, own_photos):
    (own_photos / "bridges").mkdir()
    code, line = told("train", own_photos, *SMALL)
    assert code == 3 and "class folder bridges/ without a usable picture" in line and "--cond off" in line


def test_a_folder_without_pictures(told, tmp_path):
    (tmp_path / "empty").mkdir()
    code, line = told("train", "empty", *SMALL)
    assert code == 3 and "empty: holds no picture" in line


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["train", "--stepz", "5"], 2, "unknown option --stepz. Did you mean --steps?"),
        (["train", "--preset", "sagan-46"], 2, "unknown preset 'sagan-46'. Did you mean sagan-64?"),
        (["train", "--g-lr", "-1"], 2, "g_lr is '-1'. It must be a number above 0."),
        (["train", "--time", "90"], 2, "Write it like 90s, 10m, 1h30m or 2d."),
        (
            ["train", "--resolution", "50"],
            2,
            "resolution is 50, and networks double a map of 4 to 7 pixels. Choose 16, 32, 64",
        ),
        (["train", "--batch-size", "10", "--grad-accum", "3"], 2, "grad_accum 3 does not divide batch_size 10"),
        (["train", "--g-attn", "12"], 2, "g_attn has 12"),
        (["train", "--device", "gpu7", *SMALL], 2, "device is 'gpu7'. Use auto, cpu, cuda, cuda:N or mps."),
        (["train", "--resume", "runs/none"], 4, "runs/none: there is no run and no checkpoint here"),
        (["train", "--config", "none.toml"], 2, "none.toml: cannot be read"),
        (["trian"], 2, "unknown command 'trian'. Did you mean train?"),
        (["sample", "none"], 4, "none: there is no such file or folder"),
        (["sample"], 2, "SOURCE is missing"),
        (["attend", "none"], 4, "none: there is no such file or folder"),
        (["verify", "none"], 4, "none: there is no checkpoint here"),
        (["data", "check", "none"], 3, "none: does not exist"),
        (["data", "chekc"], 2, "Write `sagan data check PICTURES`"),
    ],
)
def test_words_that_cannot_work(told, tmp_path, words, code, says):
    got, line = told(*words)
    assert got == code and says in line, line
    assert not list(tmp_path.rglob("*.toml")) and not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sample", "--classes", "cat"], "there is no class cat. There are: barns, boats"),
        (["sample", "--seeds", "5-1"], "Write numbers and ranges like 0-63"),
        (["sample", "-n", "0"], "n is '0'"),
        (["sample", "--trunc", "0.01"], "trunc is 0.01. Use at least 0.2"),
        (["sample", "--format", "jpg"], "format is 'jpg'. It must be one of grid, png, npz"),
        (["attend", "--layer", "G.attention@64"], "there is no layer G.attention@64. There are: G.attention@8."),
        (["attend", "--at", "3"], "at is 3. Write pixels as X,Y"),
        (["attend", "--at", "3,99"], "point 3,99 lies outside the 16x16 picture"),
        (["attend", "--label", "9"], "there is no class 9"),
    ],
)
def test_words_that_a_run_cannot_answer(told, trained, tmp_path, words, says):
    code, line = told(words[0], trained, *words[1:])
    assert code == 2 and says in line
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_every_checkpoint_is_damaged(own_run, contents, capsys):
    for path in own_run.rglob("manifest.json"):
        path.write_text("{")
    before = contents(own_run / "checkpoints")
    assert main(["train", "--out", str(own_run), "--steps", "9"]) == 4
    *said, line = capsys.readouterr().err.splitlines()
    assert [words.startswith("Warning: passed over: ") for words in said[-2:]] == [True, True]
    assert line.startswith("sagan: ") and "the damaged files were left as they are" in line
    assert contents(own_run / "checkpoints") == before
