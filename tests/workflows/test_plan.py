from __future__ import annotations

import pytest

from sagan.cli.main import main
from sagan.config import from_toml
from sagan.errors import ConfigError, DataError
from sagan.models.build import build_discriminator, build_generator, parameter_count
from sagan.training.config import TrainingConfig
from sagan.workflows.plan import expected_steps, plan


def test_a_plan_tells_size_and_cost_and_writes_nothing(tiny, photos, tmp_path, monkeypatch, contents):
    monkeypatch.chdir(tmp_path)
    before = contents(photos)
    config = tiny(photos, tmp_path / "run", steps=30)
    planned = plan(config)
    rows = dict(planned.rows)
    assert planned.config == config
    assert list(tmp_path.iterdir()) == [] and contents(photos) == before
    generator = parameter_count(build_generator(config.model, 2))
    discriminator = parameter_count(build_discriminator(config.model, 2))
    assert rows["parameters"] == f"G {generator:,}, D {discriminator:,}"
    assert rows["run folder"] == str(tmp_path / "run")
    assert rows["pictures"] == "20, 2 classes"
    assert rows["device"] == "cpu, 1 threads, fp32"
    assert rows["steps an epoch"] == "1.2", "20 pictures, twice 8 a step"
    assert rows["length"] == "30 steps, 24.0 epochs; ended by --steps"
    assert {"memory, about", "disk", "time a step, about", "time in all, about"} <= rows.keys()


def test_the_dry_run_of_the_command_writes_nothing(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = "--resolution 16 --g-ch 16 --d-ch 16 --batch-size 8 --dry-run --threads 1".split()
    assert main(["train", str(photos), *words]) == 0
    shown = capsys.readouterr()
    assert "batch_size = 8" in shown.out and "runs/photos-auto" in shown.out
    kept = from_toml(shown.out)
    assert kept.preset == "auto" and kept.model.g_ch == 16 and "# batch-size 8: you named it" in shown.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"steps": 50}, 50),
        ({"steps": 0, "kimg": 0.64, "n_dis": 2}, 5),
        ({"steps": 0, "time": "10s"}, 20),
        ({"steps": 50, "kimg": 0.64, "time": "10s"}, 10),
        ({"steps": 0}, float("inf")),
    ],
)
def test_steps_until_the_nearest_limit(options, expected):
    steps, limit = expected_steps(TrainingConfig(batch_size=64, **options), seconds_a_step=0.5)
    assert steps == expected and limit == ("" if expected == float("inf") else limit)


def test_a_plan_refuses_what_training_would_refuse(tiny, photos, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        plan(tiny(tmp_path / "none", tmp_path / "run"))
    with pytest.raises(ConfigError, match="device is 'warp'"):
        plan(tiny(photos, tmp_path / "run", device="warp"))
