"""Finding shards and what is in them, and saying plainly what cannot be read."""

from __future__ import annotations

import io
import tarfile

import pytest
from shard_files import write_arrow, write_parquet, write_tar

from sagan.data.config import DataConfig, stream_name
from sagan.data.sources import open_source
from sagan.data.stream.files import expand, find_files
from sagan.data.stream.listing import list_stream
from sagan.data.stream.opening import open_pictures, open_stream
from sagan.errors import ConfigError, DataError


def names(data):
    return [shard.name for shard in find_files(f"stream:{data}").shards]


@pytest.mark.parametrize(
    ("place", "expected"),
    [("", 4), ("/*.parquet", 4), ("/train-00[01].parquet", 2), ("/train-{000..002}.parquet", 3), ("/train-003.parquet", 1)],
)  # fmt: skip
def test_a_folder_a_pattern_a_range_or_a_file(shards, place, expected):
    found = names(f"{shards['parquet']}{place}")
    assert len(found) == expected and all(name.startswith("train-00") for name in found)


def test_names_do_not_say_how_the_place_was_written(shards, tmp_path):
    one, other = list_stream(f"stream:{shards['tar']}"), list_stream(f"stream:{shards['tar']}/*.tar")
    assert one.fingerprint == other.fingerprint
    (tmp_path / "copy").symlink_to(shards["tar"])
    assert list_stream(f"stream:{tmp_path / 'copy'}/").fingerprint == one.fingerprint
    assert list_stream(f"stream:{shards['tar']}/{{000..002}}.tar").fingerprint != one.fingerprint


