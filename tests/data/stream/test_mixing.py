"""The order of a stream: every picture once an epoch, the same for any number of processes, a function of the position."""

from __future__ import annotations

import numpy as np
import pytest

from sagan.data.stream.mixing import MOST_LANES, Mixing

ROWS = np.array([7, 30, 1, 12, 25, 25, 3, 60, 11, 26])  # 200 pictures in uneven pieces
STARTS = np.concatenate([[0], np.cumsum(ROWS)])


def shown(mixing: Mixing, lane: int, epoch: int) -> np.ndarray:
    """The pictures of a lane in an epoch, as they are handed out."""
    parts = [STARTS[s.piece] + np.arange(s.skip, s.skip + s.rows) for s in mixing.stretches(lane, epoch, 0)]
    whole = np.concatenate(parts)
    assert len(whole) == mixing.length
    out = []
    for window in range(mixing.windows):
        part = whole[mixing.begin(window) : mixing.begin(window + 1)]
        out.append(part[mixing.shuffled(lane, epoch, window)])
    return np.concatenate(out)


@pytest.mark.parametrize(("batch", "parts", "lanes"), [(16, 1, 16), (64, 2, 16), (12, 1, 4), (7, 1, 1), (24, 3, 8)])
def test_every_epoch_shows_every_picture_once_in_an_order_of_its_own(batch, parts, lanes):
    mixing = Mixing(ROWS, 3, batch, parts, window=50)
    assert mixing.lanes == lanes
    epochs = [np.concatenate([shown(mixing, lane, epoch) for lane in range(lanes)]) for epoch in range(2)]
    for epoch in epochs:
        assert len(set(epoch.tolist())) == len(epoch) == 200 // lanes * lanes, "none twice, at most lanes - 1 left out"
    assert (epochs[0] != epochs[1]).mean() > 0.9
    other = Mixing(ROWS, 4, batch, parts, window=50)
    assert (shown(other, 0, 0) != shown(mixing, 0, 0)).mean() > 0.5


def test_the_windows_share_a_lane_evenly_and_know_their_places():
    mixing = Mixing(ROWS, 0, 8, 1, window=40)
    sizes = [mixing.size(window) for window in range(mixing.windows)]
    assert sum(sizes) == mixing.length == 25 and mixing.windows == 5 and set(sizes) == {5}
    for turn in range(3 * mixing.length):
        epoch, window, place = mixing.window(turn)
        assert epoch == turn // 25 and mixing.begin(window) + place == turn % 25 and 0 <= place < mixing.size(window)
    assert max(sizes) == mixing.largest


def test_uneven_windows_know_their_places_too():
    mixing = Mixing(np.array([101]), 0, 1, 1, window=10)
    found = [mixing.window(turn) for turn in range(101)]
    places = [mixing.begin(window) + place for _, window, place in found]
    assert places == list(range(101)) and all(place < mixing.size(window) for _, window, place in found)


@pytest.mark.parametrize("parts", [1, 2])
def test_lanes_belong_to_places_of_the_whole_batch(parts):
    """So that a process which has a contiguous share of each part reads some of the lanes, and no others."""
    mixing = Mixing(ROWS, 0, 64, parts, window=50)
    lanes, within = mixing.places(np.arange(64))
    assert np.bincount(lanes).tolist() == [64 // MOST_LANES] * MOST_LANES
    for lane in range(MOST_LANES):
        assert sorted(within[lanes == lane].tolist()) == list(range(mixing.each))
    for size in (2, 4, 8, 16):
        shares = np.arange(64).reshape(parts, size, -1).swapaxes(0, 1).reshape(size, -1)
        of = [set(mixing.places(share)[0].tolist()) for share in shares]
        assert sum(map(len, of)) == MOST_LANES, "no lane is read by two"


def test_a_stream_of_few_pictures_has_few_lanes():
    assert Mixing(np.array([3]), 0, 64, 1, window=8192).lanes == 2
    assert Mixing(np.array([1]), 0, 64, 1, window=8192).lanes == 1


def test_a_larger_window_mixes_further():
    def spread(window: int) -> float:
        mixing = Mixing(np.full(40, 100), 0, 1, 1, window)
        order = shown_of(mixing)
        return float(np.abs(np.argsort(order) - np.arange(len(order))).mean())

    def shown_of(mixing: Mixing) -> np.ndarray:
        return np.concatenate(
            [mixing.begin(w) + mixing.shuffled(0, 0, w) for w in range(mixing.windows)]
        )  # within the row of the pieces

    assert spread(40) < 40 < spread(1000) < 1000
