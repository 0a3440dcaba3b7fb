"""The proof about bad pictures notices what it should: each harm is done on purpose, and must be found."""

from __future__ import annotations

import itertools

import bad_pictures
import numpy as np
import pytest
from bad_pictures import KINDS, broken, odd, places, write_corpus
from PIL import Image
from proofs import bad_pictures as proof

from sagan.data import convert, decode, images, scan
from sagan.workflows import check_data

FEW_KINDS = (
    broken.zero_bytes, broken.cut, broken.thin_strip, odd.cmyk, odd.grey_16, odd.rgb_16_keyed, odd.grey_with_alpha,
    odd.turned_by_exif, odd.animation, places.duplicate,
)  # fmt: skip


def clip_deep_grey(patch):
    patch.setattr(convert, "deep_to_bytes", lambda values: values.clip(0, 255).astype(np.uint8))


def forget_the_background(patch):
    patch.setattr(convert, "_laid_on", lambda picture, channels, background: picture.convert("RGB"))


def forget_the_camera(patch):
    patch.setattr(decode, "_turn", lambda image: None)


def plain_cmyk(patch):
    patch.setattr(convert, "_cmyk_to_rgb", lambda image: Image.merge("RGB", image.split()[:3]))


def forget_the_key(patch):
    patch.setattr(decode, "_settle_key", lambda image: None)


def lose_a_line_of_the_report(patch):
    enforce = images.enforce

    def lose(config, skipped, good, where):
        del skipped[-1:]
        enforce(config, skipped, good, where=where)

    patch.setattr(images, "enforce", lose)


def shorten_the_written_report(patch):
    whole = check_data.report_lines
    patch.setattr(check_data, "report_lines", lambda *facts: whole(*facts).split(b"\n", 1)[1])


def give_another_reason(patch):
    patch.setattr(decode, "MAX_ASPECT", 10**9)


def let_an_exception_out(patch):
    def burst(data, **options):
        if data.startswith(b"GIF"):
            raise ValueError("unexpected")
        return decode.decode(data, **options)

    patch.setattr(scan, "decode", burst)


def be_moody(patch):
    calls, read = itertools.count(), decode.decode

    def read_or_not(data, **options):
        return decode.Fault("broken", "is not liked") if next(calls) == 3 else read(data, **options)

    patch.setattr(scan, "decode", read_or_not)


def be_slow(patch):
    patch.setattr(proof, "MOST_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (clip_deep_grey, "grey_16-00.png': its pixels are"),
        (forget_the_background, "grey_with_alpha-00.png': its pixels are"),
        (forget_the_camera, "turned_by_exif-01.png': its pixels are"),
        (plain_cmyk, "cmyk-00.jpg': its pixels are"),
        (forget_the_key, "rgb_16_keyed-00.png': used [], not refused"),
        (lose_a_line_of_the_report, "not refused"),
        (shorten_the_written_report, "the written report"),
        (give_another_reason, "thin_strip-00.png': refused with"),
        (let_an_exception_out, "crashed with ValueError: unexpected"),
        (be_moody, "gave another report"),
        (be_slow, "took"),
    ],
)
def test_the_proof_finds_harm(harm, found, monkeypatch, tmp_path):
    harm(monkeypatch)
    monkeypatch.setattr(bad_pictures, "KINDS", FEW_KINDS)
    failures = proof.prove(2 * len(FEW_KINDS), 0, tmp_path).failures
    assert any(found in failure for failure in failures), failures


def test_without_harm_it_finds_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(bad_pictures, "KINDS", FEW_KINDS)
    assert proof.prove(2 * len(FEW_KINDS), 0, tmp_path).failures == []


def test_a_seed_makes_the_same_files(tmp_path):
    def contents(folder):
        cases = write_corpus(folder, len(KINDS), 4)
        return {name: case.content for name, case in cases.items() if isinstance(case.content, bytes)}

    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert {function.__name__ for function in KINDS} >= {"zero_bytes", "ycck", "pipe"} and len(KINDS) >= 40
