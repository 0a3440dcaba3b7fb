"""Several cells at a time, each in a process of its own: a second thread gives a small network less than a second cell does.

A process trains, measures and writes its cell; here is only decided who is next. On a signal the processes are asked to stop,
save and end; a process whose starter has died does the same.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from sagan import errors
from sagan.config import from_toml, to_toml
from sagan.data.images import open_images
from sagan.errors import Interrupted, ResourceError, SaganError
from sagan.runtime import choose_runtime
from sagan.training.stopping import StopSignals
from sagan.workflows.ablation.cells import Cell, CellResult, run_cell
from sagan.workflows.ablation.measures import Measure

PATIENCE = 0.5  # seconds between looks at whether a signal came

Told = Callable[[CellResult], None]
Running = dict[Connection, tuple[Cell, SpawnProcess]]


class _Stopped(Exception):
    """A cell was asked to stop, and saved."""


def run_together(
    cells: Sequence[Cell], measure: Measure, jobs: int, *, started: Callable[[Cell], None], ended: Told
) -> None:
    """Run cells, `jobs` at a time, in their order. started, ended: told of each, in this process.

    An error of one cell stops the others, which save first, and is raised here. Raises Interrupted after a signal.
    """
    waiting, running, asked = list(cells), Running(), set[Connection]()
    failure: SaganError | None = None
    with StopSignals() as stop:
        try:
            while running or (waiting and not failure and not stop()):
                while waiting and len(running) < jobs and not failure and not stop():
                    cell = waiting.pop(0)
                    started(cell)
                    running |= [_start(cell, measure)]
                for pipe in wait(list(running), timeout=PATIENCE):
                    assert isinstance(pipe, Connection)
                    try:
                        ended(_answer(pipe, *running.pop(pipe)))
                    except _Stopped:
                        pass
                    except SaganError as error:  # a process that a signal hit while it was still starting has no word
                        failure = failure or (None if stop() else error)
                if failure or stop():
                    _ask_to_stop(running, asked)
        finally:
            _ask_to_stop(running, asked)
    if failure:
        raise failure
    if stop():
        raise Interrupted("stopped; every cell was saved", exit_code=stop.exit_code, remedy="The same command goes on.")


def _start(cell: Cell, measure: Measure) -> tuple[Connection, tuple[Cell, SpawnProcess]]:
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of other threads as they are
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, cell.name, to_toml(cell.config), measure), name=cell.name)
    process.start()
    theirs.close()  # so that the pipe ends when the process does
    return ours, (cell, process)


def _answer(pipe: Connection, cell: Cell, process: SpawnProcess) -> CellResult:
    """What a process had to say. Raises the error it ended with, and _Stopped."""
    try:
        kind, facts = pipe.recv()
    except EOFError:
        process.join()
        what = f"the process of this cell ended without a word, with {process.exitcode}"
        remedy = "The same command goes on; --jobs 1 needs less memory."
        raise ResourceError(what, where=cell.folder, remedy=remedy) from None
    finally:
        pipe.close()
    process.join()
    if kind == "stopped":
        raise _Stopped
    if kind == "finished":
        return CellResult.model_validate(facts)
    raise getattr(errors, kind)(facts["what"], where=facts["where"], remedy=facts["remedy"])


def _ask_to_stop(running: Running, asked: set[Connection]) -> None:
    """Once each: a second signal would make them leave without saving. asked: who was, which this adds to."""
    for pipe, (_, process) in running.items():
        if pipe not in asked and process.is_alive():
            asked.add(pipe)
            process.terminate()


def _work(pipe: Connection, name: str, record: str, measure: Measure) -> None:
    """What a process does: one cell, and one answer."""
    for number in (getattr(signal, word) for word in ("SIGINT", "SIGHUP") if hasattr(signal, word)):
        signal.signal(number, signal.SIG_IGN)  # a terminal sends these to all of us; who started us decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config = from_toml(record)
    data, model, output = config.data, config.model, config.output
    try:
        runtime = choose_runtime(output.device, output.threads)
        images = open_images(data, model.resolution, channels=model.channels, threads=runtime.threads)
        pipe.send(("finished", run_cell(Cell(name, config), measure, images, runtime).model_dump()))
    except Interrupted:
        pipe.send(("stopped", {}))
    except SaganError as error:
        facts = {"what": error.what, "where": error.where, "remedy": error.remedy}
        pipe.send((type(error).__name__, facts))
    pipe.close()


def _end_with_parent() -> None:
    """Stop like after a signal when the process that started this one is gone: nobody else would ask."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
