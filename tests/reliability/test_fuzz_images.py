"""The proof about damaged files notices an exception, an unknown reason, a warning, and what takes too long or too much."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
from bad_pictures.mutate import small_files
from proofs import fuzz_images as proof

from sagan.data.decode import Decoded, decode
from sagan.data.faults import Fault


def burst(data, **options):
    raise struct_error


struct_error = ValueError("unpack requires a buffer of 4 bytes")


def shrug(data, **options):
    return Fault("hm", "is somehow wrong")


def two_lines(data, **options):
    return Fault("broken", "is\nwrong")


def complain(data, **options):
    warnings.warn("corrupt", stacklevel=1)
    return decode(data, **options)


def other_mode(data, **options):
    found = decode(small_files()[0])
    return replace(found, picture=found.picture.convert("CMYK"))


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (burst, "ValueError got out"),
        (shrug, "unknown fault"),
        (two_lines, "unknown fault"),
        (complain, "warns corrupt"),
        (other_mode, "decoded to CMYK"),
    ],
)
def test_the_proof_finds_harm(harm, found, monkeypatch, tmp_path):
    monkeypatch.setattr(proof, "decode", harm)
    failures = proof.prove(3, 0, tmp_path).failures
    assert failures and all(found in failure for failure in failures)


@pytest.mark.parametrize(("limit", "found"), [("MOST_SECONDS", "took"), ("MOST_MEMORY", "MiB")])
def test_the_proof_has_limits(limit, found, monkeypatch, tmp_path):
    monkeypatch.setattr(proof, limit, -1)
    assert any(found in failure for failure in proof.prove(3, 0, tmp_path).failures)


def test_the_unharmed_files_can_all_be_decoded():
    assert all(isinstance(decode(data), Decoded) for data in small_files())
