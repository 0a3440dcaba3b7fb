"""`sagan doctor`: the verdict of a run from its log alone, in words and in the exit code."""

from __future__ import annotations

import json

import pytest

from sagan.cli.main import main
from sagan.errors import CheckpointMissing
from sagan.workflows.doctor import bars, doctor

SOUND = {"health/features": 0.9, "health/nearest": 0.8, "health/distance": 0.5, "loss/discriminator": 1.6}
SOUND |= {"loss/generator": 0.3, "spectrum/generator": 2.0, "spectrum/discriminator": 3.0}
ALIKE = SOUND | {"health/nearest": 0.1}


def write_log(run, rows, every=100):
    lines = [json.dumps({"step": every * (number + 1)} | row) for number, row in enumerate(rows)]
    (run / "log.jsonl").write_text("\n".join(lines) + "\n")


def test_a_healthy_run(own_run, capsys):
    write_log(own_run, [SOUND] * 5)
    assert main(["doctor", str(own_run)]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0] == "verdict     healthy: nothing here speaks against it"
    assert "at step     500, in 5 looks" in shown.out
    assert shown.err == ""


def test_a_collapsed_run(own_run, capsys):
    write_log(own_run, [SOUND, SOUND, ALIKE, ALIKE])
    assert main(["doctor", str(own_run)]) == 6
    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    lines = {name: text.strip() for name, text in lines.items()}
    assert lines["verdict"] == "collapsed: the generator draws only a few kinds of pictures"
    assert (lines["since step"], lines["last sound"]) == ("300", "step 200")
    assert lines["evidence"] == "generated pictures vary 10% as much as real ones"
    assert lines["likely cause"] == "20 pictures are so few that the discriminator learns them by heart."
    assert lines["try"].startswith("--d-lr 0.0004 --override")
    assert lines["no repeats"] == "██▁▁  0.8 to 0.1"


def test_a_checkpoint_in_the_run_will_do(own_run):
    write_log(own_run, [SOUND, SOUND, ALIKE, ALIKE])
    assert doctor(own_run / "checkpoints" / "step-00000004").judgement == doctor(own_run).judgement


def test_a_log_without_the_watch_is_judged_by_its_losses(own_run, capsys):
    plain = {"loss/discriminator": 0.001, "loss/generator": 9.0, "logit/real": 6.0, "logit/fake": -9.0}
    write_log(own_run, [plain] * 60, every=10)
    assert main(["doctor", str(own_run)]) == 6
    shown = capsys.readouterr()
    assert shown.out.startswith("verdict       saturated")
    assert "since step    100" in shown.out
    assert "do not show whether pictures repeat: look at samples/; further training is watched." in shown.err


def test_a_run_that_has_hardly_begun(own_run, capsys):
    (own_run / "log.jsonl").unlink()
    assert main(["doctor", str(own_run)]) == 0
    assert capsys.readouterr().out == "verdict  too early: the log holds nothing to judge by yet\n"


def test_going_back_is_told(own_run):
    rows = [SOUND, SOUND | {"broke_at": 340, "what": "collapsed"}, SOUND]
    write_log(own_run, rows)
    assert doctor(own_run).notes == ("The run went back from step 340 to step 200.",)


def test_a_real_run_is_judged(trained):
    assert doctor(trained).exit_code == 0


@pytest.mark.parametrize("text", ["", "\0\0\n", "[1, 2]\n", '{"step": "x"}\n', '{"step": 1e400}\n', "{" * 5000])
def test_a_broken_log_is_no_crash(own_run, text):
    (own_run / "log.jsonl").write_text(text)
    assert doctor(own_run).exit_code == 0


def test_a_damaged_data_file_only_costs_a_cause(own_run):
    write_log(own_run, [SOUND, SOUND, ALIKE, ALIKE])
    (own_run / "data.json").write_text("{")
    assert "too far ahead: 2 updates a step" in doctor(own_run).advice.cause


def test_what_is_no_run_is_one_line(tmp_path, capsys):
    with pytest.raises(CheckpointMissing):
        doctor(tmp_path)
    for place in (tmp_path, tmp_path / "nowhere"):
        assert main(["doctor", str(place)]) == 4
        line = capsys.readouterr().err
        assert line == f"sagan: {place}: there is no run here. Name the folder that holds run.toml.\n"


def test_bars():
    assert bars([0.0, 7.0]) == "▁█"
    assert bars([1.0, 1.0, 1.0]) == "▁▁▁"
    assert bars([float(number) for number in range(8)]) == "▁▂▃▄▅▆▇█"
    assert len(bars([float(number) for number in range(1000)])) == 32