def test_ranges_of_shards():
    assert expand("a-{08..11}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert expand("{0..1}/{5..6}.tar") == ["0/5.tar", "0/6.tar", "1/5.tar", "1/6.tar"]
    with pytest.raises(DataError, match=r"\{9..1\} is not a range"):
        expand("a-{9..1}.tar")


@pytest.mark.parametrize(
    ("place", "name"),
    [("s3://bucket/photos/train-*.parquet", "photos"), ("/data/photos/", "photos"), ("photos.tar", "photos"),
     ("https://host/set-{000..127}.tar", "host"), ("*.tar", "pictures"), ("a/birds/{0..9}.tar", "birds")],
)  # fmt: skip
def test_the_name_of_a_stream(place, name):
    assert stream_name(place) == name


def test_pieces_are_row_groups_batches_and_stretches(shards):
    for kind, rows in (("parquet", [10] * 24), ("arrow", [10] * 24), ("tar", [60] * 4)):
        listing = list_stream(f"stream:{shards[kind]}")
        assert listing.rows.tolist() == rows and listing.pictures == 240 and listing.size > 240 * 100
        assert listing.name(0).endswith("#0") and listing.name(239).endswith("#59")


def test_a_test_split_beside_is_not_used(tmp_path, pictures):
    write_parquet(tmp_path / "train-0.parquet", pictures[0][:20], pictures[1][:20])
    write_parquet(tmp_path / "test-0.parquet", pictures[0][20:30], pictures[1][20:30])
    images = open_stream(DataConfig(data=f"stream:{tmp_path}"), 8)
    assert images.total == 20 and any("test-0.parquet" in note for note in images.notes)


def test_class_names_of_the_file_and_words_as_classes(tmp_path, pictures):
    write_tar(tmp_path / "a.tar", pictures[0][:6], ["cat", "dog", 7, 10, "dog", -1])
    listing = list_stream(f"stream:{tmp_path}")
    assert listing.classes == ("7", "10", "cat", "dog")
    assert [listing.label(one) for one in (7, 10, "cat", "dog", None, "cow")] == [0, 1, 2, 3, None, None]
    images = open_stream(DataConfig(data=f"stream:{tmp_path}", max_bad=0.2), 8)
    assert [(one.where, one.reason_code) for one in images.skipped] == [("a.tar#5", "no-class")]
    assert open_stream(DataConfig(data=f"stream:{tmp_path}", cond="off"), 8).classes == ()


def test_what_a_sample_of_webdataset_may_look_like(tmp_path, pictures):
    """Several pictures of one name, metadata in any order, links and what macOS leaves behind."""
    with tarfile.open(tmp_path / "x.tar", "w") as archive:

        def add(name, payload=b"", kind=tarfile.REGTYPE):
            entry = tarfile.TarInfo(name)
            entry.size, entry.type, entry.linkname = len(payload), kind, "elsewhere"
            archive.addfile(entry, io.BytesIO(payload))

        add("./cats/1.cls", b"0\n")
        add("./cats/._1.jpg", b"junk")
        add("./cats/1.jpg", pictures[0][0])
        add("./cats/1.seg.png", b"not looked at")
        add("./notes.txt", b"no picture here")
        add("./cats/2.png", b"", tarfile.SYMTYPE)
        add("./cats/2.cls", b"1")
        add("./cats/3.png", pictures[0][1])
        add("./cats/3.cls", b"1")
    listing = list_stream(f"stream:{tmp_path / 'x.tar'}")
    assert listing.pictures == 3 and listing.classes == ("0", "1")
    images = open_stream(DataConfig(data=f"stream:{tmp_path / 'x.tar'}", max_bad=0.5), 8)
    assert images.labels.tolist() == [0, 1] and [one.reason_code for one in images.skipped] == ["not-a-file"]


def damaged(tmp_path, pictures):
    """Shards that are not what they must be -> what is said of them."""
    write_parquet(tmp_path / "whole.parquet", pictures[0][:9], pictures[1][:9])
    write_arrow(tmp_path / "whole.arrow", pictures[0][:9], pictures[1][:9], footer=True)
    write_tar(tmp_path / "whole.tar", pictures[0][:9], pictures[1][:9])
    for kind in ("parquet", "arrow", "tar"):
        whole = (tmp_path / f"whole.{kind}").read_bytes()
        (tmp_path / f"cut.{kind}").write_bytes(whole[: len(whole) // 2])
        (tmp_path / f"none.{kind}").write_bytes(b"")
        (tmp_path / f"text.{kind}").write_bytes(b"no shard at all " * 100)


@pytest.mark.parametrize("kind", ["parquet", "arrow", "tar"])
@pytest.mark.parametrize("fault", ["cut", "none", "text"])
def test_a_damaged_shard_is_named_before_anything_begins(tmp_path, pictures, kind, fault):
    damaged(tmp_path, pictures)
    with pytest.raises(DataError, match=rf"{fault}.{kind}: .*Copy or download it again") as caught:
        list_stream(f"stream:{tmp_path / f'{fault}.{kind}'}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", range(8, 400, 23))
def test_an_arrow_file_cut_or_changed_anywhere_is_no_crash(tmp_path, pictures, cut):
    """Its envelopes are followed by code of ours."""
    write_arrow(tmp_path / "x.arrow", pictures[0][:20], pictures[1][:20], footer=False)
    data = bytearray((tmp_path / "x.arrow").read_bytes())
    data[cut] ^= 0xFF
    (tmp_path / "x.arrow").write_bytes(data)
    try:
        found = open_stream(DataConfig(data=f"stream:{tmp_path}", max_bad=1.0), 8).total
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert found <= 20


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("", "names no shards"),
        ("nowhere.parquet", "does not exist"),
        ("nowhere-*.tar", "holds no shard"),
        ("nothing://bucket/x.tar", "nothing"),
        ("memory://nowhere/x.tar", "cannot be reached"),
    ],
)
def test_places_that_hold_nothing(place, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=says):
        find_files(f"stream:{place}")


def test_a_packed_tar_says_what_to_do(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"x")
    with pytest.raises(DataError, match="a.tar.gz is a packed tar.*gunzip"):
        find_files(f"stream:{tmp_path}")


def test_a_stream_is_for_training_alone(shards):
    with pytest.raises(DataError, match="is a stream, and only training reads streams"):
        open_source(type(shards["tar"])(f"stream:{shards['tar']}"))
    with pytest.raises(ConfigError, match="nobody has counted the classes of a stream"):
        open_pictures(DataConfig(data=f"stream:{shards['tar']}", balance=True), 8)
