from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

from sagan.errors import ConfigError
from sagan.visualise.film import MAX_PIXELS, SUFFIXES, encode_film, require_film

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def flat_frames(height=20, width=31):
    return [np.full((height, width, 3), colour, dtype=np.uint8) for colour in COLOURS]


def read(payload):
    with Image.open(io.BytesIO(payload)) as film:
        return [
            (np.asarray(frame.convert("RGB")), frame.info.get("duration")) for frame in ImageSequence.Iterator(film)
        ]


@pytest.mark.parametrize(("suffix", "tolerance"), [(".gif", 0), (".GIF", 0), (".webp", 6), (".apng", 0)])
def test_a_film_shows_its_frames_in_order_at_its_pace(suffix, tolerance):
    frames = read(encode_film(flat_frames(), suffix, fps=10))
    assert len(frames) == 3 and [duration for _, duration in frames] == [100, 100, 100]
    for (pixels, _), expected in zip(frames, flat_frames(), strict=True):
        assert pixels.shape == (20, 31, 3)
        assert np.abs(pixels.astype(int) - expected).max() <= tolerance


def test_a_gif_keeps_the_colour_of_a_small_dot_and_stores_once_what_stands_still():
    rng = np.random.default_rng(0)
    still = np.repeat(rng.integers(0, 120, (120, 160, 1)), 3, axis=2).astype(np.uint8)
    frames = []
    for place in range(10, 150, 10):
        frames.append(still.copy())
        frames[-1][60:66, place : place + 6] = (255, 32, 32)
    payload = encode_film(frames, ".gif", fps=10)
    for pixels, expected in zip([pixels for pixels, _ in read(payload)], frames, strict=True):
        dot = (expected == (255, 32, 32)).all(axis=2)
        assert np.abs(pixels[dot].astype(int) - (255, 32, 32)).max() <= 8
        assert np.abs(pixels[~dot].astype(int) - expected[~dot]).max() <= 16
    assert len(payload) < 2 * len(encode_film(frames[:1], ".gif", fps=10))


def test_a_film_repeats_for_ever():
    for suffix in (".gif", ".webp"):
        with Image.open(io.BytesIO(encode_film(flat_frames(), suffix, fps=10))) as film:
            assert film.info["loop"] == 0


def test_mp4_keeps_the_frames_and_evens_the_sides():
    av = pytest.importorskip("av", reason="the extra 'video' is not installed")
    payload = encode_film(flat_frames(21, 31), ".mp4", fps=12.5)
    with av.open(io.BytesIO(payload)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert (stream.width, stream.height, float(stream.average_rate)) == (32, 22, 12.5)
    assert len(frames) == 3
    for pixels, expected in zip(frames, COLOURS, strict=True):
        assert np.abs(pixels.astype(int) - expected).mean() < 8, "the colour that was meant, give or take the codec"


def test_a_film_that_cannot_be_written_is_refused_before_it_is_drawn(monkeypatch):
    for suffix in SUFFIXES[:3]:
        require_film(suffix, 10, 64, 64)
    with pytest.raises(ConfigError, match=r"^a film cannot be written as \.avi\. Name it with one of \.gif, "):
        require_film(".avi", 10, 64, 64)
    with pytest.raises(ConfigError, match="is too large"):
        require_film(".gif", MAX_PIXELS // (64 * 64) + 1, 64, 64)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match="^writing MP4 needs the extra 'video'"):
        require_film(".mp4", 10, 64, 64)
