"""The shorter way of plain JPEG files ends where the usual way ends, pixel for pixel and fault for fault."""

from __future__ import annotations

import io
from random import Random

import numpy as np
import pytest
from bad_pictures import KINDS
from bad_pictures.mutate import mutated, small_files
from PIL import Image

from sagan.data import decode as module
from sagan.data.decode import Decoded, decode, strict_pillow
from sagan.data.plain_jpeg import MAX_BYTES, plain_header

HEIGHT, WIDTH = 40, 48
FRAME, SCAN, TABLE, JFIF = b"\xff\xc0", b"\xff\xda", b"\xff\xdb", b"\xff\xe0"


def photo(bands: int = 3, height: int = HEIGHT, width: int = WIDTH) -> Image.Image:
    coarse = np.random.default_rng(4).integers(0, 256, (height // 4, width // 4, bands))
    pixels = np.kron(coarse, np.ones((4, 4, 1))).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if bands == 1 else pixels)


def encoded(picture: Image.Image, **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", **options)
    return stream.getvalue()


def usual(data: bytes, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "plain_header", lambda data: None)
        return decode(data, **options)


def facts(found):
    """All that `decode` says, in a form that can be compared."""
    if not isinstance(found, Decoded):
        return found
    picture = found.picture
    return picture.mode, picture.size, picture.tobytes(), found.size, found.mode, found.transparent


PLAIN = [
    {},
    {"quality": 5},
    {"quality": 100, "subsampling": 0},
    {"subsampling": 1},
    {"optimize": True},
    {"restart_marker_blocks": 1},
    {"comment": b"drawn by hand"},
    {"keep_rgb": True, "dpi": (72, 90)},
]


@pytest.mark.parametrize("options", PLAIN, ids=lambda options: "-".join(options) or "none")
@pytest.mark.parametrize("bands", [1, 3])
def test_a_plain_file_gives_the_same_pixels(options, bands):
    data = encoded(photo(bands), **options)
    if "keep_rgb" in options and bands == 3:
        assert plain_header(data) is None  # it has an Adobe segment
    else:
        assert plain_header(data) == ({1: "L", 3: "RGB"}[bands], (WIDTH, HEIGHT))
    for channels in (1, 3, 4):
        assert facts(decode(data, channels=channels)) == facts(usual(data, channels=channels))


@pytest.mark.parametrize("at_least", [1, 2, 3, 5, 6, 40])
def test_it_is_decoded_at_the_same_reduced_size(at_least):
    data = encoded(photo())
    assert facts(decode(data, at_least=at_least)) == facts(usual(data, at_least=at_least))
    assert decode(data, at_least=5).picture.size == (24, 20) and decode(data, at_least=1).picture.size == (6, 5)


def test_pillow_need_not_follow_its_header(monkeypatch):
    data = encoded(photo())
    monkeypatch.setattr(module.Image, "open", None)
    assert decode(data).picture.size == (WIDTH, HEIGHT)
    assert decode(data, at_least=5).picture.size == (WIDTH // 2, HEIGHT // 2)


def test_headers_that_begin_alike_are_told_apart():
    sizes = [(32, 32), (32, 36), (36, 32), (32, 32)]
    assert [decode(encoded(photo(3, *size))).picture.size for size in sizes] == [size[::-1] for size in sizes]
    assert plain_header(encoded(photo(1))) != plain_header(encoded(photo(3)))


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = 6
    return tags


@pytest.mark.parametrize(
    "data",
    [
        encoded(photo(), exif=exif()),
        encoded(photo(), icc_profile=b"some colours"),
        encoded(photo(), progressive=True),
        encoded(photo().convert("CMYK")),
        encoded(photo(3, 1000, 1004)),  # more pixels
        encoded(photo(), comment=b"a" * 60_000) + bytes(MAX_BYTES),  # more bytes
        b"\xff\xd8",
        b"",
    ],
    ids=["exif", "profile", "progressive", "cmyk", "pixels", "bytes", "start", "empty"],
)
def test_other_files_are_not_plain(data):
    assert plain_header(data) is None


def changed(data: bytes, marker: bytes, offset: int, *values: int) -> bytes:
    """With other bytes at an offset from the first such marker."""
    start = data.index(marker) + offset
    return data[:start] + bytes(values) + data[start + len(values) :]


def body_of(data: bytes, marker: bytes) -> bytes:
    """What the first such segment holds."""
    start = data.index(marker)
    return data[start + 4 : start + 2 + int.from_bytes(data[start + 2 : start + 4])]


def replaced(data: bytes, marker: bytes, *bodies: bytes) -> bytes:
    """With other segments of the same kind in the place of the first one."""
    start, end = data.index(marker), data.index(marker) + 4 + len(body_of(data, marker))
    segments = b"".join(marker + (2 + len(body)).to_bytes(2) + body for body in bodies)
    return data[:start] + segments + data[end:]


RGB = encoded(photo())
FRAME_BODY, SCAN_BODY, TABLE_BODY = (body_of(RGB, marker) for marker in (FRAME, SCAN, TABLE))
TWO_LAYERS = replaced(RGB, FRAME, FRAME_BODY[:5] + b"\2" + FRAME_BODY[6:12])


@pytest.mark.parametrize(
    "data",
    [
        changed(RGB, FRAME, 4, 12),  # bits a sample
        changed(RGB, FRAME, 5, 0, 0),  # no rows
        changed(RGB, FRAME, 5, 3, 232, 3, 236),  # too many pixels
        replaced(RGB, FRAME, FRAME_BODY[:-1]),
        replaced(RGB, FRAME, FRAME_BODY, FRAME_BODY),
        replaced(RGB, FRAME),
        replaced(RGB, FRAME, b"", FRAME_BODY),
        replaced(TWO_LAYERS, SCAN, b"\2" + SCAN_BODY[1:5] + SCAN_BODY[7:]),
        changed(changed(RGB, FRAME, 13, 1), SCAN, 7, 1),  # two layers of one name
        changed(RGB, SCAN, 4, 1),  # a scan of one layer
        changed(RGB, SCAN, 5, 9),  # of a layer that there is not
        replaced(RGB, SCAN, SCAN_BODY[:-1]),
        changed(RGB, TABLE, 4, 0x10),  # a table of 16-bit numbers
        replaced(RGB, TABLE, TABLE_BODY + b"\0"),
        replaced(RGB, TABLE, b"", TABLE_BODY),
        replaced(RGB, JFIF, b"JFIF\0"),
        changed(RGB, JFIF, 2, 0, 1),  # shorter than its own length
        changed(RGB, b"\xff\xc4", 1, 0xC9),  # a frame in arithmetic code
        RGB[:20] + b"\0" + RGB[20:],  # a stray byte
        RGB[:20] + b"\xff" + RGB[20:],  # a byte of filling
        RGB[: RGB.index(SCAN)],
        RGB[: RGB.index(SCAN) + 6],
    ],
)
def test_an_odd_header_is_not_plain(data):
    assert plain_header(data) is None
    with strict_pillow():
        assert facts(decode(data)) == facts(usual(data))


def test_a_strip_is_refused_as_it_was():
    strip = changed(RGB, FRAME, 5, 0, 1)
    assert plain_header(strip) == ("RGB", (WIDTH, 1))
    assert decode(strip) == usual(strip) and decode(strip).code == "too-thin"


@pytest.mark.parametrize("bands", [1, 3])
def test_wherever_it_is_cut_it_ends_the_same(bands):
    data = encoded(photo(bands, 16, 16))
    with strict_pillow():
        for end in range(len(data)):
            assert facts(decode(data[:end])) == facts(usual(data[:end]))
        assert decode(data[:-20]).code == "truncated" and plain_header(data[:-20]) is not None


def test_the_whole_corpus_of_bad_and_odd_files_ends_the_same():
    with strict_pillow():
        for trial, kind in enumerate(3 * KINDS):
            for case in kind(np.random.default_rng((5, trial)), trial // len(KINDS)):
                if isinstance(case.content, bytes):
                    assert facts(decode(case.content, at_least=32)) == facts(usual(case.content, at_least=32)), kind


def test_damaged_files_end_the_same():
    files = [encoded(photo(bands, 24, 20), **options) for bands in (1, 3) for options in PLAIN]
    files += [file for file in small_files() if file.startswith(b"\xff\xd8")]
    plain, used = 0, 0
    with strict_pillow():
        for number in range(3000):
            random = Random(9 << 32 | number)
            data = mutated(random, files)
            options = {"channels": random.choice((1, 3, 4)), "at_least": random.choice((None, 1, 2, 16))}
            found = decode(data, **options)
            plain += plain_header(data) is not None
            used += isinstance(found, Decoded)
            assert facts(found) == facts(usual(data, **options)), number
    assert plain > 700 and used > 1000  # else this would show little
