from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image

from sagan import runtime
from sagan.cli.main import main
from sagan.data.config import DataConfig
from sagan.errors import DataError
from sagan.workflows.check_data import check_data
from sagan.workflows.choose import choose_for


def test_a_good_set(photos, tmp_path):
    out = tmp_path / "preview.png"
    result = check_data(DataConfig(data=str(photos)), 16, out)
    rows = dict(result.rows)
    assert result.usable and result.exit_code == 0 and result.bad == []
    assert rows["set"] == "photos" and rows["pictures"] == "20 usable of 20"
    assert rows["classes"] == "2: barns (10), boats (10)"
    assert rows["modes"] == "RGB (20)" and rows["colour"] == "0 grey, 0 with transparency"
    assert rows["sizes"].startswith("21x18 (1)") and rows["sizes"].endswith("and 12 more")
    assert result.preview == out
    with Image.open(out) as preview:
        assert min(preview.size) > 64


def test_it_ends_by_saying_what_auto_would_choose(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "available_cores", lambda: 2)
    monkeypatch.setattr(runtime, "has_accelerator", lambda: False)
    rows = check_data(DataConfig(data=str(photos)), 16, tmp_path / "p.png").rows
    choice = choose_for({"data": str(photos)})
    assert rows[-1] == ("auto", choice.summary) and rows[-1][1].startswith("16x16, G 64 and D 32 wide, batch 16, diff")
    monkeypatch.chdir(tmp_path)
    assert main(["data", "check", str(photos), "--resolution", "64"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1] == "data-check.png" and shown[-2].startswith("auto        64x64, ")
    (photos_of_nothing := tmp_path / "bad").mkdir()
    (photos_of_nothing / "bad.png").write_bytes(b"no")
    assert "auto" not in dict(check_data(DataConfig(data=str(photos_of_nothing)), 16, tmp_path / "p.png").rows)


def test_bad_files_are_listed_with_reasons_and_duplicates_counted(own_photos, tmp_path):
    (own_photos / "barns" / "broken.png").write_bytes(b"\x89PNG no")
    shutil.copy(own_photos / "barns" / "00.png", own_photos / "boats" / "again.png")
    result = check_data(DataConfig(data=str(own_photos), max_bad=0.5), 16, tmp_path / "p.png")
    rows = dict(result.rows)
    assert result.usable and rows["pictures"] == "21 usable of 22" and rows["left out"] == "1"
    assert rows["duplicates"] == "1 groups, 1 of them across classes"
    (line,) = result.bad
    assert line.startswith("barns/broken.png: ") and line.endswith("]")


def test_a_set_with_too_many_bad_files_ends_with_code_3(own_photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for path in (own_photos / "boats").iterdir():
        path.write_bytes(b"broken")
    result = check_data(DataConfig(data=str(own_photos)), 16)
    assert not result.usable and result.exit_code == 3 and len(result.bad) == 10
    assert main(["data", "check", str(own_photos), "--resolution", "16"]) == 3
    assert "boats/01.png" in capsys.readouterr().err


@pytest.mark.parametrize("policy", ["skip", "stop", "quarantine"])
def test_the_report_lists_everything_and_the_set_stays_as_it_is(own_photos, tmp_path, contents, policy):
    for number in range(40):
        (own_photos / "barns" / f"bad{number:02}.png").write_bytes(b"")
    before, report = contents(own_photos), tmp_path / "bad.jsonl"
    data = DataConfig(data=str(own_photos), max_bad=1, on_bad=policy)
    result = check_data(data, 16, tmp_path / "p.png", report=report)
    rows = [json.loads(line) for line in report.read_text().splitlines()]
    assert result.report == report and result.bad[-1] == "and 8 more: --report lists all"
    assert [row["path"] for row in rows] == [f"barns/bad{number:02}.png" for number in range(40)]
    assert {(row["code"], row["reason"], row["action"]) for row in rows} == {("empty", "has 0 bytes", policy)}
    assert contents(own_photos) == before and not (tmp_path / "own-photos-quarantine").exists()


def test_nothing_to_look_at(tmp_path):
    with pytest.raises(DataError, match="does not exist") as info:
        check_data(DataConfig(data=str(tmp_path / "none")), 16)
    assert info.value.exit_code == 3


def test_the_preview_has_a_name_when_nobody_gives_one(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "check", str(photos)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["data-check.png"]
    assert "data-check.png" in capsys.readouterr().out


def test_channels_and_balance_are_options_of_the_command(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "check", str(photos), "--channels", "4", "--balance"]) == 0
    assert "None of the pictures has transparency" in capsys.readouterr().err
    assert main(["data", "check", str(photos), "--channels", "2"]) == 2
    assert "channels is 2. Choose 1 (grey), 3 (RGB) or 4" in " ".join(capsys.readouterr().err.split())
