"""`sagan train stream:...`: trains, says what it gives up, goes on to the bit, and loses nothing when its place vanishes."""

from __future__ import annotations

import json

import pytest
from shard_files import png, write_parquet

from sagan.checkpoint.folder import step_folder, steps
from sagan.cli.main import main
from sagan.config import build
from sagan.data.stream import listing as listing_module
from sagan.errors import ConfigError, DataError, PeerError
from sagan.workflows.plan import plan
from sagan.workflows.train import train

COUNT = 90


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streamed") / "birds"
    folder.mkdir()
    files, labels = [png(number) for number in range(COUNT)], [number % 2 for number in range(COUNT)]
    for number in range(3):
        part = slice(30 * number, 30 * number + 30)
        write_parquet(folder / f"train-{number}.parquet", files[part], labels[part], rows=10)
    return folder


def weights(run, step):
    folder = step_folder(run, step)
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


def record_of(tiny, shards, out, **options):
    return tiny(f"stream:{shards}", out, shuffle_window=24, log_every=1, sample_every=0, **options)


def test_a_run_broken_off_and_gone_on_has_the_weights_of_one_that_was_not(tiny, shards, tmp_path):
    """Two epochs, broken off in the middle of a window; with processes in one part and without in the other."""
    train(record_of(tiny, shards, tmp_path / "whole", steps=11))
    train(record_of(tiny, shards, tmp_path / "parts", steps=4, workers=2))
    train(record_of(tiny, shards, tmp_path / "parts", steps=11))
    assert weights(tmp_path / "parts", 11) == weights(tmp_path / "whole", 11)
    facts = json.loads((tmp_path / "whole" / "data.json").read_text())
    assert facts["pictures"] == COUNT and [entry["name"] for entry in facts["classes"]] == ["0", "1"]
    rows = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["data/skipped"] == 0 and rows[-1]["data/seen"] > 2 * COUNT
    assert (tmp_path / "whole" / "samples" / "reals.png").is_file() and (tmp_path / "whole" / "report.html").is_file()


@pytest.mark.nightly
def test_another_window_is_another_run(tiny, shards, tmp_path):
    train(record_of(tiny, shards, tmp_path / "run", steps=2))
    with pytest.raises(ConfigError, match="shuffle_window 24 -> 90"):
        train(tiny(f"stream:{shards}", tmp_path / "run", shuffle_window=90, steps=3))
    train(tiny(f"stream:{shards}", tmp_path / "other", shuffle_window=90, steps=2, sample_every=0))
    assert weights(tmp_path / "other", 2) != weights(tmp_path / "run", 2)


def test_the_shards_may_move_and_others_are_refused(tiny, shards, tmp_path):
    train(record_of(tiny, shards, tmp_path / "run", steps=2))
    moved = tmp_path / "moved"
    moved.symlink_to(shards)
    train(record_of(tiny, moved, tmp_path / "run", steps=3))
    with pytest.raises(DataError, match="the pictures are not those of the run: 90 -> 60 pictures in all"):
        train(record_of(tiny, f"{shards}/train-[01].parquet", tmp_path / "run", steps=4))


def test_a_plan_says_what_is_given_up(tiny, shards, tmp_path):
    rows = dict(plan(record_of(tiny, shards, tmp_path / "run", steps=10)).rows)
    assert rows["pictures"] == "90, 2 classes" and rows["streamed from"] == "3 parquet shards, 0 MiB"
    assert rows["shuffled"] == "9 pieces in 8 lanes, pictures 24 at a time; not exactly at random"
    assert rows["memory for the stream"] == "0 MiB" and rows["steps an epoch"] == "5.6"


def test_a_place_that_vanishes_loses_nothing(tiny, shards, tmp_path, monkeypatch):
    """What was learned is saved where the pictures ran out, and the run goes on from there when they are back."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    train(record_of(tiny, shards, whole, steps=9))
    waits, opened = [], listing_module.open_shard

    def vanishing(files, shard):
        if len(waits) or (run / "log.jsonl").exists() and len((run / "log.jsonl").read_text().splitlines()) >= 3:
            raise OSError(5, "Input/output error")
        return opened(files, shard)

    with monkeypatch.context() as patched:
        patched.setattr(listing_module.time, "sleep", waits.append)
        patched.setattr(listing_module, "open_shard", vanishing)
        with pytest.raises(PeerError, match=r"parquet: cannot be read, tried 6 times \(\[Errno 5\]") as caught:
            train(record_of(tiny, shards, run, steps=9))
    assert caught.value.exit_code == 75 and waits == list(listing_module.PAUSES)
    reached = steps(run)[-1]
    assert 3 <= reached < 9
    train(record_of(tiny, shards, run, steps=9))
    assert weights(run, 9) == weights(whole, 9)


def test_broken_pictures_are_skipped_listed_and_counted(tiny, tmp_path):
    folder, run = tmp_path / "set", tmp_path / "run"
    folder.mkdir()
    files = [png(number) for number in range(60)]
    files[7], files[33] = b"", files[33][:50]
    write_parquet(folder / "a.parquet", files, [0] * 60)
    train(record_of(tiny, folder, run, steps=5, max_bad=0.1))
    train(record_of(tiny, folder, run, steps=7, max_bad=0.1))
    listed = [json.loads(line) for line in (run / "skipped.jsonl").read_text().splitlines()]
    assert [(entry["path"], entry["code"]) for entry in listed] == [
        ("a.parquet#33", "truncated"),
        ("a.parquet#7", "empty"),
    ]
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert max(row.get("data/skipped", 0) for row in rows) >= 2


def test_the_command_names_the_run_after_the_place(shards, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = "--resolution 16 --g-ch 16 --d-ch 16 --batch-size 8 --threads 1 --dry-run".split()
    assert main(["train", f"stream:{shards}/train-*.parquet", *words]) == 0
    shown = capsys.readouterr().out
    assert "runs/birds-sagan-32-small" in shown and "3 parquet shards" in shown
    assert main(["evaluate", str(tmp_path), "--data", f"stream:{shards}"]) != 0


@pytest.mark.parametrize("options", [{"balance": True}, {"fake_labels": "data"}])
def test_what_needs_counted_classes_is_refused(options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))} needs the pictures of each class counted"):
        build({"data": "stream:shards", **options})
    assert build(options)
