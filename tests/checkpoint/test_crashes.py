"""The order of effects that makes a save safe. That it is safe, whatever fails or whenever the power does, is shown by
the proofs `faulted-calls` and `power-loss` in tests/reliability.
"""

from __future__ import annotations

from pathlib import Path

from sagan.checkpoint.folder import publish
from sagan.checkpoint.retention import retain
from sagan.disk import DISK, Disk


def save(run, step, disk):
    publish(run, step, {"model.safetensors": b"numbers %d" % step, "state.json": b'{"step": %d}' % step}, disk)
    retain(run, 2, step, None, disk)


def test_the_order_of_effects(tmp_path):
    calls = []

    class Recording(Disk):
        pass

    def recorded(name):
        def effect(self, *paths):
            calls.append((name, *(Path(path).name for path in paths if isinstance(path, Path))))
            return getattr(DISK, name)(*paths)

        return effect

    for name in ("make_folder", "write", "sync_file", "sync_folder", "rename", "remove"):
        setattr(Recording, name, recorded(name))
    for step in (1, 2):
        save(tmp_path, step, DISK)
    save(tmp_path, 3, Recording())

    temporary = calls[0][1]
    trash = calls[-1][1]
    assert temporary.startswith(".tmp-step-00000003-") and trash.startswith(".trash-step-00000001-")
    assert calls == [
        ("make_folder", temporary),
        ("write", "model.safetensors"),
        ("sync_file", "model.safetensors"),
        ("write", "state.json"),
        ("sync_file", "state.json"),
        ("write", "manifest.json"),
        ("sync_file", "manifest.json"),
        ("sync_folder", temporary),
        ("rename", temporary, "step-00000003"),
        ("sync_folder", "checkpoints"),
        ("rename", "step-00000001", trash),
        ("remove", trash),
    ]
