"""Power loss: every legal state of the disk after a cut at any moment of a save.

A kill does not test syncing, since the kernel still writes what it was given. Here the effects of one save are recorded
and replayed up to every cut. What was not synced is then kept, lost, zeroed or halved: bytes per file, names per folder
(a journalling file system keeps the names of one folder in order, so any prefix of the unsynced ones may survive).
"""

from __future__ import annotations

import itertools
import shutil

import pytest

from sagan.checkpoint.folder import newest, publish, read_folder, step_folder, sweep
from sagan.checkpoint.retention import retain
from sagan.disk import DISK, Disk

DAMAGE = {
    "kept": lambda payload: payload,
    "lost": lambda payload: b"",
    "zeroed": lambda payload: bytes(len(payload)),
    "halved": lambda payload: payload[: len(payload) // 2],
}


class File:
    def __init__(self, payload):
        self.payload, self.synced = payload, False


class Folder:
    """Names change only by entries of its history; the first `durable` of them survive anything."""

    def __init__(self):
        self.history, self.durable = [], 0

    def names(self, length=None):
        names = {}
        for verb, *words in self.history[:length]:
            if verb == "add":
                names[words[0]] = words[1]
            elif verb == "rename":
                names[words[1]] = names.pop(words[0])
            else:
                names.pop(words[0])
        return names


class Recording(Disk):
    """Does everything, and notes it as (effect, arguments)."""

    def __init__(self, skipped=()):
        self.skipped, self.log = skipped, []

    def __getattribute__(self, name):
        if name.startswith("_") or name in ("skipped", "log"):
            return super().__getattribute__(name)

        def effect(*arguments):
            if name not in self.skipped:
                getattr(DISK, name)(*arguments)
                self.log.append((name, arguments))

        return effect


def load_model(folder):
    """The state of a folder on disk, all of it durable."""
    model = Folder()
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            node = load_model(path)
        else:
            node = File(path.read_bytes())
            node.synced = True
        model.history.append(("add", path.name, node))
    model.durable = len(model.history)
    return model


def find(root, top, path):
    node = root
    for name in path.relative_to(top).parts:
        node = node.names()[name]
    return node


def replay(root, top, log):
    for name, arguments in log:
        path = arguments[0]
        if name == "sync_file":
            find(root, top, path).synced = True
        elif name == "sync_folder":
            folder = find(root, top, path)
            folder.durable = len(folder.history)
        else:
            parent = find(root, top, path.parent)
            entry = {
                "make_folder": lambda path=path: ("add", path.name, Folder()),
                "write": lambda path=path, arguments=arguments: ("add", path.name, File(arguments[1])),
                "rename": lambda path=path, arguments=arguments: ("rename", path.name, arguments[1].name),
                "remove": lambda path=path: ("remove", path.name),
            }[name]()
            parent.history.append(entry)


def folders_of(node):
    found = [node]
    for _, *words in node.history:
        if len(words) == 2 and isinstance(words[1], Folder):
            found += folders_of(words[1])
    return found


def survivors(node, lengths, damage):
    """What is on the disk, as nested dicts of name -> bytes or dict."""
    found = {}
    for name, child in node.names(lengths[node]).items():
        if isinstance(child, Folder):
            found[name] = survivors(child, lengths, damage)
        else:
            found[name] = child.payload if child.synced else DAMAGE[damage](child.payload)
    return found


def materialise(tree, at):
    at.mkdir()
    for name, content in tree.items():
        if isinstance(content, dict):
            materialise(content, at / name)
        else:
            (at / name).write_bytes(content)


def states(run, log, at, published):
    """Materialise every state at `at`, one after the other, those before and after `published` effects told apart."""
    seen = set()
    for cut in range(len(log) + 1):
        root = load_model(at.parent / "before")
        replay(root, run, log[:cut])
        folders = folders_of(root)
        ranges = [range(folder.durable, len(folder.history) + 1) for folder in folders]
        for lengths in itertools.product(*ranges):
            for damage in DAMAGE:
                tree = survivors(root, dict(zip(folders, lengths, strict=True)), damage)
                if (key := (cut >= published, repr(tree))) in seen:
                    continue
                seen.add(key)
                shutil.rmtree(at, ignore_errors=True)
                materialise(tree, at)
                yield cut, f"cut {cut}, names {lengths}, bytes {damage}"


def contents(step, salt=b""):
    return {"model.safetensors": b"numbers %d " % step * 9 + salt, "state.json": b'{"step": %d}' % step + salt}


def count_faults(tmp_path, *, step, skipped=()):
    """Save `step` over a run with steps 1 and 2; (states, torn newest, a finished save that was lost)."""
    run, at = tmp_path / "run", tmp_path / "after"
    for former in (1, 2):
        publish(run, former, contents(former))
    shutil.copytree(run, tmp_path / "before")
    disk = Recording(skipped)
    publish(run, step, contents(step, b"new"), disk)
    published = len(disk.log)
    retain(run, 2, None, disk)

    count, torn, lost = 0, 0, 0
    for cut, state in states(run, disk.log, at, published):
        count += 1
        sweep(at)
        found, warnings = newest(at)
        torn += bool(warnings)
        assert found is not None, state
        got = read_folder(found)[1]
        is_new = found == step_folder(at, step) and got == contents(step, b"new")
        assert is_new or got == contents(2), state
        lost += cut >= published and not is_new
    return count, torn, lost


@pytest.mark.parametrize("step", [3, 2], ids=["new step", "same step again"])
def test_every_state_has_the_old_or_the_new_one_whole(tmp_path, step):
    count, torn, lost = count_faults(tmp_path, step=step)
    assert count > 15
    assert (torn, lost) == (0, 0)


def test_without_syncing_files_a_torn_newest_shows(tmp_path):
    _, torn, _ = count_faults(tmp_path, step=3, skipped={"sync_file"})
    assert torn > 0


def test_without_syncing_folders_a_finished_save_is_lost(tmp_path):
    _, torn, lost = count_faults(tmp_path, step=3, skipped={"sync_folder"})
    assert torn > 0 and lost > 0
