from __future__ import annotations

import numpy as np
import pytest

from sagan.disk import Disk
from sagan.errors import ConfigError
from sagan.metrics.cache import MAX_FILE_BYTES, MAX_FOLDER_BYTES, SUFFIX, FeatureCache
from sagan.metrics.protocol import FREE, Number, Protocol, difference, differences

BASE = dict(
    backbone="sagan-32", weights="ab", resize="to 32", data="f1", resolution=32, real=50000, drawn=10000, ema=True
)
FACTS = {"schema": 1, "data": "f1", "split": "all"}


def number(value=1.0, metric="frechet", settings="", **changes):
    return Number(metric=metric, value=value, settings=settings, protocol=Protocol(**{**BASE, **changes}))


def test_numbers_of_one_protocol_are_compared_whatever_their_seed():
    assert difference(number(3.0), number(1.0, seed=7, library="0.9")) == 2.0


OTHER = dict(
    backbone="inception", weights="cd", resize="to 299", data="f2", resolution=64, channels=1, fit="pad", background="#000",
    split="half", real=5, drawn=6, labels="none", truncation=0.7, statistics="standing:16x64", ema=False,
    precision="bf16",
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(Protocol.model_fields) - FREE))
def test_every_other_part_of_the_protocol_bars_a_comparison(name):
    a, b = number(), number(**{name: OTHER[name]})
    assert differences(a.protocol, b.protocol) == [f"{name}: {getattr(a.protocol, name)} and {OTHER[name]}"]
    with pytest.raises(ConfigError, match=f"may not be compared: {name}: .*Measure both under one protocol"):
        difference(a, b)


def test_all_differences_are_told_at_once():
    with pytest.raises(ConfigError) as told:
        difference(number(metric="kid", settings="100 subsets of 1000"), number(metric="is", drawn=5, ema=None))
    line = str(told.value)
    for part in (
        "metric: kid and is",
        "settings: 100 subsets of 1000 and ",
        "drawn: 10000 and 5",
        "ema: True and None",
    ):
        assert part in line


def test_the_features_of_the_usual_fid_fit_into_the_cache():
    """50,000 pictures, 2,048 numbers of four bytes each."""
    assert 50_000 * 2048 * 4 + (1 << 16) < MAX_FILE_BYTES < MAX_FOLDER_BYTES


def test_the_cache_gives_back_what_was_kept_under_the_same_facts_only(tmp_path):
    cache, features = (
        FeatureCache(tmp_path / "deep" / "cache"),
        np.random.default_rng(0).random((5, 3), dtype=np.float32),
    )
    assert cache.read(FACTS) is None
    assert cache.write(FACTS, features)
    np.testing.assert_array_equal(cache.read(FACTS), features)
    assert cache.read({**FACTS, "split": "half"}) is None
    assert FeatureCache(None).write(FACTS, features) is False and FeatureCache(None).read(FACTS) is None


def test_every_flipped_byte_of_the_cache_is_noticed(tmp_path):
    cache, features = FeatureCache(tmp_path), np.ones((4, 2), dtype=np.float32)
    cache.write(FACTS, features)
    (path,) = tmp_path.glob(f"*{SUFFIX}")
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert cache.read(FACTS) is None, place
    path.write_bytes(whole)
    assert cache.read(FACTS) is not None


def test_a_file_of_other_facts_under_this_name_is_not_believed(tmp_path):
    cache = FeatureCache(tmp_path)
    cache.write(FACTS, np.ones((4, 2), dtype=np.float32))
    (path,) = tmp_path.glob(f"*{SUFFIX}")
    other = {**FACTS, "data": "f2"}
    cache._path(tmp_path, other).write_bytes(path.read_bytes())
    assert cache.read(other) is None


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path):
    class Full(Disk):
        def write(self, path, payload):
            raise OSError(28, "No space left on device")

    assert FeatureCache(tmp_path, Full()).write(FACTS, np.ones((4, 2), dtype=np.float32)) is False
    assert list(tmp_path.glob("*")) == []
    (tmp_path / "file").write_text("x")
    assert FeatureCache(tmp_path / "file" / "below").write(FACTS, np.ones((4, 2), dtype=np.float32)) is False


def test_the_cache_stays_under_its_limit_and_drops_the_oldest(tmp_path, monkeypatch):
    import os

    monkeypatch.setattr("sagan.metrics.cache.MAX_FOLDER_BYTES", 3000)
    cache = FeatureCache(tmp_path)
    for index in range(6):
        facts = {**FACTS, "data": str(index)}
        cache.write(facts, np.ones((100, 2), dtype=np.float32))
        os.utime(cache._path(tmp_path, facts), (index, index))
    kept = [index for index in range(6) if cache.read({**FACTS, "data": str(index)}) is not None]
    assert kept == [4, 5]  # a file is some 1,100 bytes
    monkeypatch.setattr("sagan.metrics.cache.MAX_FILE_BYTES", 1000)
    assert cache.write(FACTS, np.ones((1000, 2), dtype=np.float32)) is False
