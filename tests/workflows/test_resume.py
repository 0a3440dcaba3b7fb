"""The key promise: stopped at any step and gone on with in a new process, a run is the uninterrupted one, bit for bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sagan.checkpoint.folder import newest, step_folder, steps
from sagan.cli.main import main
from sagan.errors import CheckpointCorrupt, ConfigError, DataError, Interrupted
from sagan.training.reporting import Note, Progress
from sagan.workflows.train import train

SOURCE = Path(__file__).parents[2] / "src"
FULL = 7
FILES = ("generator.safetensors", "model.safetensors", "optimiser.safetensors")


def sagan_command(*words):
    """`sagan ...` and its environment, which differs from this process's where it must not matter."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": "77"}
    return [sys.executable, "-m", "sagan", *map(str, words)], environment


def in_a_new_process(*words):
    command, environment = sagan_command(*words)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    return done


def kept(run, step):
    """What must be equal: every byte of every tensor file, the counters, and the picture grid of the step."""
    folder = step_folder(run, step)
    found = {name: (folder / name).read_bytes() for name in FILES}
    state = json.loads((folder / "state.json").read_text())
    found |= {name: state[name] for name in ("step", "critic_updates", "position", "data_fingerprint")}
    return found | {"grid": (run / "samples" / f"step-{step:08d}.png").read_bytes()}


def unequal(run, other, step):
    ours, theirs = kept(run, step), kept(other, step)
    return [name for name in ours if ours[name] != theirs[name]]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory, tiny, photos):
    """whole_run(precision, length): a run without a break, pictures in memory, chores at the end only."""
    made = {}

    def run(precision, length=FULL):
        if (precision, length) not in made:
            out = tmp_path_factory.mktemp("whole") / "run"
            train(tiny(photos, out, steps=length, precision=precision, save_every=0, sample_every=1000, log_every=5))
            made[precision, length] = out
        return made[precision, length]

    return run


def steps_logged(run):
    """The steps of the log's measurements; lines about a changed option stand between them."""
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [row["step"] for row in rows if "changed" not in row]


def differences_after_resume(tmp_path, tiny, photos, whole_run, precision, workers, stop):
    """An epoch is one and a quarter step: all stops are in the middle of one, and orders of several epochs are met."""
    out = tmp_path / "run"
    options = {"precision": precision, "workers": workers, "cache_mib": 0 if workers else 64}
    train(tiny(photos, out, steps=stop, save_every=2, sample_every=3, log_every=2, **options))
    assert steps(out)[-1] == stop
    told = in_a_new_process("train", "--out", out, "--steps", FULL)
    assert f"Going on from step {stop}." in told.stderr and "Differs from before" not in told.stderr
    rows = steps_logged(out)
    assert rows == sorted(set(rows)) and rows[-1] == FULL
    return unequal(out, whole_run(precision), FULL)


@pytest.mark.parametrize(
    ("precision", "workers", "stop"),
    [
        pytest.param("fp32", 0, 1, marks=pytest.mark.nightly),
        pytest.param("bf16", 0, 3, marks=pytest.mark.nightly),
        ("fp32", 2, 5),
        ("bf16", 2, 2),
    ],
)
def test_stopped_and_resumed_equals_never_stopped(tmp_path, tiny, photos, whole_run, precision, workers, stop):
    assert differences_after_resume(tmp_path, tiny, photos, whole_run, precision, workers, stop) == []


@pytest.mark.nightly
@pytest.mark.parametrize("stop", range(1, FULL))
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_stopped_at_any_step_and_resumed_equals_never_stopped(
    tmp_path, tiny, photos, whole_run, precision, workers, stop
):
    assert differences_after_resume(tmp_path, tiny, photos, whole_run, precision, workers, stop) == []


def test_the_comparison_can_fail(tmp_path, tiny, photos, whole_run):
    other = tmp_path / "run"
    train(tiny(photos, other, steps=FULL, save_every=0, sample_every=1000, seed=1))
    assert unequal(other, whole_run("fp32"), FULL) == [*FILES, "grid"]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code", "workers"), [(signal.SIGINT, 130, 2), (signal.SIGTERM, 143, 0)])
