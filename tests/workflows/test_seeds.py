from __future__ import annotations

import pytest

from sagan.errors import ConfigError
from sagan.workflows.seeds import Liked, read_liked, write_liked


def test_a_list_comes_back_as_it_was_written(tmp_path):
    pictures = [Liked(7, "a cat", 0.7, "3.5"), Liked(2**63 - 1), Liked(0, "12", 0.0)]
    path = tmp_path / "liked.txt"
    path.write_text(write_liked(pictures, ["two lines", "of remarks"]))
    assert path.read_text().splitlines()[:3] == ["# two lines", "# of remarks", "7\ta cat\t0.7\t3.5"]
    assert read_liked(path) == pictures


def test_a_person_may_write_words_and_remarks(tmp_path):
    path = tmp_path / "liked.txt"
    path.write_bytes(b"\xef\xbb\xbf3, 17,40 # the blue ones\r\n\r\n# more\r\n 5-6\r\n9\tdog\r\n9\t\t0.5\r\n")
    expected = [Liked(3), Liked(17), Liked(40), Liked(5), Liked(6), Liked(9, "dog"), Liked(9, "", 0.5)]
    assert read_liked(path) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("3\nx\n", "line 2: seeds are 'x'"),
        ("3\tcat\tmuch\n", "line 1: not a picture: '3"),
        ("3\tcat\tnan\n", "line 1: not a picture"),
        ("-1\tcat\n", "line 1: not a picture"),
        ("9223372036854775808\tcat\n", "line 1: seeds are '9223372036854775808'"),
        ("# nothing\n\n", "names no seed"),
        ("0-999999999\n", "line 1: 1,000,000,000 pictures were asked for"),
    ],
)
def test_what_is_no_list(tmp_path, text, line):
    path = tmp_path / "liked.txt"
    path.write_text(text)
    with pytest.raises(ConfigError) as info:
        read_liked(path)
    assert str(info.value).startswith(f"{path}: {line}") and "A line is a seed" in str(info.value)


def test_a_list_that_is_none(tmp_path):
    with pytest.raises(ConfigError, match="there is no such list of seeds. Check the path.$"):
        read_liked(tmp_path / "none.txt")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n")
    for path in (tmp_path, tmp_path / "picture.png"):
        with pytest.raises(ConfigError, match="is not a list of seeds"):
            read_liked(path)
