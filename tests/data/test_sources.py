"""Folders, zips, Parquet files and arrays give the same pictures, and say clearly what they cannot read."""

from __future__ import annotations

import io
import json
import os
import struct
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
        ({"images": np.array([None])}, "Python objects"),
    ],
)
def test_arrays_that_cannot_be_read(tmp_path, arrays, text):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=text):
        opened(tmp_path / "x.npz")


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