def test_a_signal_saves_and_the_same_command_goes_on(tmp_path, tiny, photos, whole_run, number, code, workers):
    out = tmp_path / "run"
    words = "--resolution 16 --z-dim 12 --g-ch 16 --d-ch 16 --batch-size 8 --n-dis 2 --ema 0.9 --ema-start 2".split()
    words += "--beta1 0.5 --mirror --precision fp32 --threads 1 --device cpu --preset sagan-32-small".split()
    words += ["--log-every", "1", "--save-every", "0", "--sample-every", "1000", "--workers", workers]
    words += ["--cache-mib", 0 if workers else 64, "--steps", "100000", "--out", out]
    command, environment = sagan_command("train", photos, *words)
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 120
        while not (out / "log.jsonl").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # a terminal's Ctrl-C reaches the workers too
        else:
            process.send_signal(number)
        printed, told = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == code, told
    last = told.splitlines()[-1]
    assert last.startswith("sagan: stopped at step ") and "Go on with: sagan train --resume " in last
    assert printed == "" and "Traceback" not in told
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # no worker is left behind
    checkpoint, warnings = newest(out)
    stopped = steps(out)[-1]
    assert warnings == [] and checkpoint == step_folder(out, stopped) and stopped >= 1
    train(tiny(photos, out, steps=stopped + 2, save_every=0, sample_every=1000, workers=workers))
    assert unequal(out, whole_run("fp32", stopped + 2), stopped + 2) == []


def test_a_signal_before_the_first_step_ends_at_once_and_claims_no_checkpoint(tmp_path, tiny, photos, whole_run):
    def interrupt(event):
        if isinstance(event, Note) and event.text.startswith("Expected to take"):
            os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / "run"
    config = tiny(photos, out, steps=2, save_every=0, sample_every=1000)
    with pytest.raises(KeyboardInterrupt):
        train(config, watch=interrupt)
    assert steps(out) == []
    train(config)
    assert unequal(out, whole_run("fp32", 2), 2) == []


def test_a_stop_saves_and_does_no_more(tmp_path, tiny, photos):
    def interrupt(event):
        if isinstance(event, Progress) and event.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(tiny(photos, out, steps=9, save_every=0, sample_every=1), watch=interrupt)
    assert steps(out) == [0, 2]
    assert not (out / "report.html").exists() and not (out / "samples" / "step-00000002.png").exists()


def test_a_signal_in_the_last_step_leaves_a_finished_run(tmp_path, tiny, photos):
    def interrupt(event):
        if isinstance(event, Progress) and event.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    result = train(tiny(photos, tmp_path / "run", steps=2, save_every=0, sample_every=1000), watch=interrupt)
    assert result.stopped == "reached its steps" and result.report.exists() and result.grid is not None


def refused(capsys, *words):
    """The exit code and the one line of a command that must fail."""
    code = main(["train", *map(str, words)])
    line = capsys.readouterr().err
    assert line.startswith("sagan: ") and line.count("\n") == 1, line
    return code, line


def test_another_structure_is_refused_with_both_values(own_run, contents, capsys):
    before = contents(own_run)
    code, line = refused(capsys, "--out", own_run, "--batch-size", "4", "--seed", "3")
    assert code == 2 and "batch_size 8 -> 4" in line and "seed 0 -> 3" in line and "--out" in line
    after = contents(own_run)
    assert {name for name in after if after[name] != before.get(name)} <= {".lock"}


def test_another_run_may_not_be_continued_under_another_structure(own_run, tmp_path, capsys):
    """Its counters mean what its own record says, whatever folder the new one is to lie in."""
    new = tmp_path / "new"
    code, line = refused(capsys, "--resume", own_run, "--out", new, "--batch-size", "4", "--steps", "6")
    assert code == 2 and "batch_size 8 -> 4" in line
    assert not (new / "checkpoints").exists()


def test_a_run_goes_on_in_another_folder(own_run, tmp_path, tiny, photos):
    new = tmp_path / "new"
    result = train(tiny(photos, new, steps=6, sample_every=1000), resume=str(own_run))
    assert result.step == 6 and steps(new) == [6] and steps(own_run) == [4, 5]


def test_another_schedule_needs_override_and_is_recorded(own_run, capsys):
    code, line = refused(capsys, "--out", own_run, "--g-lr", "3e-4")
    assert code == 2 and "g_lr 0.0002 -> 0.0003" in line and "--override" in line
    assert main(["train", "--out", str(own_run), "--g-lr", "3e-4", "--override"]) == 0
    assert "Changed from the stored record: g_lr 0.0002 -> 0.0003" in capsys.readouterr().err
    assert "g_lr = 0.0003" in (own_run / "run.toml").read_text()


