"""`sagan ablate`: from words to one call."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from sagan.cli.main import main
from sagan.config import to_toml
from sagan.presets import preset
from sagan.runtime import available_cores


@pytest.fixture
def ablate(workflow):
    return workflow("ablate", "ablate", SimpleNamespace(lines=["Attention: better."], paths=[Path("a/ablation.html")]))


def asked(calls):
    ((ablation,), _) = calls[-1]
    return ablation


def test_without_words_it_is_the_demo_for_five_minutes_a_cell(ablate, capsys):
    assert main(["ablate", "--jobs", "2"]) == 0
    ablation = asked(ablate)
    training = ablation.base.training
    assert (ablation.base.preset, ablation.base.data.data) == ("demo", "emblems")
    assert (training.time, training.steps, training.kimg) == ("5m", 0, 0.0)
    assert ablation.folder == Path("runs/ablation") and ablation.seeds == (0, 1, 2) and ablation.jobs == 2
    assert [group.name for group in ablation.groups] == ["attention", "spectral", "rates", "losses"]
    assert len(ablation.cells) == 3 * 14  # 5 + 4 + 4 + 4 rows, of which three are the demo's own record once more
    shared = {row for row, cell in ablation.names.items() if "-".join(row) != cell}
    assert shared == {("spectral", "both"), ("rates", "two"), ("losses", "hinge")}
    assert {cell.config.output.threads for cell in ablation.cells} == {max(1, available_cores() // 2)}
    assert capsys.readouterr().out == "Attention: better.\na/ablation.html\n"


def test_every_word_arrives(ablate):
    words = ["photos", "--rows", "rates,attention", "--seeds", "2", "--seed", "7", "--steps", "40", "--g-ch", "16"]
    assert main(["ablate", *words, "--preset", "sagan-32", "--jobs", "1", "-o", "there"]) == 0
    ablation = asked(ablate)
    assert ablation.folder == Path("there") and ablation.seeds == (7, 8)
    assert [group.name for group in ablation.groups] == ["attention", "rates"]
    training = ablation.base.training
    assert (ablation.base.data.data, training.steps, training.time, ablation.base.model.g_ch) == ("photos", 40, "", 16)
    assert ablation.cells[0].folder == Path("there/cells/attention-none-seed7")


def test_a_file_is_where_the_rows_start_and_its_length_is_the_budget(ablate):
    Path("base.toml").write_text(to_toml(preset("gan-32", time="90s", steps=0)))
    assert main(["ablate", "--config", "base.toml", "--rows", "losses", "--jobs", "1"]) == 0
    training = asked(ablate).base.training
    assert (training.time, training.steps, training.loss) == ("90s", 0, "non-saturating")


def test_a_dry_run_prints_rows_and_time_and_starts_nothing(ablate, capsys):
    assert main(["ablate", "--rows", "attention", "--time", "10m", "--seeds", "2", "--jobs", "2", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "residual block at 16" in shown and "attention residual" in shown and 'time = "10m"' in shown
    assert "10, 2 at a time" in shown and "50 min; measuring and saving come on top" in shown
    assert not ablate and not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--rows", "atention"], "rows has 'atention'. Choose from attention, spectral, rates, losses."),
        (["--seeds", "0"], "seeds is '0'"),
        (["--g-attn", "5"], "g_attn has 5"),
        (["--steps", "0"], "the cells have no length. Give --time, --steps or --kimg."),
        (["a", "b"], "unexpected word 'b'"),
    ],
)
def test_mistakes_are_one_line(ablate, capsys, words, line):
    assert main(["ablate", *words]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert line in told and not ablate
