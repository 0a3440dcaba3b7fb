from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from sagan.explorer.worker import MOST_WAITING, Drawing, QueueFull, TooLate, Worker


@pytest.fixture
def worker():
    made = Worker()
    yield made
    made.close()


@pytest.fixture
def busy(worker):
    """The worker is held up until this is set."""
    gate, begun = threading.Event(), threading.Event()

    def hold():
        begun.set()
        gate.wait(20)

    worker.call(hold)
    assert begun.wait(5)
    yield gate
    gate.set()


def drawing(batches, *numbers, kind=("a", True)):
    """Pictures of 1x1 pixel that hold their seed and their label; `batches` hears of each batch."""

    def paint(seeds, labels):
        batches.append((kind[0], seeds.tolist()))
        pixels = np.stack((seeds, labels), axis=1).astype(np.uint8)
        return pixels.reshape(-1, 1, 1, 2), labels

    return Drawing(kind, paint, np.array(numbers), np.array(numbers) + 100)


def pictures(future):
    found, labels = future.result(10)
    assert labels.tolist() == found[:, 0, 0, 1].tolist()
    return found.reshape(-1, 2).tolist()


def test_those_who_ask_together_share_batches_and_get_their_own(worker, busy):
    batches = []
    many = worker.draw(drawing(batches, *range(20)))
    few = worker.draw(drawing(batches, 50, 51))
    other = worker.draw(drawing(batches, 60, kind=("b", True)))
    last = worker.draw(drawing(batches, 70, 71, 72))
    busy.set()
    assert pictures(many) == [[n, n + 100] for n in range(20)]
    assert pictures(few) == [[50, 150], [51, 151]]
    assert pictures(other) == [[60, 160]]
    assert pictures(last) == [[70, 170], [71, 171], [72, 172]]
    assert batches == [("a", list(range(16))), ("a", [16, 17, 18, 19, 50, 51, 70, 71, 72]), ("b", [60])]


def test_other_work_keeps_its_turn(worker, busy):
    order = []
    first = worker.call(lambda: order.append("call"))
    second = worker.draw(drawing(order, 1))
    busy.set()
    first.result(10), second.result(10)
    assert order == ["call", ("a", [1])]


def test_the_queue_has_an_end(worker, busy):
    for _ in range(MOST_WAITING - 1):  # one is being done
        worker.call(lambda: None)
    with pytest.raises(QueueFull) as told:
        worker.call(lambda: None)
    assert told.value.after >= 1
    busy.set()
    assert worker_empties(worker)
    assert worker.call(lambda: 7).result(10) == 7


def worker_empties(worker):
    until = time.monotonic() + 10
    while worker.waiting and time.monotonic() < until:
        time.sleep(0.01)
    return worker.waiting == 0


def test_what_waited_too_long_is_not_begun(worker, busy):
    done = []
    late = worker.call(lambda: done.append(1), seconds=0.01)
    in_time = worker.call(lambda: 3)
    time.sleep(0.05)
    busy.set()
    with pytest.raises(TooLate):
        late.result(10)
    assert in_time.result(10) == 3 and done == []


def test_what_was_called_off_is_not_begun(worker, busy):
    batches = []
    gone, stays = worker.draw(drawing(batches, 1)), worker.draw(drawing(batches, 2))
    assert gone.cancel()
    busy.set()
    assert pictures(stays) == [[2, 102]]
    assert batches == [("a", [2])]


def test_an_error_reaches_all_of_its_batch_and_none_after(worker, busy):
    def fail(seeds, labels):
        raise ValueError("broken")

    broken = Drawing(("a", True), fail, np.zeros(1, np.int64), np.zeros(1, np.int64))
    first, second = worker.draw(broken), worker.draw(broken)
    busy.set()
    for future in (first, second):
        with pytest.raises(ValueError, match="broken"):
            future.result(10)
    assert pictures(worker.draw(drawing([], 5))) == [[5, 105]]


def test_who_asks_after_the_end_is_told_at_once():
    worker = Worker()
    worker.close()
    with pytest.raises(TooLate):
        worker.call(lambda: None)


def test_batches_are_told(busy, worker):
    told = []
    worker.noted = lambda count, seconds: told.append(count)
    future = worker.draw(drawing([], *range(18)))
    busy.set()
    future.result(10)
    assert worker_empties(worker) and told == [16, 2]
