"""Folders, zips, Parquet files and arrays give the same pictures, and say clearly what they cannot read."""

from __future__ import annotations

import io
import json
import os
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagan.data.config import DataConfig
from sagan.data.images import open_images
from sagan.data.sources import open_source
from sagan.errors import DataError, RefusedError, ResourceError

ROOT = Path(__file__).parents[2]


def png(seed: int, height: int = 8, width: int = 8) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture(seed, height, width)).save(stream, "PNG")
    return stream.getvalue()


def picture(seed: int, height: int = 8, width: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write(root: Path, names: list[str]) -> Path:
    for seed, name in enumerate(sorted(names)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(seed))
    return root


def opened(path: Path, **settings):
    return open_images(DataConfig(data=str(path), **settings), 8)


NAMES = ["a/1.png", "a/2.PNG", "b/3.png"]


def zipped(path: Path, entries: dict[str, bytes]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # a name given twice is what some tests want
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


# ---- folders


def test_folder_reads_what_was_written(tmp_path):
    images = opened(write(tmp_path / "photos", NAMES))
    assert images.name == "photos" and images.classes == ("a", "b") and images.labels.tolist() == [0, 0, 1]
    assert np.array_equal(images.pictures([2, 0]), np.stack([picture(2), picture(0)]))


def test_folder_ignores_junk_and_notes_what_is_no_picture(tmp_path):
    root = write(tmp_path, ["1.png", "2.png"])
    for name in (".DS_Store", "._1.png", "Thumbs.db", "__MACOSX/1.png", "notes.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"junk")
    images = opened(root)
    assert len(images) == 2 and not images.skipped
    assert any("1 files are no pictures by their name" in line and "1 .txt" in line for line in images.notes)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_links_loops_and_pipes(tmp_path):
    root = write(tmp_path / "set", ["1.png", "2.png"])
    (tmp_path / "elsewhere.png").write_bytes(png(9))
    (root / "link.png").symlink_to(tmp_path / "elsewhere.png")
    (root / "dangling.png").symlink_to(tmp_path / "nothing.png")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.png")
    images = opened(root, max_bad=1)
    assert images.names == ("1.png", "2.png", "link.png")
    assert {item.where: item.reason_code for item in images.skipped} == {
        "dangling.png": "unreadable",
        "pipe.png": "not-a-file",
    }


@pytest.mark.skipif(os.name == "nt", reason="names are text on Windows")
def test_names_that_are_no_text(tmp_path):
    root = write(tmp_path, ["ok.png"])
    try:
        (root / os.fsdecode(b"caf\xe9\n.png")).write_bytes(png(5))
    except OSError:
        pytest.skip("this file system wants UTF-8")
    assert len(opened(root)) == 2 and len(opened(root).fingerprint) == 64


# ---- zips


def test_zip_equals_folder(tmp_path):
    root = write(tmp_path / "set", NAMES)
    packed = zipped(tmp_path / "set.zip", {name: (root / name).read_bytes() for name in reversed(NAMES)})
    folder, archive = opened(root), opened(packed)
    assert archive.classes == ("a", "b") and archive.fingerprint == folder.fingerprint
    assert np.array_equal(archive.pictures([0, 1, 2]), folder.pictures([0, 1, 2]))


def test_zip_with_unsafe_names_links_and_twins(tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    entries = {"../out.png": png(1), "/abs.png": png(2), "C:/drive.png": png(3), "good.png": png(4), link: b"good.png"}
    path = zipped(tmp_path / "x.zip", entries)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("good.png", png(5))
    images = opened(path, max_bad=1)
    assert images.names == ("good.png",) and np.array_equal(images.pictures([0])[0], picture(4))
    assert sorted(item.reason_code for item in images.skipped) == ["duplicate-name", "not-a-file"] + ["unsafe-name"] * 3
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.zip"]


def test_encrypted_zip(tmp_path):
    data = bytearray(zipped(tmp_path / "x.zip", {"1.png": png(1)}).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(DataError, match=r"1.png is encrypted. Make the archive again without a password"):
        opened(tmp_path / "x.zip")


def test_a_zip_entry_without_a_name(tmp_path):
    images = opened(zipped(tmp_path / "x.zip", {zipfile.ZipInfo("\0.png"): png(1), "1.png": png(2)}))
    assert images.names == ("1.png",)


def test_zip_whose_entries_share_bytes(tmp_path):
    data = bytearray(zipped(tmp_path / "x.zip", {"1.png": png(1), "2.png": png(2)}).read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises((RefusedError, DataError), match="overlap|bomb"):
        opened(tmp_path / "x.zip")


def test_damaged_zips(tmp_path):
    path = zipped(tmp_path / "x.zip", {f"{index}.png": png(index) for index in range(3)})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    assert [item.where for item in opened(path, max_bad=1).skipped] == ["0.png"]
    path.write_bytes(data[:-30])
    with pytest.raises(DataError, match="x.zip: is not a whole zip file"):
        opened(path)


def test_a_zip_whose_directory_is_nonsense(tmp_path):
    """What zipfile lets out of a damaged list of entries is more than BadZipFile."""
    path = zipped(tmp_path / "x.zip", {"1.png": png(1)})
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    for place in range(start, len(data)):
        path.write_bytes(data[:place] + b"\xff" + data[place + 1 :])
        try:
            assert len(opened(path, max_bad=1)) == 1
        except (DataError, RefusedError) as error:
            assert error.where is not None


@pytest.mark.parametrize(
    ("size", "names", "error"),
    [(2**24 + 1, ["bomb"], None), (2**20, ["in all"] * 20, "unpacks to more than 20 MiB.*archive bombs")],
    ids=["one member", "all members"],
)
def test_zip_bombs_are_refused(tmp_path, size, names, error):
    flat = bytes(size)
    entries = {f"{number}.bmp": flat for number in range(len(names))} | {"good.png": png(1)}
    path = zipped(tmp_path / "x.zip", entries)
    if error:
        with pytest.raises(RefusedError, match=error):
            opened(path)
    else:
        images = opened(path, max_bad=1)
        assert images.names == ("good.png",) and [item.reason_code for item in images.skipped] == ["bomb"]


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr("sagan.data.sources.archive.MAX_ENTRIES", 2)
    entries = {f"{index}.png": png(index) for index in range(3)}
    for path in (zipped(tmp_path / "x.zip", entries), tarred(tmp_path / "x.tar", entries)):
        with pytest.raises(RefusedError, match="more than 2 entries"):
            opened(path)


def test_archives_in_archives_are_counted_and_left_alone(tmp_path):
    inner = zipped(tmp_path / "inner.zip", {"1.png": png(1)}).read_bytes()
    for make, path in ((zipped, tmp_path / "x.zip"), (tarred, tmp_path / "x.tar")):
        images = opened(
            make(path, {"inner.zip": inner, "more.tar.gz": b"x", "2.png": png(2), "zip.png": inner}), max_bad=1
        )
        assert images.names == ("2.png",) and any("2 of them are archives" in line for line in images.notes)
        assert [(item.where, item.reason_code) for item in images.skipped] == [("zip.png", "not-a-picture")]
        with pytest.raises(DataError, match="holds no picture.*It holds 1 archives: unpack it once"):
            opened(make(path, {"inner.zip": inner}))


# ---- tars


KINDS = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


def tarred(path: Path, entries: dict, format: int = tarfile.GNU_FORMAT) -> Path:
    """entries: name, or a TarInfo, -> bytes."""
    kind = next(kind for suffix, kind in KINDS.items() if path.name.endswith(suffix))
    with tarfile.open(path, kind, format=format) as archive:
        for name, data in entries.items():
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "good.png"
    return info


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_equals_folder(tmp_path, suffix, format):
    names = [*NAMES, "b/" + "long" * 20 + "/" + "y" * 90 + ".png"] + (["b/" + "é" * 120 + ".png"] if format else [])
    root = write(tmp_path / "set", names)
    packed = tarred(tmp_path / f"set{suffix}", {f"./{name}": (root / name).read_bytes() for name in names}, format)
    folder, archive = opened(root), opened(packed, cache_mib=0)
    assert archive.name == "set" and archive.classes == ("a", "b") and archive.fingerprint == folder.fingerprint
    everything = list(range(len(names)))[::-1]
    assert np.array_equal(archive.pictures(everything), folder.pictures(everything))
    archive.close()
    assert np.array_equal(archive.pictures(everything), folder.pictures(everything)), "opened again when need be"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["set", f"set{suffix}"]


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_a_tar_with_a_label_file_inside(tmp_path, suffix):
    labels = json.dumps({"labels": [["1.png", 1], ["2.png", 0]], "classes": ["cat", "dog"]}).encode()
    images = opened(tarred(tmp_path / f"x{suffix}", {"1.png": png(1), "dataset.json": labels, "2.png": png(2)}))
    assert images.classes == ("cat", "dog") and images.labels.tolist() == [1, 0]


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_tar_with_unsafe_names_links_devices_and_twins(tmp_path, suffix):
    entries = {
        "../out.png": png(1), "/abs.png": png(2), "C:/drive.png": png(3), "good.png": png(4), "a/" * 70 + "deep.png": png(5),
        special("soft.png", tarfile.SYMTYPE): b"", special("hard.png", tarfile.LNKTYPE): b"",
        special("pipe.png", tarfile.FIFOTYPE): b"", special("device.png", tarfile.CHRTYPE): b"",
        tarfile.TarInfo("good.png"): png(6), special("holes.png", tarfile.GNUTYPE_SPARSE): bytes(512),
        "._good.png": b"junk", "readme.txt": b"text",
    }  # fmt: skip
    images = opened(tarred(tmp_path / f"x{suffix}", entries), max_bad=1)
    assert images.names == ("good.png",) and np.array_equal(images.pictures([0])[0], picture(4))
    codes = sorted(item.reason_code for item in images.skipped)
    assert codes == ["duplicate-name"] + ["not-a-file"] * 4 + ["sparse"] + ["unsafe-name"] * 4
    assert [entry.name for entry in tmp_path.iterdir()] == [f"x{suffix}"]


@pytest.mark.parametrize("suffix", [".tar", ".tgz", ".tar.bz2", ".tar.xz"])
def test_cut_and_damaged_tars(tmp_path, suffix):
    path = tarred(tmp_path / f"x{suffix}", {f"{index}.png": png(index) for index in range(5)})
    data = path.read_bytes()
    for cut in range(1, len(data) - (10240 if suffix == ".tar" else 0), 97):
        path.write_bytes(data[:cut])
        with pytest.raises(DataError, match="is not a whole tar file.*Copy or download it again"):
            opened(path)
    path.write_bytes(data[: len(data) // 2] + b"\xaa" * 40 + data[len(data) // 2 + 40 :])
    if suffix == ".tar":  # 40 bytes of one picture, or of its header
        try:
            assert len(opened(path, max_bad=1).skipped) <= 1
        except DataError as error:
            assert "checksum" in str(error)
    else:
        with pytest.raises(DataError, match="is not a whole tar file"):
            opened(path)


def test_a_tar_that_changes_under_us(tmp_path):
    path = tarred(tmp_path / "x.tar", {f"{index}.png": png(index) for index in range(5)})
    images = opened(path, cache_mib=0)
    os.truncate(path, 3000)
    with pytest.raises(DataError, match=r"x.tar/4.png: changed since the set was opened.*no longer whole"):
        images.pictures([4])
    images.close()
    path.unlink()
    with pytest.raises(DataError, match=r"x.tar/0.png: changed since the set was opened.*cannot be read"):
        images.pictures([0])


@pytest.mark.parametrize("suffix", [".tgz", ".tar.bz2", ".tar.xz"])
def test_packed_tar_bombs_are_refused(tmp_path, suffix):
    path = tarred(tmp_path / f"x{suffix}", {"a.bin": bytes(40 * 2**20), "1.png": png(1)})
    with pytest.raises(RefusedError, match="unpacks to more than .*archive bombs"):
        opened(path)


def test_a_packed_tar_that_memory_would_not_hold(tmp_path, monkeypatch):
    monkeypatch.setattr("sagan.data.sources.tar.MAX_HELD", 300)
    entries = {f"{index}.png": png(index) for index in range(3)}
    assert len(opened(tarred(tmp_path / "x.tar", entries))) == 3, "a plain tar is not held"
    with pytest.raises(ResourceError, match="has to be held in memory.*gunzip"):
        opened(tarred(tmp_path / "x.tgz", entries))


@pytest.mark.parametrize(
    "records", [b"nonsense", b"0 path=a\n", b"99 path=a\n", b"12 path", b"7 patha\n", b" path=a\n"]
)
def test_a_tar_with_records_that_cannot_be_read(tmp_path, records):
    path = tarred(tmp_path / "x.tar", {special("extension", tarfile.XHDTYPE): records, "1.png": png(1)})
    with pytest.raises(DataError, match="records that cannot be read"):
        opened(path)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"not a tar" * 200, "wrong checksum|a number that is none"),
        (b"", "ends too early"),
        (b"\x1f\x8bnonsense", "not a whole tar"),
    ],
)
def test_what_is_no_tar(tmp_path, payload, text):
    (tmp_path / "x.tar").write_bytes(payload)
    with pytest.raises(DataError, match=text):
        opened(tmp_path / "x.tar")


# ---- Parquet


def parquet(path: Path, rows: list, labels: list | None = None, names: list[str] | None = None, column="image") -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table({column: pa.array(rows, type=pa.struct({"bytes": pa.binary(), "path": pa.string()}))})
    if labels is not None:
        table = table.append_column("label", pa.array(labels))
    if names:
        features = {column: {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=2)
    return path


def test_parquet_keeps_class_names(tmp_path):
    rows = [{"bytes": png(seed), "path": None} for seed in range(5)]
    images = opened(parquet(tmp_path / "set.parquet", rows, [2, 0, 2, 0, 2], ["zebra", "unused", "ant"], column="img"))
    assert images.classes == ("zebra", "ant") and images.labels.tolist() == [1, 0, 1, 0, 1]
    assert any("unused" in line for line in images.notes)
    assert np.array_equal(images.pictures([4, 1]), np.stack([picture(4), picture(1)]))


def test_parquet_shards_and_paths_beside_them(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "p.jpg").write_bytes(png(7))
    parquet(
        tmp_path / "train-1.parquet", [{"bytes": None, "path": "pictures/p.jpg"}, {"bytes": None, "path": "../p.png"}]
    )
    parquet(tmp_path / "train-0.parquet", [{"bytes": png(1), "path": "x"}] * 3)
    parquet(tmp_path / "test-0.parquet", [{"bytes": png(2), "path": "x"}])
    images = opened(tmp_path, max_bad=1)
    assert images.names == tuple(f"train-0.parquet#{row}" for row in range(3)) + ("train-1.parquet#0",)
    assert np.array_equal(images.pictures([3])[0], picture(7))
    assert [(item.where, item.reason_code) for item in images.skipped] == [("train-1.parquet#1", "unsafe-name")]
    assert any("test-0.parquet" in line for line in images.notes)


def test_a_folder_of_parquet_files(tmp_path):
    parquet(tmp_path / "b.parquet", [{"bytes": png(1), "path": None}], [1])
    parquet(tmp_path / "a.parquet", [{"bytes": png(0), "path": None}] * 2, [0, 4])
    images = opened(tmp_path)
    assert images.classes == ("0", "1", "4") and images.labels.tolist() == [0, 2, 1]


def test_parquet_without_pictures(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="no picture column; its columns are text"):
        opened(tmp_path / "x.parquet")
    pq.write_table(pa.table({"image": [1]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="column image has the type int64"):
        opened(tmp_path / "x.parquet")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="not a whole Parquet file"):
        opened(tmp_path / "x.parquet")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(ResourceError, match=r"pip install 'sagan-torch\[parquet\]'"):
        opened(tmp_path / "x.parquet")


def test_the_real_cifar_file():
    path = Path(os.environ.get("CIFAR10_PARQUET", ROOT.parent / "shared" / "data" / "cifar10-train.parquet"))
    if not path.exists():
        pytest.skip(f"no CIFAR-10 at {path}: set CIFAR10_PARQUET")
    pytest.importorskip("pyarrow")
    source = open_source(path)
    assert len(source.listing.names) == 50_000
    assert source.listing.classes[:3] == ("airplane", "automobile", "bird") and len(source.listing.classes) == 10
    assert source.listing.labels[:3].tolist() == [1, 1, 6]
    assert np.bincount(source.listing.labels).tolist() == [5000] * 10
    first = np.asarray(Image.open(io.BytesIO(source.read(0))))
    assert first.shape == (32, 32, 3) and first.std() > 20


# ---- arrays


@pytest.mark.parametrize(
    "array",
    [
        picture(1)[None],
        picture(1).transpose(2, 0, 1)[None],
        picture(1)[None].astype(np.uint16) * 257,
        (picture(1)[None] / 255).astype(np.float32),
        np.asfortranarray(picture(1)[None]),
    ],
    ids=["uint8", "channels first", "uint16", "float", "fortran"],
)
def test_arrays_of_every_kind_give_the_same_pixels(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    assert np.array_equal(opened(tmp_path / "x.npy").pictures([0])[0], picture(1))


def test_npz_with_labels_and_gray(tmp_path):
    gray = picture(3)[..., 0]
    np.savez(tmp_path / "x.npz", images=np.stack([gray, gray, gray]), labels=[5, 2, 5])
    images = opened(tmp_path / "x.npz")
    assert images.classes == ("2", "5") and images.labels.tolist() == [1, 0, 1]
    assert np.array_equal(images.pictures([0])[0], np.repeat(gray[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"images": np.zeros((2, 3))}, "pictures of shape"),
        ({"images": np.full((1, 4, 4), 200.0)}, "from 200 to 200.*0..1"),
        ({"images": np.full((1, 4, 4), np.nan)}, "from nan to nan"),
        ({"images": np.zeros((1, 4, 4), np.int64)}, "type int64"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": [1]}, "one label a picture"),
        ({"faces": np.zeros((2, 4, 4), np.uint8)}, "its arrays are faces"),
        ({"images": np.zeros((2, 0, 4), np.uint8)}, "no pixels"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([2**64 - 1, 0], np.uint64)}, "whole numbers"),
        ({"images": np.array([None])}, "Python objects"),
    ],
)
def test_arrays_that_cannot_be_read(tmp_path, arrays, text):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=text):
        opened(tmp_path / "x.npz")


def test_an_npz_bomb_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", images=np.zeros((17, 2**10, 2**10), np.uint8))
    with pytest.raises(RefusedError, match="archive bombs"):
        opened(tmp_path / "x.npz")


@pytest.mark.parametrize("head", ["-" * 9000 + "1", "(" * 4000, "'", "{'descr': '|u1'}", "{'shape': (3L,)}"])
def test_an_array_with_a_header_that_is_no_header(tmp_path, head):
    head += "\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(96))
    with pytest.raises(DataError, match="cannot be read as NumPy arrays"):
        opened(tmp_path / "x.npy")


def test_an_array_that_promises_more_than_it_holds(tmp_path):
    np.save(tmp_path / "x.npy", picture(1)[None])
    data = (tmp_path / "x.npy").read_bytes().replace(b"(1, 8, 8, 3)", b"(999999,8,3)")
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(DataError, match="promises 23999976 bytes, there are 192"):
        opened(tmp_path / "x.npy")


# ---- paths


def test_a_missing_path_names_the_nearest(tmp_path):
    write(tmp_path / "photos", ["1.png"])
    with pytest.raises(DataError, match=r"phots: does not exist. Did you mean .*photos\?"):
        opened(tmp_path / "phots")
    with pytest.raises(DataError, match=r"Did you mean .*photos\?"):
        opened(tmp_path / "fotos" / "deep" / "er")
    with pytest.raises(DataError, match=r"Did you mean emblems\?"):
        opened(Path("emblem"))


def test_paths_that_are_no_set(tmp_path):
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(DataError, match=r"kind that is not read \(.txt\).*Give a folder"):
        opened(tmp_path / "x.txt")
    with pytest.raises(DataError, match="holds no picture"):
        opened(tmp_path)
    (tmp_path / "1.png").write_bytes(png(1))
    with pytest.raises(DataError, match="is a single picture"):
        opened(tmp_path / "1.png")
    with pytest.raises(DataError, match="only local files"):
        opened(Path("https://example.org/x.zip"))
