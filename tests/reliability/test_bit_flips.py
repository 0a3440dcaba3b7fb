"""The proof of damage notices a loader that does not look."""

from __future__ import annotations

from proofs import bit_flips

from sagan.checkpoint import folder
from sagan.checkpoint.strict_json import parse_strict_json


def test_a_loader_that_skips_the_hashes_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "_compare", lambda *given: None)
    outcome = bit_flips.prove(60, 0, tmp_path)
    assert any("bit flips of " in line and "read as if it were whole" in line for line in outcome.failures)
    assert any("zeroed tails of " in line for line in outcome.failures)


def test_a_manifest_that_is_believed_without_its_own_hash_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "parse_manifest", parse_strict_json)
    outcome = bit_flips.prove(200, 0, tmp_path)
    assert outcome.failures and all("manifest.json" in line for line in outcome.failures)


def test_a_run_that_does_not_fall_back_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(bit_flips, "newest", lambda run: (None, []))
    outcome = bit_flips.prove(10, 0, tmp_path)
    assert len(outcome.failures) == 10 and "fell back to None" in outcome.failures[0]


def test_a_full_count_visits_every_byte_of_the_manifest(tmp_path):
    files = {"manifest.json": b"{}\n", "a.safetensors": bytes(20)}
    flips = bit_flips.flipped_bits(files, bit_flips.FULL, bit_flips.random.Random(0))
    first = [next(flips) for _ in range(3 + 64)]
    assert [next(iter(damage.files)) for damage in first] == ["manifest.json"] * 3 + ["a.safetensors"] * 64
    assert len({damage.files["a.safetensors"] for damage in first[3:]}) == 64
    assert all(damage.files["a.safetensors"][8:] == bytes(12) for damage in first[3:])
