"""G3: power lost at any moment of a save, and every state of the disk that may legally be found afterwards.

A kill does not test syncing, since the kernel still writes what it was given. Here the effects of one save are recorded
and replayed up to every cut. What was not synced is then kept, lost, zeroed or halved: bytes per file, names per folder
(a journalling file system keeps the names of one folder in order, so any prefix of the unsynced ones may survive).
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from proofs.outcome import Outcome
from sagan.checkpoint.folder import newest, publish, read_folder, step_folder, sweep
from sagan.checkpoint.retention import BEST, retain, write_best
from sagan.disk import DISK, Disk

CLAIM = (
    "Whenever the power fails during a save, the old checkpoint or the new one is whole, a torn one never shows under its "
    "final name, and a save that was reported as finished is there."
)
QUICK = FULL = 40  # there are at least so many states; all of them are gone through

DAMAGE = {
    "kept": lambda payload: payload,
    "lost": lambda payload: b"",
    "zeroed": lambda payload: bytes(len(payload)),
    "halved": lambda payload: payload[: len(payload) // 2],
}


class File:
    """Bytes, on the medium once they are synced."""

    def __init__(self, payload: bytes) -> None:
        self.payload, self.synced = payload, False


class Folder:
    """Names change only by entries of its history; the first `durable` of them survive anything."""

    def __init__(self) -> None:
        self.history: list[tuple[Any, ...]] = []
        self.durable = 0

    def names(self, length: int | None = None) -> dict[str, File | Folder]:
        """What the folder holds after so many entries of its history."""
        names: dict[str, File | Folder] = {}
        for verb, *words in self.history[:length]:
            if verb == "add":
                names[words[0]] = words[1]
            elif verb == "rename":
                names[words[1]] = names.pop(words[0])
            else:
                names.pop(words[0])
        return names


class Recording(Disk):
    """Does everything but the skipped effects, and notes it as (effect, arguments)."""

    def __init__(self, skipped: Iterable[str] = ()) -> None:
        self.skipped, self.log = set(skipped), []

    def __getattribute__(self, name):
        if name.startswith("_") or name in ("skipped", "log"):
            return super().__getattribute__(name)

        def effect(*arguments):
            if name not in self.skipped:
                getattr(DISK, name)(*arguments)
                self.log.append((name, arguments))

        return effect


def load_model(folder: Path) -> Folder:
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


def find(root: Folder, top: Path, path: Path) -> Any:
    """The node of a path below `top`, which `root` stands for."""
    node = root
    for name in path.relative_to(top).parts:
        node = node.names()[name]
    return node


def replay(root: Folder, top: Path, log: list[tuple[str, Any]]) -> None:
    """Do the recorded effects to the model."""
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


def folders_of(node: Folder) -> list[Folder]:
    """A folder and all that were ever in it."""
    found = [node]
    for _, *words in node.history:
        if len(words) == 2 and isinstance(words[1], Folder):
            found += folders_of(words[1])
    return found


def survivors(node: Folder, lengths: dict[Folder, int], damage: str) -> dict[str, Any]:
    """What is on the disk, as nested dicts of name -> bytes or dict."""
    found = {}
    for name, child in node.names(lengths[node]).items():
        if isinstance(child, Folder):
            found[name] = survivors(child, lengths, damage)
        else:
            found[name] = child.payload if child.synced else DAMAGE[damage](child.payload)
    return found


def materialise(tree: dict[str, Any], at: Path) -> None:
    """Write what survived to a real disk."""
    at.mkdir()
    for name, content in tree.items():
        if isinstance(content, dict):
            materialise(content, at / name)
        else:
            (at / name).write_bytes(content)


def states(run: Path, log: list[tuple[str, Any]], at: Path, published: int) -> Iterator[tuple[int, str]]:
    """Materialise every state at `at`, one after the other, those before and after `published` effects told apart."""
    seen: set[tuple[bool, str]] = set()
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


def prove(count: int, seed: int, workspace: Path, *, skipped: Iterable[str] = ()) -> Outcome:
    """Every state after every cut: a save of a new step, of the same step again, and of the file that names the best.

    skipped: effects that are not done, for the test of this proof.
    """
    outcome = Outcome(facts={"torn newest": 0, "finished saves lost": 0})
    for name, step in (("new step", 3), ("same step", 2)):
        save_checkpoint(outcome, workspace / name.replace(" ", "-"), name, step, skipped)
    save_best(outcome, workspace / "best", skipped)
    return outcome


def contents(step: int, salt: bytes = b"") -> dict[str, bytes]:
    """Files of a checkpoint; loading them is another proof's matter."""
    return {"model.safetensors": b"numbers %d " % step * 9 + salt, "state.json": b'{"step": %d}' % step + salt}


def save_checkpoint(outcome: Outcome, place: Path, name: str, step: int, skipped: Iterable[str]) -> None:
    """Save `step` over a run with steps 1 and 2; after each cut the next start must find step 2 or the new one whole."""

    def begin(run: Path) -> None:
        for former in (1, 2):
            publish(run, former, contents(former))

    def save(run: Path, disk: Recording) -> int:
        publish(run, step, contents(step, b"new"), disk)
        published = len(disk.log)
        retain(run, 2, step, None, disk)
        return published

    def look(run: Path, finished: bool) -> str | None:
        sweep(run)
        found, warnings = newest(run)
        outcome.count("torn newest", bool(warnings))
        if found is None or warnings:
            return f"a torn newest shows: {warnings}"
        got = read_folder(found)[1]
        is_new = (found, got) == (step_folder(run, step), contents(step, b"new"))
        outcome.count("finished saves lost", finished and not is_new)
        if finished and not is_new:
            return f"the save had finished, and {found.name} of before is found"
        return None if is_new or got == contents(2) else f"{found.name} is neither the old nor the new one"

    go_through(outcome, place, name, skipped, begin, save, look)


def save_best(outcome: Outcome, place: Path, skipped: Iterable[str]) -> None:
    """Replace a small file; after each cut it holds the old content or the new one."""
    versions: list[bytes] = []

    def begin(run: Path) -> None:
        write_best(run, 1, 0.1, "test")
        versions.append((run / BEST).read_bytes())

    def save(run: Path, disk: Recording) -> int:
        write_best(run, 2, 0.2, "test", disk)
        versions.append((run / BEST).read_bytes())
        return len(disk.log)

    def look(run: Path, finished: bool) -> str | None:
        sweep(run)
        got = (run / BEST).read_bytes() if (run / BEST).exists() else b""
        outcome.count("finished saves lost", finished and got == versions[0])
        return None if got in versions[finished:] else f"it holds {got!r}"

    go_through(outcome, place, "the best", skipped, begin, save, look)


def go_through(
    outcome: Outcome,
    place: Path,
    name: str,
    skipped: Iterable[str],
    begin: Callable[[Path], None],
    save: Callable[[Path, Recording], int],
    look: Callable[[Path, bool], str | None],
) -> None:
    """Record what `save` does to what `begin` made, and `look` at every state. save: how many effects until it is done."""
    run, at = place / "run", place / "after"
    place.mkdir()
    begin(run)
    shutil.copytree(run, place / "before")
    disk = Recording(skipped)
    published = save(run, disk)
    for cut, state in states(run, disk.log, at, published):
        wrong = look(at, cut >= published)
        outcome.note(wrong and f"{name}, {state}: {wrong}")