def test_a_free_change_is_noted(own_run, tiny, photos):
    events = []
    config = tiny(photos, own_run, steps=5, log_every=3, sample_every=2, save_every=2, keep=3)
    train(config, watch=events.append)
    said = [event.text for event in events if isinstance(event, Note)]
    assert "Changed from the stored record: log_every 1 -> 3" in said
    assert "Changed from the stored record: keep 2 -> 3" in said
    assert not [text for text in said if "seed" in text or " out " in text]


def test_changed_pictures_are_refused(own_run, own_photos, tiny, contents):
    before = contents(own_run / "checkpoints")
    assert train(tiny(own_photos, own_run, steps=5, log_every=1, sample_every=2, save_every=2)).step == 5, "moved only"
    first = next(own_photos.rglob("*.png"))
    shutil.copy(next(path for path in own_photos.rglob("*.png") if path != first), first)
    with pytest.raises(DataError, match="the pictures are not those of the run: .*--out") as info:
        train(tiny(own_photos, own_run, steps=9, log_every=1, sample_every=2, save_every=2))
    assert info.value.exit_code == 3
    assert contents(own_run / "checkpoints") == before


def flip(path):
    payload = bytearray(path.read_bytes())
    payload[len(payload) // 2] ^= 4
    path.write_bytes(bytes(payload))


def test_a_damaged_newest_checkpoint_is_passed_over_with_one_warning(own_run, tiny, photos, whole_run):
    flip(step_folder(own_run, 5) / "model.safetensors")
    events = []
    config = tiny(photos, own_run, steps=FULL, log_every=1, sample_every=1000, save_every=0)
    train(config, watch=events.append)
    warnings = [event.text for event in events if isinstance(event, Note) and event.text.startswith("Warning")]
    assert len(warnings) == 1 and "step-00000005" in warnings[0] and "SHA-256" in warnings[0]
    assert unequal(own_run, whole_run("fp32"), FULL) == [], "it went on from step 4"
    assert step_folder(own_run, 5).exists(), "what is damaged stays for its owner to look at"
    rows = steps_logged(own_run)
    assert rows == [1, 2, 3, 4, 5, 6, 7], "the lines after step 4 were cut off and written anew"
    assert json.loads((own_run / "log.jsonl.cut").read_text())["step"] == 5


def test_when_all_are_damaged_nothing_is_deleted(own_run, tiny, photos, contents):
    for step in (4, 5):
        flip(step_folder(own_run, step) / "optimiser.safetensors")
    before = contents(own_run / "checkpoints")
    with pytest.raises(CheckpointCorrupt, match="no whole checkpoint to go on from.*left as they are") as info:
        train(tiny(photos, own_run, steps=FULL, log_every=1, sample_every=2, save_every=2))
    assert info.value.exit_code == 4
    assert contents(own_run / "checkpoints") == before


def test_half_written_folders_are_swept(own_run, tiny, photos):
    half = own_run / "checkpoints" / ".tmp-step-00000006-1-abcd"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    (own_run / ".tmp-file-1-abcd").write_bytes(b"half")
    train(tiny(photos, own_run, steps=5, log_every=1, sample_every=2, save_every=2))
    assert not list(own_run.rglob(".tmp-*"))


def test_resume_off_refuses_a_folder_with_a_run(own_run, tiny, photos):
    with pytest.raises(ConfigError, match="the folder holds a run at step 5.*--out"):
        train(tiny(photos, own_run, steps=9, log_every=1, sample_every=2, save_every=2), resume="off")


def test_an_older_checkpoint_of_the_same_run_needs_another_folder(own_run, tiny, photos, tmp_path):
    config = tiny(photos, own_run, steps=9, log_every=1, sample_every=2, save_every=2)
    with pytest.raises(ConfigError, match="the folder holds step 5, which is later than"):
        train(config, resume=str(step_folder(own_run, 4)))
    forked = train(tiny(photos, tmp_path / "fork", steps=5), resume=str(step_folder(own_run, 4)))
    assert unequal(forked.run, own_run, 5) == [], "the fork is the run again"
